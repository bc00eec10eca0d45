//! Torrents that have to be refused, made by damaging good ones in one place each.

use bencode::{DictWriter, ErrorKind, Writer};
use bytes::Bytes;

use super::super::TorrentError as E;
use super::super::{Info, PathError, Torrent, TorrentError};

/// An `info` dictionary of fragments, each key and value already bencoded; sorted as given.
pub(super) fn info(parts: &[&str]) -> Vec<u8> {
    format!("d{}e", parts.concat()).into_bytes()
}

fn parse(raw: Vec<u8>) -> Result<Info, TorrentError> {
    Info::from_bytes(Bytes::from(raw))
}

const LENGTH: &str = "6:lengthi10e";
const NAME: &str = "4:name1:n";
const PIECE: &str = "12:piece lengthi16e";
const HASH: &str = "6:pieces20:aaaaaaaaaaaaaaaaaaaa";

/// `files` of one file each with the length and path components given.
fn files(list: &[(i64, &[&str])]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|info| {
        info.list("files", |files| {
            for (length, path) in list {
                files.dict(|file| {
                    file.int("length", *length);
                    file.list("path", |names| {
                        path.iter().for_each(|name| names.bytes(name))
                    });
                });
            }
        });
        rest(info, list.iter().map(|(length, _)| length).sum());
    });
    writer.into_bytes()
}

/// Name and pieces of 16 KiB that fit `total`.
fn rest(info: &mut DictWriter<'_>, total: i64) {
    let count = usize::try_from(total.div_euclid(16 << 10) + 1).unwrap_or(0);
    info.bytes("name", "n");
    info.int("piece length", 16 << 10);
    info.bytes("pieces", vec![b'a'; 20 * count.min(1000)]);
}

#[test]
fn the_undamaged_ones_pass() {
    let single = parse(info(&[LENGTH, NAME, PIECE, HASH])).unwrap();
    assert_eq!((single.piece_count(), single.total_length()), (1, 10));
    assert_eq!(single.piece_hash(0), Some([b'a'; 20]));
    assert_eq!(
        (single.piece_hash(1), single.piece_hash(u32::MAX)),
        (None, None)
    );
    let multi = parse(files(&[(5, &["a"]), (0, &["empty"]), (7, &["d", "b"])])).unwrap();
    let paths: Vec<_> = multi
        .files()
        .iter()
        .map(|file| file.path.to_string())
        .collect();
    assert_eq!(paths, ["n/a", "n/empty", "n/d/b"]);
    assert_eq!(
        multi
            .files()
            .iter()
            .map(|file| file.offset)
            .collect::<Vec<_>>(),
        [0, 5, 5]
    );
}

/// Expects each of the dictionaries to be refused for the reason beside it.
fn refuse(table: &[(&[&str], E)]) {
    for (parts, expected) in table {
        assert_eq!(parse(info(parts)).unwrap_err(), *expected, "{parts:?}");
    }
}

#[test]
fn names_that_are_refused() {
    let table: &[(&[&str], E)] = &[
        (&[LENGTH, PIECE, HASH], E::Missing("name")),
        (&[LENGTH, "4:namei1e", PIECE, HASH], E::WrongType("name")),
        (&[LENGTH, "4:namele", PIECE, HASH], E::WrongType("name")),
        (
            &[LENGTH, "4:name0:", PIECE, HASH],
            E::Path(PathError::Empty),
        ),
        (
            &[LENGTH, "4:name2:..", PIECE, HASH],
            E::Path(PathError::Climbs),
        ),
        (
            &[LENGTH, "4:name4:/etc", PIECE, HASH],
            E::Path(PathError::Separator),
        ),
        (
            &[LENGTH, "4:name3:a\0b", PIECE, HASH],
            E::Path(PathError::Control),
        ),
        (
            &[LENGTH, "4:name1:n", "10:name.utf-82:..", PIECE, HASH],
            E::Path(PathError::Climbs),
        ),
    ];
    refuse(table);
}

