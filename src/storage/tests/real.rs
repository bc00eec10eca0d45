//! From a folder to a torrent and back, through the public interface alone.

use super::*;
use crate::metainfo::{Builder, Info, Options};
use crate::storage::{collect, saved_info, verify};

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, length) in [("b/z", 40_000), ("b/a", 1), ("a", 70_000), ("empty", 0)] {
        let path = folder.path().join("given").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, payload(length)).unwrap();
    }
    std::os::unix::fs::symlink("/etc", folder.path().join("given/link")).unwrap();
    folder
}

fn torrent(given: &Path) -> Arc<Info> {
    let found = collect(given).unwrap();
    let files = found
        .iter()
        .map(|(path, _, length)| (path.clone(), *length))
        .collect();
    let mut builder = Builder::new("given", files, Options::default()).unwrap();
    for (_, path, _) in &found {
        builder.feed(&std::fs::read(path).unwrap());
    }
    let torrent = builder.finish().unwrap();
    torrent.info.clone()
}

#[test]
fn a_walk_is_sorted_and_leaves_links_out() {
    let folder = tree();
    let found = collect(&folder.path().join("given")).unwrap();
    let names: Vec<String> = found.iter().map(|(path, _, _)| path.join("/")).collect();
    assert_eq!(names, ["a", "b/a", "b/z", "empty"]);
    let one = collect(&folder.path().join("given/b/z")).unwrap();
    assert_eq!(
        (one.len(), one[0].0.join("/"), one[0].2),
        (1, "z".into(), 40_000)
    );
    assert!(collect(&folder.path().join("missing")).is_err());
}

#[test]
fn what_is_shared_is_recognised_in_place_and_not_written_to() {
    let folder = tree();
    let info = torrent(&folder.path().join("given"));
    assert!(
        verify(Arc::clone(&info), folder.path(), &mut |_| ())
            .unwrap()
            .is_empty()
    );
    let state = folder.path().join("state");
    let location = Location {
        output: folder.path().to_owned(),
        state: Some(state.clone()),
    };
    let before = collect(&folder.path().join("given")).unwrap();
    let opened = Disk::open(Arc::clone(&info), location, OpenMode::Resume, &mut |_| ()).unwrap();
    assert!(opened.have.is_full());
    assert_eq!(collect(&folder.path().join("given")).unwrap(), before);
    assert_eq!(
        saved_info(&state, info.info_hash()).as_ref(),
        Some(info.raw())
    );
}

/// Rows S12: nothing is opened for writing that needs no writing.
#[test]
fn a_read_only_folder_can_be_shared() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tree();
    let info = torrent(&folder.path().join("given"));
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(folder.path(), mode(0o555)).unwrap();
    let location = Location {
        output: folder.path().to_owned(),
        state: None,
    };
    let opened = Disk::open(info, location, OpenMode::Resume, &mut |_| ());
    std::fs::set_permissions(folder.path(), mode(0o755)).unwrap();
    let Opened { mut disk, have } = opened.unwrap();
    assert!(have.is_full());
    assert_eq!(disk.flush(start()), Ok(vec![folder.path().join("given")]));
}

#[test]
fn verify_names_the_wrong_pieces_and_changes_nothing() {
    let folder = tree();
    let info = torrent(&folder.path().join("given"));
    std::fs::remove_file(folder.path().join("given/b/z")).unwrap();
    let wrong = verify(Arc::clone(&info), folder.path(), &mut |_| ()).unwrap();
    // 70,001 bytes are before the removed file, in pieces of 16 KiB.
    assert_eq!(wrong, [4, 5, 6]);
    assert!(!folder.path().join("given/b/z").exists());
    assert!(verify(info, &folder.path().join("missing"), &mut |_| ()).is_err());
}
