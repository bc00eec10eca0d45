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
    /// How many seeds and peers does this torrent have? (BEP 33)
    Scrape {
        /// Info hash or magnet link
        #[arg(value_name = "HASH|MAGNET")]
        input: String,
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
    /// Fetch a stored value (BEP 44)
    Get(GetItemArgs),
    /// Store a value (BEP 44), or publish a torrent under a key (BEP 46)
    Put(PutArgs),
    /// Which torrents do nodes store? (BEP 51)
    Sample {
        /// Ask the nodes on the way to this id (default: a random one)
        #[arg(value_name = "ID")]
        target: Option<String>,
        /// The network.
        #[command(flatten)]
        network: NetworkArgs,
    },
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

/// `trackless dht get`.
#[derive(ClapArgs, Debug)]
pub struct GetItemArgs {
    /// Where the value lives (40 digits), a public key (64), or a magnet link with one
    #[arg(value_name = "TARGET|KEY|MAGNET")]
    pub target: String,
    /// What it was stored with beside the key
    #[arg(long, value_name = "TEXT")]
    pub salt: Option<String>,
    /// Write the value's bytes to this file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long, requires = "output")]
    pub force: bool,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless dht put`.
#[derive(ClapArgs, Debug)]
#[command(group = clap::ArgGroup::new("content").multiple(false))]
#[command(group = clap::ArgGroup::new("owner").multiple(false))]
pub struct PutArgs {
    /// The text to store, at most 1000 bytes
    #[arg(group = "content")]
    pub value: Option<String>,
    /// Store the content of this file
    #[arg(long, value_name = "FILE", group = "content")]
    pub file: Option<PathBuf>,
    /// Publish this torrent under the key (BEP 46)
    #[arg(
        long,
        value_name = "HASH|MAGNET|FILE",
        group = "content",
        requires = "owner"
    )]
    pub torrent: Option<String>,
    /// The text or file is bencode already
    #[arg(long, conflicts_with = "torrent")]
    pub bencoded: bool,
    /// The secret key of a value that can be replaced
    #[arg(long, value_name = "FILE", group = "owner")]
    pub key: Option<PathBuf>,
    /// Make such a key, write it to this new file, and use it if there is a value
    #[arg(long, value_name = "FILE", group = "owner")]
    pub generate_key: Option<PathBuf>,
    /// Tells apart several values of one key
    #[arg(long, value_name = "TEXT", requires = "owner")]
    pub salt: Option<String>,
    /// Number of this version (default: one more than what is stored)
    #[arg(long, value_name = "N", requires = "owner", value_parser = clap::value_parser!(i64).range(0..))]
    pub seq: Option<i64>,
    /// Replace only this version
    #[arg(long, value_name = "N", requires = "owner", value_parser = clap::value_parser!(i64).range(0..))]
    pub cas: Option<i64>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}