#[test]
fn pieces_that_are_refused() {
    let table: &[(&[&str], E)] = &[
        (&[LENGTH, NAME, HASH], E::Missing("piece length")),
        (
            &[LENGTH, NAME, "12:piece length1:9", HASH],
            E::WrongType("piece length"),
        ),
        (&[LENGTH, NAME, "12:piece lengthi0e", HASH], E::PieceLength),
        (
            &[LENGTH, NAME, "12:piece lengthi-16e", HASH],
            E::PieceLength,
        ),
        (
            &[LENGTH, NAME, "12:piece lengthi134217729e", HASH],
            E::PieceLength,
        ),
        (
            &[LENGTH, NAME, "12:piece lengthi9223372036854775807e", HASH],
            E::PieceLength,
        ),
        (&[LENGTH, NAME, PIECE], E::Missing("pieces")),
        (
            &[LENGTH, NAME, PIECE, "6:piecesi0e"],
            E::WrongType("pieces"),
        ),
        (
            &[LENGTH, NAME, PIECE, "6:pieces19:aaaaaaaaaaaaaaaaaaa"],
            E::Pieces,
        ),
        (
            &[LENGTH, NAME, PIECE, "6:pieces21:aaaaaaaaaaaaaaaaaaaaa"],
            E::Pieces,
        ),
        (
            &[LENGTH, NAME, PIECE, "6:pieces0:"],
            E::PieceCount {
                found: 0,
                expected: 1,
            },
        ),
        (
            &["6:lengthi17e", NAME, PIECE, HASH],
            E::PieceCount {
                found: 1,
                expected: 2,
            },
        ),
    ];
    refuse(table);
}

#[test]
fn files_that_are_refused() {
    let table: &[(&[&str], E)] = &[
        (&[NAME, PIECE, HASH], E::LengthOrFiles),
        (&["5:filesle", LENGTH, NAME, PIECE, HASH], E::LengthOrFiles),
        (&["5:filesi1e", NAME, PIECE, HASH], E::WrongType("files")),
        (&["5:filesle", NAME, PIECE, HASH], E::NothingInside),
        (&["5:filesli1ee", NAME, PIECE, HASH], E::WrongType("files")),
        (&["5:filesldee", NAME, PIECE, HASH], E::Missing("length")),
        (
            &["5:filesld6:lengthi1eee", NAME, PIECE, HASH],
            E::Missing("path"),
        ),
        (
            &["5:filesld6:lengthi1e4:path1:aee", NAME, PIECE, HASH],
            E::WrongType("path"),
        ),
        (
            &["5:filesld6:lengthi1e4:pathli1eeee", NAME, PIECE, HASH],
            E::WrongType("path"),
        ),
        (
            &["5:filesld6:lengthi1e4:pathleee", NAME, PIECE, HASH],
            E::Path(PathError::Empty),
        ),
        (
            &[
                "5:filesld4:attr1:l6:lengthi1e4:pathl1:aeee",
                NAME,
                PIECE,
                HASH,
            ],
            E::LinkWithContent,
        ),
        (&["6:length1:9", NAME, PIECE, HASH], E::WrongType("length")),
        (&["6:lengthi-1e", NAME, PIECE, HASH], E::FileLength),
        (
            &["6:lengthi281474976710657e", NAME, PIECE, HASH],
            E::FileLength,
        ),
        (
            &["6:lengthi0e", NAME, PIECE, "6:pieces0:"],
            E::NothingInside,
        ),
        (
            &["9:file treede", LENGTH, "12:meta versioni2e", NAME, PIECE],
            E::VersionTwoOnly,
        ),
    ];
    refuse(table);
}

