//! Conversations beside the data: peer exchange (BEP 11) out and in, what hostile peers make of it,
//! and two halves of a swarm that learn of each other. [`super::facts`] has the rest.

use std::time::Duration;

use bencode::Endpoint;
use pex::{Flags, Message as Told};

use super::cast::{address, settings};
use super::scripts::Script;
use super::world::World;
use crate::swarm::{Action, CloseReason, PeerKey, PeerSource, Pex, Reason, Settings};
use crate::wire::{ExtensionHandshake, Message, UT_PEX};

/// The number under which our partners in these scripts take peer exchange.
const THEIR_PEX: u8 = 7;

/// An extension handshake that offers peer exchange and says where the speaker listens.
pub(super) fn facts() -> ExtensionHandshake {
    ExtensionHandshake {
        ut_pex: Some(THEIR_PEX),
        port: Some(6_881),
        ..ExtensionHandshake::default()
    }
}

pub(super) fn shake(facts: &ExtensionHandshake) -> Message {
    Message::Extended {
        id: 0,
        payload: facts.encode().into(),
    }
}

fn told(added: Vec<(Endpoint, Flags)>) -> Message {
    let message = Told {
        added,
        dropped: Vec::new(),
    };
    Message::Extended {
        id: UT_PEX,
        payload: message.encode().into(),
    }
}

/// The exchange messages among what a peer heard.
fn exchanged(heard: &[Message]) -> Vec<Told> {
    let payloads = heard.iter().filter_map(|message| match message {
        Message::Extended { id, payload } if *id == THEIR_PEX => Some(payload),
        _ => None,
    });
    payloads
        .map(|payload| Told::parse(payload).unwrap())
        .collect()
}

fn passes(script: &mut Script, seconds: u64) {
    for _ in 0..seconds {
        script.now += Duration::from_millis(1_001);
        script.torrent.handle_timeout(script.now);
    }
}

fn dialled(script: &mut Script) -> Vec<(PeerKey, Endpoint)> {
    std::iter::from_fn(|| script.torrent.poll_action())
        .filter_map(|action| match action {
            Action::Dial { peer, endpoint } => Some((peer, endpoint)),
            _ => None,
        })
        .collect()
}

#[test]
fn the_connected_are_told_at_once_with_flags_and_dropped_a_minute_later() {
    let mut script = Script::leecher();
    let (listener, seed, caller) = (script.accept(1), script.accept(2), script.accept(3));
    script
        .torrent
        .add_peers(script.now, PeerSource::Dht, [address(4)]);
    let (called, _) = dialled(&mut script)[0];
    let hello = script.hello(4);
    script.torrent.handle_opened(script.now, called, &hello);
    script.say(listener, vec![shake(&facts())]);
    let seedy = ExtensionHandshake {
        upload_only: Some(true),
        encryption: Some(true),
        ut_holepunch: Some(4),
        ..facts()
    };
    script.say(seed, vec![shake(&seedy)]);
    script.say(caller, vec![shake(&facts())]);
    passes(&mut script, 2);
    let heard = exchanged(&script.heard(listener));
    let about_seed = Flags::SEED | Flags::ENCRYPTION | Flags::HOLEPUNCH;
    let expected = [
        (address(2), about_seed),
        (address(3), Flags::NONE),
        (address(4), Flags::REACHABLE),
    ];
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].added, expected);
    script
        .torrent
        .handle_closed(script.now, caller, crate::swarm::ClosedBy::Remote);
    passes(&mut script, 57);
    assert!(
        exchanged(&script.heard(listener)).is_empty(),
        "not within a minute"
    );
    passes(&mut script, 5);
    let heard = exchanged(&script.heard(listener));
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (&heard[0].added[..], &heard[0].dropped[..]),
        (&[][..], &[address(3)][..])
    );
}

/// Rows P11: addresses out of range and ports of servers are not called.
#[test]
fn whom_a_peer_names_is_dialled_and_what_cannot_be_is_not() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    script.say(key, vec![shake(&facts())]);
    let odd = |text: &str| (text.parse().unwrap(), Flags::NONE);
    let list = vec![
        (address(9), Flags::NONE),
        odd("198.18.0.77:0"),
        odd("198.18.0.78:25"),
        odd("10.0.0.1:6881"),
        odd("127.0.0.1:6881"),
        odd("224.0.0.1:6881"),
        odd("[2001:db8::1]:6881"),
    ];
    script
        .torrent
        .handle_messages(script.now, key, vec![told(list)]);
    let dialled: Vec<Endpoint> = dialled(&mut script).into_iter().map(|(_, to)| to).collect();
    assert_eq!(dialled, [address(9)]);
    let snapshot = script.torrent.snapshot(script.now);
    assert_eq!(snapshot.peers.by_source.pex, 1);
}

/// Rows P18: named by a peer, our own address is called once at most.
#[test]
fn our_own_address_is_called_once_at_most() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    script.say(key, vec![shake(&facts())]);
    let us = address(77);
    let hello = script.torrent.handshake();
    let list = || vec![told(vec![(us, Flags::REACHABLE)])];
    script.torrent.handle_messages(script.now, key, list());
    let (call, to) = dialled(&mut script)[0];
    assert_eq!(to, us);
    script.torrent.handle_opened(script.now, call, &hello);
    for _ in 0..5 {
        passes(&mut script, 3_600);
        script.torrent.handle_messages(script.now, key, list());
        assert!(dialled(&mut script).is_empty());
    }
}

