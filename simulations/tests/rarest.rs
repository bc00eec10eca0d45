//! Rarest first against sequential, small.

use trackless_simulations::scenarios::rarest::{Picking, Plan, play};

#[test]
fn rarest_first_spares_the_seeder_and_the_run_is_determined() {
    let plan = Plan::small();
    let outcome = play(&plan);
    assert_eq!(outcome, play(&plan));
    let [rarest, sequential] = &outcome.rows[..] else {
        panic!("two rows: {outcome:?}");
    };
    assert_eq!(rarest.picking, Picking::Rarest);
    assert_eq!((rarest.times.count, sequential.times.count), (12, 12));
    assert!(rarest.times.p50 < sequential.times.p50, "{outcome:?}");
    assert!(rarest.seeder_up < 12 * plan.length / 2, "{outcome:?}");
    let other = play(&Plan { seed: 2, ..plan });
    assert_ne!(other.rows[0].trail, rarest.trail);
}
