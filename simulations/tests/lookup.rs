//! The comparison of lookups, small: what holds at any size.

use trackless_simulations::neighbours::Kind;
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
        // A flood is another host: its distances differ a little.
        let floor = own.floor_within(0.5).expect("found") * 0.85;
        assert!(Some(floor) <= own.first_within(0.5), "{cell:?}: {floor}");
        assert!(own.asked < own.flooded, "{cell:?}");
        // Who remembers nobody asks as many dead ones as died, or half as many where there are few others to ask (19 to
        // 36 % of 40 in worlds of 300 and 3,000); we remember who was silent.
        let bep5 = outcome
            .row(*cell, Client::Theirs(Kind::Bep5))
            .expect("measured");
        assert!(
            (bep5.unanswered - cell.1).abs() < 0.25,
            "{cell:?}: {}",
            bep5.unanswered
        );
        assert!(
            own.unanswered < bep5.unanswered + 0.05,
            "{cell:?}: {}",
            own.unanswered
        );
    }
    // In so small a network our pool knows ways around them.
    let first = |cell| {
        let row = outcome.row(cell, Client::Theirs(Kind::Bep5))?;
        row.first_within(0.9)
    };
    assert!(
        first(plan.cells[0]) < first(plan.cells[1]),
        "dead contacts cost time"
    );
}
