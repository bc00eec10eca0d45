//! Real folders: what ends up in them, and what is refused.

use std::time::Duration;

use super::*;

#[test]
fn files_get_their_names_when_all_of_them_is_there() {
    for sample in [single(), mixed()] {
        let folder = tempfile::tempdir().unwrap();
        let now = start();
        let mut disk = sample.run(folder.path(), now, sample.pieces());
        let out = folder.path().join("out");
        assert!(
            super::super::collect(&out)
                .unwrap()
                .iter()
                .all(|(path, _, _)| { path.last().unwrap().ends_with(".part") })
        );
        assert_eq!(disk.flush(now), Ok(vec![out.join("top")]));
        sample.assert_complete(&out);
        // And again: nothing happens.
        assert_eq!(disk.flush(now), Ok(vec![out.join("top")]));
        sample.assert_complete(&out);
    }
}

#[test]
fn one_file_of_many_is_named_as_soon_as_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, [0, 1]);
    disk.flush(now).unwrap();
    let top = folder.path().join("out/top");
    assert!(top.join("a").exists() && top.join("deep/er/b").exists());
    assert!(!top.join("d").exists() && !top.join("empty").exists());
}

/// Rows C3: padding is sent as zeros and never stored.
#[test]
fn every_block_is_read_back_across_files_and_padding() {
    let folder = tempfile::tempdir().unwrap();
    let sample = mixed();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    for piece in sample.pieces() {
        for (n, expected) in (0..).zip(sample.blocks(piece)) {
            let block = sample.layout.geometry.block(piece, n);
            match disk.perform(now, ask(block)) {
                Reply::Block { data, .. } => assert!(data == expected),
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Rows S22, C12: no link in the way is written through.
#[test]
fn a_planted_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("precious");
    std::fs::write(&target, "precious").unwrap();
    let top = folder.path().join("out/top");
    std::fs::create_dir_all(&top).unwrap();
    let sample = mixed();
    for name in ["a", "a.part", "d.part"] {
        std::os::unix::fs::symlink(&target, top.join(name)).unwrap();
        assert!(matches!(
            sample.open(folder.path(), OpenMode::Force),
            Err(OpenError::Io { .. })
        ));
        std::fs::remove_file(top.join(name)).unwrap();
    }
    // A link in place of a folder that is not there yet when the torrent is opened.
    let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, top.join("deep")).unwrap();
    let reply = disk.perform(start(), sample.store(1));
    assert!(
        matches!(
            reply,
            Reply::StoreFailed {
                error: DiskError::Io(_),
                ..
            }
        ),
        "{reply:?}"
    );
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// Rows C11: storage does not rely on whoever read the torrent.
#[test]
fn a_path_that_leaves_the_folder_is_refused_even_if_it_got_this_far() {
    for path in ["../x", "a/../../x", "/x", "./x", "a//x"] {
        let folder = tempfile::tempdir().unwrap();
        let sample = sample(16_384, &[(path, 5, Content::Data)]);
        assert!(
            sample.open(folder.path(), OpenMode::Force).is_err(),
            "{path}"
        );
        assert!(!folder.path().join("x").exists());
    }
}

#[test]
fn a_foreign_file_is_not_touched_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir_all(&out).unwrap();
    for foreign in [payload(50), vec![7; 100_000], vec![7; 200_000]] {
        std::fs::write(out.join("top"), &foreign).unwrap();
        let sample = single();
        match sample.open(folder.path(), OpenMode::Resume) {
            Err(OpenError::Conflict { path }) => assert_eq!(path, out.join("top")),
            other => panic!("{:?}", other.map(|opened| opened.have)),
        }
        assert!(std::fs::read(out.join("top")).unwrap() == foreign);
    }
    let sample = single();
    let now = start();
    let mut disk = sample.open(folder.path(), OpenMode::Force).unwrap().disk;
    sample.store_all(&mut disk, now);
    disk.flush(now).unwrap();
    sample.assert_complete(&out);
}

#[test]
fn a_foreign_file_that_appears_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let sample = single();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    let path = folder.path().join("out/top");
    std::fs::write(&path, "mine").unwrap();
    assert!(matches!(disk.flush(now), Err(DiskError::Io(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    assert!(std::fs::read(path.with_extension("part")).unwrap() == sample.bytes);
}

#[test]
fn somebody_elses_half_of_the_torrent_is_completed_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir_all(&out).unwrap();
    let sample = single();
    std::fs::write(out.join("top"), &sample.bytes[..40_000]).unwrap();
    let now = start();
    let Opened { mut disk, have } = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert_eq!(list(&have), [0]);
    sample.store_all(&mut disk, now);
    disk.flush(now).unwrap();
    sample.assert_complete(&out);
}

#[test]
fn a_torrent_may_contain_the_name_of_an_unfinished_file() {
    use Content::Data;
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("top/x", 50, Data),
        ("top/x.part", 60, Data),
        ("top/x.part.part", 70, Data),
    ];
    let sample = sample(32, &files);
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
}

/// Rows S20, C8, C9: more files than descriptors, paths longer than the kernel takes at once.
#[test]
fn more_files_than_may_be_open_and_paths_longer_than_the_kernel_takes() {
    let deep = vec!["d".repeat(200); 30].join("/");
    let mut names: Vec<String> = (0..150).map(|n| format!("top/{n:03}")).collect();
    names.push(format!("top/{deep}/file"));
    let files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), 100, Content::Data))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let sample = sample(1_000, &files);
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    disk.close(now);
    drop(disk);
    assert!(
        sample
            .open(folder.path(), OpenMode::Resume)
            .unwrap()
            .have
            .is_full()
    );
    assert!(folder.path().join("out/top/149").exists());
}

