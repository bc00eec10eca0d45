//! Announcing many torrents, for ever: in the order of the key space, never faster than a router bears.
//!
//! A home router remembers each destination for minutes and fails above some hundred new ones a
//! second. So the torrents are visited like stations of a round trip: neighbours in the key space
//! follow each other and share the contacts that the last one taught, each is due again after
//! `INTERVAL`, and what lookups ask is paid from a budget. Invariant: over any time `t` the lookups
//! that were begun asked at most `BURST + RATE · t` nodes, and one lookup's worth for each that runs;
//! at most `MAX_RUNNING` run. Knows no nodes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::{Duration, Instant};

use crate::id::Id;
use crate::message::Announcement;

/// When a torrent is announced again: well before others forget it (dht.md §3.3: 25 min).
pub const INTERVAL: Duration = Duration::from_secs(25 * 60);
/// Nodes asked a second, in the long run: below the hundred that home routers bear.
pub const RATE: f64 = 80.0;
/// Nodes asked at once after a pause: a handful of torrents need not wait for each other.
pub const BURST: f64 = 240.0;
/// Lookups at the same time.
pub const MAX_RUNNING: usize = 8;
/// What a lookup asks before it is known what it asked: the mean of the simulator.
const USUAL: f64 = 20.0;

#[derive(Clone, Copy, Debug)]
struct Stop {
    own: Announcement,
    due: Instant,
}

/// The round trip.
#[derive(Debug)]
pub struct Rounds {
    stops: BTreeMap<Id, Stop>,
    /// Where the trip has come to.
    last: Option<Id>,
    running: usize,
    budget: f64,
    filled: Instant,
}

impl Rounds {
    /// A trip without stops.
    #[must_use]
    pub fn new(now: Instant) -> Rounds {
        Rounds {
            stops: BTreeMap::new(),
            last: None,
            running: 0,
            budget: BURST,
            filled: now,
        }
    }

    /// `info_hash` is to be announced as soon as its turn comes, and again and again.
    pub fn include(&mut self, now: Instant, info_hash: Id, own: Announcement) {
        self.stops.insert(info_hash, Stop { own, due: now });
    }

    /// What others stored is wrong now: everything is due again, in its turn.
    pub fn restart(&mut self, now: Instant) {
        for stop in self.stops.values_mut() {
            stop.due = stop.due.min(now);
        }
    }

    /// `info_hash` is not announced any more. What others stored lives on for a while.
    pub fn exclude(&mut self, info_hash: &Id) {
        self.stops.remove(info_hash);
    }

    /// What to announce now; it counts as begun. Call until `None`.
    pub fn next(&mut self, now: Instant) -> Option<(Id, Announcement)> {
        self.fill(now);
        if self.running >= MAX_RUNNING || self.budget < USUAL {
            return None;
        }
        let (info_hash, own) = self.next_due(now)?;
        self.last = Some(info_hash);
        self.running += 1;
        self.budget -= USUAL;
        if let Some(stop) = self.stops.get_mut(&info_hash) {
            stop.due = now + INTERVAL;
        }
        Some((info_hash, own))
    }

    /// A lookup that `next` began ended after asking so many nodes.
    pub fn ended(&mut self, asked: u32) {
        self.running = self.running.saturating_sub(1);
        self.budget += USUAL - f64::from(asked);
    }

