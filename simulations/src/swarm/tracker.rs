//! A tracker: remembers who announced, answers with some of them at random, and may die.
//!
//! When a peer announces is decided by the shipping `SearchClock`. Invariant: nobody is told its own
//! address, nobody is named twice. It does not know whether those it names are still there, except
//! that a client which ends says so (BEP 3 `stopped`).

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::names::PeerIndex;
use crate::time::Time;

/// A member that does not announce again is forgotten: twice the clients' interval (25 min).
const EXPIRY: Duration = Duration::from_secs(50 * 60);

/// What kind of tracker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TrackerPlan {
    /// Addresses in an answer, at most; 50 is what trackers give.
    pub numwant: usize,
    /// From announce to answer.
    pub delay: Duration,
    /// From then on it does not answer.
    pub dies: Option<Time>,
}

impl Default for TrackerPlan {
    fn default() -> TrackerPlan {
        TrackerPlan {
            numwant: 50,
            delay: Duration::from_millis(100),
            dies: None,
        }
    }
}

/// The tracker's state for the one torrent.
#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) plan: TrackerPlan,
    /// Who announced, and when last; in no order that matters.
    members: Vec<(PeerIndex, Time)>,
}

impl Tracker {
    pub(super) fn new(plan: TrackerPlan) -> Tracker {
        Tracker {
            plan,
            members: Vec::new(),
        }
    }

    pub(super) fn lives(&self, now: Time) -> bool {
        self.plan.dies.is_none_or(|dies| now < dies)
    }

    /// A peer announces itself and is told of others; none from a dead tracker.
    pub(super) fn announce(
        &mut self,
        now: Time,
        peer: PeerIndex,
        rng: &mut ChaCha8Rng,
    ) -> Vec<PeerIndex> {
        if !self.lives(now) {
            return Vec::new();
        }
        self.members
            .retain(|(member, at)| *member != peer && now - *at < EXPIRY);
        let count = self.plan.numwant.min(self.members.len());
        // The first steps of a shuffle: each choice among those not yet chosen.
        for place in 0..count {
            let other = rng.random_range(place..self.members.len());
            self.members.swap(place, other);
        }
        let told = self.members[..count].iter().map(|(member, _)| *member);
        let told = told.collect();
        self.members.push((peer, now));
        told
    }

    /// A client says that it ends.
    pub(super) fn stopped(&mut self, peer: PeerIndex) {
        self.members.retain(|(member, _)| *member != peer);
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    #[test]
    fn answers_name_others_once_and_only_the_living() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut tracker = Tracker::new(TrackerPlan {
            numwant: 5,
            dies: Some(Time::from_secs(9_000)),
            ..TrackerPlan::default()
        });
        for peer in 0..20 {
            let told = tracker.announce(Time::from_secs(1), peer, &mut rng);
            assert_eq!(told.len(), 5.min(peer as usize));
        }
        tracker.stopped(3);
        for _ in 0..50 {
            let mut told = tracker.announce(Time::from_secs(2), 7, &mut rng);
            told.sort_unstable();
            told.dedup();
            assert!(told.len() == 5 && !told.contains(&7) && !told.contains(&3));
        }
        let later = Time::from_secs(3_002);
        assert_eq!(tracker.announce(later, 8, &mut rng).len(), 0);
        assert_eq!(tracker.announce(later, 7, &mut rng), [8]);
        assert!(!tracker.lives(Time::from_secs(9_000)));
    }
}
