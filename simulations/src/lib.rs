//! Networks and swarms of the shipping machines, in virtual time.
//!
//! The machines are those that ship: `dht::Node`, `trackless::swarm::Torrent`, unchanged; only the
//! wire, the clock and the people are invented here. A run is a pure function of its parameters:
//! same seed, same digest, on every machine. Bottom up:
//!
//! - [`time`] counts microseconds, [`random`] draws numbers, [`agenda`] orders what happens;
//! - [`model`] says how the internet behaves: distance, loss, NATs, churn, addresses;
//! - [`neighbours`] are other people's clients, by their policies;
//! - [`machine`], [`host`], [`world`] run DHT nodes on hosts and carry their datagrams;
//! - [`population`] lets people arrive, leave, return and ask; [`watch`] measures their lookups
//!   and listens to their [`wire`];
//! - [`swarm`] joins torrents by streams of bytes, [`coupled`] gives them a DHT; [`oracle`] knows the truth;
//! - [`scenarios`] play and measure, one file an experiment; [`portrait`] draws one node; [`report`] shows what came out;
//! - `lab` lets real clients meet a simulated network, in real time.
//!
//! Nothing here touches `trackless::io`.

pub mod agenda;
pub mod coupled;
mod dwellings;
pub mod flood;
pub mod host;
#[cfg(target_os = "linux")]
pub mod lab;
pub mod machine;
pub mod model;
pub mod neighbours;
pub mod oracle;
pub mod population;
pub mod portrait;
pub mod publisher;
pub mod random;
pub mod report;
pub mod scenarios;
pub mod swarm;
pub mod time;
pub mod watch;
pub mod wire;
pub mod world;
