//! Lives of a node made of random bytes: nothing that arrives breaks a law, and the same bytes are the same life.

#![allow(
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test starts its clock somewhere"
)]

mod laws;
mod script;

use std::time::Instant;

use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_laws_hold_whatever_comes(input in proptest::collection::vec(any::<u8>(), 0..4_000)) {
        let start = Instant::now();
        prop_assert_eq!(script::live(&input, start), script::live(&input, start));
    }
}

/// The inputs that the fuzzer starts from are lives in which something happens.
#[test]
fn the_seeds_of_the_fuzzer_are_lives() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/node");
    let mut digests = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("the seeds are committed") {
        let input = std::fs::read(entry.expect("a readable folder").path()).expect("readable");
        digests.insert(script::live(&input, Instant::now()));
    }
    assert!(digests.len() >= 3, "{} different lives", digests.len());
}
