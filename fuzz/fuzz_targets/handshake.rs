//! Any bytes as the first of a connection (BEP 3, BEP 10 reserved bits).
//!
//! Fewer than 68 bytes are never a handshake and never wrong as long as they begin like one; what is accepted is
//! written back to the same bytes; no prefix of it says anything else.
#![cfg_attr(fuzzing, no_main)]

use bytes::BytesMut;
use trackless::wire::{HANDSHAKE_LEN, Handshake};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let whole = Handshake::decode(data);
    for cut in 0..data.len().min(HANDSHAKE_LEN) {
        let (head, _) = data.split_at(cut);
        match Handshake::decode(head) {
            Ok(None) => {}
            Ok(Some(_)) => panic!("{cut} bytes are no handshake"),
            Err(rule) => assert_eq!(whole, Err(rule), "a longer input is no better"),
        }
    }
    if let Ok(Some(handshake)) = whole {
        let mut out = BytesMut::new();
        handshake.encode(&mut out);
        assert_eq!(out[..], data[..HANDSHAKE_LEN]);
        let bits = handshake.reserved;
        let _ = (bits.extended(), bits.fast(), bits.dht());
    } else if whole == Ok(None) {
        assert!(data.len() < HANDSHAKE_LEN);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
