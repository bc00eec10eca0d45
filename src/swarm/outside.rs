//! Our address as others see it: `yourip` of the extension handshake (BEP 10), which BEP 40 takes as
//! "a hint, but should not blindly trust".
//!
//! Each peer's address has one vote, the latest; what most say counts once two agree. It orders
//! peers and does nothing else, so a liar gains little. Invariant: at most `MAX_VOTES` votes a
//! family. Knows no peers.

use std::collections::VecDeque;
use std::net::IpAddr;

use bencode::Family;

/// Votes kept of each family, the latest.
const MAX_VOTES: usize = 32;

/// As many have to agree.
const QUORUM: usize = 2;

/// What the peers say where we are.
#[derive(Debug, Default)]
pub struct Outside {
    v4: Votes,
    v6: Votes,
}

#[derive(Debug, Default)]
struct Votes {
    /// Who said what, oldest first.
    cast: VecDeque<(IpAddr, IpAddr)>,
    elected: Option<IpAddr>,
}

/// The family of an address.
fn family(ip: IpAddr) -> Family {
    if ip.is_ipv4() { Family::V4 } else { Family::V6 }
}

impl Outside {
    /// The peer at `witness` says that it sees us at `us`. Returns our address if that changed it. A
    /// witness of another family than what it says is no witness.
    pub fn handle_vote(&mut self, witness: IpAddr, us: IpAddr) -> Option<IpAddr> {
        let votes = match (family(witness), family(us)) {
            (Family::V4, Family::V4) => &mut self.v4,
            (Family::V6, Family::V6) => &mut self.v6,
            _ => return None,
        };
        votes.cast.retain(|(who, _)| *who != witness);
        if votes.cast.len() >= MAX_VOTES {
            votes.cast.pop_front();
        }
        votes.cast.push_back((witness, us));
        let count = |us: IpAddr| votes.cast.iter().filter(|(_, said)| *said == us).count();
        // Only the one just named can have gained.
        let ahead = votes.elected.is_none_or(|old| count(us) > count(old));
        if votes.elected == Some(us) || count(us) < QUORUM || !ahead {
            return None;
        }
        votes.elected = Some(us);
        votes.elected
    }

    /// Our address of a family, once enough agree.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        match family {
            Family::V4 => self.v4.elected,
            Family::V6 => self.v6.elected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([11, 0, 0, n])
    }

    #[test]
    fn two_have_to_agree_and_one_has_one_vote() {
        let mut outside = Outside::default();
        assert_eq!(outside.handle_vote(ip(1), ip(100)), None);
        assert_eq!(outside.handle_vote(ip(1), ip(100)), None);
        assert_eq!(outside.address(Family::V4), None);
        assert_eq!(outside.handle_vote(ip(2), ip(100)), Some(ip(100)));
        assert_eq!(outside.handle_vote(ip(3), ip(100)), None);
        assert_eq!(outside.address(Family::V4), Some(ip(100)));
        assert_eq!(outside.address(Family::V6), None);
    }

    #[test]
    fn a_majority_changes_it_and_liars_that_are_fewer_do_not() {
        let mut outside = Outside::default();
        (1..=4).for_each(|n| {
            outside.handle_vote(ip(n), ip(100));
        });
        for n in 5..=8 {
            assert_eq!(outside.handle_vote(ip(n), ip(200)), None);
        }
        assert_eq!(outside.handle_vote(ip(9), ip(200)), Some(ip(200)));
    }

    #[test]
    fn votes_are_bounded_and_families_do_not_mix() {
        let mut outside = Outside::default();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(outside.handle_vote(ip(1), v6), None);
        (0..200).for_each(|n| {
            outside.handle_vote(ip(n), ip(n));
        });
        assert_eq!(outside.v4.cast.len(), MAX_VOTES);
        assert_eq!(outside.v6.cast.len(), 0);
    }
}
