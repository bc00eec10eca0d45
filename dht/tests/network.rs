//! Whole networks in virtual time: joining, announcing, finding, with dead nodes and with loss.

#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{World, place};
use trackless_dht::{
    AddressPolicy, AnnouncePort, Config, Endpoint, Event, Families, Family, Id, LookupId,
    LookupReport, Node, Role,
};

fn v4() -> Config {
    Config {
        families: Families::V4,
        ..Config::default()
    }
}

/// `count` nodes that join through the first one, one every 100 ms.
fn network(seed: u64, count: u32, loss: u32) -> World {
    let mut world = World::new(seed);
    world.loss = loss;
    world.add(place(0), v4(), &[]);
    for n in 1..count {
        world.add(place(n), v4(), &[place(0)]);
        world.run(Duration::from_millis(100));
    }
    world.run(Duration::from_secs(60));
    world
}

fn finish(world: &mut World, at: SocketAddr, lookup: LookupId) -> LookupReport {
    let done = |(who, event): &(SocketAddr, Event)| match event {
        Event::LookupDone {
            lookup: which,
            report,
        } if *who == at && *which == lookup => Some(report.clone()),
        _ => None,
    };
    let end = world.now + Duration::from_secs(70);
    world.run_until(end, |world| {
        world.events.iter().any(|event| done(event).is_some())
    });
    world
        .events
        .iter()
        .find_map(done)
        .expect("every lookup ends")
}

fn announce(world: &mut World, at: SocketAddr, hash: Id) -> LookupReport {
    let lookup = world.with(at, |node, now| {
        node.announce(now, hash, AnnouncePort::Explicit(4000))
    });
    finish(world, at, lookup)
}

fn find(world: &mut World, at: SocketAddr, hash: Id) -> LookupReport {
    let lookup = world.with(at, |node, now| node.get_peers(now, hash));
    finish(world, at, lookup)
}

fn recall(world: &World, report: &LookupReport) -> usize {
    let truth = world.truth(&report.target);
    report
        .closest
        .iter()
        .filter(|c| truth.contains(&SocketAddr::from(c.endpoint)))
        .count()
}

#[test]
fn what_one_announces_another_finds() {
    let mut world = network(1, 100, 0);
    let hash = Id::new([0xab; 20]);
    let announced = announce(&mut world, place(17), hash);
    assert!((8..=10).contains(&announced.announced), "{announced:?}");
    assert!(recall(&world, &announced) >= 7, "{announced:?}");
    let found = find(&mut world, place(71), hash);
    assert_eq!(found.peers, 1);
    assert!(
        found.elapsed < Duration::from_secs(2),
        "{:?}",
        found.elapsed
    );
    let peer = Endpoint::new(place(17).ip(), 4000);
    assert!(world.events.iter().any(|(at, event)| *at == place(71)
        && matches!(event, Event::Peers { peers, .. } if peers.contains(&peer))));
}

#[test]
fn every_node_joins_and_knows_its_neighbours() {
    let world = network(2, 120, 0);
    let mut known = 0;
    for node in world.nodes.values() {
        // The closest of all is the node itself.
        let near = world.truth(&node.id(Family::V4));
        let contacts: Vec<_> = node
            .contacts()
            .map(|c| SocketAddr::from(c.endpoint))
            .collect();
        known += near
            .iter()
            .skip(1)
            .filter(|at| contacts.contains(at))
            .count();
    }
    assert!(
        known >= 120 * 7 * 90 / 100,
        "{known} of 840 neighbours known"
    );
    let joined = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Joined { .. }))
        .count();
    assert_eq!(joined, 120);
}

/// Whoever joins six nodes soon knows all there is: it asks no more than they answer a second (`limiter`).
#[test]
fn the_few_of_a_small_network_are_not_asked_for_more() {
    let world = network(13, 6, 0);
    let all = || world.nodes.values().map(Node::stats);
    let refused: u64 = all().map(|stats| stats.dropped.limited).sum();
    let most = all().map(|stats| stats.queries_out.find_node).max();
    assert_eq!(refused, 0);
    assert!(most < Some(50), "{most:?} questions");
}

/// Rows A11: among more than a few a newcomer goes on looking around, though sixty soon name nobody new.
#[test]
fn who_names_nobody_new_does_not_end_the_survey_among_many() {
    let world = network(13, 60, 0);
    let asked = world.nodes[&place(59)].stats().queries_out.find_node;
    assert!(asked > 100, "{asked} questions");
}

