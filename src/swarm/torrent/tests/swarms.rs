//! Whole swarms in virtual time.

use std::time::Duration;

use super::cast::{Lie, Mind, address, settings};
use super::world::World;
use crate::swarm::{CloseReason, Event, Mode, PeerSource, Phase};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_leecher_completes_from_a_seeder() {
    let mut world = World::new(3_000_000, 65_536);
    let (seeder, leecher) = (world.seeder(), world.leecher());
    world.introduce(leecher, &[seeder]);
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    assert!(took < Duration::from_secs(1), "{took:?}");
    world.run_for(Duration::from_secs(1));
    assert!(world.hosts[leecher].has(|event| matches!(event, Event::Complete)));
    let now = world.now;
    let seen = world.hosts[leecher].torrent().snapshot(now);
    assert_eq!(
        (seen.phase, seen.have_bytes, seen.wasted),
        (Phase::Complete, 3_000_000, 0)
    );
    assert_eq!(
        world.hosts[seeder].torrent().snapshot(now).uploaded,
        3_000_000
    );
}

#[test]
fn one_fast_peer_keeps_the_pipeline_full() {
    let mut world = World::new(64 << 20, 1 << 20);
    let (seeder, leecher) = (world.seeder(), world.leecher());
    world.hosts[seeder].uplink = 80 << 20;
    world.introduce(leecher, &[seeder]);
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    // 0.8 s of transfer, a handshake, and the pipeline's growth over round trips of 40 ms; 500
    // requests a round trip allow 195 MiB/s.
    assert!(took < Duration::from_millis(1_300), "{took:?}");
}

#[test]
fn a_magnet_becomes_files_on_the_same_connection() {
    let mut world = World::new(2_000_000, 32_768);
    let (seeder, magnet) = (world.seeder(), world.magnet());
    world.introduce(magnet, &[seeder]);
    let took = world.run_until(MINUTE, |world| world.is_complete(magnet));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let now = world.now;
    assert_eq!(world.hosts[magnet].torrent().snapshot(now).peers.tried, 1);
}

/// Rows P13: one that sends garbage, one that lies about the size, one that is silent, and an honest one.
#[test]
fn an_honest_peer_among_liars_is_enough() {
    let mut world = World::new(1_000_000, 16_384);
    let magnet = world.magnet();
    let size = world.info.raw().len() as u32;
    for lie in [Lie::Garbage, Lie::WrongSize, Lie::Silence] {
        world.add_mind(Mind::MetadataLiar(size, lie));
    }
    let seeder = world.seeder();
    world.introduce(magnet, &[1, 2, 3, seeder]);
    let took = world.run_until(MINUTE, |world| world.is_complete(magnet));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Rows P13: twelve silent ones and an honest one.
#[test]
fn many_silent_peers_do_not_hold_the_metadata_back() {
    let mut world = World::new(200_000, 16_384);
    let magnet = world.magnet();
    for _ in 0..12 {
        world.add_mind(Mind::MetadataLiar(100_000, Lie::Silence));
    }
    let seeder = world.seeder();
    let all: Vec<usize> = (1..=seeder).collect();
    world.introduce(magnet, &all);
    let took = world.run_until(MINUTE, |world| world.is_complete(magnet));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// Rows P3: one of twenty-one corrupts every fifth block.
#[test]
fn a_corrupt_seeder_is_banned_and_nobody_else() {
    let mut world = World::new(6_000_000, 131_072);
    let seeders: Vec<usize> = (0..21).map(|_| world.seeder()).collect();
    world.corrupt(seeders[7], 20);
    for seeder in &seeders {
        world.hosts[*seeder].uplink = 1 << 20;
    }
    let leecher = world.leecher();
    world.introduce(leecher, &seeders);
    world.run_until(MINUTE * 5, |world| world.is_complete(leecher));
    world.run_for(Duration::from_secs(1));
    let banned: Vec<_> = world.hosts[leecher]
        .events
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Banned {
                endpoint,
                reason: CloseReason::CorruptData,
            } => Some(*endpoint),
            _ => None,
        })
        .collect();
    assert_eq!(banned, [address(seeders[7])]);
}

