//! 4.8 and its kin: answers from people who were not asked. An answer counts once, from the endpoint that was asked, with
//! the transaction that it was asked with, as the node that was expected there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Endpoint, Event};

use crate::stage::{
    Field, HASH, Stage, asks, compact, dict, method, name, place, query, reply, reply_to,
    transaction,
};

/// A node that knows `place(1)` and has just asked it for peers; its question.
fn asking() -> (Stage, Vec<u8>) {
    let mut stage = Stage::new();
    stage.befriends(1);
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    let said = stage.said();
    let question = said.into_iter().find(|it| method(it) == b"get_peers");
    (stage, question.expect("a question").payload)
}

fn peers(victim: SocketAddr) -> [(&'static str, Field); 1] {
    let mut compact = Vec::new();
    Endpoint::from(victim).write_compact(&mut compact);
    [("values", Field::List(vec![compact]))]
}

fn found(stage: &mut Stage) -> usize {
    let events = stage.events();
    let peers = events.iter().map(|event| match event {
        Event::Peers { peers, .. } => peers.len(),
        _ => 0,
    });
    peers.sum()
}

/// Rows A8: the right transaction from another address or port is no answer.
#[test]
fn threat_4_8_the_right_transaction_from_another_endpoint_is_no_answer() {
    let (mut stage, question) = asking();
    let answer = reply(&question, name(1), &peers(place(9)));
    let mut other_port = place(1);
    other_port.set_port(6882);
    for from in [place(2), other_port] {
        let before = stage.node.stats().dropped.unasked;
        assert_eq!(stage.hears(from, &answer), []);
        assert_eq!(stage.node.stats().dropped.unasked, before + 1);
    }
    assert_eq!(found(&mut stage), 0);
    // The question is still open for whom it was put to.
    stage.hears(place(1), &answer);
    assert_eq!(found(&mut stage), 1);
}

/// Rows A8: blind answers hit nothing.
///
/// Off the path, one sees neither the transaction nor the port. Even with the port known, a minute at 2,000 packets a
/// second buys 120,000 of 2^32 guesses.
#[test]
fn threat_4_8_a_spray_of_transactions_hits_nothing() {
    let (mut stage, question) = asking();
    let real = transaction(&question).to_vec();
    assert!(real.len() >= 4, "short enough to try all");
    let mut guess = 1_u32;
    for _ in 0..120_000 {
        guess = guess.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut t = real.clone();
        t.truncate(real.len() - 4);
        t.extend_from_slice(&guess.to_be_bytes());
        if t != real {
            let forged = reply_to(&t, name(1), None, &peers(place(9)));
            assert_eq!(stage.hears(place(1), &forged), []);
        }
    }
    let two_bytes = |n: u16| reply_to(&n.to_be_bytes(), name(1), None, &peers(place(9)));
    for n in 0..=u16::MAX {
        stage.hears(place(1), &two_bytes(n));
    }
    assert_eq!((found(&mut stage), stage.kept().0), (0, 1));
}

#[test]
fn threat_4_8_transactions_do_not_follow_from_each_other() {
    let mut stage = Stage::new();
    let mut seen = Vec::new();
    for n in 0..400 {
        stage.node.ping(stage.now, Endpoint::from(place(n)));
        for said in stage.said() {
            let t = transaction(&said.payload);
            assert!(t.len() >= 4);
            seen.push(t.to_vec());
        }
    }
    assert!(seen.len() >= 400);
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len());
    // No byte is a counter: each takes many values, and steps of many sizes.
    for place in 0..4 {
        let steps: BTreeSet<u8> = seen
            .windows(2)
            .map(|pair| pair[1][place].wrapping_sub(pair[0][place]))
            .collect();
        assert!(steps.len() > 120, "byte {place} has {} steps", steps.len());
    }
}

#[test]
fn threat_4_8_nodes_of_different_seeds_ask_with_different_transactions() {
    let asked = |seed: u8| {
        let stage = Stage::new();
        let config = trackless_dht::Config::default();
        let mut node = trackless_dht::Node::new(config, [seed; 32], stage.now);
        node.ping(stage.now, Endpoint::from(place(1)));
        let payload = node.poll_transmit().expect("a ping").payload;
        transaction(&payload).to_vec()
    };
    assert_ne!(asked(1), asked(2));
    assert_eq!(asked(1), asked(1));
}

#[test]
fn threat_4_8_a_replayed_answer_counts_once() {
    let (mut stage, question) = asking();
    let answer = reply(&question, name(1), &peers(place(9)));
    stage.hears(place(1), &answer);
    assert_eq!(found(&mut stage), 1);
    let before = *stage.node.stats();
    for _ in 0..100 {
        assert_eq!(stage.hears(place(1), &answer), []);
    }
    let after = stage.node.stats();
    assert_eq!(after.dropped.unasked, before.dropped.unasked + 100);
    assert_eq!(after.responses, before.responses);
    assert_eq!(found(&mut stage), 0);
}

