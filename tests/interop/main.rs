//! Other people's clients as hosts of one network: each finds the other through the DHT only, in both directions, with a
//! magnet link that holds an info hash and nothing else.
//!
//! The network is made of namespaces, so the tests need root. A client that is not installed fails its test when `CI` is
//! set and is reported as skipped elsewhere. `recipe_*` (ignored) run the foreign clients among themselves with a DHT of
//! libtorrent nodes: it tells a broken environment from a broken trackless.
#![expect(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod clients;
mod commands;
mod dht;
mod exchange;
mod flood;
mod given;
mod lab;
mod local;
mod padding;
#[path = "../support/mod.rs"]
mod support;
mod tracked;
mod trackers;

use std::time::Duration;

use clients::{Client, Running};
use dht::Dht;
use lab::Lab;
use support::peer::{Conduct, Peer};
use support::process::Process;
use support::torrent::Sample;
use support::{seconds, wait_until};

/// How long one transfer may take, start of the clients included. Transmission alone waits about 50 s before it announces.
const LIMIT: Duration = seconds(150);

/// Files of the content: they cross piece boundaries, and one lies deeper.
const FILES: [(&str, usize); 3] = [
    ("first.bin", 1_500_001),
    ("deeper/second.bin", 700_000),
    ("third.bin", 33),
];

/// Whether `clients` can run here.
///
/// # Panics
/// When one is missing and `CI` is set.
fn can_run(clients: &[Client]) -> bool {
    for client in clients {
        if let Some(install) = clients::missing(*client) {
            assert!(
                std::env::var_os("CI").is_none(),
                "{client:?} is missing: {install}"
            );
            eprintln!("skipped: {client:?} is missing; install with: {install}");
            return false;
        }
    }
    true
}

/// `seeder` has it, `leecher` has its magnet link: the content arrives, with the right SHA-256.
fn transfer(lab: &Lab, dht: &Dht, seeder: Client, leecher: Client) {
    let name = format!("{seeder:?}-to-{leecher:?}").to_lowercase();
    let sample = Sample::multi(lab.folder(), &name, &FILES, 65_536);
    let from = lab.host(&format!("{name}-from"), 1);
    let to = lab.host(&format!("{name}-to"), 1);
    let _seeding = seeder.seed(&from, dht, &sample);
    let mut getting = leecher.get(&to, dht, &sample);
    let took = arrival(&mut getting, leecher, &sample);
    println!("{name}: {:.1} s", took.as_secs_f64());
}

/// Waits until `sample` is complete where `running` downloads it to; a `trackless get` also has to end, with 0.
fn arrival(running: &mut Running, client: Client, sample: &Sample) -> Duration {
    let Running { process, folder } = running;
    if client == Client::Trackless {
        let start = std::time::Instant::now();
        let status = process.wait(LIMIT);
        assert_eq!(status.code(), Some(0), "trackless get");
        assert!(
            sample.is_complete_in(folder),
            "trackless get ended with 0, but the files differ"
        );
        return start.elapsed();
    }
    let took = wait_until(LIMIT, || sample.is_complete_in(folder));
    took.unwrap_or_else(|| panic!("{client:?}: nothing complete after {LIMIT:?}"))
}

/// Runs both directions between `client` and trackless at the same time, in one lab.
fn both_ways(client: Client) {
    if !can_run(&[client]) {
        return;
    }
    let lab = Lab::new();
    let dht = Dht::start(&lab);
    at_once(
        &lab,
        &dht,
        &[(client, Client::Trackless), (Client::Trackless, client)],
    );
}

/// Runs transfers at the same time; fails when one of them does.
fn at_once(lab: &Lab, dht: &Dht, pairs: &[(Client, Client)]) {
    std::thread::scope(|scope| {
        for (seeder, leecher) in pairs {
            scope.spawn(|| transfer(lab, dht, *seeder, *leecher));
        }
    });
}

#[test]
fn libtorrent_seeds_to_us_and_we_to_it() {
    both_ways(Client::Libtorrent);
}

#[test]
fn aria2_seeds_to_us_and_we_to_it() {
    both_ways(Client::Aria2);
}

