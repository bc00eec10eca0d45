//! Callers that mean no good: silent ones, slow ones, floods of them, messages of impossible length. Somebody honest is
//! served all the same, and what it costs stays small. `TRACKLESS_FAULTS=long` runs the long variants.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes run on the real clock, and are called over real sockets"
)]

mod support;

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use support::caller::{Cost, Seeder, call, fetch_block, handshake, is_closed, limited, within};
use support::client::{Bench, STUCK};
use support::peer::{Conduct, Peer};
use support::torrent::Sample;
use support::{seconds, wait_until};

fn folder() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    let folder = builder.prefix("trackless-test-").tempdir();
    folder.expect("a folder")
}

/// Loopback addresses, one for each caller.
fn host(n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 0)) + n)
}

fn one_file(folder: &tempfile::TempDir) -> Sample {
    Sample::single(folder.path(), "limits.bin", 300_000, 65_536)
}

/// How long the honest one waits until it has its block, asking again every so often.
fn honest(from: Ipv4Addr, seeder: &Seeder, sample: &Sample) -> Option<Duration> {
    wait_until(seconds(20), || {
        fetch_block(from, seeder.address, sample)
            .is_ok_and(|block| block == sample.content[..16_384])
    })
}

/// Rows S16, P1: 256 descriptors, 400 callers that say nothing or a byte now and then, each from its own address: an
/// honest one is served at once, nothing spins, the silent are closed after ten seconds.
#[test]
fn silent_callers_take_no_descriptors_from_the_honest() {
    let folder = folder();
    let sample = one_file(&folder);
    let mut seeder = Seeder::start(&[&sample], Some(256));
    let mut silent: Vec<TcpStream> = (0..400)
        .filter_map(|n| call(host(n), seeder.address).ok())
        .collect();
    let opened = Instant::now();
    let waited = honest(Ipv4Addr::new(127, 0, 9, 1), &seeder, &sample);
    let before = seeder.cost();
    let waited = waited.expect("an honest peer was never served");
    println!(
        "{} silent callers: served after {waited:?}, {before:?}",
        silent.len()
    );
    assert!(waited <= seconds(12), "{waited:?}");
    assert!(before.descriptors <= 256 - 16, "the reserve is touched");
    // Whoever sends a byte now and then is no better than the silent.
    let mut slow = call(Ipv4Addr::new(127, 0, 9, 2), seeder.address).expect("room");
    let slow_since = Instant::now();
    for byte in b"\x13Bi" {
        let _ = slow.write_all(&[*byte]);
        let _ = wait_until(Duration::from_millis(2_500), || false);
    }
    let after = seeder.cost();
    let spent = (after.processor - before.processor).as_secs_f64();
    let share = spent / slow_since.elapsed().as_secs_f64();
    println!("processor: {:.1} %", share * 100.0);
    assert!(share <= 0.05, "{share}");
    assert!(
        is_closed(&mut slow, seconds(5)),
        "the slow one is still there"
    );
    assert!(slow_since.elapsed() <= seconds(12));
    let mut left = 0;
    for stream in &mut silent {
        left += usize::from(!is_closed(stream, Duration::from_millis(1)));
    }
    assert_eq!(left, 0, "after {:?}", opened.elapsed());
    let crowded = || {
        let slow = seeder.count("listener", "broke", "slow");
        seeder.count("listener", "refused", "crowded") + slow
    };
    wait_until(seconds(6), || crowded() >= 390);
    assert!(crowded() >= 390, "{}", seeder.process.stdout());
    assert!(seeder.process.ended().is_none());
}

/// Rows S16, P2: the same with callers that shake hands first: they take places, but only until somebody comes.
#[test]
fn idle_peers_take_no_descriptors_from_the_honest() {
    let folder = folder();
    let sample = one_file(&folder);
    let mut seeder = Seeder::start(&[&sample], Some(256));
    let mut idle = Vec::new();
    for n in 0..400 {
        if let Ok(mut stream) = call(host(n), seeder.address) {
            let _ = stream.write_all(&handshake(&sample.info_hash, n));
            idle.push(stream);
        }
    }
    let waited = honest(Ipv4Addr::new(127, 0, 9, 1), &seeder, &sample);
    let waited = waited.expect("an honest peer was never served");
    let cost = seeder.cost();
    println!("400 idle peers: served after {waited:?}, {cost:?}");
    assert!(waited <= seconds(12), "{waited:?}");
    assert!(cost.descriptors <= 256 - 16, "the reserve is touched");
    // Whoever comes next finds the place of the one that gave way, at once.
    drop(idle);
    let next = honest(Ipv4Addr::new(127, 0, 9, 3), &seeder, &sample);
    assert!(next.is_some_and(|it| it <= seconds(5)), "{next:?}");
    wait_until(seconds(6), || seeder.count("torrent", "closed", "idle") > 0);
    assert!(seeder.count("torrent", "closed", "idle") > 0);
    assert!(seeder.process.ended().is_none());
}

