//! Peers that lie: about the metadata, and about the data. One honest peer has to be enough, and no honest peer may pay.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod support;

use std::time::{Duration, Instant};

use support::client::{Bench, STUCK, events};
use support::peer::{Conduct, Metadata, Peer};
use support::torrent::Sample;

/// Rows P13: three liars about the metadata and one honest peer, over sockets.
#[test]
fn metadata_from_three_liars_and_one_honest_peer() {
    let mut bench = Bench::new();
    // 40 KB of hashes: three parts of metadata, so that a liar can spoil one of several.
    let sample = Sample::single(bench.folder(), "liars.bin", 2_000 * 16_384 + 1, 16_384);
    let lying = |host, metadata| {
        Peer::start(
            host,
            &sample,
            Conduct {
                metadata,
                ..Conduct::HONEST
            },
        )
    };
    let garbage = lying(10, Metadata::Garbage);
    let wrong = lying(11, Metadata::WrongSize);
    let silent = lying(12, Metadata::Silent);
    let honest = lying(13, Metadata::Honest);

    let start = Instant::now();
    let command = bench.get(&sample.magnet(), &[&garbage, &wrong, &silent, &honest]);
    let mut process = bench.start(command);
    let status = process.wait(STUCK);
    let took = start.elapsed();
    assert_eq!(status.code(), Some(0));
    assert!(sample.is_complete_in(bench.output()), "the files differ");
    for (name, peer) in [
        ("garbage", &garbage),
        ("wrong size", &wrong),
        ("silent", &silent),
    ] {
        println!("{name}: asked {} times", peer.seen().metadata_requests);
    }
    assert!(took <= Duration::from_secs(10), "took {took:?}");
    println!("three liars: {:.1} s", took.as_secs_f64());
    let breaches = honest.seen().breaches.clone();
    assert!(breaches.is_empty(), "{breaches:?}");
}

/// Rows P3: one of three corrupts every fifth block, over sockets.
#[test]
fn a_seed_that_corrupts_every_fifth_block_is_banned_and_the_honest_are_not() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "corrupt.bin", 10_000_000, 131_072);
    // About 4 MB/s each: the download lasts long enough for each of them to take part.
    let conduct = Conduct {
        pause: Duration::from_millis(4),
        ..Conduct::HONEST
    };
    let corrupt = Peer::start(
        20,
        &sample,
        Conduct {
            corrupt_every: 5,
            ..conduct
        },
    );
    let first = Peer::start(21, &sample, conduct);
    let second = Peer::start(22, &sample, conduct);

    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&corrupt, &first, &second]));
    let mut closed_early = 0;
    support::wait_until(STUCK, || {
        // Asked before the end: at the end everyone is closed.
        let corrupt = corrupt.seen().ended;
        let ended = process.ended().is_some();
        if !ended {
            closed_early = corrupt;
        }
        ended
    });
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(bench.output()), "the files differ");
    for (name, peer) in [
        ("corrupt", &corrupt),
        ("honest", &first),
        ("honest", &second),
    ] {
        let seen = peer.seen();
        println!(
            "{name}: {} blocks, {} corrupted",
            seen.blocks.len(),
            seen.corrupted
        );
    }
    assert!(
        corrupt.seen().corrupted > 0,
        "the liar was never asked: no proof"
    );
    assert_eq!(closed_early, 1, "the liar stayed connected");
    assert_eq!(
        corrupt.seen().connections,
        1,
        "the liar was dialled again after the ban"
    );
    // Counted before the program says goodbye.
    let reasons = events(&process, "reasons").pop().expect("counters");
    let closed = &reasons["torrent"]["closed"];
    assert_eq!(
        *closed,
        serde_json::json!({"corrupt_data": 1}),
        "an honest peer lost its connection"
    );
    let said = |peer: &Peer| {
        let text = format!("{}{}", process.stdout(), process.stderr());
        text.lines()
            .any(|line| line.contains("banned") && line.contains(&peer.endpoint()))
    };
    assert!(said(&corrupt), "nothing says that it was banned");
    assert!(!said(&first) && !said(&second), "an honest peer was banned");
    assert_eq!(events(&process, "done").len(), 1);
}

/// Rows P4: everything that arrives is wrong.
#[test]
fn alone_with_a_liar_no_corrupt_file_is_ever_called_complete() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "alone.bin", 1_000_000, 65_536);
    let corrupt = Peer::start(
        30,
        &sample,
        Conduct {
            corrupt_every: 1,
            ..Conduct::HONEST
        },
    );
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut command = bench.get(&source, &[&corrupt]);
    command.args(["--stall-timeout", "3s", "--timeout", "6s"]);
    let mut process = bench.start(command);
    let status = process.wait(STUCK);
    assert_ne!(status.code(), Some(0), "called complete");
    assert!(
        !bench.output().join("alone.bin").exists(),
        "the finished name exists"
    );
    assert_eq!(events(&process, "error").len(), 1, "the error event");
    let last = events(&process, "progress").pop().expect("progress");
    assert_eq!(last["state"], "spoilt", "{last}");
    let reason = last["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("every peer so far sent wrong data") && reason.contains("1 peer banned"),
        "{reason}"
    );
}