/// Rows N4: of two who are known one is away for a while: the first lookup after that finds it again.
#[test]
fn where_hardly_anybody_is_known_who_missed_answers_is_asked_again() {
    let mut world = network(14, 3, 0);
    let (us, hash) = (place(2), Id::new([0xab; 20]));
    let away = world.nodes.remove(&place(1)).expect("a node of the world");
    let meanwhile: Vec<u32> = (0..3)
        .map(|_| find(&mut world, us, hash).answered)
        .collect();
    assert_eq!(meanwhile, [1; 3]);
    world.nodes.insert(place(1), away);
    assert_eq!(find(&mut world, us, hash).answered, 2);
}

#[test]
fn lookups_find_the_true_closest() {
    let mut world = network(3, 200, 0);
    let mut hits = 0;
    for n in 0..20_u8 {
        let target = Id::new([n.wrapping_mul(37); 20]);
        let at = place(u32::from(n) * 7 + 3);
        let lookup = world.with(at, |node, now| node.find_node(now, target));
        let report = finish(&mut world, at, lookup);
        hits += recall(&world, &report);
    }
    assert!(
        hits >= 20 * 8 * 95 / 100 - 20,
        "{hits} of 160; the asker itself is never found"
    );
}

#[test]
fn a_third_of_the_nodes_may_die() {
    let mut world = network(4, 100, 0);
    let hash = Id::new([0x5a; 20]);
    announce(&mut world, place(50), hash);
    for n in (1..100).filter(|n| n % 3 == 1) {
        world.kill(place(n));
    }
    let mut found = 0;
    for n in [3, 12, 30, 60, 90] {
        found += find(&mut world, place(n), hash).peers;
    }
    assert!(found >= 4, "{found} of 5");
}

/// Rows N9: lookups among nodes that lose a tenth of all datagrams.
#[test]
fn a_tenth_of_the_datagrams_may_be_lost() {
    let mut world = network(5, 80, 100);
    let hash = Id::new([0x11; 20]);
    assert!(announce(&mut world, place(20), hash).announced >= 4);
    let mut found = 0;
    for n in [3, 13, 33, 63, 73] {
        found += find(&mut world, place(n), hash).peers;
    }
    assert!(found >= 4, "{found} of 5");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let world = network(seed, 60, 100);
        (world.delivered, world.digest)
    };
    assert_eq!(run(6), run(6));
    assert_ne!(run(6), run(7));
}

fn private(port: u16) -> (SocketAddr, Config) {
    let mut policy = AddressPolicy::new(Vec::new());
    policy.allow_range_of([127, 0, 0, 1].into());
    (
        SocketAddr::from(([127, 0, 0, 1], port)),
        Config { policy, ..v4() },
    )
}

#[test]
fn three_nodes_on_loopback_need_a_few_round_trips() {
    let mut world = World::new(8);
    let (router, config) = private(1001);
    world.add(router, config, &[]);
    let (seeder, config) = private(1002);
    world.add(seeder, config, &[router]);
    let hash = Id::new([9; 20]);
    let report = announce(&mut world, seeder, hash);
    assert!(report.announced >= 1);
    let (leecher, config) = private(1003);
    world.add(leecher, config, &[router]);
    let report = find(&mut world, leecher, hash);
    assert_eq!(report.peers, 1);
    // Bootstrap, router, seeder: three round trips of 100 ms.
    assert!(
        report.elapsed <= Duration::from_millis(400),
        "{:?}",
        report.elapsed
    );
}

#[test]
fn fifty_nodes_share_one_loopback_address() {
    let mut world = World::new(9);
    let (router, config) = private(2000);
    world.add(router, config, &[]);
    for port in 2001..2050 {
        let (at, config) = private(port);
        world.add(at, config, &[router]);
    }
    world.run(Duration::from_secs(5));
    let hash = Id::new([77; 20]);
    assert_eq!(announce(&mut world, private(2033).0, hash).announced, 8);
    assert_eq!(find(&mut world, private(2011).0, hash).peers, 1);
}

#[test]
fn two_nodes_are_a_network_and_the_storing_one_finds_its_own() {
    let mut world = World::new(10);
    let (router, config) = private(3000);
    world.add(router, config, &[]);
    let (seeder, config) = private(3001);
    world.add(seeder, config, &[router]);
    let hash = Id::new([3; 20]);
    assert_eq!(announce(&mut world, seeder, hash).announced, 1);
    assert_eq!(find(&mut world, router, hash).peers, 1);
}

