//! The life of a connection: called, answered, used, closed; packets out and in.
//!
//! Invariant: a side that closes tells the other, behind everything it sent before; a host that is gone
//! tells nobody, and a host that came back answers what belongs to an earlier visit with an end.
//! Bytes that have not left when a side closes are lost, as when a process ends with unread input.

use std::time::Duration;

use bencode::Endpoint;
use trackless::swarm::{ClosedBy, DialError, PeerKey};
use trackless::wire::{Connection, Event};

use super::link::{WINDOW, duration, wire_size};
use super::names::EndRef;
use super::names::PeerIndex;
use super::peer::{Presence, address, index_of};
use super::stream::{End, Packet, Stage, Stream, Turn};
use super::world::{Happening, SwarmWorld};

/// A sender whose data is not acknowledged sends again after this, then after twice as long…
const RETRANSMIT: Duration = Duration::from_secs(1);
/// … but at least every two minutes, and gives up after so many attempts (Linux, 15 minutes).
const LONGEST_RETRANSMIT: Duration = Duration::from_secs(120);
const RETRANSMISSIONS: u32 = 14;

/// How long a call may take: as in `io`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

impl SwarmWorld {
    pub(super) fn end_mut(&mut self, at: EndRef) -> Option<&mut End> {
        let stream = self.streams.get_mut(at.link as usize)?.as_mut()?;
        Some(stream.end(at.side))
    }

    /// An end that its host still uses.
    fn alive(&mut self, at: EndRef) -> Option<&mut End> {
        let stream = self.streams.get_mut(at.link as usize)?.as_mut()?;
        let end = stream.end(at.side);
        let host = &self.peers[end.host as usize];
        let alive =
            end.stage == Stage::Alive && host.presence == Presence::Up && host.visit == end.visit;
        alive.then_some(end)
    }

    pub(super) fn dial(&mut self, index: PeerIndex, key: PeerKey, to: Endpoint) {
        let link = u32::try_from(self.streams.len()).expect("fewer than 2^32 connections");
        let there = index_of(to).filter(|there| *there < self.len());
        let caller = End::new(index, self.peers[index as usize].visit, Some(key));
        // An address where no peer ever was stays unanswered; the caller stands in for it.
        let callee = End::new(there.unwrap_or(index), 0, None);
        let path = self.path(index, there.unwrap_or(index));
        let ends = [caller, callee];
        self.streams.push(Some(Box::new(Stream { ends, path })));
        let at = EndRef { link, side: 0 };
        self.peers[index as usize].ends.insert(key, at);
        if there.is_some() {
            self.schedule(self.now + path.delay, Happening::Call(link));
        } else {
            self.fail(link, CONNECT_TIMEOUT, DialError::TimedOut);
        }
    }

    fn fail(&mut self, link: u32, after: Duration, error: DialError) {
        if let Some(callee) = self.end_mut(EndRef { link, side: 1 }) {
            callee.stage = Stage::Closed;
        }
        self.schedule(self.now + after, Happening::Unanswered(link, error));
    }

    pub(super) fn call(&mut self, link: u32) {
        let now = self.instant();
        let at = EndRef { link, side: 1 };
        let Some(stream) = self.streams[link as usize].as_mut() else {
            return;
        };
        let delay = stream.delay();
        let callee = stream.end(1);
        let host = &self.peers[callee.host as usize];
        match host.presence {
            Presence::Up => {
                callee.visit = host.visit;
                callee.connection = Some(Connection::incoming(now));
                self.schedule(self.now + delay, Happening::Answer(link));
                self.arm_watch(at);
            }
            Presence::Closed => self.fail(link, delay, DialError::Refused),
            Presence::Vanished => {
                let rest = CONNECT_TIMEOUT.saturating_sub(delay);
                self.fail(link, rest, DialError::TimedOut);
            }
        }
    }

    pub(super) fn answer(&mut self, link: u32) {
        let now = self.instant();
        let at = EndRef { link, side: 0 };
        let Some(host) = self.alive(at).map(|end| end.host) else {
            return;
        };
        let Some(hello) = self.peers[host as usize].machine.as_ref() else {
            return;
        };
        let hello = hello.handshake();
        if let Some(end) = self.alive(at) {
            end.connection = Some(Connection::outgoing(hello, now));
        }
        self.arm_watch(at);
        self.offer(at);
        self.pump(host);
    }

    pub(super) fn unanswered(&mut self, link: u32, error: DialError) {
        let now = self.instant();
        let at = EndRef { link, side: 0 };
        let Some(end) = self.alive(at) else {
            return self.tidy(link);
        };
        let (host, key) = (end.host, end.key);
        self.end(at, Stage::Lost);
        if let (Some(machine), Some(key)) = (&mut self.peers[host as usize].machine, key) {
            machine.handle_dial_failed(now, key, error);
            self.drain(host);
        }
    }

    fn arm_watch(&mut self, at: EndRef) {
        let due = self
            .end_mut(at)
            .and_then(|end| Some(end.connection.as_ref()?.next_timeout()));
        if let Some(due) = due {
            let due = self.clock.time(due);
            self.schedule(due, Happening::Watch(at));
        }
    }

