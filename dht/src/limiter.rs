//! How often we answer a stranger: token buckets by source, and one for all.
//!
//! BEP 5 sets no limit; without one a node is an amplifier for whoever forges source addresses.
//! Invariant: at most `MAX_SOURCES` buckets, the least recently seen forgotten first, and whoever was
//! silent until its bucket is full again is not remembered; over any time `t` a source gets at most
//! `burst + rate·t` answers. It does not know what is asked.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lru::LruCache;

/// Queries of one source answered at once (dht.md §3.3: 10 burst).
pub const SOURCE_BURST: f64 = 10.0;
/// Queries of one source answered a second thereafter.
pub const SOURCE_RATE: f64 = 2.0;
/// Queries of everybody answered at once: a network of some tens of nodes may start together.
pub const GLOBAL_BURST: f64 = 1000.0;
/// Queries of everybody answered a second thereafter (200 replies of ≤ 330 bytes ≈ 64 KiB/s).
pub const GLOBAL_RATE: f64 = 200.0;
/// Bytes of replies to sources that have not proved their address, a second (dht.md §4.5).
pub const UNPROVEN_RATE: f64 = 16_384.0;
/// Such bytes at once: ten seconds' worth.
pub const UNPROVEN_BURST: f64 = 10.0 * UNPROVEN_RATE;
/// After this silence a bucket is full whatever it was before.
const REFILL: Duration = Duration::from_secs(5);
/// Sources remembered (about 100 bytes each).
pub const MAX_SOURCES: NonZeroUsize = NonZeroUsize::new(4096).expect("positive");

/// How many queries are answered, whoever asks. The default suits a home's upload; who runs a node
/// for others, on a line of its own, may afford more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    /// At once.
    pub burst: f64,
    /// A second thereafter.
    pub rate: f64,
}

impl Default for Allowance {
    fn default() -> Allowance {
        Allowance {
            burst: GLOBAL_BURST,
            rate: GLOBAL_RATE,
        }
    }
}

/// A bucket that fills at a steady rate and is emptied by what is answered.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    filled: Instant,
}

impl Bucket {
    fn full(now: Instant, burst: f64) -> Bucket {
        Bucket {
            level: burst,
            filled: now,
        }
    }

    fn take(&mut self, now: Instant, amount: f64, (burst, rate): (f64, f64)) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.level = (self.level + elapsed * rate).min(burst);
        self.filled = now;
        let enough = self.level >= amount;
        if enough {
            self.level -= amount;
        }
        enough
    }
}

/// Whose budget a query is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The source's own and everybody's: any address of the open internet.
    Source,
    /// Everybody's alone: a private network, where many nodes may share one address.
    Everybody,
}

/// The limiter.
#[derive(Debug)]
pub struct Limiter {
    allowance: Allowance,
    everybody: Bucket,
    unproven: Bucket,
    sources: LruCache<IpAddr, Bucket>,
}

impl Limiter {
    /// A limiter with full buckets.
    #[must_use]
    pub fn new(allowance: Allowance, now: Instant) -> Limiter {
        // `unbounded` allocates nothing ahead; the bound is kept in `admits`.
        Limiter {
            allowance,
            everybody: Bucket::full(now, allowance.burst),
            unproven: Bucket::full(now, UNPROVEN_BURST),
            sources: LruCache::unbounded(),
        }
    }

    /// Whether a query from `ip` may be answered now; charges it if so.
    pub fn admits(&mut self, now: Instant, ip: IpAddr, charge: Charge) -> bool {
        if charge == Charge::Source && !self.source_admits(now, network_of(ip)) {
            return false;
        }
        let Allowance { burst, rate } = self.allowance;
        self.everybody.take(now, 1.0, (burst, rate))
    }

    /// Whether a reply of so many bytes may go to somebody who may not have asked; charges it if so.
    ///
    /// `Threat:` many forged sources, each of them below its own limit.
    pub fn affords(&mut self, now: Instant, bytes: usize) -> bool {
        let limits = (UNPROVEN_BURST, UNPROVEN_RATE);
        self.unproven.take(now, bytes as f64, limits)
    }

