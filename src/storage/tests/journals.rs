//! Torn, damaged, foreign and newer journals.

use proptest::prelude::*;

use std::time::Duration;

use super::*;
use crate::storage::backing::Fingerprint;
use crate::storage::journal::{self, Journal, Record, Unreadable};
use crate::storage::lock::Lock;
use crate::storage::notes::{Beginning, Notes, StateNews, ranges};

fn records() -> Vec<Record> {
    let print = Fingerprint {
        device: 1,
        inode: 2,
        size: 3,
        modified: -4,
        changed: 5,
    };
    vec![
        Record::Have { first: 0, count: 2 },
        Record::Opened,
        Record::Seen(7, print),
        Record::Lost(1),
        Record::Have { first: 9, count: 1 },
        Record::Closed,
    ]
}

/// A journal's bytes: some records from the start, some appended.
fn written() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.journal");
    let all = records();
    let mut journal = Journal::create(&path, HASH, b"raw info", &all[..2]).unwrap();
    journal.append(&all[2..5]).unwrap();
    journal.append(&all[5..]).unwrap();
    std::fs::read(&path).unwrap()
}

fn parse(bytes: &[u8]) -> Result<Vec<Record>, Unreadable> {
    journal::parse(Bytes::copy_from_slice(bytes), HASH).map(|contents| contents.records)
}

#[test]
fn comes_back_as_written() {
    let bytes = written();
    assert_eq!(parse(&bytes).unwrap(), records());
    let contents = journal::parse(Bytes::from(bytes.clone()), HASH).unwrap();
    assert_eq!(&contents.info[..], b"raw info");
    let other = journal::parse(Bytes::from(bytes), InfoHash([1; 20]));
    assert!(matches!(other, Err(Unreadable::Damaged)));
}

#[test]
fn the_first_bytes_are_these() {
    assert_eq!(written()[..12], *b"tljournl\x00\x01\xab\xab");
}

/// Rows S2, S13: a journal cut at each length.
#[test]
fn cut_anywhere_the_records_before_the_cut_count() {
    let whole = written();
    let all = records();
    let mut most = 0;
    for length in 0..whole.len() {
        match parse(&whole[..length]) {
            Ok(found) => {
                assert!(all.starts_with(&found) && found.len() < all.len());
                assert!(found.len() >= most);
                most = found.len();
            }
            Err(error) => assert!(matches!(error, Unreadable::Damaged)),
        }
    }
    assert_eq!(most, all.len() - 1);
}

/// Rows S13: each bit flipped.
#[test]
fn a_flipped_bit_ends_the_journal_there() {
    let whole = written();
    let all = records();
    for bit in 0..whole.len() * 8 {
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match parse(&damaged) {
            Ok(found) => assert!(all.starts_with(&found) && found.len() < all.len()),
            Err(error) => assert!(matches!(error, Unreadable::Damaged)),
        }
    }
}

/// Rows S14: a newer format is refused with its number and stays as it is.
#[test]
fn a_newer_format_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    drop(sample.open(folder.path(), OpenMode::Resume).unwrap());
    let path = in_state(folder.path(), "journal");
    let mut newer = b"tljournl\x00\x02".to_vec();
    newer.extend_from_slice(&HASH.0);
    newer.extend_from_slice(&[0; 4]);
    let mut sum = HASH.0.to_vec();
    sum.extend_from_slice(&[0; 8]);
    sum.extend_from_slice(&newer);
    newer.extend_from_slice(&Sha1::digest(&sum)[..8]);
    std::fs::write(&path, &newer).unwrap();
    match sample.open(folder.path(), OpenMode::Resume) {
        Err(OpenError::Newer { version, .. }) => assert_eq!(version, 2),
        other => panic!("{:?}", other.map(|opened| opened.have)),
    }
    assert_eq!(std::fs::read(&path).unwrap(), newer);
}

/// Rows S13: opened for real with damage in many places and at many lengths.
#[test]
fn a_damaged_journal_costs_hashing_and_never_claims_wrongly() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, [0, 2, 3]);
    disk.close(now);
    drop(disk);
    let path = in_state(folder.path(), "journal");
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(3) {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        for bytes in [&whole[..at], &flipped] {
            std::fs::write(&path, bytes).unwrap();
            let opened = sample.open(folder.path(), OpenMode::Resume).unwrap();
            assert_eq!(list(&opened.have), [0, 2, 3]);
        }
    }
    // What had no head any more is kept for people to look at.
    assert!(path.with_extension("damaged").exists());
}

/// Rows S13: the file that says whose a name is holds noise: it says nothing, and keeps nobody out.
#[test]
fn a_damaged_claim_keeps_nobody_out() {
    for noise in [&[0xff; 40][..], &[0; 40], b"../../x", &[0xc3; 3]] {
        let folder = tempfile::tempdir().unwrap();
        let sample = single();
        drop(sample.run(folder.path(), start(), [1]));
        std::fs::write(in_state(folder.path(), "name"), noise).unwrap();
        let opened = sample.open(folder.path(), OpenMode::Resume).unwrap();
        assert_eq!(list(&opened.have), [1]);
    }
}

