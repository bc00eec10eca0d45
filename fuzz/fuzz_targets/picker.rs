//! The picker against a model of it: any order of choosing, receiving, giving up, right and wrong pieces.
//!
//! Before the endgame a block is asked of one peer at a time; only what the asker has is asked; a piece is complete
//! exactly when each of its blocks came once; the bytes in hand are those of the pieces in hand.
#![cfg_attr(fuzzing, no_main)]

#[path = "../support/steps.rs"]
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bencode::Endpoint;
use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use steps::Steps;
use trackless::swarm::picker::{Asker, BUDGET, Picker, Piece, Received, Standing};
use trackless::swarm::{Bitfield, Geometry, Order, PeerKey};
use trackless::wire::Block;

const PIECES: u32 = 12;
const PEERS: u32 = 4;

struct Model {
    picker: Picker,
    geometry: Geometry,
    fields: Vec<Bitfield>,
    asked: BTreeMap<(u32, u32), BTreeSet<u32>>,
    here: BTreeSet<(u32, u32)>,
    storing: BTreeSet<u32>,
    now: Instant,
}

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut steps = Steps(data);
    let shape = steps.byte();
    let piece_length = [16_384, 40_000, 5_000, 4 << 20][usize::from(shape % 4)];
    let last = 1 + u64::from(shape) * 13 % u64::from(piece_length);
    let geometry = Geometry::new(
        piece_length,
        u64::from(piece_length) * u64::from(PIECES - 1) + last,
    );
    let order = if shape & 4 == 0 {
        Order::Rarest
    } else {
        Order::Sequential
    };
    let fields: Vec<Bitfield> = (0..PEERS)
        .map(|_| {
            let bits = [steps.byte(), steps.byte() & 0xf0];
            Bitfield::from_bytes(&bits, PIECES).expect("no spare bits")
        })
        .collect();
    let mut picker = Picker::new(geometry, order);
    for piece in fields.iter().flat_map(Bitfield::iter_set) {
        picker.rarity().came(piece);
    }
    let mut model = Model {
        picker,
        geometry,
        fields,
        asked: BTreeMap::new(),
        here: BTreeSet::new(),
        storing: BTreeSet::new(),
        now: Instant::now(),
    };
    let mut rng = ChaCha8Rng::from_seed([shape; 32]);
    while !steps.is_over() {
        model.step(&mut steps, &mut rng);
        model.check();
    }
}

impl Model {
    fn step(&mut self, steps: &mut Steps<'_>, rng: &mut ChaCha8Rng) {
        let what = steps.byte();
        let peer = u32::from(what >> 4) % PEERS;
        let chosen = self
            .asked
            .iter()
            .nth(usize::from(steps.byte()) % self.asked.len().max(1));
        let chosen = chosen.map(|(place, peers)| (*place, peers.first().copied().unwrap_or(peer)));
        match (what % 10, chosen) {
            (0..=2, _) => self.ask(peer, 1 + steps.below(8), rng),
            (3..=5, Some((place, asker))) => self.receive(place, asker),
            (6, Some((place, asker))) => {
                self.picker.released(PeerKey(asker), self.block(place));
                self.forget(place, asker);
            }
            (7, _) => self.stored(steps.byte()),
            (8, _) => {
                let wanted =
                    Bitfield::from_bytes(&[steps.byte(), 0xf0], PIECES).expect("no spare bits");
                self.picker.select(wanted);
            }
            _ => {
                self.now += Duration::from_secs(u64::from(steps.byte()));
                self.picker.wake(self.now);
                let piece = u32::from(what) % PIECES;
                if self.picker.state(piece) == Piece::Have {
                    self.picker.lost(piece);
                }
            }
        }
    }

    fn block(&self, (piece, n): (u32, u32)) -> Block {
        self.geometry.block(piece, n)
    }

