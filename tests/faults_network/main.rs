//! Faults of the network (reliability.md §2.2), the shipped program among real kernels: links that go down, addresses
//! that change, names that lie, peers that vanish, datagrams that are lost or refused, floods.
//!
//! Each test makes its hosts, network namespaces joined by a bridge, and removes them. Addresses are public ones that exist
//! inside only, so that the rules of the internet hold: nothing is allowed that a user's client would refuse.
//! With `TRACKLESS_FAULTS=long` outages and floods last as long as the report asks for.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]
#![allow(
    unreachable_pub,
    dead_code,
    reason = "a test binary has no outside, and shares files with others"
)]

mod clock;
mod dark;
mod flood;
#[path = "../interop/lab.rs"]
mod lab;
mod loss;
mod moved;
mod names;
mod peers;
mod ports;
mod saved;
mod stage;
#[path = "../support/mod.rs"]
mod support;
