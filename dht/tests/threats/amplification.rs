//! 4.5: how much larger than a query its reply may be. A source that has not proved its address gets three times what
//! it sent, whatever it asks; whoever has gets everything.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Id, Item};

use crate::stage::{
    Field, HASH, Stage, asks, name, passing_query, place, query, reply, result, text, transaction,
};

/// A node with a full table, five hundred peers of a torrent, thirty torrents and an item of the largest size.
fn rich() -> (Stage, Item) {
    let mut stage = Stage::new();
    for n in 0..200 {
        stage.befriends(n);
    }
    for n in 1_000..1_500 {
        announces(&mut stage, place(n), HASH);
    }
    for n in 1_500..1_530 {
        announces(&mut stage, place(n), name(n));
    }
    let item = Item::immutable(format!("995:{:0995}", 1).into_bytes()).expect("an item");
    let token = token(&mut stage, place(1_600), "get", ("target", item.target()));
    let mut put = passing_query(name(1), "put", &[("token", token), ("v", Field::Int(0))]);
    let at = put
        .windows(6)
        .position(|it| it == b"1:vi0e")
        .expect("a value");
    put.splice(at + 3..at + 6, item.value().to_vec());
    stage.hears(place(1_600), &put);
    assert_eq!(stage.node.stored_items().0, 1);
    // Proofs and the youth of the table are over.
    stage.passes(Duration::from_secs(11 * 60));
    (stage, item)
}

fn token(stage: &mut Stage, from: SocketAddr, method: &str, of: (&str, Id)) -> Field {
    let ask = passing_query(name(1), method, &[(of.0, of.1.into())]);
    let answer = stage.answers(from, &ask).expect("an answer");
    let token = result(&answer, "token").and_then(|token| token.as_bytes());
    Field::from(token.expect("a token"))
}

fn announces(stage: &mut Stage, from: SocketAddr, hash: Id) {
    stage.now += Duration::from_millis(20);
    let token = token(stage, from, "get_peers", ("info_hash", hash));
    let fields = [
        ("info_hash", hash.into()),
        ("port", Field::Int(6881)),
        ("token", token),
    ];
    stage.hears(from, &passing_query(name(1), "announce_peer", &fields));
}

/// Every query there is, as short and as greedy as can be.
fn queries(item: &Item) -> Vec<(&'static str, Vec<(&'static str, Field)>)> {
    let want = || Field::List(vec![b"n4".to_vec(), b"n6".to_vec()]);
    let token = || Field::from(&b"12345678"[..]);
    let target = || ("target", Field::from(item.target()));
    let hash = || ("info_hash", Field::from(HASH));
    vec![
        ("ping", vec![]),
        ("find_node", vec![target()]),
        ("find_node", vec![target(), ("want", want())]),
        ("get_peers", vec![hash()]),
        ("get_peers", vec![hash(), ("want", want())]),
        ("get_peers", vec![hash(), ("scrape", Field::Int(1))]),
        (
            "announce_peer",
            vec![hash(), ("port", Field::Int(1)), ("token", token())],
        ),
        ("announce_peer", vec![]),
        ("get", vec![target()]),
        ("get", vec![target(), ("want", want())]),
        ("put", vec![("token", token()), ("v", Field::Int(1))]),
        ("put", vec![]),
        ("sample_infohashes", vec![target()]),
        ("sample_infohashes", vec![target(), ("want", want())]),
        ("vote", vec![]),
    ]
}

/// Rows A3: no answer to a stranger is longer than three times its question.
#[test]
fn threat_4_5_no_reply_to_a_stranger_is_larger_than_three_queries() {
    let (mut stage, item) = rich();
    let mut from = 3_000;
    let mut largest: f64 = 0.0;
    for (method, fields) in queries(&item) {
        for build in [query, passing_query] {
            from += 1;
            let datagram = build(name(from), method, &fields);
            let mut said = stage.hears(place(from), &datagram);
            said.extend(stage.passes(Duration::from_secs(30)));
            let to_it = said.iter().filter(|it| it.to == place(from));
            let bytes: usize = to_it.map(|it| it.payload.len()).sum();
            let ratio = bytes as f64 / datagram.len() as f64;
            println!("{method} {} -> {bytes}: {ratio:.2}", datagram.len());
            assert!(
                bytes > 0 || method == "put",
                "{method} {fields:?}",
                fields = fields.len()
            );
            assert!(bytes <= 3 * datagram.len(), "{method}: {ratio:.2}");
            largest = largest.max(ratio);
        }
    }
    assert!(largest > 2.0, "the limit is used: {largest:.2}");
}

