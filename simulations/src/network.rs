//! The wire: how long a datagram takes from one node to another, and whether it gets there.
//!
//! Every node has a place on a line of delays; a pair's delay is a base plus their distance, the
//! same both ways, plus jitter. Loss is independent. Knows no nodes and no times.

use std::time::Duration;

use rand::{Rng, RngExt};

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Shortest one-way delay.
    pub nearest: Duration,
    /// Longest one-way delay, before jitter.
    pub farthest: Duration,
    /// Longest random addition to each datagram's delay.
    pub jitter: Duration,
    /// Of a thousand datagrams, so many are lost.
    pub loss_per_mille: u32,
}

impl Default for Network {
    /// 5 to 100 ms one way (round trips of 10 to 200 ms), 5 ms of jitter, 1 % lost.
    fn default() -> Self {
        Network {
            nearest: Duration::from_millis(5),
            farthest: Duration::from_millis(100),
            jitter: Duration::from_millis(5),
            loss_per_mille: 10,
        }
    }
}

impl Network {
    /// The delay of one datagram between nodes `a` and `b`; `None` if it is lost.
    pub fn carry(&self, a: usize, b: usize, rng: &mut impl Rng) -> Option<Duration> {
        // Both numbers are drawn always, so that a change of the loss leaves the delays as they are.
        let jitter = self.jitter.mul_f64(rng.random_range(0.0..1.0));
        let lost = rng.random_range(0..1000) < self.loss_per_mille;
        let span = self.farthest.saturating_sub(self.nearest);
        let apart = (place(a) - place(b)).abs();
        (!lost).then(|| self.nearest + span.mul_f64(apart) + jitter)
    }
}

/// Where on the line node `n` sits: 0 to 1, well spread (the golden ratio's multiples).
fn place(n: usize) -> f64 {
    (n as f64 * 0.618_033_988_749_894_9).fract()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn delays_lie_within_their_bounds_and_are_symmetric() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let still = Network {
            jitter: Duration::ZERO,
            loss_per_mille: 0,
            ..Network::default()
        };
        for n in 0..1000 {
            let there = still.carry(n, n * 7 + 1, &mut rng).expect("no loss");
            assert_eq!(still.carry(n * 7 + 1, n, &mut rng), Some(there));
            assert!((still.nearest..=still.farthest).contains(&there));
        }
    }

    #[test]
    fn loss_is_what_it_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let lossy = Network {
            loss_per_mille: 100,
            ..Network::default()
        };
        let lost = (0..10_000)
            .filter(|n| lossy.carry(*n, 3, &mut rng).is_none())
            .count();
        assert!((900..1100).contains(&lost), "{lost}");
    }
}