/// Rows P10: a thousand callers announce a message of 4 GiB and begin to send it: each is closed at the fifth byte, and
/// memory stays.
#[test]
fn messages_of_impossible_length_cost_nothing() {
    let folder = folder();
    let sample = one_file(&folder);
    let seeder = Seeder::start(&[&sample], None);
    let before = seeder.cost();
    let data = vec![0; 64 << 10];
    let mut bombs: Vec<TcpStream> = Vec::new();
    for n in 0..1_000 {
        let Ok(mut stream) = call(host(n), seeder.address) else {
            continue;
        };
        let _ = stream.write_all(&handshake(&sample.info_hash, n));
        let _ = stream.write_all(&[0xff, 0xff, 0xff, 0xff, 7]);
        let _ = stream.set_write_timeout(Some(Duration::from_millis(100)));
        // It goes on until it is closed.
        while stream.write_all(&data).is_ok() {}
        bombs.push(stream);
    }
    let after = seeder.cost();
    println!("{} length bombs: {before:?} -> {after:?}", bombs.len());
    assert!(after.anonymous.saturating_sub(before.anonymous) <= 16 << 20);
    let closed = || {
        let places = ["torrent", "listener"];
        places
            .map(|place| seeder.count(place, "broke", "length"))
            .iter()
            .sum::<u64>()
    };
    wait_until(seconds(6), || closed() >= 1_000);
    assert_eq!(closed(), 1_000, "{}", seeder.process.stdout());
}

/// Rows P19: whoever names a torrent that is not here, or speaks something else, hears nothing and is counted.
#[test]
fn unknown_torrents_are_not_answered() {
    let folder = folder();
    let sample = one_file(&folder);
    let seeder = Seeder::start(&[&sample], None);
    let unknown = handshake(&"ab".repeat(20), 1);
    for first in [&unknown[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 68]] {
        let mut stream = call(host(1), seeder.address).expect("room");
        stream.write_all(first).expect("a line");
        let mut heard = Vec::new();
        let _ = std::io::Read::read_to_end(&mut stream, &mut heard);
        assert!(heard.is_empty(), "{heard:?}");
    }
    let count = |kind: &str, reason: &str| seeder.count("listener", kind, reason);
    wait_until(seconds(7), || count("broke", "protocol") == 2);
    assert_eq!(count("refused", "wrong_info_hash"), 1);
    assert_eq!(count("broke", "protocol"), 2);
}

/// Rows P2: two thousand idle connections to ten torrents stay below 60 MiB, an idle program below 20.
#[test]
fn idle_connections_are_cheap() {
    let folder = folder();
    let all: Vec<Sample> = (0..10)
        .map(|n| {
            let mut sample =
                Sample::single(folder.path(), &format!("idle{n}.bin"), 300_000, 65_536);
            let data = folder.path().join("all");
            std::fs::create_dir_all(&data).expect("a folder");
            std::fs::rename(sample.data.join(&sample.name), data.join(&sample.name)).expect("data");
            sample.data = data;
            sample
        })
        .collect();
    let seeder = Seeder::start(&all.iter().collect::<Vec<_>>(), None);
    let idle = seeder.cost();
    assert!(idle.anonymous <= 20 << 20, "{idle:?}");
    let mut peers = Vec::new();
    for n in 0..2_000u32 {
        let sample = &all[n as usize / 200];
        let mut stream = call(host(n), seeder.address).expect("room");
        stream
            .write_all(&handshake(&sample.info_hash, n))
            .expect("sent");
        peers.push(stream);
    }
    wait_until(seconds(10), || seeder.cost().descriptors >= 2_000);
    let full = seeder.cost();
    println!("idle: {idle:?}; 2,000 connections: {full:?}");
    let told = support::client::events(&seeder.process, "reasons");
    assert!(full.descriptors >= 2_000, "{full:?} {:?}", told.last());
    assert!(full.anonymous <= 60 << 20, "{full:?}");
}

/// Rows S16: a torrent of 128 files with 128 descriptors for everything.
#[test]
fn many_files_need_few_descriptors() {
    let mut bench = Bench::new();
    let names: Vec<String> = (0..128).map(|n| format!("file{n}")).collect();
    let files: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 20_000)).collect();
    let sample = Sample::multi(bench.folder(), "many", &files, 32_768);
    let peer = Peer::start(60, &sample, Conduct::HONEST);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let command = limited(&bench.get(&source, &[&peer]), 128);
    let mut process = bench.start(command);
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(bench.output()), "the files differ");
}

