//! A node as others speak of it: an id at an endpoint (BEP 5 "contact information").
//!
//! Only a claim, until the node itself answered. Knows neither tables nor messages.

use std::net::IpAddr;

use bencode::Endpoint;

use crate::id::Id;

/// A node and where it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Contact {
    /// Its id.
    pub id: Id,
    /// Its address and UDP port.
    pub endpoint: Endpoint,
}

/// The network that one host can easily have whole: a v4 /24, a v6 /48 (dht.md §3.3).
#[must_use]
pub fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0])
        }
    }
}

/// Whether other contacts may live at the same IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The open internet. `Threat:` one host must not fill a table, so one contact an address.
    Exclusive,
    /// A private range that was allowed on purpose: many nodes on one address are normal.
    Shared,
}

/// The network that an address belongs to: a v4 /24, a v6 /64, the least that one owner has.
///
/// `Threat:` addresses within it come for nothing, so a rule that counts nodes counts networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network(u64);

impl Network {
    /// Where `contact` lives.
    #[must_use]
    pub fn of(contact: &Contact) -> Network {
        match contact.endpoint.ip {
            // No v6 network of the open internet is that small a number.
            IpAddr::V4(ip) => Network(u64::from(u32::from(ip) >> 8)),
            IpAddr::V6(ip) => Network((u128::from(ip) >> 64) as u64),
        }
    }
}
