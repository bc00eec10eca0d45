//! Which block to ask which peer for (BEP 3 "piece selection"; Cohen 2003, "Incentives build
//! robustness in BitTorrent", §2.4): pieces under way first, then the rarest, at the end everything
//! from everyone.
//!
//! Invariant: outside the endgame (some wanted piece has not been begun) a block is asked of one
//! peer at a time; pieces under way and unstored are bounded in bytes. Knows peers by key only,
//! neither their speed nor whether they choke us.

mod active;
mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bencode::Endpoint;
use bytes::Bytes;
use rand_chacha::ChaCha8Rng;

use super::PeerKey;
use super::bitfield::Bitfield;
use super::contract::Order;
use super::geometry::Geometry;
use super::rarity::Rarity;
use crate::wire::Block;
pub use active::Askers;
use active::{ASKERS, Active, Slot};

/// Bytes of pieces begun or being stored above which no further piece is begun (the client promises
/// 48 MiB resident). One piece always may be.
pub use crate::budget::PIECES_IN_MEMORY as BUDGET;

/// A piece under way that nobody touched for this long gives its place up if the budget is spent.
const STALE: Duration = Duration::from_secs(30);

/// Where a piece is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Not begun.
    Missing,
    /// Some blocks are asked for or here.
    Active,
    /// All blocks are here and with the storage.
    Storing,
    /// Right and written.
    Have,
}

/// What a block turned out to be.
#[derive(Debug)]
pub enum Received {
    /// Kept. These peers were asked too.
    Wanted(Askers),
    /// There already.
    Duplicate,
    /// Not one of our blocks.
    Unrequested,
    /// The last of its piece.
    CompletesPiece(Whole),
}

/// All blocks of a piece.
#[derive(Debug)]
pub struct Whole {
    /// The data, in order.
    pub blocks: Vec<Bytes>,
    /// Who sent each.
    pub senders: Vec<Endpoint>,
    /// Others that were asked for the last block.
    pub others: Askers,
}

/// Whole pieces that a peer must be asked for at once to have each for itself: a quarter of a second a
/// piece. Slower ones share, because a piece that is complete sooner can be passed on sooner.
const ALONE: usize = 4;

/// How long a piece is one peer's alone: a slow one is helped then.
const ALONE_FOR: Duration = Duration::from_secs(2);

/// What a peer has shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// No right piece of it alone yet: it begins pieces for itself, so that a wrong one has one sender.
    New,
    /// A whole right piece.
    Proved,
}

/// Who asks for how much.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// Who.
    pub peer: PeerKey,
    /// What it has.
    pub theirs: &'a Bitfield,
    /// How many blocks at most.
    pub count: usize,
    /// How many it may have under way in all: who is asked for four whole pieces at once has each for itself.
    pub depth: usize,
    /// What it has shown.
    pub standing: Standing,
}

/// Every piece's state, and what is asked of whom.
#[derive(Debug)]
pub struct Picker {
    geometry: Geometry,
    order: Order,
    pieces: Vec<Piece>,
    wanted: Bitfield,
    rarity: Rarity,
    active: BTreeMap<u32, Active>,
    /// Active pieces with a free slot.
    open: BTreeSet<u32>,
    /// Bytes of pieces active or with the storage.
    committed: u64,
    /// Pieces that were wrong before.
    suspects: BTreeSet<u32>,
    /// Suspects left alone until then.
    resting: BTreeMap<u32, Instant>,
    /// Wanted pieces that we lack.
    lacking: u32,
}

impl Picker {
    /// Nothing is there, everything is wanted.
    pub fn new(geometry: Geometry, order: Order) -> Picker {
        let count = geometry.piece_count();
        let mut rarity = Rarity::new(count);
        (0..count).for_each(|piece| rarity.insert(piece));
        Picker {
            geometry,
            order,
            pieces: vec![Piece::Missing; count as usize],
            wanted: Bitfield::full(count),
            rarity,
            active: BTreeMap::new(),
            open: BTreeSet::new(),
            committed: 0,
            suspects: BTreeSet::new(),
            resting: BTreeMap::new(),
            lacking: count,
        }
    }

    /// Where a piece is; beyond the torrent it counts as had.
    pub fn state(&self, piece: u32) -> Piece {
        self.pieces
            .get(piece as usize)
            .copied()
            .unwrap_or(Piece::Have)
    }

    /// Whether a peer with this piece interests us.
    pub fn lacks(&self, piece: u32) -> bool {
        self.state(piece) != Piece::Have && self.wanted.has(piece)
    }

    /// Wanted pieces that we lack.
    pub fn lacking(&self) -> u32 {
        self.lacking
    }

    /// The wanted pieces.
    pub fn wanted(&self) -> &Bitfield {
        &self.wanted
    }

    /// Bytes of pieces under way or with the storage.
    pub fn committed(&self) -> u64 {
        self.committed
    }

