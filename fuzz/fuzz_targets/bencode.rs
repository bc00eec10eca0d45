//! Any bytes as bencode (BEP 3), under one of the presets of limits, which the first byte chooses.
//!
//! What is accepted must be consistent: each accessor answers, each span parses again to itself,
//! and serde_bencode behind the guard neither panics nor overflows.
#![cfg_attr(fuzzing, no_main)]

use bencode::{Limits, Value, parse, parse_prefix};

const PRESETS: [Limits; 8] = [
    Limits::KRPC,
    Limits::TORRENT,
    Limits::INFO,
    Limits::EXTENSION,
    Limits::PEX,
    Limits::METADATA,
    Limits::TRACKER,
    Limits::STATE,
];

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    let limits = &PRESETS[usize::from(*which) % PRESETS.len()];
    if let Ok((value, end)) = parse_prefix(data, limits) {
        assert_eq!(value.raw(), &data[..end]);
        assert_eq!(parse(value.raw(), limits), Ok(value));
        assert_eq!(walk(value), 1, "a value is of exactly one kind");
    }
    let _ = bencode::from_bytes::<serde_bencode::value::Value>(data, limits);
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));

/// Visits everything inside; returns how many kinds `value` claims to be.
fn walk(value: Value<'_>) -> usize {
    let inner = value.as_list().into_iter().flatten();
    let entries = value.as_dict().into_iter().flatten();
    for child in inner.chain(entries.map(|(_, child)| child)) {
        assert_eq!(walk(child), 1);
    }
    // The first entry of a key is the one that `get` finds, whatever follows.
    if let Some((key, first)) = value.as_dict().and_then(|mut entries| entries.next()) {
        assert_eq!(value.get(key), Some(first));
    }
    let kinds = [
        value.as_int().is_some(),
        value.as_bytes().is_some(),
        value.as_list().is_some(),
        value.as_dict().is_some(),
    ];
    kinds.into_iter().filter(|is| *is).count()
}
