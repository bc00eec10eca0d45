//! What became of contacts that a node saved before it was away for hours or days.
//!
//! A world does not live through a week for this: each saved contact lives through it alone, by the
//! internet's model of sessions (leaving, returning, changing id and address), and only where that
//! leaves it is put into the world. A node is joined through endpoints, so a contact with another id
//! at the same endpoint serves as well as the same one. Invariant: as many endpoints come out as go
//! in, in the same order.

use std::net::SocketAddrV4;
use std::time::Duration;

use dht::Endpoint;
use rand::Rng;

use crate::model::addresses;
use crate::model::sessions::{Kept, Sessions};

use super::newcomer::endpoint;

/// Where somebody is who was met some time ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// At the same address with the same id.
    Same,
    /// At the same address with another id.
    OtherId,
    /// Nobody is there: away, or moved.
    Gone,
}

/// Where somebody is now who was met at a random moment `age` ago.
pub fn fate(sessions: &Sessions, age: Duration, rng: &mut impl Rng) -> Fate {
    let mut habit = sessions.habit_met(rng);
    let mut stays = sessions.residual(&mut habit, rng);
    let mut id = Kept::Same;
    let mut passed = Duration::ZERO;
    while let Some(session) = stays {
        passed += session;
        if passed >= age {
            break;
        }
        passed += sessions.absence(crate::time::Time::ZERO, rng);
        let returns = sessions.returns(rng);
        if passed >= age || returns.address == Kept::New {
            return Fate::Gone;
        }
        if returns.identity == Kept::New {
            id = Kept::New;
        }
        stays = sessions.session(&mut habit, rng);
    }
    match id {
        Kept::Same => Fate::Same,
        Kept::New => Fate::OtherId,
    }
}

/// Addresses that no host of a world of fewer than so many hosts has.
const NOBODYS: u32 = 50_000_000;

/// Contacts as they are after `age`: those who are gone leave an endpoint at which nobody answers.
pub fn aged(
    contacts: &[Endpoint],
    sessions: &Sessions,
    age: Duration,
    rng: &mut impl Rng,
) -> Vec<Endpoint> {
    let mut nobody = NOBODYS + rng.next_u32() % NOBODYS;
    let mut grow_old = |contact: &Endpoint| match fate(sessions, age, rng) {
        Fate::Same | Fate::OtherId => *contact,
        Fate::Gone => {
            nobody += 1;
            endpoint(SocketAddrV4::new(addresses::address(nobody), 6881))
        }
    };
    contacts.iter().map(&mut grow_old).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn gone(hours: u64) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (sessions, age) = (Sessions::default(), Duration::from_secs(hours * 3600));
        let fates = (0..4_000).map(|_| fate(&sessions, age, &mut rng));
        fates.filter(|fate| *fate == Fate::Gone).count() as f64 / 4_000.0
    }

    #[test]
    fn the_longer_away_the_fewer_are_left_but_some_stay_for_ever() {
        let shares = [0, 1, 24, 7 * 24].map(gone);
        assert!(shares[0] < 0.01, "{shares:?}");
        assert!(shares.is_sorted(), "{shares:?}");
        assert!(shares[1] > 0.05 && shares[1] < 0.35, "{shares:?}");
        assert!(shares[3] > 0.6 && shares[3] < 0.95, "{shares:?}");
    }

    #[test]
    fn the_dead_have_endpoints_that_nobody_has() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let here = vec![endpoint(SocketAddrV4::new(addresses::address(7), 6881)); 200];
        let (sessions, week) = (Sessions::default(), Duration::from_secs(7 * 86_400));
        let later = aged(&here, &sessions, week, &mut rng);
        let left = later.iter().filter(|contact| **contact == here[0]).count();
        assert_eq!(later.len(), 200);
        assert!(left > 10 && left < 80, "{left}");
    }
}