    /// Whether every wanted piece was begun: now blocks are asked of several peers.
    pub fn is_endgame(&self) -> bool {
        self.rarity.candidates() == 0 && self.resting.is_empty()
    }

    /// Who has what.
    pub fn rarity(&mut self) -> &mut Rarity {
        &mut self.rarity
    }

    /// Chooses pieces. Those under way are finished in any case.
    pub fn select(&mut self, wanted: Bitfield) {
        self.wanted = wanted;
        self.lacking = 0;
        for piece in 0..self.geometry.piece_count() {
            let wanted = self.wanted.has(piece);
            self.lacking += u32::from(wanted && self.state(piece) != Piece::Have);
            match self.state(piece) {
                Piece::Missing if wanted && !self.resting.contains_key(&piece) => {
                    self.rarity.insert(piece);
                }
                Piece::Missing => {
                    self.rarity.remove(piece);
                }
                Piece::Active | Piece::Storing | Piece::Have => {}
            }
        }
    }

    /// What the storage has already.
    pub fn found(&mut self, have: &Bitfield) {
        for piece in have.iter_set() {
            if self.state(piece) == Piece::Missing {
                self.rarity.remove(piece);
                self.lacking -= u32::from(self.wanted.has(piece));
                self.set(piece, Piece::Have);
            }
        }
    }

    /// Appends blocks to ask for, and books them as asked.
    pub fn pick(
        &mut self,
        now: Instant,
        asker: Asker<'_>,
        rng: &mut ChaCha8Rng,
        out: &mut Vec<Block>,
    ) {
        let goal = out.len() + asker.count;
        let (ours, others) = self.open_to(now, asker);
        for piece in ours {
            if out.len() >= goal {
                return;
            }
            self.take(now, piece, asker.peer, goal, out);
        }
        while out.len() < goal {
            let Some(piece) = self.next(asker.theirs, rng) else {
                break;
            };
            if !self.has_room() && !self.evict(now, asker.theirs) {
                break;
            }
            self.begin(now, piece, asker);
            self.take(now, piece, asker.peer, goal, out);
        }
        for piece in others {
            if out.len() >= goal {
                return;
            }
            self.take(now, piece, asker.peer, goal, out);
        }
    }

    /// Like [`Picker::pick`], among these pieces only: what a choking peer allows (BEP 6).
    pub fn pick_among(
        &mut self,
        now: Instant,
        asker: Asker<'_>,
        pieces: &[u32],
        out: &mut Vec<Block>,
    ) {
        let goal = out.len() + asker.count;
        for piece in pieces
            .iter()
            .copied()
            .filter(|piece| asker.theirs.has(*piece))
        {
            if self.state(piece) == Piece::Missing && self.has_room() && self.rarity.remove(piece) {
                self.rarity.insert(piece);
                self.begin(now, piece, asker);
            }
            if out.len() < goal {
                self.take(now, piece, asker.peer, goal, out);
            }
        }
    }

    /// In the endgame: blocks that others were asked for and have not sent.
    pub fn pick_again(&mut self, asker: Asker<'_>, out: &mut Vec<Block>) {
        if !self.is_endgame() {
            return;
        }
        let goal = out.len() + asker.count;
        let theirs = self.active.iter_mut();
        let mut theirs: Vec<_> = theirs.filter(|(p, _)| asker.theirs.has(**p)).collect();
        // What was asked last comes last: there is time to cancel it elsewhere.
        theirs.sort_by_key(|(_, active)| active.here);
        // Blocks asked of one peer before those asked of two: whoever is free helps somebody else,
        // and few blocks come twice.
        for crowd in 1..ASKERS {
            for (piece, active) in &mut theirs {
                let again = active.ask_again(asker.peer, crowd, goal - out.len());
                out.extend(again.map(|n| self.geometry.block(**piece, n)));
            }
        }
    }

    /// A block arrived.
    pub fn received(
        &mut self,
        now: Instant,
        peer: PeerKey,
        from: Endpoint,
        block: Block,
        data: Bytes,
    ) -> Received {
        let Some(n) = self.geometry.index_of(block) else {
            return Received::Unrequested;
        };
        let Some(active) = self.active.get_mut(&block.piece) else {
            return Received::Duplicate;
        };
        let Some(slot) = active.slots.get_mut(n as usize) else {
            return Received::Unrequested;
        };
        let mut others = Askers::default();
        match slot {
            Slot::Here(..) => return Received::Duplicate,
            Slot::Free => active.free -= 1,
            Slot::Asked(askers) => {
                others = *askers;
                others.remove(peer);
            }
        }
        *slot = Slot::Here(from, data);
        active.here += 1;
        active.touched = now;
        if active.free == 0 {
            self.open.remove(&block.piece);
        }
        if active.here < active.slots.len() {
            return Received::Wanted(others);
        }
        let slots = self
            .active
            .remove(&block.piece)
            .map(|active| active.slots)
            .unwrap_or_default();
        self.set(block.piece, Piece::Storing);
        let parts = slots.into_iter().filter_map(|slot| match slot {
            Slot::Here(from, data) => Some((data, from)),
            Slot::Free | Slot::Asked(_) => None,
        });
        let (blocks, senders) = parts.unzip();
        Received::CompletesPiece(Whole {
            blocks,
            senders,
            others,
        })
    }

