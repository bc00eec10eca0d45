//! Making torrents and reading them back.

use super::super::create::default_piece_length;
use super::super::{Builder, FileKind, Magnet, Options, PathError, Torrent, TorrentError};

#[test]
fn a_created_torrent_reads_back() {
    let files = vec![
        (vec!["a.txt".to_owned()], 20_000),
        (vec!["d".into(), "b".into()], 5),
    ];
    let mut builder = Builder::new("name", files, Options::default()).unwrap();
    builder.feed(&[7; 20_001]);
    builder.feed(&[8; 4]);
    let torrent = builder.finish().unwrap();
    let again = Torrent::from_bytes(&torrent.to_bytes()).unwrap();
    assert_eq!(torrent, again);
    assert_eq!(again.info.piece_count(), 2);
    assert_eq!(again.info.total_length(), 20_005);
    let second = &again.info.files()[1];
    assert_eq!(
        (second.offset, second.length, second.kind),
        (20_000, 5, FileKind::Data)
    );
    assert_eq!(second.path.to_string(), "name/d/b");
    let link = Magnet::new(again.info.info_hash()).to_string();
    assert_eq!(
        Magnet::parse(&link).unwrap().info_hash,
        again.info.info_hash()
    );
}

#[test]
fn a_single_file_has_the_torrents_name() {
    let mut builder = Builder::new("n.iso", vec![(vec![], 3)], Options::default()).unwrap();
    builder.feed(b"abc");
    let info = builder.finish().unwrap().info;
    // Golden: SHA-1 of "abc" from FIPS 180-4.
    let hash = b"\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d";
    let head = b"d6:lengthi3e4:name5:n.iso12:piece lengthi16384e6:pieces20:".as_slice();
    assert_eq!(info.raw(), &[head, hash, b"e"].concat());
    assert_eq!(info.files()[0].path.components(), ["n.iso"]);
}

#[test]
fn default_piece_lengths() {
    let (kib, mib, gib) = (1 << 10, 1 << 20, 1_u64 << 30);
    for (total, expected) in [
        (1, 16 * kib),
        (20 * mib, 16 * kib),
        (700 * mib, 512 * kib),
        (4 * gib, 4 * mib),
        (60 * gib, 16 * mib),
        (u64::MAX, 16 * mib),
    ] {
        assert_eq!(u64::from(default_piece_length(total)), expected, "{total}");
    }
}

#[test]
fn what_no_reader_takes_is_refused_before_hashing() {
    use TorrentError as E;
    let file = |name: &str, length| (vec![name.to_owned()], length);
    let build = |name: &str, files, piece_length| {
        let options = Options {
            piece_length,
            ..Options::default()
        };
        Builder::new(name, files, options).unwrap_err()
    };
    assert_eq!(
        build("..", vec![file("a", 1)], None),
        E::Path(PathError::Climbs)
    );
    assert_eq!(
        build("n", vec![file("a/b", 1)], None),
        E::Path(PathError::Separator)
    );
    assert_eq!(
        build("n", vec![(vec![], 1), file("a", 1)], None),
        E::Path(PathError::Empty)
    );
    assert_eq!(build("n", vec![file("a", 1), file("A", 1)], None), E::Clash);
    assert_eq!(build("n", vec![], None), E::NothingInside);
    assert_eq!(build("n", vec![file("a", 0)], None), E::NothingInside);
    assert_eq!(build("n", vec![file("a", u64::MAX)], None), E::FileLength);
    assert_eq!(build("n", vec![file("a", 1)], Some(0)), E::PieceLength);
    assert_eq!(
        build("n", vec![file("a", 1)], Some(u32::MAX)),
        E::PieceLength
    );
    assert_eq!(build("n", vec![file("a", 1 << 30)], Some(1)), E::TooLarge);
    assert_eq!(
        build(
            "n",
            (0..5).map(|n| file(&n.to_string(), 1 << 48)).collect(),
            None
        ),
        E::TotalLength
    );
    assert_eq!(
        build("n", vec![file("a", 1); 100_001], None),
        E::TooManyFiles
    );
}

#[test]
fn files_that_change_while_they_are_read_are_noticed() {
    for (fed, good) in [(9, false), (10, true), (11, false), (40_000, false)] {
        let mut builder = Builder::new("n", vec![(vec![], 10)], Options::default()).unwrap();
        builder.feed(&vec![1; fed]);
        let found = fed as u64;
        let expected = if good {
            None
        } else {
            Some(TorrentError::Fed {
                found,
                expected: 10,
            })
        };
        assert_eq!(builder.finish().err(), expected);
    }
}

#[test]
fn options_are_written() {
    let options = Options {
        trackers: vec![
            vec!["udp://a".into(), "bad".into()],
            vec!["http://b/".into()],
            vec![],
        ],
        nodes: vec![("router.example".into(), 6881)],
        comment: Some("hello".into()),
        created_by: Some("trackless".into()),
        creation_date: Some(1),
        private: true,
        ..Options::default()
    };
    let mut builder = Builder::new("n", vec![(vec![], 1)], options).unwrap();
    assert_eq!(
        (builder.total_length(), builder.piece_length()),
        (1, 16 << 10)
    );
    builder.feed(b"x");
    let torrent = builder.finish().unwrap();
    assert_eq!(torrent.trackers, [["udp://a"], ["http://b/"]]);
    assert_eq!(torrent.nodes, [("router.example".to_owned(), 6881)]);
    assert_eq!(torrent.comment.as_deref(), Some("hello"));
    assert_eq!(
        (torrent.creation_date, torrent.info.is_private()),
        (Some(1), true)
    );
    assert_eq!(Torrent::from_info(torrent.info.clone()).trackers.len(), 0);
}
