//! The tokio drivers: the only module with sockets, tasks, the clock and disk threads.
//!
//! Every task is one loop around one machine: drain what it wants to send and say, then wait for
//! input, a command or its next timeout. Decisions are the machines'; what is here moves bytes.
//!
//! - `client`: what an embedder starts: one node, one port, many torrents
//! - `dht`: the node's task · `listen`: incoming handshakes · `lsd`: neighbours
//! - `torrent`: a torrent's task · `peer`: a connection's task · `disk`: a torrent's disk threads ·
//!   `dialler`: outgoing connections of all torrents
//! - `host_cache`: the peers that worked, from one run to the next
//! - `input`: what a torrent's task hears · `status`: what a torrent's owner sees and decides
//! - `tracker`: a torrent's trackers
//! - `confine`: the folders that the process may touch (Linux)
//! - `descriptors`: how many sockets peers may have
//! - `network`: whether the machine's way out has changed
//! - `sockets`, `resolve`, `entropy`, `burst`: binding, names, seeds, many datagrams at once
//! - `serve`: a text over HTTP · `tracker_server`: a tracker for others
//!
//! Queues are bounded. Peers wait for the torrent, the torrent waits for nobody, the disk waits for
//! the torrent: no circle of waiting.

mod burst;
mod client;
mod confine;
mod descriptors;
mod dht;
mod dialler;
mod disk;
mod entropy;
mod host_cache;
mod input;
mod listen;
mod lsd;
mod network;
mod peer;
mod resolve;
mod serve;
mod sockets;
mod status;
mod torrent;
mod tracker;
mod tracker_server;

pub use client::{BOOTSTRAP, Client, ClientConfig, Dht, Source, TorrentHandle, TorrentSpec};
pub use confine::{Confinement, Grant, confine};
pub use dht::{Answer, DhtHandle, DhtStatus, Pong, Sample, Search, SearchEvent, Trace, View};
pub use entropy::seed;
pub use lsd::LocalDiscovery;
pub use resolve::resolve;
pub use serve::TextServer;
pub use sockets::{Bind, Port, source_towards};
pub use status::{
    Destination, Failed, Privacy, SearchStatus, Select, Status, Timeline, TorrentEvent,
};
pub use tracker_server::{
    DatabaseError, Listen, StartError, TrackerConfig, TrackerServer, TrackerView,
};
