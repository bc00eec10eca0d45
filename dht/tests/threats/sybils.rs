//! 4.1 to 4.3 and 4.14: many ids, few hosts. They may fill neither the table nor a lookup, nor push out who is honest.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Event, Family, Id};

use crate::stage::{HASH, OURS, Stage, asks, compact, method, name, place, query, reply};

/// The `n`th host of one /24.
fn host(n: u8) -> SocketAddr {
    SocketAddr::from(([99, 9, 9, n], 6881))
}

#[test]
fn threat_4_2_one_address_is_one_contact() {
    let mut stage = Stage::new();
    for n in 0..200 {
        let mut at = place(1);
        at.set_port(1_000 + n);
        stage.befriends_as(at, name(n));
    }
    assert_eq!(stage.kept().0, 1);
}

#[test]
fn threat_4_2_a_living_contact_keeps_its_address_and_its_id() {
    let mut stage = Stage::new();
    stage.befriends(1);
    let mut other_port = place(1);
    other_port.set_port(9);
    stage.befriends_as(other_port, name(2));
    stage.befriends_as(place(3), name(1));
    assert!(stage.knows(place(1)));
    assert!(!stage.knows(other_port) && !stage.knows(place(3)));
}

/// Rows A2: newcomers do not push out contacts that live.
///
/// The first bucket is full of living contacts: a thousand newcomers wait, or are forgotten.
#[test]
fn threat_4_2_newcomers_do_not_push_out_living_contacts() {
    let mut stage = Stage::new();
    let far: Vec<u16> = (0..20_000)
        .filter(|n| OURS.shared_bits(&name(*n)) == 0)
        .take(1_128)
        .collect();
    for n in &far[..128] {
        stage.befriends(*n);
    }
    let first: Vec<_> = stage
        .node
        .contacts()
        .map(|contact| contact.endpoint)
        .collect();
    assert_eq!(first.len(), 128);
    for n in &far[128..] {
        stage.befriends(*n);
    }
    let now: Vec<_> = stage
        .node
        .contacts()
        .map(|contact| contact.endpoint)
        .collect();
    assert_eq!(first.iter().filter(|at| now.contains(at)).count(), 128);
    assert_eq!(stage.kept().0, 128);
}

#[test]
fn threat_4_2_a_contact_that_changes_its_id_is_not_two() {
    let mut stage = Stage::new();
    for n in 0..50 {
        stage.befriends_as(place(1), name(n));
    }
    assert_eq!(stage.kept().0, 1);
}

/// Ids all around our own, from everywhere: the deep buckets hold eight each, whoever comes.
#[test]
fn threat_4_3_a_crowd_around_our_id_is_bounded_by_the_buckets() {
    let mut stage = Stage::new();
    for n in 0..2_000_u16 {
        let mut id = *OURS.as_bytes();
        id[12] ^= 0x80;
        id[18..].copy_from_slice(&n.to_be_bytes());
        stage.befriends_as(place(n), Id::new(id));
    }
    assert!(
        stage.kept().0 <= 8,
        "{} contacts in one deep bucket",
        stage.kept().0
    );
    let deepest = stage
        .node
        .buckets(Family::V4)
        .map(|bucket| bucket.len())
        .max();
    assert!(deepest <= Some(8));
}

/// Rows A1: one host with many ids around a hash counts once.
///
/// Many ids of one host in a lookup's answers: one candidate.
#[test]
fn threat_4_1_one_host_with_many_ids_is_one_candidate() {
    let mut stage = Stage::new();
    stage.befriends(1);
    stage.said();
    let lookup = stage.node.get_peers(stage.now, HASH);
    let question = stage.said().remove(0).payload;
    let names = (0..8_u8).map(|n| {
        let mut id = *HASH.as_bytes();
        id[19] ^= n + 1;
        let at = SocketAddr::from(([99, 9, 9, 9], 6_000 + u16::from(n)));
        (Id::new(id), at)
    });
    let said = stage.hears(
        place(1),
        &reply(&question, name(1), &[("nodes", compact(names))]),
    );
    assert_eq!(said.len(), 1);
    let report = stage.node.lookup_report(stage.now, lookup);
    assert_eq!(report.map(|report| report.asked), Some(2));
}