/// A young node probes at once whoever asks it: that counts as well.
#[test]
fn threat_4_5_a_young_node_does_not_amplify_either() {
    for (n, (method, fields)) in queries(&Item::immutable(b"le".to_vec()).expect("an item"))
        .into_iter()
        .enumerate()
    {
        let mut stage = Stage::new();
        for friend in 0..30 {
            stage.befriends(friend);
        }
        let datagram = query(Id::new([0xf0 + n as u8; 20]), method, &fields);
        let mut said = stage.hears(place(3_000), &datagram);
        said.extend(stage.passes(Duration::from_secs(30)));
        let to_it = said.iter().filter(|it| it.to == place(3_000));
        let bytes: usize = to_it.map(|it| it.payload.len()).sum();
        assert!(
            bytes <= 3 * datagram.len(),
            "{method}: {bytes} of {}",
            datagram.len()
        );
    }
}

fn ask_for(item: &Item) -> Vec<u8> {
    passing_query(name(9), "get", &[("target", item.target().into())])
}

/// Rows A3: what is large waits until the asker has proved its address.
#[test]
fn threat_4_5_an_item_waits_for_the_proof_of_its_asker() {
    let (mut stage, item) = rich();
    let said = stage.hears(place(3_000), &ask_for(&item));
    let [ping] = &said[..] else {
        panic!("a ping and nothing else: {said:?}");
    };
    assert!(asks(ping) && ping.to == place(3_000));
    let pong = reply(&ping.payload, name(9), &[]);
    let said = stage.hears(place(3_000), &pong);
    let [answer] = &said[..] else {
        panic!("the reply: {said:?}");
    };
    assert_eq!(transaction(&answer.payload), b"aa");
    let value = result(&answer.payload, "v").expect("the value");
    assert_eq!(value.raw(), item.value());
    assert!(answer.payload.len() <= 1_400);
    assert!(!stage.knows(place(3_000)), "it is not a contact for that");
    // For ten minutes it is not asked again.
    let again = stage
        .answers(place(3_000), &ask_for(&item))
        .expect("an answer");
    assert!(result(&again, "v").is_some());
    stage.passes(Duration::from_secs(600));
    assert!(asks(&stage.hears(place(3_000), &ask_for(&item))[0]));
}

#[test]
fn threat_4_5_an_asker_that_proves_nothing_gets_the_rest_in_time() {
    let (mut stage, item) = rich();
    let ask = ask_for(&item);
    let ping = stage.hears(place(3_000), &ask).remove(0);
    // The right answer from elsewhere proves nothing.
    assert_eq!(
        stage.hears(place(3_001), &reply(&ping.payload, name(9), &[])),
        []
    );
    let said = stage.passes(Duration::from_secs(2));
    let answers: Vec<_> = said.iter().filter(|it| it.to == place(3_000)).collect();
    let [answer] = answers[..] else {
        panic!("one reply: {answers:?}");
    };
    assert!(!asks(answer) && result(&answer.payload, "v").is_none());
    assert!(result(&answer.payload, "nodes").is_some());
    assert!(result(&answer.payload, "token").is_some());
    assert!(ping.payload.len() + answer.payload.len() <= 3 * ask.len());
}

#[test]
fn threat_4_5_what_is_held_back_is_bounded() {
    let (mut stage, item) = rich();
    let pings = (0..6)
        .flat_map(|_| stage.hears(place(3_000), &ask_for(&item)))
        .filter(asks);
    assert_eq!(pings.count(), 4, "of one asker");
    let mut held = 0;
    for n in 0..500 {
        let said = stage.hears(place(4_000 + n), &ask_for(&item));
        held += said.iter().filter(|it| asks(it)).count();
    }
    assert!((32..=60).contains(&held), "{held} in all");
}

#[test]
fn threat_4_5_a_token_is_a_proof() {
    let (mut stage, _) = rich();
    let ask = passing_query(name(9), "get_peers", &[("info_hash", HASH.into())]);
    let values = |answer: &[u8]| {
        let list = result(answer, "values").and_then(|list| list.as_list());
        list.map_or(0, Iterator::count)
    };
    let first = stage.answers(place(3_000), &ask).expect("an answer");
    assert!((3..=20).contains(&values(&first)), "{}", values(&first));
    announces(&mut stage, place(3_000), HASH);
    let second = stage.answers(place(3_000), &ask).expect("an answer");
    assert_eq!(values(&second), 50);
    assert!(second.len() <= 1_024);
    assert_eq!(text(&second, "y"), b"r");
}

/// Rows A3: strangers together get a bounded share of the line.
///
/// Ten thousand forged sources at once, each below its own limit.
#[test]
fn threat_4_5_all_strangers_together_get_a_bounded_share_of_the_line() {
    let (mut stage, _) = rich();
    let before = stage.node.stats().bytes_out;
    let ask = passing_query(name(9), "get_peers", &[("info_hash", HASH.into())]);
    for n in 0..10_000 {
        stage.hears(place(3_000 + n), &ask);
        stage.now += Duration::from_millis(2);
    }
    let bytes = stage.node.stats().bytes_out - before;
    // Ten seconds' worth at once, then 16 KiB a second for 20 s.
    assert!(bytes <= 30 * 16_384, "{bytes}");
    assert!(bytes > 25 * 16_384, "{bytes}");
}