#[test]
fn transmission_seeds_to_us_and_we_to_it() {
    both_ways(Client::Transmission);
}

#[test]
fn qbittorrent_seeds_to_us_and_we_to_it() {
    both_ways(Client::Qbittorrent);
}

/// `trackless share` makes the torrent itself and prints its magnet link; that is all that the other side is given.
#[test]
fn libtorrent_downloads_what_we_share() {
    if !can_run(&[Client::Libtorrent]) {
        return;
    }
    let lab = Lab::new();
    let dht = Dht::start(&lab);
    let sample = Sample::multi(lab.folder(), "shared", &FILES, 65_536);
    let (from, to) = (lab.host("from", 1), lab.host("to", 1));
    let mut sharing = clients::share(&from, &dht, &sample);
    let magnet = sharing.process.line("magnet:", seconds(20));
    let mut getting = Client::Libtorrent.get_magnet(&to, &dht, &magnet);
    arrival(&mut getting, Client::Libtorrent, &sample);
}

/// One seeder, and two of theirs and two of ours that all begin at the same time: everyone gets everything.
#[test]
fn mixed_swarm() {
    use Client::{Aria2, Libtorrent, Qbittorrent, Trackless};
    if !can_run(&[Libtorrent, Aria2, Qbittorrent]) {
        return;
    }
    let lab = Lab::new();
    let dht = Dht::start(&lab);
    let sample = Sample::multi(
        lab.folder(),
        "mixed",
        &[("a.bin", 9_000_000), ("b/c.bin", 3_000_001)],
        65_536,
    );
    let seeder = lab.host("seeder", 1);
    // Slower than the leechers among each other, so that they have a reason to trade.
    let _seeding = clients::slow_seeder(&seeder, &dht, &sample, "2000000");
    std::thread::scope(|scope| {
        for (number, client) in [Trackless, Trackless, Aria2, Qbittorrent]
            .into_iter()
            .enumerate()
        {
            let host = lab.host(&format!("leecher-{number}"), 1);
            let (dht, sample) = (&dht, &sample);
            scope.spawn(move || {
                let mut getting = client.get(&host, dht, sample);
                let took = arrival(&mut getting, client, sample);
                println!("mixed, {client:?}: {:.1} s", took.as_secs_f64());
            });
        }
    });
}

/// The scripted peer of the fault tests is itself judged by libtorrent: metadata and content arrive, nothing is odd.
#[test]
fn libtorrent_is_content_with_the_scripted_peer() {
    if !can_run(&[Client::Libtorrent]) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Sample::multi(folder.path(), "scripted", &FILES, 32_768);
    let peer = Peer::start(50, &sample, Conduct::HONEST);
    let magnet = format!("{}&x.pe={}", sample.magnet(), peer.endpoint());
    let output = folder.path().join("out");
    let mut command = std::process::Command::new("python3");
    command
        .args([clients::LIBTORRENT_PEER, "127.0.0.1", "0", "none"])
        .arg(&output)
        .arg(magnet);
    let _getting = Process::start("libtorrent", folder.path(), command);
    let took = wait_until(seconds(30), || sample.is_complete_in(&output));
    assert!(took.is_some(), "{:?}", peer.seen());
    assert!(peer.seen().breaches.is_empty(), "{:?}", peer.seen());
}

/// Two foreign clients, both ways, with a DHT of libtorrent nodes. Only to tell a broken environment from a broken
/// trackless, hence ignored: run with `TRACKLESS_TEST_DHT=libtorrent` and `--ignored`.
fn recipe(client: Client) {
    if !can_run(&[client, Client::Libtorrent]) {
        return;
    }
    let lab = Lab::new();
    let dht = Dht::start(&lab);
    at_once(
        &lab,
        &dht,
        &[(client, Client::Libtorrent), (Client::Libtorrent, client)],
    );
}

#[test]
#[ignore = "proves the environment, not trackless"]
fn recipe_aria2() {
    recipe(Client::Aria2);
}

#[test]
#[ignore = "proves the environment, not trackless"]
fn recipe_transmission() {
    recipe(Client::Transmission);
}

#[test]
#[ignore = "proves the environment, not trackless"]
fn recipe_qbittorrent() {
    recipe(Client::Qbittorrent);
}
