//! One place of a table, packed, because a simulated network has ten million of them: moments are
//! sixteenths of a second since the table's birth, so that 56 bytes hold what took 96.
//!
//! A seat also knows how far its sitter is proven. `Threat:` whoever asked us, or was just asked by
//! us, answers through a hole in its NAT that nobody else can use (dht.md §2.2: a third of all nodes),
//! so an answer proves only as much as the silence before it was long.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::{Entry, Health, health};
use crate::contact::{Address, Contact};

/// Moments a second. In 32 bits they last for eight years.
const TICKS: u64 = 16;
/// Units of a stored round trip a second: in 16 bits they last for 16 s.
const RTT_UNITS: u128 = 4_000;
/// Most holes in NATs are closed after so much silence (dht.md §2.2: median 35 to 65 s).
pub(super) const QUIET: Duration = Duration::from_secs(90);
/// All of them are (dht.md §5.2: 30 to 300 s).
const CLOSED: Duration = Duration::from_secs(300);

/// A moment in the life of a table, rounded down to a sixteenth of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(u32);

impl Moment {
    pub(super) fn of(birth: Instant, now: Instant) -> Moment {
        let elapsed = now.saturating_duration_since(birth);
        let ticks = elapsed.as_secs() * TICKS + u64::from(elapsed.subsec_micros() / 62_500);
        Moment(u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    pub(super) fn since(self, earlier: Moment) -> Duration {
        let ticks = u64::from(self.0.saturating_sub(earlier.0));
        Duration::from_micros(ticks * (1_000_000 / TICKS))
    }

    pub(super) fn after(self, span: Duration) -> Moment {
        let ticks = span.as_secs().saturating_mul(TICKS);
        Moment(
            self.0
                .saturating_add(u32::try_from(ticks).unwrap_or(u32::MAX)),
        )
    }

    pub(super) fn instant(self, birth: Instant) -> Instant {
        birth + self.since(Moment(0))
    }
}

/// What the answers of a contact have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// It answered, maybe through a hole.
    Fresh,
    /// It answered after `QUIET`: few holes live that long.
    Tried,
    /// It answered after `CLOSED`: anybody can reach it.
    Proven,
}

/// Whether an id is one that BEP 42 allows at its address. Preferred, never required.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bond {
    /// Any id: chosen freely, perhaps to be near us.
    Free,
    /// An id that follows from the address.
    Bound,
}

/// A contact and what is known about it.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) contact: Contact,
    pub(super) since: Moment,
    /// When anything last came from it.
    pub(super) heard: Moment,
    /// When a question of ours was last put to it by the upkeep, or ended.
    pub(super) asked: Moment,
    rtt_units: u16,
    pub(super) failures: u8,
    traits: Traits,
}

/// Three small enums in one byte.
#[derive(Clone, Copy, Debug)]
struct Traits(u8);

impl Traits {
    fn new(proof: Proof, bond: Bond, address: Address) -> Traits {
        let shared = u8::from(address == Address::Shared);
        Traits(proof as u8 | (bond as u8) << 2 | shared << 3)
    }
}

impl Seat {
    /// Someone who answered just now.
    pub(super) fn new(contact: Contact, now: Moment, rtt: Duration, address: Address) -> Seat {
        let bond = if contact.id.suits_address(contact.endpoint.ip) {
            Bond::Bound
        } else {
            Bond::Free
        };
        let units = rtt.as_nanos().saturating_mul(RTT_UNITS) / 1_000_000_000;
        Seat {
            contact,
            since: now,
            heard: now,
            asked: now,
            rtt_units: u16::try_from(units).unwrap_or(u16::MAX),
            failures: 0,
            traits: Traits::new(Proof::Fresh, bond, address),
        }
    }

