//! A tracker server without sockets (BEP 3, 7, 15, 23, 24, 48): who is where, and what they are told.
//!
//! The way through the files, from the inside out:
//!
//! - `crowd`: the peers of one torrent in one family, and a random choice of them;
//! - `swarms`: all torrents, the bounds, and the sweep that forgets who is silent; `words`: its values;
//! - `connection`: BEP 15's connection ids; `allowed`: the list of torrents that are served;
//! - `machine`: [`Server`], which answers announces and scrapes; `stats`: what it counts;
//! - `page`: its counters as HTML and for Prometheus.
//!
//! Invariant: as for every machine here, time and randomness are arguments, and what arrives never makes
//! a panic or an error return. Knows no sockets, no files, no HTTP.

mod allowed;
mod connection;
mod crowd;
mod machine;
mod page;
mod stats;
mod swarms;
mod words;

pub use allowed::{Allowed, AllowedError, MAX_ALLOWED};
pub use connection::Connections;
pub use crowd::{MAX_CROWD, MAX_OF_ONE_ADDRESS, Part};
pub use machine::{Change, Config, MAX_REPLY_PEERS, Record, Saved, Server, Transmit};
pub use page::{html, prometheus};
pub use stats::{Refusal, Stats, Via};
pub use swarms::Swarms;
pub use words::{Bounds, Counts, Entry, Others, Totals, Wish};
