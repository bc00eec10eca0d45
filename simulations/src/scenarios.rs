//! Scenarios: each builds a world, lets it live, and measures it against the oracle.

pub mod join;
