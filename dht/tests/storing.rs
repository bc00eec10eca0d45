//! Scrapes, items and samples in a network in virtual time: what one stores another finds (BEP 33, 44, 51).

#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{World, place};
use trackless_dht::{
    AnnouncePort, Bloom, Config, Event, Families, Id, Item, LookupId, LookupReport, Node,
};

/// Sixty nodes that know each other.
fn network(seed: u64) -> World {
    let mut world = World::new(seed);
    let config = || Config {
        families: Families::V4,
        ..Config::default()
    };
    world.add(place(0), config(), &[]);
    for n in 1..60 {
        world.add(place(n), config(), &[place(0)]);
        world.run(Duration::from_millis(100));
    }
    world.run(Duration::from_secs(60));
    world
}

/// Runs a command of the node at `n` to its end; its events, and its report.
fn run(
    world: &mut World,
    n: u32,
    command: impl FnOnce(&mut Node, Instant) -> LookupId,
) -> (Vec<Event>, LookupReport) {
    world.events.clear();
    let at = place(n);
    let lookup = world.with(at, command);
    let done = |(who, event): &(SocketAddr, Event)| {
        *who == at && matches!(event, Event::LookupDone { lookup: which, .. } if *which == lookup)
    };
    let end = world.now + Duration::from_secs(70);
    world.run_until(end, |world| world.events.iter().any(done));
    let mut events: Vec<Event> = std::mem::take(&mut world.events)
        .into_iter()
        .filter(|(who, _)| *who == at)
        .map(|(_, event)| event)
        .collect();
    let Some(Event::LookupDone { report, .. }) = events.pop() else {
        panic!("a lookup ends: {events:?}");
    };
    (events, report)
}

/// What `n` finds at the target of `item`, in the order of arrival.
fn found(world: &mut World, n: u32, item: &Item) -> Vec<Item> {
    let salt = match item {
        Item::Immutable { .. } => Vec::new(),
        Item::Mutable { salt, .. } => salt.clone(),
    };
    let (events, _) = run(world, n, |node, now| node.item(now, item.target(), salt));
    let items = events.into_iter().filter_map(|event| match event {
        Event::Item { item, .. } => Some(item),
        _ => None,
    });
    items.collect()
}

fn put(world: &mut World, n: u32, item: &Item, cas: Option<i64>) -> (Vec<u16>, u32) {
    let (events, report) = run(world, n, |node, now| node.put(now, item.clone(), cas));
    let refused = events.into_iter().filter_map(|event| match event {
        Event::Refused { code, .. } => Some(code),
        _ => None,
    });
    (refused.collect(), report.announced)
}

fn mutable(seq: i64, value: &str) -> Item {
    Item::signed(&[9; 32], b"feed".to_vec(), seq, value.into()).expect("an item")
}

#[test]
fn an_immutable_item_of_the_largest_size() {
    let mut world = network(1);
    let item = Item::immutable(format!("995:{:0995}", 7).into_bytes()).expect("an item");
    assert_eq!(put(&mut world, 3, &item, None), (vec![], 8));
    assert_eq!(
        found(&mut world, 40, &item),
        std::slice::from_ref(&item),
        "reported once"
    );
    world.run(trackless_dht::items::LIFETIME);
    assert_eq!(found(&mut world, 41, &item), [], "two hours later");
}

#[test]
fn a_mutable_item_follows_its_sequence_numbers() {
    let mut world = network(2);
    assert_eq!(put(&mut world, 3, &mutable(1, "1:a"), None), (vec![], 8));
    assert_eq!(put(&mut world, 4, &mutable(2, "1:b"), Some(1)), (vec![], 8));
    let newest = found(&mut world, 40, &mutable(0, "le"));
    assert_eq!(newest.last(), Some(&mutable(2, "1:b")));
    let (refused, stored) = put(&mut world, 9, &mutable(3, "1:c"), Some(1));
    assert_eq!((refused, stored), (vec![301; 8], 0), "someone was faster");
    let (refused, stored) = put(&mut world, 6, &mutable(1, "1:d"), None);
    assert_eq!((refused, stored), (vec![302; 8], 0));
    let newest = found(&mut world, 41, &mutable(0, "le"));
    assert_eq!(newest.last(), Some(&mutable(2, "1:b")));
    // Another salt is another place.
    let other = Item::signed(&[9; 32], Vec::new(), 1, "1:a".into()).expect("an item");
    assert_eq!(found(&mut world, 42, &other), []);
}

#[test]
fn whoever_puts_an_old_value_learns_the_new_one() {
    let mut world = network(3);
    put(&mut world, 3, &mutable(5, "3:new"), None);
    let old = mutable(4, "3:old");
    let (events, _) = run(&mut world, 7, |node, now| node.put(now, old, None));
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::Item { item, .. } if *item == mutable(5, "3:new")))
    );
}

#[test]
fn a_forged_item_is_not_sent_out() {
    let mut world = network(4);
    let mut item = mutable(1, "1:a");
    if let Item::Mutable { seq, .. } = &mut item {
        *seq = 2;
    }
    assert_eq!(put(&mut world, 3, &item, None), (vec![], 0));
    assert_eq!(found(&mut world, 40, &item), []);
}

#[test]
fn a_scrape_counts_peers_once() {
    let mut world = network(5);
    let hash = Id::new([0x5c; 20]);
    for n in 10..30 {
        run(&mut world, n, |node, now| {
            node.announce(now, hash, AnnouncePort::Implied)
        });
    }
    let (events, report) = run(&mut world, 50, |node, now| node.scrape(now, hash));
    let (mut seeds, mut peers, mut answers) = (Bloom::default(), Bloom::default(), 0);
    for event in &events {
        if let Event::Scraped {
            seeds: s, peers: p, ..
        } = event
        {
            answers += 1;
            seeds = seeds.union(s);
            peers = peers.union(p);
        }
    }
    assert!(answers >= 8, "{answers}");
    assert!(seeds.is_empty());
    assert!(
        (peers.estimate() - 20.0).abs() < 1.0,
        "{}",
        peers.estimate()
    );
    assert_eq!(report.peers, 20);
}

#[test]
fn samples_name_what_is_stored() {
    let mut world = network(6);
    let hashes: Vec<Id> = (0..40).map(|n| Id::new([n * 6; 20])).collect();
    for hash in &hashes {
        run(&mut world, 3, |node, now| {
            node.announce(now, *hash, AnnouncePort::Implied)
        });
    }
    let (events, _) = run(&mut world, 50, |node, now| node.sample(now, hashes[7]));
    let mut seen = 0;
    for event in &events {
        if let Event::Samples {
            hashes: sample,
            stored,
            interval,
            ..
        } = event
        {
            assert!(sample.iter().all(|hash| hashes.contains(hash)));
            assert!(sample.len() as u64 <= *stored);
            assert!(*stored > 20 || interval.is_zero());
            seen += sample.len();
        }
    }
    // Strangers are told of few each.
    assert!(seen >= 8, "{seen} of {}", events.len());
}
