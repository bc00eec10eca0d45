//! What no attacker may achieve, whatever the network looks like.

use trackless_simulations::scenarios::attack::{self, Plan};
use trackless_simulations::scenarios::{Options, Scale};

/// Rows A1, A2, A9, A11: a simulated network under attack, with shares measured.
#[test]
fn attackers_gain_no_more_than_is_known() {
    let options = Options {
        scale: Scale::Small,
        ..Options::default()
    };
    let outcome = attack::play(&Plan::of(&options));

    let calm = outcome.poisoned[0].gets.success();
    assert!(calm > 0.97, "{calm}");
    let poisoned = outcome.poisoned[1].gets.success();
    assert!(poisoned > 0.85, "{poisoned}");
    // The attack takes place at all.
    assert!(outcome.poisoned[1].tables > 0.05);

    let before = outcome.surrounded[0].before.success();
    assert!(before > 0.2, "{before}");

    // The queries are understood: each of these has something to answer.
    for query in ["find_node", "get_peers, 500 stored"] {
        let row = outcome.amplified.iter().find(|row| row.query == query);
        assert!(row.expect("played").once > 1.0, "{query}");
    }

    let own = &outcome.tokens[0];
    assert_eq!(own.stored, own.sent as usize);
    for row in &outcome.tokens[1..] {
        assert_eq!(row.stored, 0, "token: {}", row.token);
    }

    for row in &outcome.amplified {
        assert!(row.got.bytes * 2 < row.sent.bytes, "{row:?}");
        assert!(row.worst <= 3.0, "{row:?}");
    }

    for row in &outcome.flooded {
        assert!(row.hashes <= dht::peers::MAX_HASHES, "{row:?}");
        assert!(row.peers <= dht::peers::MAX_PEERS, "{row:?}");
        assert_eq!(row.admitted.name(), "yes", "{row:?}");
    }
}
