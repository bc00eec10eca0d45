//! The lab in small: real clients in namespaces of their own find peers in a simulated network.
//!
//! Needs root, /dev/net/tun and the workspace's programs. Without them it says so and is skipped, unless
//! `CI` is `true`.

#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::time::Duration;

use trackless_simulations::lab::clients::{Program, Task};
use trackless_simulations::lab::ground::Ground;
use trackless_simulations::lab::{self, Plan, namespace};
use trackless_simulations::model::nat::HostClass;
use trackless_simulations::report::Outcome;

/// The folder of the programs that were built beside this test.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("this test is a file");
    own.ancestors()
        .nth(2)
        .expect("target/debug/deps/")
        .to_owned()
}

fn obstacle() -> Option<String> {
    if let Some(obstacle) = namespace::obstacle() {
        return Some(obstacle.to_owned());
    }
    let program = binaries().join("trackless");
    (!program.exists()).then(|| format!("{} is not built", program.display()))
}

/// Those that are there: with `CI`, all but the daemons.
fn programs() -> Vec<Program> {
    let mut programs = vec![
        Program::TracklessCold,
        Program::Trackless,
        Program::Mainline,
    ];
    let mut python = std::process::Command::new("python3");
    let binding = python.args(["-c", "import libtorrent"]).output();
    let there = binding.is_ok_and(|output| output.status.success());
    if there || std::env::var("CI").as_deref() == Ok("true") {
        programs.push(Program::Libtorrent);
    } else {
        eprintln!("without libtorrent: pip install libtorrent");
    }
    programs
}

#[test]
fn real_clients_find_peers_in_a_simulated_network() {
    if let Some(obstacle) = obstacle() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{obstacle}");
        eprintln!("skipped: {obstacle}");
        return;
    }
    let folder = std::env::temp_dir().join(format!("trackless-lab-test-{}", std::process::id()));
    let outcome = lab::run(Plan {
        ground: Ground {
            nodes: 200,
            seed: 1,
            dead: 0.4,
            growth: Duration::from_secs(600),
            hashes: 0,
        },
        programs: programs(),
        class: HostClass::Open,
        joining: Duration::from_secs(6),
        task: Task::Lookup,
        lookups: 3,
        pause: Duration::from_secs(5),
        idle: Duration::ZERO,
        folder: folder.clone(),
        binaries: binaries(),
    });
    let _ = std::fs::remove_dir_all(&folder);
    let outcome = outcome.expect("root and a TUN");
    for row in &outcome.rows {
        let trials = row.meter.trials();
        let found = trials.iter().filter_map(|trial| trial.first_values);
        // One of three may lose its datagrams; all of them would be the lab's fault.
        assert!(
            found.clone().count() >= 2,
            "{}: {}",
            row.program,
            outcome.report()
        );
        // A round trip in the simulated Europe takes tens of milliseconds.
        let soonest = found.min();
        assert!(
            soonest > Some(Duration::from_millis(5)),
            "{}: {soonest:?}",
            row.program
        );
    }
    assert!(
        namespaces_of_this_process() == 0,
        "something was left behind"
    );
}

fn namespaces_of_this_process() -> usize {
    let own = format!("simlab-{}-", std::process::id());
    let list = std::process::Command::new("ip")
        .args(["netns", "list"])
        .output();
    let text = list.expect("iproute2").stdout;
    String::from_utf8_lossy(&text).matches(&own).count()
}
