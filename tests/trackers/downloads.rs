//! Whole downloads by `trackless get`: by trackers alone, and by the DHT while all trackers are down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::scripted::{Tracker, closed_port, reply, respond, udp_reply};
use crate::support::client::{Bench, STUCK, events};
use crate::support::network::{Network, said, trackless};
use crate::support::peer::{Conduct, Peer};
use crate::support::process::Process;
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

/// A magnet link with these trackers.
fn magnet(sample: &Sample, trackers: &[String]) -> String {
    let trackers: String = trackers
        .iter()
        .map(|url| format!("&tr={}", url.replace('&', "%26")))
        .collect();
    format!("{}{trackers}", sample.magnet())
}

fn address(peer: &Peer) -> std::net::SocketAddr {
    peer.endpoint().parse().expect("an address")
}

/// `trackless get` with trackers and nothing else.
fn with_trackers_only(bench: &mut Bench, source: &str) -> Process {
    let mut command = bench.get(source, &[]);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut again = std::process::Command::new(command.get_program());
    again.args(
        arguments
            .iter()
            .filter(|argument| *argument != "--no-trackers"),
    );
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => again.env(key, value),
            None => again.env_remove(key),
        };
    }
    command = again;
    bench.start(command)
}

fn of_source(process: &Process, source: &str) -> u64 {
    let found = |event: &Value| event["found"].as_u64().unwrap_or(0);
    let events = events(process, "peers");
    events
        .iter()
        .filter(|event| event["source"] == source)
        .map(found)
        .sum()
}

#[test]
fn a_magnet_s_tracker_is_all_it_takes() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "tracked.bin", 3_000_001, 65_536);
    let peer = Peer::start(30, &sample, Conduct::HONEST);
    let named = address(&peer);
    let tracker = Tracker::http(move |_, stream| respond(stream, "200 OK", "", &reply(&[named])));
    let dead = format!("http://127.0.0.1:{}/announce", closed_port());
    let mut process = with_trackers_only(&mut bench, &magnet(&sample, &[dead, tracker.url()]));
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(bench.output()));
    assert_eq!(of_source(&process, "tracker"), 1, "{}", process.stdout());
    // The whole life, in order, as BEP 3 wants it.
    let seen = tracker.seen();
    let event = |request: &String| {
        let event = request
            .split("event=")
            .nth(1)
            .and_then(|rest| rest.split('&').next());
        event.unwrap_or("none").to_owned()
    };
    let lives: Vec<String> = seen.iter().map(event).collect();
    assert_eq!(lives, ["started", "completed", "stopped"], "{seen:?}");
    assert!(seen[0].starts_with("/announce?info_hash="), "{seen:?}");
    assert!(
        seen[0].contains("&left=16384&"),
        "the size is unknown: {seen:?}"
    );
    for last in &seen[1..] {
        assert!(
            last.contains("&left=0&") && last.contains("&downloaded=3000001&"),
            "{last}"
        );
    }
}

#[test]
fn a_udp_tracker_is_all_it_takes() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "datagrams.bin", 1_000_001, 65_536);
    let peer = Peer::start(31, &sample, Conduct::HONEST);
    let named = address(&peer);
    let tracker = Tracker::udp(move |request| vec![udp_reply(request, &[named])]);
    let mut process = with_trackers_only(&mut bench, &magnet(&sample, &[tracker.udp_url()]));
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(bench.output()));
    // One connection id serves started, completed and stopped.
    let kinds: Vec<String> = tracker
        .seen()
        .iter()
        .map(|seen| seen[..8].to_owned())
        .collect();
    assert_eq!(kinds, ["action 0", "action 1", "action 1", "action 1"]);
}

#[test]
fn no_trackers_means_no_trackers() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "silent.bin", 500_001, 65_536);
    let peer = Peer::start(32, &sample, Conduct::HONEST);
    let tracker = Tracker::good(&[]);
    let source = magnet(&sample, &[tracker.url()]);
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(tracker.seen().is_empty(), "{:?}", tracker.seen());
}

#[test]
fn a_tracker_that_hangs_does_not_hold_up_the_end() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "hanging.bin", 500_001, 65_536);
    let peer = Peer::start(33, &sample, Conduct::HONEST);
    let named = address(&peer);
    // It answers `started` and nothing after it.
    let tracker = Tracker::http(move |target, stream| {
        if target.contains("event=started") {
            respond(stream, "200 OK", "", &reply(&[named]));
        } else {
            crate::scripted::say_nothing(stream);
        }
    });
    let mut process = with_trackers_only(&mut bench, &magnet(&sample, &[tracker.url()]));
    let done = wait_until(STUCK, || !events(&process, "done").is_empty());
    assert!(done.is_some(), "{}", process.stderr());
    let ended = wait_until(STUCK, || process.ended().is_some());
    println!(
        "ended {:.2} s after the result",
        ended.map_or(99.0, |time| time.as_secs_f64())
    );
    assert!(ended.is_some_and(|time| time < seconds(3)), "{ended:?}");
}

