//! 4.10 to 4.12: what others claim about us, about themselves and about third parties.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use trackless_dht::{Endpoint, Event};

use crate::stage::{Field, HASH, Stage, method, name, place, reply, reply_to, transaction};

fn seen_as(last: u8) -> SocketAddr {
    SocketAddr::from(([81, 2, 3, last], 6881))
}

/// The node asks `at`, who answers and says under which address it sees us.
fn votes(stage: &mut Stage, at: SocketAddr, n: u16, seen: SocketAddr) {
    stage.node.ping(stage.now, Endpoint::from(at));
    let said = stage.said();
    let question = said
        .iter()
        .find(|it| it.to == at && method(it) == b"ping")
        .expect("a ping");
    let answer = reply_to(transaction(&question.payload), name(n), Some(seen), &[]);
    stage.hears(at, &answer);
}

/// Rows N2: one network alone does not tell us our address.
#[test]
fn threat_4_11_one_network_does_not_name_us() {
    let mut stage = Stage::new();
    for host in 1..200 {
        votes(
            &mut stage,
            SocketAddr::from(([99, 9, host, host], 6881)),
            host.into(),
            seen_as(66),
        );
    }
    assert_eq!(stage.node.external_address(), None);
}

#[test]
fn threat_4_11_unasked_answers_do_not_vote() {
    let mut stage = Stage::new();
    for n in 0..1_000 {
        stage.hears(
            place(n),
            &reply_to(&n.to_be_bytes(), name(n), Some(seen_as(66)), &[]),
        );
    }
    assert_eq!(stage.node.external_address(), None);
}

#[test]
fn threat_4_11_a_third_of_the_voters_does_not_rename_us() {
    let mut stage = Stage::new();
    for n in 0..32 {
        votes(&mut stage, place(n), n, seen_as(1));
    }
    let ours = stage.node.external_address();
    assert_eq!(ours, Some(seen_as(1).ip()));
    for n in 32..42 {
        votes(&mut stage, place(n), n, seen_as(66));
        assert_eq!(stage.node.external_address(), ours);
    }
}

/// An address that cannot be ours is none, however many say so.
#[test]
fn threat_4_11_nobody_votes_us_into_a_private_range() {
    for liar in [[127, 0, 0, 1], [10, 0, 0, 1], [0, 0, 0, 0], [224, 0, 0, 1]] {
        let mut stage = Stage::new();
        for n in 0..40 {
            votes(&mut stage, place(n), n, SocketAddr::from((liar, 6881)));
        }
        assert_eq!(stage.node.external_address(), None::<IpAddr>, "{liar:?}");
    }
}

/// The fastest node is the one that answered fastest, not the one that says so.
#[test]
fn threat_4_10_what_an_answer_says_about_its_speed_is_nothing() {
    let mut stage = Stage::new();
    stage.node.ping(stage.now, Endpoint::from(place(1)));
    let question = stage.said().remove(0).payload;
    stage.passes(Duration::from_millis(400));
    let boast = [
        ("load", Field::Int(0)),
        ("rtt", Field::Int(1)),
        ("vivaldi", Field::List(vec![])),
    ];
    stage.hears(place(1), &reply(&question, name(1), &boast));
    let events = stage.events();
    let measured = events.iter().find_map(|event| match event {
        Event::Pong { rtt, .. } => Some(*rtt),
        _ => None,
    });
    assert_eq!(measured, Some(Duration::from_millis(400)));
}

/// A walk of a node with `friends` contacts, and its first questions.
fn walk(friends: u16) -> (Stage, Vec<(SocketAddr, Vec<u8>)>) {
    let mut stage = Stage::new();
    (0..friends).for_each(|n| stage.befriends(n));
    stage.said();
    stage.node.get_peers(stage.now, HASH);
    let said = stage.said().into_iter();
    let questions = said.filter(|it| method(it) == b"get_peers");
    let questions = questions.map(|it| (it.to, it.payload)).collect();
    (stage, questions)
}

fn id_of(at: SocketAddr) -> trackless_dht::Id {
    let n = (0..20_000).find(|n| place(*n) == at);
    name(n.expect("one of ours"))
}

fn found(stage: &mut Stage) -> Vec<Endpoint> {
    let events = stage.events().into_iter();
    let peers = events.filter_map(|event| match event {
        Event::Peers { peers, .. } => Some(peers),
        _ => None,
    });
    peers.flatten().collect()
}

/// Rows A7: endless lists of peers are cut.
///
/// A thousand peers that do not exist, in every answer: bounded an answer and a lookup, each told once.
#[test]
fn threat_4_12_endless_peer_lists_are_cut() {
    let (mut stage, mut questions) = walk(64);
    let (mut all, mut invented) = (Vec::new(), 0_u32);
    while let Some((at, question)) = questions.pop() {
        let values = (0..150).map(|_| {
            invented += 1;
            let [_, a, b, c] = invented.to_be_bytes();
            vec![60 + a, b, c, 9, 26, 225]
        });
        let values = ("values", Field::List(values.collect()));
        for said in stage.hears(at, &reply(&question, id_of(at), &[values])) {
            questions.push((said.to, said.payload));
        }
        let peers = found(&mut stage);
        assert!(peers.len() <= 100, "{} of one answer", peers.len());
        all.extend(peers);
    }
    let told = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(told, all.len(), "nobody twice");
    assert!((1..=2_000).contains(&told), "{told} peers of one lookup");
}

#[test]
fn threat_4_12_a_peer_is_told_once_however_often_it_is_named() {
    let (mut stage, mut questions) = walk(16);
    let mut told = 0;
    while let Some((at, question)) = questions.pop() {
        let victim = vec![99, 9, 9, 9, 0, 80];
        let values = ("values", Field::List(vec![victim; 100]));
        for said in stage.hears(at, &reply(&question, id_of(at), &[values])) {
            questions.push((said.to, said.payload));
        }
        told += found(&mut stage).len();
    }
    assert_eq!(told, 1);
}
