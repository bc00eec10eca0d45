//! When a torrent looks into the DHT (again).
//!
//! At once when it starts; again soon while nobody is found, with a growing pause; every 25 minutes
//! once peers are found, because the nodes that hold our announce forget it after 30 to 60 minutes
//! (dht.md §1c: TTL 32 min in jech, 45 in libtorrent); earlier when the torrent runs out of peers.
//! It knows neither the DHT nor the torrent, only what they say.

use std::time::{Duration, Instant};

/// Pause after the first search that found nobody; doubles up to [`LONGEST_PAUSE`]. Short, because whoever is to be
/// found often begins at the same moment, and so do the nodes of a private DHT.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A torrent that nobody has is looked for every five minutes, as often as a new seeder deserves.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Between two announces while all is well; below the shortest TTL in use (32 min).
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(25 * 60);

/// A torrent that has hardly any peer, though a search found some, waits so long: they may all be gone, and whoever
/// has it may just have moved. Doubles up to [`LONGEST_WANTED_PAUSE`] while searches change nothing.
const FIRST_WANTED_PAUSE: Duration = Duration::from_secs(3);

/// The longest of these pauses.
const LONGEST_WANTED_PAUSE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// A lookup is under way.
    Running,
    /// The next one starts then; `since` is when the last one ended.
    Waiting { since: Instant, until: Instant },
}

/// Decides when the next search starts.
#[derive(Clone, Debug)]
pub struct SearchClock {
    state: State,
    /// Searches in a row that found nobody.
    fruitless: u32,
    /// Searches in a row that found somebody and were not enough.
    insufficient: u32,
    /// Whether the torrent wanted peers since the last one.
    wanted: bool,
}

impl SearchClock {
    /// The first search is due at once.
    pub fn new(now: Instant) -> SearchClock {
        SearchClock {
            state: State::Waiting {
                since: now,
                until: now,
            },
            fruitless: 0,
            insufficient: 0,
            wanted: false,
        }
    }

    /// The owner has started a search.
    pub fn handle_started(&mut self) {
        self.state = State::Running;
        self.insufficient = if self.wanted {
            self.insufficient + 1
        } else {
            0
        };
        self.wanted = false;
    }

    /// The search is over with that many peers found.
    pub fn handle_done(&mut self, now: Instant, found: usize) {
        let pause = if found == 0 {
            let pause = FIRST_PAUSE
                .saturating_mul(1 << self.fruitless.min(9))
                .min(LONGEST_PAUSE);
            self.fruitless += 1;
            pause
        } else {
            self.fruitless = 0;
            ANNOUNCE_INTERVAL
        };
        self.state = State::Waiting {
            since: now,
            until: now + pause,
        };
    }

    /// The torrent has too few peers: the next search comes earlier, never back to back.
    pub fn handle_wanted(&mut self) {
        if let State::Waiting { since, until } = &mut self.state {
            let pause = FIRST_WANTED_PAUSE.saturating_mul(1 << self.insufficient.min(6));
            *until = (*until).min(*since + pause.min(LONGEST_WANTED_PAUSE));
            self.wanted = true;
        }
    }

    /// The machine's link came back, or has another address: whoever was told of the old one is to hear of
    /// the new one. A search that runs goes into the void and is followed by another soon.
    pub fn handle_network_changed(&mut self, now: Instant) {
        self.fruitless = 0;
        self.insufficient = 0;
        if let State::Waiting { since, until } = &mut self.state {
            *until = (*until).min(now.max(*since + FIRST_PAUSE));
        }
    }

    /// When the next search is to start; `None` while one runs.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Running => None,
            State::Waiting { until, .. } => Some(until),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use super::*;

    #[test]
    fn the_first_search_is_due_at_once_and_none_while_one_runs() {
        let now = Instant::now();
        let mut clock = SearchClock::new(now);
        assert_eq!(clock.next_timeout(), Some(now));
        clock.handle_started();
        assert_eq!(clock.next_timeout(), None);
    }

    #[test]
    fn fruitless_searches_pause_longer_up_to_five_minutes() {
        let now = Instant::now();
        let mut clock = SearchClock::new(now);
        let mut pauses = Vec::new();
        for _ in 0..11 {
            clock.handle_started();
            clock.handle_done(now, 0);
            pauses.push((clock.next_timeout().unwrap() - now).as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn success_waits_for_the_announce_interval_unless_peers_are_wanted() {
        let now = Instant::now();
        let mut clock = SearchClock::new(now);
        clock.handle_started();
        clock.handle_done(now, 3);
        assert_eq!(clock.next_timeout(), Some(now + ANNOUNCE_INTERVAL));
        let mut pauses = Vec::new();
        for _ in 0..5 {
            clock.handle_wanted();
            pauses.push((clock.next_timeout().unwrap() - now).as_secs());
            clock.handle_started();
            clock.handle_done(now, 3);
        }
        assert_eq!(pauses, [3, 6, 12, 24, 48]);
        // Nobody wanted any: the next need begins anew.
        clock.handle_started();
        clock.handle_done(now, 3);
        clock.handle_wanted();
        assert_eq!(clock.next_timeout(), Some(now + FIRST_WANTED_PAUSE));
    }

    /// Rows N1, N2: a link that is back is searched over at once, and the pauses begin anew.
    #[test]
    fn a_changed_network_is_searched_at_once_but_not_back_to_back() {
        let now = Instant::now();
        let mut clock = SearchClock::new(now);
        for _ in 0..9 {
            clock.handle_started();
            clock.handle_done(now, 0);
        }
        clock.handle_network_changed(now + FIRST_PAUSE / 2);
        assert_eq!(clock.next_timeout(), Some(now + FIRST_PAUSE));
        clock.handle_started();
        clock.handle_network_changed(now);
        assert_eq!(clock.next_timeout(), None, "one at a time");
        clock.handle_done(now, 0);
        assert_eq!(clock.next_timeout(), Some(now + FIRST_PAUSE));
        clock.handle_started();
        clock.handle_done(now, 5);
        clock.handle_network_changed(now + LONGEST_WANTED_PAUSE);
        assert_eq!(clock.next_timeout(), Some(now + LONGEST_WANTED_PAUSE));
    }

    #[test]
    fn wanting_peers_never_delays_a_search() {
        let now = Instant::now();
        let mut clock = SearchClock::new(now);
        clock.handle_started();
        clock.handle_done(now, 0);
        clock.handle_wanted();
        assert_eq!(clock.next_timeout(), Some(now + FIRST_PAUSE));
    }
}
