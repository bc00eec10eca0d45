//! Conversations about facts: pieces taken back (BEP 54), `upload_only` (BEP 21), private torrents
//! (BEP 27), and whose place goes to whom (BEP 40).

use std::time::Duration;

use bencode::Endpoint;
use bytes::Bytes;

use super::cast::{address, block, content, info_of, settings, start};
use super::gossip::{facts, shake};
use super::scripts::{Script, requests};
use crate::swarm::disk::{DiskError, Reply};
use crate::swarm::{Action, CloseReason, Mode, PeerKey, PeerSource, Refusal, Settings, Torrent};
use crate::wire::{
    Block, ExtensionHandshake, LT_DONTHAVE, Message, MetadataMessage, Reserved, UT_METADATA, UT_PEX,
};

fn dont_have(id: u8, piece: u32) -> Message {
    let payload = Bytes::copy_from_slice(&piece.to_be_bytes());
    Message::Extended { id, payload }
}

/// The extension handshakes among what a peer heard.
fn handshakes(heard: &[Message]) -> Vec<ExtensionHandshake> {
    let payloads = heard.iter().filter_map(|message| match message {
        Message::Extended { id: 0, payload } => ExtensionHandshake::parse(payload),
        _ => None,
    });
    payloads.collect()
}

#[test]
fn a_piece_taken_back_is_not_asked_for() {
    let mut script = Script::with(settings(0), |piece| piece != 7 && piece != 8);
    let key = script.accept(1);
    script.say(key, vec![Message::HaveAll]);
    script.say(key, vec![dont_have(LT_DONTHAVE, 7)]);
    let asked = requests(&script.say(key, vec![Message::Unchoke]));
    assert_eq!(asked, [block(8, 0), block(8, 1)]);
    // It has it again; then neither is left, and the interest ends.
    let asked = requests(&script.say(key, vec![Message::Have(7)]));
    assert_eq!(asked, [block(7, 0), block(7, 1)]);
    let heard = script.say(
        key,
        [7, 8].map(|piece| dont_have(LT_DONTHAVE, piece)).into(),
    );
    assert_eq!(heard, [Message::NotInterested]);
    // What it never had changes nothing.
    assert!(script.say(key, vec![dont_have(LT_DONTHAVE, 7)]).is_empty());
}

#[test]
fn without_the_fast_extension_its_requests_go_to_others() {
    let mut script = Script::with(settings(0), |piece| piece != 7);
    let hello = crate::wire::Handshake {
        reserved: {
            let mut reserved = Reserved::ours();
            reserved.0[7] &= !0x04;
            reserved
        },
        ..script.hello(1)
    };
    let old = script
        .torrent
        .accept(script.now, address(1), &hello)
        .unwrap();
    let all = Message::Bitfield(Bytes::from_static(&[0xff; 5]));
    let asked = requests(&script.say(old, vec![all, Message::Unchoke]));
    assert_eq!(asked.len(), 2);
    let other = script.accept(2);
    script.say(other, vec![Message::HaveAll, Message::Unchoke]);
    script
        .torrent
        .handle_messages(script.now, old, vec![dont_have(LT_DONTHAVE, 7)]);
    let again = requests(&script.heard(other));
    assert!(again.len() <= 2);
    assert!(again.iter().all(|one: &Block| one.piece == 7));
}

/// Rows P20: pieces beyond the torrent end the connection.
#[test]
fn nonsense_about_pieces_closes() {
    for message in [
        dont_have(LT_DONTHAVE, super::scripts::PIECES),
        Message::Extended {
            id: LT_DONTHAVE,
            payload: Bytes::from_static(&[0; 3]),
        },
    ] {
        let mut script = Script::leecher();
        let key = script.accept(1);
        assert_eq!(
            script.closed(key, vec![message]),
            Some(CloseReason::BadIndex)
        );
    }
}

