//! Machines joined back to back in virtual time: links with a delay and a sender's bandwidth, disks
//! in memory, and a few hostile minds that speak the protocol by script.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::cast::{
    DELAY, Host, Mind, address, content, info_of, lie_about, scattered, settings, size, start,
    stranger,
};
use crate::metainfo::{Info, InfoHash};
use crate::swarm::disk::{Digests, DiskError, Job, Reply};
use crate::swarm::{
    Action, Bitfield, ClosedBy, DialError, Event, PeerKey, PeerSource, Settings, Torrent,
};
use crate::wire::{ExtensionHandshake, Handshake, Message, Reserved};

enum Arrival {
    Call {
        from: usize,
        key: PeerKey,
        to: Endpoint,
    },
    Opened {
        host: usize,
        key: PeerKey,
        theirs: Handshake,
    },
    Failed {
        host: usize,
        key: PeerKey,
    },
    Messages {
        host: usize,
        key: PeerKey,
        batch: Vec<Message>,
    },
    Sent {
        host: usize,
        key: PeerKey,
    },
    Closed {
        host: usize,
        key: PeerKey,
    },
    Disk {
        host: usize,
        reply: Reply,
    },
}

pub(super) struct World {
    pub(super) now: Instant,
    pub(super) hosts: Vec<Host>,
    pub(super) info: Arc<Info>,
    data: Bytes,
    links: BTreeMap<(usize, PeerKey), (usize, PeerKey)>,
    queue: BTreeMap<(Instant, u64), Arrival>,
    sequence: u64,
    chance: u32,
}

impl World {
    pub(super) fn new(length: usize, piece_length: u32) -> World {
        let data = content(length);
        World {
            now: start(),
            hosts: Vec::new(),
            info: info_of(&data, piece_length, ""),
            data,
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            chance: 0,
        }
    }

    /// An empty world with the same torrent; what happens by chance there depends on `chance`.
    pub(super) fn again(&self, chance: u32) -> World {
        World {
            now: start(),
            hosts: Vec::new(),
            info: Arc::clone(&self.info),
            data: self.data.clone(),
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            chance,
        }
    }

    pub(super) fn info_hash(&self) -> InfoHash {
        self.info.info_hash()
    }

    fn push(&mut self, mind: Mind) -> usize {
        let count = self.info.piece_count() as usize;
        self.hosts.push(Host {
            mind,
            pieces: vec![None; count],
            events: Vec::new(),
            uplink: 100 << 20,
            disk_full: false,
            first_mismatch: None,
            busy_until: self.now,
            reads: self.chance * 1_000,
            alive: true,
        });
        self.hosts.len() - 1
    }

    /// A host that knows the files and has these pieces.
    pub(super) fn add(&mut self, settings: Settings, has: impl Fn(u32) -> bool) -> usize {
        let mut seed = [self.hosts.len() as u8; 32];
        seed[0] = self.chance as u8;
        let torrent = Torrent::from_info(Arc::clone(&self.info), settings, seed, self.now);
        let host = self.push(Mind::Machine {
            torrent: Box::new(torrent),
            corrupt: 0,
        });
        for piece in (0..self.info.piece_count()).filter(|piece| has(*piece)) {
            let begin = piece as usize * self.info.piece_length() as usize;
            let end = (begin + self.info.piece_length() as usize).min(self.data.len());
            self.hosts[host].pieces[piece as usize] = Some(self.data.slice(begin..end));
        }
        self.drain(host);
        host
    }

    pub(super) fn seeder(&mut self) -> usize {
        let settings = settings(self.hosts.len());
        self.add(settings, |_| true)
    }

    pub(super) fn leecher(&mut self) -> usize {
        let settings = settings(self.hosts.len());
        self.add(settings, |_| false)
    }

    /// A host that knows the name only.
    pub(super) fn magnet(&mut self) -> usize {
        let host = self.hosts.len();
        let torrent =
            Torrent::from_hash(self.info_hash(), settings(host), [host as u8; 32], self.now);
        self.push(Mind::Machine {
            torrent: Box::new(torrent),
            corrupt: 0,
        })
    }

    pub(super) fn add_mind(&mut self, mind: Mind) -> usize {
        self.push(mind)
    }

    pub(super) fn corrupt(&mut self, host: usize, percent: u32) {
        if let Mind::Machine { corrupt, .. } = &mut self.hosts[host].mind {
            *corrupt = percent;
        }
    }

    pub(super) fn introduce(&mut self, host: usize, others: &[usize]) {
        let now = self.now;
        let others: Vec<Endpoint> = others.iter().map(|other| address(*other)).collect();
        self.hosts[host]
            .torrent()
            .add_peers(now, PeerSource::Dht, others);
        self.drain(host);
    }

    /// Ends a host without a word; its peers notice.
    pub(super) fn kill(&mut self, host: usize) {
        self.hosts[host].alive = false;
        let mine: Vec<_> = self
            .links
            .iter()
            .filter(|((h, _), _)| *h == host)
            .map(|(a, b)| (*a, *b))
            .collect();
        for (near, (other, key)) in mine {
            self.links.remove(&near);
            self.links.remove(&(other, key));
            self.schedule(DELAY, Arrival::Closed { host: other, key });
        }
    }

