//! Swarms in virtual time: the shipping torrents, the shipping wire protocol, invented lines.
//!
//! Every peer runs `trackless::swarm::Torrent`, unchanged, and a `trackless::wire::Connection` for
//! each of its connections; the bytes that one encodes are the bytes that the other decodes. Invented
//! are the clock, the lines (`link`) and the disks (`disk`). A tracker is the shipping server
//! (`tracker`), asked by a shipping announcer for each peer (`announcing`). Nothing of picker, choker,
//! peer exchange or tracker is written a second time.
//!
//! `world` holds peers and clock and handles one event at a time; `stream` is a connection with its two
//! ends; `drive` carries between the machines and the streams; `peer` says what a peer is; `graph` looks
//! at who is connected with whom. A run is a function of seed and plan.

mod announcing;
mod connect;
pub mod disk;
mod drive;
pub mod graph;
pub mod link;
mod names;
pub mod peer;
mod stream;
pub mod times;
pub mod tracker;
pub mod trail;
pub mod world;

pub use graph::Component;
pub use link::{HOME_LINES, Line, Path};
pub use names::PeerIndex;
pub use peer::{Behaviour, Departure, Knows, Linger, Memory, PeerPlan, Start, Totals};
pub use times::Times;
pub use tracker::TrackerPlan;
pub use trail::Trail;
pub use world::{Plan, SwarmWorld};

#[cfg(test)]
mod tests;
