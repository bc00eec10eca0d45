//! Any text as a magnet link (BEP 9, BEP 53).
//!
//! A link that is accepted means the same when it is written back; an error points at whole
//! characters of the link, so that a caret can stand below them.
#![cfg_attr(fuzzing, no_main)]

use trackless::metainfo::Magnet;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Ok(link) = std::str::from_utf8(data) else {
        return;
    };
    match Magnet::parse(link) {
        Ok(magnet) => assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet)),
        Err(error) => {
            let end = error
                .offset
                .checked_add(error.length)
                .expect("a place in the link");
            assert!(link.get(error.offset..end).is_some(), "{error:?}");
            assert!(!error.to_string().is_empty());
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
