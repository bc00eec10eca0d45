//! 4.7: filling the store, so that honest announces find no room or memory runs out.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::Id;

use crate::stage::{Field, HASH, Stage, name, passing_query, place, result};

/// `from` gets a token and announces itself under `port`.
fn announce(stage: &mut Stage, from: SocketAddr, hash: Id, port: u16) {
    let ask = passing_query(name(1), "get_peers", &[("info_hash", hash.into())]);
    let Some(answer) = stage.answers(from, &ask) else {
        return;
    };
    let Some(token) = result(&answer, "token").and_then(|token| token.as_bytes()) else {
        return;
    };
    let fields = [
        ("info_hash", Field::from(hash)),
        ("port", Field::Int(port.into())),
        ("token", Field::from(token)),
    ];
    stage.hears(from, &passing_query(name(1), "announce_peer", &fields));
}

fn peers(stage: &mut Stage, hash: Id) -> Vec<Vec<u8>> {
    let ask = passing_query(name(2), "get_peers", &[("info_hash", hash.into())]);
    let answer = stage.answers(place(9_999), &ask).expect("an answer");
    let values = result(&answer, "values").and_then(|values| values.as_list());
    let values = values.into_iter().flatten();
    values
        .filter_map(|value| Some(value.as_bytes()?.to_vec()))
        .collect()
}

/// Rows A6: hashes without end are bounded.
#[test]
fn threat_4_7_hashes_without_end_are_bounded() {
    let mut stage = Stage::new();
    for n in 0..20_000 {
        announce(&mut stage, place(n), name(n), 7_777);
        stage.now += Duration::from_millis(20);
    }
    let (_, hashes, peers) = stage.kept();
    assert!((1..=4_000).contains(&hashes), "{hashes} hashes");
    assert!(peers <= 100_000);
}

/// Rows A6: peers of one hash are bounded.
#[test]
fn threat_4_7_peers_of_one_hash_are_bounded() {
    let mut stage = Stage::new();
    for n in 0..5_000 {
        announce(&mut stage, place(n), HASH, 7_777);
        stage.now += Duration::from_millis(20);
    }
    assert!((1..=500).contains(&stage.kept().2), "{:?}", stage.kept());
}

/// Rows A6: one address has few places.
#[test]
fn threat_4_7_one_address_has_few_places_of_a_hash() {
    let mut stage = Stage::new();
    announce(&mut stage, place(5), HASH, 5_555);
    for port in 1_024..3_000 {
        announce(&mut stage, place(1), HASH, port);
        stage.now += Duration::from_secs(1);
    }
    assert!(stage.kept().2 <= 9, "{:?}", stage.kept());
    let honest = peers(&mut stage, HASH);
    assert!(
        honest
            .iter()
            .any(|peer| peer.ends_with(&5_555_u16.to_be_bytes()))
    );
}

#[test]
fn threat_4_7_what_is_not_repeated_is_forgotten() {
    let mut stage = Stage::new();
    for n in 0..50 {
        announce(&mut stage, place(n), HASH, 7_777);
    }
    assert!(!peers(&mut stage, HASH).is_empty());
    stage.passes(Duration::from_secs(46 * 60));
    assert_eq!(peers(&mut stage, HASH), Vec::<Vec<u8>>::new());
    stage.passes(Duration::from_secs(60));
    assert_eq!(stage.kept(), (0, 0, 0));
}

/// Rows A5, A6: a full store still takes an honest announce.
///
/// Squatting: a store full of an attacker's hashes still takes an honest announce.
#[test]
fn threat_4_7_a_full_store_still_takes_an_honest_announce() {
    let mut stage = Stage::new();
    for n in 0..6_000 {
        announce(&mut stage, place(n % 40), name(n), 7_777);
        stage.now += Duration::from_millis(50);
    }
    announce(&mut stage, place(5_000), HASH, 5_555);
    assert_eq!(peers(&mut stage, HASH).len(), 1);
}
