//! How patient to be: what round trips take, learned from every answer (dht.md §3.2).
//!
//! Three memories, from rough to fine: a sketch of all round trips, a smoothed value for each
//! network prefix, and what the owner knows of a single node. Invariants: whatever was measured, a
//! question is called slow after `QUICKEST` to `SLOWEST` and failed after `HOLD_ON` to `GIVE_UP`;
//! memory is fixed. Only our own measurements enter: `Threat:` what others say about distances is
//! a way to capture lookups (dht.md §4.10). Knows no transactions.

use std::net::IpAddr;
use std::time::Duration;

/// Wait at most, until a question is slow.
pub const SLOWEST: Duration = Duration::from_secs(1);
/// Least wait until a question is slow: below this, jitter would double the traffic.
pub const QUICKEST: Duration = Duration::from_millis(60);
/// Most patience: nine of ten answers that come at all come within 2 s (dht.md §2.1).
pub const GIVE_UP: Duration = Duration::from_secs(2);
/// Least patience before a question has failed.
pub const HOLD_ON: Duration = Duration::from_millis(600);
/// Until so many round trips are known, those of an ordinary network are assumed.
const FEW: u32 = 32;
/// The 75th and 90th percentile of an ordinary network (dht.md §3.2).
const ORDINARY: [Duration; 2] = [Duration::from_millis(350), Duration::from_millis(700)];
/// The sketch's steps: 10 ms, and each a quarter longer than the one before, up to 10 s.
const STEPS: usize = 32;
/// At so many round trips all counts are halved, so that old ones fade.
const FULL: u32 = 512;
/// Places for prefixes; two that share one push each other out.
const PREFIXES: usize = 256;
/// Round trips of a prefix that count as knowing it.
const SAMPLES: u8 = 3;

/// What is known about one prefix.
#[derive(Clone, Copy, Debug, Default)]
struct Prefix {
    key: u32,
    millis: u16,
    samples: u8,
}

/// After what time a question is slow, and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Its slot is free for another; its answer still counts.
    pub slow: Duration,
    /// It is not waited for any more. At least `slow`.
    pub failed: Duration,
}

/// The memories.
#[derive(Clone, Debug, Default)]
pub struct RoundTrips {
    counts: [u16; STEPS],
    /// Empty until something is known.
    prefixes: Vec<Prefix>,
}

impl RoundTrips {
    /// An answer from `ip` took `rtt`.
    pub fn observe(&mut self, ip: IpAddr, rtt: Duration) {
        if let Some(count) = self.counts.get_mut(step(rtt)) {
            *count += 1;
        }
        if self.total() >= FULL {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
        let millis = u16::try_from(rtt.as_millis()).unwrap_or(u16::MAX);
        if self.prefixes.is_empty() {
            self.prefixes = vec![Prefix::default(); PREFIXES];
        }
        let key = prefix(ip);
        if let Some(place) = self.prefixes.get_mut(place(key)) {
            if place.key != key {
                *place = Prefix {
                    key,
                    millis,
                    samples: 0,
                };
            }
            let smooth = (u32::from(place.millis) * 7 + u32::from(millis) * 3) / 10;
            place.millis = u16::try_from(smooth).unwrap_or(u16::MAX);
            place.samples = place.samples.saturating_add(1);
        }
    }

    /// How long to wait for `ip`, whose last round trip was `known` if it ever answered. `hedge` is
    /// the percentile of all round trips at which an unknown node is slow.
    #[must_use]
    pub fn waits(&self, ip: IpAddr, known: Option<Duration>, hedge: u8) -> Waits {
        let p90 = self.percentile(90);
        let guess = match (known, self.of_prefix(ip)) {
            (Some(rtt), _) => rtt * 3 / 2 + Duration::from_millis(40),
            (None, Some(rtt)) => rtt * 3 / 2 + Duration::from_millis(60),
            (None, None) => self.percentile(hedge),
        };
        let slow = guess.min(p90).clamp(QUICKEST, SLOWEST);
        Waits {
            slow,
            failed: (p90 * 2).clamp(HOLD_ON, GIVE_UP).max(slow),
        }
    }

    /// Of a hundred round trips, `percent` took at most this long.
    #[must_use]
    pub fn percentile(&self, percent: u8) -> Duration {
        let total = self.total();
        if total < FEW {
            let [p75, p90] = ORDINARY;
            return if percent > 75 { p90 } else { p75 };
        }
        let wanted = total * u32::from(percent) / 100;
        let mut seen = 0;
        let mut limit = Duration::from_millis(10);
        for count in self.counts {
            seen += u32::from(count);
            if seen > wanted {
                break;
            }
            limit = limit * 5 / 4;
        }
        limit
    }

    fn of_prefix(&self, ip: IpAddr) -> Option<Duration> {
        let key = prefix(ip);
        let known = self.prefixes.get(place(key))?;
        (known.key == key && known.samples >= SAMPLES)
            .then(|| Duration::from_millis(u64::from(known.millis)))
    }

    fn total(&self) -> u32 {
        self.counts.iter().map(|count| u32::from(*count)).sum()
    }
}

/// The step that `rtt` belongs to: the first whose limit is not below it.
fn step(rtt: Duration) -> usize {
    let mut limit = Duration::from_millis(10);
    for index in 0..STEPS - 1 {
        if rtt <= limit {
            return index;
        }
        limit = limit * 5 / 4;
    }
    STEPS - 1
}

/// A v4 /16 or a v6 /32: what one network usually has.
fn prefix(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(ip) => u32::from(ip) >> 16,
        IpAddr::V6(ip) => (u128::from(ip) >> 96) as u32,
    }
}

