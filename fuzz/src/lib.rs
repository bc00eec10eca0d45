//! What the targets need of `trackless`, from the same files: everything below `io` and `cli`.
//!
//! With sockets, TLS, a database and a command line behind it a build with coverage counters takes ten minutes;
//! like this it takes one. Invariant: no file of its own, so that what is fuzzed is what ships.
#![allow(
    dead_code,
    missing_docs,
    reason = "what only io and cli use is unused here"
)]

// As the main package calls it.
extern crate trackless_dht as dht;

#[path = "../../src/budget/mod.rs"]
pub mod budget;
#[path = "../../src/metainfo/mod.rs"]
pub mod metainfo;
#[path = "../../src/storage/mod.rs"]
pub mod storage;
#[path = "../../src/swarm/mod.rs"]
pub mod swarm;
#[path = "../../src/tracker/mod.rs"]
pub mod tracker;
#[path = "../../src/wire/mod.rs"]
pub mod wire;

// The seeds, a test of the main workspace: here for the coverage that `.ci/coverage` counts.
#[cfg(test)]
extern crate self as trackless;
#[cfg(test)]
#[path = "../../tests/seeds/replay.rs"]
mod seeds;