/// Rows P4: everybody lies; what is fetched stays below three times the size.
#[test]
fn all_sources_corrupt_ends_in_bans_not_in_a_loop() {
    let mut world = World::new(500_000, 65_536);
    let seeders: Vec<usize> = (0..3).map(|_| world.seeder()).collect();
    seeders
        .iter()
        .for_each(|seeder| world.corrupt(*seeder, 100));
    let leecher = world.leecher();
    world.introduce(leecher, &seeders);
    world.run_for(MINUTE * 10);
    let now = world.now;
    let seen = world.hosts[leecher].torrent().snapshot(now);
    assert!(seen.downloaded <= 3 * 500_000, "{seen:?}");
    assert!(world.hosts[leecher].has(|event| matches!(event, Event::Banned { .. })));
    assert!(world.hosts[leecher].has(|event| matches!(event, Event::PeersWanted)));
}

/// Rows P5: twenty that claim all and send nothing.
#[test]
fn hoarders_do_not_hold_an_honest_seeder_back() {
    let mut world = World::new(4_000_000, 65_536);
    let leecher = world.leecher();
    for _ in 0..20 {
        world.add_mind(Mind::Hoarder);
    }
    let seeder = world.seeder();
    world.hosts[seeder].uplink = 400_000;
    let all: Vec<usize> = (1..=seeder).collect();
    world.introduce(leecher, &all);
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    assert!(
        took < Duration::from_secs(20),
        "honest alone takes 10 s, this {took:?}"
    );
}

