//! Torrent files that are wrong, one way each: exit code 3, a reason on standard error, nothing on disk, no panic.
//!
//! The limits behind the cases are those of `metainfo`; here the whole program is asked, as a user would.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod support;

use support::client::{Bench, STUCK};
use support::torrent::{Sample, string};

/// Twenty zero bytes, in bencode: the hash of one piece.
const ONE_HASH: &str = "20:AAAAAAAAAAAAAAAAAAAA";

/// A torrent file around the text of an `info` dictionary's entries.
fn info(entries: &str) -> Vec<u8> {
    format!("d4:infod{entries}ee").into_bytes()
}

/// One file of one piece with this name, in bencode.
fn named(name: &[u8]) -> Vec<u8> {
    let mut out = b"d4:infod6:lengthi1e4:name".to_vec();
    out.extend_from_slice(&string(name));
    out.extend_from_slice(format!("12:piece lengthi16384e6:pieces{ONE_HASH}ee").as_bytes());
    out
}

/// Files of one byte with these paths (each in bencode, a list's inside) in a folder `n`.
fn paths(paths: &[&str]) -> Vec<u8> {
    let files: String = paths
        .iter()
        .map(|path| format!("d6:lengthi1e4:pathl{path}ee"))
        .collect();
    info(&format!(
        "5:filesl{files}e4:name1:n12:piece lengthi16384e6:pieces{ONE_HASH}"
    ))
}

/// One file, with its numbers and hashes in bencode.
fn numbers(length: &str, piece_length: &str, pieces: &str) -> Vec<u8> {
    info(&format!(
        "6:length{length}4:name1:n12:piece length{piece_length}6:pieces{pieces}"
    ))
}

/// `count` times `text`.
fn times(text: &str, count: usize) -> String {
    text.repeat(count)
}

/// Numbers and hashes that do not fit together.
fn arithmetic() -> Vec<(&'static str, Vec<u8>)> {
    let two = format!("40:{}", times("A", 40));
    let huge = "d6:lengthi4611686018427387904e4:pathl1:aee";
    let files = huge.replace("1:a", "1:b")
        + huge
        + &huge.replace("1:a", "1:c")
        + &huge.replace("1:a", "1:d");
    vec![
        ("piece length 0", numbers("i1e", "i0e", ONE_HASH)),
        (
            "piece length negative",
            numbers("i1e", "i-16384e", ONE_HASH),
        ),
        (
            "piece length beyond any use",
            numbers("i1e", "i4294967296e", ONE_HASH),
        ),
        ("length negative", numbers("i-1e", "i16384e", ONE_HASH)),
        (
            "length beyond 64 bit",
            numbers("i99999999999999999999e", "i16384e", ONE_HASH),
        ),
        (
            "length at the edge of 64 bit",
            numbers("i9223372036854775807e", "i16384e", ONE_HASH),
        ),
        (
            "lengths that overflow together",
            info(&format!(
                "5:filesl{files}e4:name1:n12:piece lengthi16384e6:pieces{ONE_HASH}"
            )),
        ),
        (
            "lengths that are possible alone and not together",
            info(&format!(
                "5:filesl{}e4:name1:n12:piece lengthi16384e6:pieces{ONE_HASH}",
                files
                    .replace("4611686018427387904", "281474976710656")
                    .repeat(2)
            )),
        ),
        (
            "hashes cut short",
            numbers("i1e", "i16384e", "19:AAAAAAAAAAAAAAAAAAA"),
        ),
        ("too few pieces", numbers("i16385e", "i16384e", ONE_HASH)),
        ("too many pieces", numbers("i1e", "i16384e", &two)),
        ("no pieces at all", numbers("i1e", "i16384e", "0:")),
        ("pieces is a list", numbers("i1e", "i16384e", "le")),
        ("length is a string", numbers("1:1", "i16384e", ONE_HASH)),
    ]
}

/// Paths that lead elsewhere or nowhere.
fn places() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("traversal in a path", paths(&["2:..", "1:a"])),
        ("traversal deeper", paths(&["1:a2:..2:..6:passwd"])),
        ("name is traversal", named(b"..")),
        ("name is the folder itself", named(b".")),
        ("name is absolute", named(b"/etc/passwd")),
        (
            "separator in a component",
            paths(&["11:/etc/passwd", "1:a"]),
        ),
        ("separator inside a component", paths(&["7:../../a"])),
        ("empty name", named(b"")),
        ("empty path", paths(&["", "1:a"])),
        ("empty component", paths(&["1:a0:1:b"])),
        ("zero byte in the name", named(b"a\0b")),
        ("name is a device of Windows", named(b"CON.txt")),
        ("name is a drive", named(b"C:")),
        ("backslash in a component", paths(&["4:..\\a"])),
        (
            "climbs once invisible characters are gone",
            named(".\u{200b}.".as_bytes()),
        ),
        (
            "path is a number",
            info(&format!(
                "5:filesld6:lengthi1e4:pathi1eee4:name1:n12:piece lengthi16384e6:pieces{ONE_HASH}"
            )),
        ),
        ("path too deep", paths(&[&times("1:a", 5_000)])),
    ]
}

