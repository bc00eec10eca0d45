//! Mixed networks, small: both sides are measured, and our lookups work among strangers.

use trackless_simulations::scenarios::mixed::{Plan, Side, play};
use trackless_simulations::scenarios::{Options, Scale};
use trackless_simulations::watch::Client;

#[test]
fn our_lookups_work_among_strangers_and_both_sides_are_asked() {
    let plan = Plan::of(&Options {
        seed: 6,
        scale: Scale::Small,
        ..Options::default()
    });
    let outcome = play(&plan);
    for (share, row) in outcome.of(Client::Ours) {
        assert!(row.success() > 0.95, "{share}: {row:?}");
        assert!(row.sent >= row.asked, "{share}: {row:?}");
    }
    for side in [Side::Ours, Side::Theirs] {
        let loads: Vec<_> = outcome.carried(side).collect();
        assert_eq!(loads.len(), plan.shares.len());
        for load in loads {
            assert!(load.nodes >= plan.hosts as usize, "{load:?}");
            assert!(load.asked > 1.0 && load.asks > 1.0, "{load:?}");
            assert!(load.asked < 10_000.0, "{load:?}");
        }
    }
    assert_eq!(outcome.report(&plan).tables.len(), 2);
}
