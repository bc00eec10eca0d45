//! Files that are not ours: adopted, completed behind their end, or refused, and never changed.

use super::*;

/// An output folder with one file in it.
fn with(file: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out").join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn two_files() -> Sample {
    let files = [
        ("top/a", 32_768, Content::Data),
        ("top/d", 32_768, Content::Data),
    ];
    sample(16_384, &files)
}

/// Two files with a piece that lies in both.
fn overlapping() -> Sample {
    let files = [
        ("top/a", 40_000, Content::Data),
        ("top/d", 40_000, Content::Data),
    ];
    sample(16_384, &files)
}

fn assert_conflict(opened: Result<Opened, OpenError>, expected: &Path) {
    match opened {
        Err(OpenError::Conflict { path }) => assert_eq!(path, expected),
        other => panic!("{:?}", other.map(|opened| opened.have)),
    }
}

fn assert_refused(reply: Reply, name: &str) {
    match reply {
        Reply::StoreFailed {
            error: DiskError::Io(text),
            ..
        } => assert!(text.contains(name), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_foreign_file_of_which_one_byte_differs_is_a_conflict() {
    let sample = single();
    let mut mine = sample.bytes.clone();
    mine[99_000] ^= 0xff;
    let (folder, path) = with("top", &mine);
    assert_conflict(sample.open(folder.path(), OpenMode::Resume), &path);
    // Refused once, refused again: trying makes nothing ours.
    assert_conflict(sample.open(folder.path(), OpenMode::Resume), &path);
    assert!(std::fs::read(&path).unwrap() == mine);
}

#[test]
fn a_foreign_file_beside_a_right_one_is_a_conflict() {
    let sample = two_files();
    let (folder, path) = with("top/d", &[7; 32_768]);
    std::fs::write(path.with_file_name("a"), &sample.bytes[..32_768]).unwrap();
    assert_conflict(sample.open(folder.path(), OpenMode::Resume), &path);
    assert!(std::fs::read(&path).unwrap() == [7; 32_768]);
}

#[test]
fn an_unknown_part_file_that_is_too_long_is_a_conflict() {
    let sample = single();
    let (folder, path) = with("top.part", &[7; 150_000]);
    for mode in [OpenMode::Resume, OpenMode::Check] {
        assert_conflict(sample.open(folder.path(), mode), &path);
    }
    assert!(std::fs::read(&path).unwrap() == [7; 150_000]);
}

#[test]
fn an_unknown_part_file_is_adopted_piece_by_piece() {
    let sample = single();
    let mut part = sample.bytes.clone();
    part[40_000] ^= 1;
    let (folder, _) = with("top.part", &part);
    let now = start();
    let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert_eq!(list(&have), [0, 2, 3]);
    disk.perform(now, sample.store(1));
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}

#[test]
fn what_cannot_be_opened_is_named_itself() {
    let (folder, path) = with("top", b"");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    match single().open(folder.path(), OpenMode::Resume) {
        Err(OpenError::Io { path: named, .. }) => assert_eq!(named, path),
        other => panic!("{:?}", other.map(|opened| opened.have)),
    }
}

#[test]
fn a_partial_copy_can_be_seeded_and_is_not_written_to() {
    let sample = single();
    let mut holes = sample.bytes.clone();
    holes[32_768..65_536].fill(0);
    let (folder, path) = with("top", &holes);
    let now = start();
    let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Check).unwrap();
    assert_eq!(list(&have), [0, 2, 3]);
    assert_refused(disk.perform(now, sample.store(1)), "out/top");
    // What is there already needs no writing.
    let stored = disk.perform(now, sample.store(2));
    assert!(matches!(stored, Reply::Stored { .. }));
    disk.close(now);
    drop(disk);
    assert!(std::fs::read(&path).unwrap() == holes);
    // Nor has seeding it made it ours.
    assert_conflict(sample.open(folder.path(), OpenMode::Resume), &path);
    let mut disk = sample.open(folder.path(), OpenMode::Force).unwrap().disk;
    disk.perform(now, sample.store(1));
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}

#[test]
fn a_foreign_file_whose_end_cannot_be_hashed_yet_is_only_compared() {
    let sample = overlapping();
    for wrong in [0, 1] {
        let mut mine = sample.bytes[..40_000].to_vec();
        mine[39_999] ^= wrong;
        let (folder, path) = with("top/a", &mine);
        let now = start();
        let mut disk = sample.run(folder.path(), now, [3, 4]);
        let reply = disk.perform(now, sample.store(2));
        if wrong == 1 {
            assert_refused(reply, "out/top/a");
            assert!(std::fs::read(&path).unwrap() == mine);
        } else {
            disk.flush(now).unwrap();
            sample.assert_complete(&folder.path().join("out"));
        }
    }
}

#[test]
fn half_a_copy_with_a_wrong_tail_is_not_changed_in_any_run() {
    let sample = single();
    let mut half = sample.bytes[..40_000].to_vec();
    half[39_999] ^= 1;
    let (folder, path) = with("top", &half);
    let now = start();
    for _ in 0..2 {
        let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
        assert_refused(disk.perform(now, sample.store(1)), "out/top");
        disk.close(now);
    }
    assert!(std::fs::read(&path).unwrap() == half);
}

/// As after `kill -9`: the file has grown to its full size and has holes, and they are ours.
#[test]
fn half_a_copy_is_completed_by_the_run_after_a_kill() {
    let sample = single();
    let (folder, _) = with("top", &sample.bytes[..40_000]);
    let now = start();
    for pieces in [&[3][..], &[2], &[1]] {
        let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
        for piece in pieces {
            let stored = disk.perform(now, sample.store(*piece));
            assert!(matches!(stored, Reply::Stored { .. }), "{stored:?}");
        }
    }
    let opened = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert!(opened.have.is_full());
    sample.assert_complete(&folder.path().join("out"));
}

#[test]
fn an_adopted_file_stays_somebody_elses() {
    let sample = single();
    let (folder, path) = with("top", &sample.bytes);
    let now = start();
    let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert!(have.is_full());
    disk.close(now);
    drop(disk);
    let mut edited = sample.bytes.clone();
    edited[5] ^= 1;
    std::fs::write(&path, &edited).unwrap();
    assert_conflict(sample.open(folder.path(), OpenMode::Resume), &path);
    assert!(std::fs::read(&path).unwrap() == edited);
}

#[test]
fn a_file_put_in_place_of_ours_meanwhile_is_not_written_to() {
    let sample = single();
    let folder = tempfile::tempdir().unwrap();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    let (path, new) = (folder.path().join("out/top"), folder.path().join("new"));
    std::fs::write(&new, [7; 100_000]).unwrap();
    std::fs::rename(&new, &path).unwrap();
    disk.perform(now, ask(first_block(&sample, 0)));
    assert_refused(disk.perform(now, sample.store(0)), "out/top");
    assert!(std::fs::read(&path).unwrap() == [7; 100_000]);
}

#[test]
fn our_own_file_is_repaired_even_after_a_kill_while_repairing() {
    let sample = single();
    let folder = tempfile::tempdir().unwrap();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    drop(disk);
    let path = folder.path().join("out/top");
    let mut damaged = sample.bytes.clone();
    damaged[5] ^= 1;
    damaged[99_000] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    for piece in [0, 3] {
        let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
        disk.perform(now, sample.store(piece));
    }
    sample.open(folder.path(), OpenMode::Resume).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}
