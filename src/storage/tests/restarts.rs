//! Stopping, cleanly and not, and starting again.

use super::*;

/// Rows S1: what the kernel has and the journal has not is hashed, not fetched.
///
/// As after `kill -9`: nothing was synced, recorded or marked, but the kernel has the writes.
#[test]
fn what_was_written_and_not_recorded_is_kept() {
    for sample in [single(), mixed()] {
        let folder = tempfile::tempdir().unwrap();
        let now = start();
        let written: Vec<u32> = sample.pieces().filter(|piece| *piece != 2).collect();
        drop(sample.run(folder.path(), now, written.iter().copied()));
        let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Resume).unwrap();
        assert_eq!(list(&have), written);
        disk.perform(now, sample.store(2));
        disk.flush(now).unwrap();
        sample.assert_complete(&folder.path().join("out"));
    }
}

#[test]
fn after_a_clean_stop_nothing_is_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, [0, 2]);
    disk.close(now);
    drop(disk);
    // Twice: opening alone must not lose what was known.
    for _ in 0..2 {
        let (opened, hashed) = sample
            .open_counting(folder.path(), OpenMode::Resume)
            .unwrap();
        assert_eq!(list(&opened.have), [0, 2]);
        assert_eq!(hashed, 0);
        let mut disk = opened.disk;
        disk.close(now);
    }
    let (opened, hashed) = sample
        .open_counting(folder.path(), OpenMode::Check)
        .unwrap();
    assert_eq!(list(&opened.have), [0, 2]);
    assert!(hashed > 0);
}

#[test]
fn a_complete_torrent_is_believed_even_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    drop(disk);
    for _ in 0..2 {
        let (opened, hashed) = sample
            .open_counting(folder.path(), OpenMode::Resume)
            .unwrap();
        assert!(opened.have.is_full());
        assert_eq!(hashed, 0);
    }
}

/// Rows S9: changed while we were not looking.
#[test]
fn a_file_changed_between_runs_costs_only_its_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    disk.close(now);
    drop(disk);
    flip(&folder.path().join("out/top/d"), &[40_000]);
    let (opened, hashed) = sample
        .open_counting(folder.path(), OpenMode::Resume)
        .unwrap();
    assert_eq!(
        sample
            .pieces()
            .filter(|p| !opened.have.has(*p))
            .collect::<Vec<_>>(),
        [3]
    );
    assert_eq!(hashed, 100_001);
    let mut disk = opened.disk;
    disk.perform(now, sample.store(3));
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}

/// Rows S10: one file of several is gone.
#[test]
fn a_file_removed_between_runs_is_fetched_again_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.close(now);
    drop(disk);
    std::fs::remove_file(folder.path().join("out/top/d")).unwrap();
    let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert_eq!(list(&have), [0, 1]);
    sample.store_all(&mut disk, now);
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}

#[test]
fn without_a_state_folder_everything_is_hashed() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let location = || Location {
        output: folder.path().to_owned(),
        state: None,
    };
    let info = Bytes::new();
    let open = || {
        let of = (HASH, &info);
        Disk::open_layout(
            sample.layout.clone(),
            of,
            location(),
            OpenMode::Resume,
            &mut |_| (),
        )
    };
    let mut disk = open().unwrap().disk;
    sample.store_all(&mut disk, now);
    disk.close(now);
    assert!(open().unwrap().have.is_full());
    sample.assert_complete(folder.path());
}

/// Rows S15: the second is refused and told by whom.
#[test]
fn one_process_a_torrent_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let opened = sample.open(folder.path(), OpenMode::Resume).unwrap();
    match sample.open(folder.path(), OpenMode::Force) {
        Err(OpenError::Locked { process, .. }) => assert_eq!(process, Some(std::process::id())),
        other => panic!("{:?}", other.map(|opened| opened.have)),
    }
    drop(opened);
    assert!(sample.open(folder.path(), OpenMode::Resume).is_ok());
}

#[test]
fn the_info_dictionary_is_kept_for_the_next_magnet_link() {
    let folder = tempfile::tempdir().unwrap();
    let mut sample = single();
    let info = Bytes::from_static(b"d4:name3:tope");
    let hash = InfoHash(Sha1::digest(&info).into());
    let state = folder.path().join("state");
    assert_eq!(super::super::saved_info(&state, hash), None);
    let location = Location {
        output: folder.path().join("out"),
        state: Some(state.clone()),
    };
    let layout = std::mem::replace(&mut sample.layout, single().layout);
    let mode = OpenMode::Resume;
    drop(Disk::open_layout(layout, (hash, &info), location, mode, &mut |_| ()).unwrap());
    assert_eq!(super::super::saved_info(&state, hash), Some(info));
    assert_eq!(super::super::saved_info(&state, HASH), None);
}

#[test]
fn two_runs_that_stop_anywhere_complete_together() {
    for stop in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let sample = mixed();
        let now = start();
        let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
        for piece in 0..=stop {
            disk.perform(now, sample.store(piece));
            if piece % 2 == 0 {
                disk.flush(now).unwrap();
            }
        }
        drop(disk);
        let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Resume).unwrap();
        assert_eq!(list(&have), (0..=stop).collect::<Vec<_>>());
        for piece in stop + 1..sample.layout.geometry.piece_count() {
            disk.perform(now, sample.store(piece));
        }
        disk.close(now);
        sample.assert_complete(&folder.path().join("out"));
    }
}

/// Rows S1: after a run that ended by force what was recorded is believed at once, hashed in idle moments, and what is
/// not as it was is given back and fetched again before the file gets its name.
#[test]
fn after_a_kill_recorded_pieces_wait_for_no_hashing() {
    for damage in [None, Some(40_000)] {
        let folder = tempfile::tempdir().unwrap();
        let sample = single();
        let now = start();
        let mut disk = sample.run(folder.path(), now, [0, 1, 2]);
        disk.flush(now).unwrap();
        drop(disk);
        if let Some(at) = damage {
            flip(&folder.path().join("out/top.part"), &[at]);
        }
        let (opened, hashed) = sample
            .open_counting(folder.path(), OpenMode::Resume)
            .unwrap();
        let Opened { mut disk, have } = opened;
        assert_eq!(list(&have), [0, 1, 2]);
        assert_eq!(hashed, 0);
        // Asked for before it was hashed: hashed now.
        let reply = disk.perform(now, ask(first_block(&sample, 1)));
        assert_eq!(matches!(reply, Reply::Block { .. }), damage.is_none());
        while disk.check_next() {}
        let lost = disk.take_lost();
        assert_eq!(lost.is_empty(), damage.is_none());
        for piece in lost.into_iter().chain([3]) {
            disk.perform(now, sample.store(piece));
        }
        disk.flush(now).unwrap();
        sample.assert_complete(&folder.path().join("out"));
    }
}

/// Rows S1: without an idle moment the last look before the name finds all the damage at once.
#[test]
fn after_a_kill_the_final_name_waits_for_the_hash() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let mut disk = sample.run(folder.path(), now, [0, 1, 2]);
    disk.flush(now).unwrap();
    drop(disk);
    flip(&folder.path().join("out/top.part"), &[5, 70_000]);
    let mut disk = sample.run(folder.path(), now, [3]);
    assert_eq!(disk.flush(now), Err(DiskError::Damaged));
    assert!(!folder.path().join("out/top").exists());
    assert_eq!(disk.take_lost(), [0, 2]);
    for piece in [0, 2] {
        disk.perform(now, sample.store(piece));
    }
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}
