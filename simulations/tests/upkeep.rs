//! Idle nodes, small: they keep their tables fresh, at a price.

use trackless_simulations::model::nat::HostClass;
use trackless_simulations::scenarios::upkeep::{Plan, play};
use trackless_simulations::scenarios::{Options, Scale};
use trackless_simulations::watch::Client;

#[test]
fn idle_nodes_keep_their_tables_and_wires_tell_the_price() {
    let plan = Plan::of(&Options {
        seed: 4,
        scale: Scale::Small,
        ..Options::default()
    });
    let outcome = play(&plan);
    assert_eq!(outcome.rows.len(), plan.clients.len() * plan.minutes.len());
    for row in &outcome.rows {
        assert_eq!(row.tables.nodes, plan.idle as usize, "{row:?}");
        assert_eq!(row.lookups, plan.askers as usize, "{row:?}");
        // Nobody is silent, nobody answers more than it is asked.
        assert!(row.own[0].packets > 0.0, "{row:?}");
        assert!(row.own[1].packets <= row.own[0].packets, "{row:?}");
        assert!(row.service[0].packets <= row.service[1].packets, "{row:?}");
    }
    let own = outcome
        .row(Client::Ours, HostClass::Open)
        .expect("measured");
    assert!(own.upkeep().bytes < 200.0, "{own:?}");
    assert!(own.dead().0 < 0.3, "{own:?}");
    assert!(own.recall > 0.6, "{own:?}");
    let report = outcome.report(&plan);
    assert_eq!(report.findings.len(), plan.clients.len());
}
