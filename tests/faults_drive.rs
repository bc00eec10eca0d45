//! The program over a drive that hangs, is slow, is read-only, has bad places, or takes no large files: it ends when it is told to, waits, or
//! says what is wrong, and never calls complete what is not.
//!
//! The drive is a model mounted by FUSE (see `drive`), so these need root.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod drive;
mod support;

use std::fs;
use std::time::{Duration, Instant};

use drive::{Drive, Honesty, Mounted, Spelling};
use support::client::{Bench, STUCK, events, leech, seed, served};
use support::peer::{BLOCK, Conduct, Peer};
use support::process::Process;
use support::torrent::Sample;
use support::{seconds, wait_until};

/// About 5 MB/s.
const SLOW: Conduct = Conduct {
    pause: Duration::from_millis(3),
    ..Conduct::HONEST
};

/// A bench whose results go to a drive.
fn bench() -> Option<(Bench, Drive, Mounted)> {
    let bench = Bench::new();
    let drive = Drive::new(Honesty::Honest);
    let mounted = Mounted::mount(&drive, bench.output())?;
    Some((bench, drive, mounted))
}

/// Bytes of memory a process has had at most.
fn peak(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("a number")
        << 10
}

/// The disk with the results or the one with the state does not answer any more: SIGTERM ends the program within
/// ten seconds, with an exit code that is not success, and when the disk answers again the same command ends right.
fn hangs(host: u8, bench: &mut Bench, mut mounted: Mounted) {
    let sample = Sample::single(bench.folder(), "hung.bin", 4_000_000, 65_536);
    let peer = Peer::start(host, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(served(&peer, 60, &mut process), "it ended too early");
    mounted.hang();
    // It has noticed when nothing is asked any more: what it may keep in memory is full, or all has come.
    let mut last = (0, 0);
    wait_until(seconds(8), || {
        let blocks = peer.seen().blocks.len();
        let same = if last.0 == blocks { last.1 + 1 } else { 0 };
        last = (blocks, same);
        same > 20
    });
    process.signal("TERM");
    let start = Instant::now();
    let status = process.wait(STUCK);
    let took = start.elapsed();
    println!("ended {took:?} after SIGTERM with {status}");
    assert!(took < seconds(10), "took {took:?}");
    assert_ne!(status.code(), Some(0));
    mounted.go_on();
    bench.finish(&sample, &[&peer]);
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}

/// Rows S18: the disk with the results.
#[test]
fn a_disk_that_hangs_holds_no_sigterm_back() {
    if let Some((mut bench, _, mounted)) = bench() {
        hangs(90, &mut bench, mounted);
    }
}

/// Rows S18: the disk with the state.
#[test]
fn a_state_folder_that_hangs_holds_no_sigterm_back() {
    let mut bench = Bench::new();
    let state = bench.folder().join("state");
    fs::create_dir(&state).expect("a folder");
    if let Some(mounted) = Mounted::mount(&Drive::new(Honesty::Honest), &state) {
        hangs(94, &mut bench, mounted);
    }
}

/// Rows S17, S19: a disk of some 2 MB/s that stops for a second now and then: memory stays bounded, progress is told all the time,
/// no connection is lost.
#[test]
fn a_slow_disk_slows_only_itself() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    let sample = Sample::single(bench.folder(), "slow.bin", 8_000_000, 262_144);
    let peer = Peer::start(91, &sample, Conduct::HONEST);
    drive.break_it(|faults| {
        faults.delay = Duration::from_millis(20);
        (faults.stall_every, faults.stall) = (25, Duration::from_secs(1));
    });
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    let (mut told, mut at, mut silence, mut memory) = (0, Instant::now(), Duration::ZERO, 0);
    wait_until(STUCK, || {
        if process.ended().is_some() {
            return true;
        }
        memory = memory.max(peak(&process));
        let now = events(&process, "progress").len();
        if now > told {
            (told, at) = (now, Instant::now());
        }
        silence = silence.max(at.elapsed());
        false
    });
    println!(
        "{told} progress events, {silence:?} of silence, {} MiB",
        memory >> 20
    );
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(bench.output()), "the file differs");
    assert!(memory < 64 << 20, "{memory} bytes");
    assert!(silence < seconds(4), "{silence:?} without a word");
    let seen = peer.seen();
    assert_eq!(seen.connections, 1, "connections were lost");
    assert_eq!(seen.blocks.len(), sample.content.len().div_ceil(BLOCK));
}

