//! The node that heals: its own troubles are not charged to others, and what waited starts at once.

#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{World, place};
use trackless_dht::{Config, Event, Families, Family, Id};

/// Thirty nodes that know each other; the last one stays its own for a while.
fn network() -> (World, SocketAddr) {
    let mut world = World::new(3);
    let config = || Config {
        families: Families::V4,
        ..Config::default()
    };
    world.add(place(0), config(), &[]);
    for n in 1..30 {
        world.add(place(n), config(), &[place(0)]);
        world.run(Duration::from_millis(100));
    }
    world.run(Duration::from_secs(20 * 60));
    (world, place(29))
}

/// Takes everybody but `us` out of the world for `span`, as a pulled cable does.
fn pull_the_cable(world: &mut World, us: SocketAddr, span: Duration) {
    let node = world.nodes.remove(&us).expect("it is there");
    let mut others = std::mem::take(&mut world.nodes);
    world.nodes.insert(us, node);
    world.run(span);
    world.nodes.append(&mut others);
}

fn said(world: &World, us: SocketAddr, wanted: &Event) -> bool {
    let mut events = world.events.iter();
    events.any(|(who, event)| *who == us && event == wanted)
}

#[test]
fn a_pulled_cable_costs_no_contacts_and_lookups_wait_for_it() {
    let (mut world, us) = network();
    let before = world.nodes[&us].table_len(Family::V4);
    world.events.clear();
    let early = world.with(us, |node, now| node.find_node(now, Id::new([9; 20])));
    pull_the_cable(&mut world, us, Duration::from_secs(10 * 60));
    assert!(said(&world, us, &Event::LinkDown));
    assert_eq!(world.nodes[&us].table_len(Family::V4), before);
    let waiting = world.with(us, |node, now| node.find_node(now, Id::new([7; 20])));
    assert_ne!(early, waiting);
    // A minute at most between two knocks, three minutes after a quarter of an hour.
    world.run(Duration::from_secs(70));
    assert!(said(&world, us, &Event::LinkUp));
    let done = world.events.iter().find_map(|(who, event)| match event {
        Event::LookupDone { lookup, report } if *who == us && *lookup == waiting => Some(report),
        _ => None,
    });
    assert!(done.is_some_and(|report| report.closest.len() == 8));
    assert!(world.nodes[&us].table_len(Family::V4) >= before);
}

#[test]
fn a_node_alone_appeals_for_bootstrap_nodes() {
    let (mut world, us) = network();
    world.events.clear();
    pull_the_cable(&mut world, us, Duration::from_secs(20 * 60));
    assert!(said(
        &world,
        us,
        &Event::NeedBootstrap { family: Family::V4 }
    ));
}

/// Rows N12: after eight hours of sleep nobody is blamed, and one look around is made, not eight hours' worth.
#[test]
fn a_suspended_machine_blames_nobody_and_looks_around() {
    let (mut world, us) = network();
    let mut node = world.nodes.remove(&us).expect("it is there");
    let before = node.table_len(Family::V4);
    node.find_node(world.now, Id::new([9; 20]));
    while node.poll_transmit().is_some() {}
    let later = world.now + Duration::from_secs(8 * 3_600);
    node.handle_timeout(later);
    assert_eq!(node.table_len(Family::V4), before);
    assert_eq!(
        node.buckets(Family::V4)
            .flatten()
            .filter(|entry| entry.failures > 0)
            .count(),
        0
    );
    let mut burst = 0;
    while node.poll_transmit().is_some() {
        burst += 1;
    }
    assert!(burst > 0, "it asks for its own id at once");
    assert!(burst <= 32, "{burst} datagrams at once");
}

/// Rows N1: after ten minutes without network a node is back within half a minute, and at once if it is
/// told; meanwhile it sends at most a datagram a second.
#[test]
fn after_an_outage_it_is_back_within_half_a_minute() {
    for told in [false, true] {
        let (mut world, us) = network();
        world.events.clear();
        let before = world.nodes[&us].stats().datagrams_out;
        pull_the_cable(&mut world, us, Duration::from_secs(10 * 60));
        let sent = world.nodes[&us].stats().datagrams_out - before;
        assert!(sent <= 600, "{sent} datagrams in ten minutes");
        assert!(!said(&world, us, &Event::LinkUp));
        if told {
            world.with(us, |node, now| node.network_changed(now));
        }
        world.run(Duration::from_secs(if told { 2 } else { 30 }));
        assert!(said(&world, us, &Event::LinkUp), "told: {told}");
        let found = world.with(us, |node, now| node.find_node(now, Id::new([7; 20])));
        world.run(Duration::from_secs(5));
        let done = world.events.iter().any(|(who, event)| {
            matches!(event, Event::LookupDone { lookup, report } if *who == us && *lookup == found && report.closest.len() == 8)
        });
        assert!(done, "it finds others");
    }
}
