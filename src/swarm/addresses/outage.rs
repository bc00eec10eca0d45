//! After an outage of our own (reliability.md N1, N2): whoever could not be reached meanwhile may be tried again.
//!
//! Invariant: for whom only peers vouch two attempts an hour stay the most, whatever our link does.

use std::time::Instant;

use super::AddressBook;

impl AddressBook {
    /// Our own link came back, or has another address: what failed meanwhile says nothing about others.
    pub fn network_changed(&mut self, now: Instant) {
        for known in self.known.values_mut() {
            known.excuse(now);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use std::time::Duration;

    use bencode::{AddressPolicy, Endpoint};

    use super::super::{Failure, Need, Outcome};
    use super::*;
    use crate::swarm::PeerSource;

    /// Rows N1: pauses of whoever could not be reached end with our outage; a closed port's does not.
    #[test]
    fn who_was_out_of_reach_is_tried_again() {
        let start = Instant::now();
        let mut now = start;
        let mut book = AddressBook::new(now, AddressPolicy::default());
        let [away, closed] =
            ["1.2.3.4:5", "5.6.7.8:9"].map(|text| text.parse::<Endpoint>().unwrap());
        for endpoint in [away, closed] {
            assert!(book.add(now, endpoint, PeerSource::Tracker));
        }
        for _ in 0..2 {
            while let Some(endpoint) = book.next(now, Need::Any) {
                let why = if endpoint == closed {
                    Failure::Refused
                } else {
                    Failure::Other
                };
                book.ended(now, endpoint, Outcome::Failed(why));
            }
            now += Duration::from_secs(15);
        }
        now += Duration::from_secs(1);
        assert_eq!(book.next(now, Need::Any), None);
        book.network_changed(now);
        assert_eq!(book.next(now, Need::Any), Some(away));
        assert_eq!(book.next(now, Need::Any), None);
    }
}
