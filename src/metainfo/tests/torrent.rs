//! Torrent files: goldens, and what around `info` is kept.

use super::super::torrent::{MAX_NODES, MAX_TEXT, MAX_TIERS, MAX_TRACKERS, MAX_URL};
use super::super::{FileKind, InfoHash, Torrent, TorrentError};
use super::malformed::info;

const LENGTH: &str = "6:lengthi10e";
const TAIL: &str = "4:name1:n12:piece lengthi16e6:pieces20:aaaaaaaaaaaaaaaaaaaa";

/// A torrent with `before` and `after` around its `info`.
fn file(before: &str, after: &str) -> Vec<u8> {
    format!("d{before}4:infod{LENGTH}{TAIL}e{after}e").into_bytes()
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("l{}e", items.into_iter().collect::<String>())
}

fn string(text: &str) -> String {
    format!("{}:{text}", text.len())
}

#[test]
fn golden_file() {
    let golden = b"d8:announce12:udp://t:80/a7:comment2:hi10:created by1:x13:creation datei5e\
        4:infod6:lengthi10e4:name1:n12:piece lengthi16e6:pieces20:aaaaaaaaaaaaaaaaaaaa\
        7:privatei1ee5:nodesll3:::1i6881eeee";
    let torrent = Torrent::from_bytes(golden).unwrap();
    assert_eq!(torrent.trackers, [["udp://t:80/a"]]);
    assert_eq!(torrent.nodes, [("::1".to_owned(), 6881)]);
    assert_eq!(torrent.comment.as_deref(), Some("hi"));
    assert_eq!(torrent.created_by.as_deref(), Some("x"));
    assert_eq!(torrent.creation_date, Some(5));
    assert!(torrent.info.is_private());
    assert_eq!(torrent.info.piece_length(), 16);
    assert_eq!(torrent.to_bytes(), golden);
}

/// Rows C14: over the bytes as they came.
#[test]
fn the_hash_is_over_the_span_in_the_file() {
    // A key nobody knows, inside `info`: still part of the hash and of what is written.
    let raw = format!("d{LENGTH}{TAIL}6:secreti1ee").replace("6:pieces", "6:oddityi1e6:pieces");
    let raw = raw.replace(
        "4:name1:n12:piece lengthi16e6:oddityi1e",
        "4:name1:n6:oddityi1e12:piece lengthi16e",
    );
    let torrent = Torrent::from_bytes(format!("d4:info{raw}e").as_bytes()).unwrap();
    assert_eq!(torrent.info.raw(), raw.as_bytes());
    assert_eq!(torrent.info.info_hash(), InfoHash::of_info(raw.as_bytes()));
    assert!(
        torrent
            .to_bytes()
            .windows(raw.len())
            .any(|part| part == raw.as_bytes())
    );
}

/// Rows C15: two bytes of white space, and nothing else.
#[test]
fn a_line_end_behind_the_file_is_forgiven() {
    for (tail, good) in [
        ("\n", true),
        ("\r\n", true),
        ("\n\n\n", false),
        ("x", false),
        ("\0", false),
    ] {
        let input = [file("", ""), tail.as_bytes().to_vec()].concat();
        assert_eq!(Torrent::from_bytes(&input).is_ok(), good, "{tail:?}");
    }
}

/// Rows C14: outside of `info`, not inside.
#[test]
fn the_outer_dictionary_may_be_unsorted() {
    let raw = file("7:comment1:c8:announce12:udp://t:80/a", "");
    let torrent = Torrent::from_bytes(&raw).unwrap();
    assert_eq!(torrent.trackers, [["udp://t:80/a"]]);
    assert_eq!(
        Torrent::from_bytes(b"de").unwrap_err(),
        TorrentError::Missing("info")
    );
    assert_eq!(
        Torrent::from_bytes(b"le").unwrap_err(),
        TorrentError::WrongType("torrent")
    );
    assert_eq!(
        Torrent::from_bytes(b"d4:info1:xe").unwrap_err(),
        TorrentError::WrongType("info")
    );
}

