//! What each host was given in the last day, so that one which fetches everything again and again comes
//! last when places are few (reliability.md A12).
//!
//! Invariant: at most `MAX_HOSTS` hosts are remembered; a host counts by what went to its address, not
//! by its connections. It refuses nobody: who alone wants something is served.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bencode::Endpoint;

/// Hosts remembered; beyond, who was given least is forgotten.
const MAX_HOSTS: usize = 4_096;

/// An account is kept for so long from its first byte.
const DAY: Duration = Duration::from_secs(86_400);

/// Whole torrents that a host may fetch in a day before it counts as draining.
const FAIR: u64 = 3;

/// Below so many bytes nobody counts: small torrents are fetched by many behind one address.
const SMALL: u64 = 64 << 20;

/// The accounts of a torrent.
#[derive(Debug, Default)]
pub struct Given {
    hosts: BTreeMap<Endpoint, (Instant, u64)>,
}

impl Given {
    /// So many bytes of blocks went to `host`.
    pub fn add(&mut self, now: Instant, host: Endpoint, bytes: u64) {
        if !self.hosts.contains_key(&host) && self.hosts.len() >= MAX_HOSTS {
            let least = self.hosts.iter().min_by_key(|(_, (_, bytes))| *bytes);
            if let Some(host) = least.map(|(host, _)| *host) {
                self.hosts.remove(&host);
            }
        }
        let (since, sum) = self.hosts.entry(host).or_insert((now, 0));
        if now.saturating_duration_since(*since) >= DAY {
            (*since, *sum) = (now, 0);
        }
        *sum = sum.saturating_add(bytes);
    }

    /// Whether `host` was given more than is fair of a torrent of `size` bytes.
    pub fn is_draining(&self, now: Instant, host: Endpoint, size: u64) -> bool {
        let fair = size.saturating_mul(FAIR).max(SMALL);
        self.hosts
            .get(&host)
            .is_some_and(|(since, sum)| *sum > fair && now.saturating_duration_since(*since) < DAY)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn host(n: u32) -> Endpoint {
        Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits(0x0b00_0000 + n)), 0)
    }

    /// Rows A12: three torrents a day are fair, a fourth is not; the next day is another.
    #[test]
    fn who_fetches_all_again_and_again_is_known_for_a_day() {
        let (start, size) = (Instant::now(), 100 << 20);
        let mut given = Given::default();
        given.add(start, host(1), 3 * size);
        assert!(!given.is_draining(start, host(1), size));
        given.add(start, host(1), 1);
        assert!(given.is_draining(start, host(1), size));
        assert!(!given.is_draining(start, host(2), size));
        assert!(!given.is_draining(start, host(1), 2 * size));
        assert!(!given.is_draining(start + DAY, host(1), size));
        given.add(start + DAY, host(1), 1);
        assert!(!given.is_draining(start + DAY, host(1), size));
    }

    #[test]
    fn accounts_are_bounded_and_the_largest_stay() {
        let now = Instant::now();
        let mut given = Given::default();
        given.add(now, host(0), 1 << 40);
        (1..20_000).for_each(|n| given.add(now, host(n), 16_384));
        assert_eq!(given.hosts.len(), MAX_HOSTS);
        assert!(given.is_draining(now, host(0), 1));
    }
}
