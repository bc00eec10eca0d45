//! The plans of `trackless dht …`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dht::Id;

use super::{Existing, NetworkPlan};
use crate::cli::hosts::HostPort;
use crate::metainfo::InfoHash;

/// `trackless dht …`
#[derive(Debug)]
pub enum DhtPlan {
    /// Run a bare node until interrupted.
    Node(NodePlan),
    /// Look for peers.
    Lookup(LookupPlan),
    /// Ask for a sign of life.
    Ping {
        /// Whom; never empty.
        nodes: Vec<HostPort>,
        /// The network.
        network: NetworkPlan,
    },
    /// Look for nodes.
    Find(FindPlan),
    /// Tell that a peer is here.
    Announce(AnnouncePlan),
    /// Count seeds and peers.
    Scrape {
        /// Of what.
        info_hash: InfoHash,
        /// The network.
        network: NetworkPlan,
    },
    /// Fetch a value.
    Get(GetItemPlan),
    /// Store a value.
    Put(PutPlan),
    /// Only make a key, and write it to this file, which does not exist.
    NewKey(PathBuf),
    /// Collect info hashes.
    Sample {
        /// On the way to what; `None`: anywhere.
        target: Option<Id>,
        /// The network.
        network: NetworkPlan,
    },
    /// Join, then show the routing table.
    Table {
        /// The picture's file; a second one for the other family.
        svg: Option<PathBuf>,
        /// The network.
        network: NetworkPlan,
    },
    /// Join, then show the counters.
    Stats(NetworkPlan),
    /// Estimate the number of nodes.
    Size {
        /// Places to count at, 1 to 256.
        lookups: u16,
        /// The network.
        network: NetworkPlan,
    },
    /// Ids and addresses.
    Id(IdPlan),
}

/// `trackless dht node`.
#[derive(Debug)]
pub struct NodePlan {
    /// Where counters are served; port 0 takes any.
    pub metrics: Option<SocketAddr>,
    /// The network.
    pub network: NetworkPlan,
}

/// `trackless dht lookup`.
#[derive(Debug)]
pub struct LookupPlan {
    /// Of what.
    pub info_hash: InfoHash,
    /// Whether every node asked is shown.
    pub trace: Trace,
    /// The picture's file.
    pub svg: Option<PathBuf>,
    /// The network.
    pub network: NetworkPlan,
}

/// `trackless dht find`.
#[derive(Debug)]
pub struct FindPlan {
    /// Near what.
    pub target: Id,
    /// Whether every node asked is shown.
    pub trace: Trace,
    /// The network.
    pub network: NetworkPlan,
}

/// `trackless dht announce`.
#[derive(Debug)]
pub struct AnnouncePlan {
    /// Of what.
    pub info_hash: InfoHash,
    /// The TCP port to announce; `None`: the one that the command has bound, which it gives up again.
    pub port: Option<u16>,
    /// The network, with any port: the announced one may be in use by the peer.
    pub network: NetworkPlan,
}

/// `trackless dht id`.
#[derive(Debug)]
pub enum IdPlan {
    /// Ours, and the address that others see.
    Ours(NetworkPlan),
    /// One for this address.
    Make(IpAddr),
    /// Whether the id suits the address.
    Check(IpAddr, Id),
}

/// `--trace`
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// Only the summary.
    Off,
    /// One line a node.
    On,
}

/// `trackless dht get`.
#[derive(Debug)]
pub struct GetItemPlan {
    /// Which item.
    pub wanted: Wanted,
    /// Where its value goes; `None`: to stdout.
    pub output: Option<PathBuf>,
    /// A file in the way.
    pub existing: Existing,
    /// The network.
    pub network: NetworkPlan,
}

/// Where an item lives, and what it was made with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The hash of its content, or of key and salt.
    pub target: Id,
    /// At most 64 bytes.
    pub salt: Vec<u8>,
}

/// `trackless dht put`.
#[derive(Debug)]
pub struct PutPlan {
    /// Its content, bencoded and checked: canonical and at most 1000 bytes.
    pub value: Vec<u8>,
    /// The torrent that the content publishes.
    pub torrent: Option<InfoHash>,
    /// How it is stored.
    pub stored: Stored,
    /// The network.
    pub network: NetworkPlan,
}

/// How a value is stored.
#[derive(Debug)]
pub enum Stored {
    /// For ever the same, under its own hash.
    Immutable,
    /// Under a key, to be replaced.
    Mutable {
        /// Whose.
        key: KeySource,
        /// At most 64 bytes.
        salt: Vec<u8>,
        /// The version; `None`: one more than the network has.
        seq: Option<i64>,
        /// The version to replace; `None`: any lower one.
        cas: Option<i64>,
    },
}

/// Where a secret key comes from.
#[derive(Debug)]
pub enum KeySource {
    /// It was read.
    Read(Secret),
    /// It is to be made and written to this file, which does not exist.
    New(PathBuf),
}

/// The seed of an ed25519 key. Never shown.
#[derive(Clone)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}