/// Rows A1: honest nodes hear our announce although others are closer.
///
/// Eight hosts of a /24 around a hash: what they take of an announce is bounded, and honest nodes get the rest.
#[test]
fn threat_4_1_honest_nodes_are_announced_to_beside_closer_sybils() {
    let mut stage = Stage::new();
    for n in 0..8 {
        stage.befriends(n);
    }
    stage.said();
    let port = trackless_dht::AnnouncePort::Explicit(7_777);
    stage.node.announce(stage.now, HASH, port);
    let mut open = stage.said();
    let mut stored = Vec::new();
    for _ in 0..200 {
        let Some(said) = open.pop() else {
            open = stage.passes(Duration::from_millis(200));
            continue;
        };
        if !asks(&said) {
            continue;
        }
        let friend = (0..8).find(|n| place(*n) == said.to);
        let sybil = (1..=8).find(|n| host(*n) == said.to);
        let mut close = *HASH.as_bytes();
        close[19] ^= sybil.unwrap_or(0);
        let id = friend.map_or(Id::new(close), name);
        if method(&said) == b"announce_peer" {
            stored.push(said.to);
        }
        let names = (1..=8_u8).map(|n| {
            let mut close = *HASH.as_bytes();
            close[19] ^= n;
            (Id::new(close), host(n))
        });
        let r = [("nodes", compact(names)), ("token", (&b"token"[..]).into())];
        let answer = reply(&said.payload, id, &r);
        open.extend(stage.hears(said.to, &answer));
    }
    let over = |event: &Event| matches!(event, Event::LookupDone { .. });
    assert!(stage.events().iter().any(over), "the announce ends");
    let honest = (0..8).filter(|n| stored.contains(&place(*n))).count();
    assert!(
        honest >= 6,
        "{honest} honest nodes hold the announce: {stored:?}"
    );
}

/// Rows A1, A9: one liar does not turn a lookup away.
///
/// One poisoned answer among honest ones: the lookup still asks everybody the others name.
#[test]
fn threat_4_14_one_liar_does_not_turn_a_lookup_away() {
    let mut stage = Stage::new();
    for n in 0..4 {
        stage.befriends(n);
    }
    stage.said();
    stage.node.find_node(stage.now, HASH);
    let mut open = stage.said();
    let mut asked = Vec::new();
    let mut honest = *HASH.as_bytes();
    honest[2] ^= 1;
    while let Some(said) = open.pop() {
        asked.push(said.to);
        let Some(n) = (0..4).find(|n| place(*n) == said.to) else {
            continue;
        };
        // The liar names eight that are closer and silent, the others one who is there.
        let names = match n {
            0 => compact((1..=8_u16).map(|near| {
                let mut id = *HASH.as_bytes();
                id[19] ^= near as u8;
                (Id::new(id), place(2_000 + near))
            })),
            _ => compact([(Id::new(honest), place(1_000))]),
        };
        open.extend(stage.hears(said.to, &reply(&said.payload, name(n), &[("nodes", names)])));
    }
    asked.extend(stage.passes(Duration::from_secs(60)).iter().map(|it| it.to));
    assert!(asked.contains(&place(1_000)), "{asked:?}");
}

/// A crowd that asks and asks: each querier costs at most one probe, and only some wait for theirs.
#[test]
fn threat_4_2_a_crowd_of_queriers_does_not_make_us_ask_a_crowd() {
    let mut stage = Stage::new();
    for n in 0..40 {
        stage.befriends(n);
    }
    stage.passes(Duration::from_secs(400));
    stage.said();
    for n in 1_000..6_000 {
        stage.hears(
            place(n),
            &query(name(n), "find_node", &[("target", HASH.into())]),
        );
    }
    let probes = stage.passes(Duration::from_secs(120));
    let strangers = probes
        .iter()
        .filter(|it| (1_000..6_000).any(|n| place(n) == it.to));
    let strangers = strangers.count();
    assert!(strangers <= 128, "{strangers} strangers asked");
}
