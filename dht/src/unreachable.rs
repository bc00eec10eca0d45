//! Endpoints that did not answer lately: a lookup need not ask them again because others still name
//! them.
//!
//! Four of ten names in a reply are dead (dht.md §2.2), and the same ones come up in each lookup of
//! a neighbourhood. Invariant: at most `MOST` endpoints, none for longer than `REMEMBERED`; whoever
//! answers is forgiven at once. Knows no contacts: an endpoint does not answer, whatever its id.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bencode::Endpoint;

/// Endpoints remembered.
pub const MOST: usize = 512;
/// How long an endpoint is spared.
pub const REMEMBERED: Duration = Duration::from_secs(5 * 60);

/// The endpoints, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Unreachable {
    silent: VecDeque<(Endpoint, Instant)>,
}

impl Unreachable {
    /// `endpoint` did not answer, and the fault was not our own line's.
    pub fn failed(&mut self, now: Instant, endpoint: Endpoint) {
        while let Some((_, at)) = self.silent.front()
            && (self.silent.len() >= MOST || now.saturating_duration_since(*at) >= REMEMBERED)
        {
            self.silent.pop_front();
        }
        if !self.contains(now, endpoint) {
            self.silent.push_back((endpoint, now));
        }
    }

    /// `endpoint` answered.
    pub fn answered(&mut self, endpoint: Endpoint) {
        if let Some(index) = self
            .silent
            .iter()
            .position(|(silent, _)| *silent == endpoint)
        {
            self.silent.remove(index);
        }
        if self.silent.is_empty() {
            self.silent = VecDeque::new();
        }
    }

    /// Whether `endpoint` did not answer lately.
    #[must_use]
    pub fn contains(&self, now: Instant, endpoint: Endpoint) -> bool {
        self.silent.iter().any(|(silent, at)| {
            *silent == endpoint && now.saturating_duration_since(*at) < REMEMBERED
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u16) -> Endpoint {
        let [a, b] = n.to_be_bytes();
        Endpoint::new([30, 1, a, b].into(), 6881)
    }

    #[test]
    fn silence_is_remembered_for_a_while_and_forgiven_at_once() {
        let now = Instant::now();
        let mut unreachable = Unreachable::default();
        unreachable.failed(now, at(1));
        unreachable.failed(now, at(2));
        assert!(unreachable.contains(now, at(1)) && !unreachable.contains(now, at(3)));
        assert!(!unreachable.contains(now + REMEMBERED, at(1)));
        unreachable.answered(at(1));
        assert!(!unreachable.contains(now, at(1)) && unreachable.contains(now, at(2)));
    }

    #[test]
    fn it_forgets_the_oldest_and_stays_small() {
        let now = Instant::now();
        let mut unreachable = Unreachable::default();
        for n in 0..2_000 {
            unreachable.failed(now, at(n));
        }
        assert_eq!(unreachable.silent.len(), MOST);
        assert!(unreachable.contains(now, at(1_999)) && !unreachable.contains(now, at(0)));
        unreachable.failed(now + REMEMBERED, at(7));
        assert_eq!(unreachable.silent.len(), 1);
    }
}
