//! Whether silence is theirs or ours: tells "they are dead" from "my link is down".
//!
//! A question that nobody answers speaks against whoever was asked only if something else came in
//! since it was sent. With nothing at all in, the judgement waits: the next datagram, whoever sends it,
//! proves the link; `MISSES` contacts in a row that should answer, and `SILENCE`, prove the contrary.
//! Invariant: what was asked before the machine slept speaks against nobody. Knows no contacts, sends
//! nothing. `Threat:` who floods us with datagrams makes the link look alive, which is what it is;
//! who names dead nodes cannot make it look dead.

use std::time::{Duration, Instant};

/// Contacts in a row that did not answer while nothing else came in either. With a tenth of the table
/// dead that happens by chance once in a million times.
pub const MISSES: u8 = 6;
/// Least silence of a link that is down.
pub const SILENCE: Duration = Duration::from_secs(4);

/// Whom a missing answer speaks against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Whoever was asked: our link works.
    Them,
    /// Not known yet; the next datagram tells.
    Open,
    /// Our link has just turned out to be down.
    Broke,
    /// Our link, which is down or was asleep.
    Us,
}

/// Who did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// A contact of the table that should have answered; or any node, for one that knows no such contact.
    Contact,
    /// Anybody else, be it that others named it: four of ten such are dead (dht.md §2.2), and at the end
    /// of a lookup nobody else is asked. This is only reason to ask somebody better known.
    Stranger,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up { misses: u8 },
    Down,
}

/// What is known about our link.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    state: State,
    /// When anything last came in; before that, when we began.
    heard: Instant,
    /// Since when we are awake.
    awake: Instant,
}

impl Link {
    /// A link of which nothing is known: it is believed to work.
    #[must_use]
    pub fn new(now: Instant) -> Link {
        Link {
            state: State::Up { misses: 0 },
            heard: now,
            awake: now,
        }
    }

    /// Something came in that made sense. Whether the link was down until now.
    pub fn heard(&mut self, now: Instant) -> bool {
        let was_down = self.is_down();
        self.state = State::Up { misses: 0 };
        self.heard = now;
        was_down
    }

    /// The machine slept until now.
    pub fn woke(&mut self, now: Instant) {
        self.awake = now;
    }

    /// A question sent to `whom` at `sent` was given up now.
    pub fn missed(&mut self, now: Instant, sent: Instant, whom: Silent) -> Blame {
        if sent < self.awake {
            return Blame::Us;
        }
        if self.heard > sent {
            return Blame::Them;
        }
        let State::Up { misses } = &mut self.state else {
            return Blame::Us;
        };
        *misses = match whom {
            Silent::Contact => misses.saturating_add(1),
            Silent::Stranger => (*misses).max(1),
        };
        let silent = now.saturating_duration_since(self.heard);
        if whom == Silent::Contact && *misses >= MISSES && silent >= SILENCE {
            self.state = State::Down;
            return Blame::Broke;
        }
        Blame::Open
    }

    /// Whether it is down for all we know.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.state == State::Down
    }

    /// When anything last came in; before that, when we began.
    #[must_use]
    pub fn last_heard(&self) -> Instant {
        self.heard
    }

    /// Whether there are missing answers nobody could be blamed for yet.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        matches!(self.state, State::Up { misses } if misses > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_answer_from_anybody_speaks_against_the_silent() {
        let start = Instant::now();
        let mut link = Link::new(start);
        assert_eq!(
            link.missed(start + seconds(2), start, Silent::Contact),
            Blame::Open
        );
        assert!(link.is_doubtful());
        assert!(!link.heard(start + seconds(3)) && !link.is_doubtful());
        let sent = start + seconds(2);
        assert_eq!(
            link.missed(start + seconds(4), sent, Silent::Contact),
            Blame::Them
        );
    }

    #[test]
    fn silence_all_around_is_ours() {
        let start = Instant::now();
        let mut link = Link::new(start);
        let now = start + seconds(5);
        for _ in 1..MISSES {
            assert_eq!(
                link.missed(now, start + seconds(1), Silent::Contact),
                Blame::Open
            );
        }
        assert_eq!(
            link.missed(now, start + seconds(1), Silent::Contact),
            Blame::Broke
        );
        assert_eq!(
            link.missed(now, start + seconds(1), Silent::Contact),
            Blame::Us
        );
        assert!(link.is_down() && link.heard(now) && !link.is_down());
    }

    #[test]
    fn a_burst_of_losses_is_no_outage() {
        let start = Instant::now();
        let mut link = Link::new(start);
        for _ in 0..100 {
            assert_eq!(
                link.missed(start + seconds(2), start, Silent::Contact),
                Blame::Open
            );
        }
    }

    #[test]
    fn dead_nodes_that_others_name_are_no_outage() {
        let start = Instant::now();
        let mut link = Link::new(start);
        let now = start + seconds(60);
        for _ in 0..100 {
            assert_eq!(link.missed(now, start, Silent::Stranger), Blame::Open);
        }
        assert!(link.is_doubtful());
        for _ in 2..MISSES {
            assert_eq!(link.missed(now, start, Silent::Contact), Blame::Open);
        }
        assert_eq!(link.missed(now, start, Silent::Stranger), Blame::Open);
        assert_eq!(link.missed(now, start, Silent::Contact), Blame::Broke);
    }

    #[test]
    fn what_was_asked_before_a_sleep_speaks_against_nobody() {
        let start = Instant::now();
        let mut link = Link::new(start);
        link.woke(start + seconds(3_600));
        link.heard(start + seconds(3_601));
        assert_eq!(
            link.missed(start + seconds(3_602), start, Silent::Contact),
            Blame::Us
        );
    }
}