/// Rows N4: a bootstrap node that comes late lets the node in.
#[test]
fn a_node_retries_until_its_bootstrap_node_appears() {
    let mut world = World::new(11);
    let (router, config) = private(4000);
    let (early, early_config) = private(4001);
    world.add(early, early_config, &[router]);
    let lookup = world.with(early, |node, now| node.get_peers(now, Id::new([1; 20])));
    world.run(Duration::from_secs(20));
    let entered = |event: &Event| matches!(event, Event::FirstNode { .. });
    assert!(!world.events.iter().any(|(_, event)| entered(event)));
    world.add(router, config, &[]);
    let report = finish(&mut world, early, lookup);
    assert_eq!(report.answered, 1);
}

/// Rows N1, N5: when all contacts died, the node joins anew.
#[test]
fn a_node_whose_network_vanished_joins_again() {
    let mut world = World::new(12);
    let (router, config) = private(5000);
    world.add(router, config.clone(), &[]);
    let (node, node_config) = private(5001);
    world.add(node, node_config, &[router]);
    world.run(Duration::from_secs(10));
    world.nodes.remove(&router);
    world.run(Duration::from_secs(3600));
    world.events.clear();
    world.add(router, config, &[]);
    world.run(Duration::from_secs(130));
    assert!(
        world
            .events
            .iter()
            .any(|(at, e)| *at == node && matches!(e, Event::FirstNode { .. }))
    );
}

/// Rows A10: a read-only node is in nobody's table.
#[test]
fn read_only_nodes_find_but_are_not_found() {
    let mut world = network(13, 60, 0);
    let hash = Id::new([0x21; 20]);
    announce(&mut world, place(5), hash);
    let shy = place(1000);
    world.add(
        shy,
        Config {
            role: Role::ReadOnly,
            ..v4()
        },
        &[place(0)],
    );
    world.run(Duration::from_secs(20));
    assert_eq!(find(&mut world, shy, hash).peers, 1);
    let known = |node: &Node| node.contacts().any(|c| SocketAddr::from(c.endpoint) == shy);
    assert!(!world.nodes.values().any(known));
}

#[test]
fn nodes_learn_their_own_address_from_others() {
    let world = network(14, 60, 0);
    let right = world
        .nodes
        .iter()
        .filter(|(at, node)| node.external_address() == Some(at.ip()))
        .count();
    assert!(right >= 55, "{right}");
}

/// Rows N10: each address family is a network of its own.
#[test]
fn both_families_live_in_one_node() {
    let mut world = World::new(15);
    let six = |n: u16| SocketAddr::from(([0x2600, n, 0, 0, 0, 0, 0, 1], 6881));
    let v6 = || Config {
        families: Families::V6,
        ..Config::default()
    };
    world.add(six(1), v6(), &[]);
    for n in 2..30 {
        world.add(six(n), v6(), &[six(1)]);
    }
    world.run(Duration::from_secs(20));
    let hash = Id::new([6; 20]);
    assert_eq!(announce(&mut world, six(7), hash).announced, 8);
    assert_eq!(find(&mut world, six(21), hash).peers, 1);
}

#[test]
fn what_is_kept_announced_is_found_again_and_again() {
    let mut world = network(5, 60, 0);
    let hashes: Vec<Id> = (0..20_u8).map(|n| Id::new([n * 12; 20])).collect();
    for hash in &hashes {
        let port = AnnouncePort::Explicit(4000);
        world.with(place(7), |node, now| node.keep_announced(now, *hash, port));
    }
    world.run(Duration::from_secs(20));
    assert!(
        hashes
            .iter()
            .all(|hash| find(&mut world, place(41), *hash).peers == 1)
    );
    // Longer than others remember.
    world.run(Duration::from_secs(3 * 3_600));
    assert!(
        hashes
            .iter()
            .all(|hash| find(&mut world, place(42), *hash).peers == 1)
    );
    for hash in &hashes {
        world.with(place(7), |node, _| node.withdraw(hash));
    }
    world.run(Duration::from_secs(3_600));
    assert!(
        hashes
            .iter()
            .all(|hash| find(&mut world, place(43), *hash).peers == 0)
    );
}
