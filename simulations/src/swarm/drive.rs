//! Between machines and streams: carries out what the torrents decide, and hands them what arrives.
//!
//! It does for the simulated hosts what `io` does for real ones, in the same order: all messages of one
//! packet in one batch, bytes gone out reported when they have left the socket's buffer, storage jobs
//! in order. Invariant: after every input to a torrent its actions are carried out before anything else
//! happens, and its next timeout is scheduled. It decides nothing itself.

use std::time::Duration;

use trackless::swarm::{Action, Event, PeerKey, Torrent};
use trackless::wire::Message;

use super::names::EndRef;
use super::names::PeerIndex;
use super::peer::{Departure, Knows, Linger, Memory, Presence, Start};
use super::stream::Stage;
use super::world::{Happening, SwarmWorld, seed};
use crate::time::Time;

impl SwarmWorld {
    pub(super) fn handle(&mut self, what: Happening) {
        match what {
            Happening::Arrive(peer) => self.arrive(peer),
            Happening::Return(peer, memory) => self.come_back(peer, memory),
            Happening::Depart(peer, how, visit) => {
                if visit.is_none_or(|visit| visit == self.peers[peer as usize].visit) {
                    self.depart(peer, how);
                }
            }
            Happening::Timer(peer) => self.ring(peer),
            Happening::Watch(end) => self.watch(end),
            Happening::Uplink(peer) => {
                if self.peers[peer as usize].uplink.woken(self.now) {
                    self.pump(peer);
                }
            }
            Happening::Call(link) => self.call(link),
            Happening::Answer(link) => self.answer(link),
            Happening::Unanswered(link, error) => self.unanswered(link, error),
            Happening::Reach(end, size) => self.reach(end, size),
            Happening::Deliver(end) => self.deliver(end),
            Happening::Retransmit(end, attempt) => self.retransmit(end, attempt),
            Happening::Disk(peer, visit) => self.disk_done(peer, visit),
            Happening::Announce(peer) => self.announce(peer),
            Happening::Told(peer, visit, id, answer) => self.told(peer, visit, id, *answer),
        }
    }

    fn arrive(&mut self, index: PeerIndex) {
        let now = self.instant();
        let peer = &mut self.peers[index as usize];
        peer.visit += 1;
        peer.presence = Presence::Up;
        peer.left_at = None;
        // Goodbyes of the visit before are cut short.
        peer.announcer = None;
        let settings = peer.plan.settings(index, peer.visit);
        let knows = peer.plan.knows;
        let seed = seed(self.visit_word(index));
        let info = &self.content.info;
        let machine = match knows {
            Knows::Info => Torrent::from_info(info.clone(), settings, seed, now),
            Knows::Magnet => Torrent::from_hash(info.info_hash(), settings, seed, now),
        };
        self.peers[index as usize].machine = Some(Box::new(machine));
        // What it has is known before it is announced: a complete copy is not announced as an empty one.
        self.drain(index);
        self.start_announcing(index);
    }

    fn come_back(&mut self, index: PeerIndex, memory: Memory) {
        let peer = &mut self.peers[index as usize];
        let Some(left_at) = peer.left_at else {
            return;
        };
        if let Memory::Recorded(age) = memory {
            let recorded = left_at.elapsed().saturating_sub(age);
            peer.disk.forget_since(Time::ZERO + recorded);
        }
        self.arrive(index);
    }

    fn depart(&mut self, index: PeerIndex, how: Departure) {
        let now = self.instant();
        if self.peers[index as usize].presence != Presence::Up {
            return;
        }
        if how == Departure::Closing {
            if let Some(machine) = &mut self.peers[index as usize].machine {
                machine.shutdown(now);
            }
            self.drain(index);
            self.stop_announcing(index);
        }
        let peer = &mut self.peers[index as usize];
        peer.presence = match how {
            Departure::Closing => Presence::Closed,
            Departure::Silent => Presence::Vanished,
        };
        if let Some(machine) = peer.machine.take() {
            peer.past.add(&machine.snapshot(now));
        }
        peer.left_at = Some(self.now);
        peer.replies.clear();
        peer.uplink.clear();
        peer.timer = None;
        let ends: Vec<EndRef> = std::mem::take(&mut peer.ends).into_values().collect();
        for at in ends {
            self.end(at, Stage::Lost);
        }
        match how {
            Departure::Closing => self.confer(index),
            Departure::Silent => self.peers[index as usize].announcer = None,
        }
    }