#[test]
fn bencode_that_is_refused() {
    use ErrorKind as K;
    let good = String::from_utf8(info(&[LENGTH, NAME, PIECE, HASH])).unwrap();
    let table = [
        (String::new(), K::UnexpectedEnd),
        (format!("{good}x"), K::TrailingBytes),
        (good.replace(NAME, "4:name1:n4:name1:m"), K::KeyOrder),
        (
            good.replace(LENGTH, "")
                .replace(HASH, &format!("{HASH}{LENGTH}")),
            K::KeyOrder,
        ),
        (good.replace("i10e", "i010e"), K::MalformedInt),
        (good.replace("i10e", "i-0e"), K::MalformedInt),
        (
            good.replace("i10e", "i9223372036854775808e"),
            K::IntOutOfRange,
        ),
        (good.replace("20:", "9999999999:"), K::UnexpectedEnd),
        (good.replace("20:", "020:"), K::MalformedLength),
        (
            good.replace(
                NAME,
                &format!("{NAME}5:nests{}{}", "l".repeat(32), "e".repeat(32)),
            ),
            K::TooDeep,
        ),
    ];
    for (text, expected) in table {
        match parse(text.clone().into_bytes()) {
            Err(TorrentError::Bencode(error)) => assert_eq!(error.kind, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    assert_eq!(
        parse(b"le".to_vec()).unwrap_err(),
        TorrentError::WrongType("info")
    );
}

#[test]
fn every_truncation_is_refused() {
    let good = files(&[(5, &["a"]), (7, &["d", "b"])]);
    for end in 0..good.len() {
        assert!(parse(good[..end].to_vec()).is_err(), "{end}");
    }
    let file = [b"d4:info".as_slice(), &good, b"e"].concat();
    assert!(Torrent::from_bytes(&file).is_ok());
    for end in 0..file.len() {
        assert!(Torrent::from_bytes(&file[..end]).is_err(), "{end}");
    }
}

/// Rows C11: also behind a good component, and once invisible characters are gone.
#[test]
fn paths_that_leave_the_directory_are_refused() {
    for (path, expected) in [
        (&["..", "x"][..], PathError::Climbs),
        (&["a", "..", "..", "x"], PathError::Climbs),
        (&["."], PathError::Climbs),
        (&["a", ""], PathError::Empty),
        (&["/etc/passwd"], PathError::Separator),
        (&["..\\x"], PathError::Separator),
        (&["C:", "x"], PathError::Drive),
        (&["a", "nul.txt"], PathError::Device),
        (&["..\u{202e}"], PathError::Climbs),
    ] {
        let error = parse(files(&[(1, path)])).unwrap_err();
        assert_eq!(error, TorrentError::Path(expected), "{path:?}");
    }
}

#[test]
fn sizes_at_their_bounds() {
    let deep = vec!["d"; 63];
    assert!(parse(files(&[(1, &deep)])).is_ok());
    let deeper = vec!["d"; 64];
    assert_eq!(
        parse(files(&[(1, &deeper)])).unwrap_err(),
        PathError::TooDeep.into()
    );
    // 2^48 each: the fifth passes 2^50 in sum.
    let huge: Vec<(i64, &[&str])> = [["a"], ["b"], ["c"], ["d"], ["e"]]
        .iter()
        .map(|n| (1 << 48, n.as_slice()))
        .collect();
    assert_eq!(parse(files(&huge)).unwrap_err(), TorrentError::TotalLength);
    assert!(matches!(
        parse(files(&huge[..4])).unwrap_err(),
        TorrentError::PieceCount { .. }
    ));
    let entry = "d6:lengthi0e4:pathl1:aee";
    let many = format!("5:filesl{}e", entry.repeat(100_001));
    let raw = info(&[&many, NAME, PIECE, HASH]);
    assert_eq!(parse(raw).unwrap_err(), TorrentError::TooManyFiles);
    let hashes = format!("6:pieces{}:{}", 20 * 838_861, "a".repeat(20 * 838_861));
    let large = parse(info(&[LENGTH, NAME, PIECE, &hashes])).unwrap_err();
    assert!(matches!(large, TorrentError::Bencode(e) if e.kind == ErrorKind::TooLarge));
}
