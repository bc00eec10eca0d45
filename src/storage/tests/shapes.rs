//! Shapes of torrents that are odd and legal (reliability.md C1-C5), in real folders.

use super::*;
use Content::{Data, Padding};

/// Fetches all of it into a fresh folder, and opens it once more.
fn fetch(sample: &Sample) {
    let folder = tempfile::tempdir().unwrap();
    let now = start();
    let mut disk = sample.run(folder.path(), now, sample.pieces());
    disk.flush(now).unwrap();
    sample.assert_complete(&folder.path().join("out"));
    disk.close(now);
    drop(disk);
    let again = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert!(again.have.is_full());
}

/// Rows C1, C3: empty files and padding first, last, between, in rows and in folders of their own are there at the end.
#[test]
fn empty_files_are_made() {
    let shapes: [&[(&str, u64, Content)]; 6] = [
        &[("top/e", 0, Data), ("top/a", 20_000, Data)],
        &[("top/a", 20_000, Data), ("top/e", 0, Data)],
        &[
            ("top/a", 16_384, Data),
            ("top/e", 0, Data),
            ("top/b", 5, Data),
        ],
        &[
            ("top/a", 1, Data),
            ("top/d/e", 0, Data),
            ("top/d/f", 0, Data),
            ("top/g/h/i", 0, Data),
            ("top/b", 1, Data),
        ],
        &[
            ("top/e", 0, Data),
            ("top/f", 0, Data),
            ("top/a", 1, Data),
            ("top/g", 0, Data),
        ],
        &[
            ("top/e", 0, Data),
            (".pad/0", 0, Padding),
            ("top/a", 100, Data),
            (".pad/1", 16_284, Padding),
            ("top/b", 7, Data),
        ],
    ];
    for files in shapes {
        fetch(&sample(16_384, files));
    }
}

/// Rows C4: one byte; whole pieces, one byte more and one less; a last block of one byte.
#[test]
fn sizes_around_pieces_and_blocks() {
    for piece_length in [16_384, 32_768, 40_000] {
        for pieces in 1..=3u64 {
            let whole = pieces * u64::from(piece_length);
            for length in [whole - 1, whole, whole + 1] {
                fetch(&sample(piece_length, &[("top", length, Data)]));
            }
        }
    }
    fetch(&sample(16_384, &[("top", 1, Data)]));
    fetch(&sample(1, &[("top", 20, Data)]));
}

/// Rows C5: pieces at the start, across 4 GiB and at the end of a file of 5 GiB and a bit, and a file behind it.
#[test]
fn files_beyond_four_gigabytes() {
    const PIECE: u32 = 1 << 20;
    let length = (5u64 << 30) + 17;
    let last = u32::try_from(length.div_ceil(u64::from(PIECE))).unwrap() - 1;
    // The piece that ends at 4 GiB and the one that begins there.
    let around = u32::try_from((4u64 << 30) / u64::from(PIECE)).unwrap();
    let pieces = [0, around - 1, around, last];
    let tail = length + 3 - u64::from(last) * u64::from(PIECE);
    let content = |piece: u32| {
        let length = if piece == last {
            tail
        } else {
            u64::from(PIECE)
        };
        vec![u8::try_from(piece % 251).unwrap() + 1; usize::try_from(length).unwrap()]
    };
    let hashes = (0..=last)
        .map(|piece| {
            if pieces.contains(&piece) {
                Sha1::digest(content(piece)).into()
            } else {
                [0; 20]
            }
        })
        .collect();
    let files = vec![
        (vec!["top".to_owned(), "large".to_owned()], length, Data),
        (vec!["top".to_owned(), "small".to_owned()], 3, Data),
    ];
    let sample = Sample {
        layout: Layout::new("top".into(), PIECE, files, hashes),
        bytes: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let now = start();
    let mut disk = sample.open(folder.path(), OpenMode::Resume).unwrap().disk;
    for piece in pieces {
        let blocks = content(piece)
            .chunks(BLOCK_LENGTH as usize)
            .map(Bytes::copy_from_slice)
            .collect();
        let reply = disk.perform(
            now,
            Job::Store {
                piece,
                blocks,
                digests: Digests::IfWrong,
            },
        );
        assert!(matches!(reply, Reply::Stored { .. }), "{piece}: {reply:?}");
    }
    for piece in pieces {
        let n = sample.layout.geometry.blocks_in(piece) - 1;
        match disk.perform(now, ask(sample.layout.geometry.block(piece, n))) {
            Reply::Block { data, .. } => assert!(content(piece).ends_with(&data), "{piece}"),
            other => panic!("{other:?}"),
        }
    }
    disk.flush(now).unwrap();
    disk.close(now);
    drop(disk);
    let again = sample.open(folder.path(), OpenMode::Resume).unwrap();
    assert_eq!(again.have.iter_set().collect::<Vec<u32>>(), pieces);
    assert_eq!(
        std::fs::read(folder.path().join("out/top/small")).unwrap(),
        content(last)[..3]
    );
}

/// Rows C16: two different torrents of one name do not write one file: neither at once, nor one over what the other has
/// left unfinished. Two that share a folder go together.
#[test]
fn two_torrents_of_one_name() {
    const OTHER: InfoHash = InfoHash([0xcd; 20]);
    let folder = tempfile::tempdir().unwrap();
    let open = |files: &[(&str, u64, Content)], hash, mode| {
        let location = Location {
            output: folder.path().join("out"),
            state: Some(folder.path().join("state")),
        };
        let info = Bytes::from_static(b"raw info");
        Disk::open_layout(
            sample(32_768, files).layout,
            (hash, &info),
            location,
            mode,
            &mut |_| (),
        )
    };
    let (ours, theirs) = ([("top", 100_000, Data)], [("top", 100_001, Data)]);
    let now = start();
    let mut disk = open(&ours, HASH, OpenMode::Resume).unwrap().disk;
    let refused = |opened: Result<Opened, OpenError>| match opened {
        Err(OpenError::Conflict { path }) => assert_eq!(path, folder.path().join("out/top")),
        other => panic!("{:?}", other.map(|opened| opened.have)),
    };
    refused(open(&theirs, OTHER, OpenMode::Resume));
    refused(open(&theirs, OTHER, OpenMode::Force));
    disk.perform(now, sample(32_768, &ours).store(0));
    disk.close(now);
    drop(disk);
    refused(open(&theirs, OTHER, OpenMode::Resume));
    let again = open(&ours, HASH, OpenMode::Resume).unwrap();
    assert_eq!(again.have.count(), 1, "nothing was lost");
    drop(again);
    assert!(
        open(&theirs, OTHER, OpenMode::Force).is_ok(),
        "who insists may"
    );

    let a = open(&[("both/a", 10, Data)], InfoHash([1; 20]), OpenMode::Resume).unwrap();
    let b = open(&[("both/b", 10, Data)], InfoHash([2; 20]), OpenMode::Resume).unwrap();
    drop((a, b));
}
