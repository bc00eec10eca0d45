//! A download that is interrupted: `kill -9` at random moments, Ctrl-C, and the same command once more.
//!
//! The peer is scripted and counts: a piece that the client has once claimed to have must never be asked for again.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod support;

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::client::{Bench, STUCK, events, served};
use support::peer::{BLOCK, Conduct, Peer};
use support::torrent::Sample;
use support::wait_until;

/// Slow enough that a download can be interrupted often: about 5 MB/s.
const SLOW: Conduct = Conduct {
    pause: Duration::from_millis(3),
    ..Conduct::HONEST
};

/// How often the first test kills: 20 times, or 200 with `TRACKLESS_FAULTS=long`.
fn kills() -> usize {
    let long = std::env::var_os("TRACKLESS_FAULTS").is_some_and(|value| value == "long");
    if long { 200 } else { 20 }
}

/// Rows S1: `kill -9` at random moments, counted by block.
#[test]
fn killed_at_twenty_moments_no_recorded_piece_is_fetched_again() {
    let seed = 0x7261_636b;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bench = Bench::new();
    let wanted = kills();
    let files = [
        ("one.bin", 450_000 * wanted),
        ("two/three.bin", 600_000 * wanted + 11),
        ("two/four.bin", 150_000 * wanted),
    ];
    let sample = Sample::multi(bench.folder(), "killed", &files, 131_072);
    let peer = Peer::start(2, &sample, SLOW);
    let blocks = sample.content.len().div_ceil(BLOCK);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();

    let mut kills = 0;
    let mut reported = 0;
    while kills < wanted {
        let before = peer.seen().blocks.len();
        let mut process = bench.start(bench.get(&source, &[&peer]));
        // The moments differ by blocks, not by time: a slow machine is interrupted at the same places.
        let wait = random.random_range(1..=blocks / wanted);
        if !served(&peer, before + wait, &mut process) {
            break;
        }
        // It has greeted the peer: what the run before called verified is in its bitfield again.
        let claimed = peer.seen().claimed.len() * sample.piece_length;
        assert!(
            claimed >= reported,
            "after {kills} kills: {reported} reported, {claimed} known"
        );
        process.kill();
        kills += 1;
        // The peer may still be answering the dead one: those blocks are not what the next is waited for.
        wait_until(STUCK, || {
            let seen = peer.seen();
            seen.ended >= seen.connections
        });
        let have = events(&process, "progress");
        let have = have.iter().filter(|it| it["state"] == "downloading");
        let have = have.filter_map(|it| it["have"].as_u64()).max().unwrap_or(0);
        reported = reported.max(usize::try_from(have).expect("64 bit"));
    }
    assert!(kills == wanted, "complete after {kills} kills");
    bench.finish(&sample, &[&peer]);

    let seen = peer.seen();
    assert!(seen.breaches.is_empty(), "{:?}", seen.breaches);
    assert!(
        seen.asked_again.is_empty(),
        "seed {seed}: had and asked again: {:?}",
        seen.asked_again
    );
    // What a kill may cost: what was under way and the pieces that were not yet whole, a few at a time.
    let lost = seen.blocks.len() - blocks;
    println!("{kills} kills, {lost} of {blocks} blocks fetched twice, {reported} bytes reported");
    assert!(
        lost <= kills * LOST_A_KILL,
        "{lost} blocks fetched again in {kills} kills"
    );
}

/// Blocks that one kill may cost: those in flight and in pieces that lacked a block, 1 MiB together.
const LOST_A_KILL: usize = 64;

/// Rows S18: the first signal ends it tidily.
#[test]
fn ctrl_c_ends_within_two_seconds_and_the_same_command_resumes() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "interrupted.bin", 8_000_000, 65_536);
    let peer = Peer::start(3, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(
        served(&peer, 200, &mut process),
        "it ended before it was interrupted"
    );

    process.signal("INT");
    let start = Instant::now();
    let status = process.wait(STUCK);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "took {:?}",
        start.elapsed()
    );
    assert_eq!(status.code(), Some(130));
    // Rule 6: it says how to resume; with `--json` in a note.
    assert!(process.stdout().contains("resume"), "no word on resuming");
    drop(process);

    bench.finish(&sample, &[&peer]);
    let seen = peer.seen();
    let again = seen.blocks.len() - sample.content.len().div_ceil(BLOCK);
    assert!(
        seen.asked_again.is_empty(),
        "had and asked again: {:?}",
        seen.asked_again
    );
    assert!(again <= LOST_A_KILL, "{again} blocks fetched again");
}

#[test]
fn a_complete_download_returns_at_once() {
    let mut bench = Bench::new();
    let sample = Sample::multi(
        bench.folder(),
        "twice",
        &[("a", 300_000), ("b/c", 200_001)],
        32_768,
    );
    let peer = Peer::start(4, &sample, Conduct::HONEST);
    bench.finish(&sample, &[&peer]);
    let blocks = peer.seen().blocks.len();

    let start = Instant::now();
    let again = bench.finish(&sample, &[&peer]);
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "took {:?}",
        start.elapsed()
    );
    assert_eq!(peer.seen().blocks.len(), blocks, "it downloaded again");
    assert_eq!(events(&again, "done").len(), 1);
    assert_eq!(events(&again, "done")[0]["downloaded"], 0);
}

/// Rows S18: the second signal is obeyed at once.
#[test]
fn the_second_ctrl_c_ends_at_once() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "twice-interrupted.bin", 8_000_000, 65_536);
    let peer = Peer::start(5, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(
        served(&peer, 20, &mut process),
        "it ended before it was interrupted"
    );
    process.signal("INT");
    process.signal("INT");
    let start = Instant::now();
    assert_eq!(process.wait(STUCK).code(), Some(130));
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "took {:?}",
        start.elapsed()
    );
}

/// Rows S15: the second process on the same files is refused at once and told which one holds them; after `kill -9` of the
/// holder the lock is nobody's.
#[test]
fn the_second_process_names_the_first() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "held.bin", 4_000_000, 65_536);
    let peer = Peer::start(6, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut holder = bench.start(bench.get(&source, &[&peer]));
    assert!(served(&peer, 20, &mut holder), "it ended too early");

    let start = Instant::now();
    let mut second = bench.start(bench.get(&source, &[&peer]));
    let status = second.wait(STUCK);
    let took = start.elapsed();
    assert_eq!(status.code(), Some(10), "{}", second.stdout());
    assert!(took < Duration::from_secs(1), "took {took:?}");
    let said = events(&second, "error")[0]["message"].to_string();
    assert!(said.contains(&format!("process {}", holder.id())), "{said}");

    holder.kill();
    bench.finish(&sample, &[&peer]);
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}
