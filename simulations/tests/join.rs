//! The small variant of the join scenario: determinism, and the least that it has to show.

use trackless_simulations::scenarios::join::{Plan, Weather, play};
use trackless_simulations::scenarios::{Options, Scale};

fn plan(seed: u64) -> Plan {
    Plan::of(&Options {
        seed,
        scale: Scale::Small,
        ..Options::default()
    })
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let small = |seed| Plan {
        after: Vec::new(),
        ..plan(seed)
    };
    let [first, again, other] = [1, 1, 2].map(|seed| play(&small(seed)));
    assert_eq!(first.rows, again.rows);
    assert_eq!((first.digest, first.events), (again.digest, again.events));
    assert_ne!(first.digest, other.digest);
}

#[test]
fn lookups_find_the_truth() {
    let outcome = play(&plan(3));
    assert_eq!(outcome.rows.len(), 6);
    for row in &outcome.rows {
        let least = match row.weather {
            Weather::Calm => 0.9,
            Weather::Reference => 0.7,
        };
        assert!(row.recall >= least, "{row:?}");
    }
    let report = outcome.report(&plan(3));
    assert_eq!(report.tables[0].rows.len(), 6);
    assert_eq!(report.findings.len(), 2);
}