#[test]
fn threat_4_8_answers_that_come_too_late_are_dropped() {
    let mut stage = Stage::new();
    stage.node.ping(stage.now, Endpoint::from(place(1)));
    let question = stage.said().remove(0).payload;
    stage.passes(Duration::from_secs(60));
    stage.said();
    stage.events();
    stage.hears(place(1), &reply(&question, name(1), &[]));
    assert!(!stage.knows(place(1)));
    assert_eq!(stage.node.stats().dropped.unasked, 1);
}

#[test]
fn threat_4_8_errors_that_nobody_asked_for_end_no_question() {
    let (mut stage, question) = asking();
    for t in [&b"aa"[..], &[0; 4], &[0; 32]] {
        let error = [b"d1:eli202e1:xe1:t", t.len().to_string().as_bytes(), b":"].concat();
        let error = [&error[..], t, b"1:y1:ee"].concat();
        assert_eq!(stage.hears(place(1), &error), []);
    }
    let t = transaction(&question);
    let right = [b"d1:eli202e1:xe1:t4:", t, b"1:y1:ee"].concat();
    assert!(dict(&right).get("e").is_some());
    assert_eq!(stage.hears(place(2), &right), []);
    assert_eq!(stage.node.stats().failures, 0);
    stage.hears(place(1), &reply(&question, name(1), &peers(place(9))));
    assert_eq!(found(&mut stage), 1);
}

/// Rows A2: who answers as somebody else loses its place and is not listened to.
#[test]
fn threat_4_2_an_impostor_is_evicted_and_names_nobody() {
    let (mut stage, question) = asking();
    let closer = compact([(HASH, place(7))]);
    let said = stage.hears(place(1), &reply(&question, name(2), &[("nodes", closer)]));
    assert!(said.iter().all(|transmit| transmit.to != place(7)));
    assert_eq!(stage.node.stats().impostors, 1);
    assert!(
        !stage.knows(place(1)),
        "neither as the one nor as the other"
    );
    // Nor is it remembered beside the table: the next lookup would begin with it.
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    assert_eq!(stage.said(), []);
}

/// Rows N10: a node that took another id is asked by the old one, which others still name; if it is known by the new
/// one, its answer counts.
#[test]
fn who_is_known_by_its_new_id_is_heard_under_it() {
    let (mut stage, question) = asking();
    let stale = compact([(HASH, place(2))]);
    let said = stage.hears(place(1), &reply(&question, name(1), &[("nodes", stale)]));
    let question = said.into_iter().find(|it| it.to == place(2));
    let question = question.expect("it is asked").payload;
    // Meanwhile it becomes known.
    stage.node.ping(stage.now, Endpoint::from(place(2)));
    let ping = stage.said().pop().expect("a ping").payload;
    stage.hears(place(2), &reply(&ping, name(2), &[]));
    let answer = reply(&question, name(2), &peers(place(9)));
    stage.hears(place(2), &answer);
    assert_eq!((found(&mut stage), stage.node.stats().impostors), (1, 0));
    assert!(stage.knows(place(2)));
}

/// Rows A4: an echo of our own id is nobody.
#[test]
fn threat_4_2_who_answers_as_us_is_nobody() {
    let (mut stage, question) = asking();
    let answer = reply(&question, crate::stage::OURS, &peers(place(9)));
    assert_eq!(stage.hears(place(1), &answer), []);
    assert_eq!(stage.node.stats().dropped.own_id, 1);
    assert_eq!(found(&mut stage), 0);
}

/// Answers to nothing, full of names: the way to poison a node that believes whoever talks.
#[test]
fn threat_4_2_names_in_unasked_answers_are_not_even_asked() {
    let mut stage = Stage::new();
    for n in 0..1_000 {
        let names = compact((0..8).map(|other| (name(n + other), place(n + other))));
        let t = n.to_be_bytes();
        let answer = reply_to(&t, name(n), Some(place(9)), &[("nodes", names)]);
        assert_eq!(stage.hears(place(n), &answer), []);
    }
    assert_eq!(stage.kept(), (0, 0, 0));
    assert_eq!(stage.node.stats().dropped.unasked, 1_000);
    assert!(stage.passes(Duration::from_secs(600)).is_empty());
}

/// Rows A2: who never answers never becomes a contact.
///
/// Whoever only asks is probed and not believed: a source that never answers never gets in.
#[test]
fn threat_4_2_who_never_answers_is_never_a_contact() {
    let mut stage = Stage::new();
    let mut probes = 0;
    for n in 0..5_000 {
        let said = stage.hears(place(n), &query(name(n), "ping", &[]));
        probes += said.iter().filter(|it| asks(it)).count();
        stage.now += Duration::from_millis(20);
    }
    probes += stage.passes(Duration::from_secs(600)).len();
    assert_eq!(stage.kept(), (0, 0, 0));
    assert!(probes <= 5_000, "{probes} probes, more than one each");
}
