//! Any bytes as one KRPC datagram: whatever is accepted stays within its bounds and survives being walked.
#![cfg_attr(fuzzing, no_main)]

use trackless_dht::message::{self, Body, MAX_NODES, MAX_TRANSACTION, MAX_VALUES};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Ok(message) = message::parse(data) else {
        return;
    };
    assert!((1..=MAX_TRANSACTION).contains(&message.transaction.len()));
    match message.body {
        Body::Query(query) => drop(format!("{query:?}")),
        Body::Response(response) => {
            assert!(response.nodes().count() <= 2 * MAX_NODES);
            assert!(response.values().count() <= MAX_VALUES);
            let _ = format!("{response:?}");
        }
        other => drop(format!("{other:?}")),
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