    /// It answered again: `again` is the seat that this answer would have made.
    pub(super) fn meet(&mut self, again: &Seat) {
        let silence = again.heard.since(self.heard);
        let shown = if silence >= CLOSED {
            Proof::Proven
        } else if silence >= QUIET {
            Proof::Tried
        } else {
            Proof::Fresh
        };
        self.traits = Traits::new(self.proof().max(shown), self.bond(), again.address());
        // The least of all samples, which queues cannot lengthen, but not for ever: routes change.
        self.rtt_units = if again.rtt_units < self.rtt_units {
            again.rtt_units
        } else {
            self.rtt_units + (again.rtt_units - self.rtt_units) / 8
        };
        self.heard = again.heard;
        self.asked = again.heard;
        self.failures = 0;
    }

    pub(super) fn proof(&self) -> Proof {
        match self.traits.0 & 3 {
            0 => Proof::Fresh,
            1 => Proof::Tried,
            _ => Proof::Proven,
        }
    }

    pub(super) fn bond(&self) -> Bond {
        if self.traits.0 & 4 == 0 {
            Bond::Free
        } else {
            Bond::Bound
        }
    }

    pub(super) fn address(&self) -> Address {
        if self.traits.0 & 8 == 0 {
            Address::Exclusive
        } else {
            Address::Shared
        }
    }

    pub(super) fn rtt(&self) -> Duration {
        Duration::from_micros(u64::from(self.rtt_units) * 250)
    }

    pub(super) fn health(&self, now: Moment) -> Health {
        health(self.failures, now.since(self.heard))
    }

    pub(super) fn entry(&self, birth: Instant) -> Entry {
        Entry {
            contact: self.contact,
            since: self.since.instant(birth),
            heard: self.heard.instant(birth),
            rtt: self.rtt(),
            failures: self.failures,
        }
    }

    /// Whether the two may not both be in the table.
    pub(super) fn clashes(&self, contact: &Contact, address: Address) -> bool {
        self.contact.endpoint.ip == contact.endpoint.ip
            && self.contact.endpoint != contact.endpoint
            && (address == Address::Exclusive || self.address() == Address::Exclusive)
    }

    /// The network it lives in, for diversity: /24 or, of v6, /64, and the wider /16 or /32. `None`
    /// where addresses are shared: a private network is one network.
    pub(super) fn network(&self) -> Option<(u64, u32)> {
        if self.address() == Address::Shared {
            return None;
        }
        Some(match self.contact.endpoint.ip {
            IpAddr::V4(ip) => (u64::from(u32::from(ip) >> 8), u32::from(ip) >> 16),
            IpAddr::V6(ip) => {
                let bits = u128::from(ip);
                ((bits >> 64) as u64, (bits >> 96) as u32)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bencode::Endpoint;

    use crate::id::Id;

    fn seat(now: Moment, rtt: u64) -> Seat {
        let contact = Contact {
            id: Id::new([7; 20]),
            endpoint: Endpoint::new([20, 1, 2, 3].into(), 7),
        };
        let rtt = Duration::from_millis(rtt);
        Seat::new(contact, now, rtt, Address::Exclusive)
    }

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
        assert_eq!(Moment::of(birth, century).after(CLOSED), Moment(u32::MAX));
    }

    #[test]
    fn an_answer_proves_as_much_as_the_silence_before_it() {
        let mut sitter = seat(Moment(0), 40);
        let mut now = Moment(0);
        for (silence, proof) in [
            (Duration::from_secs(5), Proof::Fresh),
            (QUIET, Proof::Tried),
            (Duration::from_secs(5), Proof::Tried),
            (CLOSED, Proof::Proven),
        ] {
            now = now.after(silence);
            sitter.meet(&seat(now, 40));
            assert_eq!(sitter.proof(), proof);
        }
    }

    #[test]
    fn the_shortest_round_trip_counts_and_is_forgotten_slowly() {
        let mut sitter = seat(Moment(0), 80);
        sitter.meet(&seat(Moment(1), 40));
        assert_eq!(sitter.rtt(), Duration::from_millis(40));
        sitter.meet(&seat(Moment(2), 2_000));
        assert_eq!(sitter.rtt(), Duration::from_millis(285));
        assert_eq!(
            seat(Moment(0), 99_999).rtt(),
            Duration::from_micros(65_535 * 250)
        );
    }
}
