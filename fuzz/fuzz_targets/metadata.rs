//! The metadata exchange (BEP 9) of a torrent of which only the hash is known, with liars.
//!
//! Whatever three liars do, nothing but the dictionary with the right hash comes out, and no request lies outside of
//! what a peer announced; then one honest peer comes, answers what it is asked, and the dictionary is there.
//! Input: the liars' messages and the time between them.
#![cfg_attr(fuzzing, no_main)]

#[path = "../support/steps.rs"]
mod steps;
#[path = "../support/torrents.rs"]
mod torrents;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use steps::Steps;
use torrents::{address, info, settings};
use trackless::swarm::{Action, Event, PeerKey, Torrent};
use trackless::wire::{
    ExtensionHandshake, Handshake, METADATA_PIECE, Message, MetadataMessage, PeerId, Reserved,
    UT_METADATA,
};

/// The number that our peers give `ut_metadata`.
const THEIR_ID: u8 = 5;

struct World {
    torrent: Torrent,
    now: Instant,
    /// What each peer said how long the dictionary is.
    sizes: BTreeMap<PeerKey, u32>,
    asked: Vec<(PeerKey, u32)>,
    found: bool,
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let now = Instant::now();
    let mut world = World {
        torrent: Torrent::from_hash(info().info_hash(), settings(), [2; 32], now),
        now,
        sizes: BTreeMap::new(),
        asked: Vec::new(),
        found: false,
    };
    let mut steps = Steps(data);
    let mut liars: Vec<Option<PeerKey>> = (1..=3).map(|host| world.meet(host)).collect();
    while !steps.is_over() && !world.found {
        let liar = steps.below(3);
        let Some(key) = liars[liar] else {
            steps.byte();
            continue;
        };
        world.lie(key, &mut steps);
        liars[liar] = liars[liar].filter(|key| world.sizes.contains_key(key));
    }
    world.honest_peer();
}

impl World {
    fn meet(&mut self, host: u8) -> Option<PeerKey> {
        let hello = Handshake {
            peer_id: PeerId([host; 20]),
            reserved: Reserved::ours(),
            ..self.torrent.handshake()
        };
        let key = self.torrent.accept(self.now, address(host), &hello).ok()?;
        self.sizes.insert(key, 0);
        self.drain();
        Some(key)
    }

    fn announce(&mut self, key: PeerKey, size: u32) {
        // A copy that is under way goes on with the size that it began with.
        let known = self.sizes.entry(key).or_default();
        *known = size.max(*known);
        let facts = ExtensionHandshake {
            ut_metadata: Some(THEIR_ID),
            metadata_size: Some(size),
            ..ExtensionHandshake::default()
        };
        self.say(key, 0, facts.encode().into());
    }

    fn say(&mut self, key: PeerKey, id: u8, payload: Bytes) {
        self.torrent
            .handle_messages(self.now, key, vec![Message::Extended { id, payload }]);
        self.drain();
    }

    fn lie(&mut self, key: PeerKey, steps: &mut Steps<'_>) {
        let right = info().raw().len() as u32;
        let size = [right, right + 1, 1, 16_385, 1 << 24][steps.below(5)];
        let piece = self
            .asked
            .iter()
            .rev()
            .find(|(peer, _)| *peer == key)
            .map_or(0, |(_, piece)| *piece);
        let length = (size as usize)
            .saturating_sub(piece as usize * METADATA_PIECE)
            .min(METADATA_PIECE);
        let message = match steps.below(8) {
            0 => return self.announce(key, size),
            1 | 2 => {
                let data = vec![steps.byte(); length].into();
                MetadataMessage::Data {
                    piece,
                    total_size: size,
                    data,
                }
            }
            3 => MetadataMessage::Data {
                piece: u32::from(steps.byte()),
                total_size: size,
                data: Bytes::new(),
            },
            4 => MetadataMessage::Reject { piece },
            5 => MetadataMessage::Request {
                piece: u32::from(steps.byte()) << 24,
            },
            6 => {
                self.now += Duration::from_millis(u64::from(steps.byte()) * 100);
                self.torrent.handle_timeout(self.now);
                return self.drain();
            }
            _ => {
                let length = steps.below(64);
                let payload = Bytes::copy_from_slice(steps.take(length));
                // What it says of the size here is not followed: any is allowed then.
                self.sizes.insert(key, u32::MAX);
                let id = steps.below(2) as u8 * UT_METADATA;
                return self.say(key, id, payload);
            }
        };
        self.say(key, UT_METADATA, message.encode());
    }

    /// However it went so far, one who tells the truth is enough.
    fn honest_peer(&mut self) {
        if self.found {
            return;
        }
        let raw = info().raw().clone();
        let key = self.meet(50).expect("room for a fourth");
        self.announce(key, raw.len() as u32);
        for _ in 0..200 {
            if self.found {
                return;
            }
            let mine: Vec<u32> = self
                .asked
                .iter()
                .filter(|(peer, _)| *peer == key)
                .map(|(_, n)| *n)
                .collect();
            self.asked.clear();
            for piece in mine {
                let begin = piece as usize * METADATA_PIECE;
                let data = raw.slice(begin..raw.len().min(begin + METADATA_PIECE));
                let total_size = raw.len() as u32;
                self.say(
                    key,
                    UT_METADATA,
                    MetadataMessage::Data {
                        piece,
                        total_size,
                        data,
                    }
                    .encode(),
                );
            }
            self.now += Duration::from_millis(100);
            self.torrent.handle_timeout(self.now);
            self.drain();
        }
        panic!("twenty seconds with an honest peer, and no metadata");
    }

    fn drain(&mut self) {
        while let Some(action) = self.torrent.poll_action() {
            match action {
                Action::Send {
                    peer,
                    message:
                        Message::Extended {
                            id: THEIR_ID,
                            payload,
                        },
                } => {
                    if let Some(MetadataMessage::Request { piece }) =
                        MetadataMessage::parse(&payload)
                    {
                        let size = self.sizes.get(&peer).copied().expect("a live peer");
                        assert!(
                            piece < size.div_ceil(METADATA_PIECE as u32),
                            "{piece} of {size} bytes"
                        );
                        self.asked.push((peer, piece));
                    }
                }
                Action::Close { peer, .. } => {
                    self.sizes.remove(&peer);
                }
                _ => {}
            }
        }
        while let Some(event) = self.torrent.poll_event() {
            if let Event::Metadata(found) = event {
                assert_eq!(found.raw(), info().raw());
                self.found = true;
            }
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
