//! The comparison of lookups, small: what holds at any size.

use trackless_simulations::scenarios::lookup::{Plan, play};
use trackless_simulations::scenarios::{Options, Scale};
use trackless_simulations::watch::Client;

#[test]
fn lookups_find_peers_with_and_without_dead_contacts_but_not_before_the_floor() {
    let plan = Plan::of(&Options {
        seed: 7,
        scale: Scale::Small,
        ..Options::default()
    });
    let outcome = play(&plan);
    for cell in &plan.cells {
        let own = outcome.row(*cell, Client::Ours).expect("measured");
        assert!(own.success() > 0.97, "{cell:?}: {}", own.success());
        assert!(own.recall > 0.85, "{cell:?}: {:?}", own.recall);
        assert!(own.floor_within(0.5) <= own.first_within(0.5), "{cell:?}");
        assert!(own.asked < own.flooded, "{cell:?}");
        let unanswered = own.unanswered;
        assert!((unanswered - cell.1).abs() < 0.2, "{cell:?}: {unanswered}");
    }
    let first = |cell| outcome.row(cell, Client::Ours)?.first_within(0.9);
    assert!(
        first(plan.cells[0]) < first(plan.cells[1]),
        "dead contacts cost time"
    );
}