#[test]
fn a_piece_we_lost_is_taken_back_and_upload_only_too() {
    let mut script = Script::seeder();
    let (knows, ignores) = (script.accept(1), script.accept(2));
    let modern = ExtensionHandshake {
        lt_donthave: Some(9),
        ..facts()
    };
    script.say(knows, vec![shake(&modern), Message::Interested]);
    script.say(ignores, vec![shake(&facts())]);
    let damaged = Reply::ReadFailed {
        peer: knows,
        block: block(5, 0),
        error: DiskError::Damaged,
    };
    script.torrent.handle_disk(script.now, damaged);
    let mut said: Vec<(PeerKey, Message)> = Vec::new();
    while let Some(action) = script.torrent.poll_action() {
        if let Action::Send { peer, message } = action {
            said.push((peer, message));
        }
    }
    let to = |key: PeerKey| -> Vec<Message> {
        let mine = said.iter().filter(|(peer, _)| *peer == key);
        mine.map(|(_, message)| message.clone()).collect()
    };
    assert!(to(knows).contains(&dont_have(9, 5)));
    assert!(
        !to(ignores)
            .iter()
            .any(|message| matches!(message, Message::Extended { id, .. } if *id != 0))
    );
    for key in [knows, ignores] {
        let update = handshakes(&to(key));
        assert_eq!(update.len(), 1);
        assert_eq!(update[0].upload_only, Some(false));
    }
}

#[test]
fn upload_only_is_said_and_heard() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    let first = handshakes(&script.heard(key));
    assert_eq!(first[0].upload_only, Some(false));
    assert_eq!(first[0].lt_donthave, Some(LT_DONTHAVE));
    let partial = ExtensionHandshake {
        upload_only: Some(true),
        ..facts()
    };
    script.say(key, vec![shake(&partial)]);
    assert_eq!(script.torrent.snapshot(script.now).peers.seeds, 1);
    let not_any_more = ExtensionHandshake {
        upload_only: Some(false),
        ..facts()
    };
    script.say(key, vec![shake(&not_any_more)]);
    assert_eq!(script.torrent.snapshot(script.now).peers.seeds, 0);
    let seeding = Settings {
        mode: Mode::Seed,
        ..settings(0)
    };
    let mut script = Script::with(seeding, |_| true);
    let key = script.accept(1);
    let closed = script.closed(key, vec![shake(&partial)]);
    assert_eq!(closed, Some(CloseReason::BothSeeds));
}

/// Rows N18, A16: a private torrent exchanges no peers.
#[test]
fn a_private_torrent_exchanges_nothing() {
    let info = info_of(&content(65_536), 32_768, "7:privatei1e");
    let now = start();
    let mut torrent = Torrent::from_info(info, settings(0), [5; 32], now);
    torrent.storage_ready(now, crate::swarm::Bitfield::new(2));
    let mut script = Script { torrent, now };
    let (key, other) = (script.accept(1), script.accept(2));
    let offered = handshakes(&script.heard(key));
    assert_eq!(offered[0].ut_pex, None);
    script.say(other, vec![shake(&facts())]);
    let told = pex::Message {
        added: vec![(address(9), pex::Flags::NONE)],
        dropped: Vec::new(),
    };
    let told = Message::Extended {
        id: UT_PEX,
        payload: told.encode().into(),
    };
    script.say(key, vec![shake(&facts()), told]);
    for source in [PeerSource::Pex, PeerSource::Lsd, PeerSource::Saved] {
        script.torrent.add_peers(now, source, [address(8)]);
    }
    let mut heard = Vec::new();
    for _ in 0..200 {
        script.now += Duration::from_millis(1_001);
        script.torrent.handle_timeout(script.now);
        while let Some(action) = script.torrent.poll_action() {
            match action {
                Action::Dial { endpoint, .. } => panic!("{endpoint} was dialled"),
                Action::Send { message, .. } => heard.push(message),
                _ => {}
            }
        }
    }
    assert!(
        !heard
            .iter()
            .any(|m| matches!(m, Message::Extended { id: 7, .. }))
    );
    assert!(script.torrent.worked().is_empty());
    assert_eq!(script.torrent.snapshot(script.now).why.known, 2);
}

