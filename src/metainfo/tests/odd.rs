//! Content that is odd and legal (reliability.md C1-C15): what becomes of its names, sizes and spelling.

use bytes::Bytes;

use super::super::{FileKind, Info, Torrent, TorrentError};

/// A torrent of files of one byte each below `n`.
fn of(paths: &[&str]) -> Result<Info, TorrentError> {
    let files: Vec<(&str, u64)> = paths.iter().map(|path| (*path, 1)).collect();
    with(&files, 16_384)
}

/// A torrent of files with their lengths, its pieces as many as needed.
fn with(files: &[(&str, u64)], piece_length: u64) -> Result<Info, TorrentError> {
    let total: u64 = files.iter().map(|(_, length)| length).sum();
    let list: String = files
        .iter()
        .map(|(path, length)| {
            let path: String = path
                .split('/')
                .map(|name| format!("{}:{name}", name.len()))
                .collect();
            format!("d6:lengthi{length}e4:pathl{path}ee")
        })
        .collect();
    // No more than a torrent can hold: what is refused need not fit.
    let hashes = 20 * (total.div_ceil(piece_length) as usize).min(838_000);
    let mut raw =
        format!("d5:filesl{list}e4:name1:n12:piece lengthi{piece_length}e6:pieces{hashes}:")
            .into_bytes();
    raw.resize(raw.len() + hashes, b'a');
    raw.push(b'e');
    Info::from_bytes(Bytes::from(raw))
}

fn paths(info: &Info) -> Vec<String> {
    info.files()
        .iter()
        .map(|file| file.path.to_string())
        .collect()
}

/// Rows C10: of names that meet, the first stays and later ones are numbered, always in the same way.
#[test]
fn names_that_meet_are_numbered() {
    let table: &[(&[&str], &[&str])] = &[
        (&["a", "a"], &["n/a", "n/a (2)"]),
        (
            &["a.txt", "A.txt", "a.TXT"],
            &["n/a.txt", "n/A (2).txt", "n/a (3).TXT"],
        ),
        (&["\u{c4}B", "\u{e4}b"], &["n/\u{c4}B", "n/\u{e4}b (2)"]),
        // Equal only once they are tidied.
        (&["a", "a.", "a\u{200b}"], &["n/a", "n/a (2)", "n/a (3)"]),
        // A folder where a file is, and the other way round: a folder's files stay together.
        (&["a", "a/b", "a/c"], &["n/a", "n/a (2)/b", "n/a (2)/c"]),
        (&["a/b", "a"], &["n/a/b", "n/a (2)"]),
        // The number may be taken, also by one that comes later.
        (&["a", "a (2)", "a"], &["n/a", "n/a (2)", "n/a (3)"]),
        (&["a", "a", "a (2)"], &["n/a", "n/a (2)", "n/a (2) (2)"]),
        (&["d/A", "D/a"], &["n/d/A", "n/D/a (2)"]),
        (&[".x", ".X"], &["n/.x", "n/.X (2)"]),
        (&["a b", "ab", "ab c"], &["n/a b", "n/ab", "n/ab c"]),
    ];
    for (given, expected) in table {
        assert_eq!(paths(&of(given).unwrap()), *expected, "{given:?}");
    }
    let long = "x".repeat(300);
    let info = of(&[&long, &long]).unwrap();
    let lengths: Vec<usize> = info
        .files()
        .iter()
        .map(|file| file.path.file_name().len())
        .collect();
    assert_eq!(lengths, [240, 240]);
    assert_ne!(paths(&info)[0], paths(&info)[1]);
}

/// Rows C10: names that differ by Unicode normalisation alone, or by it and case, are one name; each keeps its own spelling.
#[test]
fn names_that_are_one_when_normalised_are_numbered() {
    let table: &[(&[&str], &[&str])] = &[
        (
            &["\u{e9}.txt", "e\u{301}.txt"],
            &["n/\u{e9}.txt", "n/e\u{301} (2).txt"],
        ),
        (
            &["e\u{301}", "\u{c9}", "E\u{301}"],
            &["n/e\u{301}", "n/\u{c9} (2)", "n/E\u{301} (3)"],
        ),
        // Two marks in either order; Hangul; a folder where a file is.
        (
            &["q\u{307}\u{323}", "q\u{323}\u{307}"],
            &["n/q\u{307}\u{323}", "n/q\u{323}\u{307} (2)"],
        ),
        (
            &["\u{ac00}", "\u{1100}\u{1161}"],
            &["n/\u{ac00}", "n/\u{1100}\u{1161} (2)"],
        ),
        (
            &["\u{e9}", "e\u{301}/a", "e\u{301}/b"],
            &["n/\u{e9}", "n/e\u{301} (2)/a", "n/e\u{301} (2)/b"],
        ),
        // What only looks alike (a ligature, full width) is another name, as it is for file systems; and alone
        // every name stays as it is.
        (&["\u{fb01}", "fi"], &["n/\u{fb01}", "n/fi"]),
        (&["e\u{301}/a", "b"], &["n/e\u{301}/a", "n/b"]),
    ];
    for (given, expected) in table {
        assert_eq!(paths(&of(given).unwrap()), *expected, "{given:?}");
    }
}

