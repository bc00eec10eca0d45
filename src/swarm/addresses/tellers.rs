//! Who told us of addresses (BEP 11), and what their word is worth.
//!
//! A client reports whom it is connected to, so its contacts are alive: about one in three can be
//! reached from outside. Whoever names twenty in a row that cannot is mistaken or lies, and is not
//! heard any more. Invariant: a teller has at most [`MAX_HELD`] addresses in the book that nobody else
//! vouches for and nobody has tried. Threat (BEP 11, "Security Considerations"): floods of invented peers.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// Addresses that one teller may have in the book on its word alone, untried (reliability.md P11).
pub(super) const MAX_HELD: u32 = 100;

/// Tellers remembered.
const MAX_TELLERS: usize = 1_000;

/// Failures for each success (and for the first success to come) after which a teller is not
/// believed. With two of three honest contacts out of reach it happens to one honest teller in 3,000.
const PATIENCE: u32 = 20;

/// Who tells: a host, however often it comes back. Where many share an address, one endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Teller {
    ip: IpAddr,
    port: u16,
}

impl Teller {
    /// The host at `ip`; of IPv6 the /64, which is one customer's.
    pub(super) fn host(ip: IpAddr) -> Teller {
        let ip = match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
        };
        Teller { ip, port: 0 }
    }

    /// One of many at an address.
    pub(super) fn endpoint(ip: IpAddr, port: u16) -> Teller {
        Teller { ip, port }
    }
}

/// What became of a teller's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Credit {
    /// In the book on its word alone, untried.
    held: u32,
    /// Could not be reached at the first attempt.
    failed: u32,
    /// Could.
    worked: u32,
}

impl Credit {
    fn is_spent(self) -> bool {
        self.failed >= PATIENCE.saturating_mul(self.worked.saturating_add(1))
    }
}

/// All tellers of a torrent.
#[derive(Debug, Default)]
pub(super) struct Tellers {
    credits: BTreeMap<Teller, Credit>,
}

impl Tellers {
    /// Whether one more address of this teller is accepted.
    pub(super) fn may_tell(&self, teller: Teller) -> bool {
        match self.credits.get(&teller) {
            Some(credit) => credit.held < MAX_HELD && !credit.is_spent(),
            None => {
                let idle = |credit: &Credit| credit.held == 0 && !credit.is_spent();
                self.credits.len() < MAX_TELLERS || self.credits.values().any(idle)
            }
        }
    }

    /// An address of this teller went into the book.
    pub(super) fn hold(&mut self, teller: Teller) {
        if self.credits.len() >= MAX_TELLERS && !self.credits.contains_key(&teller) {
            // Whoever holds nothing and is in good standing loses nothing by being forgotten.
            let idle = self
                .credits
                .iter()
                .find(|(_, credit)| credit.held == 0 && !credit.is_spent());
            let Some(idle) = idle.map(|(teller, _)| *teller) else {
                return;
            };
            self.credits.remove(&idle);
        }
        self.credits.entry(teller).or_default().held += 1;
    }

    /// An address left the book, was tried, or others vouch for it now.
    pub(super) fn release(&mut self, teller: Teller) {
        if let Some(credit) = self.credits.get_mut(&teller) {
            credit.held = credit.held.saturating_sub(1);
        }
    }

    /// An address could not be reached. `true` if the teller's credit is spent by that.
    pub(super) fn failed(&mut self, teller: Teller) -> bool {
        let Some(credit) = self.credits.get_mut(&teller) else {
            return false;
        };
        let before = credit.is_spent();
        credit.failed = credit.failed.saturating_add(1);
        credit.is_spent() && !before
    }

    /// An address was right.
    pub(super) fn worked(&mut self, teller: Teller) {
        if let Some(credit) = self.credits.get_mut(&teller) {
            credit.worked = credit.worked.saturating_add(1);
        }
    }

    /// Addresses in the book on its word alone.
    #[cfg(test)]
    pub(super) fn held(&self, teller: Teller) -> u32 {
        self.credits.get(&teller).map_or(0, |credit| credit.held)
    }

    /// Failures for each success, rounded down: 0 for the good and the unknown.
    pub(super) fn doubt(&self, teller: Teller) -> u32 {
        self.credits
            .get(&teller)
            .map_or(0, |credit| credit.failed / (credit.worked + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn teller(n: u32) -> Teller {
        Teller::host(IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0b00_0000 + n)))
    }

    /// Rows P11: who names twenty dead addresses is not believed.
    #[test]
    fn twenty_failures_in_a_row_spend_the_credit() {
        let mut tellers = Tellers::default();
        tellers.hold(teller(1));
        let spent: Vec<bool> = (0..25).map(|_| tellers.failed(teller(1))).collect();
        assert_eq!(spent.iter().position(|spent| *spent), Some(19));
        assert_eq!(spent.iter().filter(|spent| **spent).count(), 1);
        assert!(!tellers.may_tell(teller(1)) && tellers.may_tell(teller(2)));
    }

    #[test]
    fn one_of_three_that_work_is_enough() {
        let mut tellers = Tellers::default();
        tellers.hold(teller(1));
        for n in 0..300 {
            if n % 3 == 0 {
                tellers.worked(teller(1));
            } else {
                assert!(!tellers.failed(teller(1)));
            }
        }
        assert!(tellers.may_tell(teller(1)));
        assert!(tellers.doubt(teller(1)) <= 2 && tellers.doubt(teller(9)) == 0);
    }

    /// Rows P11: a hundred untried addresses of one teller.
    #[test]
    fn a_hundred_at_a_time_and_a_thousand_tellers() {
        let mut tellers = Tellers::default();
        for _ in 0..MAX_HELD {
            assert!(tellers.may_tell(teller(0)));
            tellers.hold(teller(0));
        }
        assert!(!tellers.may_tell(teller(0)));
        tellers.release(teller(0));
        assert!(tellers.may_tell(teller(0)));
        (1..5_000).for_each(|n| tellers.hold(teller(n)));
        assert_eq!(tellers.credits.len(), MAX_TELLERS);
        assert!(!tellers.may_tell(teller(5_000)));
        tellers.release(teller(7));
        assert!(tellers.may_tell(teller(5_000)));
        tellers.hold(teller(5_000));
        assert_eq!(tellers.credits.len(), MAX_TELLERS);
    }

    #[test]
    fn a_customer_of_ipv6_is_one_teller() {
        let at = |text: &str| Teller::host(text.parse().unwrap());
        assert_eq!(at("2001:db8:1:2::3"), at("2001:db8:1:2:ffff::1"));
        assert_ne!(at("2001:db8:1:2::3"), at("2001:db8:1:3::3"));
    }
}
