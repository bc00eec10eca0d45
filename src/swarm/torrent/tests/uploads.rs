//! Serving a peer, by script.

use std::time::Duration;

use bytes::Bytes;

use super::cast::{block, settings};
use super::scripts::{PIECES, Script};
use crate::swarm::disk::{Job, Reply};
use crate::swarm::{Action, CloseReason, PeerKey, Settings};
use crate::wire::{Block, Message};

#[test]
fn an_interested_peer_is_served_at_once() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.heard(key);
    assert_eq!(
        script.say(key, vec![Message::Interested]),
        [Message::Unchoke]
    );
    script
        .torrent
        .handle_messages(script.now, key, vec![Message::Request(block(3, 1))]);
    let [Job::Read { peer, block: read }] = script.jobs()[..] else {
        panic!()
    };
    assert_eq!((peer, read), (key, block(3, 1)));
    let data: Bytes = vec![9; 16_384].into();
    let reply = Reply::Block {
        peer,
        block: read,
        data: data.clone(),
    };
    script.torrent.handle_disk(script.now, reply);
    assert_eq!(
        script.heard(key),
        [Message::Piece {
            piece: 3,
            begin: 16_384,
            data
        }]
    );
}

/// Rows P7, P15: while choked nothing is served.
#[test]
fn a_choked_request_is_rejected() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.heard(key);
    let heard = script.say(key, vec![Message::Request(block(0, 0))]);
    assert_eq!(heard, [Message::Reject(block(0, 0))]);
}

#[test]
fn without_slots_nothing_is_given() {
    let none = Settings {
        upload_slots: 0,
        ..settings(0)
    };
    let mut script = Script::with(none, |_| true);
    let key = script.accept(1);
    script.heard(key);
    assert_eq!(script.say(key, vec![Message::Interested]), []);
    for _ in 0..60 {
        script.now += Duration::from_secs(1);
        script.torrent.handle_timeout(script.now);
    }
    assert!(!script.heard(key).contains(&Message::Unchoke));
    assert_eq!(
        script.say(key, vec![Message::Request(block(0, 0))]),
        [Message::Reject(block(0, 0))]
    );
}

#[test]
fn slots_are_limited_and_go_on() {
    let few = Settings {
        upload_slots: 2,
        ..settings(0)
    };
    let mut script = Script::with(few, |_| true);
    let keys: Vec<PeerKey> = (1..=3).map(|id| script.accept(id)).collect();
    while script.torrent.poll_action().is_some() {}
    assert_eq!(
        script.say(keys[0], vec![Message::Interested]),
        [Message::Unchoke]
    );
    assert_eq!(
        script.say(keys[1], vec![Message::Interested]),
        [Message::Unchoke]
    );
    assert!(script.say(keys[2], vec![Message::Interested]).is_empty());
    script
        .torrent
        .handle_messages(script.now, keys[0], vec![Message::NotInterested]);
    assert_eq!(script.heard(keys[2]), [Message::Unchoke]);
}

/// Rows P9: a thousand changes of interest are one change of ours.
#[test]
fn a_flapping_peer_does_not_make_us_flap() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.heard(key);
    let flaps: Vec<Message> = (0..1_000)
        .flat_map(|_| [Message::Interested, Message::NotInterested])
        .collect();
    assert_eq!(script.say(key, flaps), [Message::Unchoke]);
}

#[test]
fn a_cancelled_request_is_not_answered() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.say(key, vec![Message::Interested]);
    let heard = script.say(
        key,
        vec![Message::Request(block(0, 0)), Message::Cancel(block(0, 0))],
    );
    assert_eq!(heard, [Message::Reject(block(0, 0))]);
    let data = vec![9; 16_384].into();
    let reply = Reply::Block {
        peer: key,
        block: block(0, 0),
        data,
    };
    script.torrent.handle_disk(script.now, reply);
    assert!(script.heard(key).is_empty());
}

/// Rows P7: a hundred thousand requests are 512 reads at most.
#[test]
fn a_flood_of_requests_is_bounded() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.say(key, vec![Message::Interested]);
    let flood = (0..100_000u32).map(|n| {
        Message::Request(Block {
            piece: n % PIECES,
            begin: n / PIECES % 16_000,
            length: 100,
        })
    });
    script
        .torrent
        .handle_messages(script.now, key, flood.collect());
    let reads = script.jobs().len();
    assert!(reads <= 512, "{reads}");
}

/// Rows P22: two minutes without reading end the connection.
#[test]
fn a_slow_reader_is_closed() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.say(key, vec![Message::Interested]);
    script
        .torrent
        .handle_messages(script.now, key, vec![Message::Request(block(0, 0))]);
    script.jobs();
    let data = vec![9; 16_384].into();
    script.torrent.handle_disk(
        script.now,
        Reply::Block {
            peer: key,
            block: block(0, 0),
            data,
        },
    );
    script.heard(key);
    script.now += Duration::from_secs(121);
    script.torrent.handle_timeout(script.now);
    let closed = std::iter::from_fn(|| script.torrent.poll_action()).any(|a| {
        matches!(
            a,
            Action::Close {
                reason: CloseReason::SlowReader,
                ..
            }
        )
    });
    assert!(closed);
}
