//! A BitTorrent client that needs no tracker: peers come from a Kademlia DHT (BEP 5) and from the
//! peers themselves (PEX, BEP 11).
//!
//! Start with [`io::Client`] to embed it, with `cli` to see it used. The modules stand below in their
//! order: each uses only those before it, which `tests/architecture.rs` checks. Everything up to
//! `picture` is pure: state machines with four verbs (`handle_*`, commands, `poll_*`, `next_timeout`)
//! that get the time as an argument and never touch a socket or a file; `storage` touches files;
//! `io` is the only module with sockets, tasks and a clock.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod budget;

pub mod metainfo;

pub mod wire;

pub mod swarm;

pub mod tracker;

pub mod picture;

pub mod storage;

#[allow(
    clippy::disallowed_methods,
    reason = "io is where the clock, sockets and threads live"
)]
pub mod io;

pub mod cli;
