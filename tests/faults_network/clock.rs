//! Clocks that are wrong (reliability.md N12).

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::stage::can_run;
use crate::support::client::{Bench, STUCK, served};
use crate::support::peer::{Conduct, Peer};
use crate::support::torrent::Sample;

/// Where the library lies that shows programs another time.
fn faketime() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").ok()?;
    let mut paths = folders.filter_map(|entry| {
        let path = entry.ok()?.path().join("faketime/libfaketimeMT.so.1");
        path.exists().then(|| path.display().to_string())
    });
    let found = paths.next();
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "faketime is missing");
        eprintln!("skipped: apt-get install faketime");
    }
    found
}

/// Rows N12: the wall clock, and it alone, jumps by ten years, there and back, in the middle of a download: nothing is asked twice, nobody
/// is dropped, and what is recorded under one time is believed under another.
#[test]
fn a_wall_clock_that_jumps() {
    let Some(library) = faketime() else {
        return;
    };
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "jumps", 6_000_000, 65_536);
    let slow = Conduct {
        pause: Duration::from_millis(5),
        ..Conduct::HONEST
    };
    let peer = Peer::start(99, &sample, slow);
    let now = bench.folder().join("now");
    // The file is looked at each time, and a name that is moved there is never half written.
    let set = |offset: &str| {
        let new = now.with_extension("new");
        fs::write(&new, offset).expect("a small file");
        fs::rename(&new, &now).expect("in one folder");
    };
    set("+0");
    let get = || {
        let mut command = bench.get(sample.torrent.to_str().expect("ASCII"), &[&peer]);
        command.env("LD_PRELOAD", &library);
        command.env("FAKETIME_TIMESTAMP_FILE", &now);
        command.env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    };
    let commands = [get(), get()];
    for (command, half) in commands.into_iter().zip([0, 180]) {
        let mut process = bench.start(command);
        for (blocks, offset) in [(30, "+3650d"), (60, "-3650d"), (90, "+0"), (120, "+3650d")] {
            assert!(served(&peer, half + blocks, &mut process), "it ended early");
            set(offset);
        }
        if half == 0 {
            assert!(served(&peer, 150, &mut process), "it ended early");
            process.signal("INT");
            process.wait(STUCK);
        } else {
            assert_eq!(process.wait(STUCK).code(), Some(0), "{}", process.stderr());
        }
    }
    assert!(sample.is_complete_in(bench.output()), "the file differs");
    let seen = peer.seen();
    assert!(seen.asked_again.is_empty(), "had and asked again");
    assert_eq!(seen.connections, 2, "a connection was lost");
}

/// Rows N12: a monotonic clock that stands at three years, or nearly at its beginning, changes nothing.
#[test]
fn a_machine_that_has_run_for_years() {
    if !can_run() {
        return;
    }
    for offset in ["100000000", "-1"] {
        let mut bench = Bench::new();
        let sample = Sample::single(bench.folder(), "clock", 2_000_000, 65_536);
        let peer = Peer::start(91, &sample, Conduct::HONEST);
        let plain = bench.get(sample.torrent.to_str().expect("ASCII"), &[&peer]);
        // Not before the machine's start: what is left of an hour is enough.
        let mut shifted = Command::new("unshare");
        shifted.args(["-T", "--monotonic", offset, "--boottime", offset, "--"]);
        shifted.arg(plain.get_program()).args(plain.get_args());
        for (key, value) in plain.get_envs() {
            match value {
                Some(value) => shifted.env(key, value),
                None => shifted.env_remove(key),
            };
        }
        let mut process = bench.start(shifted);
        assert_eq!(process.wait(STUCK).code(), Some(0), "{}", process.stderr());
        assert!(sample.is_complete_in(bench.output()));
    }
}
