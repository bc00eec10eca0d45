//! Defaults and checks of the `dht` commands.

use super::super::super::args::{self, Command};
use super::super::super::config::Config;
use super::super::super::plan::{KeySource, PutPlan, Secret, Stored};
use super::*;

const HASH: &str = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f";

fn home(name: &str) -> Option<std::ffi::OsString> {
    (name == "HOME").then(|| "/home/x".into())
}

fn plan(line: &str) -> Result<DhtPlan, Failure> {
    let words = ["trackless", "dht"]
        .into_iter()
        .chain(line.split_whitespace());
    let Command::Dht(command) = args::parse(words).unwrap().command else {
        panic!("another command")
    };
    Background {
        config: &Config::default(),
        variable: &home,
    }
    .dht(command)
}

#[test]
fn the_port_of_an_announcement_is_not_bound() {
    let DhtPlan::Announce(announce) = plan(&format!("announce {HASH} --port 7000")).unwrap() else {
        panic!("another plan")
    };
    assert_eq!((announce.port, announce.network.port), (Some(7000), 0));
    let DhtPlan::Announce(announce) = plan(&format!("announce {HASH}")).unwrap() else {
        panic!("another plan")
    };
    assert_eq!(announce.port, None);
}

#[test]
fn a_target_is_an_id_a_hash_or_a_magnet_link() {
    for target in [HASH.to_owned(), format!("magnet:?xt=urn:btih:{HASH}")] {
        let DhtPlan::Find(find) = plan(&format!("find {target}")).unwrap() else {
            panic!("another plan")
        };
        assert_eq!(find.target.to_string(), HASH);
    }
    for line in ["find Cargo.toml", "find x", "announce -", "lookup 12"] {
        assert_eq!(plan(line).unwrap_err().code, ExitCode::BadInput, "{line}");
    }
}

#[test]
fn an_id_is_made_or_checked_for_an_address() {
    assert!(matches!(plan("id").unwrap(), DhtPlan::Id(IdPlan::Ours(_))));
    assert!(matches!(
        plan("id ::1").unwrap(),
        DhtPlan::Id(IdPlan::Make(_))
    ));
    let check = plan(&format!("id 1.2.3.4 --check {HASH}")).unwrap();
    assert!(matches!(check, DhtPlan::Id(IdPlan::Check(..))));
    let failure = plan("id 1.2.3.4 --check 12").unwrap_err();
    assert_eq!(failure.code, ExitCode::BadInput);
}

#[test]
fn a_size_is_measured_at_sixteen_places() {
    let DhtPlan::Size { lookups, .. } = plan("size").unwrap() else {
        panic!("another plan")
    };
    assert_eq!(lookups, 16);
}

fn put(line: &str) -> PutPlan {
    match plan(line).unwrap() {
        DhtPlan::Put(put) => put,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_target_of_an_item_is_made_of_a_key_and_its_salt() {
    // BEP 46's vectors.
    let key = "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e";
    let (plain, salted) = (
        "cc3f9d90b572172053626f9980ce261a850d050b",
        "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f",
    );
    for (line, target, salt) in [
        (format!("get {key}"), plain, ""),
        (format!("get magnet:?xs=urn:btpk:{key}"), plain, ""),
        (format!("get {key} --salt n"), salted, "n"),
        (format!("get magnet:?xs=urn:btpk:{key}&s=6e"), salted, "n"),
        (format!("get {salted} --salt n"), salted, "n"),
    ] {
        let DhtPlan::Get(get) = plan(&line).unwrap() else {
            panic!("another plan")
        };
        assert_eq!(get.wanted.target.to_string(), target, "{line}");
        assert_eq!(get.wanted.salt, salt.as_bytes());
    }
    let long = "s".repeat(65);
    for line in [
        format!("get {}", &key[1..]),
        format!("get {key} --salt {long}"),
        "get magnet:?xs=urn:btpk:12".to_owned(),
    ] {
        assert_eq!(plan(&line).unwrap_err().code, ExitCode::BadInput, "{line}");
    }
}

#[test]
fn a_value_is_checked_before_the_network() {
    assert_eq!(put("put hello").value, b"5:hello");
    assert_eq!(put("put --bencoded i7e").value, b"i7e");
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let whole = file("whole", &[0xff; 996]);
    assert_eq!(put(&format!("put --file {whole}")).value.len(), 1000);
    let long = file("long", &[0xff; 997]);
    let no_key = file("key", b"12");
    for line in [
        format!("put --file {long}"),
        "put --bencoded i07e".to_owned(),
        format!("put x --key {no_key}"),
        format!("put --torrent {HASH}x --key {no_key}"),
    ] {
        assert_eq!(plan(&line).unwrap_err().code, ExitCode::BadInput, "{line}");
    }
    assert_eq!(plan("put").unwrap_err().code, ExitCode::Usage);
    assert_eq!(plan("put --file no-such").unwrap_err().code, ExitCode::Io);
}

#[test]
fn a_published_torrent_is_a_dictionary_under_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, format!("{}\n", "07".repeat(32))).unwrap();
    let line = format!("put --torrent {HASH} --key {} --seq 3", key.display());
    let published = put(&line);
    assert_eq!(
        published.torrent.map(|hash| hash.to_string()),
        Some(HASH.to_owned())
    );
    assert!(published.value.starts_with(b"d2:ih20:"));
    assert!(matches!(
        published.stored,
        Stored::Mutable {
            key: KeySource::Read(Secret([7, ..])),
            seq: Some(3),
            cas: None,
            ..
        }
    ));
    assert!(matches!(
        plan("put --generate-key x"),
        Ok(DhtPlan::NewKey(_))
    ));
}
