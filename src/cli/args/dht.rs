//! `trackless dht …` as it is typed.
//!
//! Invariant: like everywhere in `args`, no option has a default here. Knows no meaning of any of them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::super::hosts::HostPort;
use super::NetworkArgs;

/// `trackless dht …`.
#[derive(Subcommand, Debug)]
pub enum DhtCommand {
    /// Run a bare node until interrupted
    Node(NodeArgs),
    /// Who has this torrent?
    Lookup(LookupArgs),
    /// Ask nodes for a sign of life (default: the bootstrap nodes)
    Ping {
        /// The nodes
        #[arg(value_name = "HOST:PORT")]
        node: Vec<HostPort>,
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Which nodes are closest to an id?
    Find {
        /// A node id, an info hash or a magnet link
        #[arg(value_name = "ID|HASH")]
        target: String,
        /// One line for each node asked
        #[arg(long)]
        trace: bool,
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Tell the closest nodes that a peer is here, at --port
    Announce(AnnounceArgs),
    /// Join, then show the routing table
    Table {
        /// Draw the seats by distance and age
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Join, then show this node's counters
    Stats {
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Estimate how many nodes the network has
    Size {
        /// Random places to count at; more are more exact
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
        lookups: Option<u16>,
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Our ids and our address as others see it; or an id for an address (BEP 42)
    Id(IdArgs),
}

/// `trackless dht node`.
#[derive(ClapArgs, Debug)]
pub struct NodeArgs {
    /// Serve counters as Prometheus text at this address (http://ADDR/metrics)
    #[arg(long, value_name = "ADDR:PORT")]
    pub metrics: Option<SocketAddr>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless dht lookup`.
#[derive(ClapArgs, Debug)]
pub struct LookupArgs {
    /// Info hash or magnet link
    #[arg(value_name = "HASH|MAGNET")]
    pub input: String,
    /// One line for each node asked
    #[arg(long)]
    pub trace: bool,
    /// Draw the answers as they came
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless dht announce`.
#[derive(ClapArgs, Debug)]
pub struct AnnounceArgs {
    /// Info hash or magnet link
    #[arg(value_name = "HASH|MAGNET")]
    pub input: String,
    /// The network; `--port` is the one that is announced.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless dht id`.
#[derive(ClapArgs, Debug)]
pub struct IdArgs {
    /// An address to make an id for, without asking the network
    #[arg(value_name = "IP")]
    pub ip: Option<IpAddr>,
    /// Say whether this id suits the address instead
    #[arg(long, value_name = "ID", requires = "ip")]
    pub check: Option<String>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}