    /// When `next` may have something, if nothing ends until then.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.running >= MAX_RUNNING {
            return None;
        }
        let due = self.stops.values().map(|stop| stop.due).min()?;
        let missing = (USUAL - self.budget).max(0.0);
        Some(due.max(self.filled + Duration::from_secs_f64(missing / RATE)))
    }

    /// How many torrents are announced.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stops.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stops.is_empty()
    }

    /// The next stop that is due, on from the last one and around.
    fn next_due(&self, now: Instant) -> Option<(Id, Announcement)> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        let ahead = self.stops.range((after, Bound::Unbounded));
        let around = self.stops.iter();
        let mut due = ahead.chain(around).filter(|(_, stop)| stop.due <= now);
        due.next().map(|(id, stop)| (*id, stop.own))
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.budget = (self.budget + elapsed * RATE).min(BURST);
        self.filled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{AnnouncePort, Part};

    const PORT: Announcement = Announcement {
        port: AnnouncePort::Explicit(6881),
        part: Part::Peer,
    };

    fn hash(n: u16) -> Id {
        let mut id = [7; 20];
        id[..2].copy_from_slice(&n.to_be_bytes());
        Id::new(id)
    }

    /// Lives for `time` with lookups that ask `asks` nodes and take 0.9 s: what was announced, and when.
    fn live(rounds: &mut Rounds, start: Instant, time: Duration, asks: u32) -> Vec<(Duration, Id)> {
        let (mut begun, mut running, mut now) = (Vec::new(), Vec::new(), start);
        while now <= start + time {
            while let Some((id, _)) = rounds.next(now) {
                begun.push((now - start, id));
                running.push(now + Duration::from_millis(900));
            }
            assert!(running.len() <= MAX_RUNNING);
            now += Duration::from_millis(50);
            running.retain(|end| {
                *end > now || {
                    rounds.ended(asks);
                    false
                }
            });
        }
        begun
    }

    #[test]
    fn a_few_torrents_do_not_wait_and_come_again_in_time() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        for n in [9, 3, 6] {
            rounds.include(now, hash(n), PORT);
        }
        let begun = live(&mut rounds, now, INTERVAL * 2, 18);
        assert_eq!(begun.len(), 9);
        assert!(begun[..3].iter().all(|(at, _)| *at == Duration::ZERO));
        let order: Vec<Id> = begun[..3].iter().map(|(_, id)| *id).collect();
        assert_eq!(order, [hash(3), hash(6), hash(9)]);
        assert!(begun[3].0 >= INTERVAL && begun[3].0 < INTERVAL + Duration::from_secs(1));
    }

    #[test]
    fn thousands_go_round_in_order_within_the_budget() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        for n in 0..5_000_u16 {
            rounds.include(now, hash(n.wrapping_mul(25_931)), PORT);
        }
        let begun = live(&mut rounds, now, INTERVAL - Duration::from_secs(1), 18);
        assert_eq!(begun.len(), 5_000);
        assert!(begun.is_sorted_by_key(|(_, id)| *id));
        for second in 0..1_500 {
            let from = Duration::from_secs(second);
            let within = |at: &Duration| *at >= from && *at < from + Duration::from_secs(10);
            let asked = begun.iter().filter(|(at, _)| within(at)).count() as f64 * 18.0;
            assert!(
                asked <= BURST + 10.0 * RATE + 8.0 * 18.0,
                "{second}: {asked}"
            );
        }
    }

    #[test]
    fn costly_lookups_are_paid_afterwards() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        (0..1_000).for_each(|n| rounds.include(now, hash(n), PORT));
        let time = Duration::from_secs(100);
        let begun = live(&mut rounds, now, time, 100);
        let most = (BURST + 100.0 * RATE) / 100.0 + MAX_RUNNING as f64;
        assert!(
            begun.len() as f64 <= most && begun.len() > 70,
            "{}",
            begun.len()
        );
    }

    #[test]
    fn what_is_excluded_is_not_visited() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        rounds.include(now, hash(1), PORT);
        rounds.exclude(&hash(1));
        assert_eq!(rounds.next(now), None);
        assert_eq!(rounds.next_timeout(), None);
        assert!(rounds.is_empty());
    }

    #[test]
    fn the_timeout_is_when_the_next_turn_comes() {
        let now = Instant::now();
        let mut rounds = Rounds::new(now);
        (0..100).for_each(|n| rounds.include(now, hash(n), PORT));
        while rounds.next(now).is_some() {}
        (0..MAX_RUNNING).for_each(|_| rounds.ended(60));
        let due = rounds.next_timeout().expect("more are due");
        assert!(due > now);
        assert_eq!(rounds.next(due - Duration::from_millis(1)), None);
        assert!(rounds.next(due + Duration::from_millis(1)).is_some());
    }

    /// Rows N2: with another address all is announced anew, within the budget.
    #[test]
    fn a_new_start_makes_all_due() {
        let start = Instant::now();
        let mut rounds = Rounds::new(start);
        for n in 0..5 {
            rounds.include(start, hash(n), PORT);
        }
        let first = live(&mut rounds, start, Duration::from_secs(60), 20);
        assert_eq!(first.len(), 5);
        rounds.restart(start + Duration::from_secs(61));
        let again = live(
            &mut rounds,
            start + Duration::from_secs(61),
            Duration::from_secs(60),
            20,
        );
        assert_eq!(again.len(), 5);
    }
}
