//! Churn, small: announcements live as long as nodes keep them, and repeating them keeps them alive.

use trackless_simulations::scenarios::churn::{Plan, play};
use trackless_simulations::scenarios::{Options, Scale};

#[test]
fn announcements_outlive_churn_but_not_their_lifetime_unless_they_are_repeated() {
    let plan = Plan::of(&Options {
        seed: 3,
        scale: Scale::Small,
        ..Options::default()
    });
    let outcome = play(&plan);
    let first = outcome.survival.first().expect("looked at once");
    assert!(first.found > 0.95, "{first:?}");
    let half_an_hour = outcome.survival.iter().find(|row| row.minute == 30);
    let half_an_hour = half_an_hour.expect("in the plan");
    assert!(half_an_hour.found > 0.9, "{half_an_hour:?}");
    assert!(half_an_hour.holders < 8.0, "people left: {half_an_hour:?}");
    let often = outcome.repetition.first().expect("two intervals");
    let seldom = outcome.repetition.last().expect("two intervals");
    assert!(often.hit > 0.95 && often.coverage > 0.9, "{often:?}");
    assert!(seldom.announcements < often.announcements);
    assert!(seldom.coverage <= often.coverage, "{seldom:?}");
    let tables = outcome.freshness.last().expect("looked at");
    assert!(tables.near.0 > 0.6 && tables.far.0 > 0.5, "{tables:?}");
    for idle in &outcome.upkeep {
        assert!(idle.questions > 0.0 && idle.questions < 0.5, "{idle:?}");
        assert!(idle.bytes.0 < 100.0, "{idle:?}");
    }
}
