//! Newcomers find their way in, from whatever door is left.

use std::time::Duration;

use trackless_simulations::scenarios::{Options, Scale, bootstrap};

/// Rows N4, N5: whatever kind of contact is the one that lives, the network is found.
#[test]
fn one_living_contact_of_any_kind_is_enough() {
    let options = Options {
        scale: Scale::Small,
        ..Options::default()
    };
    let outcome = bootstrap::play(&bootstrap::Plan::of(&options));
    for row in &outcome.rows {
        let name = row.known.name();
        let found = row.arrivals.iter().filter(|a| a.peers.is_some()).count();
        if row.known.living == 0 && row.known.age.is_none() {
            assert_eq!(found, 0, "{name}");
            continue;
        }
        assert_eq!(found, row.arrivals.len(), "{name}: {:?}", row.arrivals);
        let median = row.by(0.5, |a| a.peers).expect("all found peers");
        assert!(median < 4.0, "{name}: {median}");
    }
    let week = outcome.rows.last().and_then(|row| row.alive);
    assert!(week.is_some_and(|alive| alive < 0.5), "{week:?}");
    let all_alive = &outcome.rows[0];
    let neighbours = all_alive.times(|a| a.neighbours).sorted().len();
    assert_eq!(neighbours, all_alive.arrivals.len());
    assert!(outcome.run.virtual_time > Duration::from_secs(600));
}
