//! Why there is nobody: the address book in eight figures ([`Why`]), counted address by address. The
//! command line makes sentences of them.

use std::time::Instant;

use super::known::{Failure, Known, Proof, State};
use crate::swarm::contract::Why;

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
