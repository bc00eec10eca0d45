//! What breaks heals.

use trackless_simulations::scenarios::outage::{self, Outage, Plan};
use trackless_simulations::scenarios::phases::Bin;
use trackless_simulations::scenarios::{Options, Scale};

fn plan(outages: &[Outage]) -> Plan {
    let options = Options {
        scale: Scale::Small,
        ..Options::default()
    };
    Plan {
        outages: outages.into(),
        ..Plan::of(&options)
    }
}

/// Rows N1: whoever was cut off finds peers again.
#[test]
fn peers_are_found_again_after_each_outage() {
    let outcome = outage::play(&plan(&Outage::ALL));
    for row in &outcome.rows {
        let name = row.outage.name();
        let before = row.before(Bin::success).expect("measured");
        // An announcer whose line has a burst of losses stores its torrent at two far nodes only; it
        // is 1 of 24, and not found until it is announced again.
        assert!(before > 0.9, "{name}: {before}");
        let end = row.end(Bin::success).expect("measured");
        assert!(end >= 0.95, "{name}: {end}");
        let healed = row.healed(Bin::success);
        assert!(
            healed.is_some_and(|seconds| seconds <= 120.0),
            "{name}: {healed:?}"
        );
    }
}

#[test]
fn a_split_shows_in_the_tables_and_is_forgotten_again() {
    let outcome = outage::play(&plan(&[Outage::Partition]));
    let row = &outcome.rows[0];
    let [before, worst, end] = [
        row.before(Bin::fresh),
        row.worst(Bin::fresh),
        row.end(Bin::fresh),
    ]
    .map(|value| value.expect("measured"));
    assert!(before > 0.95, "{before}");
    assert!(worst < 0.7, "{worst}");
    assert!(end > 0.9, "{end}");
}