    pub(super) fn is_complete(&self, host: usize) -> bool {
        let sizes = self.data.chunks(self.info.piece_length() as usize);
        self.hosts[host]
            .pieces
            .iter()
            .zip(sizes)
            .all(|(have, right)| have.as_ref().is_some_and(|have| have.as_ref() == right))
    }

    /// Runs until the condition holds; returns the virtual time that took. Panics after `limit`.
    pub(super) fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut World) -> bool,
    ) -> Duration {
        let began = self.now;
        while !done(self) {
            assert!(self.now - began <= limit, "not done after {limit:?}");
            self.step();
        }
        self.now - began
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(time + Duration::from_secs(3_600), |world| world.now >= end);
    }

    /// The next arrival or timeout, whichever is first.
    fn step(&mut self) {
        let timer = (0..self.hosts.len())
            .filter(|host| self.hosts[*host].alive)
            .filter_map(|host| match &self.hosts[host].mind {
                Mind::Machine { torrent, .. } => Some((torrent.next_timeout(), host)),
                Mind::MetadataLiar(..) | Mind::Hoarder => None,
            })
            .min();
        let arrival = self.queue.first_key_value().map(|((at, _), _)| *at);
        match (timer, arrival) {
            (Some((at, host)), arrival) if arrival.is_none_or(|arrival| at < arrival) => {
                // A timeout that lies behind would be a machine that wants to run all the time.
                self.now = self.now.max(at) + Duration::from_micros(1);
                let now = self.now;
                self.hosts[host].torrent().handle_timeout(now);
                assert!(
                    self.hosts[host].torrent().next_timeout() > now,
                    "a busy loop"
                );
                self.drain(host);
            }
            _ => {
                let Some(((at, _), arrival)) = self.queue.pop_first() else {
                    return;
                };
                self.now = self.now.max(at);
                self.arrive(arrival);
            }
        }
    }

    fn schedule(&mut self, after: Duration, arrival: Arrival) {
        self.sequence += 1;
        self.queue
            .insert((self.now + after, self.sequence), arrival);
    }

    fn arrive(&mut self, arrival: Arrival) {
        let now = self.now;
        match arrival {
            Arrival::Call { from, key, to } => self.call(from, key, to),
            Arrival::Opened { host, key, theirs } => {
                if self.links.contains_key(&(host, key)) {
                    self.hosts[host].torrent().handle_opened(now, key, &theirs);
                    self.drain(host);
                }
            }
            Arrival::Failed { host, key } => {
                self.hosts[host]
                    .torrent()
                    .handle_dial_failed(now, key, DialError::Refused);
                self.drain(host);
            }
            Arrival::Messages { host, key, batch } => {
                if !self.links.contains_key(&(host, key)) {
                    return;
                }
                match &mut self.hosts[host].mind {
                    Mind::Machine { torrent, .. } => torrent.handle_messages(now, key, batch),
                    Mind::MetadataLiar(size, lie) => {
                        let answers = lie_about(*size, *lie, &batch);
                        self.transmit(host, key, answers);
                    }
                    Mind::Hoarder => {}
                }
                self.drain(host);
            }
            Arrival::Sent { host, key } => {
                if let Mind::Machine { torrent, .. } = &mut self.hosts[host].mind {
                    torrent.handle_sent(now, key, 0);
                    self.drain(host);
                }
            }
            Arrival::Closed { host, key } => {
                if let Mind::Machine { torrent, .. } = &mut self.hosts[host].mind {
                    torrent.handle_closed(now, key, ClosedBy::Remote);
                    self.drain(host);
                }
            }
            Arrival::Disk { host, reply } => {
                self.hosts[host].torrent().handle_disk(now, reply);
                self.drain(host);
            }
        }
    }

    fn call(&mut self, from: usize, key: PeerKey, to: Endpoint) {
        let now = self.now;
        let host = (0..self.hosts.len()).find(|host| address(*host) == to);
        let Some(host) = host.filter(|host| self.hosts[*host].alive) else {
            return self.schedule(DELAY, Arrival::Failed { host: from, key });
        };
        let hello = self.hosts[from].torrent().handshake();
        let theirs = Handshake {
            peer_id: stranger(host),
            reserved: Reserved::ours(),
            ..hello
        };
        let mut caller = address(from);
        caller.port = 40_000 + (key.0 % 20_000) as u16;
        match &mut self.hosts[host].mind {
            Mind::Machine { torrent, .. } => match torrent.accept(now, caller, &hello) {
                Ok(there) => {
                    let theirs = torrent.handshake();
                    self.links.insert((from, key), (host, there));
                    self.links.insert((host, there), (from, key));
                    self.schedule(
                        DELAY,
                        Arrival::Opened {
                            host: from,
                            key,
                            theirs,
                        },
                    );
                    self.drain(host);
                }
                Err(_) => self.schedule(DELAY, Arrival::Failed { host: from, key }),
            },
            Mind::MetadataLiar(..) | Mind::Hoarder => {
                let there = PeerKey(self.sequence as u32);
                self.links.insert((from, key), (host, there));
                self.links.insert((host, there), (from, key));
                self.schedule(
                    DELAY,
                    Arrival::Opened {
                        host: from,
                        key,
                        theirs,
                    },
                );
                let first = match &self.hosts[host].mind {
                    Mind::MetadataLiar(size, _) => {
                        let facts = ExtensionHandshake {
                            ut_metadata: Some(9),
                            metadata_size: Some(*size),
                            ..ExtensionHandshake::default()
                        };
                        vec![Message::Extended {
                            id: 0,
                            payload: facts.encode().into(),
                        }]
                    }
                    _ => vec![Message::HaveAll, Message::Unchoke],
                };
                self.transmit(host, there, first);
            }
        }
    }

    /// Messages on their way; the uplink sends one after the other.
    fn transmit(&mut self, host: usize, key: PeerKey, batch: Vec<Message>) {
        let Some((to, there)) = self.links.get(&(host, key)).copied() else {
            return;
        };
        let bytes: u64 = batch.iter().map(size).sum();
        let from = &mut self.hosts[host];
        let starts = from.busy_until.max(self.now);
        let ends = starts + Duration::from_nanos(bytes * 1_000_000_000 / from.uplink);
        from.busy_until = ends;
        let wait = ends - self.now;
        if batch.iter().any(|message| message.weight() > 0) {
            self.schedule(wait, Arrival::Sent { host, key });
        }
        self.schedule(
            wait + DELAY,
            Arrival::Messages {
                host: to,
                key: there,
                batch,
            },
        );
    }

    fn drain(&mut self, host: usize) {
        let mut outgoing: Vec<(PeerKey, Vec<Message>)> = Vec::new();
        while let Mind::Machine { torrent, .. } = &mut self.hosts[host].mind {
            if let Some(event) = torrent.poll_event() {
                if let Event::Metadata(info) = &event {
                    let mut have = Bitfield::new(info.piece_count());
                    let pieces = (0..).zip(&self.hosts[host].pieces);
                    pieces.filter(|(_, p)| p.is_some()).for_each(|(n, _)| {
                        have.set(n);
                    });
                    let now = self.now;
                    self.hosts[host].torrent().storage_ready(now, have);
                }
                let now = self.now;
                self.hosts[host].events.push((now, event));
                continue;
            }
            let Some(action) = torrent.poll_action() else {
                break;
            };
            match action {
                Action::Send { peer, message } => match outgoing.last_mut() {
                    Some((last, batch)) if *last == peer => batch.push(message),
                    _ => outgoing.push((peer, vec![message])),
                },
                Action::Dial { peer, endpoint } => {
                    let call = Arrival::Call {
                        from: host,
                        key: peer,
                        to: endpoint,
                    };
                    self.schedule(DELAY, call);
                }
                Action::Close { peer, .. } => {
                    outgoing
                        .drain(..)
                        .for_each(|(key, batch)| self.transmit(host, key, batch));
                    if let Some((other, key)) = self.links.remove(&(host, peer)) {
                        self.links.remove(&(other, key));
                        self.schedule(DELAY, Arrival::Closed { host: other, key });
                    }
                }
                Action::Disk(job) => {
                    let reply = self.perform(host, job);
                    self.schedule(Duration::from_micros(200), Arrival::Disk { host, reply });
                }
            }
        }
        outgoing
            .into_iter()
            .for_each(|(key, batch)| self.transmit(host, key, batch));
    }

    fn perform(&mut self, host: usize, job: Job) -> Reply {
        let host = &mut self.hosts[host];
        match job {
            Job::Store { piece, blocks, .. } if host.disk_full => Reply::StoreFailed {
                piece,
                blocks,
                error: DiskError::Full,
            },
            Job::Store {
                piece,
                blocks,
                digests,
            } => {
                let each: Vec<[u8; 20]> = blocks.iter().map(|b| Sha1::digest(b).into()).collect();
                let whole: Bytes = blocks.concat().into();
                if Some(Sha1::digest(&whole).into()) != self.info.piece_hash(piece) {
                    host.first_mismatch.get_or_insert(self.now);
                    return Reply::Mismatch {
                        piece,
                        digests: each,
                    };
                }
                host.pieces[piece as usize] = Some(whole);
                Reply::Stored {
                    piece,
                    digests: (digests == Digests::Always).then_some(each),
                }
            }
            Job::Read { peer, block } => {
                let Some(piece) = &host.pieces[block.piece as usize] else {
                    return Reply::ReadFailed {
                        peer,
                        block,
                        error: DiskError::Damaged,
                    };
                };
                let begin = block.begin as usize;
                let mut data = piece.slice(begin..begin + block.length as usize);
                host.reads += 1;
                if let Mind::Machine { corrupt, .. } = &host.mind
                    && scattered(host.reads) < *corrupt
                {
                    data = vec![host.reads as u8; data.len()].into();
                }
                Reply::Block { peer, block, data }
            }
        }
    }
}
