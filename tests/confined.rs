//! Self-restraint of a whole process: `get` gives up the right to touch other folders before its first socket, and the
//! user's own program, which it starts at the end, keeps its rights.
//!
//! What is refused then is tested where the rules are made (`src/io/confine.rs`).
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]

mod support;

use std::fs;
use std::time::Duration;

use support::client::{Bench, served};
use support::peer::{Conduct, Peer};
use support::torrent::Sample;

/// Slow enough to be looked at.
const SLOW: Conduct = Conduct {
    pause: Duration::from_millis(40),
    ..Conduct::HONEST
};

/// Whether the process has said that it wants no new rights; the kernel takes rules from nobody else.
fn is_confined(id: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with("NoNewPrivs:"));
    line.expect("a line of Linux 4.10").ends_with('1')
}

#[test]
fn a_download_is_confined_unless_it_should_not_be() {
    for (options, confined) in [(&[][..], true), (&["--no-confine"], false)] {
        let mut bench = Bench::new();
        let sample = Sample::single(bench.folder(), "restrained.bin", 4_000_000, 65_536);
        let peer = Peer::start(2, &sample, SLOW);
        let mut command = bench.get(sample.torrent.to_str().expect("ASCII"), &[&peer]);
        command.args(options);
        let mut process = bench.start(command);
        assert!(served(&peer, 5, &mut process), "it ended too soon");
        assert_eq!(is_confined(process.id()), confined, "{options:?}");
    }
}

#[test]
fn the_user_s_program_may_do_what_the_user_may() {
    let mut bench = Bench::new();
    let sample = Sample::single(bench.folder(), "hooked.bin", 300_000, 32_768);
    let peer = Peer::start(3, &sample, Conduct::HONEST);
    let told = bench.folder().join("told");
    let mut command = bench.get(sample.torrent.to_str().expect("ASCII"), &[&peer]);
    let line = format!("cat \"$TRACKLESS_PATH\" | wc -c > '{}'", told.display());
    command.args(["--on-complete", &line]);
    let mut process = bench.start(command);
    let status = process.wait(support::client::STUCK);
    assert!(status.success(), "{}", process.stderr());
    assert_eq!(
        fs::read_to_string(&told)
            .expect("outside the folders of get")
            .trim(),
        "300000"
    );
}
