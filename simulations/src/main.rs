//! `trackless-sim`: plays a scenario and shows what came out.

fn main() {}
