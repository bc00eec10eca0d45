//! The order in which a torrent's trackers are asked (BEP 12).
//!
//! Each tier is shuffled once; a tracker that worked moves to the front of its tier. Invariant: every
//! tracker stands in exactly one tier, whatever is promoted. The file knows no time and no failures.

use std::ops::Range;

use rand::Rng;
use rand::seq::SliceRandom;

/// Most trackers of one torrent; a torrent file's limit too.
pub const MAX_TRACKERS: usize = 64;

/// Indices of trackers, tier by tier. An index is the place of a tracker in the list it came with.
#[derive(Clone, Debug)]
pub struct Tiers {
    /// All tiers in a row.
    order: Vec<usize>,
    /// Where each tier stands in `order`; none is empty.
    tiers: Vec<Range<usize>>,
}

impl Tiers {
    /// Tiers of the given sizes over the indices 0, 1, 2…, each shuffled.
    pub fn new(sizes: impl IntoIterator<Item = usize>, rng: &mut impl Rng) -> Tiers {
        let (mut order, mut tiers) = (Vec::new(), Vec::new());
        for size in sizes.into_iter().filter(|size| *size > 0) {
            let start = order.len();
            order.extend(start..start + size);
            if let Some(tier) = order.get_mut(start..) {
                tier.shuffle(rng);
            }
            tiers.push(start..order.len());
        }
        Tiers { order, tiers }
    }

    /// How many tiers there are.
    pub fn count(&self) -> usize {
        self.tiers.len()
    }

    /// The tier that a tracker is in; 0 for an index that is none.
    pub fn of(&self, tracker: usize) -> usize {
        // Promotion never leaves the tier, so indices and places share their ranges.
        self.tiers
            .iter()
            .position(|tier| tier.contains(&tracker))
            .unwrap_or(0)
    }

    /// The trackers of some tiers in the order in which to ask them.
    pub fn order(&self, tiers: Range<usize>) -> Vec<usize> {
        let tiers = self.tiers.get(tiers).unwrap_or_default();
        tiers
            .iter()
            .flat_map(|tier| self.order.get(tier.clone()).unwrap_or_default())
            .copied()
            .collect()
    }

    /// It worked: to the front of its tier.
    pub fn promote(&mut self, tracker: usize) {
        let Some(tier) = self.tiers.get(self.of(tracker)).cloned() else {
            return;
        };
        let Some(tier) = self.order.get_mut(tier) else {
            return;
        };
        if let Some(place) = tier.iter().position(|other| *other == tracker)
            && let Some(front) = tier.get_mut(..=place)
        {
            front.rotate_right(1);
        }
    }
}
