//! The join scenario: determinism, and the least that it has to show.

#![allow(clippy::disallowed_methods, reason = "virtual time begins somewhere")]

use std::time::{Duration, Instant};

use trackless_simulations::network::Network;
use trackless_simulations::scenarios::join::{Plan, play};

fn plan(seed: u64) -> Plan {
    Plan {
        nodes: 150,
        arrival: Duration::from_secs(60),
        leavers_per_cent: 0,
        network: Network::default(),
        seed,
    }
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let first = play(&plan(1), Instant::now());
    assert_eq!(
        first,
        play(&plan(1), Instant::now() + Duration::from_secs(5))
    );
    assert_ne!(first.digest, play(&plan(2), Instant::now()).digest);
}

#[test]
fn lookups_find_the_truth() {
    for row in play(&plan(3), Instant::now()).rows {
        assert!(row.recall >= 0.93, "{row:?}");
        assert!(row.elapsed < Duration::from_secs(3), "{row:?}");
    }
}

#[test]
fn a_third_may_leave() {
    let report = play(
        &Plan {
            leavers_per_cent: 33,
            ..plan(4)
        },
        Instant::now(),
    );
    let last = report.rows.last().expect("three rows");
    assert_eq!(last.nodes, 101);
    assert!(last.recall >= 0.9, "{report}");
}

#[test]
fn the_report_is_a_table() {
    let text = play(
        &Plan {
            nodes: 5,
            ..plan(5)
        },
        Instant::now(),
    )
    .to_string();
    assert_eq!(text.lines().count(), 5);
    assert!(text.contains("recall@8"));
}