/// Rows P11, P12: a flood of addresses is two calls a second, none of them twice.
#[test]
fn ten_thousand_addresses_are_a_hundred_and_twenty_calls() {
    let open = Settings {
        max_half_open: 1_000,
        policy: bencode::AddressPolicy::default(),
        ..settings(0)
    };
    let mut script = Script::with(open, |_| false);
    let hello = script.hello(1);
    let from = "11.0.0.1:50000".parse().unwrap();
    let key = script.torrent.accept(script.now, from, &hello).unwrap();
    script.say(key, vec![shake(&facts())]);
    let at = |n: u32| {
        let ip = std::net::Ipv4Addr::from_bits(0x0b01_0001 + n * 256);
        (Endpoint::new(ip.into(), 6_881), Flags::REACHABLE)
    };
    let mut calls = 0;
    // Nearly as many as fit, as often as the rate allows: one message in 45 seconds.
    for minute in 0..5 {
        let list: Vec<_> = (minute * 2_000..(minute + 1) * 2_000).map(at).collect();
        script
            .torrent
            .handle_messages(script.now, key, vec![told(list)]);
        calls += dialled(&mut script).len();
        passes(&mut script, 45);
        calls += dialled(&mut script).len();
    }
    let snapshot = script.torrent.snapshot(script.now);
    assert!(snapshot.why.known <= 101, "{:?}", snapshot.why);
    assert!((20..=100).contains(&calls), "{calls}");
}

/// Rows P11: peer exchange every second ends the connection.
#[test]
fn messages_without_end_close_the_connection() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    script.say(key, vec![shake(&facts())]);
    let message = || vec![told(vec![(address(9), Flags::NONE)])];
    for _ in 0..7 {
        script.say(key, message());
    }
    assert_eq!(script.closed(key, message()), Some(CloseReason::BadPex));
    let reasons = script.torrent.snapshot(script.now).reasons;
    let ignored = Reason::Dropped(crate::swarm::Dropped::Exchange);
    assert!(reasons.of(ignored) >= 6, "{reasons:?}");
    let key = script.accept(2);
    let garbage = Message::Extended {
        id: UT_PEX,
        payload: bytes::Bytes::from_static(b"d5:addedi7ee"),
    };
    script.say(key, vec![garbage.clone()]);
    script.now += Duration::from_secs(100);
    script.say(key, vec![garbage.clone()]);
    script.now += Duration::from_secs(100);
    assert_eq!(script.closed(key, vec![garbage]), Some(CloseReason::BadPex));
}

#[test]
fn switched_off_nothing_is_offered_taken_or_told() {
    let off = Settings {
        pex: Pex::Off,
        ..settings(0)
    };
    let mut script = Script::with(off, |_| false);
    let (key, other) = (script.accept(1), script.accept(2));
    let heard = script.heard(key);
    let offered = heard.iter().find_map(|message| match message {
        Message::Extended { id: 0, payload } => ExtensionHandshake::parse(payload),
        _ => None,
    });
    assert_eq!(offered.unwrap().ut_pex, None);
    script.say(other, vec![shake(&facts())]);
    script.say(
        key,
        vec![shake(&facts()), told(vec![(address(9), Flags::NONE)])],
    );
    assert!(dialled(&mut script).is_empty());
    passes(&mut script, 200);
    assert!(exchanged(&script.heard(key)).is_empty());
}

#[test]
fn a_seed_tells_of_seeds_it_parted_from() {
    let seeding = Settings {
        mode: crate::swarm::Mode::Seed,
        ..settings(0)
    };
    let mut script = Script::with(seeding, |_| true);
    let (leecher, seed) = (script.accept(1), script.accept(2));
    script.say(leecher, vec![shake(&facts())]);
    let seedy = vec![shake(&facts()), Message::HaveAll];
    assert_eq!(script.closed(seed, seedy), Some(CloseReason::BothSeeds));
    passes(&mut script, 2);
    let heard = exchanged(&script.heard(leecher));
    assert_eq!(heard[0].added, [(address(2), Flags::SEED)]);
    passes(&mut script, 62);
    let heard = exchanged(&script.heard(leecher));
    assert_eq!(heard[0].dropped, [address(2)]);
}

#[test]
fn two_halves_of_a_swarm_learn_of_each_other_through_one_peer() {
    let mut world = World::new(40 * 32_768, 32_768);
    let half = |first: bool| move |piece: u32| (piece < 20) == first;
    // Each half has half of the pieces, at its first host; hosts 1 to 3 and 5 to 7 have nothing.
    let mut hosts = Vec::new();
    for n in 0..8 {
        hosts.push(match n {
            0 | 4 => world.add(settings(n), half(n == 0)),
            _ => world.leecher(),
        });
    }
    for n in [1, 2, 3] {
        world.introduce(hosts[n], &[hosts[0]]);
        world.introduce(hosts[n + 4], &[hosts[4]]);
    }
    world.run_until(Duration::from_secs(30), |world| {
        (0..8).all(|n| world.hosts[n].pieces.iter().flatten().count() >= 20)
    });
    assert!((0..8).all(|n| !world.is_complete(hosts[n])));
    // The common peer gives no data, and is gone once one knows of the other half.
    let mean = Settings {
        upload_slots: 0,
        ..settings(8)
    };
    let common = world.add(mean, |_| false);
    world.introduce(common, &[hosts[1], hosts[5]]);
    // Three of its own half, the common one, and one of the other half.
    world.run_until(Duration::from_secs(60), |world| {
        let now = world.now;
        let mut known = |host: usize| world.hosts[host].torrent().snapshot(now).why.known;
        known(1) > 4 || known(5) > 4
    });
    assert!((0..8).all(|n| !world.is_complete(hosts[n])));
    world.kill(common);
    world.run_until(Duration::from_secs(130), |world| {
        hosts.iter().all(|host| world.is_complete(*host))
    });
}
