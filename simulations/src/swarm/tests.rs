//! Small swarms: that they complete, that they are the same every time, that no line carries more than
//! it can, and that whoever harms is found.

use std::time::Duration;

use super::*;
use crate::time::Time;

const MIB: u64 = 1 << 20;

fn plan(mebibytes: u64) -> Plan {
    Plan {
        length: mebibytes * MIB - 5_000,
        piece_length: 64 << 10,
        ..Plan::default()
    }
}

fn seeder() -> PeerPlan {
    PeerPlan {
        start: Start::Seeder,
        ..PeerPlan::default()
    }
}

/// A seeder and `leechers`, one a second.
fn swarm(seed: u64, leechers: u32, of: &PeerPlan) -> SwarmWorld {
    let mut world = SwarmWorld::new(seed, plan(4));
    world.add_peer(seeder());
    for n in 1..=leechers {
        world.add_peer(PeerPlan {
            arrives: Time::from_secs(u64::from(n)),
            ..of.clone()
        });
    }
    world
}

fn assert_complete(world: &SwarmWorld, peers: std::ops::RangeInclusive<u32>) {
    for peer in peers {
        assert!(
            world.completed_at(peer).is_some(),
            "{peer}: {:?}",
            world.progress(peer)
        );
    }
}

#[test]
fn two_peers_need_what_the_uplink_needs() {
    let mut world = swarm(1, 1, &PeerPlan::default());
    world.run_to_completion(Time::from_secs(100));
    let done = world.completed_at(1).expect("complete") - Time::from_secs(1);
    // 4 MiB at 10 Mbit/s are 3.36 s.
    assert!((3.4..5.0).contains(&done.as_secs_f64()), "{done:?}");
    assert!(world.totals(0).uploaded < 5 * MIB);
}

#[test]
fn a_magnet_link_is_enough() {
    let mut world = swarm(
        2,
        1,
        &PeerPlan {
            knows: Knows::Magnet,
            ..PeerPlan::default()
        },
    );
    world.run_to_completion(Time::from_secs(100));
    assert_complete(&world, 1..=1);
}

#[test]
fn ten_peers_share_and_no_line_carries_too_much() {
    let mut world = swarm(3, 10, &PeerPlan::default());
    world.run_to_completion(Time::from_secs(300));
    assert_complete(&world, 1..=10);
    let elapsed = world.now().elapsed();
    let (mut up, mut down) = (0, 0);
    for peer in 0..world.len() {
        let line = world.plan_of(peer).line;
        let (sent, received) = world.on_the_line(peer);
        let seconds = elapsed.as_secs_f64() + 0.1;
        assert!(sent as f64 <= line.up as f64 * seconds);
        assert!(received as f64 <= line.down as f64 * seconds);
        up += world.totals(peer).uploaded;
        down += world.totals(peer).downloaded;
    }
    assert!(down <= up && down >= 10 * (4 * MIB - 5_000));
    // The seeder gives some three of ten copies: the others give the rest. (Less, before a whole piece was asked of one
    // peer where others can begin another, which is what tells a liar from the innocent.)
    assert!(world.totals(0).uploaded < 14 * MIB, "{:?}", world.totals(0));
}

#[test]
fn a_run_is_determined_by_its_seed() {
    let run = |seed| {
        let mut world = swarm(seed, 6, &PeerPlan::default());
        world.run_until(Time::from_secs(60));
        (world.digest(), world.events())
    };
    assert_eq!(run(4), run(4));
    assert_ne!(run(4), run(5));
}

#[test]
fn a_liar_is_found_and_everybody_completes() {
    let mut world = swarm(6, 5, &PeerPlan::default());
    let liar = world.add_peer(PeerPlan {
        behaviour: Behaviour::Liar(50),
        ..seeder()
    });
    world.run_to_completion(Time::from_secs(300));
    assert_complete(&world, 1..=5);
    let banned = (1..=5).filter_map(|peer| world.snapshot(peer));
    let banned: u32 = banned.map(|seen| seen.peers.banned).sum();
    assert!(banned >= 3, "{banned}");
    assert!(!world.neighbours(1).contains(&liar));
}

#[test]
fn a_free_rider_gives_nothing_and_waits_for_it() {
    let mut world = swarm(7, 8, &PeerPlan::default());
    let rider = world.add_peer(PeerPlan {
        behaviour: Behaviour::FreeRider,
        arrives: Time::from_secs(1),
        ..PeerPlan::default()
    });
    world.run_to_completion(Time::from_secs(300));
    assert_complete(&world, 1..=9);
    assert_eq!(world.totals(rider).uploaded, 0);
    assert!((1..=8).all(|peer| world.totals(peer).uploaded > 0));
}

