//! Any bytes as a torrent's journal, and any records behind a header that is right (reliability.md §3 "resume/state DB").
//!
//! What is read is written back to the same bytes, up to the first record that does not count: nothing is believed that
//! we would not have written. First byte: as it is, or with a header and checksums that fit, of which the fuzzer cannot
//! guess one in a lifetime.
#![cfg_attr(fuzzing, no_main)]

use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use trackless::metainfo::InfoHash;
use trackless::storage::raw;

const HASH: InfoHash = InfoHash([9; 20]);

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let (bytes, sealed) = match how % 3 {
        0 => (data.to_vec(), false),
        1 => (seal(data, 0), true),
        // A bit of what was right is wrong.
        _ => (seal(data, *how), false),
    };
    let Some((records, again)) = raw::journal(Bytes::from(bytes.clone()), HASH) else {
        assert!(!sealed, "the header is right");
        return;
    };
    assert!(bytes.starts_with(&again), "{records} records");
}

/// A journal: format and `info` as they should be, then the fuzzer's records with their checksums.
fn seal(data: &[u8], flip: u8) -> Vec<u8> {
    let (info, mut rest) = data.split_at(data.len().min(3));
    let mut out = b"tljournl".to_vec();
    out.extend_from_slice(&1u16.to_be_bytes());
    out.extend_from_slice(&HASH.0);
    out.extend_from_slice(&(info.len() as u32).to_be_bytes());
    out.extend_from_slice(info);
    let sum = checksum(0, &out);
    out.extend_from_slice(&sum);
    while let Some((kind, _)) = rest.split_first() {
        let length = match kind {
            1 | 6 => 9,
            2 => 5,
            3 => 61,
            _ => 1,
        };
        let (record, next) = rest.split_at(rest.len().min(length));
        rest = next;
        let place = out.len();
        out.extend_from_slice(record);
        let sum = checksum(place as u64, record);
        out.extend_from_slice(&sum);
    }
    if flip != 0 {
        let place = usize::from(flip) * 7 % out.len();
        out[place] ^= flip;
    }
    out
}

fn checksum(place: u64, content: &[u8]) -> Vec<u8> {
    let mut sha = Sha1::new();
    sha.update(HASH.0);
    sha.update(place.to_be_bytes());
    sha.update(content);
    sha.finalize()[..8].to_vec()
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
