//! Many torrents of one node, small: all are announced and found.

use trackless_simulations::scenarios::bulk::{Plan, play};
use trackless_simulations::scenarios::{Options, Scale};

#[test]
fn all_torrents_are_announced_and_nearly_all_are_found() {
    let plan = Plan::of(&Options {
        seed: 2,
        scale: Scale::Small,
        ..Options::default()
    });
    let outcome = play(&plan);
    assert_eq!(outcome.rows.len(), plan.orders.len());
    for row in &outcome.rows {
        assert_eq!(row.done, plan.torrents as usize, "{row:?}");
        assert!(row.took < plan.within * 2, "{row:?}");
        assert!(row.recall > 0.8, "{row:?}");
        assert!(row.looked_up > 10 && row.found() > 0.95, "{row:?}");
        let most = row.destinations.quantile(1.0).expect("some seconds");
        assert!(most < 100.0, "{row:?}");
        // No more nodes are there to be sent to; a few addresses are those of the dead.
        assert!(
            row.different > 8 && row.different <= plan.nodes as usize + 200,
            "{row:?}"
        );
    }
    assert_eq!(outcome.report(&plan).findings.len(), plan.orders.len());
}
