//! One torrent among hostile peers: bytes from four of them, a disk that works, lies and fails, and time.
//!
//! Whatever comes: no more peers than allowed; only live ones are spoken to; only blocks of the torrent are asked for,
//! a bounded number of each peer; pieces in hand are bounded; the next timeout lies ahead; a piece counts only when
//! the storage said so.
#![cfg_attr(fuzzing, no_main)]

#[path = "../support/steps.rs"]
mod steps;
#[path = "../support/torrents.rs"]
mod torrents;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use steps::Steps;
use torrents::{PIECE, PIECES, address, content, info, settings};
use trackless::swarm::disk::{DiskError, Job, Reply};
use trackless::swarm::{
    Action, Bitfield, ClosedBy, DialError, Event, PeerKey, PeerSource, Torrent,
};
use trackless::wire::{self, Block, Connection, Handshake, Message, PeerId, Reserved};

/// Blocks that one peer may be asked for at once (the pipeline's bound and the allowed-fast set).
const ASKED: usize = 600;

struct Peer {
    connection: Connection,
    input: BytesMut,
    asked: Vec<Block>,
}

struct World<'a> {
    steps: Steps<'a>,
    now: Instant,
    torrent: Torrent,
    peers: BTreeMap<PeerKey, Peer>,
    dials: BTreeSet<PeerKey>,
    jobs: VecDeque<Job>,
    stored: BTreeSet<u32>,
    hosts: u8,
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut steps = Steps(data);
    let now = Instant::now();
    let shape = steps.byte();
    let mut torrent = match shape % 4 {
        0 => Torrent::from_hash(info().info_hash(), settings(), [5; 32], now),
        _ => Torrent::from_info(info(), settings(), [5; 32], now),
    };
    let mut have = Bitfield::new(PIECES);
    (0..PIECES)
        .filter(|piece| shape >> 2 & 1 << piece != 0)
        .for_each(|piece| {
            have.set(piece);
        });
    let stored = have.iter_set().collect();
    torrent.storage_ready(now, have);
    let mut world = World {
        steps,
        now,
        torrent,
        peers: BTreeMap::new(),
        dials: BTreeSet::new(),
        jobs: VecDeque::new(),
        stored,
        hosts: 0,
    };
    while !world.steps.is_over() {
        world.step();
        world.drain();
        world.check();
    }
    world.torrent.shutdown(world.now);
    world.drain();
    assert!(
        world.peers.is_empty() && world.dials.is_empty(),
        "nobody is forgotten"
    );
}

