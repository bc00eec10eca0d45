//! 4.5 and 4.6: the node as somebody's weapon. An attacker forges the victim's address, or names it as a node; what then
//! reaches the victim must be little, and less than the attacker sent.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Id, Transmit};

use crate::stage::{
    Field, HASH, Stage, compact, method, name, passing_query, place, query, reply, reply_to, text,
};

/// Rows A3: neither malformed nor unasked datagrams are reflected.
#[test]
fn threat_4_5_malformed_and_unasked_datagrams_are_not_reflected() {
    let mut stage = Stage::new();
    let error = b"d1:eli203e14:Protocol Errore1:t2:aa1:y1:ee".to_vec();
    for datagram in [
        error,
        reply_to(b"abcd", name(1), None, &[]),
        vec![b'x'; 1_400],
    ] {
        for n in 0..1_000 {
            assert_eq!(stage.hears(place(n), &datagram), []);
        }
    }
    assert_eq!(stage.node.stats().datagrams_out, 0);
}

/// Two nodes and one forged datagram: they must not go on talking to each other about it.
#[test]
fn threat_4_5_two_nodes_do_not_quarrel() {
    let seeds: [&[u8]; 4] = [
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote2:roi1e1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:get_peers2:roi1e1:t2:aa1:y1:qe",
        b"d1:eli203e14:Protocol Errore1:t2:aa1:y1:ee",
        b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
    ];
    for seed in seeds {
        let (mut left, mut right) = (Stage::new(), Stage::new());
        let config = trackless_dht::Config::default();
        right.node = trackless_dht::Node::new(config, [9; 32], right.now);
        let mut said = left.hears(place(2), seed);
        for round in 0.. {
            let Some(first) = said.first() else { break };
            assert!(round < 3, "still talking about {}", seed.escape_ascii());
            let payload = first.payload.clone();
            said = right.hears(place(1), &payload);
            std::mem::swap(&mut left, &mut right);
        }
    }
}

/// Rows A3: a forged source gets ten answers, then two a second.
#[test]
fn threat_4_5_a_forged_source_gets_ten_answers_then_two_a_second() {
    let mut stage = Stage::new();
    let ask = passing_query(name(1), "get_peers", &[("info_hash", HASH.into())]);
    let mut answers = 0;
    for n in 0..10_000_u64 {
        let mut from = place(1);
        from.set_port((n % 60_000 + 1) as u16);
        answers += stage.hears(from, &ask).len();
        stage.now += Duration::from_millis(1);
    }
    assert!((10..=31).contains(&answers), "{answers} in 10 s");
    assert!(stage.node.stats().dropped.limited > 9_900);
}

/// Rows A3: an IPv6 network is one source.
#[test]
fn threat_4_5_a_v6_network_is_one_source() {
    let mut stage = Stage::new();
    let ask = passing_query(name(1), "ping", &[]);
    let mut answers = 0;
    for host in 1..1_000_u16 {
        let from = SocketAddr::from(([0x2a01, 1, 2, 3, 0, 0, 0, host], 6881));
        answers += stage.hears(from, &ask).len();
    }
    assert!((1..=10).contains(&answers), "{answers}");
}

/// Rows A3: all sources together are limited.
///
/// Many sources at once, as many as one likes to forge: the node's own line is not for rent.
#[test]
fn threat_4_5_everybody_together_is_limited() {
    let mut stage = Stage::new();
    let ask = passing_query(name(1), "get_peers", &[("info_hash", HASH.into())]);
    for n in 0..20_000_u16 {
        stage.hears(place(n), &ask);
        stage.now += Duration::from_micros(500);
    }
    let stats = stage.node.stats();
    // 1,000 at once and 200 a second at most.
    assert!(stats.datagrams_out <= 3_000, "{}", stats.datagrams_out);
    assert!(stats.dropped.limited >= 17_000);
}

#[test]
fn threat_4_5_a_read_only_node_reflects_nothing() {
    let mut stage = Stage::with(trackless_dht::Config {
        role: trackless_dht::Role::ReadOnly,
        ..Default::default()
    });
    for method in [
        "ping",
        "find_node",
        "get_peers",
        "announce_peer",
        "get",
        "put",
        "vote",
    ] {
        let ask = query(
            name(1),
            method,
            &[("info_hash", HASH.into()), ("target", HASH.into())],
        );
        assert_eq!(stage.hears(place(1), &ask), []);
    }
    assert_eq!(stage.node.stats().dropped.read_only, 7);
}

/// A walk that has just asked `place(1)`, and what the others said about it.
fn walk() -> (Stage, Vec<u8>) {
    let mut stage = Stage::new();
    stage.befriends(1);
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    let said = stage.said();
    let question = said.into_iter().find(|it| method(it) == b"get_peers");
    (stage, question.expect("a question").payload)
}

/// An id that shares `bits` leading bits with `HASH` and is the `n`th of those.
fn near(bits: u32, n: u16) -> Id {
    let mut bytes = *HASH.as_bytes();
    bytes[(bits / 8) as usize] ^= 0x80 >> (bits % 8);
    bytes[18..].copy_from_slice(&n.to_be_bytes());
    Id::new(bytes)
}