/// Ends by itself with code 7 and a word about `what`; nothing lies under the final name.
fn ends_with(bench: &mut Bench, sample: &Sample, peer: &Peer, what: &str) {
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[peer]));
    assert_eq!(process.wait(STUCK).code(), Some(7), "{}", process.stdout());
    let said = events(&process, "error")[0]["message"].to_string();
    let path = bench.output().join(format!("{}.part", sample.name));
    assert!(said.contains(what), "{said}");
    assert!(said.contains(path.to_str().expect("ASCII")), "{said}");
    assert!(!bench.output().join(&sample.name).exists());
}

/// Rows S20: a file system that takes no file of that length says so by EFBIG: the path and the reason are told.
#[test]
fn a_file_too_large_for_its_file_system_is_said() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    let sample = Sample::single(bench.folder(), "large.bin", 2_000_000, 65_536);
    let peer = Peer::start(92, &sample, Conduct::HONEST);
    drive.break_it(|faults| faults.largest = Some(1 << 20));
    ends_with(&mut bench, &sample, &peer, "too large");
    drive.break_it(|faults| faults.largest = None);
    bench.finish(&sample, &[&peer]);
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}

/// Rows S20, C10: a drive that tells neither case nor normalisation apart and respells every name: each of the torrent's files
/// gets one of its own, the content is right, and the next run finds all of it.
#[test]
fn a_drive_that_folds_names_gets_every_file_once() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    drive.break_it(|faults| faults.spelling = Spelling::Folded);
    let files = [
        ("Read.txt", 40_000),
        ("read.TXT", 50_000),
        ("D/\u{e9}", 60_000),
        ("d/e\u{301}", 70_000),
        ("d/\u{c9}", 80_000),
    ];
    let names = [
        "Read.txt",
        "read (2).TXT",
        "D/\u{e9}",
        "d/e\u{301} (2)",
        "d/\u{c9} (3)",
    ];
    let sample = Sample::multi(bench.folder(), "Folded", &files, 16_384);
    let peer = Peer::start(89, &sample, Conduct::HONEST);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    for _ in 0..2 {
        let mut process = bench.start(bench.get(&source, &[&peer]));
        assert_eq!(process.wait(STUCK).code(), Some(0), "{}", process.stderr());
        let mut from = 0;
        for (name, (_, length)) in names.iter().zip(files) {
            let found = fs::read(bench.output().join("Folded").join(name));
            let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(found == sample.content[from..from + length], "{name}");
            from += length;
        }
        // The second run asks nobody.
        let blocks = sample.content.len().div_ceil(BLOCK);
        assert_eq!(peer.seen().blocks.len(), blocks);
    }
}

/// Rows S12: read-only from the start: path and reason are told, and once it can be written to the same command downloads.
/// Becoming so: the download pauses, says why, and goes on by itself.
#[test]
fn a_read_only_disk_is_said_and_costs_nothing() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    let sample = Sample::single(bench.folder(), "sealed.bin", 3_000_000, 65_536);
    let peer = Peer::start(93, &sample, SLOW);
    drive.break_it(|faults| faults.read_only = true);
    ends_with(&mut bench, &sample, &peer, "Read-only");
    drive.break_it(|faults| faults.read_only = false);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    let before = peer.seen().blocks.len();
    assert!(
        served(&peer, before + 60, &mut process),
        "it ended too early"
    );
    drive.break_it(|faults| faults.read_only = true);
    let pause = |process: &Process| {
        let last = events(process, "progress").pop();
        let paused = last.filter(|event| event["state"] == "paused");
        paused.map(|event| event["reason"].to_string())
    };
    let said = wait_until(seconds(20), || pause(&process).is_some());
    assert!(said.is_some(), "read-only, and nothing is said");
    let reason = pause(&process).unwrap_or_default();
    assert!(
        reason.contains("Read-only") && reason.contains("sealed.bin.part"),
        "{reason}"
    );
    drive.break_it(|faults| faults.read_only = false);
    let start = Instant::now();
    assert_eq!(process.wait(STUCK).code(), Some(0), "{}", process.stdout());
    println!("went on and ended after {:?}", start.elapsed());
    assert!(start.elapsed() < seconds(30));
    assert!(sample.is_complete_in(bench.output()), "the file differs");
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}

