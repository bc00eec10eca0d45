//! `kill -9` and I/O errors at chosen system calls, by strace: the moments at which the order of data and claim matters.
//!
//! A random moment seldom falls between writing a piece and recording it, or between the last write and the rename that gives
//! a file its final name; here each is hit on purpose. strace counts calls per thread.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod support;

use std::process::{Command, ExitStatus};

use support::client::{Bench, STUCK, events};
use support::peer::{BLOCK, Conduct, Peer};
use support::process::Process;
use support::torrent::Sample;
use support::{seconds, wait_until};

/// Writes of piece data.
const WRITE: &str = "pwritev,pwritev2";

/// What makes written data last: the files first, then the journal.
const SYNC: &str = "fdatasync";

/// Gives a file its final name.
const RENAME: &str = "renameat2";

/// Whether strace can be used here.
///
/// # Panics
/// When it cannot and `CI` is set.
fn can_trace() -> bool {
    let works = Command::new("strace")
        .args(["-e", "trace=none", "true"])
        .output();
    if works.is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "strace is missing or not allowed"
    );
    eprintln!("skipped: strace is missing or not allowed; install with: apt-get install strace");
    false
}

/// Runs a download with a fault injected, to its end; what the program ended with.
fn with_fault(bench: &mut Bench, sample: &Sample, peer: &Peer, fault: &str) -> ExitStatus {
    let command = traced(bench, sample, peer, fault);
    bench.start(command).wait(STUCK)
}

/// `trackless get` with a fault injected. strace runs beside it (-D), so what is started, waited for and killed is the
/// program itself.
fn traced(bench: &Bench, sample: &Sample, peer: &Peer, fault: &str) -> Command {
    let get = bench.get(sample.torrent.to_str().expect("ASCII"), &[peer]);
    let mut command = Command::new("strace");
    command.args([
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "signal=none",
        "-e",
    ]);
    command
        .arg(format!("inject={fault}"))
        .arg(get.get_program())
        .args(get.get_args());
    for (key, value) in get.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command
}

/// Kills a download at `fault`, then lets it finish; blocks sent before the kill, and after it.
///
/// # Panics
/// When the files are wrong in the end, or what was known was fetched again.
fn killed_at(host: u8, fault: &str) -> (usize, usize) {
    let mut bench = Bench::new();
    let files = [("a.bin", 1_500_000), ("b/c.bin", 700_000)];
    let sample = Sample::multi(bench.folder(), &format!("traced-{host}"), &files, 65_536);
    let peer = Peer::start(host, &sample, Conduct::HONEST);
    let status = with_fault(&mut bench, &sample, &peer, &format!("{fault}:signal=KILL"));
    assert_eq!(status.code(), None, "{fault} never happened: no proof");
    let before = peer.seen().blocks.len();
    bench.finish(&sample, &[&peer]);
    let seen = peer.seen();
    let after = seen.blocks.len() - before;
    println!("{fault}: {before} of {BLOCKS} blocks before, {after} after");
    assert!(
        seen.asked_again.is_empty(),
        "had and asked again: {:?}",
        seen.asked_again
    );
    (before, after)
}

/// Blocks of the content.
const BLOCKS: usize = 2_200_000_usize.div_ceil(BLOCK);

/// Rows S1: killed at chosen writes.
#[test]
fn killed_while_it_writes_pieces() {
    if can_trace() {
        for (host, when) in [(60, 1), (61, 2), (62, 12), (63, 33)] {
            let (_, after) = killed_at(host, &format!("{WRITE}:when={when}"));
            // Four blocks a piece; the last one is shorter, and one lies in two files and takes two writes.
            assert!(
                after <= BLOCKS + 5 - 4 * (when - 1),
                "{after} blocks after {when} writes"
            );
        }
    }
}

/// Rows S1, S2: killed at chosen syncs and renames.
#[test]
fn killed_between_the_last_write_and_the_end_nothing_is_fetched_again() {
    if can_trace() {
        let syncs = (1..=4).map(|when| format!("{SYNC}:when={when}"));
        let renames = (1..=2).map(|when| format!("{RENAME}:when={when}"));
        for (host, fault) in (70..).zip(syncs.chain(renames)) {
            assert_eq!(killed_at(host, &fault), (BLOCKS, 0), "{fault}");
        }
    }
}

/// Rows S2: killed at each step of saving state: the lock is taken, the new journal synced, moved over the old one, its folder
/// and that of the files synced, records appended. It opens every time, and nothing that was had is asked for again.
#[test]
fn killed_at_each_step_of_saving_state() {
    if can_trace() {
        let begin = [
            "ftruncate:when=1",
            "fsync:when=1",
            "rename:when=1",
            "fsync:when=2",
        ];
        let append = [
            "fsync:when=3",
            "pwrite64:when=1",
            "pwrite64:when=2",
            "pwrite64:when=3",
        ];
        for (host, fault) in (100..).zip(begin.into_iter().chain(append)) {
            killed_at(host, fault);
        }
    }
}

/// Syncs or writes fail from some call on. It is said: by the exit code 7, or by a pause with a reason, after which it is
/// interrupted here. A rerun without the fault makes it right.
fn fails(host: u8, fault: &str) {
    if !can_trace() {
        return;
    }
    let mut bench = Bench::new();
    let sample = Sample::single(
        bench.folder(),
        &format!("failing-{host}"),
        2_000_000,
        65_536,
    );
    let peer = Peer::start(host, &sample, Conduct::HONEST);
    let command = traced(&bench, &sample, &peer, fault);
    let mut process = bench.start(command);
    let paused = |process: &Process| {
        events(process, "progress")
            .iter()
            .any(|it| it["state"] == "paused" && !it["reason"].is_null())
    };
    wait_until(seconds(20), || {
        process.ended().is_some() || paused(&process)
    });
    if process.ended().is_none() {
        assert!(paused(&process), "{fault}: nothing is said");
        process.signal("INT");
        assert_eq!(process.wait(STUCK).code(), Some(130), "{fault}");
    }
    let status = process.wait(STUCK);
    assert!(matches!(status.code(), Some(7 | 130)), "{fault}: {status}");
    assert!(
        !bench.output().join(&sample.name).exists(),
        "the finished name exists"
    );
    drop(process);
    bench.finish(&sample, &[&peer]);
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}

/// Rows S6: EIO on every write from the fifth on.
#[test]
fn a_disk_that_fails_to_write_is_said() {
    fails(80, &format!("{WRITE}:error=EIO:when=5+"));
}

/// Rows S7: EIO on every sync.
#[test]
fn a_disk_that_fails_to_sync_is_said() {
    fails(81, &format!("{SYNC}:error=EIO:when=1+"));
}
