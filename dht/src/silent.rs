//! Strangers that asked us and did not answer us: not worth another question for a while.
//!
//! A node behind a NAT asks its neighbours again and again and can be asked by none of them
//! (dht.md §2.2: a third of all). Invariant: at most `CAPACITY` are remembered, each for `MEMORY`, and
//! an idle node that met none holds no memory. Endpoints are kept as 32-bit tags: when two collide, a
//! stranger is asked an hour later than it could be, nothing worse.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::Endpoint;

/// Strangers remembered; the newest.
pub const CAPACITY: usize = 64;
/// How long: about as long as a session of a node that just asked (dht.md §2.4).
pub const MEMORY: Duration = Duration::from_secs(3_600);

/// Who was silent.
#[derive(Clone, Debug)]
pub struct Silent {
    birth: Instant,
    /// Tag, and seconds since birth; oldest first.
    tags: VecDeque<(u32, u32)>,
}

impl Silent {
    /// Nobody.
    #[must_use]
    pub fn new(now: Instant) -> Silent {
        Silent {
            birth: now,
            tags: VecDeque::new(),
        }
    }

    /// `endpoint` did not answer.
    pub fn note(&mut self, now: Instant, endpoint: Endpoint) {
        self.forget(now);
        if self.tags.len() >= CAPACITY {
            self.tags.pop_front();
        }
        let entry = (tag(endpoint), self.seconds(now));
        self.tags.push_back(entry);
    }

    /// Whether `endpoint` was silent lately.
    #[must_use]
    pub fn holds(&self, now: Instant, endpoint: Endpoint) -> bool {
        let (tag, now) = (tag(endpoint), self.seconds(now));
        let lately = |since: u32| u64::from(now.saturating_sub(since)) < MEMORY.as_secs();
        self.tags
            .iter()
            .any(|(other, since)| *other == tag && lately(*since))
    }

    /// Forgets everybody: the fault was ours.
    pub fn clear(&mut self) {
        self.tags = VecDeque::new();
    }

    fn forget(&mut self, now: Instant) {
        let now = self.seconds(now);
        let old = |since: u32| u64::from(now.saturating_sub(since)) >= MEMORY.as_secs();
        while self.tags.front().is_some_and(|(_, since)| old(*since)) {
            self.tags.pop_front();
        }
    }

    fn seconds(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.birth).as_secs();
        u32::try_from(elapsed).unwrap_or(u32::MAX)
    }
}

/// FNV-1a. Not keyed: who finds a collision hides a stranger from us for an hour.
fn tag(endpoint: Endpoint) -> u32 {
    let mix = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let start = endpoint
        .port
        .to_be_bytes()
        .into_iter()
        .fold(0x811c_9dc5, mix);
    match endpoint.ip {
        IpAddr::V4(ip) => ip.octets().into_iter().fold(start, mix),
        IpAddr::V6(ip) => ip.octets().into_iter().fold(start, mix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u16) -> Endpoint {
        let [a, b] = n.to_be_bytes();
        Endpoint::new([20, a, b, 1].into(), 6_881)
    }

    #[test]
    fn who_was_silent_is_left_alone_for_an_hour() {
        let now = Instant::now();
        let mut silent = Silent::new(now);
        silent.note(now, at(1));
        let before = now + MEMORY - Duration::from_secs(1);
        assert!(silent.holds(before, at(1)) && !silent.holds(before, at(2)));
        assert!(!silent.holds(now + MEMORY, at(1)));
        silent.note(now, at(1));
        silent.clear();
        assert!(!silent.holds(now, at(1)));
    }

    #[test]
    fn a_crowd_is_forgotten_oldest_first() {
        let now = Instant::now();
        let mut silent = Silent::new(now);
        for n in 0..1_000 {
            silent.note(now, at(n));
        }
        assert_eq!(silent.tags.len(), CAPACITY);
        assert!(silent.holds(now, at(999)) && !silent.holds(now, at(1)));
    }
}
