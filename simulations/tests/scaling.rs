//! The small variant of the scaling scenario: what is counted is the same each time, and what a node
//! costs stays in bounds that a slip would break.

use trackless_simulations::scenarios::scaling::{Plan, play};
use trackless_simulations::scenarios::{Options, Scale};

#[test]
fn counts_are_determined_and_costs_bounded() {
    let plan = Plan::of(&Options {
        seed: 1,
        scale: Scale::Small,
        ..Options::default()
    });
    let [first, second] = [play(&plan), play(&plan)];
    assert_eq!(first.digest, second.digest);
    let [small, large] = [0, 1].map(|n| &first.rows[n]);
    assert_eq!(large.nodes, 300);
    assert_eq!(large.events, second.rows[1].events);
    // Young nodes make sure of each newcomer once its NAT has forgotten them: at most a question every
    // two seconds, and an answer for each of somebody else's.
    assert!(large.sent < 1.6, "{large:?}");
    assert!(large.events > 2 * small.events, "{large:?} {small:?}");
    let report = first.report(&plan);
    assert_eq!((report.tables[0].rows.len(), report.charts.len()), (2, 2));
}