#[test]
fn who_vanishes_is_missed_and_who_returns_goes_on() {
    let mut world = swarm(8, 2, &PeerPlan::default());
    world.depart_at(Time::from_secs(4), 1, Departure::Silent);
    world.run_until(Time::from_secs(30));
    let before = world.progress(1).have;
    assert!(!world.is_up(1) && before > 0 && before < 64);
    assert_complete(&world, 2..=2);
    let memory = Memory::Recorded(Duration::from_millis(500));
    world.return_at(Time::from_secs(40), 1, memory);
    world.run_until(Time::from_secs(40));
    assert!(world.progress(1).have < before);
    world.run_to_completion(Time::from_secs(100));
    assert_complete(&world, 1..=1);
    assert!(world.totals(1).downloaded < 5 * MIB);
}

#[test]
fn parts_of_a_swarm_are_seen() {
    let mut world = SwarmWorld::new(
        9,
        Plan {
            tracker: None,
            ..plan(1)
        },
    );
    for _ in 0..5 {
        world.add_peer(PeerPlan::default());
    }
    world.add_peer(seeder());
    world.run_until(Time::from_secs(1));
    let mut lonely: Vec<_> = world
        .take_wanted()
        .into_iter()
        .map(|(_, peer)| peer)
        .collect();
    lonely.sort_unstable();
    lonely.dedup();
    assert_eq!(lonely, [0, 1, 2, 3, 4]);
    world.introduce(0, &[1]);
    world.introduce(2, &[3, 4]);
    world.run_until(Time::from_secs(9));
    let parts = world.components();
    let members: Vec<_> = parts.iter().map(|part| part.members.clone()).collect();
    assert_eq!(members, [vec![2, 3, 4], vec![0, 1]]);
    assert!(parts.iter().all(|part| !part.can_complete(16)));
    world.introduce(1, &[5]);
    world.run_until(Time::from_secs(10));
    assert!(world.components().iter().any(|part| part.seeders == 1));
}

/// What the tracker counts: seeders, leechers, completed downloads.
fn counted(world: &SwarmWorld) -> (usize, usize, u64) {
    let server = &world.tracker.as_ref().expect("there is one").server;
    let totals = server.totals();
    (totals.seeders, totals.leechers, server.stats().completed)
}

#[test]
fn the_tracker_hears_who_comes_completes_and_goes() {
    let mut world = swarm(10, 3, &PeerPlan::default());
    world.run_until(Time::from_secs(4));
    assert_eq!(counted(&world), (1, 3, 0));
    world.run_to_completion(Time::from_secs(100));
    let done = world.now();
    assert_eq!(counted(&world), (4, 0, 3));
    world.depart_at(done, 1, Departure::Closing);
    world.depart_at(done, 2, Departure::Silent);
    world.run_until(done + Duration::from_secs(1));
    assert_eq!(counted(&world), (3, 0, 3));
    // Whoever comes back with everything has completed nothing.
    world.return_at(world.now(), 1, Memory::Everything);
    world.run_until(done + Duration::from_secs(9));
    assert_eq!(counted(&world), (4, 0, 3));
}

#[test]
fn a_tracker_is_asked_again_for_want_of_peers_and_by_its_interval() {
    let mut world = SwarmWorld::new(11, plan(1));
    world.add_peer(PeerPlan::default());
    let announces = |world: &SwarmWorld| {
        let tracker = world.tracker.as_ref().expect("there is one");
        tracker.server.stats().announces()
    };
    // Alone: as often as the server permits, every three minutes.
    world.run_until(Time::from_secs(1_000));
    assert_eq!(announces(&world), 6);
    let seeder = world.add_peer(seeder());
    world.run_to_completion(Time::from_secs(1_100));
    assert_complete(&world, 0..=0);
    // One goodbye, though nobody hears the answer.
    world.depart_at(Time::from_secs(1_200), seeder, Departure::Closing);
    world.run_until(Time::from_secs(1_201));
    assert_eq!(announces(&world), 6 + 1 + 1 + 1);
    assert!(world.peers[seeder as usize].announcer.is_none());
    // Every half an hour from then on.
    world.run_until(Time::from_secs(1_201 + 4_000));
    assert_eq!(announces(&world), 9 + 2);
}

#[test]
fn a_dead_tracker_is_asked_ever_more_seldom() {
    let of = Plan {
        tracker: Some(TrackerPlan {
            dies: Some(Time::ZERO),
            ..TrackerPlan::default()
        }),
        ..plan(1)
    };
    let mut world = SwarmWorld::new(12, of);
    world.add_peer(PeerPlan::default());
    let mut asked = Vec::new();
    while world.now() < Time::from_secs(2 * 3_600) {
        world.run_until(world.now() + Duration::from_secs(1));
        let open = world.peers[0].announcer.as_ref().expect("it runs");
        let next = open.next_timeout().map(|next| world.clock.time(next));
        if asked.last() != Some(&next) {
            asked.push(next);
        }
    }
    // 15 s, doubling, up to half an hour.
    assert!((9..=11).contains(&asked.len()), "{asked:?}");
    assert_eq!(counted(&world), (0, 0, 0));
}