/// Rows C6: a torrent of 838,000 pieces, as many as the 16 MiB of a dictionary hold, is read and waits for peers within a second
/// (four where the program is not optimised and the machine is busy), in 20 bytes a piece for the hashes and few more.
#[test]
fn as_many_pieces_as_there_can_be_are_cheap() {
    const PIECES: u64 = 838_000;
    let mut bench = Bench::new();
    let length = PIECES * 16_384;
    let hashes = PIECES * 20;
    let mut torrent =
        format!("d4:infod6:lengthi{length}e4:name4:many12:piece lengthi16384e6:pieces{hashes}:")
            .into_bytes();
    torrent.resize(
        torrent.len() + usize::try_from(hashes).expect("16 MiB"),
        b'h',
    );
    torrent.extend_from_slice(b"ee");
    let many = bench.folder().join("many.torrent");
    std::fs::write(&many, torrent).expect("a torrent file");
    let few = Sample::single(bench.folder(), "few", 100_000, 16_384);
    let [(idle, _), (full, took)] = [&few.torrent, &many].map(|torrent| {
        let command = bench.get(torrent.to_str().expect("ASCII"), &[]);
        let began = Instant::now();
        let mut process = bench.start(command);
        let waits = wait_until(seconds(20), || {
            let progress = support::client::events(&process, "progress");
            process.ended().is_some() || progress.iter().any(|it| it["state"] == "connecting")
        });
        assert!(
            waits.is_some() && process.ended().is_none(),
            "{}",
            process.stdout()
        );
        (Cost::of(process.id()).anonymous, began.elapsed())
    });
    let each = full.saturating_sub(idle) / PIECES;
    println!("{took:?}, {each} bytes a piece: {idle} -> {full}");
    let limit = if cfg!(debug_assertions) { 4 } else { 1 };
    assert!(took < seconds(limit), "{took:?}");
    assert!(each <= 80, "{each} bytes a piece");
}

/// Rows S17: a program that may have 96 MiB of memory of its own and no more (`RLIMIT_DATA`) downloads 64 MiB as fast as they
/// come, from a peer that is faster than the disk has to be.
#[test]
fn a_download_needs_little_memory() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "lean.bin", 64 << 20, 1 << 20);
    let peer = Peer::start(61, &sample, Conduct::HONEST);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut command = bench.get(&source, &[&peer]);
    command = within(&command, &format!("--data={}", 96 << 20));
    let mut process = bench.start(command);
    assert_eq!(process.wait(STUCK).code(), Some(0), "{}", process.stderr());
    assert!(sample.is_complete_in(bench.output()), "the file differs");
}

/// Rows P7, P22: a hundred thousand requests a second from somebody who reads nothing: memory stays, others are served.
/// Of an optimised program a fifth of a processor at most.
#[test]
fn a_flood_of_requests_costs_little() {
    let folder = folder();
    let sample = one_file(&folder);
    let seeder = Seeder::start(&[&sample], None);
    let mut stream = call(host(1), seeder.address).expect("room");
    stream
        .write_all(&handshake(&sample.info_hash, 1))
        .expect("sent");
    stream.write_all(&[0, 0, 0, 1, 2]).expect("sent");
    let mut batch = Vec::new();
    for n in 0..1_000u32 {
        batch.extend_from_slice(&[0, 0, 0, 13, 6]);
        for number in [n % 4, n / 4 % 4 * 16_384, 16_384 - n / 16] {
            batch.extend_from_slice(&number.to_be_bytes());
        }
    }
    let before = seeder.cost();
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < seconds(3) {
        while sent < began.elapsed().as_micros() / 10 && stream.write_all(&batch).is_ok() {
            sent += 1_000;
        }
        let _ = wait_until(Duration::from_millis(10), || false);
    }
    let (took, after) = (began.elapsed(), seeder.cost());
    let share = (after.processor - before.processor).as_secs_f64() / took.as_secs_f64();
    println!(
        "{sent} requests in {took:?}: {:.1} % of a processor, {before:?} -> {after:?}",
        share * 100.0
    );
    assert!(after.anonymous.saturating_sub(before.anonymous) <= 16 << 20);
    assert!(cfg!(debug_assertions) || share <= 0.2, "{share}");
    let waited = honest(host(2), &seeder, &sample);
    assert!(waited.is_some_and(|it| it <= seconds(2)), "{waited:?}");
}
