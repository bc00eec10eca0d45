//! `trackless-sim`.
fn main() {}
