//! The `mainline` crate as the other side (pubky's; a server and a client of BEP 5 and BEP 44).
#![expect(deprecated, reason = "its blocking calls are what a test wants")]

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use dht::{AnnouncePort, Endpoint, Event, Item};
use mainline::errors::{ConcurrencyError, PutMutableError};
use mainline::{Dht, Id, MutableItem, SigningKey};

use crate::live::Live;

const HASH: [u8; 20] = *b"mnopqrstuvwxyz123456";

/// A node of theirs that joins through `door`, or is the first of its network.
fn theirs(door: Option<SocketAddr>) -> (Dht, SocketAddr) {
    let mut builder = Dht::builder();
    builder
        .server_mode()
        .port(0)
        .bind_address(Ipv4Addr::LOCALHOST);
    match door {
        Some(door) => builder.bootstrap(&[door]),
        None => builder.no_bootstrap(),
    };
    let dht = builder.build().expect("a socket");
    let at = dht.info().local_addr();
    let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, at.port());
    (dht, at.into())
}

fn id(id: dht::Id) -> Id {
    Id::from(*id.as_bytes())
}

#[test]
fn pubky_answers_a_ping() {
    let (dht, at) = theirs(None);
    let ours = Live::start(1);
    ours.call(move |node, now| node.ping(now, Endpoint::from(at)));
    let theirs = ours.event("a pong", |event| match event {
        Event::Pong { id, .. } => Some(id),
        Event::PingFailed { .. } => panic!("no answer"),
        _ => None,
    });
    assert_eq!(theirs.as_bytes(), dht.info().id().as_bytes());
}

#[test]
fn pubky_names_the_nodes_that_it_knows() {
    let (_dht, at) = theirs(None);
    let first = Live::joined(1, at);
    let second = Live::joined(2, at);
    let target = first.id;
    let lookup = second.call(move |node, now| node.find_node(now, target));
    let (_, report) = second.done(lookup);
    let closest = report.closest.first().expect("somebody");
    assert_eq!(
        (closest.id, closest.endpoint),
        (first.id, Endpoint::from(first.at))
    );
}

#[test]
fn pubky_finds_nodes_through_ours() {
    let first = Live::start(1);
    let second = Live::joined(2, first.at);
    first.until("the second is known", |node| {
        node.table_len(dht::Family::V4) > 0
    });
    let (dht, _) = theirs(Some(first.at));
    assert!(dht.bootstrapped());
    let nodes = dht.find_node(id(second.id));
    let found = nodes.iter().find(|node| node.id() == &id(second.id));
    assert_eq!(
        SocketAddr::from(found.expect("the second").address()),
        second.at
    );
    assert!(first.stats().queries_in.find_node > 0);
}

#[test]
fn pubky_keeps_our_announce_and_tells_us_of_it() {
    let (_dht, at) = theirs(None);
    let (first, second) = (Live::joined(1, at), Live::joined(2, at));
    let hash = dht::Id::new(HASH);
    let port = AnnouncePort::Explicit(7_777);
    let lookup = first.call(move |node, now| node.announce(now, hash, port));
    let (_, report) = first.done(lookup);
    assert!(report.announced >= 1, "{report:?}");
    let lookup = second.call(move |node, now| node.get_peers(now, hash));
    let (peers, _) = second.done(lookup);
    assert!(peers.contains(&Endpoint::new(Ipv4Addr::LOCALHOST.into(), 7_777)));
}

#[test]
fn pubky_announces_to_ours_and_finds_it_there() {
    let first = Live::start(1);
    let second = Live::joined(2, first.at);
    first.until("the second is known", |node| {
        node.table_len(dht::Family::V4) > 0
    });
    let (dht, at) = theirs(Some(first.at));
    assert!(dht.bootstrapped());
    dht.announce_peer(Id::from(HASH), Some(7_777))
        .expect("stored");
    assert!(first.call(|node, _| node.stored()).1 + second.call(|node, _| node.stored()).1 > 0);
    // With `implied_port` it is the port that it talks from.
    dht.announce_peer(Id::from(HASH), None).expect("stored");
    let (other, _) = theirs(Some(first.at));
    assert!(other.bootstrapped());
    let peers: Vec<SocketAddrV4> = other.get_peers(Id::from(HASH)).flatten().collect();
    for port in [7_777, at.port()] {
        assert!(
            peers.contains(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)),
            "{peers:?}"
        );
    }
    assert!(first.stats().queries_in.announce_peer > 0);
}

/// The key that signs.
const SECRET: [u8; 32] = [7; 32];

/// A value as their calls take it, and as it travels: a bencoded string.
fn value(text: &str) -> Vec<u8> {
    format!("{}:{text}", text.len()).into_bytes()
}

