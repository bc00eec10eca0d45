//! Which pieces under way are open to whom, whether one more may begin, and what is given up.
//!
//! Invariant: whoever is new or fetches whole pieces at once shares none for two seconds while others can begin, and
//! after a wrong piece nobody does, so that the next has one sender, who is proved a liar by it (reliability.md P3); and
//! of a liar nothing is kept.

use std::time::Instant;

use bencode::Endpoint;

use super::active::Slot;
use super::{Asker, BUDGET, Picker, STALE};
use crate::swarm::bitfield::Bitfield;

impl Picker {
    /// The open pieces that the asker may go on with before it begins another, and those that it joins only if it
    /// cannot begin one: somebody else is fetching them alone.
    pub(super) fn open_to(&self, now: Instant, asker: Asker<'_>) -> (Vec<u32>, Vec<u32>) {
        let theirs = self.open.iter().copied();
        let theirs = theirs.filter(|piece| asker.theirs.has(*piece));
        theirs.partition(
            |piece| match self.active.get(piece).and_then(|active| active.owner) {
                Some((owner, _)) if owner == asker.peer => true,
                Some((_, until)) if now < until => false,
                Some(_) | None => !self.is_wary(),
            },
        )
    }

    /// Whether a piece was wrong and nobody is proved a liar by it yet: until then everybody fetches alone.
    pub(super) fn is_wary(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Forgets what came from `liar` of pieces under way; returns how many bytes that was.
    pub fn distrust(&mut self, liar: Endpoint) -> u64 {
        let (mut bytes, mut empty) = (0, Vec::new());
        for (piece, active) in &mut self.active {
            for (n, slot) in active.slots.iter_mut().enumerate() {
                if let Slot::Here(from, data) = slot
                    && *from == liar
                {
                    bytes += data.len() as u64;
                    *slot = Slot::Free;
                    active.here -= 1;
                    active.free += 1;
                    active.cursor = active.cursor.min(n);
                    self.open.insert(*piece);
                }
            }
            if active.free == active.slots.len() {
                empty.push(*piece);
            }
        }
        empty.into_iter().for_each(|piece| self.abandon(piece));
        bytes
    }

    pub(super) fn has_room(&self) -> bool {
        self.committed < BUDGET
    }

    /// Gives up a piece under way that is stuck, so that another may begin: its remaining blocks
    /// are asked of nobody, and nobody has it or it is stale. What was received of it is lost.
    pub(super) fn evict(&mut self, now: Instant, theirs: &Bitfield) -> bool {
        let stuck = self.open.iter().copied().find(|piece| {
            self.active.get(piece).is_some_and(|active| {
                let idle = active.free + active.here == active.slots.len();
                let stale = now.saturating_duration_since(active.touched) >= STALE;
                idle && !theirs.has(*piece) && (stale || self.rarity.available(*piece) == 0)
            })
        });
        stuck.map(|piece| self.abandon(piece)).is_some()
    }

    pub(super) fn abandon(&mut self, piece: u32) {
        if self.active.remove(&piece).is_some() {
            self.open.remove(&piece);
            self.committed -= u64::from(self.geometry.piece_size(piece));
            self.miss(piece);
        }
    }
}
