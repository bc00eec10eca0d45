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
use support::torrent::Sample;

/// All ways to write at a position; piece data goes one of them.
const WRITE: &str = "pwrite64,pwritev,pwritev2";

/// All ways to make written data last.
const SYNC: &str = "fsync,fdatasync,sync_file_range,syncfs";

/// All ways to give a file another name.
const RENAME: &str = "rename,renameat,renameat2";

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
    let get = bench.get(sample.torrent.to_str().expect("ASCII"), &[peer]);
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e"]);
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
    bench.start(command).wait(STUCK)
}

/// Kills a download at `fault`, then lets it finish: the files are right, and nothing known was fetched again.
fn killed_at(host: u8, fault: &str) {
    if !can_trace() {
        return;
    }
    let mut bench = Bench::new();
    let files = [("a.bin", 1_500_000), ("b/c.bin", 700_000)];
    let sample = Sample::multi(bench.folder(), &format!("traced-{host}"), &files, 65_536);
    let peer = Peer::start(host, &sample, Conduct::HONEST);
    let status = with_fault(&mut bench, &sample, &peer, &format!("{fault}:signal=KILL"));
    // With -D strace is the child and the program what we wait for: it dies of the signal.
    assert!(!status.success(), "{fault} never happened: no proof");
    let before = peer.seen().blocks.len();

    bench.finish(&sample, &[&peer]);
    let seen = peer.seen();
    let blocks = sample.content.len().div_ceil(BLOCK);
    println!(
        "{fault}: {before} of {blocks} blocks before, {} after",
        seen.blocks.len() - before
    );
    assert!(
        seen.asked_again.is_empty(),
        "had and asked again: {:?}",
        seen.asked_again
    );
}

#[test]
fn killed_at_the_first_write_of_a_piece() {
    killed_at(60, &format!("{WRITE}:when=1"));
}

#[test]
fn killed_at_a_later_write_of_a_piece() {
    killed_at(61, &format!("{WRITE}:when=12"));
}

#[test]
fn killed_at_the_first_sync() {
    killed_at(62, &format!("{SYNC}:when=1"));
}

#[test]
fn killed_at_the_second_sync() {
    killed_at(63, &format!("{SYNC}:when=2"));
}

#[test]
fn killed_at_the_rename_to_the_final_name() {
    killed_at(64, &format!("{RENAME}:when=1"));
}

/// Every write from the fifth on fails: it is said, the process ends with the code for it, and a rerun makes it right.
fn fails(host: u8, fault: &str, code: i32) {
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
    let status = with_fault(&mut bench, &sample, &peer, fault);
    assert_eq!(status.code(), Some(code), "{fault}");
    assert!(
        !bench.output().join(&sample.name).exists(),
        "the finished name exists"
    );
    let again = bench.finish(&sample, &[&peer]);
    assert_eq!(events(&again, "done").len(), 1);
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}

#[test]
fn a_disk_that_fails_to_write_is_an_io_error() {
    fails(65, &format!("{WRITE}:error=EIO:when=5+"), 7);
}

#[test]
fn a_disk_that_fails_to_sync_is_an_io_error() {
    fails(66, &format!("{SYNC}:error=EIO:when=1+"), 7);
}