#[test]
fn only_usable_trackers_are_kept() {
    let long = format!("udp://{}", "h".repeat(MAX_URL));
    let urls = [
        "http://a/",
        "HTTPS://b/x",
        "udp://c:1",
        "wss://d",
        "ftp://e",
        "http://",
        "http://a b",
        "",
        &long,
    ];
    let tier = list(urls.iter().map(|url| string(url)));
    let announce_list = format!("13:announce-listl{tier}lei5el3:badee");
    let torrent = Torrent::from_bytes(&file(&announce_list, "")).unwrap();
    assert_eq!(
        torrent.trackers,
        [["http://a/", "HTTPS://b/x", "udp://c:1"]]
    );
    // Nothing usable in the list: `announce` counts.
    let both = "8:announce9:http://a/13:announce-listll3:badee";
    assert_eq!(
        Torrent::from_bytes(&file(both, "")).unwrap().trackers,
        [["http://a/"]]
    );
    let wrong = "8:announcei5e13:announce-list1:x7:commenti1e";
    let torrent = Torrent::from_bytes(&file(wrong, "")).unwrap();
    assert_eq!((torrent.trackers.len(), torrent.comment), (0, None));
}

#[test]
fn advice_is_bounded() {
    let tiers = list((0..20).map(|t| list((0..8).map(|u| string(&format!("udp://{t}-{u}"))))));
    let torrent = Torrent::from_bytes(&file(&format!("13:announce-list{tiers}"), "")).unwrap();
    assert_eq!(torrent.trackers.iter().flatten().count(), MAX_TRACKERS);
    let tiers = list((0..20).map(|t| list([string(&format!("udp://{t}"))])));
    let torrent = Torrent::from_bytes(&file(&format!("13:announce-list{tiers}"), "")).unwrap();
    assert_eq!(torrent.trackers.len(), MAX_TIERS);
    let bad = "l1:ai0eel1:ai65536eel1:aelei5el0:i1eel3:a bi1ee".to_owned();
    let good = (1..=100).map(|port| format!("l1:hi{port}ee"));
    let nodes = format!("5:nodes{}", list(std::iter::once(bad).chain(good)));
    let torrent = Torrent::from_bytes(&file("", &nodes)).unwrap();
    assert_eq!(
        (torrent.nodes.len(), &torrent.nodes[0]),
        (MAX_NODES, &("h".to_owned(), 1))
    );
    let comment = format!("7:comment{}", string(&"é".repeat(MAX_TEXT)));
    let torrent = Torrent::from_bytes(&file(&comment, "")).unwrap();
    assert_eq!(torrent.comment.map(|text| text.len()), Some(MAX_TEXT));
}

/// Rows C3, C12: marked or named as padding it is padding, a link is nothing.
#[test]
fn padding_and_links() {
    let files = "5:filesl\
        d6:lengthi5e4:pathl1:aee\
        d4:attr1:p6:lengthi11e4:pathl4:.pad2:11ee\
        d4:attr1:l4:pathl4:linke12:symlink pathl2:..2:..ee\
        d6:lengthi1e4:pathl1:bee\
        d6:lengthi2e4:pathl4:.pad1:2ee\
        d4:attr1:p6:lengthi3ee\
        d4:attr2:xh6:lengthi4e4:pathl1:cee\
        d6:lengthi1e4:pathl20:_____padding_file_01eee";
    let hashes = format!("6:pieces40:{}", "a".repeat(40));
    let raw = info(&[files, "4:name1:n", "12:piece lengthi16e", &hashes]);
    let torrent = Torrent::from_bytes(&[b"d4:info".as_slice(), &raw, b"e"].concat()).unwrap();
    let kinds: Vec<_> = torrent
        .info
        .files()
        .iter()
        .map(|f| (f.offset, f.kind))
        .collect();
    use FileKind::{Data, Padding};
    let expected = [
        (0, Data),
        (5, Padding),
        (16, Data),
        (17, Padding),
        (19, Padding),
        (22, Data),
        (26, Padding),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(torrent.info.total_length(), 27);
    assert!(
        torrent
            .info
            .files()
            .iter()
            .all(|f| !f.path.to_string().contains("link"))
    );
}

#[test]
fn names_marked_as_utf8_win_and_others_are_replaced() {
    let files = "5:filesl\
        d6:lengthi5e4:pathl1:?e10:path.utf-8l2:\u{e9}ee\
        d6:lengthi5e4:pathl2:";
    let mut raw = [b"d".as_slice(), files.as_bytes(), &[0xff, b'x'], b"eee"].concat();
    raw.extend_from_slice(
        b"4:name1:?10:name.utf-82:\xc3\xa912:piece lengthi16e6:pieces20:aaaaaaaaaaaaaaaaaaaae",
    );
    let torrent = Torrent::from_bytes(&[b"d4:info".as_slice(), &raw, b"e"].concat()).unwrap();
    let paths: Vec<_> = torrent
        .info
        .files()
        .iter()
        .map(|f| f.path.to_string())
        .collect();
    assert_eq!(paths, ["é/é", "é/\u{fffd}x"]);
    assert_eq!(torrent.info.name(), "é");
}
