//! Contacts to come back to (dht.md §4.8): those that lasted longest, from all over the internet.
//!
//! Whoever saves them and asks them first after a restart does not depend on who was near of late.
//! `Threat:` one network, however large, gives one of them, and only by being there for long.

use std::net::IpAddr;

use super::Table;
use super::seat::Proof;
use crate::contact::Contact;

/// Contacts of a saved table that come first, and that `join` keeps longest.
pub const MAX_ANCHORS: usize = 32;

impl Table {
    /// At most `count` contacts that anybody reaches and that missed no answer of late, each of another
    /// /8 (v6: /16), longest known first.
    #[must_use]
    pub fn anchors(&self, count: usize) -> Vec<Contact> {
        let mut proven: Vec<_> = self
            .seats()
            .filter(|seat| seat.proof() == Proof::Proven && seat.failures == 0)
            .collect();
        proven.sort_by_key(|seat| (seat.since, seat.contact));
        let mut blocks = Vec::new();
        let mut anchors = Vec::new();
        for contact in proven.into_iter().map(|seat| seat.contact) {
            let block = block_of(contact.endpoint.ip);
            if anchors.len() < count && !blocks.contains(&block) {
                blocks.push(block);
                anchors.push(contact);
            }
        }
        anchors
    }
}

/// A block of addresses that no single attacker has more than a few of.
fn block_of(ip: IpAddr) -> u16 {
    match ip {
        IpAddr::V4(ip) => u16::from(ip.octets()[0]),
        IpAddr::V6(ip) => ip.segments()[0],
    }
}

#[cfg(test)]
mod tests;