    /// A connection's timer: it may have moved meanwhile, only ever further away.
    pub(super) fn watch(&mut self, at: EndRef) {
        let now = self.instant();
        let Some(end) = self.alive(at) else {
            return;
        };
        let (host, key) = (end.host, end.key);
        let Some(connection) = &mut end.connection else {
            return;
        };
        if let Err(violation) = connection.handle_timeout(now) {
            return self.lose(at, host, key, ClosedBy::Violation(violation));
        }
        self.arm_watch(at);
        self.offer(at);
        self.pump(host);
    }

    /// A connection ended without the torrent's doing.
    fn lose(&mut self, at: EndRef, host: PeerIndex, key: Option<PeerKey>, by: ClosedBy) {
        let now = self.instant();
        self.end(at, Stage::Closed);
        if let (Some(machine), Some(key)) = (&mut self.peers[host as usize].machine, key) {
            machine.handle_closed(now, key, by);
            self.drain(host);
        }
    }

    /// This side is over; if it closes, the other is told.
    pub(super) fn end(&mut self, at: EndRef, stage: Stage) {
        let now = self.now;
        let Some(end) = self.end_mut(at) else {
            return;
        };
        if end.stage == Stage::Closed {
            return;
        }
        end.stage = stage;
        end.connection = None;
        end.turn = Turn::Idle;
        end.input.clear();
        let (host, key, last_at) = (end.host, end.key.take(), end.last_at);
        if let Some(key) = key {
            self.peers[host as usize].ends.remove(&key);
        }
        if stage == Stage::Closed
            && let Some(stream) = self.streams[at.link as usize].as_mut()
        {
            stream.end(at.other().side).coming.push_back(Packet::Fin);
            let there = now.max(last_at) + stream.delay();
            self.schedule(there, Happening::Reach(at.other(), 0));
        }
        self.tidy(at.link);
    }

    fn tidy(&mut self, link: u32) {
        let stream = &mut self.streams[link as usize];
        if stream.as_ref().is_some_and(|stream| stream.is_over()) {
            *stream = None;
        }
    }

    /// An end may have something to send.
    pub(super) fn offer(&mut self, at: EndRef) {
        let now = self.now;
        let Some(end) = self.end_mut(at) else {
            return;
        };
        if end.turn == Turn::Idle && end.has_output() {
            end.turn = Turn::Waiting;
            let (host, from) = (end.host, end.next_at);
            self.peers[host as usize].uplink.enqueue(now, from, at);
        }
    }

    /// Sends while the uplink is free, and arranges for the time when it is again.
    pub(super) fn pump(&mut self, index: PeerIndex) {
        let now = self.instant();
        let mut reports = Vec::new();
        while let Some(at) = self.peers[index as usize].uplink.next(self.now) {
            reports.extend(self.send_packet(at));
        }
        if let Some(wake) = self.peers[index as usize].uplink.arrange() {
            self.schedule(wake, Happening::Uplink(index));
        }
        if reports.is_empty() {
            return;
        }
        if let Some(machine) = &mut self.peers[index as usize].machine {
            for (key, unsent) in reports {
                machine.handle_sent(now, key, unsent);
            }
            self.drain(index);
        }
    }

    /// Sends one packet; returns what the torrent should hear of it.
    fn send_packet(&mut self, at: EndRef) -> Option<(PeerKey, usize)> {
        let stream = self.streams.get_mut(at.link as usize)?.as_mut()?;
        let path = stream.path;
        let end = stream.end(at.side);
        if end.under_way >= WINDOW {
            end.turn = Turn::Blocked;
            return None;
        }
        let Some(packet) = end.take_packet() else {
            end.turn = Turn::Idle;
            return None;
        };
        let size = packet.len();
        let uplink = &mut self.peers[end.host as usize].uplink;
        let out = uplink.send(self.now, wire_size(size));
        end.under_way += size;
        end.next_at = end.next_at.max(self.now) + duration(size as u64, path.rate);
        end.last_at = out;
        if end.has_output() {
            uplink.enqueue(self.now, end.next_at, at);
        } else {
            end.turn = Turn::Idle;
        }
        let report = end.key.zip(end.report());
        let other = stream.end(at.other().side);
        other.coming.push_back(Packet::Data(packet));
        let reach = Happening::Reach(at.other(), size);
        self.schedule(out + path.delay, reach);
        report
    }

    pub(super) fn reach(&mut self, at: EndRef, size: usize) {
        let now = self.now;
        let Some(host) = self.alive(at).map(|end| end.host) else {
            return self.deliver(at);
        };
        let line = &mut self.peers[host as usize].downlink;
        match line.take(now, wire_size(size)) {
            Some(through) => self.schedule(through, Happening::Deliver(at)),
            None => self.deliver(at),
        }
    }

