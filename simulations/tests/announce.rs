//! Announcements, small: what holds at any size.

use trackless_simulations::scenarios::announce::{Plan, Time, play};
use trackless_simulations::scenarios::{Options, Scale};
use trackless_simulations::watch::Client;

#[test]
fn announcements_reach_the_closest_and_are_closed_before_the_client_is_done() {
    let plan = Plan {
        cells: vec![(300, 0.4)],
        ..Plan::of(&Options {
            seed: 5,
            scale: Scale::Small,
            ..Options::default()
        })
    };
    let outcome = play(&plan);
    for time in [Time::First, Time::Again] {
        for client in &plan.clients {
            let row = outcome.row(plan.cells[0], time, *client).expect("measured");
            assert!(row.acknowledged > 5.0, "{row:?}");
            assert!(row.closed.median() <= row.whole.median(), "{row:?}");
            // Each question that the client counts was seen on the wire, and the announcements.
            assert!(row.sent >= row.asked + row.acknowledged, "{row:?}");
            assert!(row.recall >= row.recall_closed, "{row:?}");
        }
        let own = outcome.row(plan.cells[0], time, Client::Ours);
        let own = own.expect("measured");
        assert!(own.recall > 0.85, "{own:?}");
        assert!(own.eighth > 0.6, "{own:?}");
    }
    let report = outcome.report(&plan);
    assert_eq!(report.tables[0].rows.len(), 2 * plan.clients.len());
    assert_eq!((report.charts.len(), report.findings.len()), (2, 2));
}
