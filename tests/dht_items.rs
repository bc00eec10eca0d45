//! Stored values, counts and samples, and torrents published under a key, between `trackless`
//! commands and bare nodes on the loopback interface.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes run on the real clock"
)]

mod support;

use support::network::{Network, text};
use support::process::Process;
use support::seconds;

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// The rest of the line that begins with `name`.
fn field(lines: &[String], name: &str) -> String {
    let found = lines.iter().find_map(|line| line.strip_prefix(name));
    let found = found.unwrap_or_else(|| panic!("{name}: {lines:?}"));
    found.trim().to_owned()
}

fn code(network: &Network, arguments: &[&str]) -> Option<i32> {
    network.run(arguments).status.code()
}

#[test]
fn a_value_under_its_hash() {
    let network = Network::start();
    let told = network.lines(&["dht", "put", "Hello World!"]);
    let target = field(&told, "target");
    // BEP 44's test vector.
    assert_eq!(target, "e5f96f6f38320f0f33959cb4d3d656452117aadb");
    assert_eq!(network.lines(&["dht", "get", &target]), ["Hello World!"]);
    let (exit, event) = network.event(&["dht", "get", &target], "item");
    assert_eq!((exit, &event["value"]), (Some(0), &"Hello World!".into()));
    assert!(event["seq"].is_null() && event["key"].is_null(), "{event}");

    let bytes: Vec<u8> = (0..=255).collect();
    let file = network.folder.path().join("bytes");
    std::fs::write(&file, &bytes).expect("written");
    let name = file.to_str().expect("text");
    let (exit, event) = network.event(&["dht", "put", "--file", name], "put");
    assert_eq!(exit, Some(0), "{event}");
    assert!(event["stored"].as_u64() > Some(0) && event["seq"].is_null());
    let target = event["target"].as_str().expect("a target").to_owned();
    let copy = network.folder.path().join("copy");
    let name = copy.to_str().expect("text");
    let told = network.lines(&["dht", "get", &target, "-o", name]);
    assert_eq!(told, [name]);
    assert_eq!(std::fs::read(&copy).expect("written"), bytes);
    // It is there already.
    assert_eq!(
        code(&network, &["dht", "get", &target, "-o", name]),
        Some(10)
    );
    assert_eq!(code(&network, &["dht", "get", HASH]), Some(12));
}

#[test]
fn a_value_under_a_key() {
    let network = Network::start();
    let file = network.folder.path().join("key");
    let key_file = file.to_str().expect("text");
    let made = [
        "dht",
        "put",
        "one",
        "--generate-key",
        key_file,
        "--salt",
        "s",
    ];
    let told = network.lines(&made);
    let (target, key) = (field(&told, "target"), field(&told, "key"));
    assert_eq!((field(&told, "seq"), key.len()), ("1".to_owned(), 64));
    assert_eq!(
        network.lines(&["dht", "get", &target, "--salt", "s"]),
        ["one"]
    );
    // Without the salt the signature does not fit.
    assert_eq!(code(&network, &["dht", "get", &target]), Some(12));

    // The next version is found by itself.
    let next = ["dht", "put", "two", "--key", key_file, "--salt", "s"];
    let (exit, event) = network.event(&next, "put");
    assert_eq!((exit, &event["seq"]), (Some(0), &2.into()), "{event}");
    assert_eq!(
        (&event["key"], &event["salt"]),
        (&key.as_str().into(), &"73".into())
    );
    assert_eq!(network.lines(&["dht", "get", &key, "--salt", "s"]), ["two"]);

    // An old version, and a guess at what is stored that is wrong, are refused by everybody.
    let old = [
        "dht", "put", "x", "--key", key_file, "--salt", "s", "--seq", "1",
    ];
    let output = network.run(&old);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output));
    let wrong = [
        "dht", "put", "x", "--key", key_file, "--salt", "s", "--cas", "1",
    ];
    let output = network.run(&wrong);
    assert_eq!(output.status.code(), Some(10), "{}", text(&output));
    let right = [
        "dht", "put", "three", "--key", key_file, "--salt", "s", "--cas", "2",
    ];
    assert_eq!(field(&network.lines(&right), "seq"), "3");
    // A key is never overwritten.
    assert_eq!(code(&network, &made), Some(10));
}

#[test]
fn counts_and_samples() {
    let network = Network::start();
    assert_eq!(code(&network, &["dht", "scrape", HASH]), Some(5));
    assert_eq!(code(&network, &["dht", "sample"]), Some(12));
    network.lines(&["dht", "announce", HASH, "--port", "7000"]);
    let counted = network.lines(&["dht", "scrape", HASH]);
    assert_eq!(counted, ["0 seeds, 1 downloaders"]);
    let (exit, event) = network.event(&["dht", "scrape", HASH], "scrape");
    assert_eq!((exit, event["downloaders"].as_f64()), (Some(0), Some(1.0)));
    assert_eq!(network.lines(&["dht", "sample", HASH]), [HASH]);
    let (exit, event) = network.event(&["dht", "sample"], "sample");
    assert_eq!((exit, &event["info_hashes"][0]), (Some(0), &HASH.into()));
    assert!(event["nodes"][0]["stored"].as_u64() > Some(0), "{event}");
}

#[test]
fn a_torrent_published_under_a_key() {
    let network = Network::start();
    let data = network.folder.path().join("data");
    std::fs::write(&data, vec![7; 100_000]).expect("written");
    let share = network.command(&["share", data.to_str().expect("text")]);
    let mut seeder = Process::start("share", network.folder.path(), share);
    let magnet = seeder.line("magnet:?xt=urn:btih:", seconds(20));
    let hash = &magnet["magnet:?xt=urn:btih:".len()..][..40];

    let key = network.folder.path().join("key");
    let key_file = key.to_str().expect("text");
    let told = network.lines(&["dht", "put", "--torrent", hash, "--generate-key", key_file]);
    let link = field(&told, "magnet");
    assert!(link.starts_with("magnet:?xs=urn:btpk:"), "{link}");

    let shown = network.lines(&["show", &link, "--timeout", "30s"]);
    assert_eq!(field(&shown, "Info hash"), hash);
    let fetched = network.folder.path().join("fetched.torrent");
    let name = fetched.to_str().expect("text");
    assert_eq!(
        network.lines(&["fetch", &link, "-o", name, "--timeout", "30s"]),
        [name]
    );
    let output = network.folder.path().join("out");
    std::fs::create_dir(&output).expect("a folder");
    let folder = output.to_str().expect("text");
    network.lines(&["get", &link, "-o", folder, "--timeout", "30s"]);
    let copy = std::fs::read(output.join("data")).expect("downloaded");
    assert_eq!(copy, vec![7; 100_000]);

    // The next torrent of the series, which nobody seeds: the same link leads to it.
    let next = network.lines(&["dht", "put", "--torrent", HASH, "--key", key_file]);
    assert_eq!(field(&next, "magnet"), link);
    let (exit, event) = network.event(&["show", &link, "--timeout", "1s"], "lookup");
    assert_eq!((exit, &event["info_hash"]), (Some(5), &HASH.into()));
    // Nobody publishes under another key.
    let other = format!("magnet:?xs=urn:btpk:{}", "00".repeat(32));
    assert_eq!(code(&network, &["show", &other]), Some(12));
}
