//! Why there is nobody: the address book in seven figures. Words only; the book counts, the command
//! line makes sentences of it.

use std::time::{Duration, Instant};

use super::known::{Failure, Known, Proof, State};

/// What became of the known addresses, and what comes next.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Why {
    /// Addresses in the book, our own not counted.
    pub known: u32,
    /// Of these, those that were tried at least once, connected ones included.
    pub tried: u32,
    /// A closed port answered the last attempt.
    pub refused: u32,
    /// Nobody answered the last attempt.
    pub timed_out: u32,
    /// The last attempt failed otherwise.
    pub failed: u32,
    /// Refused from now on.
    pub banned: u32,
    /// Neither banned nor connected, and to be tried later.
    pub waiting: u32,
    /// Until the next attempt; `None` if nobody is left to try. 0 if one is due.
    pub next_try: Option<Duration>,
}

impl Why {
    /// Counts one address.
    pub(super) fn count(&mut self, now: Instant, known: &Known) {
        if known.state == State::Ourself {
            return;
        }
        self.known += 1;
        match known.state {
            State::Banned => {
                self.banned += 1;
                return;
            }
            State::Connected => {
                self.tried += 1;
                return;
            }
            State::Idle { .. } | State::Dialling | State::Ourself => {}
        }
        self.tried += u32::from(known.last.is_some() || known.proof != Proof::None);
        match known.last {
            Some(Failure::Refused) => self.refused += 1,
            Some(Failure::TimedOut) => self.timed_out += 1,
            Some(Failure::Other) => self.failed += 1,
            None => {}
        }
        if let Some(at) = known.next_try() {
            let wait = at.saturating_duration_since(now);
            self.waiting += u32::from(!wait.is_zero());
            self.next_try = Some(self.next_try.map_or(wait, |least| least.min(wait)));
        }
    }
}
