//! One place of a table, packed, because a simulated network has ten million of them: moments are
//! sixteenths of a second since the table's birth, so that 56 bytes hold what took 96.

use std::time::{Duration, Instant};

use super::{Entry, Health, health};
use crate::contact::{Address, Contact};

/// Moments a second. In 32 bits they last for eight years.
const TICKS: u64 = 16;

/// A moment in the life of a table, rounded down to a sixteenth of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u32);

impl Moment {
    pub(super) fn of(birth: Instant, now: Instant) -> Moment {
        let elapsed = now.saturating_duration_since(birth);
        let ticks = elapsed.as_secs() * TICKS + u64::from(elapsed.subsec_micros() / 62_500);
        Moment(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    fn since(self, earlier: Moment) -> Duration {
        let ticks = u64::from(self.0.saturating_sub(earlier.0));
        Duration::from_micros(ticks * (1_000_000 / TICKS))
    }

    pub(super) fn instant(self, birth: Instant) -> Instant {
        birth + self.since(Moment(0))
    }
}

/// A contact and what is known about it.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) contact: Contact,
    pub(super) since: Moment,
    pub(super) heard: Moment,
    pub(super) rtt_micros: u32,
    pub(super) failures: u8,
    pub(super) address: Address,
}

impl Seat {
    /// Someone who answered just now.
    pub(super) fn new(contact: Contact, now: Moment, rtt: Duration, address: Address) -> Seat {
        Seat {
            contact,
            since: now,
            heard: now,
            rtt_micros: u32::try_from(rtt.as_micros()).unwrap_or(u32::MAX),
            failures: 0,
            address,
        }
    }

    pub(super) fn health(&self, now: Moment) -> Health {
        health(self.failures, now.since(self.heard))
    }

    pub(super) fn entry(&self, birth: Instant) -> Entry {
        Entry {
            contact: self.contact,
            since: self.since.instant(birth),
            heard: self.heard.instant(birth),
            rtt: Duration::from_micros(u64::from(self.rtt_micros)),
            failures: self.failures,
        }
    }

    /// Whether the two may not both be in the table.
    pub(super) fn clashes(&self, contact: &Contact, address: Address) -> bool {
        self.contact.endpoint.ip == contact.endpoint.ip
            && self.contact.endpoint != contact.endpoint
            && (address == Address::Exclusive || self.address == Address::Exclusive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_small() {
        assert!(size_of::<Seat>() <= 56, "{}", size_of::<Seat>());
    }

    #[test]
    fn moments_are_sixteenths_of_a_second() {
        let birth = Instant::now();
        let now = birth + Duration::from_millis(1_130);
        let moment = Moment::of(birth, now);
        assert_eq!(moment.instant(birth), birth + Duration::from_millis(1_125));
        // A clock that went back, and one that ran for a century.
        assert_eq!(Moment::of(now, birth), Moment(0));
        let century = birth + Duration::from_secs(100 * 366 * 86_400);
        assert_eq!(Moment::of(birth, century), Moment(u32::MAX));
    }
}
