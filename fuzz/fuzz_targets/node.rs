//! Any bytes as the life of a DHT node: datagrams, answers, commands and time, under the laws of the property test
//! `streams`, which runs the same lives.
#![cfg_attr(fuzzing, no_main)]

#[path = "../../dht/tests/streams/laws.rs"]
mod laws;
#[path = "../../dht/tests/streams/script.rs"]
mod script;

use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// One input.
pub(crate) fn run(data: &[u8]) {
    let start = *START.get_or_init(Instant::now);
    script::live(data, start);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