impl World<'_> {
    fn step(&mut self) {
        let now = self.now;
        let host = self.steps.byte();
        let key = self
            .peers
            .keys()
            .nth(usize::from(host) % self.peers.len().max(1))
            .copied();
        match self.steps.below(12) {
            0 => self.accept(host),
            1 => {
                let named = [address(host % 100), address(host % 100 + 1)];
                self.torrent.add_peers(now, PeerSource::Dht, named);
            }
            2 => self.dialled(host),
            3 => {
                self.now += Duration::from_millis(u64::from(host) * 100);
                if self.torrent.next_timeout() <= self.now {
                    self.torrent.handle_timeout(self.now);
                }
            }
            4 | 5 => self.disk(host),
            6 | 7 => {
                if let Some(key) = key {
                    self.answer(key, host);
                }
            }
            8 => {
                if let Some(key) = key {
                    self.peers.remove(&key);
                    self.torrent.handle_closed(now, key, ClosedBy::Remote);
                }
            }
            _ => {
                if let Some(key) = key {
                    let length = self.steps.below(64);
                    let bytes = self.steps.take(length);
                    self.read(key, bytes);
                }
            }
        }
    }

    fn hello(&self, id: u8) -> Handshake {
        let reserved = if id.is_multiple_of(3) {
            Reserved::default()
        } else {
            Reserved::ours()
        };
        Handshake {
            peer_id: PeerId([id; 20]),
            reserved,
            ..self.torrent.handshake()
        }
    }

    fn accept(&mut self, host: u8) {
        self.hosts = self.hosts.wrapping_add(1);
        let hello = self.hello(host);
        if let Ok(key) = self
            .torrent
            .accept(self.now, address(self.hosts % 100), &hello)
        {
            self.meet(key);
        }
    }

    fn dialled(&mut self, how: u8) {
        let Some(key) = self.dials.pop_first() else {
            return;
        };
        match how % 4 {
            0 => self
                .torrent
                .handle_dial_failed(self.now, key, DialError::Refused),
            1 => self.torrent.handle_closed(self.now, key, ClosedBy::Io),
            _ => {
                // Before it is told, the machine may close it at once.
                self.meet(key);
                self.torrent.handle_opened(self.now, key, &self.hello(how));
            }
        }
    }

    fn meet(&mut self, key: PeerKey) {
        let mut connection = Connection::outgoing(self.torrent.handshake(), self.now);
        let mut input = BytesMut::new();
        self.hello(1).encode(&mut input);
        connection
            .handle_bytes(self.now, &mut input)
            .expect("a handshake");
        while connection.poll_event().is_some() {}
        self.peers.insert(
            key,
            Peer {
                connection,
                input,
                asked: Vec::new(),
            },
        );
    }

    fn read(&mut self, key: PeerKey, bytes: &[u8]) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        peer.input.extend_from_slice(bytes);
        let outcome = peer.connection.handle_bytes(self.now, &mut peer.input);
        let batch = std::iter::from_fn(|| peer.connection.poll_event())
            .filter_map(|event| match event {
                wire::Event::Message(message) => Some(message),
                wire::Event::Handshake(_) => None,
            })
            .collect();
        self.torrent.handle_messages(self.now, key, batch);
        if let Err(rule) = outcome {
            self.drain();
            if self.peers.remove(&key).is_some() {
                self.torrent
                    .handle_closed(self.now, key, ClosedBy::Violation(rule));
            }
        }
    }

    /// A block that was asked for comes, right or wrong.
    fn answer(&mut self, key: PeerKey, how: u8) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let Some(block) = peer.asked.pop() else {
            return self.torrent.handle_messages(
                self.now,
                key,
                vec![Message::HaveAll, Message::Unchoke],
            );
        };
        let begin = (block.piece * PIECE + block.begin) as usize;
        let mut data = content().slice(begin..begin + block.length as usize);
        if how.is_multiple_of(5) {
            data = vec![how; data.len()].into();
        }
        let message = match how % 7 {
            0 => Message::Reject(block),
            _ => Message::Piece {
                piece: block.piece,
                begin: block.begin,
                data,
            },
        };
        self.torrent.handle_messages(self.now, key, vec![message]);
    }

    /// The disk's next reply.
    fn disk(&mut self, how: u8) {
        let reply = match self.jobs.pop_front() {
            None => return,
            Some(Job::Store { piece, blocks, .. }) => {
                let begin = (piece * PIECE) as usize;
                let right = content().slice(begin..content().len().min(begin + PIECE as usize));
                let digests = vec![[0; 20]; blocks.len()];
                match (how % 4, right == blocks.concat()) {
                    (0, _) => Reply::StoreFailed {
                        piece,
                        blocks,
                        error: DiskError::Full,
                    },
                    (_, false) => Reply::Mismatch { piece, digests },
                    (_, true) => {
                        self.stored.insert(piece);
                        Reply::Stored {
                            piece,
                            digests: Some(digests).filter(|_| how % 4 == 1),
                        }
                    }
                }
            }
            Some(Job::Read { peer, block }) => {
                assert!(
                    self.stored.contains(&block.piece),
                    "only what is there is read"
                );
                let data = vec![0; block.length as usize].into();
                match how % 4 {
                    0 => {
                        self.stored.remove(&block.piece);
                        Reply::ReadFailed {
                            peer,
                            block,
                            error: DiskError::Damaged,
                        }
                    }
                    1 => Reply::ReadFailed {
                        peer,
                        block,
                        error: DiskError::Io("EIO".to_owned()),
                    },
                    _ => Reply::Block { peer, block, data },
                }
            }
        };
        self.torrent.handle_disk(self.now, reply);
    }

    fn drain(&mut self) {
        while let Some(action) = self.torrent.poll_action() {
            match action {
                Action::Dial { peer, .. } => assert!(self.dials.insert(peer)),
                Action::Close { peer, .. } => {
                    let known = self.peers.remove(&peer).is_some() | self.dials.remove(&peer);
                    assert!(known, "closed once");
                }
                Action::Send { peer, message } => {
                    let peer = self
                        .peers
                        .get_mut(&peer)
                        .expect("only the living are spoken to");
                    match message {
                        Message::Request(block) => peer.asked.push(block),
                        Message::Cancel(block) => peer.asked.retain(|asked| *asked != block),
                        _ => {}
                    }
                }
                Action::Disk(job) => self.jobs.push_back(job),
            }
        }
        while let Some(event) = self.torrent.poll_event() {
            match event {
                Event::PieceStored(piece) => assert!(self.stored.contains(&piece)),
                Event::Metadata(found) => {
                    assert_eq!(found.info_hash(), info().info_hash());
                    self.torrent.storage_ready(self.now, Bitfield::new(PIECES));
                    self.stored.clear();
                }
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        let limits = settings();
        assert!(self.peers.len() <= limits.max_peers + self.dials.len() + limits.max_half_open);
        assert!(self.dials.len() <= limits.max_half_open);
        for peer in self.peers.values() {
            assert!(peer.asked.len() <= ASKED);
            for block in &peer.asked {
                let length = content().len() as u32;
                assert!(block.piece < PIECES && block.length > 0 && block.length <= 1 << 14);
                assert!(block.begin + block.length <= PIECE);
                assert!(block.piece * PIECE + block.begin + block.length <= length);
            }
        }
        let stores = self
            .jobs
            .iter()
            .filter(|job| matches!(job, Job::Store { .. }))
            .count();
        assert!(
            stores <= PIECES as usize,
            "a piece is stored once at a time"
        );
        let next = self.torrent.next_timeout();
        if next <= self.now {
            self.torrent.handle_timeout(self.now);
            self.drain();
            assert!(
                self.torrent.next_timeout() > self.now,
                "woken again and again"
            );
        }
        let _ = self.torrent.snapshot(self.now);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
