//! Free riders, small.

use trackless_simulations::scenarios::free_riders::{Choking, Plan, play};

#[test]
fn choking_is_worth_it_and_free_riders_give_nothing() {
    let outcome = play(&Plan::small());
    assert_eq!(outcome, play(&Plan::small()));
    let [_, _, choking, open] = &outcome.rows[..] else {
        panic!("four rows: {outcome:?}");
    };
    let modes = (choking.choking, open.choking);
    assert_eq!(modes, (Choking::TitForTat, Choking::None));
    for row in &outcome.rows {
        assert_eq!(row.riders_up, 0, "{row:?}");
        assert_eq!(row.contributors.count + row.riders.count, 30, "{row:?}");
    }
    assert!(
        choking.contributors.mean < open.contributors.mean,
        "{outcome:?}"
    );
    // Who gives nothing slows everybody down.
    let alone = &outcome.rows[0];
    assert!(alone.contributors.mean < choking.contributors.mean);
}
