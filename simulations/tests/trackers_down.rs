//! The swarm without trackers, small: who needs which source of peers, and determinism.

use std::time::Duration;

use trackless_simulations::scenarios::trackers_down::{Plan, Sources, play};
use trackless_simulations::scenarios::{Options, Scale};

fn plan(seed: u64) -> Plan {
    Plan::of(&Options {
        seed,
        scale: Scale::Small,
        ..Options::default()
    })
}

/// Rows N3: with all trackers down latecomers find peers in the DHT.
#[test]
fn only_the_dht_lets_latecomers_in() {
    let plan = plan(1);
    let outcome = play(&plan);
    let row = |sources| outcome.row(sources).expect("every variant is played");
    for sources in Sources::ALL {
        let row = row(sources);
        assert_eq!(row.before.peers + row.after.peers, 14);
        assert!(row.before.peers >= 4);
        assert_eq!(row.before.done(), 1.0, "{sources:?}: {row:?}");
    }
    // Whoever knows nobody cannot be told of anybody.
    for sources in [Sources::Tracker, Sources::Pex] {
        let row = row(sources);
        assert!(row.after.took.is_empty(), "{sources:?}: {row:?}");
        let last = row.splits.last().expect("parts are counted");
        assert!(last.parts >= 4 && last.able == 0, "{last:?}");
        assert_eq!(row.spent.datagrams, 0);
    }
    // One address is enough for whoever passes addresses on; without, all hang on the seeder.
    let slow = row(Sources::Address).after.took.iter().sum::<Duration>();
    let fast = row(Sources::AddressPex).after.took.iter().sum::<Duration>();
    assert!(fast * 2 < slow, "{fast:?} {slow:?}");
    let able = [
        Sources::Dht,
        Sources::Both,
        Sources::AddressPex,
        Sources::Alive,
    ];
    for sources in able {
        let row = row(sources);
        assert_eq!(row.after.done(), 1.0, "{sources:?}: {row:?}");
        assert!(row.splits.iter().all(|split| split.cut_off == 0), "{row:?}");
    }
    assert!(row(Sources::Both).spent.searches >= 15);
    let report = outcome.report(&plan);
    assert_eq!(report.tables[0].rows.len(), 14);
    assert_eq!((report.charts.len(), report.findings.len()), (2, 10));
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let tiny = |seed| Plan {
        peers: 5,
        length: 1 << 20,
        ..plan(seed)
    };
    let [first, again, other] = [1, 1, 2].map(|seed| play(&tiny(seed)));
    assert_eq!(first, again);
    assert_ne!(first.digest, other.digest);
}