/// Rows C10: twenty thousand files of one name are numbered without a search for each.
#[test]
fn many_files_of_one_name() {
    let info = of(&vec!["same"; 20_000]).unwrap();
    assert_eq!(
        info.files().last().unwrap().path.to_string(),
        "n/same (20000)"
    );
}

/// Rows C8: ten thousand and hundred thousand files are taken, one more is refused.
#[test]
fn many_files() {
    let names: Vec<String> = (0..100_001).map(|n| format!("{}/{n}", n % 100)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(of(&names[..10_000]).unwrap().files().len(), 10_000);
    assert_eq!(of(&names[..100_000]).unwrap().files().len(), 100_000);
    assert_eq!(of(&names).unwrap_err(), TorrentError::TooManyFiles);
}

/// Rows C1, C2: empty files may stand anywhere, but not be everything.
#[test]
fn empty_files() {
    for lengths in [
        &[0, 5, 7][..],
        &[5, 7, 0],
        &[5, 0, 7],
        &[0, 5, 0, 0, 7, 0],
        &[0, 1, 0],
    ] {
        let files: Vec<(String, u64)> = lengths
            .iter()
            .enumerate()
            .map(|(n, length)| (n.to_string(), *length))
            .collect();
        let files: Vec<(&str, u64)> = files
            .iter()
            .map(|(name, length)| (name.as_str(), *length))
            .collect();
        let info = with(&files, 16_384).unwrap();
        let found: Vec<u64> = info.files().iter().map(|file| file.length).collect();
        assert_eq!(found, lengths);
    }
    assert_eq!(
        with(&[("a", 0)], 16_384).unwrap_err(),
        TorrentError::NothingInside
    );
    assert_eq!(
        with(&[("a", 0), ("b", 0)], 16_384).unwrap_err(),
        TorrentError::NothingInside
    );
}

/// Rows C4, C5, C6, C7: one byte, one byte more and less than pieces, all pieces that 16 MiB can hold, 2^46 bytes; beyond is refused.
#[test]
fn sizes() {
    for (length, pieces) in [
        (1, 1),
        (16_383, 1),
        (16_384, 1),
        (16_385, 2),
        (32_767, 2),
        (32_768, 2),
        (32_769, 3),
    ] {
        assert_eq!(
            with(&[("a", length)], 16_384).unwrap().piece_count(),
            pieces,
            "{length}"
        );
    }
    // As many hashes as fit into 16 MiB.
    let most = 838_000;
    let info = with(&[("a", most)], 1).unwrap();
    assert_eq!(u64::from(info.piece_count()), most);
    assert_eq!(info.piece_hash(837_999), Some([b'a'; 20]));
    assert!(with(&[("a", 2_097_153)], 1).is_err());
    // Beyond 2^44 bytes an offset is as exact as before.
    let info = with(&[("a", (1 << 45) + 1), ("b", 3)], 128 << 20).unwrap();
    assert_eq!(info.files()[1].offset, (1 << 45) + 1);
    assert_eq!(info.total_length(), (1 << 45) + 4);
    assert!(with(&[("a", 1 << 46)], 128 << 20).is_ok());
    assert_eq!(
        with(&[("a", (1 << 48) + 1)], 128 << 20).unwrap_err(),
        TorrentError::FileLength
    );
}

/// Rows C13: a hybrid is read as what it is for clients of version 1; one of version 2 alone says what it is.
#[test]
fn both_versions() {
    let tree = "9:file treed1:nd0:d6:lengthi1e11:pieces root32:rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrreee";
    let version = "12:meta versioni2e";
    let hybrid = format!(
        "d4:infod{tree}6:lengthi1e{version}4:name1:n12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee"
    );
    let torrent = Torrent::from_bytes(hybrid.as_bytes()).unwrap();
    assert_eq!(
        (torrent.info.piece_count(), torrent.info.total_length()),
        (1, 1)
    );
    let alone = format!("d4:infod{tree}{version}4:name1:n12:piece lengthi16384eee");
    let error = Torrent::from_bytes(alone.as_bytes()).unwrap_err();
    assert_eq!(error, TorrentError::VersionTwoOnly);
    assert!(error.to_string().contains("version 2"), "{error}");
}

/// Rows C3, C12: padding is content that is never written, a symbolic link is no file at all.
#[test]
fn attributes() {
    let raw = "d5:filesld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi3e4:pathl4:.pad1:3ee\
        d4:attr1:l6:lengthi0e4:pathl4:linke12:symlink pathl2:..6:passwdeee4:name1:n12:piece lengthi16384e\
        6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let info = Info::from_bytes(Bytes::from(raw)).unwrap();
    let kinds: Vec<FileKind> = info.files().iter().map(|file| file.kind).collect();
    assert_eq!(kinds, [FileKind::Data, FileKind::Padding]);
    let lying = raw.replace("attr1:l6:lengthi0e", "attr1:l6:lengthi1e");
    assert_eq!(
        Info::from_bytes(Bytes::from(lying)).unwrap_err(),
        TorrentError::LinkWithContent
    );
}
