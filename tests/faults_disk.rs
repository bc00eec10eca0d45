//! A disk that gets full or goes away: it is said, what is verified stays, nothing is put elsewhere, and no corrupt file ever
//! gets its final name.
//!
//! The disk is a tmpfs that the test mounts, so these need root. `TRACKLESS_FAULTS=long` fills it 20 times instead of 2.
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

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::client::{Bench, STUCK, events, served};
use support::peer::{BLOCK, Conduct, Peer};
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

fn long() -> bool {
    std::env::var_os("TRACKLESS_FAULTS").is_some_and(|value| value == "long")
}

/// What the last progress event says of a pause.
fn pause(process: &Process) -> Option<String> {
    let last = events(process, "progress").pop()?;
    let paused = last["state"] == "paused";
    paused.then(|| last["reason"].as_str().unwrap_or_default().to_owned())
}

/// Rows S4: full at random moments of one download, room again each time: it goes on by itself within 30 seconds, fetches
/// hardly anything twice, and ends right.
#[test]
fn a_download_goes_on_by_itself_when_the_full_disk_has_room_again() {
    let seed = 0x6675_6c6c;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let fills = if long() { 20 } else { 2 };
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "self.bin", 6_000_000 * fills, 65_536);
    let Some(disk) = SmallDisk::mount(bench.output(), 512) else {
        return;
    };
    let peer = Peer::start(42, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    let mut slowest = Duration::ZERO;
    for fill in 0..fills {
        let before = peer.seen().blocks.len();
        let more = random.random_range(20..200);
        assert!(served(&peer, before + more, &mut process), "it ended early");
        let ballast = disk.fill();
        let said = wait_until(seconds(20), || pause(&process).is_some());
        assert!(
            said.is_some(),
            "fill {fill}: a full disk, and nothing is said"
        );
        let reason = pause(&process).unwrap_or_default();
        assert!(
            reason.contains("full") && reason.contains("to come"),
            "{reason}"
        );
        fs::remove_file(ballast).expect("the ballast");
        let before = peer.seen().blocks.len();
        // The last pieces may all have come already: then it goes on to its end.
        let resumed = wait_until(seconds(30), || {
            peer.seen().blocks.len() > before || process.ended().is_some()
        });
        slowest = slowest.max(resumed.expect("it never went on"));
    }
    assert_eq!(process.wait(STUCK).code(), Some(0));
    assert!(sample.is_complete_in(bench.output()), "the file differs");
    let seen = peer.seen();
    let again = seen.blocks.len() - sample.content.len().div_ceil(BLOCK);
    println!("{fills} fills, slowest resume {slowest:?}, {again} blocks fetched twice");
    assert!(seen.asked_again.is_empty(), "had and asked again");
    assert!(again <= 4 * fills, "{again} blocks fetched twice");
}