    /// A torrent's timer, unless a later arrangement replaced it.
    fn ring(&mut self, index: PeerIndex) {
        let now = self.instant();
        let peer = &mut self.peers[index as usize];
        if peer.timer != Some(self.now) {
            return;
        }
        peer.timer = None;
        if let Some(machine) = &mut peer.machine {
            if machine.next_timeout() <= now {
                machine.handle_timeout(now);
            }
            self.drain(index);
        }
    }

    fn arm(&mut self, index: PeerIndex) {
        let peer = &mut self.peers[index as usize];
        let Some(machine) = &peer.machine else {
            return;
        };
        // A timer that lies behind would be a machine that wants to run all the time.
        let due = self.clock.time(machine.next_timeout());
        let due = due.max(self.now + Duration::from_micros(1));
        if peer.timer.is_none_or(|timer| due < timer) {
            peer.timer = Some(due);
            self.schedule(due, Happening::Timer(index));
        }
    }

    fn disk_done(&mut self, index: PeerIndex, visit: u32) {
        let now = self.instant();
        let peer = &mut self.peers[index as usize];
        if peer.visit != visit {
            return;
        }
        let reply = peer.replies.pop_front();
        if let (Some(machine), Some(reply)) = (&mut peer.machine, reply) {
            machine.handle_disk(now, reply);
            self.drain(index);
        }
    }

    /// Carries out what a torrent has decided.
    pub(super) fn drain(&mut self, index: PeerIndex) {
        let mut speaking: Vec<EndRef> = Vec::new();
        while let Some(machine) = &mut self.peers[index as usize].machine {
            if let Some(event) = machine.poll_event() {
                self.hear(index, event);
                continue;
            }
            let Some(action) = machine.poll_action() else {
                break;
            };
            match action {
                Action::Send { peer, message } => self.say(index, peer, message, &mut speaking),
                Action::Dial { peer, endpoint } => self.dial(index, peer, endpoint),
                Action::Close { peer, .. } => {
                    if let Some(at) = self.end_of(index, peer) {
                        self.end(at, Stage::Closed);
                    }
                }
                Action::Disk(job) => {
                    let peer = &mut self.peers[index as usize];
                    let reply = peer.disk.perform(self.now, job);
                    peer.replies.push_back(reply);
                    let done = Happening::Disk(index, peer.visit);
                    self.schedule(self.now + self.plan.disk, done);
                }
            }
        }
        for at in speaking {
            self.offer(at);
        }
        self.pump(index);
        self.arm(index);
        self.confer(index);
    }

    fn hear(&mut self, index: PeerIndex, event: Event) {
        let now = self.instant();
        let peer = &mut self.peers[index as usize];
        match event {
            Event::Metadata(_) => {
                let have = peer.disk.have().clone();
                if let Some(machine) = &mut peer.machine {
                    machine.storage_ready(now, have);
                }
            }
            Event::Complete if peer.plan.start != Start::Seeder => {
                peer.completed_at.get_or_insert(self.now);
                if let Linger::For(time) = peer.plan.linger {
                    let depart = Happening::Depart(index, Departure::Closing, Some(peer.visit));
                    self.schedule(self.now + time, depart);
                }
                self.announce_completion(index);
            }
            Event::PeersWanted => self.wanted.push((self.now, index)),
            _ => {}
        }
    }

    fn say(&mut self, index: PeerIndex, key: PeerKey, message: Message, out: &mut Vec<EndRef>) {
        let now = self.instant();
        let Some(at) = self.end_of(index, key) else {
            return;
        };
        let Some(end) = self.end_mut(at) else {
            return;
        };
        if let Message::Piece { data, .. } = &message {
            end.accepted += data.len() as u64;
        }
        if let Some(connection) = &mut end.connection {
            connection.send(now, message);
            if out.last() != Some(&at) {
                out.push(at);
            }
        }
    }
}
