//! The sweep, small: every value is measured once, under the same conditions.

use trackless_simulations::scenarios::sweep::{Plan, play};
use trackless_simulations::scenarios::{Options, Scale};

#[test]
fn each_value_is_a_row_and_one_of_them_ships() {
    let plan = Plan::of(&Options {
        seed: 3,
        scale: Scale::Small,
        ..Options::default()
    });
    let outcome = play(&plan);
    let (parameter, values) = &plan.sweeps[0];
    let rows: Vec<_> = outcome.of(parameter.name).collect();
    assert_eq!(
        rows.len(),
        values.len() + 1,
        "the default is not among them"
    );
    assert_eq!(rows.iter().filter(|row| row.ships()).count(), 1);
    let shipped = parameter.of(&dht::Tuning::default());
    for row in rows {
        assert_eq!(row.ships(), row.value == shipped);
        assert_eq!(row.lookups.lookups as u32, plan.hosts * plan.lookups);
        assert!(row.lookups.success() > 0.95, "{row:?}");
        assert!(row.announcements.recall > 0.8, "{row:?}");
    }
    let report = outcome.report(&plan);
    assert_eq!(report.tables[0].rows.len(), values.len() + 1);
    assert_eq!(report.charts.len(), plan.sweeps.len() + 1);
}
