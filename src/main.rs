//! The `trackless` command.
fn main() {}