/// Rows N18, A16: a magnet link that proves private parts with whom no tracker named.
#[test]
fn a_magnet_that_turns_out_private_parts_with_strangers() {
    let info = info_of(&content(65_536), 32_768, "7:privatei1e");
    let now = start();
    let torrent = Torrent::from_hash(info.info_hash(), settings(0), [5; 32], now);
    let mut script = Script { torrent, now };
    script
        .torrent
        .add_peers(now, PeerSource::Dht, [address(1), address(2)]);
    script
        .torrent
        .add_peers(now, PeerSource::Tracker, [address(2)]);
    let mut keys = Vec::new();
    while let Some(action) = script.torrent.poll_action() {
        if let Action::Dial { peer, endpoint } = action {
            keys.push((endpoint, peer));
        }
    }
    keys.sort();
    let (stranger, tracked) = (keys[0].1, keys[1].1);
    for (id, key) in [(1, stranger), (2, tracked)] {
        let hello = script.hello(id);
        script.torrent.handle_opened(now, key, &hello);
    }
    let caller = script.accept(3);
    assert_eq!(handshakes(&script.heard(tracked))[0].ut_pex, Some(UT_PEX));
    let raw = info.raw().clone();
    let size = u32::try_from(raw.len()).unwrap();
    let giver = ExtensionHandshake {
        ut_metadata: Some(4),
        metadata_size: Some(size),
        ..facts()
    };
    script.say(stranger, vec![shake(&giver)]);
    let data = MetadataMessage::Data {
        piece: 0,
        total_size: size,
        data: raw,
    };
    let data = Message::Extended {
        id: UT_METADATA,
        payload: data.encode(),
    };
    script.torrent.handle_messages(now, stranger, vec![data]);
    let (mut closed, mut told) = (Vec::new(), Vec::new());
    while let Some(action) = script.torrent.poll_action() {
        match action {
            Action::Close { peer, reason } => closed.push((peer, reason)),
            Action::Send { peer, message } if peer != stranger => {
                told.extend(handshakes(&[message]).pop());
            }
            _ => {}
        }
    }
    assert_eq!(closed, [(stranger, CloseReason::Private)]);
    assert_eq!(
        told.len(),
        2,
        "the tracker's peer and the caller stay: {caller:?}"
    );
    assert!(told.iter().all(|facts| facts.ut_pex == Some(0)));
}

/// Rows A13: BEP 40 decides who goes where nobody is idle.
#[test]
fn a_full_torrent_gives_a_place_to_a_higher_priority_only() {
    let few = Settings {
        max_peers: 3,
        policy: bencode::AddressPolicy::default(),
        ..settings(0)
    };
    let mut script = Script::with(few, |_| false);
    let at = |n: u8| -> Endpoint { format!("{n}.{n}.0.1:50000").parse().unwrap() };
    let us = "123.213.32.10".parse().unwrap();
    for n in 20..23 {
        let hello = script.hello(n);
        let key = script.torrent.accept(script.now, at(n), &hello).unwrap();
        let says = ExtensionHandshake {
            your_ip: Some(us),
            ..facts()
        };
        // Useful, and choking us: nobody to be evicted for doing nothing.
        script.say(key, vec![shake(&says), Message::HaveAll]);
    }
    let ours = Endpoint::new(us, 6_881);
    let priority = |n: u8| crate::swarm::priority::priority(ours, at(n)).unwrap();
    let least = (20..23).min_by_key(|n| priority(*n)).unwrap();
    let better = (30..90).find(|n| priority(*n) > priority(least)).unwrap();
    let worse = (30..90).find(|n| priority(*n) < priority(least)).unwrap();
    let call = |script: &mut Script, n: u8| {
        let hello = script.hello(n);
        script.torrent.accept(script.now, at(n), &hello)
    };
    assert_eq!(
        call(&mut script, better),
        Err(Refusal::Full),
        "all are young"
    );
    script.now += Duration::from_secs(20);
    assert_eq!(call(&mut script, worse), Err(Refusal::Full));
    assert!(call(&mut script, better).is_ok());
    let closed = std::iter::from_fn(|| script.torrent.poll_action()).find_map(|a| match a {
        Action::Close { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(closed, Some(CloseReason::Outranked));
}
