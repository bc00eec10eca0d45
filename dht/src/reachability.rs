//! What others say about our address (BEP 42: the `ip` key of a reply).
//!
//! Each reply that matched a question of ours is one vote of the network it came from. Invariant:
//! one vote a network, the newest `MAX_VOTES` kept; an address is believed only with
//! `MIN_VOTES` votes and two thirds of all. It does not derive ids and sends nothing.

use std::collections::VecDeque;
use std::net::IpAddr;

use bencode::Family;

use crate::family::PerFamily;

/// Votes kept, one a /16 (v6: /32) of distinct voters.
pub const MAX_VOTES: usize = 32;
/// Fewest agreeing votes that settle the question.
///
/// `Threat:` a handful of hosts in one network must not rename us, so voters are counted by
/// network.
pub const MIN_VOTES: usize = 4;

/// The votes and the address that they elected.
#[derive(Clone, Debug, Default)]
pub struct Reachability {
    /// Oldest first.
    votes: VecDeque<(IpAddr, IpAddr)>,
    external: PerFamily<Option<IpAddr>>,
}

impl Reachability {
    /// Counts that a node at `voter` saw us at `seen`. Returns the elected address when this vote
    /// changed it. Nobody sees us at an address of the other family.
    pub fn observed(&mut self, voter: IpAddr, seen: IpAddr) -> Option<IpAddr> {
        if voter.is_ipv4() != seen.is_ipv4() {
            return None;
        }
        let network = network_of(voter);
        self.votes
            .retain(|(other, vote)| *other != network || vote.is_ipv4() != seen.is_ipv4());
        while self.votes.len() >= MAX_VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back((network, seen));
        let agreeing = self.votes.iter().filter(|(_, vote)| *vote == seen).count();
        let entitled = self
            .votes
            .iter()
            .filter(|(_, vote)| vote.is_ipv4() == seen.is_ipv4())
            .count();
        let elected = agreeing >= MIN_VOTES && agreeing * 3 >= entitled * 2;
        let external = &mut self.external[family_of(seen)];
        if !elected || *external == Some(seen) {
            return None;
        }
        *external = Some(seen);
        Some(seen)
    }

    /// The address of a family last elected.
    #[must_use]
    pub fn external(&self, family: Family) -> Option<IpAddr> {
        self.external[family]
    }
}

fn family_of(ip: IpAddr) -> Family {
    match ip {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    }
}

/// What counts as one voter.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            IpAddr::from([a, b, 0, 0])
        }
        IpAddr::V6(ip) => {
            let [a, b, ..] = ip.segments();
            IpAddr::from([a, b, 0, 0, 0, 0, 0, 0])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(n: u8) -> IpAddr {
        IpAddr::from([20, n, 1, 1])
    }

    fn us(n: u8) -> IpAddr {
        IpAddr::from([81, 2, 3, n])
    }

    #[test]
    fn four_networks_elect_an_address_once() {
        let mut votes = Reachability::default();
        for n in 0..3 {
            assert_eq!(votes.observed(voter(n), us(1)), None);
        }
        assert_eq!(votes.observed(voter(3), us(1)), Some(us(1)));
        assert_eq!(votes.observed(voter(4), us(1)), None);
        assert_eq!(votes.external(Family::V4), Some(us(1)));
    }

    #[test]
    fn one_network_has_one_vote() {
        let mut votes = Reachability::default();
        for host in 0..100 {
            assert_eq!(votes.observed(IpAddr::from([20, 1, 1, host]), us(1)), None);
        }
        assert_eq!(votes.external(Family::V4), None);
    }

    #[test]
    fn a_minority_does_not_rename_us() {
        let mut votes = Reachability::default();
        for n in 0..20 {
            votes.observed(voter(n), us(1));
        }
        for n in 20..30 {
            assert_eq!(votes.observed(voter(n), us(2)), None);
        }
        assert_eq!(votes.external(Family::V4), Some(us(1)));
    }

    #[test]
    fn a_new_address_wins_in_time_and_memory_is_bounded() {
        let mut votes = Reachability::default();
        for n in 0..100 {
            votes.observed(voter(n), us(1));
        }
        assert!(votes.votes.len() <= MAX_VOTES);
        let changed = (100..200)
            .filter_map(|n| votes.observed(voter(n), us(2)))
            .count();
        assert_eq!((changed, votes.external(Family::V4)), (1, Some(us(2))));
    }

    #[test]
    fn each_family_elects_its_own_address() {
        let v6 = |n: u16| IpAddr::from([0x2a00 + n, 1, 0, 0, 0, 0, 0, 1]);
        let mut votes = Reachability::default();
        let mut elected = Vec::new();
        for n in 0..8 {
            elected.extend(votes.observed(voter(n), us(1)));
            elected.extend(votes.observed(v6(n.into()), v6(99)));
            // What nobody can see.
            assert_eq!(votes.observed(voter(n), v6(98)), None);
        }
        assert_eq!(elected, [us(1), v6(99)]);
        assert_eq!(votes.external(Family::V4), Some(us(1)));
        assert_eq!(votes.external(Family::V6), Some(v6(99)));
    }
}
