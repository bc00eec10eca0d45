//! 4.5 and 4.12 once more, for what BEP 33 and BEP 44 brought: filters and items that lie, answers that are large.

use trackless_dht::{Event, Item};

use crate::stage::{
    Field, HASH, Stage, method, name, passing_query, place, reply, result, text, transaction,
};

/// A lookup that has just asked `place(1)`; its question.
fn asking(what: &[u8], start: impl FnOnce(&mut Stage)) -> (Stage, Vec<u8>) {
    let mut stage = Stage::new();
    stage.befriends(1);
    stage.said();
    start(&mut stage);
    let said = stage.said();
    let question = said.into_iter().find(|it| method(it) == what);
    (stage, question.expect("a question").payload)
}

#[test]
fn threat_4_12_an_overfull_filter_counts_for_nothing() {
    let (mut stage, question) = asking(b"get_peers", |stage| {
        stage.node.scrape(stage.now, HASH);
    });
    let all = || Field::Bytes(vec![0xff; 256]);
    let answer = reply(&question, name(1), &[("BFpe", all()), ("BFsd", all())]);
    stage.hears(place(1), &answer);
    let counted = |event: &Event| matches!(event, Event::Scraped { .. });
    assert!(!stage.events().iter().any(counted));
}

/// The item under `HASH` is whatever hashes to it; nothing that a stranger makes up does.
#[test]
fn threat_4_12_a_forged_item_is_counted_and_not_told() {
    let (mut stage, question) = asking(b"get", |stage| {
        stage.node.item(stage.now, HASH, Vec::new());
    });
    let fields = [
        ("token", Field::from(&b"t"[..])),
        ("v", Field::from(&b"forged"[..])),
    ];
    stage.hears(place(1), &reply(&question, name(1), &fields));
    let told = |event: &Event| matches!(event, Event::Item { .. });
    assert!(!stage.events().iter().any(told));
    assert_eq!(stage.node.stats().forged, 1);
}

/// Under the neutral key the signature of nothing fits everything.
#[test]
fn threat_4_7_a_key_of_small_order_signs_nothing() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let item = Item::Mutable {
        key: neutral,
        salt: Vec::new(),
        seq: 1,
        value: b"i1e".to_vec(),
        signature,
    };
    assert!(item.verify().is_err());
}

/// The nodes and peers that a query of somebody unproven brings upon whoever it names as its source.
#[test]
fn threat_4_5_a_stranger_gets_few_values() {
    let mut stage = Stage::new();
    for n in 0..300 {
        let ask = passing_query(name(n), "get_peers", &[("info_hash", HASH.into())]);
        let answer = stage.answers(place(n), &ask).expect("an answer");
        let token = result(&answer, "token").and_then(|token| token.as_bytes());
        let fields = [
            ("info_hash", Field::from(HASH)),
            ("port", Field::Int(7_777)),
            ("token", Field::from(token.expect("a token"))),
        ];
        let stored = stage.answers(place(n), &passing_query(name(n), "announce_peer", &fields));
        assert_eq!(text(&stored.expect("an answer"), "y"), b"r");
        stage.now += std::time::Duration::from_millis(20);
    }
    let ask = passing_query(name(999), "get_peers", &[("info_hash", HASH.into())]);
    let answer = stage.answers(place(999), &ask).expect("an answer");
    let values = result(&answer, "values").and_then(|values| values.as_list());
    let values = values.into_iter().flatten().count();
    assert!((1..=20).contains(&values), "{values} values");
    assert_eq!(transaction(&answer), b"aa");
}
