//! Missing pieces by how many connected peers have them: what "rarest first" (BEP 3) asks for,
//! in constant time per change.
//!
//! Invariant: a piece stands in exactly the bucket of its availability while it is a candidate, and
//! in none otherwise. Peers that have everything are counted once, not piece by piece. Knows no
//! blocks and no peers.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::bitfield::Bitfield;

/// Candidates looked at one by one before the peer's own bitfield is walked instead; it bounds a
/// pick for a peer that has little of what is missing.
const PROBES: usize = 256;

/// No place: not a candidate.
const NOWHERE: u32 = u32::MAX;

/// Availability and the candidates ordered by it.
#[derive(Debug)]
pub struct Rarity {
    /// Peers that have a piece, those with everything not counted.
    available: Vec<u16>,
    /// Peers that have everything.
    everywhere: u32,
    /// Candidates by `available`.
    buckets: Vec<Vec<u32>>,
    /// Where in its bucket a candidate stands, or [`NOWHERE`].
    place: Vec<u32>,
    candidates: u32,
}

impl Rarity {
    /// Of so many pieces, none of them a candidate.
    pub fn new(pieces: u32) -> Rarity {
        Rarity {
            available: vec![0; pieces as usize],
            everywhere: 0,
            buckets: Vec::new(),
            place: vec![NOWHERE; pieces as usize],
            candidates: 0,
        }
    }

    /// How many peers have a piece.
    pub fn available(&self, piece: u32) -> u32 {
        let some = self.available.get(piece as usize).copied().unwrap_or(0);
        self.everywhere + u32::from(some)
    }

    /// Candidates.
    pub fn candidates(&self) -> u32 {
        self.candidates
    }

    /// A peer with everything came.
    pub fn everything_came(&mut self) {
        self.everywhere += 1;
    }

    /// A peer with everything left.
    pub fn everything_left(&mut self) {
        self.everywhere = self.everywhere.saturating_sub(1);
    }

    /// A peer has the piece.
    pub fn came(&mut self, piece: u32) {
        self.change(piece, |count| count.saturating_add(1));
    }

    /// A peer that had the piece is gone.
    pub fn left(&mut self, piece: u32) {
        self.change(piece, |count| count.saturating_sub(1));
    }

    /// Makes the piece a candidate.
    pub fn insert(&mut self, piece: u32) {
        let (Some(count), Some(place)) = (
            self.available.get(piece as usize),
            self.place.get_mut(piece as usize),
        ) else {
            return;
        };
        if *place != NOWHERE {
            return;
        }
        let bucket = usize::from(*count);
        if self.buckets.len() <= bucket {
            self.buckets.resize_with(bucket + 1, Vec::new);
        }
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            *place = bucket.len() as u32;
            bucket.push(piece);
            self.candidates += 1;
        }
    }

    /// Makes it none. `true` if it was one.
    pub fn remove(&mut self, piece: u32) -> bool {
        let Some(place) = self.place.get_mut(piece as usize) else {
            return false;
        };
        let from = std::mem::replace(place, NOWHERE);
        if from == NOWHERE {
            return false;
        }
        let count = self.available.get(piece as usize).copied().unwrap_or(0);
        if let Some(bucket) = self.buckets.get_mut(usize::from(count)) {
            bucket.swap_remove(from as usize);
            if let Some(moved) = bucket.get(from as usize)
                && let Some(place) = self.place.get_mut(*moved as usize)
            {
                *place = from;
            }
        }
        self.candidates -= 1;
        true
    }

    /// A candidate that the peer has, as rare as possible; among equals any, so that many
    /// downloaders do not fetch the same piece. It stays a candidate.
    pub fn rarest(&self, theirs: &Bitfield, rng: &mut ChaCha8Rng) -> Option<u32> {
        let mut probes = PROBES;
        for bucket in self.buckets.iter().filter(|bucket| !bucket.is_empty()) {
            let start = rng.random_range(0..bucket.len());
            let (behind, ahead) = bucket.split_at(start);
            for piece in ahead.iter().chain(behind) {
                if theirs.has(*piece) {
                    return Some(*piece);
                }
                probes -= 1;
                if probes == 0 {
                    return self.walk(theirs);
                }
            }
        }
        None
    }

    /// The candidate with the lowest index that the peer has.
    pub fn first(&self, theirs: &Bitfield) -> Option<u32> {
        theirs.iter_set().find(|piece| self.is_candidate(*piece))
    }

    /// The rarest of the first candidates that the peer has.
    fn walk(&self, theirs: &Bitfield) -> Option<u32> {
        let found = theirs
            .iter_set()
            .filter(|piece| self.is_candidate(*piece))
            .take(PROBES);
        found.min_by_key(|piece| self.available(*piece))
    }

    fn is_candidate(&self, piece: u32) -> bool {
        self.place
            .get(piece as usize)
            .is_some_and(|place| *place != NOWHERE)
    }

    fn change(&mut self, piece: u32, by: impl Fn(u16) -> u16) {
        let was_candidate = self.remove(piece);
        if let Some(count) = self.available.get_mut(piece as usize) {
            *count = by(*count);
        }
        if was_candidate {
            self.insert(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;

    use super::*;

    proptest! {
        #[test]
        fn picks_what_counting_finds_rarest(
            peers in prop::collection::vec(prop::collection::vec(any::<bool>(), 24), 1..8),
            gone in prop::collection::vec(any::<bool>(), 24), leaver in 0usize..8, seed: [u8; 32],
        ) {
            let (mut rarity, mut rng) = (Rarity::new(24), ChaCha8Rng::from_seed(seed));
            (0..24).for_each(|piece| rarity.insert(piece));
            let mut model = [0u32; 24];
            let has = |peer: &Vec<bool>| (0..24u32).filter(|n| peer[*n as usize]).collect::<Vec<_>>();
            for peer in &peers {
                has(peer).into_iter().for_each(|n| { rarity.came(n); model[n as usize] += 1; });
            }
            if let Some(peer) = peers.get(leaver) {
                has(peer).into_iter().for_each(|n| { rarity.left(n); model[n as usize] -= 1; });
            }
            rarity.everything_came();
            for (piece, gone) in (0u32..).zip(&gone) {
                if *gone { prop_assert!(rarity.remove(piece) && !rarity.remove(piece)); }
            }
            for peer in &peers {
                let mut theirs = Bitfield::new(24);
                has(peer).into_iter().for_each(|n| { theirs.set(n); });
                let open = |n: &u32| !gone[*n as usize] && theirs.has(*n);
                let least = (0..24).filter(open).map(|n| model[n as usize]).min();
                let picked = rarity.rarest(&theirs, &mut rng);
                prop_assert_eq!(picked.map(|n| model[n as usize]), least);
                prop_assert!(picked.is_none_or(|n| open(&n)));
                prop_assert_eq!(rarity.first(&theirs), (0..24).find(open));
            }
            (0..24).for_each(|n| assert_eq!(rarity.available(n), model[n as usize] + 1));
        }
    }

    #[test]
    fn a_peer_with_one_of_many_pieces_is_answered() {
        let (mut rarity, mut rng) = (Rarity::new(100_000), ChaCha8Rng::from_seed([0; 32]));
        (0..100_000).for_each(|piece| rarity.insert(piece));
        let mut theirs = Bitfield::new(100_000);
        theirs.set(77_777);
        assert_eq!(rarity.rarest(&theirs, &mut rng), Some(77_777));
        assert!(rarity.remove(77_777));
        assert_eq!(rarity.rarest(&theirs, &mut rng), None);
        assert_eq!(rarity.candidates(), 99_999);
    }
}
