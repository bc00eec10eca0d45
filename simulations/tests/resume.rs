//! Interruptions, small.

use std::time::Duration;

use trackless_simulations::scenarios::resume::{Case, Plan, play};
use trackless_simulations::swarm::{Departure, Memory};

#[test]
fn interruptions_cost_what_they_must_and_little_more() {
    let plan = Plan::small();
    let outcome = play(&plan);
    assert_eq!(outcome, play(&plan));
    for row in &outcome.rows {
        let everybody = match row.case {
            Case::Swarm | Case::RestlessSwarm(..) => plan.peers,
            _ => 1,
        };
        assert_eq!(row.completed, everybody, "{row:?}");
    }
    let of = |case| outcome.rows.iter().find(|row| row.case == case);
    let kept = of(Case::Leecher(Departure::Closing, Memory::Everything)).expect("played");
    // Unfinished pieces only.
    assert!(kept.twice < plan.length / 4, "{kept:?}");
    assert!(kept.lost < Duration::from_secs(10), "{kept:?}");
    let recorded = Memory::Recorded(plan.unrecorded);
    let crashed = of(Case::Leecher(Departure::Silent, recorded)).expect("played");
    assert!(crashed.twice > kept.twice, "{crashed:?} {kept:?}");
}