fn to(victim: SocketAddr, said: &[Transmit]) -> usize {
    said.iter().filter(|it| it.to.ip() == victim.ip()).count()
}

/// Rows A7, A9: a victim named under many ports is asked once.
#[test]
fn threat_4_6_a_victim_named_under_many_ports_is_asked_once() {
    let (mut stage, question) = walk();
    let victim = SocketAddr::from(([99, 9, 9, 9], 1));
    let names = (0..20_u16).map(|n| (near(30, n), SocketAddr::new(victim.ip(), 1_000 + n)));
    let answer = reply(&question, name(1), &[("nodes", compact(names))]);
    let mut said = stage.hears(place(1), &answer);
    said.extend(stage.passes(Duration::from_secs(90)));
    assert_eq!(to(victim, &said), 1, "one question, not repeated");
}

/// Nobody but one stranger vouches for it, so silence is an answer.
#[test]
fn threat_4_6_whom_one_source_names_is_not_asked_twice() {
    let (mut stage, question) = walk();
    let names = (0..8).map(|n| (near(30, n), place(100 + n)));
    let answer = reply(&question, name(1), &[("nodes", compact(names))]);
    let mut said = stage.hears(place(1), &answer);
    said.extend(stage.passes(Duration::from_secs(90)));
    for n in 0..8 {
        assert!(
            to(place(100 + n), &said) <= 1,
            "{} asked twice",
            place(100 + n)
        );
    }
}

/// Rows A9: one answer makes at most eight questions.
#[test]
fn threat_4_6_a_reply_makes_at_most_eight_questions() {
    let (mut stage, question) = walk();
    let names = (0..40).map(|n| (near(30, n), place(100 + n)));
    let answer = reply(&question, name(1), &[("nodes", compact(names))]);
    let mut said = stage.hears(place(1), &answer);
    said.extend(stage.passes(Duration::from_secs(90)));
    let asked = said.iter().filter(|it| it.to != place(1)).count();
    assert!(
        (1..=8).contains(&asked),
        "{asked} questions for one reply of 40 names"
    );
}

/// Rows A9: a trap of ever closer nodes ends in time.
///
/// The trap: whoever is asked names eight closer ones, which all belong to the trap, for ever.
#[test]
fn threat_4_6_a_trap_of_ever_closer_nodes_ends() {
    let (mut stage, question) = walk();
    let mut open = vec![(place(1), name(1), question)];
    let (mut asked, mut invented) = (0, 0_u16);
    while let Some((at, id, question)) = open.pop() {
        let names: Vec<_> = (0..8)
            .map(|_| {
                invented += 1;
                (
                    near((20 + asked / 2).min(140), invented),
                    place(1_000 + invented),
                )
            })
            .collect();
        let answer = reply(&question, id, &[("nodes", compact(names.clone()))]);
        for said in stage.hears(at, &answer) {
            asked += 1;
            let number = said.to.ip();
            let index = (2..=invented).find(|n| place(1_000 + n).ip() == number);
            let id = names
                .iter()
                .find(|(_, at)| *at == said.to)
                .map(|(id, _)| *id);
            if text(&said.payload, "q") == b"get_peers" && index.is_some() {
                let Some(id) = id else { continue };
                open.push((said.to, id, said.payload));
            }
        }
        assert!(asked < 400, "the trap does not end");
    }
    stage.passes(Duration::from_secs(120));
    let done = stage.events();
    let over =
        |event: &trackless_dht::Event| matches!(event, trackless_dht::Event::LookupDone { .. });
    assert!(done.iter().any(over), "the lookup ends");
}

/// What is named costs the namer a datagram each; a hundred replies that name the same victim are still one source.
#[test]
fn threat_4_6_a_silent_victim_is_not_asked_by_every_lookup_at_once() {
    let victim = SocketAddr::from(([99, 9, 9, 9], 53));
    let (mut stage, question) = walk();
    let answer = reply(
        &question,
        name(1),
        &[("nodes", compact([(near(30, 1), victim)]))],
    );
    let mut said = stage.hears(place(1), &answer);
    for _ in 0..60 {
        stage.node.get_peers(stage.now, HASH);
        let asked = stage.said();
        let question = asked.iter().find(|it| it.to == place(1));
        let question = question.expect("the only contact is asked").payload.clone();
        said.extend(asked);
        let names = ("nodes", compact([(near(30, 1), victim)]));
        said.extend(stage.hears(place(1), &reply(&question, name(1), &[names])));
    }
    // 10 at once and 2 a second.
    assert!(
        to(victim, &said) <= 12,
        "{} datagrams at once",
        to(victim, &said)
    );
}

#[test]
fn threat_4_5_an_answer_echoes_no_more_than_a_transaction() {
    let mut stage = Stage::new();
    let long = [
        ("target", HASH.into()),
        ("x", Field::Bytes(vec![b'x'; 1_000])),
    ];
    let answer = stage.answers(place(1), &passing_query(name(1), "ping", &long));
    assert!(answer.expect("an answer").len() < 120);
}
