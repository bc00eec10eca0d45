//! Peers that come from other peers only (BEP 11): no DHT, no tracker, no local discovery, or all of them dead.
//!
//! Whoever stands in the middle is throttled to a crawl, so that what arrives in time cannot have come through it, and the
//! events of `get --json` say by which source a peer became known.

use std::time::Duration;

use serde_json::Value;

use crate::can_run;
use crate::clients::{self, Client, PORT, TRACKLESS};
use crate::dht::Dht;
use crate::lab::{Host, Lab, RANGE};
use crate::support::process::Process;
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};
use crate::trackers::tracked;

/// How long one download may take; Transmission sends its lists every 90 s.
const LIMIT: Duration = seconds(150);

/// What the one in the middle gives and takes a second: the content alone would take five minutes.
const CRAWL: &str = "10000";

/// Bytes of the content.
const LENGTH: usize = 3_000_000;

/// Arguments of a client of ours that knows nobody but `peers`.
pub fn lonely(host: &Host, peers: &[&Host]) -> Vec<String> {
    let mut all: Vec<String> = [
        "--no-dht",
        "--no-lsd",
        "--no-trackers",
        "--allow-net",
        RANGE,
    ]
    .map(str::to_owned)
    .into();
    let state = host.new_folder("state");
    for (key, value) in [
        ("--bind", host.address().to_owned()),
        ("--port", PORT.to_string()),
        ("--state-dir", state.display().to_string()),
    ] {
        all.extend([key.to_owned(), value]);
    }
    for peer in peers {
        all.extend(["--peer".to_owned(), endpoint(peer)]);
    }
    all
}

pub fn endpoint(host: &Host) -> String {
    format!("{}:{PORT}", host.address())
}

fn run(host: &Host, what: &[&str], how: &[String]) -> Process {
    let arguments: Vec<&str> = what
        .iter()
        .copied()
        .chain(how.iter().map(String::as_str))
        .collect();
    host.start("trackless", TRACKLESS, &arguments)
}

pub fn seed(host: &Host, sample: &Sample, how: &[String]) -> Process {
    let (torrent, data) = (
        sample.torrent.display().to_string(),
        sample.data.display().to_string(),
    );
    run(host, &["seed", &torrent, "--data", &data], how)
}

/// `get` with the torrent file, into the host's own folder.
pub fn get(host: &Host, sample: &Sample, how: &[String]) -> Process {
    let (torrent, folder) = (
        sample.torrent.display().to_string(),
        host.new_folder("downloads").display().to_string(),
    );
    run(host, &["get", &torrent, "-o", &folder, "--json"], how)
}

/// `get` with a magnet link.
pub fn get_magnet(host: &Host, magnet: &str, how: &[String]) -> Process {
    let folder = host.new_folder("downloads").display().to_string();
    run(host, &["get", magnet, "-o", &folder, "--json"], how)
}

/// Peers that became known by `source`, as a `get --json` says.
pub fn found(process: &Process, source: &str) -> u64 {
    let text = process.stdout();
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let peers = events.filter(|event| event["type"] == "peers" && event["source"] == source);
    peers.filter_map(|event| event["found"].as_u64()).sum()
}

/// Waits until `process`, a `get` on `host`, ends well with the whole content.
pub fn arrives(process: &mut Process, host: &Host, sample: &Sample) {
    assert_eq!(process.wait(LIMIT).code(), Some(0), "trackless get");
    assert!(sample.is_complete_in(&host.folder().join("downloads")));
}

/// A knows B, B knows C: A gets C's pieces. `middle` starts B, slowly downloading.
fn through(client: Client, middle: impl FnOnce(&Host, &Sample) -> Process) {
    if !can_run(&[client]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "chain", LENGTH, 65_536);
    let [a, b, c] = ["a", "b", "c"].map(|name| lab.host(name, 1));
    let _middle = middle(&b, &sample);
    let _seed = seed(&c, &sample, &lonely(&c, &[&b]));
    let mut getting = get(&a, &sample, &lonely(&a, &[&b]));
    let start = std::time::Instant::now();
    arrives(&mut getting, &a, &sample);
    println!("through {client:?}: {:.1} s", start.elapsed().as_secs_f64());
    assert!(found(&getting, "pex") >= 1, "{}", getting.stdout());
}

#[test]
fn the_peer_of_a_peer_through_libtorrent() {
    through(Client::Libtorrent, |host, sample| {
        clients::crawling_libtorrent(host, sample, CRAWL)
    });
}

#[test]
fn the_peer_of_a_peer_through_transmission() {
    through(Client::Transmission, |host, sample| {
        clients::crawling_transmission(host, sample)
    });
}

#[test]
fn the_peer_of_a_peer_through_ours() {
    through(Client::Trackless, |host, sample| {
        let mut how = lonely(host, &[]);
        how.extend(["--limit-up", CRAWL, "--limit-down", CRAWL].map(str::to_owned));
        get(host, sample, &how)
    });
}

