//! Clocks that are wrong (reliability.md N12).

use std::process::Command;

use crate::stage::can_run;
use crate::support::client::{Bench, STUCK};
use crate::support::peer::{Conduct, Peer};
use crate::support::torrent::Sample;

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
