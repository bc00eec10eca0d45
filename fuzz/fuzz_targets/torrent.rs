//! Any bytes as a torrent file (BEP 3, 5, 12, 47).
//!
//! What is accepted is consistent: files back to back, pieces that cover them, no path that leaves
//! its root; and written back it is the same torrent.
#![cfg_attr(fuzzing, no_main)]

use trackless::metainfo::{Info, InfoHash, Torrent};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let _ = Info::from_bytes(bytes::Bytes::copy_from_slice(data));
    let Ok(torrent) = Torrent::from_bytes(data) else {
        return;
    };
    check(&torrent.info);
    assert!(torrent.trackers.iter().all(|tier| !tier.is_empty()));
    assert!(torrent.nodes.iter().all(|(_, port)| *port != 0));
    assert_eq!(
        Torrent::from_bytes(&torrent.to_bytes()).as_ref(),
        Ok(&torrent)
    );
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));

fn check(info: &Info) {
    assert_eq!(info.info_hash(), InfoHash::of_info(info.raw()));
    let mut end = 0;
    for file in info.files() {
        assert_eq!(file.offset, end, "files lie back to back");
        end += file.length;
        assert_eq!(
            file.path.components().first().map(String::as_str),
            Some(info.name())
        );
        for name in file.path.components() {
            assert!(!name.is_empty() && name.len() <= 240);
            assert!(name != "." && name != "..");
            assert!(!name.contains(['/', '\\']) && !name.chars().any(char::is_control));
        }
    }
    assert_eq!(info.total_length(), end);
    let pieces = u64::from(info.piece_count());
    assert_eq!(pieces, end.div_ceil(u64::from(info.piece_length())));
    assert!(pieces == 0 || info.piece_hash(info.piece_count() - 1).is_some());
    assert_eq!(info.piece_hash(info.piece_count()), None);
}