/// Rows C8: thousands of files, few descriptors.
#[test]
fn a_commit_of_thousands_of_files_holds_few_of_them_open() {
    let names: Vec<String> = (0..2_000).map(|n| format!("top/{n}")).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), 10, Content::Data))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let sample = sample(1_000, &files);
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    let job = disk.begin_sync(now + Duration::from_secs(60)).unwrap();
    assert!(job.files.is_empty() && job.whole.is_some());
    disk.finish_sync(now, job.run());
    assert!(disk.flush(now).is_ok());
    sample.assert_complete(&folder.path().join("out"));
}

/// Rows C8: ten thousand files are opened, written, made durable and named with few of them open at any time.
#[test]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn ten_thousand_files_and_few_descriptors() {
    const FILES: usize = 10_000;
    let names: Vec<String> = (0..FILES).map(|n| format!("top/{}/{n}", n % 100)).collect();
    let files: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), 10, Content::Data))
        .collect();
    // In memory where there is such a place: how long ten thousand names take is the disk's own affair.
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folder = folder.unwrap();
    let root = folder.path().canonicalize().unwrap();
    // Other tests of this process have files open too, below other folders.
    let open = || {
        let all = std::fs::read_dir("/proc/self/fd").unwrap();
        let ours = all
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
            .filter(|path| path.starts_with(&root));
        ours.count()
    };
    let sample = sample(16_384, &files);
    let now = start();
    let began = start();
    let mut disk = sample.open(&root, OpenMode::Resume).unwrap().disk;
    let opening = began.elapsed();
    let mut most = open();
    for piece in 0..sample.layout.geometry.piece_count() {
        disk.perform(now, sample.store(piece));
        most = most.max(open());
    }
    let job = disk.begin_sync(now + Duration::from_secs(60)).unwrap();
    most = most.max(open());
    disk.finish_sync(now, job.run());
    most = most.max(open());
    disk.flush(now).unwrap();
    most = most.max(open());
    disk.close(now);
    println!(
        "{most} descriptors, opened in {opening:?}, all in {:?}",
        began.elapsed()
    );
    assert!(most <= 80, "{most} descriptors");
    // 0.1 s where nothing else runs.
    assert!(opening < Duration::from_secs(5), "{opening:?}");
    sample.assert_complete(&root.join("out"));
}
