//! Other people's DHT implementations as simulated neighbours.
//!
//! Measured among copies of themselves our lookups would look better, or worse, than in the network
//! that exists. These neighbours are written from what was observed of other implementations
//! (dht.md §1), not from their code: one machine with the verbs of `dht::Node`, driven by a
//! `Policy` of numbers and choices. Real KRPC bytes, IPv4 only. Invariant: same kind, id, seed,
//! inputs and times, same outputs; what comes from the network costs bounded memory.
//!
//! `policy` says what can differ and `kinds` how it does; `table`, `lookup` and `server` are leaves;
//! `machine` answers, `searches` drives lookups, `upkeep` keeps the table; `mix` draws kinds.

use dht::{Contact, Endpoint, Id};

mod kinds;
mod lookup;
mod machine;
pub mod mix;
pub mod policy;
mod server;
mod table;
#[cfg(test)]
mod tests;

pub use dht::Stats;
pub use machine::Neighbour;
pub use mix::Mix;
pub use policy::Policy;

/// An implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// libtorrent 2.1: qBittorrent, Deluge.
    Libtorrent,
    /// mldht: BiglyBT's plugin, crawlers.
    Mldht,
    /// jech/dht: Transmission.
    Jech,
    /// pubky's mainline: k of 20, everything at once.
    Flood,
    /// libtorrent behind a NAT, without knowing it; the NAT is the world's.
    Natted,
    /// BEP 5 to the letter, for comparison.
    Bep5,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Kind::Libtorrent => "libtorrent",
            Kind::Mldht => "mldht",
            Kind::Jech => "jech",
            Kind::Flood => "flood",
            Kind::Natted => "natted",
            Kind::Bep5 => "bep5",
        })
    }
}

/// What a neighbour reports to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Peers were found, each once a lookup, as they come.
    Peers {
        /// Which lookup found them.
        lookup: u64,
        /// Where they are.
        peers: Vec<Endpoint>,
    },
    /// A lookup has ended, its announcements included.
    Done {
        /// Which one.
        lookup: u64,
        /// How it went.
        report: Report,
    },
}

/// How a lookup went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What was looked up.
    pub target: Id,
    /// Nodes asked.
    pub asked: u32,
    /// Nodes that answered before the end.
    pub answered: u32,
    /// Nodes that had failed before the end.
    pub timed_out: u32,
    /// Longest chain of referrals that led to an answer.
    pub hops: u32,
    /// Nodes that stored our announcement.
    pub announced: u32,
    /// The closest k that answered, closest first.
    pub closest: Vec<Contact>,
}