    pub(super) fn deliver(&mut self, at: EndRef) {
        let Some(packet) = self.end_mut(at).and_then(|end| end.coming.pop_front()) else {
            return;
        };
        let Some(end) = self.alive(at) else {
            return self.refuse(at, &packet);
        };
        let (host, key) = (end.host, end.key);
        match packet {
            Packet::Data(bytes) => {
                let size = bytes.len();
                end.receive(bytes);
                self.read(at);
                self.acknowledge(at.other(), size);
            }
            Packet::Fin => self.lose(at, host, key, ClosedBy::Remote),
        }
    }

    /// Something arrived for an end that is no more. A host that is there says so, once.
    fn refuse(&mut self, at: EndRef, packet: &Packet) {
        let there = self.end_mut(at).map(|end| (end.host, end.stage));
        if let Some((host, stage)) = there {
            let data = matches!(packet, Packet::Data(_));
            let answers = self.peers[host as usize].presence != Presence::Vanished;
            if stage != Stage::Closed && answers && data {
                self.end(at, Stage::Closed);
            } else if stage == Stage::Alive {
                self.end(at, Stage::Lost);
            }
            if !answers && data {
                self.send_again(at.other());
            }
        }
        self.tidy(at.link);
    }

    /// What an end sent was not acknowledged: from now on it is sent again and again.
    fn send_again(&mut self, at: EndRef) {
        let next = self.now + RETRANSMIT;
        if let Some(end) = self.alive(at)
            && !std::mem::replace(&mut end.unanswered, true)
        {
            self.schedule(next, Happening::Retransmit(at, 0));
        }
    }

    /// It is sent again: a host that is back says that there is no such connection.
    pub(super) fn retransmit(&mut self, at: EndRef, attempt: u32) {
        let Some(end) = self.alive(at) else {
            return;
        };
        let (host, key) = (end.host, end.key);
        let there = self.end_mut(at.other()).map(|end| end.host);
        let vanished =
            there.is_some_and(|it| self.peers[it as usize].presence == Presence::Vanished);
        if !vanished {
            self.end(at.other(), Stage::Closed);
        } else if attempt < RETRANSMISSIONS {
            let wait = RETRANSMIT
                .saturating_mul(2 << attempt)
                .min(LONGEST_RETRANSMIT);
            let again = Happening::Retransmit(at, attempt + 1);
            self.schedule(self.now + wait, again);
        } else {
            self.lose(at, host, key, ClosedBy::Io);
        }
    }

    /// Bytes have arrived: the window of their sender moves on.
    fn acknowledge(&mut self, at: EndRef, size: usize) {
        let now = self.now;
        let Some(end) = self.end_mut(at) else {
            return;
        };
        end.under_way = end.under_way.saturating_sub(size);
        if end.turn == Turn::Blocked {
            end.turn = Turn::Waiting;
            let (host, from) = (end.host, end.next_at);
            self.peers[host as usize].uplink.enqueue(now, from, at);
            self.pump(host);
        }
    }

    /// Frames what has arrived and hands it to the torrent, even if the last frame broke a rule.
    fn read(&mut self, at: EndRef) {
        let now = self.instant();
        let Some(end) = self.end_mut(at) else {
            return;
        };
        let host = end.host;
        let Some(connection) = &mut end.connection else {
            return;
        };
        let framed = connection.handle_bytes(now, &mut end.input);
        let mut batch = Vec::new();
        let mut hello = None;
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Handshake(theirs) => hello = Some(theirs),
                Event::Message(message) => batch.push(message),
            }
        }
        if let Some(theirs) = hello
            && !self.greet(at, &theirs)
        {
            return self.end(at, Stage::Closed);
        }
        let key = self.end_mut(at).and_then(|end| end.key);
        if let (Some(machine), Some(key)) = (&mut self.peers[host as usize].machine, key) {
            if !batch.is_empty() {
                machine.handle_messages(now, key, batch);
            }
            self.drain(host);
        }
        if let Err(violation) = framed {
            let key = self.end_mut(at).and_then(|end| end.key);
            self.lose(at, host, key, ClosedBy::Violation(violation));
        }
    }

    /// The other side's handshake. False: it is not wanted.
    fn greet(&mut self, at: EndRef, theirs: &trackless::wire::Handshake) -> bool {
        let now = self.instant();
        let Some(stream) = self.streams[at.link as usize].as_mut() else {
            return false;
        };
        let from = address(stream.end(0).host);
        let end = stream.end(at.side);
        let peer = &mut self.peers[end.host as usize];
        let Some(machine) = &mut peer.machine else {
            return false;
        };
        if let Some(key) = end.key {
            machine.handle_opened(now, key, theirs);
            return true;
        }
        let caller = Endpoint {
            port: 40_000 + (at.link % 20_000) as u16,
            ..from
        };
        let Ok(key) = machine.accept(now, caller, theirs) else {
            return false;
        };
        end.key = Some(key);
        if let Some(connection) = &mut end.connection {
            connection.accept(now, machine.handshake());
        }
        peer.ends.insert(key, at);
        self.offer(at);
        true
    }
}