    fn ask(&mut self, peer: u32, count: usize, rng: &mut ChaCha8Rng) {
        let theirs = self.fields[peer as usize].clone();
        let asker = Asker {
            peer: PeerKey(peer),
            theirs: &theirs,
            count,
            depth: count,
            standing: if peer == 0 {
                Standing::New
            } else {
                Standing::Proved
            },
        };
        let endgame = self.picker.is_endgame();
        let mut blocks = Vec::new();
        self.picker.pick(self.now, asker, rng, &mut blocks);
        self.follow_evictions();
        for block in &blocks {
            let n = self.geometry.index_of(*block).expect("one of our blocks");
            let askers = self.asked.entry((block.piece, n)).or_default();
            assert!(
                askers.is_empty() && !self.here.contains(&(block.piece, n)),
                "asked once"
            );
            assert!(theirs.has(block.piece));
            askers.insert(peer);
        }
        assert!(blocks.len() <= count);
        if blocks.is_empty() && endgame {
            self.picker.pick_again(asker, &mut blocks);
            assert!(blocks.len() <= count);
            for block in blocks {
                let n = self.geometry.index_of(block).expect("one of our blocks");
                let askers = self
                    .asked
                    .get_mut(&(block.piece, n))
                    .expect("asked of another before");
                assert!(
                    theirs.has(block.piece) && askers.insert(peer),
                    "of each once"
                );
            }
        }
    }

    /// A piece that gave way to another is missing again, with all its blocks.
    fn follow_evictions(&mut self) {
        let gone: BTreeSet<u32> = (0..PIECES)
            .filter(|piece| self.picker.state(*piece) == Piece::Missing)
            .collect();
        self.here.retain(|(piece, _)| !gone.contains(piece));
        assert!(
            self.asked.keys().all(|(piece, _)| !gone.contains(piece)),
            "what is asked for stays"
        );
    }

    fn receive(&mut self, place: (u32, u32), asker: u32) {
        let block = self.block(place);
        let data = Bytes::from_static(b"not looked at");
        let from = Endpoint::new([9, 9, 9, 9].into(), 9);
        let received = self
            .picker
            .received(self.now, PeerKey(asker), from, block, data);
        let mut others = self.asked.remove(&place).unwrap_or_default();
        others.remove(&asker);
        assert!(self.here.insert(place));
        let whole = self.here.range((place.0, 0)..(place.0 + 1, 0)).count() as u32
            == self.geometry.blocks_in(place.0);
        match received {
            Received::Wanted(named) => {
                assert!(!whole);
                assert_eq!(
                    named.iter().map(|peer| peer.0).collect::<BTreeSet<u32>>(),
                    others
                );
            }
            Received::CompletesPiece(all) => {
                assert!(whole && all.blocks.len() as u32 == self.geometry.blocks_in(place.0));
                self.here.retain(|(piece, _)| *piece != place.0);
                assert!(self.storing.insert(place.0));
            }
            other => panic!("{other:?}"),
        }
    }

    fn forget(&mut self, place: (u32, u32), asker: u32) {
        if let Some(askers) = self.asked.get_mut(&place) {
            askers.remove(&asker);
            if askers.is_empty() {
                self.asked.remove(&place);
            }
        }
        self.follow_evictions();
    }

    fn stored(&mut self, how: u8) {
        let Some(piece) = self.storing.pop_first() else {
            return;
        };
        match how % 3 {
            0 => self.picker.wrong(piece, None),
            1 => self
                .picker
                .wrong(piece, Some(self.now + Duration::from_secs(30))),
            _ => self.picker.stored(piece),
        }
    }

    fn check(&self) {
        let size = |piece: u32| u64::from(self.geometry.piece_size(piece));
        let mut committed = 0;
        for piece in 0..PIECES {
            let state = self.picker.state(piece);
            assert_eq!(state == Piece::Storing, self.storing.contains(&piece));
            if matches!(state, Piece::Active | Piece::Storing) {
                committed += size(piece);
            }
        }
        assert_eq!(self.picker.committed(), committed);
        assert!(committed < BUDGET + size(0) || committed == size(0));
        let lacking = (0..PIECES)
            .filter(|piece| self.picker.lacks(*piece))
            .count() as u32;
        assert_eq!(self.picker.lacking(), lacking);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