/// Files that are no torrent, or half of one.
fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let tail = format!("12:piece lengthi16384e6:pieces{ONE_HASH}");
    let good = named(b"n");
    let mut behind = good.clone();
    behind.extend_from_slice(b"garbage");
    let deep = format!("d4:info{}{}e", times("d1:a", 300), times("e", 300)).into_bytes();
    let deep_beside = format!(
        "d1:a{}{}{}",
        times("l", 300),
        times("e", 300),
        &String::from_utf8_lossy(&good)[1..]
    );
    vec![
        ("empty file", Vec::new()),
        (
            "a web page",
            b"<!DOCTYPE html><html><body>404 Not Found</body></html>".to_vec(),
        ),
        ("hundred thousand lists", times("l", 100_000).into_bytes()),
        (
            "hundred thousand lists, closed",
            format!("{}{}", times("l", 100_000), times("e", 100_000)).into_bytes(),
        ),
        ("three hundred levels inside info", deep),
        ("three hundred levels beside info", deep_beside.into_bytes()),
        ("cut in the middle", good[..good.len() / 2].to_vec()),
        ("something behind the end", behind),
        ("no info", b"d8:announce3:urle".to_vec()),
        ("info is a list", b"d4:infolee".to_vec()),
        ("no name", info(&format!("6:lengthi1e{tail}"))),
        (
            "neither length nor files",
            info(&format!("4:name1:n{tail}")),
        ),
        (
            "both length and files",
            info(&format!(
                "5:filesld6:lengthi1e4:pathl1:aeee6:lengthi1e4:name1:n{tail}"
            )),
        ),
        ("no files", info(&format!("5:filesle4:name1:n{tail}"))),
        (
            "a key twice",
            info(&format!("6:lengthi1e6:lengthi1e4:name1:n{tail}")),
        ),
        (
            "a length with leading zeros",
            numbers("i01e", "i16384e", ONE_HASH),
        ),
        (
            "a string longer than the file",
            b"d4:info99999999999:a".to_vec(),
        ),
        ("a list at the top", b"l4:infoe".to_vec()),
    ]
}

/// What is wrong with the answer to a torrent file, if anything is.
fn judge(bytes: &[u8]) -> Result<(), String> {
    let mut bench = Bench::new();
    let file = bench.folder().join("bad.torrent");
    std::fs::write(&file, bytes).expect("a file");
    let command = bench.plain(file.to_str().expect("ASCII"), &[]);
    let mut process = bench.start(command);
    // Nobody has it, so a file that is taken would wait for ever.
    support::wait_until(support::seconds(10), || process.ended().is_some());
    let Some(status) = process.ended() else {
        return Err("it was accepted".to_owned());
    };
    let error = process.stderr();
    if status.code() != Some(3) {
        return Err(format!("exit {:?}: {}", status.code(), error.trim()));
    }
    if error.contains("panicked") || error.trim().is_empty() {
        return Err(format!("no reason: {error:?}"));
    }
    if error.len() > 2_000 {
        return Err(format!("a reason of {} bytes", error.len()));
    }
    let left: Vec<_> = bench.output().read_dir().expect("the folder").collect();
    if !left.is_empty() {
        return Err(format!("left on disk: {left:?}"));
    }
    Ok(())
}

/// Judges every case; reports all that fail, not the first.
fn judge_all(cases: Vec<(&'static str, Vec<u8>)>) {
    let wrong: Vec<String> = cases
        .into_iter()
        .filter_map(|(what, bytes)| judge(&bytes).err().map(|why| format!("{what}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rows C2, C7: refused with a reason and without a trace.
#[test]
fn numbers_that_do_not_add_up() {
    judge_all(arithmetic());
}

/// Rows C9, C11: refused with a reason and without a trace.
#[test]
fn paths_that_lead_elsewhere() {
    judge_all(places());
}

/// Rows C14, C15: refused with a reason and without a trace.
#[test]
fn files_that_are_no_torrent() {
    judge_all(shapes());
}

#[test]
fn the_cases_differ_from_a_good_one_by_their_fault_alone() {
    // What the cases are made of is accepted when nothing is wrong with it: without this, all of them could fail for a
    // reason of the test's own making.
    let mut bench = Bench::new();
    let good = [
        named(b"n"),
        numbers("i1e", "i16384e", ONE_HASH),
        paths(&["1:a1:b"]),
    ];
    for bytes in good {
        let file = bench.folder().join("good.torrent");
        std::fs::write(&file, bytes).expect("a file");
        let mut command = bench.get(file.to_str().expect("ASCII"), &[]);
        command.args(["--timeout", "1s"]);
        let mut process = bench.start(command);
        assert_eq!(
            process.wait(STUCK).code(),
            Some(5),
            "no peers within a second"
        );
    }
}

#[test]
fn wrong_magnet_links_are_refused_with_a_caret_and_a_hint() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "m", 1, 16_384);
    let cases = [
        "magnet:?dn=nothing".to_owned(),
        "magnet:?xt=urn:btih:".to_owned(),
        format!("magnet:?xt=urn:btih:{}", &sample.info_hash[1..]),
        format!(
            "magnet:?xt=urn:btih:{}",
            sample.info_hash.replace(|_: char| true, "g")
        ),
        format!("magnet:?xt=urn:btih:{}&so=2-1", sample.info_hash),
        format!("magnet:?xt=urn:btih:{}&dn=%zz", sample.info_hash),
        "magnet:".to_owned(),
    ];
    for magnet in cases {
        let command = bench.plain(&magnet, &[]);
        let mut process = bench.start(command);
        assert_eq!(
            process.wait(support::seconds(10)).code(),
            Some(3),
            "{magnet}"
        );
        let error = process.stderr();
        assert!(
            !error.contains("panicked") && !error.trim().is_empty(),
            "{magnet}: {error}"
        );
    }
}
