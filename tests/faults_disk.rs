//! A disk that gets full: it is said, what is verified stays, and no corrupt file ever gets its final name.
//!
//! The disk is a tmpfs that the test mounts, so these need root.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::client::{Bench, STUCK, events, served};
use support::peer::{Conduct, Peer};
use support::process::Process;
use support::torrent::Sample;
use support::{seconds, wait_until};

/// Slow enough to fill the disk while it downloads: about 5 MB/s.
const SLOW: Conduct = Conduct {
    pause: Duration::from_millis(3),
    ..Conduct::HONEST
};

/// A small tmpfs; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of `mebibytes` at `at`; `None`, and a word about it, where that is not allowed.
    ///
    /// # Panics
    /// When it is not allowed and `CI` is set.
    fn mount(at: &Path, mebibytes: u32) -> Option<Self> {
        let size = format!("size={mebibytes}m");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .status();
        if done.is_ok_and(|status| status.success()) {
            return Some(Self(at.to_owned()));
        }
        assert!(std::env::var_os("CI").is_none(), "cannot mount a tmpfs");
        eprintln!("skipped: needs root to mount a small tmpfs");
        None
    }

    fn resize(&self, mebibytes: u32) {
        let option = format!("remount,size={mebibytes}m");
        let status = Command::new("mount")
            .args(["-o", &option])
            .arg(&self.0)
            .status();
        assert!(status.expect("mount").success());
    }

    /// Takes all space that is left.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("ballast");
        let mut file = File::create(&path).expect("an inode is left");
        while file.write_all(&[0; 4096]).is_ok() {}
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is still ending may stand in it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Waits for what a full disk must lead to: exit code 6, or a pause that is said; a paused one is then interrupted.
fn full(process: &mut Process) {
    let paused = |process: &Process| {
        events(process, "progress")
            .iter()
            .any(|event| event["state"] == "paused")
    };
    let noticed = wait_until(seconds(20), || process.ended().is_some() || paused(process));
    assert!(noticed.is_some(), "a full disk, and nothing is said");
    if let Some(status) = process.ended() {
        assert_eq!(status.code(), Some(6));
        assert_eq!(events(process, "error")[0]["code"], "disk_full");
        return;
    }
    process.signal("INT");
    assert_eq!(process.wait(STUCK).code(), Some(130));
}

/// Rows S4, S21: full half-way, interrupted, run again.
#[test]
fn a_disk_that_fills_up_keeps_what_is_verified_and_the_rerun_ends_right() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "full.bin", 12_000_000, 65_536);
    let Some(disk) = SmallDisk::mount(bench.output(), 32) else {
        return;
    };
    let peer = Peer::start(40, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();

    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(served(&peer, 200, &mut process), "it ended too early");
    let ballast = disk.fill();
    full(&mut process);
    drop(process);
    assert!(
        !bench.output().join("full.bin").exists(),
        "the finished name exists"
    );

    fs::remove_file(ballast).expect("the ballast");
    let before = peer.seen().blocks.len();
    bench.finish(&sample, &[&peer]);
    let seen = peer.seen();
    let fetched = seen.blocks.len() - before;
    println!("{before} blocks before, {fetched} after");
    assert!(
        seen.asked_again.is_empty(),
        "had and asked again: {:?}",
        seen.asked_again
    );
    // 200 blocks are 50 pieces: most of them were on the disk before it was full.
    assert!(
        fetched <= 733 - 100,
        "fetched {fetched} blocks of 733 again"
    );
}

/// Rows S4, S21: too small from the start.
#[test]
fn a_disk_that_is_too_small_is_said_and_with_space_it_works() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "small.bin", 12_000_000, 65_536);
    let Some(disk) = SmallDisk::mount(bench.output(), 8) else {
        return;
    };
    let peer = Peer::start(41, &sample, Conduct::HONEST);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();

    let mut process = bench.start(bench.get(&source, &[&peer]));
    full(&mut process);
    drop(process);
    assert!(
        !bench.output().join("small.bin").exists(),
        "the finished name exists"
    );

    disk.resize(64);
    bench.finish(&sample, &[&peer]);
}