/// Rows S12: a folder that turns read-only under a seed: it goes on serving, ends when it is told to, and a run that
/// begins on it serves too.
#[test]
fn a_seed_on_a_read_only_disk_goes_on_serving() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    let sample = Sample::single(bench.folder(), "given.bin", 20 * 65_536, 65_536);
    let peer = Peer::start(98, &sample, Conduct::HONEST);
    bench.finish(&sample, &[&peer]);
    drop(peer);
    for _ in 0..2 {
        // Writable, then read-only; the second time read-only from the start.
        let (mut process, port) = seed(&mut bench, &sample.torrent, &[]);
        drive.break_it(|faults| faults.read_only = true);
        let mut line = leech(port, &sample.info_hash);
        for piece in 0..20_u32 {
            let from = piece as usize * 65_536;
            let block = line.block(piece, 0, 16_384);
            assert!(
                block.is_some_and(|block| block == sample.content[from..from + 16_384]),
                "piece {piece}"
            );
        }
        assert!(process.ended().is_none(), "the seed ended");
        process.signal("INT");
        let status = process.wait(seconds(10));
        assert!(matches!(status.code(), Some(0 | 130)), "{status}");
    }
    drive.break_it(|faults| faults.read_only = false);
    assert!(sample.is_complete_in(bench.output()), "the file differs");
}

/// Rows S6: one of two torrents meets EIO: it is said with its path and ends that one; the other ends right, and later the
/// same command makes the first right too.
#[test]
fn a_bad_place_on_the_disk_ends_only_the_torrent_that_lies_there() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    let [bad, good] =
        ["bad.bin", "good.bin"].map(|name| Sample::single(bench.folder(), name, 1_500_000, 65_536));
    let (one, two) = (Peer::start(95, &bad, SLOW), Peer::start(96, &good, SLOW));
    drive.break_it(|faults| faults.bad_writes = Some("bad.bin".into()));
    let source = |sample: &Sample| sample.torrent.to_str().expect("ASCII").to_owned();
    let mut command = bench.get(&source(&bad), &[&one, &two]);
    command.arg(source(&good));
    let mut process = bench.start(command);
    let status = process.wait(STUCK);
    assert_eq!(status.code(), Some(7), "{}", process.stdout());
    assert!(process.stdout().contains("bad.bin.part"), "no path");
    assert!(
        good.is_complete_in(bench.output()),
        "the other one suffered"
    );
    assert!(!bench.output().join("bad.bin").exists());
    drop(process);
    drive.break_it(|faults| faults.bad_writes = None);
    bench.finish(&bad, &[&one]);
    assert!(one.seen().asked_again.is_empty(), "had and asked again");
}

/// Rows S8: a sector that cannot be read any more: its piece is taken back and fetched from somebody else, and the file that
/// is shared stays right.
#[test]
fn a_bad_sector_is_never_sent() {
    let Some((mut bench, drive, _mounted)) = bench() else {
        return;
    };
    let sample = Sample::single(bench.folder(), "sector.bin", 20 * 65_536, 65_536);
    let peer = Peer::start(97, &sample, Conduct::HONEST);
    bench.finish(&sample, &[&peer]);
    let (mut process, port) = seed(&mut bench, &sample.torrent, &[]);
    drive.break_it(|faults| faults.bad_from = Some(("sector.bin".into(), 10 * 65_536)));
    let mut line = leech(port, &sample.info_hash);
    for piece in 0..20_u32 {
        let block = line.block(piece, 0, 16_384);
        assert_eq!(block.is_some(), piece < 10, "piece {piece}");
        if let Some(block) = block {
            let from = piece as usize * 65_536;
            assert!(
                block == sample.content[from..from + 16_384],
                "a wrong block"
            );
        }
    }
    assert!(process.ended().is_none(), "the seed ended");
}
