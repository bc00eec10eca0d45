//! Every query that both sides know, in both directions.

use std::net::Ipv4Addr;

use dht::{AnnouncePort, Bloom, Endpoint, Event, Family, Id, Item};
use serde_json::json;

use super::{Libtorrent, is_there};
use crate::live::Live;

const HASH: Id = Id::new(*b"mnopqrstuvwxyz123456");

#[test]
fn libtorrent_answers_a_ping() {
    if !is_there() {
        return;
    }
    let theirs = Libtorrent::start();
    let ours = Live::start(1);
    let endpoint = Endpoint::from(theirs.at);
    ours.call(move |node, now| node.ping(now, endpoint));
    ours.event("a pong", |event| match event {
        Event::Pong { .. } => Some(()),
        Event::PingFailed { .. } => panic!("no answer"),
        _ => None,
    });
}

#[test]
fn libtorrent_takes_ours_into_its_table() {
    if !is_there() {
        return;
    }
    let ours = Live::start(1);
    let _theirs = Libtorrent::knowing(&ours);
    assert!(ours.stats().queries_in.ping + ours.stats().queries_in.get_peers > 0);
    ours.until("libtorrent is a contact", |node| {
        node.table_len(Family::V4) == 1
    });
}

#[test]
fn libtorrent_names_the_nodes_that_it_knows() {
    if !is_there() {
        return;
    }
    let first = Live::start(1);
    let theirs = Libtorrent::knowing(&first);
    let second = Live::joined(2, theirs.at);
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
fn libtorrent_finds_nodes_through_ours() {
    if !is_there() {
        return;
    }
    let first = Live::start(1);
    let second = Live::joined(2, first.at);
    first.until("the second is known", |node| node.table_len(Family::V4) > 0);
    let mut theirs = Libtorrent::knowing(&first);
    theirs.tell(&json!({"do": "get_peers", "hash": second.id.to_string()}));
    second.until("libtorrent asks it", |node| {
        node.stats().queries_in.get_peers > 0
    });
}

#[test]
fn libtorrent_keeps_our_announce_and_tells_us_of_it() {
    if !is_there() {
        return;
    }
    let theirs = Libtorrent::start();
    let (first, second) = (Live::joined(1, theirs.at), Live::joined(2, theirs.at));
    let port = AnnouncePort::Explicit(7_777);
    let lookup = first.call(move |node, now| node.announce(now, HASH, port));
    let (_, report) = first.done(lookup);
    assert!(report.announced >= 1, "{report:?}");
    let lookup = second.call(move |node, now| node.get_peers(now, HASH));
    let (peers, _) = second.done(lookup);
    assert!(peers.contains(&Endpoint::new(Ipv4Addr::LOCALHOST.into(), 7_777)));
}

#[test]
fn libtorrent_announces_to_ours_and_finds_it_there() {
    if !is_there() {
        return;
    }
    let ours = Live::start(1);
    let mut first = Libtorrent::knowing(&ours);
    first.tell(&json!({"do": "announce", "hash": HASH.to_string(), "port": 7_777}));
    ours.until("it is stored", |node| node.stored() == (1, 1));
    let mut second = Libtorrent::knowing(&ours);
    second.tell(&json!({"do": "get_peers", "hash": HASH.to_string()}));
    let hash = HASH.to_string();
    let found = second.alert("peers", |line| line["hash"] == hash.as_str());
    assert_eq!(found["peers"], json!(["127.0.0.1:7777"]));
}

/// The key that signs.
const SECRET: [u8; 32] = [7; 32];

/// A value as the binding takes it, and as it travels: a bencoded string.
fn value(text: &str) -> Vec<u8> {
    format!("{}:{text}", text.len()).into_bytes()
}

/// A node of ours and one of theirs that know each other.
fn pair() -> (Live, Libtorrent) {
    let ours = Live::start(1);
    let theirs = Libtorrent::knowing(&ours);
    let at = Endpoint::from(theirs.at);
    ours.call(move |node, now| node.ping(now, at));
    ours.until("libtorrent is a contact", |node| {
        node.table_len(Family::V4) == 1
    });
    (ours, theirs)
}

#[test]
fn an_immutable_item_of_ours_is_found_by_libtorrent() {
    if !is_there() {
        return;
    }
    let (ours, theirs) = pair();
    let item = Item::immutable(value("Hello World!")).expect("a string");
    assert_eq!(ours.put(&item, None), (1, vec![]));
    // Another one, which knows only ours, so that it has to ask.
    let mut other = Libtorrent::knowing(&ours);
    other.tell(&json!({"do": "get_immutable", "target": item.target().to_string()}));
    let found = other.alert("immutable", |_| true);
    assert_eq!(found["item"], hex::encode("Hello World!"));
    drop(theirs);
}

#[test]
fn an_immutable_item_of_libtorrent_is_found_by_ours() {
    if !is_there() {
        return;
    }
    let (ours, mut theirs) = pair();
    theirs.tell(&json!({"do": "put_immutable", "value": "Hello World!"}));
    let target = theirs.alert("target", |_| true);
    let target: Id = target["target"]
        .as_str()
        .and_then(|hex| hex.parse().ok())
        .expect("an id");
    ours.until("it is stored", |node| node.stored_items().0 == 1);
    let second = Live::joined(2, ours.at);
    let found = second.item(target, b"").expect("an item");
    assert_eq!(
        found,
        Item::immutable(value("Hello World!")).expect("a string")
    );
}

fn key() -> [u8; 32] {
    match Item::signed(&SECRET, Vec::new(), 1, value("x")) {
        Ok(Item::Mutable { key, .. }) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_mutable_item_of_ours_is_found_by_libtorrent() {
    if !is_there() {
        return;
    }
    for (salt, seq) in [("", 3), ("a salt", 9)] {
        let (first, _storing) = pair();
        let second = Live::joined(2, first.at);
        let item = Item::signed(&SECRET, salt.into(), seq, value("value")).expect("an item");
        assert_eq!(second.put(&item, None), (2, vec![]));
        let mut other = Libtorrent::knowing(&first);
        other.tell(&json!({"do": "get_mutable", "key": hex::encode(key()), "salt": salt}));
        let found = other.alert("mutable", |line| line["seq"] == seq);
        assert_eq!(found["item"], hex::encode("value"));
    }
}

#[test]
fn a_mutable_item_of_libtorrent_is_found_by_ours() {
    if !is_there() {
        return;
    }
    for salt in ["", "a salt"] {
        let (ours, mut theirs) = pair();
        let secret = hex::encode(SECRET);
        let put = json!({"do": "put_mutable", "secret": secret, "key": hex::encode(key()), "value": "one", "salt": salt});
        theirs.tell(&put);
        ours.until("it is stored", |node| node.stored_items().0 == 1);
        let second = Live::joined(2, ours.at);
        let item = Item::signed(&SECRET, salt.into(), 1, value("one")).expect("an item");
        let found = second.item(item.target(), salt.as_bytes());
        assert_eq!(found, Some(item), "ed25519 signs the same bytes alike");
    }
}

#[test]
fn libtorrent_refuses_an_old_number_and_another_cas() {
    if !is_there() {
        return;
    }
    let (ours, _theirs) = pair();
    let item = |seq, text| Item::signed(&SECRET, Vec::new(), seq, value(text)).expect("an item");
    assert_eq!(ours.put(&item(5, "five"), None), (1, vec![]));
    assert_eq!(ours.put(&item(6, "six"), Some(4)), (0, vec![301]));
    assert_eq!(ours.put(&item(3, "three"), None), (0, vec![302]));
    assert_eq!(ours.put(&item(6, "six"), Some(5)), (1, vec![]));
}

#[test]
fn libtorrent_samples_for_ours() {
    if !is_there() {
        return;
    }
    let (ours, _theirs) = pair();
    let lookup = ours.call(|node, now| node.announce(now, HASH, AnnouncePort::Explicit(7_777)));
    ours.done(lookup);
    ours.call(|node, now| node.sample(now, HASH));
    let (hashes, stored) = ours.event("samples", |event| match event {
        Event::Samples { hashes, stored, .. } => Some((hashes, stored)),
        _ => None,
    });
    assert_eq!((hashes, stored), (vec![HASH], 1));
}

#[test]
fn ours_samples_for_libtorrent() {
    if !is_there() {
        return;
    }
    let (ours, mut theirs) = pair();
    theirs.tell(&json!({"do": "announce", "hash": HASH.to_string(), "port": 7_777}));
    ours.until("it is stored", |node| node.stored() == (1, 1));
    theirs.tell(&json!({"do": "sample", "port": ours.at.port(), "hash": HASH.to_string()}));
    let samples = theirs.alert("samples", |_| true);
    assert_eq!(samples["count"], 1);
    assert_eq!(samples["samples"], json!([HASH.to_string()]));
}

#[test]
fn libtorrent_counts_peers_for_ours() {
    if !is_there() {
        return;
    }
    let (ours, _theirs) = pair();
    let lookup = ours.call(|node, now| node.announce(now, HASH, AnnouncePort::Explicit(7_777)));
    ours.done(lookup);
    ours.call(|node, now| node.scrape(now, HASH));
    let (seeds, peers) = ours.event("filters", |event| match event {
        Event::Scraped { seeds, peers, .. } => Some((seeds, peers)),
        _ => None,
    });
    let mut all = Bloom::default();
    all.insert(Ipv4Addr::LOCALHOST.into());
    assert_eq!((seeds, peers), (Bloom::default(), all));
}
