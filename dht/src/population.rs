//! How many nodes the network has, estimated from how near the nearest are (dht.md §3.2).
//!
//! Ids are uniform, so with N nodes the distance to the k-th closest of any target is k / (N + 1) of
//! the key space on average. Each lookup that ended well is one observation. Invariant: the median of
//! the newest `SAMPLES` decides. `Threat:` one neighbourhood full of Sybils is one sample of many.
//! Knows no nodes.

use std::collections::VecDeque;

use crate::id::Distance;
use crate::lookup::K;

/// Lookups remembered.
pub const SAMPLES: usize = 32;
/// So many make the estimate good enough to accuse a neighbourhood of being too crowded, and to
/// store before the end of a lookup.
pub const ENOUGH: usize = 6;

/// About how many nodes take part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SizeEstimate {
    /// The best guess.
    pub nodes: f64,
    /// With 95 % probability not below this, if ids are uniform.
    pub low: f64,
    /// Nor above this.
    pub high: f64,
}

/// The observations.
#[derive(Clone, Debug, Default)]
pub struct Population {
    /// Distances to the `K`-th closest node as a part of the key space, oldest first.
    nearest: VecDeque<f32>,
}

impl Population {
    /// A lookup ended with its `K`-th closest node at `distance`.
    pub fn observed(&mut self, distance: Distance) {
        if self.nearest.len() >= SAMPLES {
            self.nearest.pop_front();
        }
        self.nearest.push_back(distance.fraction() as f32);
    }

    /// The distance at which the `K`-th closest node of any target is expected, as a part of the key
    /// space. `None` until something was observed.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        let mut sorted: Vec<f32> = self.nearest.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        let middle = sorted.get(sorted.len() / 2)?;
        // The median of a sum of K exponential steps is below its mean by a third of a step.
        let mean = f64::from(*middle) * K as f64 / (K as f64 - 1.0 / 3.0);
        Some(mean.max(f64::MIN_POSITIVE))
    }

    /// The same, once `ENOUGH` lookups agree on it.
    #[must_use]
    pub fn usual(&self) -> Option<f64> {
        self.expected().filter(|_| self.nearest.len() >= ENOUGH)
    }

    /// How many nodes that means.
    #[must_use]
    pub fn estimate(&self) -> Option<SizeEstimate> {
        let nodes = K as f64 / self.expected()?;
        // A sum of K exponential steps scatters by 1/sqrt(K); a median by a quarter more than a mean.
        let scatter = 1.25 / (K as f64 * self.nearest.len() as f64).sqrt();
        Some(SizeEstimate {
            nodes,
            low: nodes * (1.0 - 1.96 * scatter).max(0.1),
            high: nodes * (1.0 + 1.96 * scatter),
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::id::Id;

    fn watch(nodes: usize, lookups: usize, seed: u64) -> Population {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let all: Vec<Id> = (0..nodes).map(|_| Id::random(&mut rng)).collect();
        let mut population = Population::default();
        for _ in 0..lookups {
            let target = Id::random(&mut rng);
            let mut distances: Vec<_> = all.iter().map(|id| id.distance(&target)).collect();
            distances.sort();
            population.observed(distances[K - 1]);
        }
        population
    }

    #[test]
    fn thousands_are_counted_to_a_fifth() {
        for (nodes, seed) in [(500, 1), (5_000, 2), (20_000, 3)] {
            let estimate = watch(nodes, SAMPLES, seed).estimate().unwrap();
            let ratio = estimate.nodes / nodes as f64;
            assert!((0.8..1.25).contains(&ratio), "{nodes}: {estimate:?}");
            assert!(estimate.low <= nodes as f64 && nodes as f64 <= estimate.high);
        }
    }

    #[test]
    fn nothing_observed_is_nothing_known() {
        assert_eq!(Population::default().estimate(), None);
    }

    #[test]
    fn a_few_crowded_neighbourhoods_change_little() {
        let mut population = watch(5_000, SAMPLES, 4);
        let before = population.estimate().unwrap().nodes;
        for _ in 0..8 {
            population.observed(Id::new([0; 20]).distance(&Id::new([0; 20])));
        }
        let after = population.estimate().unwrap().nodes;
        assert!(after < before * 1.5, "{before} {after}");
        assert!(population.nearest.len() <= SAMPLES);
    }
}
