//! What others say about our address (BEP 42: the `ip` key of a reply).
//!
//! Each reply that matched a question of ours is one vote of the network it came from. Invariant:
//! one vote a network, the newest `MAX_VOTES` kept; an address is believed only with
//! `MIN_VOTES` votes and two thirds of all. It does not derive ids and sends nothing.

use std::collections::VecDeque;
use std::net::IpAddr;

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
    external: Option<IpAddr>,
}

impl Reachability {
    /// Counts that a node at `voter` saw us at `seen`. Returns the elected address when this vote
    /// changed it.
    pub fn observed(&mut self, voter: IpAddr, seen: IpAddr) -> Option<IpAddr> {
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
        if !elected || self.external == Some(seen) {
            return None;
        }
        self.external = Some(seen);
        Some(seen)
    }

    /// The address last elected.
    #[must_use]
    pub fn external(&self) -> Option<IpAddr> {
        self.external
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
        assert_eq!(votes.external(), Some(us(1)));
    }

    #[test]
    fn one_network_has_one_vote() {
        let mut votes = Reachability::default();
        for host in 0..100 {
            assert_eq!(votes.observed(IpAddr::from([20, 1, 1, host]), us(1)), None);
        }
        assert_eq!(votes.external(), None);
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
        assert_eq!(votes.external(), Some(us(1)));
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
        assert_eq!((changed, votes.external()), (1, Some(us(2))));
    }
}