/// Rows S14: a journal of a version that did not record the device is read, and guards nothing.
#[test]
fn an_older_journal_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let mut disk = sample.run(folder.path(), now, [1]);
    disk.flush(now).unwrap();
    drop(disk);
    let path = in_state(folder.path(), "journal");
    let old = [Record::Have { first: 1, count: 1 }, Record::Opened];
    Journal::create(&path, HASH, b"raw info", &old).unwrap();
    let opened = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert_eq!(list(&opened.have), [1]);
}

/// Rows S11: the files lay on another device, and here is nothing: refused, nothing made; with `--force` it begins anew. What
/// is there is believed on whatever device.
#[test]
fn files_of_another_device_are_waited_for() {
    for (below, forced) in [("there", OpenMode::Resume), ("", OpenMode::Force)] {
        let folder = tempfile::tempdir().unwrap();
        let sample = single();
        let now = start();
        let mut disk = sample.run(folder.path(), now, [1]);
        disk.flush(now).unwrap();
        drop(disk);
        let path = in_state(folder.path(), "journal");
        let elsewhere = [
            Record::Have { first: 1, count: 1 },
            Record::Device(u64::MAX),
        ];
        drop(Journal::create(&path, HASH, b"raw info", &elsewhere).unwrap());
        // It is there all the same: devices are numbered anew.
        assert!(sample.open(folder.path(), OpenMode::Resume).is_ok());
        drop(Journal::create(&path, HASH, b"raw info", &elsewhere).unwrap());
        let out = folder.path().join("out");
        std::fs::remove_dir_all(&out).unwrap();
        if below.is_empty() {
            std::fs::create_dir(&out).unwrap();
        }
        let refused = sample.open(folder.path(), OpenMode::Check);
        assert!(matches!(refused, Err(OpenError::Elsewhere { .. })));
        let left = std::fs::read_dir(&out).map_or(0, Iterator::count);
        assert_eq!((left, out.exists()), (0, below.is_empty()));
        assert_eq!(
            sample.open(folder.path(), forced).is_ok(),
            forced == OpenMode::Force
        );
    }
}

#[test]
fn records_of_pieces_and_files_that_do_not_exist_are_nothing() {
    let sample = single();
    let print = Fingerprint {
        device: 1,
        inode: 2,
        size: 3,
        modified: 4,
        changed: 5,
    };
    let wild = [
        Record::Have {
            first: 3,
            count: u32::MAX,
        },
        Record::Have {
            first: u32::MAX,
            count: u32::MAX,
        },
        Record::Lost(u32::MAX),
        Record::Seen(u32::MAX, print),
        Record::Closed,
    ];
    let recorded = Recorded::new(&sample.layout, &wild);
    assert_eq!(list(&recorded.have), [3]);
}

/// Rows S5: the state folder goes away and the download does not notice.
#[test]
fn the_state_folder_may_vanish_while_running() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
    std::fs::remove_dir_all(folder.path().join("state")).unwrap();
    sample.store_all(&mut disk, now);
    assert!(disk.flush(now).is_ok());
    disk.close(now);
    sample.assert_complete(&folder.path().join("out"));
}

/// Rows S5: news of it are given once, and what waits is tried again by time alone.
#[test]
fn a_state_that_cannot_be_saved_is_news_once_and_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let state = folder.path().join("state");
    let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
    assert_eq!(disk.take_news(), None);
    // Nothing can be begun there any more; what is open could still be written.
    disk.notes = Notes::new(
        Beginning {
            path: folder.path().join("nowhere/journal"),
            hash: HASH,
            info: Bytes::from_static(b"raw info"),
        },
        vec![Record::Opened],
        Lock::of(std::fs::File::open(&state).unwrap()),
    );
    assert!(matches!(disk.take_news(), Some(StateNews::NotSaved(_))));
    disk.perform(now, sample.store(0));
    let later = now + Duration::from_secs(5);
    assert!(disk.next_sync().is_some_and(|due| due <= later));
    let job = disk.begin_sync(later).unwrap();
    disk.finish_sync(later, job.run());
    assert_eq!(disk.take_news(), None, "told once");
    std::fs::create_dir(folder.path().join("nowhere")).unwrap();
    // No piece comes any more.
    let due = disk.next_sync().unwrap();
    assert!(due > later && disk.begin_sync(due).is_none());
    assert_eq!(disk.take_news(), Some(StateNews::SavedAgain));
    assert_eq!((disk.take_news(), disk.next_sync()), (None, None));
    let kept = journal::read(&folder.path().join("nowhere/journal"), HASH).unwrap();
    let recorded = Recorded::new(&sample.layout, &kept.records);
    assert!(recorded.have.has(0));
}

proptest! {
    #[test]
    fn noise_is_no_journal(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn noise_behind_a_journal_is_not_read(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = written();
        bytes.extend_from_slice(&noise);
        prop_assert_eq!(parse(&bytes).unwrap(), records());
    }

    #[test]
    fn ranges_hold_just_the_pieces(pieces in prop::collection::btree_set(0u32..4, 0..4)) {
        let sample = single();
        let recorded = Recorded::new(&sample.layout, &ranges(pieces.iter().copied()));
        let mut expected = Bitfield::new(4);
        pieces.iter().for_each(|piece| { expected.set(*piece); });
        prop_assert_eq!(recorded.have, expected);
    }
}