/// Two groups that know nothing of each other; only one of them has the content. A peer that knows one of each, and gives
/// next to nothing itself, is enough.
#[test]
fn a_split_swarm_heals_through_one_common_peer() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "split", LENGTH, 65_536);
    let names = ["seed", "beside", "poor", "poorer", "common"];
    let [rich, beside, poor, poorer, common] = names.map(|name| lab.host(name, 1));
    let _seed = seed(&rich, &sample, &lonely(&rich, &[]));
    let mut near = get(&beside, &sample, &lonely(&beside, &[&rich]));
    // It stays when it has everything: it is the only one that the second knows.
    let mut staying = lonely(&poor, &[]);
    staying.extend(["--seed-time", "10m"].map(str::to_owned));
    let mut first = get(&poor, &sample, &staying);
    let mut second = get(&poorer, &sample, &lonely(&poorer, &[&poor]));
    arrives(&mut near, &beside, &sample);
    assert!(first.ended().is_none() && second.ended().is_none());
    let mut how = lonely(&common, &[&poor, &rich]);
    how.extend(["--limit-up", CRAWL, "--limit-down", CRAWL].map(str::to_owned));
    let _common = get(&common, &sample, &how);
    arrives(&mut second, &poorer, &sample);
    assert!(sample.is_complete_in(&poor.folder().join("downloads")));
    assert!(found(&first, "pex") >= 1, "{}", first.stdout());
}

/// Half of the content is there when the tracker, the DHT and the seed die. A new seed calls another leecher, and that one
/// tells.
#[test]
fn exchange_carries_on_when_all_trackers_and_the_dht_die_in_mid_download() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let dht = Dht::start(&lab);
    let mut sample = Sample::single(lab.folder(), "outage", LENGTH, 65_536);
    let [old, new, a, b, host] = ["old", "new", "a", "b", "tracker"].map(|name| lab.host(name, 1));
    let (mut tracker, url) = tracker(&host);
    let untracked = sample.clone();
    sample.torrent = tracked(&sample, lab.folder(), &url).into();
    let connected = |host: &Host, limits: &[&str]| {
        let mut how = lonely(host, &[]);
        how.retain(|argument| !["--no-dht", "--no-trackers"].contains(&argument.as_str()));
        how.extend(["--bootstrap".to_owned(), dht.entry()]);
        how.extend(limits.iter().map(|limit| (*limit).to_owned()));
        how
    };
    let mut seeding = seed(&old, &sample, &connected(&old, &["--limit-up", "100000"]));
    let mut getting = get(&a, &sample, &connected(&a, &[]));
    let crawl = ["--limit-up", CRAWL, "--limit-down", CRAWL];
    let other = get(&b, &sample, &connected(&b, &crawl));
    let sources = ["dht", "tracker"];
    let both_work = wait_until(LIMIT, || {
        let works = |source| found(&getting, source) + found(&other, source) > 0;
        sources.into_iter().all(works)
    });
    assert!(
        both_work.is_some(),
        "{} {}",
        getting.stdout(),
        other.stdout()
    );
    let part = a.folder().join("downloads");
    let under_way = wait_until(LIMIT, || size_of(&part) > 0);
    assert!(under_way.is_some() && getting.ended().is_none());
    let acquainted = wait_until(LIMIT, || is_connected(&b, &a));
    assert!(acquainted.is_some(), "{}", getting.stdout());
    let before = found(&getting, "pex");
    drop(dht);
    tracker.kill();
    seeding.kill();
    assert!(getting.ended().is_none(), "it was over before the outage");
    let newcomer = seed(&new, &untracked, &lonely(&new, &[&b]));
    arrives(&mut getting, &a, &sample);
    // Whichever of the two was told first has called the other; a program says so within a tick.
    let told = wait_until(seconds(10), || {
        found(&getting, "pex") > before || newcomer.stderr().contains("from other peers")
    });
    assert!(told.is_some(), "{} {}", getting.stdout(), newcomer.stderr());
}

/// Whether the kernel of `host` has a connection with `other`.
fn is_connected(host: &Host, other: &Host) -> bool {
    let ip: std::net::Ipv4Addr = other.address().parse().expect("an address");
    let remote = format!("{:08X}:", ip.to_bits().swap_bytes());
    let table = host.run("cat", &["/proc/net/tcp"]).unwrap_or_default();
    let mut rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.any(|row| matches!(row[..], [_, _, to, "01", ..] if to.starts_with(&remote)))
}

/// Our tracker on `host`, and its announce URL.
fn tracker(host: &Host) -> (Process, String) {
    let at = format!("{}:6969", host.address());
    let mut tracker = host.start("tracker", TRACKLESS, &["tracker", "--http", &at]);
    let url = tracker.line("http://", seconds(20));
    (tracker, url)
}

/// Bytes of the files in a folder, as far as they are there.
fn size_of(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some(entry.metadata().ok()?.len()))
        .sum()
}
