//! The plans of `trackless dht …`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dht::Id;

use super::NetworkPlan;
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
