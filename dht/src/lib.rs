//! A node of the BitTorrent DHT (BEP 5), for IPv4 and IPv6 (BEP 32), without any I/O.
//!
//! The DHT is a Kademlia network that maps info hashes to peers. Each node has a random 160-bit
//! [`Id`]; a peer is announced to the nodes whose ids are closest to the info hash, and found by
//! asking ever closer nodes. [`Node`] is one such node: datagrams and the time go in, datagrams and
//! events come out. It has no socket and no clock, so the client and the simulator run the same code.
//!
//! ```no_run
//! # fn example(mut node: trackless_dht::Node, info_hash: trackless_dht::Id) {
//! # let (send, report) = (|_: trackless_dht::Transmit| (), |_: trackless_dht::Event| ());
//! # let now = unimplemented!();
//! node.join(now, ["203.0.113.1:6881".parse().unwrap()]);
//! let lookup = node.get_peers(now, info_hash);
//! loop {
//!     while let Some(transmit) = node.poll_transmit() { send(transmit) }
//!     while let Some(event) = node.poll_event() { report(event) }
//!     // Receive a datagram until `node.next_timeout()`, then one of:
//!     //   node.handle_datagram(now, from, &datagram);
//!     //   node.handle_timeout(now);
//! }
//! # }
//! ```
//!
//! Files, each using only those before it: `family`, `id`, `contact`, `tuning`, `bloom`, `message` (KRPC), then
//! the leaves `table`, `pool`, `transactions`, `rtt`, `lookup`, `population`, `holders`, `rounds`, `unreachable`,
//! `token`, `proven`, `peers`, `items`, `reachability`, `limiter`, which hardly know each other, and `node`, the
//! machine that wires them.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]
// Tests begin at some instant; nothing that ships reads a clock.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod bloom;
pub mod contact;
pub mod family;
pub mod holders;
pub mod id;
pub mod items;
pub mod limiter;
pub mod link;
pub mod lookup;
pub mod message;
mod node;
pub mod peers;
pub mod pool;
pub mod population;
pub mod proven;
pub mod reachability;
pub mod rounds;
pub mod rtt;
pub mod table;
pub mod token;
pub mod transactions;
pub mod tuning;
pub mod unreachable;

pub use bencode::{AddressPolicy, Endpoint, Family};

pub use bloom::Bloom;
pub use contact::{Address, Contact};
pub use family::{Families, PerFamily};
pub use id::{BadId, Distance, ID_BITS, ID_LENGTH, Id};
pub use items::{BadItem, Item};
pub use limiter::{Allowance, GLOBAL_RATE, UNPROVEN_RATE};
pub use lookup::{K, MAX_QUERIES};
pub use message::{AnnouncePort, Announcement, Part};
pub use node::{
    Config, Event, Identity, LookupId, LookupReport, Node, Queries, Role, Stats, Tracing, Transmit,
};
pub use population::SizeEstimate;
pub use table::{CAPACITIES, Entry, Health};
pub use tuning::Tuning;
