//! Distance: how long a datagram takes from one host to another (dht.md §5.2).
//!
//! Hosts live in six regions. A pair's round trip is the regions' base, times a factor of the pair's
//! own, plus both access delays; each way adds jitter, and now and then a queue that somebody's
//! upload has filled. Delay without jitter is symmetric and the same for a pair at all times.
//! Calibration gate C1 is a test here.

use std::time::Duration;

use rand::Rng;

use crate::random;

/// How many regions there are.
pub const REGIONS: usize = 6;

/// Part of the world, by index: Europe, North America, South America, East Asia, South Asia, others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Region(pub u8);

impl Region {
    /// Where the reference client lives.
    pub const EUROPE: Region = Region(0);
}

/// Where a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its region.
    pub region: Region,
    /// Its access line's part of a round trip, in microseconds.
    pub access: u32,
}

/// The parameters of distance.
#[derive(Clone, Debug, PartialEq)]
pub struct Geography {
    /// Share of hosts by region; together 1.
    pub shares: [f64; REGIONS],
    /// Round trip between two regions, in milliseconds, before the pair's factor.
    pub base: [[u16; REGIONS]; REGIONS],
    /// Least and greatest factor of a pair.
    pub factor: (f64, f64),
    /// Median and sigma of an access line's delay (log-normal).
    pub access: (Duration, f64),
    /// Mean jitter of a round trip (exponential).
    pub jitter: Duration,
    /// How often a round trip meets a full queue, what it adds at least, and on average beyond.
    pub queue: (f64, Duration, Duration),
}

impl Default for Geography {
    /// Values within those of dht.md §5.2, chosen so that its quantiles come out.
    fn default() -> Geography {
        Geography {
            shares: [0.40, 0.18, 0.10, 0.17, 0.11, 0.04],
            base: [
                [30, 95, 180, 205, 150, 150],
                [95, 35, 140, 150, 210, 180],
                [180, 140, 40, 280, 310, 260],
                [205, 150, 280, 40, 110, 180],
                [150, 210, 310, 110, 50, 190],
                [150, 180, 260, 180, 190, 80],
            ],
            factor: (0.75, 1.35),
            access: (Duration::from_millis(10), 0.8),
            jitter: Duration::from_millis(6),
            queue: (0.04, Duration::from_millis(100), Duration::from_millis(500)),
        }
    }
}

impl Geography {
    /// One place: every pair's round trip is drawn evenly from `least` to `most` milliseconds, without
    /// jitter. For questions about the protocol alone.
    #[must_use]
    pub fn uniform(least: u16, most: u16) -> Geography {
        let middle = (f64::from(least) + f64::from(most)) / 2.0;
        Geography {
            shares: [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            base: [[u16::midpoint(least, most); REGIONS]; REGIONS],
            factor: (f64::from(least) / middle, f64::from(most) / middle),
            access: (Duration::ZERO, 0.0),
            jitter: Duration::ZERO,
            queue: (0.0, Duration::ZERO, Duration::ZERO),
        }
    }

    /// A region by its share.
    pub fn region(&self, rng: &mut impl Rng) -> Region {
        let mut chance = random::unit(rng);
        for (number, share) in (0..).zip(self.shares) {
            chance -= share;
            if chance < 0.0 {
                return Region(number);
            }
        }
        Region::EUROPE
    }

    /// A place in a region, with an access line of its own.
    pub fn site_in(&self, region: Region, rng: &mut impl Rng) -> Site {
        let (median, sigma) = self.access;
        let access = random::lognormal(median, sigma, rng).min(Duration::from_secs(2));
        Site {
            region,
            access: u32::try_from(access.as_micros()).unwrap_or(u32::MAX),
        }
    }

    /// From one host, by number, to another, without jitter.
    #[must_use]
    pub fn one_way(&self, a: (u32, Site), b: (u32, Site)) -> Duration {
        let [from, to] = [a, b].map(|(_, site)| usize::from(site.region.0) % REGIONS);
        let (least, most) = self.factor;
        let factor = least + (most - least) * pair(a.0, b.0);
        let base = f64::from(self.base[from][to]) * 1e3 * factor;
        let access = u64::from(a.1.access) + u64::from(b.1.access);
        Duration::from_micros((base as u64 + access) / 2)
    }

    /// What one datagram takes beyond that: half a round trip's jitter, and a full queue half as often.
    pub fn jitter(&self, rng: &mut impl Rng) -> Duration {
        let jitter = random::exponential(self.jitter / 2, rng);
        let (share, least, beyond) = self.queue;
        let queue = least + random::exponential(beyond, rng);
        if random::happens(share / 2.0, rng) {
            jitter + queue
        } else {
            jitter
        }
    }

    /// The round trip of a random pair of hosts.
    pub fn round_trip(&self, rng: &mut impl Rng) -> Duration {
        let [a, b] = [0, 1].map(|_| {
            let region = self.region(rng);
            (rng.next_u32(), self.site_in(region, rng))
        });
        self.one_way(a, b) + self.jitter(rng) + self.one_way(b, a) + self.jitter(rng)
    }
}

/// A number in [0, 1) that belongs to two hosts, in either order.
fn pair(a: u32, b: u32) -> f64 {
    let both = u64::from(a.min(b)) << 32 | u64::from(a.max(b));
    // The finaliser of splitmix64: every bit of the pair moves every bit of the number.
    let mixed = (both ^ (both >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn quantiles(geography: &Geography) -> [f64; 4] {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut trips: Vec<f64> = (0..40_000)
            .map(|_| geography.round_trip(&mut rng).as_secs_f64() * 1e3)
            .collect();
        trips.sort_by(f64::total_cmp);
        let mean = trips.iter().sum::<f64>() / 40_000.0;
        [trips[4_000], trips[20_000], mean, trips[36_000]]
    }

    #[test]
    fn gate_c1_round_trips_are_those_of_the_reference() {
        let found = quantiles(&Geography::default());
        for (found, expected) in found.into_iter().zip([58.0, 180.0, 184.0, 310.0]) {
            assert!(
                (found / expected - 1.0).abs() < 0.10,
                "{found} for {expected}"
            );
        }
    }

    #[test]
    fn shares_are_kept() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let geography = Geography::default();
        let mut counts = [0.0; REGIONS];
        for _ in 0..20_000 {
            counts[usize::from(geography.region(&mut rng).0)] += 1.0 / 20_000.0;
        }
        for (count, share) in counts.into_iter().zip(geography.shares) {
            assert!((count - share).abs() < 0.01, "{counts:?}");
        }
    }

    #[test]
    fn a_pair_has_one_delay_both_ways() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let geography = Geography::default();
        for number in 0..1_000 {
            let a = (number, geography.site_in(Region(0), &mut rng));
            let b = (number * 7 + 1, geography.site_in(Region(3), &mut rng));
            assert_eq!(geography.one_way(a, b), geography.one_way(b, a));
        }
    }

    #[test]
    fn a_uniform_world_keeps_its_bounds() {
        let [tenth, half, mean, nine] = quantiles(&Geography::uniform(10, 200));
        assert!((tenth - 29.0).abs() < 2.0 && (nine - 181.0).abs() < 2.0);
        assert!((half - 105.0).abs() < 2.0 && (mean - 105.0).abs() < 2.0);
    }
}