/// Runs of a figure: a few, or all that it asks for where `TRACKLESS_FAULTS=long`.
fn runs(few: usize, all: usize) -> usize {
    let long = std::env::var_os("TRACKLESS_FAULTS").is_some_and(|it| it == "long");
    if long { all } else { few }
}

/// Rows P3: 32 MiB from two honest seeds and one that corrupts every fifth block, over sockets: it alone is banned,
/// within five seconds of its first bad block; what is fetched in vain is bounded.
#[test]
fn a_poisoner_among_three_is_banned_at_once() {
    let mut most = (0, Duration::ZERO);
    for run in 0..runs(1, 50) {
        let mut bench = Bench::new();
        let name = format!("poison{run}.bin");
        let sample = Sample::single(bench.folder(), &name, 32 << 20, 256 << 10);
        let honest = Conduct {
            pause: Duration::from_millis(1 + run as u64 % 3),
            ..Conduct::HONEST
        };
        let poison = Conduct {
            corrupt_every: 5,
            ..honest
        };
        let liar = Peer::start(40, &sample, poison);
        let (first, second) = (
            Peer::start(41, &sample, honest),
            Peer::start(42, &sample, honest),
        );
        let process = bench.finish(&sample, &[&liar, &first, &second]);
        let done = events(&process, "done").remove(0);
        let wasted = done["downloaded"].as_u64().expect("a number") - (32 << 20);
        let reasons = events(&process, "reasons").pop().expect("counters");
        let banned = &reasons["torrent"]["banned"];
        assert_eq!(banned["corrupt_data"], 1, "run {run}: {reasons}");
        let text = format!("{}{}", process.stdout(), process.stderr());
        let said = |peer: &Peer| {
            let mut lines = text.lines();
            lines.any(|line| line.contains("banned") && line.contains(&peer.endpoint()))
        };
        assert!(said(&liar) && !said(&first) && !said(&second), "run {run}");
        let seen = liar.seen();
        let (bad, end) = (seen.first_corrupted, seen.last_ended);
        let after = end.expect("closed") - bad.expect("it lied");
        most = (most.0.max(wasted), most.1.max(after));
        println!(
            "run {run}: {} KiB in vain, banned after {after:?}",
            wasted >> 10
        );
    }
    println!(
        "at most {} KiB in vain, banned after {:?}",
        most.0 >> 10,
        most.1
    );
    assert!(most.0 <= 1 << 20, "{} KiB in vain", most.0 >> 10);
    assert!(
        most.1 <= Duration::from_secs(5),
        "banned after {:?}",
        most.1
    );
}

/// Rows P13: a magnet link with one honest peer and nine liars, three of each kind, over sockets: complete within ten
/// seconds in 95 of 100 runs.
#[test]
fn one_honest_peer_among_nine_liars_is_enough() {
    let mut took = Vec::new();
    for run in 0..runs(3, 100) {
        let mut bench = Bench::new();
        let name = format!("nine{run}.bin");
        let sample = Sample::single(bench.folder(), &name, 1_000 * 16_384, 16_384);
        let kinds = [Metadata::Garbage, Metadata::WrongSize, Metadata::Silent];
        let mut peers: Vec<Peer> = (0..9)
            .map(|n| {
                let metadata = kinds[usize::from(n) % 3];
                let conduct = Conduct {
                    metadata,
                    ..Conduct::HONEST
                };
                Peer::start(50 + n, &sample, conduct)
            })
            .collect();
        peers.insert(run * 7 % 10, Peer::start(59, &sample, Conduct::HONEST));
        let start = Instant::now();
        let mut command = bench.get(&sample.magnet(), &peers.iter().collect::<Vec<_>>());
        command.args(["--list"]);
        let mut process = bench.start(command);
        assert_eq!(process.wait(STUCK).code(), Some(0), "run {run}");
        took.push(start.elapsed());
    }
    took.sort_unstable();
    let p95 = took[(took.len() * 95).div_ceil(100) - 1];
    println!(
        "1 honest + 9 liars, {} runs: p95 {p95:?}, most {:?}",
        took.len(),
        took.last()
    );
    assert!(p95 <= Duration::from_secs(10), "{p95:?}");
}