/// Rows N3: with all trackers down the DHT completes the download.
#[test]
fn all_trackers_down_and_the_dht_completes_it() {
    let network = Network::start();
    let sample = Sample::single(network.folder.path(), "untracked.bin", 2_000_001, 65_536);
    let silent = Tracker::udp(|_| Vec::new());
    let error = Tracker::saying("500 Internal Server Error", Vec::new());
    let dead = [
        format!("http://127.0.0.1:{}/announce", closed_port()),
        format!("udp://127.0.0.1:{}/announce", closed_port()),
        "http://tracker.invalid/announce".to_owned(),
        silent.udp_url(),
        error.url(),
    ];
    let torrent = sample.torrent.to_str().expect("ASCII");
    let data = sample.data.to_str().expect("ASCII");
    let mut command = network.command(&["seed", torrent, "--data", data, "--no-pex"]);
    command.args(["--port", "0"]);
    let _seeder = Process::start("seeder", network.folder.path(), command);
    let home = network.home();
    let output = home.join("out");
    std::fs::create_dir(&output).expect("a folder");
    let link = magnet(&sample, &dead);
    let mut command = network.command(&["get", &link, "--no-pex", "--json", "-v"]);
    command.arg("--output").arg(&output).args(["--port", "0"]);
    let mut process = Process::start("get", &home, command);
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(&output));
    assert_eq!(of_source(&process, "tracker"), 0);
    // Found in the DHT by one of both; a seeder that searches may call first.
    let done = events(&process, "done").remove(0);
    let first = done["timeline"]["first_handshake"].as_f64();
    println!("all trackers down: first peer after {first:?} s");
    assert!(first.is_some_and(|seconds| seconds < 10.0), "{done}");
    // They were asked beside it, and the reason is told.
    let notes = events(&process, "note");
    let told = |note: &Value| {
        let text = note["message"].as_str();
        text.is_some_and(|text| text.contains("it refuses connections"))
    };
    assert!(notes.iter().any(told), "{}", process.stdout());
}

/// Rows N3, N4: trackers and bootstrap nodes die in the middle of a download.
#[test]
fn trackers_and_bootstrap_nodes_die_in_mid_download() {
    let mut network = Network::start();
    let sample = Sample::single(network.folder.path(), "orphaned.bin", 6_000_001, 65_536);
    let (torrent, data) = (sample.torrent.to_str(), sample.data.to_str());
    let (torrent, data) = (torrent.expect("ASCII"), data.expect("ASCII"));
    let home = network.home();
    let mut command = trackless(&home, &["seed", torrent, "--data", data, "--no-lsd"]);
    command.args(["--bootstrap", &network.entry, "--bind", "127.0.0.20"]);
    // Slow enough for everything to happen before the end.
    command.args(["--port", "0", "--limit-up", "400k"]);
    let seeder = Process::start("seeder", &home, command);
    let port = wait_until(seconds(20), || {
        said(&seeder, "listening on port ").is_some()
    });
    assert!(port.is_some(), "{}", seeder.stderr());
    let port = said(&seeder, "listening on port ").expect("just seen");
    let named = format!("127.0.0.20:{port}").parse().expect("an address");
    let alive = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&alive);
    let tracker = Tracker::http(move |_, stream| {
        if flag.load(Ordering::Relaxed) {
            respond(stream, "200 OK", "", &reply(&[named]));
        }
    });
    let (home, link) = (network.home(), magnet(&sample, &[tracker.url()]));
    let output = home.join("out");
    std::fs::create_dir(&output).expect("a folder");
    let entry = network.entry.clone();
    let get = |name: &str| {
        let mut command = trackless(&home, &["get", &link, "--no-lsd", "--json", "--port", "0"]);
        command
            .args(["--bootstrap", &entry, "--bind", "127.0.0.9", "--output"])
            .arg(&output);
        Process::start(name, &home, command)
    };
    let have = |process: &Process| {
        let progress = events(process, "progress");
        progress
            .iter()
            .filter_map(|event| event["have"].as_u64())
            .max()
            .unwrap_or(0)
    };
    let mut first = get("first");
    let begun = wait_until(STUCK, || have(&first) > 500_000);
    assert!(begun.is_some(), "{}", first.stdout());
    network.nodes.clear();
    alive.store(false, Ordering::Relaxed);
    let then = have(&first);
    let goes_on = wait_until(STUCK, || have(&first) > then + 1_000_000);
    assert!(goes_on.is_some(), "{}", first.stdout());
    first.signal("INT");
    assert_eq!(first.wait(seconds(10)).code(), Some(130));
    assert!(
        !sample.is_complete_in(&output),
        "it was to be interrupted before the end"
    );
    // Nobody is left to name the seeder; what was saved with the torrent does.
    let mut second = get("second");
    assert_eq!(second.wait(STUCK).code(), Some(0), "{}", second.stdout());
    assert!(sample.is_complete_in(&output));
    assert_eq!(of_source(&second, "tracker"), 0);
}