    /// A request will not be answered.
    pub fn released(&mut self, peer: PeerKey, block: Block) {
        let Some(n) = self.geometry.index_of(block) else {
            return;
        };
        let Some(active) = self.active.get_mut(&block.piece) else {
            return;
        };
        if let Some(slot) = active.slots.get_mut(n as usize)
            && let Slot::Asked(askers) = slot
        {
            askers.remove(peer);
            if askers.is_empty() {
                *slot = Slot::Free;
                active.free += 1;
                active.cursor = active.cursor.min(n as usize);
                // Whoever finishes what the chosen one did not is welcome.
                active.only = active.only.filter(|only| *only != peer);
                active.owner = active.owner.filter(|(owner, _)| *owner != peer);
                self.open.insert(block.piece);
            }
        }
        if active.free == active.slots.len() {
            self.abandon(block.piece);
        }
    }

    /// The storage has it.
    pub fn stored(&mut self, piece: u32) {
        if self.state(piece) == Piece::Storing {
            self.committed -= u64::from(self.geometry.piece_size(piece));
            self.lacking -= u32::from(self.wanted.has(piece));
            self.suspects.remove(&piece);
            self.set(piece, Piece::Have);
        }
    }

    /// Its hash is wrong: it is fetched again from one peer, after `rest` if there is one.
    pub fn wrong(&mut self, piece: u32, rest: Option<Instant>) {
        if self.state(piece) == Piece::Storing {
            self.committed -= u64::from(self.geometry.piece_size(piece));
            self.suspects.insert(piece);
            if let Some(until) = rest {
                self.resting.insert(piece, until);
            }
            self.miss(piece);
        }
    }

    /// The storage lost it.
    pub fn lost(&mut self, piece: u32) {
        if self.state(piece) == Piece::Have {
            self.lacking += u32::from(self.wanted.has(piece));
            self.miss(piece);
        }
    }

    /// Ends the rest of pieces whose time has come.
    pub fn wake(&mut self, now: Instant) {
        let due: Vec<u32> = self
            .resting
            .iter()
            .filter(|(_, until)| **until <= now)
            .map(|(p, _)| *p)
            .collect();
        for piece in due {
            self.resting.remove(&piece);
            if self.state(piece) == Piece::Missing {
                self.miss(piece);
            }
        }
    }

    fn miss(&mut self, piece: u32) {
        self.set(piece, Piece::Missing);
        if self.wanted.has(piece) && !self.resting.contains_key(&piece) {
            self.rarity.insert(piece);
        }
    }

    fn set(&mut self, piece: u32, state: Piece) {
        if let Some(place) = self.pieces.get_mut(piece as usize) {
            *place = state;
        }
    }

    fn next(&self, theirs: &Bitfield, rng: &mut ChaCha8Rng) -> Option<u32> {
        match self.order {
            Order::Rarest => self.rarity.rarest(theirs, rng),
            Order::Sequential => self.rarity.first(theirs),
        }
    }

    fn begin(&mut self, now: Instant, piece: u32, asker: Asker<'_>) {
        let blocks = self.geometry.blocks_in(piece) as usize;
        let slots = std::iter::repeat_with(|| Slot::Free).take(blocks).collect();
        let only = self.suspects.contains(&piece).then_some(asker.peer);
        let is_new = asker.standing == Standing::New;
        let alone = is_new || asker.depth >= ALONE * blocks || self.is_wary();
        let owner = alone.then_some((asker.peer, now + ALONE_FOR));
        let active = Active {
            slots,
            free: blocks,
            here: 0,
            cursor: 0,
            only,
            owner,
            touched: now,
        };
        self.rarity.remove(piece);
        self.set(piece, Piece::Active);
        self.active.insert(piece, active);
        self.open.insert(piece);
        self.committed += u64::from(self.geometry.piece_size(piece));
    }

    /// Takes free blocks of an active piece.
    fn take(&mut self, now: Instant, piece: u32, peer: PeerKey, goal: usize, out: &mut Vec<Block>) {
        let Some(active) = self.active.get_mut(&piece) else {
            return;
        };
        if active.only.is_some_and(|only| only != peer) {
            return;
        }
        while active.free > 0 && out.len() < goal {
            let Some(slot) = active.slots.get_mut(active.cursor) else {
                break;
            };
            if matches!(slot, Slot::Free) {
                let mut askers = Askers::default();
                askers.add(peer);
                *slot = Slot::Asked(askers);
                active.free -= 1;
                active.touched = now;
                out.push(self.geometry.block(piece, active.cursor as u32));
            }
            active.cursor += 1;
        }
        if active.free == 0 {
            self.open.remove(&piece);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests;
