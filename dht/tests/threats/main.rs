//! Scripted hostile conversations with one node: a module a group of threats, a test a way to attack. The numbers are
//! those of the project's list of threats (dht.md §4). What an attacker sends is counted and dropped: no answer that it
//! did not earn, no panic, no growth.

#![allow(
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test starts its clock somewhere"
)]

mod amplification;
mod answers;
mod bootstrap;
mod malformed;
mod reflection;
mod register;
mod spoofing;
mod stage;
mod storage;
mod sybils;
mod tokens;
mod votes;
