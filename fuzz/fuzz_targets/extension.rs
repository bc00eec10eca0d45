//! Any bytes as an extension handshake (BEP 10) and as a message of the metadata exchange (BEP 9).
//!
//! What is accepted lies within the documented bounds and survives being written and read again.
#![cfg_attr(fuzzing, no_main)]

use bytes::Bytes;
use trackless::wire::{ExtensionHandshake, MAX_METADATA, METADATA_PIECE, MetadataMessage};

/// One input.
pub(crate) fn run(data: &[u8]) {
    if let Some(facts) = ExtensionHandshake::parse(data) {
        assert!(
            facts
                .metadata_size
                .is_none_or(|size| (1..=MAX_METADATA).contains(&size))
        );
        assert!(
            facts
                .request_queue
                .is_none_or(|queue| (1..=500).contains(&queue))
        );
        assert!(facts.port.is_none_or(|port| port != 0));
        let again = ExtensionHandshake::parse(&facts.encode());
        // Bytes that are no UTF-8 grow when they are replaced, so the name may be cut again.
        let nameless = |facts: ExtensionHandshake| ExtensionHandshake {
            version: None,
            ..facts
        };
        assert_eq!(again.map(nameless), Some(nameless(facts)));
    }
    if let Some(message) = MetadataMessage::parse(&Bytes::copy_from_slice(data)) {
        if let MetadataMessage::Data { data, .. } = &message {
            assert!(data.len() <= METADATA_PIECE);
        }
        assert_eq!(MetadataMessage::parse(&message.encode()), Some(message));
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