    fn source_admits(&mut self, now: Instant, source: IpAddr) -> bool {
        let fresh = || Bucket::full(now, SOURCE_BURST);
        let admitted = self.sources.get_or_insert_mut(source, fresh).take(
            now,
            1.0,
            (SOURCE_BURST, SOURCE_RATE),
        );
        while self.sources.len() > MAX_SOURCES.get() || self.oldest_is_full(now) {
            self.sources.pop_lru();
        }
        admitted
    }

    /// Whether forgetting the source that was silent for longest changes nothing.
    fn oldest_is_full(&self, now: Instant) -> bool {
        let oldest = self.sources.peek_lru();
        oldest.is_some_and(|(_, bucket)| now.saturating_duration_since(bucket.filled) >= REFILL)
    }
}

/// What counts as one source: a v4 address, a v6 /64 (the least that a customer is given).
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(9, 9, 9, 9));

    #[test]
    fn a_source_gets_its_burst_then_its_rate() {
        let now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        let admitted = (0..100)
            .filter(|_| limiter.admits(now, STRANGER, Charge::Source))
            .count();
        assert_eq!(admitted, 10);
        let later = now + Duration::from_secs(1);
        let admitted = (0..100)
            .filter(|_| limiter.admits(later, STRANGER, Charge::Source))
            .count();
        assert_eq!(admitted, 2);
    }

    #[test]
    fn sources_do_not_disturb_each_other() {
        let now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        while limiter.admits(now, STRANGER, Charge::Source) {}
        assert!(limiter.admits(now, IpAddr::from([9, 9, 9, 8]), Charge::Source));
    }

    #[test]
    fn only_those_are_remembered_whose_bucket_is_not_full_again() {
        assert!(SOURCE_RATE * REFILL.as_secs_f64() >= SOURCE_BURST);
        let mut now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        for n in 0..1_000_u32 {
            now += Duration::from_millis(100);
            limiter.admits(now, IpAddr::from(n.to_be_bytes()), Charge::Source);
            assert!(limiter.sources.len() <= 50);
        }
    }

    #[test]
    fn a_v6_network_is_one_source() {
        let now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        let admitted = (0..100_u16)
            .map(|host| IpAddr::from([0x2600, 1, 2, 3, 0, 0, 0, host]))
            .filter(|ip| limiter.admits(now, *ip, Charge::Source))
            .count();
        assert_eq!(admitted, 10);
    }

    #[test]
    fn everybody_together_is_limited_and_the_store_bounded() {
        let now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        let admitted = (0..20_000_u32)
            .filter(|n| limiter.admits(now, IpAddr::from(n.to_be_bytes()), Charge::Source))
            .count();
        assert_eq!(admitted, 1000);
        assert!(limiter.sources.len() <= MAX_SOURCES.get());
    }

    #[test]
    fn a_node_for_others_may_answer_more_but_none_of_them_gets_more() {
        let now = Instant::now();
        let allowance = Allowance {
            burst: 5_000.0,
            rate: 1.0,
        };
        let mut limiter = Limiter::new(allowance, now);
        let stranger = (0..100)
            .filter(|_| limiter.admits(now, STRANGER, Charge::Source))
            .count();
        assert_eq!(stranger, 10);
        let admitted = (0..20_000_u32)
            .filter(|n| limiter.admits(now, IpAddr::from(n.to_be_bytes()), Charge::Source))
            .count();
        assert_eq!(admitted, 4_990);
    }

    #[test]
    fn what_strangers_get_is_limited_in_bytes() {
        let now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        let sent =
            |limiter: &mut Limiter, at| (0..2_000).filter(|_| limiter.affords(at, 300)).count();
        assert_eq!(sent(&mut limiter, now), 546);
        assert_eq!(sent(&mut limiter, now + Duration::from_secs(1)), 54);
    }

    #[test]
    fn one_address_of_a_private_network_may_hold_many_nodes() {
        let now = Instant::now();
        let mut limiter = Limiter::new(Allowance::default(), now);
        let home = IpAddr::from([127, 0, 0, 1]);
        assert!((0..500).all(|_| limiter.admits(now, home, Charge::Everybody)));
    }
}
