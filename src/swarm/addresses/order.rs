//! Whom to dial first: the user's own word, what worked lately, what worked last time, then the
//! unknown; among equals sources take turns and BEP 40 decides.
//!
//! BEP 11: "a client should avoid taking all its connection candidates from a single PEX source".
//! Invariant: an order of the addresses as they are now; it changes none of them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Instant;

use pex::Flags;

use super::known::{Known, Proof, State};
use super::tellers::{Teller, Tellers};
use crate::swarm::contract::PeerSource;

/// Saved addresses that are tried at once before others: a torrent that was away for days must not wait
/// for a hundred that are gone while the DHT names the living.
const SAVED_AT_ONCE: u32 = 10;

/// Where an address stands; the least is dialled first. The fields count in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Rank {
    trust: Trust,
    failures: u32,
    /// What speaks against the teller.
    doubt: u32,
    /// Attempts under way that the same source has.
    crowd: u32,
    reach: Reach,
    sources: Reverse<u32>,
    priority: Reverse<u32>,
}

/// What speaks for an address, best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Trust {
    /// The user or the magnet link named it.
    Given,
    /// It answered, the latest first.
    Answered(Reverse<Instant>),
    /// It worked the last time that the torrent ran.
    Saved,
    /// It called us, the latest first.
    CalledUs(Reverse<Instant>),
    /// Somebody named it.
    Named,
}

/// Whether a teller said that it can be reached: hearsay, but it costs nothing to begin there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reach {
    Claimed,
    Unknown,
}

/// The attempts under way, by source.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    sources: [u32; 8],
    /// Saved ones that have not answered yet.
    saved: u32,
    tellers: BTreeMap<Teller, u32>,
}

impl Crowd {
    pub(super) fn of<'a>(all: impl Iterator<Item = &'a Known>) -> Crowd {
        let mut crowd = Crowd::default();
        for known in all.filter(|known| known.state == State::Dialling) {
            if let Some(count) = crowd.sources.get_mut(known.sources.first()) {
                *count += 1;
            }
            crowd.saved += u32::from(is_saved(known));
            if let Some(teller) = known.teller {
                *crowd.tellers.entry(teller).or_default() += 1;
            }
        }
        crowd
    }

    fn around(&self, known: &Known) -> u32 {
        let source = self.sources.get(known.sources.first()).copied();
        let teller = known.teller.and_then(|teller| self.tellers.get(&teller));
        source.unwrap_or(0) + teller.copied().unwrap_or(0)
    }
}

/// Whether all that speaks for it is that it worked in an earlier run.
fn is_saved(known: &Known) -> bool {
    let untried = known.failures == 0 && known.proof == Proof::None;
    known.sources.contains(PeerSource::Saved) && untried
}

/// Where `known` stands.
pub(super) fn rank(known: &Known, crowd: &Crowd, tellers: &Tellers) -> Rank {
    let trust = match known.proof {
        _ if known.sources.contains(PeerSource::Manual) => Trust::Given,
        Proof::Answered(at) => Trust::Answered(Reverse(at)),
        _ if is_saved(known) && crowd.saved < SAVED_AT_ONCE => Trust::Saved,
        Proof::CalledUs(at) => Trust::CalledUs(Reverse(at)),
        Proof::None => Trust::Named,
    };
    let reach = if known.flags.contains(Flags::REACHABLE) {
        Reach::Claimed
    } else {
        Reach::Unknown
    };
    Rank {
        trust,
        failures: known.failures,
        doubt: known.teller.map_or(0, |teller| tellers.doubt(teller)),
        crowd: crowd.around(known),
        reach,
        sources: Reverse(known.sources.len()),
        priority: Reverse(known.priority),
    }
}
