//! Any bytes as the life of a DHT node: datagrams, answers, commands and time, under the laws of the property test
//! `streams`, which runs the same lives.
#![no_main]

#[path = "../../dht/tests/streams/laws.rs"]
mod laws;
#[path = "../../dht/tests/streams/script.rs"]
mod script;

use std::sync::OnceLock;
use std::time::Instant;

use libfuzzer_sys::fuzz_target;

static START: OnceLock<Instant> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let start = *START.get_or_init(Instant::now);
    script::live(data, start);
});
