//! Witnesses: contacts that should answer, so that their silence speaks against our own link.
//!
//! Whoever is due for a check is asked because it may be dead; six of those in a row prove nothing. So
//! a node in doubt about its link asks those it heard last. Knows seats and moments, sends nothing.

use std::time::Instant;

use super::seat::{Moment, Proof, QUIET, Seat};
use super::{Contact, MAX_FAILURES, Table};

/// Whether it missed nothing, and answered after a silence or just now: no closed hole in a NAT explains
/// its silence.
fn should_answer(seat: &Seat, now: Moment) -> bool {
    let proven = seat.proof() > Proof::Fresh || now.since(seat.heard) < QUIET;
    seat.failures == 0 && proven
}

impl Table {
    /// Whether exactly this contact is in the table and should answer.
    #[must_use]
    pub fn trusts(&self, now: Instant, contact: &Contact) -> bool {
        let now = Moment::of(self.birth, now);
        self.bucket_of(&contact.id).is_some_and(|bucket| {
            let mut seats = bucket.entries.iter();
            seats.any(|seat| seat.contact == *contact && should_answer(seat, now))
        })
    }

    /// Whether exactly this contact is in the table and not bad.
    #[must_use]
    pub fn has_hope_of(&self, contact: &Contact) -> bool {
        self.bucket_of(&contact.id).is_some_and(|bucket| {
            let mut seats = bucket.entries.iter();
            seats.any(|seat| seat.contact == *contact && seat.failures < MAX_FAILURES)
        })
    }

    /// Of the contacts that should answer and were not asked after `since`, the one heard last.
    #[must_use]
    pub fn witness(&self, now: Instant, since: Instant) -> Option<Contact> {
        let (now, since) = (Moment::of(self.birth, now), Moment::of(self.birth, since));
        self.seats()
            .filter(|seat| should_answer(seat, now) && seat.asked <= since)
            .max_by_key(|seat| seat.heard)
            .map(|seat| seat.contact)
    }
}

#[cfg(test)]
mod tests;
