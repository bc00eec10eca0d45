//! Any bytes as what a DHT node and a torrent's peers were saved as, with a checksum that fits.
//!
//! What comes out is bounded, and what is saved of it is read again as the same. First byte: which of the two.
#![cfg_attr(fuzzing, no_main)]

use sha1::{Digest as _, Sha1};
use trackless::metainfo::InfoHash;
use trackless::storage::raw;

const HASH: InfoHash = InfoHash([9; 20]);

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Some((which, content)) = data.split_first() else {
        return;
    };
    assert!(
        raw::dht_state(data).is_none() && raw::peers(data, HASH).is_none(),
        "no checksum, no content"
    );
    if which % 2 == 0 {
        let sum = Sha1::digest(content);
        if let Some((state, again)) = raw::dht_state(&[&sum[..], content].concat()) {
            assert!(state.contacts.len() <= 2_000);
            let (same, _) = raw::dht_state(&again).expect("we wrote it");
            assert_eq!(same, state);
        }
    } else {
        let mut sha = Sha1::new();
        sha.update(HASH.0);
        sha.update(content);
        if let Some((peers, again)) = raw::peers(&[&sha.finalize()[..], content].concat(), HASH) {
            assert!(peers.len() <= 100);
            let (same, _) = raw::peers(&again, HASH).expect("we wrote it");
            assert_eq!(same, peers);
            assert!(
                raw::peers(&again, InfoHash([8; 20])).is_none(),
                "of another torrent"
            );
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
