//! Which torrents people have, and how many of them.
//!
//! Torrents are numbers from the most popular, 0; the torrent of rank r is drawn in proportion to
//! 1 / (r + 1)^exponent, by bisection in a table of cumulated weights (8 bytes a torrent). Draws are
//! independent: that one host does not take a torrent twice is the caller's care. Knows no hosts.

use rand::Rng;

use crate::random;

/// How popular each of a number of torrents is (Zipf; exponent 1 in dht.md §5.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Popularity {
    /// The weights of all torrents up to this one.
    cumulated: Vec<f64>,
}

impl Popularity {
    /// `torrents` torrents, at least one; an `exponent` of 0 makes all alike.
    #[must_use]
    pub fn new(torrents: usize, exponent: f64) -> Popularity {
        let mut sum = 0.0;
        let weigh = |rank: usize| {
            sum += libm::pow(rank as f64, -exponent);
            sum
        };
        let cumulated = (1..=torrents.max(1)).map(weigh).collect();
        Popularity { cumulated }
    }

    /// One torrent, less than the number of torrents; one number is drawn.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        let last = self.cumulated.len() - 1;
        let target = random::unit(rng) * self.cumulated[last];
        // Rounding may carry the target up to the whole sum.
        self.cumulated
            .partition_point(|&sum| sum <= target)
            .min(last)
    }
}

/// How many torrents a node has: log-normal (dht.md §5.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shelf {
    /// Half of the nodes have at most so many.
    pub median: f64,
    /// Deviation of the logarithm.
    pub sigma: f64,
    /// Nobody has more.
    pub most: usize,
}

impl Default for Shelf {
    /// Median 3, and 60 at 95 %: sigma is ln(60 / 3) / 1.645. At most 10,000.
    fn default() -> Shelf {
        Shelf {
            median: 3.0,
            sigma: 1.8213,
            most: 10_000,
        }
    }
}

impl Shelf {
    /// The torrents of one node, to the nearest whole number: 0 to `most`.
    pub fn size(&self, rng: &mut impl Rng) -> usize {
        let size = self.median * libm::exp(self.sigma * random::normal(rng));
        (libm::round(size) as usize).min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn torrents_are_drawn_by_their_rank() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let popularity = Popularity::new(1_000, 1.0);
        let mut drawn = vec![0_u32; 1_000];
        for _ in 0..200_000 {
            drawn[popularity.draw(&mut rng)] += 1;
        }
        let harmonic: f64 = (1..=1_000).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [1_u32, 2, 5, 10] {
            let expected = 200_000.0 / harmonic / f64::from(rank);
            let share = f64::from(drawn[rank as usize - 1]) / expected;
            assert!((share - 1.0).abs() < 0.05, "rank {rank}: {share}");
        }
        let tail: u32 = drawn[500..].iter().sum();
        let expected =
            200_000.0 * (1.0 - (1..=500).map(|r| 1.0 / f64::from(r)).sum::<f64>() / harmonic);
        assert!(
            (f64::from(tail) / expected - 1.0).abs() < 0.05,
            "{tail}: not {expected}"
        );
    }

    #[test]
    fn one_torrent_and_equal_torrents() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        assert_eq!(Popularity::new(0, 1.0).draw(&mut rng), 0);
        let equal = Popularity::new(4, 0.0);
        let last = (0..10_000).filter(|_| equal.draw(&mut rng) == 3).count();
        assert!((2_350..2_650).contains(&last), "{last}");
    }

    #[test]
    fn shelves_have_their_median_and_their_tail() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut sizes: Vec<usize> = (0..20_001)
            .map(|_| Shelf::default().size(&mut rng))
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes[10_000], 3);
        assert!((56..=64).contains(&sizes[19_000]), "{}", sizes[19_000]);
        assert!(sizes[20_000] <= 10_000);
    }
}