/// Rows S18: SIGTERM while both disks, that with the results and that with the state, are full.
#[test]
fn full_disks_hold_no_sigterm_back() {
    let mut bench = Bench::new();
    let state = bench.folder().join("state");
    fs::create_dir(&state).expect("a folder");
    let sample = Sample::single(bench.folder(), "term.bin", 6_000_000, 65_536);
    let disks = [
        SmallDisk::mount(bench.output(), 64),
        SmallDisk::mount(&state, 1),
    ];
    let [Some(results), Some(notes)] = disks else {
        return;
    };
    let peer = Peer::start(48, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(served(&peer, 60, &mut process), "it ended early");
    let ballast = [results.fill(), notes.fill()];
    let said = wait_until(seconds(20), || pause(&process).is_some());
    assert!(said.is_some(), "a full disk, and nothing is said");
    process.signal("TERM");
    let status = process.wait(seconds(10));
    assert_eq!(status.code(), Some(143));
    drop(process);
    for path in ballast {
        fs::remove_file(path).expect("the ballast");
    }
    bench.finish(&sample, &[&peer]);
    assert!(peer.seen().asked_again.is_empty(), "had and asked again");
}

/// Rows S5: the state folder is full from the start, or becomes full: the download ends right all the same, and what could be
/// saved before is still there.
#[test]
fn a_full_state_folder_costs_no_download() {
    let mut bench = Bench::new();
    let state = bench.folder().join("state");
    fs::create_dir(&state).expect("a folder");
    let Some(disk) = SmallDisk::mount(&state, 1) else {
        return;
    };
    for (host, blocks) in [(43, 0), (44, 100)] {
        let name = format!("stateless-{host}.bin");
        let sample = Sample::single(bench.folder(), &name, 4_000_000, 65_536);
        let peer = Peer::start(host, &sample, SLOW);
        let mut ballast = (blocks == 0).then(|| disk.fill());
        let source = sample.torrent.to_str().expect("ASCII").to_owned();
        let mut process = bench.start(bench.get(&source, &[&peer]));
        assert!(served(&peer, blocks, &mut process), "it ended early");
        let ballast = ballast.take().unwrap_or_else(|| disk.fill());
        assert_eq!(process.wait(STUCK).code(), Some(0));
        assert!(sample.is_complete_in(bench.output()), "the file differs");
        fs::remove_file(ballast).expect("the ballast");
        bench.finish(&sample, &[&peer]);
        assert!(peer.seen().asked_again.is_empty(), "had and asked again");
    }
}

/// Rows S5: that the state is not saved is said once, and once that it is saved again, which needs nobody's help.
#[test]
fn a_full_state_folder_is_said_and_so_is_its_end() {
    let mut bench = Bench::new();
    let state = bench.folder().join("state");
    fs::create_dir(&state).expect("a folder");
    let Some(disk) = SmallDisk::mount(&state, 1) else {
        return;
    };
    let sample = Sample::single(bench.folder(), "notes.bin", 16_000_000, 65_536);
    let slower = Conduct {
        pause: Duration::from_millis(20),
        ..Conduct::HONEST
    };
    let peer = Peer::start(49, &sample, slower);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let ballast = disk.fill();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    let said = |process: &Process, what: &str| {
        let notes = events(process, "note");
        let ours = notes.iter().filter(|note| {
            let message = note["message"].as_str();
            message.is_some_and(|message| message.starts_with(what))
        });
        ours.count()
    };
    let noticed = wait_until(seconds(5), || said(&process, "state not saved") > 0);
    assert!(noticed.is_some(), "{}", process.stdout());
    assert!(served(&peer, 60, &mut process), "it ended early");
    assert_eq!(said(&process, "state is saved again"), 0);
    fs::remove_file(ballast).expect("the ballast");
    let noticed = wait_until(seconds(8), || said(&process, "state is saved again") > 0);
    assert!(noticed.is_some(), "{}", process.stdout());
    process.signal("INT");
    process.wait(STUCK);
    assert_eq!(said(&process, "state not saved"), 1);
    assert_eq!(said(&process, "state is saved again"), 1);
}

/// A disk that can be put in and taken out.
struct Drawer {
    disk: SmallDisk,
    at: PathBuf,
}

impl Drawer {
    /// One beside the results of `bench`, put in there.
    fn new(bench: &Bench) -> Option<Self> {
        let folder = bench.folder().join("disk");
        fs::create_dir(&folder).expect("a folder");
        let disk = SmallDisk::mount(&folder, 64)?;
        let drawer = Self {
            disk,
            at: bench.output().to_owned(),
        };
        drawer.put_in();
        Some(drawer)
    }

    fn put_in(&self) {
        let mut mount = Command::new("mount");
        mount.arg("--bind").arg(&self.disk.0).arg(&self.at);
        assert!(mount.status().expect("mount").success());
    }

    fn take_out(&self) {
        let status = Command::new("umount").arg("-l").arg(&self.at).status();
        assert!(status.expect("umount").success());
    }
}

impl Drop for Drawer {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-lq").arg(&self.at).status();
    }
}

/// Rows S10, S11: the disk is not mounted when the download is to go on: nothing is written where it was, and when it is back
/// nothing is fetched twice.
#[test]
fn an_unmounted_disk_is_not_taken_for_an_empty_one() {
    for (host, below) in [(45, ""), (46, "downloads")] {
        let mut bench = Bench::new();
        let sample = Sample::single(bench.folder(), "away.bin", 6_000_000, 65_536);
        let Some(drawer) = Drawer::new(&bench) else {
            return;
        };
        bench.put_below(below);
        let peer = Peer::start(host, &sample, SLOW);
        let source = sample.torrent.to_str().expect("ASCII").to_owned();
        let mut process = bench.start(bench.get(&source, &[&peer]));
        assert!(served(&peer, 100, &mut process), "it ended early");
        process.signal("INT");
        process.wait(STUCK);
        drop(process);
        drawer.take_out();
        let mut process = bench.start(bench.get(&source, &[&peer]));
        assert_eq!(process.wait(STUCK).code(), Some(7), "{below}");
        let said = events(&process, "error")[0]["message"].to_string();
        assert!(said.contains("mounted"), "{said}");
        drop(process);
        let left = fs::read_dir(&drawer.at).expect("the mount point").count();
        assert_eq!(left, 0, "something lies where the disk was");
        drawer.put_in();
        bench.finish(&sample, &[&peer]);
        assert!(peer.seen().asked_again.is_empty(), "had and asked again");
    }
}

/// Rows S11: the disk is taken out while it is written to: all of it goes to the disk, nothing to where it was mounted.
#[test]
fn a_disk_taken_out_while_it_is_used_gets_everything() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "taken.bin", 6_000_000, 65_536);
    let Some(drawer) = Drawer::new(&bench) else {
        return;
    };
    let peer = Peer::start(47, &sample, SLOW);
    let source = sample.torrent.to_str().expect("ASCII").to_owned();
    let mut process = bench.start(bench.get(&source, &[&peer]));
    assert!(served(&peer, 100, &mut process), "it ended early");
    drawer.take_out();
    assert_eq!(process.wait(STUCK).code(), Some(0));
    let left = fs::read_dir(&drawer.at).expect("the mount point").count();
    assert_eq!(left, 0, "something lies where the disk was");
    assert!(sample.is_complete_in(&drawer.disk.0), "the file differs");
}
