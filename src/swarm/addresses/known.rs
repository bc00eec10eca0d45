//! One address: who named it, what became of it, when it may be tried again.
//!
//! Invariant: an address that only peers vouched for is tried twice an hour at most. Knows no other
//! address.

use std::time::{Duration, Instant};

use pex::Flags;

use super::tellers::Teller;
use crate::swarm::contract::{DialError, PeerSource};

/// Wait after a failed attempt, times 4 for each further one…
const BACKOFF: Duration = Duration::from_secs(15);
/// … but times 2 if the user named the address, …
const MANUAL_BACKOFF: Duration = Duration::from_secs(2);
/// … at most this.
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(3_600);

/// Wait before an address that hung up is dialled again.
const RECONNECT: Duration = Duration::from_secs(30);

/// Failures in a row after which an address is given up when its time comes again: nearly three hours.
const DEAD: u32 = 6;

/// The same for one that only peers vouched for. Threat (reliability.md P12): a victim that is named
/// by many gets no more than two attempts an hour from us.
const DEAD_HEARSAY: u32 = 2;

/// Who named an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sources(u8);

impl Sources {
    pub(super) fn of(source: PeerSource) -> Sources {
        Sources(1 << (source as u8))
    }

    /// `true` if it is new.
    pub(super) fn insert(&mut self, source: PeerSource) -> bool {
        let before = self.0;
        self.0 |= Sources::of(source).0;
        before != self.0
    }

    pub(super) fn contains(self, source: PeerSource) -> bool {
        self.0 & Sources::of(source).0 != 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether nobody but peers named it.
    pub(super) fn is_hearsay(self) -> bool {
        self == Sources::of(PeerSource::Pex)
    }

    /// The number of the first source, for counting: 0 to 7.
    pub(super) fn first(self) -> usize {
        self.0.trailing_zeros() as usize % 8
    }
}

/// What is going on with an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Idle {
        next_try: Instant,
    },
    Dialling,
    Connected,
    Banned,
    /// We are there: others name us to us.
    Ourself,
}

/// How much speaks for an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Proof {
    /// Nothing yet.
    None,
    /// It called us and said that it listens there.
    CalledUs(Instant),
    /// It answered our call.
    Answered(Instant),
}

/// Whether a peer is of use to us once we are complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// Not known, or it lacks something.
    Open,
    /// It has everything, or wants nothing.
    Seed,
}

/// Why the last attempt failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// A closed port answered.
    Refused,
    /// Nobody answered.
    TimedOut,
    /// Anything else: no way there, no handshake, one for another torrent.
    Other,
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Failure {
        match error {
            DialError::Refused => Failure::Refused,
            DialError::TimedOut => Failure::TimedOut,
            DialError::Unreachable | DialError::NoDescriptor | DialError::Other => Failure::Other,
        }
    }
}

/// What became of an attempt or a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The attempt failed, or the peer broke a rule.
    Failed(Failure),
    /// It was connected and ended.
    Ended,
    /// Ourselves, or a connection that exists under another address: not soon again.
    Useless,
}

/// All that is remembered of one address.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) state: State,
    pub(super) sources: Sources,
    /// Whose word it is, while nobody else vouches for it and nobody has tried it.
    pub(super) teller: Option<Teller>,
    /// What the teller said of it.
    pub(super) flags: Flags,
    pub(super) proof: Proof,
    pub(super) completeness: Completeness,
    /// Attempts that failed since the last that did not.
    pub(super) failures: u32,
    pub(super) last: Option<Failure>,
    /// BEP 40; 0 while we do not know our own address.
    pub(super) priority: u32,
}

impl Known {
    /// Just heard of: may be tried at once.
    pub(super) fn new(now: Instant, source: PeerSource, priority: u32) -> Known {
        Known {
            state: State::Idle { next_try: now },
            sources: Sources::of(source),
            teller: None,
            flags: Flags::NONE,
            proof: Proof::None,
            completeness: Completeness::Open,
            failures: 0,
            last: None,
            priority,
        }
    }

    /// Whether peers vouch for it, nobody else, and no connection ever did.
    pub(super) fn is_hearsay(&self) -> bool {
        self.sources.is_hearsay() && self.proof == Proof::None
    }

    /// When it may be tried, if it only waits for that.
    pub(super) fn next_try(&self) -> Option<Instant> {
        match self.state {
            State::Idle { next_try } => Some(next_try),
            State::Dialling | State::Connected | State::Banned | State::Ourself => None,
        }
    }

    /// Our own link was down or has another address: what failed meanwhile says nothing, unless a closed
    /// port answered, and whoever only waits need not. Threat: for whom only peers vouch for the limit of
    /// two attempts an hour holds all the same.
    pub(super) fn excuse(&mut self, now: Instant) {
        if self.is_hearsay() {
            return;
        }
        if let State::Idle { next_try } = &mut self.state
            && self.last != Some(Failure::Refused)
        {
            *next_try = (*next_try).min(now);
            self.failures = 0;
        }
    }

    /// Whether it is not worth a further attempt. Until its pause is over it is kept all the same:
    /// whoever names it again does not shorten the pause.
    pub(super) fn is_dead(&self, now: Instant) -> bool {
        let most = if self.is_hearsay() {
            DEAD_HEARSAY
        } else {
            DEAD
        };
        self.failures >= most
            && !self.sources.contains(PeerSource::Manual)
            && self.next_try().is_some_and(|at| at <= now)
    }

    /// Ends an attempt or a connection: idle again, with a pause.
    pub(super) fn end(&mut self, now: Instant, outcome: Outcome) {
        let manual = self.sources.contains(PeerSource::Manual);
        let wait = match outcome {
            Outcome::Failed(why) => {
                self.failures = self.failures.saturating_add(1);
                self.last = Some(why);
                let step = self.failures.min(10) - 1;
                if self.is_hearsay() && self.failures >= DEAD_HEARSAY {
                    MAX_BACKOFF
                } else if manual {
                    MANUAL_BACKOFF.saturating_mul(2u32.pow(step))
                } else {
                    BACKOFF.saturating_mul(4u32.pow(step))
                }
            }
            Outcome::Ended if manual => MANUAL_BACKOFF,
            Outcome::Ended => RECONNECT,
            Outcome::Useless => MAX_BACKOFF,
        };
        let next_try = now + wait.min(MAX_BACKOFF);
        self.state = State::Idle { next_try };
    }
}

impl super::AddressBook {
    /// Something is wanted again: whoever has everything was left for an hour, and is worth a call now. Those that failed
    /// keep their pauses.
    pub fn recall_seeds(&mut self, now: Instant) {
        for known in self.known.values_mut() {
            if known.completeness == Completeness::Seed
                && known.failures == 0
                && let State::Idle { next_try } = &mut known.state
            {
                *next_try = now.min(*next_try);
            }
        }
    }
}
