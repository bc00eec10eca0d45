//! A node as others speak of it: an id at an endpoint (BEP 5 "contact information").
//!
//! Only a claim, until the node itself answered. Knows neither tables nor messages.

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

/// Whether other contacts may live at the same IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// The open internet. `Threat:` one host must not fill a table, so one contact an address.
    Exclusive,
    /// A private range that was allowed on purpose: many nodes on one address are normal.
    Shared,
}
