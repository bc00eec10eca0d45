//! Wrong data, full and broken disks, changes behind our back, over memory.

use super::*;
use crate::storage::sync::{SYNC_AFTER, SYNC_BYTES};

#[test]
fn a_wrong_piece_is_not_written_and_its_blocks_are_told_apart() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    let mut blocks = sample.blocks(0);
    blocks[1] = Bytes::from(vec![0; BLOCK_LENGTH as usize]);
    let job = Job::Store {
        piece: 0,
        blocks: blocks.clone(),
        digests: Digests::IfWrong,
    };
    match disk.perform(now, job) {
        Reply::Mismatch { piece: 0, digests } => {
            let expected: Vec<[u8; 20]> = blocks.iter().map(|b| Sha1::digest(b).into()).collect();
            assert_eq!(digests, expected);
        }
        other => panic!("{other:?}"),
    }
    assert!(memory.bytes(0).is_empty());
    let job = Job::Store {
        piece: 0,
        blocks: sample.blocks(0),
        digests: Digests::Always,
    };
    match disk.perform(now, job) {
        Reply::Stored {
            digests: Some(digests),
            ..
        } => assert_eq!(digests.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pieces_that_do_not_exist_are_refused() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    for (piece, blocks) in [
        (4, vec![]),
        (u32::MAX, sample.blocks(0)),
        (0, sample.blocks(3)),
    ] {
        let job = Job::Store {
            piece,
            blocks,
            digests: Digests::IfWrong,
        };
        assert!(matches!(disk.perform(now, job), Reply::Mismatch { .. }));
    }
    let block = Block {
        piece: 9,
        begin: 0,
        length: 5,
    };
    assert!(matches!(
        disk.perform(now, ask(block)),
        Reply::ReadFailed { .. }
    ));
    assert!(memory.bytes(0).is_empty());
}

/// Rows S4: the full disk keeps what is right and takes the rest when there is room.
#[test]
fn a_full_disk_gives_the_blocks_back_and_goes_on_when_there_is_room() {
    let sample = mixed();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    memory.full_after(Some(50_000));
    let mut kept = Vec::new();
    for piece in sample.pieces() {
        match disk.perform(now, sample.store(piece)) {
            Reply::Stored { .. } => {}
            Reply::StoreFailed {
                piece,
                blocks,
                error,
            } => {
                assert_eq!(error, DiskError::Full);
                assert_eq!(blocks, sample.blocks(piece));
                kept.push((piece, blocks));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        kept.iter().map(|(piece, _)| *piece).collect::<Vec<_>>(),
        [2, 3, 4]
    );
    memory.full_after(None);
    for (piece, blocks) in kept {
        let job = Job::Store {
            piece,
            blocks,
            digests: Digests::IfWrong,
        };
        assert!(matches!(disk.perform(now, job), Reply::Stored { .. }));
    }
    assert!(disk.flush(now).is_ok());
    assert!(memory.bytes(1) == sample.bytes[..40_000]);
    assert!(memory.bytes(6) == sample.bytes[65_536..]);
    assert!(memory.bytes(4).is_empty(), "padding is never written");
}

/// Rows S6: one write gives EIO; path and reason are said, and the piece is not had.
#[test]
fn a_broken_write_is_said_with_path_and_reason() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    memory.break_write(2);
    disk.perform(now, sample.store(0));
    match disk.perform(now, sample.store(1)) {
        Reply::StoreFailed {
            error: DiskError::Io(text),
            ..
        } => {
            assert!(text.starts_with("cannot write memory/0: "), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        disk.perform(now, sample.store(1)),
        Reply::Stored { .. }
    ));
}

/// Rows S8, S9: changed or cut off behind our back: damage, never a wrong block.
#[test]
fn changed_data_is_never_read_out() {
    let sample = mixed();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    sample.store_all(&mut disk, now);
    disk.flush(now).unwrap();
    // In piece 2, but not in its first block.
    memory.change(6, |bytes| bytes[20_000] ^= 1);
    let reply = disk.perform(now, ask(first_block(&sample, 2)));
    assert!(
        matches!(
            reply,
            Reply::ReadFailed {
                error: DiskError::Damaged,
                ..
            }
        ),
        "{reply:?}"
    );
    let reply = disk.perform(now, ask(first_block(&sample, 3)));
    assert!(matches!(reply, Reply::Block { .. }));
    // Repaired.
    disk.perform(now, sample.store(2));
    assert!(matches!(
        disk.perform(now, ask(first_block(&sample, 2))),
        Reply::Block { .. }
    ));
    // Cut off.
    memory.change(6, |bytes| bytes.truncate(50_000));
    let reply = disk.perform(now, ask(first_block(&sample, 5)));
    assert!(
        matches!(
            reply,
            Reply::ReadFailed {
                error: DiskError::Damaged,
                ..
            }
        ),
        "{reply:?}"
    );
}

/// Rows S9: spoilt half-way, found before the final name.
#[test]
fn a_file_spoilt_while_it_was_fetched_is_not_called_complete() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    for piece in [0, 1, 2] {
        disk.perform(now, sample.store(piece));
    }
    memory.change(0, |bytes| bytes[5] ^= 1);
    disk.perform(now, sample.store(3));
    assert_eq!(disk.flush(now), Err(DiskError::Damaged));
    disk.perform(now, sample.store(0));
    assert!(disk.flush(now).is_ok());
    assert!(memory.bytes(0) == sample.bytes);
}

/// Rows S10: the file is gone, its pieces are damage, and they can be stored again.
#[test]
fn a_file_removed_under_us_is_damage_and_can_be_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    std::fs::remove_file(folder.path().join("out/top")).unwrap();
    for piece in sample.pieces() {
        let reply = disk.perform(now, ask(first_block(&sample, piece)));
        assert!(matches!(
            reply,
            Reply::ReadFailed {
                error: DiskError::Damaged,
                ..
            }
        ));
    }
    sample.store_all(&mut disk, now);
    assert!(disk.flush(now).is_ok());
    sample.assert_complete(&folder.path().join("out"));
}

#[test]
fn a_sync_is_due_after_a_while_or_at_once_when_much_waits() {
    let sample = single();
    let (mut disk, _) = sample.in_memory();
    let now = start();
    assert_eq!(disk.next_sync(), None);
    disk.perform(now, sample.store(0));
    let later = now + SYNC_AFTER / 2;
    disk.perform(later, sample.store(1));
    assert_eq!(disk.next_sync(), Some(now + SYNC_AFTER));
    assert!(disk.begin_sync(later).is_none());
    let job = disk.begin_sync(now + SYNC_AFTER).unwrap();
    assert_eq!(disk.next_sync(), None);
    disk.perform(later, sample.store(2));
    assert!(
        disk.begin_sync(later + SYNC_AFTER).is_none(),
        "one at a time"
    );
    disk.finish_sync(later, job.run());
    assert!(disk.begin_sync(later + SYNC_AFTER).is_some());
    let mut unsynced = crate::storage::sync::Unsynced::default();
    for piece in 0..64 {
        unsynced.push(now, piece, (SYNC_BYTES / 64) as u32);
    }
    assert_eq!(unsynced.due(), Some(now));
}

/// Rows S7: after EIO on fsync each piece is hashed again, past the cache.
#[test]
fn a_failed_sync_proves_nothing_until_the_data_is_read_back() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    sample.store_all(&mut disk, now);
    let job = disk.begin_sync(now + SYNC_AFTER).unwrap();
    let mut outcome = job.run();
    outcome.failed = Some("cannot sync memory/0: Input/output error".into());
    // The device kept all but one piece.
    memory.change(0, |bytes| bytes[40_000] = 0);
    disk.finish_sync(now, outcome);
    assert_eq!(disk.flush(now), Err(DiskError::Damaged));
    let reply = disk.perform(now, ask(first_block(&sample, 1)));
    assert!(
        matches!(
            reply,
            Reply::ReadFailed {
                error: DiskError::Damaged,
                ..
            }
        ),
        "{reply:?}"
    );
    disk.perform(now, sample.store(1));
    assert!(disk.flush(now).is_ok());
}

