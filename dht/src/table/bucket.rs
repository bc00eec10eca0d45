//! One bucket: who sits, who waits, and who gives way to whom.
//!
//! Invariants: no more sitters than the capacity, no more than `MAX_REPLACEMENTS` that wait. Whoever
//! lives keeps its place, with three exceptions, each for a newcomer that is clearly better: one
//! that lives where nobody else of the bucket does takes the place of one that has neighbours; in
//! small buckets, an id that BEP 42 allows the place of one that it does not; in large ones, where
//! any contact serves as well, a proven near one the place of a far one that is young.

use std::time::Duration;

use super::schedule;
use super::seat::{Bond, Moment, Proof, Seat};
use super::{Health, MAX_REPLACEMENTS, Verdict};
use crate::contact::Contact;

/// Contacts of one /16 (v6: /32) in a bucket before a further one counts as crowded.
pub(super) const MAX_WIDE: usize = 3;
/// Whoever is here for so long keeps its place: the longer it lived, the longer it will (dht.md §2.4).
const ESTABLISHED: Duration = Duration::from_secs(30 * 60);
/// Buckets above this size choose by round trip.
const LARGE: usize = 8;
/// A clear difference between two round trips.
const CLEARLY: Duration = Duration::from_millis(20);

#[derive(Clone, Debug, Default)]
pub(super) struct Bucket {
    pub(super) entries: Vec<Seat>,
    /// Newest last.
    pub(super) replacements: Vec<Seat>,
    /// When others were last asked who belongs here.
    pub(super) sought: Option<Moment>,
}

/// How much a contact's network is in the bucket already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Crowd {
    Alone,
    /// More than `MAX_WIDE` of its /16.
    Wide,
    /// Another of its /24.
    Close,
}

impl Bucket {
    /// A newcomer, or one that waited, answered.
    pub(super) fn insert(&mut self, mut seat: Seat, capacity: usize) -> Verdict {
        let now = seat.heard;
        let waited = self
            .replacements
            .iter()
            .position(|w| w.contact == seat.contact);
        if let Some(index) = waited {
            let mut waiting = self.replacements.remove(index);
            waiting.meet(&seat);
            seat = waiting;
        }
        if self.entries.len() < capacity {
            self.sit(seat);
            return Verdict::Added;
        }
        let bad = self
            .entries
            .iter_mut()
            .find(|old| old.health(now) == Health::Bad);
        if let Some(old) = bad {
            return Verdict::Replaced(std::mem::replace(old, seat).contact);
        }
        if let Some(index) = self.outdone_by(&seat, capacity)
            && let Some(old) = self.entries.get_mut(index)
        {
            let gone = std::mem::replace(old, seat);
            let contact = gone.contact;
            self.wait(gone);
            return Verdict::Replaced(contact);
        }
        self.wait(seat);
        let doubted = self
            .entries
            .iter()
            .filter(|old| schedule::is_doubtful(old, now))
            .min_by_key(|old| old.heard);
        doubted.map_or(Verdict::Full, |old| Verdict::Challenge(old.contact))
    }

    fn sit(&mut self, seat: Seat) {
        // By eights: doubling would waste a quarter of what a node is.
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(8);
        }
        self.entries.push(seat);
    }

    /// A sitter makes room.
    pub(super) fn let_wait(&mut self, contact: &Contact) {
        if let Some(index) = self
            .entries
            .iter()
            .position(|seat| seat.contact == *contact)
        {
            let seat = self.entries.remove(index);
            self.wait(seat);
        }
    }

    fn wait(&mut self, seat: Seat) {
        if self.replacements.len() >= MAX_REPLACEMENTS {
            self.replacements.remove(0);
        }
        if self.replacements.len() == self.replacements.capacity() {
            self.replacements.reserve_exact(2);
        }
        self.replacements.push(seat);
    }

    /// Whose place `seat` should have though they live, if anybody's.
    fn outdone_by(&self, seat: &Seat, capacity: usize) -> Option<usize> {
        let now = seat.heard;
        let mine = self.crowd(seat);
        let indexed = || self.entries.iter().enumerate();
        // Threat: one network must not fill a bucket while others would like in.
        let crowded = indexed()
            .map(|(index, old)| (self.crowd(old), old.since, index))
            .filter(|(crowd, ..)| *crowd > mine)
            .max();
        if let Some((.., index)) = crowded {
            return Some(index);
        }
        if capacity <= LARGE {
            // Threat: ids next to ours cost nothing unless they follow from the address.
            let free =
                indexed().filter(|(_, old)| old.bond() < seat.bond() && mine == Crowd::Alone);
            return free
                .max_by_key(|(_, old)| old.since)
                .map(|(index, _)| index);
        }
        if seat.proof() == Proof::Fresh {
            return None;
        }
        let (index, slowest) = indexed()
            .filter(|(_, old)| now.since(old.since) < ESTABLISHED && old.bond() <= seat.bond())
            .max_by_key(|(_, old)| old.rtt())?;
        let clearly = seat.rtt() + CLEARLY < slowest.rtt() * 3 / 4;
        clearly.then_some(index)
    }

    fn crowd(&self, seat: &Seat) -> Crowd {
        let Some((close, wide)) = seat.network() else {
            return Crowd::Alone;
        };
        let others = self
            .entries
            .iter()
            .filter(|old| old.contact != seat.contact);
        let mut of_wide = 0;
        for other in others.filter_map(Seat::network) {
            if other.0 == close {
                return Crowd::Close;
            }
            of_wide += usize::from(other.1 == wide);
        }
        if of_wide >= MAX_WIDE {
            Crowd::Wide
        } else {
            Crowd::Alone
        }
    }

    /// Takes the best of those that wait: proven, of another network, with a bound id, newest.
    pub(super) fn best_waiting(&mut self) -> Option<Seat> {
        let rank = |seat: &Seat| {
            let roomy = std::cmp::Reverse(self.crowd(seat));
            let tried = seat.proof() > Proof::Fresh;
            (roomy, seat.bond() == Bond::Bound, tried, seat.heard)
        };
        let best = self.replacements.iter().enumerate();
        let (index, _) = best.max_by_key(|(_, seat)| rank(seat))?;
        Some(self.replacements.remove(index))
    }
}