fn place(key: u32) -> usize {
    // A multiplication by the golden ratio spreads neighbouring prefixes.
    (key.wrapping_mul(0x9e37_79b9) >> 24) as usize % PREFIXES
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(20, 1, 1, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(90, 1, 1, 1));

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn an_ignorant_node_assumes_an_ordinary_network() {
        let waits = RoundTrips::default().waits(HERE, None, 75);
        assert_eq!(
            waits,
            Waits {
                slow: millis(350),
                failed: millis(1_400)
            }
        );
    }

    #[test]
    fn whatever_was_measured_stays_within_bounds() {
        let mut trips = RoundTrips::default();
        for _ in 0..600 {
            trips.observe(HERE, Duration::from_micros(100));
        }
        let quick = trips.waits(HERE, None, 75);
        assert_eq!(
            quick,
            Waits {
                slow: QUICKEST,
                failed: HOLD_ON
            }
        );
        for _ in 0..5_000 {
            trips.observe(HERE, Duration::from_secs(3_600));
        }
        let late = trips.waits(HERE, Some(Duration::from_secs(9)), 75);
        assert_eq!(
            late,
            Waits {
                slow: SLOWEST,
                failed: GIVE_UP
            }
        );
    }

    #[test]
    fn percentiles_are_within_a_step() {
        let mut trips = RoundTrips::default();
        for n in 1..=100 {
            trips.observe(HERE, millis(n * 4));
        }
        for percent in [10_u8, 25, 50, 75, 90, 95] {
            let exact = f64::from(percent) * 4.0;
            let told = trips.percentile(percent).as_secs_f64() * 1e3;
            assert!((0.99..1.3).contains(&(told / exact)), "{percent}: {told}");
        }
    }

    #[test]
    fn a_node_is_known_better_than_its_network_and_that_better_than_all() {
        let mut trips = RoundTrips::default();
        for _ in 0..100 {
            trips.observe(THERE, millis(400));
        }
        for _ in 0..5 {
            trips.observe(HERE, millis(100));
        }
        assert_eq!(trips.waits(HERE, Some(millis(40)), 75).slow, millis(100));
        assert_eq!(trips.waits(HERE, None, 75).slow, millis(210));
        assert!(trips.waits([50, 1, 1, 1].into(), None, 75).slow >= millis(400));
    }

    #[test]
    fn old_round_trips_fade() {
        let mut trips = RoundTrips::default();
        for _ in 0..1_000 {
            trips.observe(HERE, millis(50));
        }
        for _ in 0..2_000 {
            trips.observe(HERE, millis(300));
        }
        assert!(trips.percentile(25) >= millis(300));
        assert!(trips.total() < FULL);
    }
}
