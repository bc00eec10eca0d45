//! Networks of shipping DHT nodes in virtual time.
//!
//! The nodes are `dht::Node`, unchanged; only the wire and the clock are invented here. A run is a
//! pure function of its parameters: same seed, same digest. `network` says how long a datagram
//! takes and whether it arrives, `world` holds nodes, clock and what is in flight, `oracle` knows
//! the truth, `scenarios` play and measure. Nothing here touches `io`.

pub mod agenda;
pub mod model;
pub mod network;
pub mod oracle;
pub mod random;
pub mod scenarios;
pub mod swarm;
pub mod time;
pub mod world;
