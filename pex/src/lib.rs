//! Peer exchange (BEP 11) without I/O: peers tell each other whom they are connected to.
//!
//! The way through the files:
//!
//! - [`Message`] is the payload of one `ut_pex` message: who came, who left, with [`Flags`];
//! - [`Exchange`] is one connection's both directions: outgoing it is a set difference between
//!   whom we are connected to and whom this peer was told of; incoming it polices the rate, the
//!   size, the addresses and the ports;
//! - [`Recent`] are those whom we left without blame, told where few are connected.
//!
//! The owner frames the payloads (BEP 10), holds the connected set, and stays silent for private
//! torrents (BEP 27). What comes out of [`Exchange::handle_message`] are candidates that a
//! stranger named, not facts: the owner limits how often it dials them.
//!
//! ```
//! # use std::time::{Duration, Instant};
//! # fn exchange(start: Instant) {
//! let mut exchange = pex::Exchange::new(start);
//! let peer = ("192.0.2.1:6881".parse().unwrap(), pex::Flags::REACHABLE);
//! let payload = exchange.update(start + pex::FIRST_DELAY, [peer], &pex::Recent::default());
//! assert!(payload.is_some());
//! # }
//! ```
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod exchange;
mod message;
mod recent;

pub use exchange::{
    Exchange, FIRST_ADDED_MAX, FIRST_DELAY, INTERVAL, LATER_ADDED_MAX, Stats, Violation,
};
pub use message::{Flags, Malformed, Message};
pub use recent::{RECENT_MAX, Recent};
