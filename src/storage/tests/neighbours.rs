//! Torrents that share a folder, by the files that they have in it (reliability.md C16).

use super::*;
use crate::metainfo::Info;

/// A torrent in the folder `top`, of files with so many bytes each; all bytes are `fill`.
struct Shared {
    info: Arc<Info>,
    fill: u8,
}

const PIECE: usize = 16_384;

impl Shared {
    fn new(fill: u8, files: &[(&str, usize)]) -> Shared {
        let list: String = files
            .iter()
            .map(|(name, length)| format!("d6:lengthi{length}e4:pathl{}:{name}ee", name.len()))
            .collect();
        let total: usize = files.iter().map(|(_, length)| length).sum();
        let hashes = 20 * total.div_ceil(PIECE);
        let mut raw =
            format!("d5:filesl{list}e4:name3:top12:piece lengthi{PIECE}e6:pieces{hashes}:")
                .into_bytes();
        for piece in vec![fill; total].chunks(PIECE) {
            raw.extend_from_slice(&Sha1::digest(piece));
        }
        raw.push(b'e');
        let info = Arc::new(Info::from_bytes(Bytes::from(raw)).unwrap());
        Shared { info, fill }
    }

    fn open(&self, root: &Path, mode: OpenMode) -> Result<Opened, OpenError> {
        let location = Location {
            output: root.join("out"),
            state: Some(root.join("state")),
        };
        Disk::open(Arc::clone(&self.info), location, mode, &mut |_| ())
    }

    fn opened(&self, root: &Path) -> Opened {
        self.open(root, OpenMode::Resume).unwrap()
    }

    fn store(&self, disk: &mut Disk, piece: u32) {
        let before = piece as usize * PIECE;
        let size = PIECE.min(self.info.total_length() as usize - before);
        let blocks = vec![Bytes::from(vec![self.fill; size])];
        let job = Job::Store {
            piece,
            blocks,
            digests: Digests::IfWrong,
        };
        let reply = disk.perform(start(), job);
        assert!(matches!(reply, Reply::Stored { .. }), "{reply:?}");
    }

    fn store_all(&self, disk: &mut Disk) {
        (0..self.info.piece_count()).for_each(|piece| self.store(disk, piece));
        disk.flush(start()).unwrap();
    }
}

fn refused(root: &Path, opened: Result<Opened, OpenError>) {
    match opened {
        Err(OpenError::Others { path }) => assert_eq!(path, root.join("out/top/x")),
        other => panic!("{:?}", other.map(|opened| opened.have)),
    }
}

/// Rows C16: two torrents that share a folder and a path in it: the second is refused while the first is at it, and later if the
/// first has left it unfinished; the first loses nothing and goes on. Without the path in common they go together.
#[test]
fn a_path_that_two_torrents_share_is_written_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = Shared::new(1, &[("a", 10), ("x", 40_000)]);
    let second = Shared::new(2, &[("b", 10), ("x", 50_000)]);
    let third = Shared::new(3, &[("c", 50_000)]);
    let mut disk = first.opened(root).disk;
    refused(root, second.open(root, OpenMode::Resume));
    refused(root, second.open(root, OpenMode::Force));
    let together = third.opened(root);
    first.store(&mut disk, 1);
    disk.flush(start()).unwrap();
    disk.close(start());
    drop((disk, together));
    // It lies there unfinished, and was tried in vain before.
    refused(root, second.open(root, OpenMode::Resume));
    let again = first.opened(root);
    assert_eq!(again.have.iter_set().collect::<Vec<_>>(), [1]);
    let mut disk = again.disk;
    first.store_all(&mut disk);
    disk.close(start());
    drop(disk);
    assert_eq!(std::fs::read(root.join("out/top/x")).unwrap(), [1; 40_000]);
    // Complete, it is what `foreign` sees to.
    match second.open(root, OpenMode::Resume) {
        Err(OpenError::Conflict { .. }) => {}
        other => panic!("{:?}", other.map(|opened| opened.have)),
    }
    assert_eq!(std::fs::read(root.join("out/top/x")).unwrap(), [1; 40_000]);
}

/// Rows C16: who insists gets a file that another torrent has left unfinished, and the other is then the one that is refused.
#[test]
fn who_insists_takes_an_unfinished_file_over() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = Shared::new(1, &[("a", 10), ("x", 40_000)]);
    let second = Shared::new(2, &[("b", 10), ("x", 50_000)]);
    let mut disk = first.opened(root).disk;
    first.store(&mut disk, 1);
    disk.close(start());
    drop(disk);
    let mut disk = second.open(root, OpenMode::Force).unwrap().disk;
    refused(root, first.open(root, OpenMode::Resume));
    second.store_all(&mut disk);
    assert_eq!(std::fs::read(root.join("out/top/x")).unwrap(), [2; 50_000]);
}

/// Rows C16: what both hold right they share: the same file in two torrents, and neither is in the other's way.
#[test]
fn a_complete_file_is_shared() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let first = Shared::new(1, &[("a", 10), ("x", 40_000)]);
    let second = Shared::new(1, &[("b", 10), ("x", 40_000)]);
    let mut one = first.opened(root).disk;
    first.store_all(&mut one);
    let opened = second.opened(root);
    assert_eq!(opened.have.iter_set().collect::<Vec<_>>(), [1, 2]);
    let mut two = opened.disk;
    second.store_all(&mut two);
    one.close(start());
    two.close(start());
    drop((one, two));
    assert!(first.opened(root).have.is_full());
    assert!(second.opened(root).have.is_full());
}

/// Rows C16: two that start at the same moment do not overlook each other.
#[test]
fn two_that_start_together_see_each_other() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let both = [
            Shared::new(1, &[("a", 10), ("x", 40_000)]),
            Shared::new(2, &[("b", 10), ("x", 50_000)]),
        ];
        let opened = std::thread::scope(|scope| {
            let threads = both
                .each_ref()
                .map(|torrent| scope.spawn(|| torrent.open(root, OpenMode::Resume)));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(opened.iter().filter(|opened| opened.is_ok()).count(), 1);
    }
}
