//! The figures that are promised of hostile swarms, measured over many seeds: what a poisoner wastes and how soon it
//! is banned, how soon metadata is there among liars. `TRACKLESS_FAULTS=long` runs all seeds.

use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::cast::{Lie, Mind, address};
use super::world::World;
use crate::swarm::{CloseReason, Event};

const MINUTE: Duration = Duration::from_secs(60);

/// Seeds to try: a few, or all that the figure asks for.
fn chances(few: u32, all: u32) -> std::ops::Range<u32> {
    let long = std::env::var_os("TRACKLESS_FAULTS").is_some_and(|it| it == "long");
    0..if long { all } else { few }
}

/// Who was banned, and when.
fn banned(world: &World, host: usize) -> Vec<(Instant, Endpoint)> {
    let events = world.hosts[host].events.iter();
    let banned = events.filter_map(|(at, event)| match event {
        Event::Banned { endpoint, reason } if *reason == CloseReason::CorruptData => {
            Some((*at, *endpoint))
        }
        _ => None,
    });
    banned.collect()
}

/// Rows P3: one seed of three corrupts every fifth block of 32 MiB: it alone is banned, within five seconds of its
/// first bad piece, and what is fetched in vain is bounded.
#[test]
fn a_poisoner_among_three_is_banned_at_once() {
    let first = World::new(32 << 20, 256 << 10);
    let mut most = (0, Duration::ZERO);
    for chance in chances(3, 50) {
        let mut world = first.again(chance);
        let seeders: Vec<usize> = (0..3).map(|_| world.seeder()).collect();
        let liar = seeders[chance as usize % 3];
        world.corrupt(liar, 20);
        for (n, seeder) in (0..).zip(&seeders) {
            world.hosts[*seeder].uplink = (1 + u64::from((chance + n) % 5)) << 20;
        }
        let leecher = world.leecher();
        world.introduce(leecher, &seeders);
        let began = world.now;
        world.run_until(MINUTE * 5, |world| world.is_complete(leecher));
        let now = world.now;
        let wasted = world.hosts[leecher].torrent().snapshot(now).wasted;
        let banned = banned(&world, leecher);
        let [(at, who)] = banned[..] else {
            panic!("run {chance}: {banned:?}")
        };
        assert_eq!(who, address(liar), "run {chance}: an innocent");
        let bad = world.hosts[leecher].first_mismatch.unwrap_or(began);
        most = (most.0.max(wasted), most.1.max(at - bad));
        println!(
            "run {chance}: {} KiB wasted, banned {:?} after",
            wasted >> 10,
            at - bad
        );
    }
    println!(
        "at most {} KiB in vain, banned after {:?}",
        most.0 >> 10,
        most.1
    );
    assert!(most.0 <= 1 << 20, "{} KiB in vain", most.0 >> 10);
    assert!(
        most.1 <= Duration::from_secs(5),
        "banned after {:?}",
        most.1
    );
}

/// Rows P3, P4: ten liars and two honest ones: the file is right, the honest stay, and each liar spoils two pieces at
/// most.
#[test]
fn ten_liars_waste_two_pieces_each() {
    let first = World::new(16 << 20, 128 << 10);
    for chance in chances(2, 20) {
        let mut world = first.again(chance);
        let seeders: Vec<usize> = (0..12).map(|_| world.seeder()).collect();
        for seeder in &seeders {
            world.hosts[*seeder].uplink = 1 << 20;
        }
        seeders[2..]
            .iter()
            .for_each(|liar| world.corrupt(*liar, 20));
        let leecher = world.leecher();
        world.introduce(leecher, &seeders);
        world.run_until(MINUTE * 5, |world| world.is_complete(leecher));
        let honest = [address(seeders[0]), address(seeders[1])];
        let banned = banned(&world, leecher);
        assert!(
            banned.iter().all(|(_, who)| !honest.contains(who)),
            "run {chance}"
        );
        let now = world.now;
        let wasted = world.hosts[leecher].torrent().snapshot(now).wasted;
        println!(
            "run {chance}: {} KiB wasted, {} banned",
            wasted >> 10,
            banned.len()
        );
        assert!(wasted <= 20 * (128 << 10), "run {chance}: {wasted}");
    }
}

/// Rows P13: one honest peer among nine liars (three of each kind) is enough within ten seconds, one among
/// ninety-nine within a minute.
#[test]
fn metadata_among_liars_is_there_soon() {
    let first = World::new(4_000_000, 16_384);
    let size = first.info.raw().len() as u32;
    for (liars, limit, runs) in [(9, 10, chances(20, 100)), (99, 60, chances(3, 20))] {
        let mut took: Vec<Duration> = Vec::new();
        for chance in runs {
            let mut world = first.again(chance);
            let magnet = world.magnet();
            let place = chance as usize * 7 % (liars + 1);
            let mut all = Vec::new();
            for n in 0..=liars {
                if n == place {
                    all.push(world.seeder());
                    continue;
                }
                let lie = [Lie::Garbage, Lie::WrongSize, Lie::Silence][n % 3];
                all.push(world.add_mind(Mind::MetadataLiar(size, lie)));
            }
            world.introduce(magnet, &all);
            let done =
                |world: &mut World| world.hosts[magnet].has(|e| matches!(e, Event::Metadata(_)));
            took.push(world.run_until(MINUTE * 5, done));
        }
        took.sort_unstable();
        let p95 = took[(took.len() * 95).div_ceil(100) - 1];
        println!(
            "1 honest + {liars} liars, {} runs: p95 {p95:?}, most {:?}",
            took.len(),
            took.last()
        );
        assert!(p95 <= Duration::from_secs(limit), "{liars} liars: {p95:?}");
    }
}