#[test]
fn a_peer_that_dies_is_replaced() {
    let mut world = World::new(8_000_000, 65_536);
    let (first, second) = (world.seeder(), world.seeder());
    let leecher = world.leecher();
    world.hosts[first].uplink = 1 << 20;
    world.hosts[second].uplink = 1 << 20;
    world.introduce(leecher, &[first, second]);
    world.run_for(Duration::from_secs(2));
    world.kill(first);
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_swarm_of_leechers_shares_one_slow_seeder() {
    let mut world = World::new(2_000_000, 65_536);
    let seeder = world.seeder();
    world.hosts[seeder].uplink = 500_000;
    let leechers: Vec<usize> = (0..15).map(|_| world.leecher()).collect();
    // Everybody knows the seeder alone; the rest is peer exchange.
    leechers
        .iter()
        .for_each(|leecher| world.introduce(*leecher, &[seeder]));
    let took = world.run_until(MINUTE * 2, |world| {
        leechers.iter().all(|leecher| world.is_complete(*leecher))
    });
    // The seeder alone would need 60 s.
    assert!(took < Duration::from_secs(35), "{took:?}");
    let now = world.now;
    let uploaded = world.hosts[seeder].torrent().snapshot(now).uploaded;
    assert!(uploaded < 15 * 2_000_000 / 2, "{uploaded}");
}

/// Rows P17: crossing calls leave one connection.
#[test]
fn two_that_dial_each_other_keep_one_connection() {
    let mut world = World::new(100_000, 16_384);
    let (seeder, leecher) = (world.seeder(), world.leecher());
    world.introduce(seeder, &[leecher]);
    world.introduce(leecher, &[seeder]);
    world.run_until(MINUTE, |world| world.is_complete(leecher));
    world.run_for(Duration::from_secs(1));
    let now = world.now;
    for host in [seeder, leecher] {
        assert_eq!(world.hosts[host].torrent().snapshot(now).peers.connected, 1);
    }
}

#[test]
fn a_full_disk_pauses_and_resumes() {
    let mut world = World::new(3_000_000, 65_536);
    let (seeder, leecher) = (world.seeder(), world.leecher());
    world.hosts[seeder].uplink = 1_000_000;
    world.introduce(leecher, &[seeder]);
    world.run_for(Duration::from_secs(1));
    world.hosts[leecher].disk_full = true;
    world.run_for(Duration::from_secs(30));
    assert!(world.hosts[leecher].has(|event| matches!(event, Event::DiskPaused { .. })));
    assert!(!world.is_complete(leecher));
    world.hosts[leecher].disk_full = false;
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    assert!(took < Duration::from_secs(13), "{took:?}");
    assert!(world.hosts[leecher].has(|event| matches!(event, Event::DiskResumed)));
}

#[test]
fn damaged_data_is_fetched_again() {
    let mut world = World::new(1_000_000, 65_536);
    let (seeder, broken) = (world.seeder(), world.seeder());
    world.hosts[broken].pieces[3] = None;
    let leecher = world.leecher();
    world.introduce(leecher, &[broken]);
    world.introduce(broken, &[seeder]);
    world.run_until(MINUTE, |world| {
        world.is_complete(leecher) && world.is_complete(broken)
    });
    assert!(world.hosts[broken].has(|event| matches!(event, Event::PieceLost(3))));
}

#[test]
fn a_download_limit_is_kept() {
    let mut world = World::new(2_000_000, 65_536);
    let seeder = world.seeder();
    let slow = crate::swarm::Settings {
        limit_down: 200_000,
        ..settings(1)
    };
    let leecher = world.add(slow, |_| false);
    world.introduce(leecher, &[seeder]);
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    assert!((9..13).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn an_upload_limit_is_kept() {
    let mut world = World::new(2_000_000, 65_536);
    let slow = crate::swarm::Settings {
        limit_up: 200_000,
        ..settings(0)
    };
    let seeder = world.add(slow, |_| true);
    let leecher = world.leecher();
    world.introduce(leecher, &[seeder]);
    let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
    assert!((9..13).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn seeds_part_from_seeds() {
    let mut world = World::new(500_000, 65_536);
    let staying = crate::swarm::Settings {
        mode: Mode::Seed,
        ..settings(0)
    };
    let seeder = world.add(staying, |_| true);
    let leecher = world.leecher();
    world.introduce(leecher, &[seeder]);
    world.run_until(MINUTE, |world| world.is_complete(leecher));
    world.run_for(Duration::from_secs(2));
    let now = world.now;
    assert_eq!(
        world.hosts[seeder].torrent().snapshot(now).peers.connected,
        0
    );
}

#[test]
fn a_resumed_magnet_tells_what_it_has() {
    let mut world = World::new(500_000, 65_536);
    let seeder = world.seeder();
    let resumed = world.magnet();
    let have: Vec<_> = world.hosts[seeder].pieces.iter().take(5).cloned().collect();
    world.hosts[resumed].pieces[..5].clone_from_slice(&have);
    let leecher = world.leecher();
    world.introduce(leecher, &[resumed]);
    world.introduce(resumed, &[seeder]);
    world.run_until(MINUTE, |world| {
        world.is_complete(resumed) && world.is_complete(leecher)
    });
    let now = world.now;
    assert!(world.hosts[resumed].torrent().snapshot(now).downloaded <= 500_000 - 5 * 65_536);
}

#[test]
fn the_same_world_twice_is_the_same() {
    let run = || {
        let mut world = World::new(1_000_000, 65_536);
        let seeders: Vec<usize> = (0..3).map(|_| world.seeder()).collect();
        let leecher = world.leecher();
        world.introduce(leecher, &seeders);
        let took = world.run_until(MINUTE, |world| world.is_complete(leecher));
        let now = world.now;
        let from =
            |world: &mut World, host: usize| world.hosts[host].torrent().snapshot(now).uploaded;
        (
            took,
            seeders
                .iter()
                .map(|host| from(&mut world, *host))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(run(), run());
}

/// Rows P18: our own address by the DHT.
#[test]
fn our_own_address_is_left_alone() {
    let mut world = World::new(100_000, 16_384);
    let leecher = world.leecher();
    world.introduce(leecher, &[leecher]);
    world.run_for(MINUTE * 5);
    let now = world.now;
    let torrent = world.hosts[leecher].torrent();
    assert!(torrent.snapshot(now).peers.tried <= 4);
    torrent.add_peers(now, PeerSource::Lsd, [address(leecher)]);
}
