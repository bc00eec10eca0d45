//! Bad lines in virtual time (reliability.md N6, N9): datagrams lost, delayed behind others and doubled, a NAT that gives
//! another port in the middle of everything. What is counted are lookups of a peer that is announced and announcements.

#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::{World, place};
use trackless_dht::{AnnouncePort, Config, Event, Families, Id, LookupId, LookupReport};

/// `count` nodes that join through the first one, and know each other.
fn network(seed: u64, count: u32) -> World {
    let config = || Config {
        families: Families::V4,
        ..Config::default()
    };
    let mut world = World::new(seed);
    world.add(place(0), config(), &[]);
    for n in 1..count {
        world.add(place(n), config(), &[place(0)]);
        world.run(Duration::from_millis(100));
    }
    world.run(Duration::from_secs(120));
    world
}

fn finish(world: &mut World, at: SocketAddr, lookup: LookupId) -> LookupReport {
    let done = |(_, event): &(SocketAddr, Event)| match event {
        Event::LookupDone {
            lookup: which,
            report,
        } if *which == lookup => Some(report.clone()),
        _ => None,
    };
    world.events.retain(|(who, _)| *who == at);
    let end = world.now + Duration::from_secs(70);
    world.run_until(end, |world| {
        let mut events = world.events.iter().filter(|(who, _)| *who == at);
        events.any(|event| done(event).is_some())
    });
    let mut events = world.events.iter().filter(|(who, _)| *who == at);
    events.find_map(done).expect("every lookup ends")
}

fn announce(world: &mut World, at: SocketAddr, hash: Id) -> u32 {
    let port = AnnouncePort::Explicit(4000);
    let lookup = world.with(at, |node, now| node.announce(now, hash, port));
    finish(world, at, lookup).announced
}

fn find(world: &mut World, at: SocketAddr, hash: Id) -> u32 {
    let lookup = world.with(at, |node, now| node.get_peers(now, hash));
    u32::try_from(finish(world, at, lookup).peers).expect("few")
}

/// Of a hundred torrents, announced with one retry at most and looked up once each, how many worked.
fn successes(seed: u64, spoil: impl Fn(&mut World)) -> (u32, u32) {
    let mut world = network(seed, 60);
    spoil(&mut world);
    let (mut announced, mut found) = (0, 0);
    for n in 0..100_u8 {
        let (from, to) = (place(u32::from(n) % 60), place(u32::from(n) * 7 % 59 + 1));
        let hash = Id::new([n.wrapping_mul(37); 20]);
        let first = announce(&mut world, from, hash);
        if first > 0 || announce(&mut world, from, hash) > 0 {
            announced += 1;
        }
        found += u32::from(find(&mut world, to, hash) > 0);
    }
    (announced, found)
}

/// Rows N9: with a tenth of all datagrams lost 99 of 100 lookups find their peer, with three tenths 95; announcements
/// with one retry likewise.
#[test]
fn lookups_and_announcements_survive_loss() {
    for (loss, least) in [(100, 99), (300, 95)] {
        let (announced, found) = successes(11, |world| world.loss = loss);
        println!(
            "{} % lost: {announced} of 100 announced, {found} of 100 found",
            loss / 10
        );
        assert!(
            found >= least,
            "{found} lookups of 100 with {loss}/1000 lost"
        );
        assert!(
            announced >= 95,
            "{announced} announcements of 100 with {loss}/1000 lost"
        );
    }
}

/// Rows N9: three of ten datagrams arrive twice, all up to a third of a second late and so behind later ones, and a tenth is
/// lost: 99 of 100 lookups and announcements work.
#[test]
fn lookups_and_announcements_survive_disorder() {
    let (announced, found) = successes(13, |world| {
        (world.loss, world.doubled) = (100, 300);
        world.jitter = Duration::from_millis(300);
    });
    println!("{announced} of 100 announced, {found} found");
    assert!(announced >= 99, "{announced} announcements of 100");
    assert!(found >= 99, "{found} lookups of 100");
}

/// Rows N6: a NAT gives another port every 30 s: what is asked next works, what a token no longer fits is asked anew,
/// and nobody bans us.
#[test]
fn another_port_every_half_minute() {
    let mut world = network(12, 60);
    let mut at = place(9);
    let (mut announced, mut found) = (0, 0);
    let seeded = Id::new([99; 20]);
    announce(&mut world, place(30), seeded);
    for n in 0..20_u16 {
        let node = world.nodes.remove(&at).expect("it is there");
        // In the middle of an announcement, between the question and its use of the tokens.
        at.set_port(7_000 + n);
        world.nodes.insert(at, node);
        let hash = Id::new([u8::try_from(n).expect("few"); 20]);
        let port = AnnouncePort::Explicit(4000);
        let lookup = world.with(at, |node, now| node.announce(now, hash, port));
        world.run(Duration::from_millis(250));
        let node = world.nodes.remove(&at).expect("it is there");
        at.set_port(17_000 + n);
        world.nodes.insert(at, node);
        let first = finish(&mut world, at, lookup).announced;
        announced += u32::from(first > 0 || announce(&mut world, at, hash) > 0);
        found += u32::from(find(&mut world, at, seeded) > 0);
        world.run(Duration::from_secs(30));
    }
    assert_eq!((announced, found), (20, 20), "announced and found of 20");
}