/// Nodes of ours and one of theirs that know each other.
fn pair() -> (Live, Live, Dht) {
    let first = Live::start(1);
    let second = Live::joined(2, first.at);
    first.until("the second is known", |node| {
        node.table_len(dht::Family::V4) > 0
    });
    let (dht, at) = theirs(Some(first.at));
    assert!(dht.bootstrapped());
    for ours in [&first, &second] {
        ours.call(move |node, now| node.ping(now, Endpoint::from(at)));
        let at = Endpoint::from(at);
        ours.until("pubky is a contact", move |node| {
            node.contacts().any(|contact| contact.endpoint == at)
        });
    }
    (first, second, dht)
}

#[test]
fn an_immutable_item_of_ours_is_found_by_pubky() {
    let (first, _second, dht) = pair();
    let item = Item::immutable(value("Hello World!")).expect("a string");
    let (stored, refused) = first.put(&item, None);
    assert!(stored >= 1 && refused.is_empty());
    let found = dht.get_immutable(id(item.target()));
    assert_eq!(found.as_deref(), Some(&b"Hello World!"[..]));
}

#[test]
fn an_immutable_item_of_pubky_is_found_by_ours() {
    let (first, second, dht) = pair();
    let target = dht.put_immutable(b"Hello World!").expect("stored");
    assert!(first.stats().queries_in.put + second.stats().queries_in.put > 0);
    let target = dht::Id::new(*target.as_bytes());
    let found = second.item(target, b"").expect("an item");
    assert_eq!(found.value(), value("Hello World!"));
}

#[test]
fn a_mutable_item_of_ours_is_found_by_pubky_in_its_newest_form() {
    let (first, second, dht) = pair();
    let key = SigningKey::from_bytes(&SECRET).verifying_key().to_bytes();
    for salt in [&b""[..], b"a salt"] {
        for (seq, text) in [(1, "one"), (2, "two")] {
            let item = Item::signed(&SECRET, salt.to_vec(), seq, value(text));
            let (stored, refused) = first.put(&item.expect("an item"), None);
            assert!(stored >= 2 && refused.is_empty(), "{refused:?}");
        }
        let asked = (!salt.is_empty()).then_some(salt);
        let found = dht.get_mutable_most_recent(&key, asked).expect("an item");
        assert_eq!((found.seq(), found.value()), (2, &b"two"[..]));
    }
    assert!(second.stats().queries_in.get > 0);
}

#[test]
fn a_mutable_item_of_pubky_is_found_by_ours() {
    let (first, second, dht) = pair();
    for salt in [None, Some(&b"a salt"[..])] {
        let signer = SigningKey::from_bytes(&SECRET);
        let theirs = MutableItem::new(signer, b"value", 4, salt);
        dht.put_mutable(theirs.clone(), None).expect("stored");
        let target = dht::Id::new(*theirs.target().as_bytes());
        let found = second.item(target, salt.unwrap_or_default());
        let salt = salt.unwrap_or_default().to_vec();
        let same = Item::signed(&SECRET, salt, 4, value("value")).expect("an item");
        assert_eq!(found, Some(same), "ed25519 signs the same bytes alike");
    }
    assert!(first.stats().queries_in.put > 0);
}

#[test]
fn ours_refuses_what_pubky_puts_with_an_old_number_or_another_cas() {
    let (_first, _second, dht) = pair();
    let put = |seq: i64, text: &str, cas: Option<i64>| {
        let signer = SigningKey::from_bytes(&SECRET);
        dht.put_mutable(MutableItem::new(signer, text.as_bytes(), seq, None), cas)
    };
    put(5, "five", None).expect("stored");
    let why = put(6, "six", Some(4)).expect_err("5 is stored, not 4");
    let cas = PutMutableError::Concurrency(ConcurrencyError::CasFailed);
    assert_eq!(format!("{why:?}"), format!("{cas:?}"));
    let why = put(3, "three", None).expect_err("5 is newer");
    let old = PutMutableError::Concurrency(ConcurrencyError::NotMostRecent);
    assert_eq!(format!("{why:?}"), format!("{old:?}"));
    put(6, "six", Some(5)).expect("stored");
}

#[test]
fn pubky_refuses_what_ours_puts_with_an_old_number_or_another_cas() {
    let (_dht, at) = theirs(None);
    let ours = Live::joined(1, at);
    let item = |seq, text| Item::signed(&SECRET, Vec::new(), seq, value(text)).expect("an item");
    assert_eq!(ours.put(&item(5, "five"), None), (1, vec![]));
    assert_eq!(ours.put(&item(6, "six"), Some(4)), (0, vec![301]));
    assert_eq!(ours.put(&item(3, "three"), None), (0, vec![302]));
    assert_eq!(ours.put(&item(6, "six"), Some(5)), (1, vec![]));
}