/// Rows S7: the doubt ends by itself.
#[test]
fn a_failed_background_sync_is_resolved_without_a_flush() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    sample.store_all(&mut disk, now);
    let mut job = disk.begin_sync(now + SYNC_AFTER).unwrap();
    job.failed = Some("injected".into());
    disk.finish_sync(now, job.run());
    let due = disk.next_sync().unwrap();
    assert!(disk.begin_sync(due).is_none(), "the disk thread does it");
    assert_eq!(disk.next_sync(), None);
    assert!(disk.durable.is_full());
    assert!(memory.bytes(0) == sample.bytes);
}

/// Rows S7: what cannot be read back after a failed fsync is not had.
#[test]
fn doubtful_pieces_that_cannot_be_read_back_are_lost() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    sample.store_all(&mut disk, now);
    let mut job = disk.begin_sync(now + SYNC_AFTER).unwrap();
    job.failed = Some("injected".into());
    disk.finish_sync(now, job.run());
    memory.break_reads(1);
    disk.begin_sync(disk.next_sync().unwrap());
    assert_eq!(disk.durable.iter_set().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(disk.flush(now), Err(DiskError::Damaged));
    disk.perform(now, sample.store(0));
    assert!(disk.flush(now).is_ok());
}

/// Rows S8: EIO once costs one block, EIO for good the piece.
#[test]
fn a_read_that_fails_once_is_an_error_and_a_bad_sector_is_damage() {
    let sample = single();
    let (mut disk, memory) = sample.in_memory();
    let now = start();
    sample.store_all(&mut disk, now);
    let mut read = |times| {
        memory.break_reads(times);
        match disk.perform(now, ask(first_block(&sample, 0))) {
            Reply::ReadFailed { error, .. } => error,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(read(1), DiskError::Io(_)));
    assert_eq!(read(2), DiskError::Damaged);
    // Once it is unverified the first read is that of the hash.
    assert_eq!(read(1), DiskError::Damaged);
}
