//! Hostile peers by script: what they waste, what they take, and that somebody honest gets in.

use std::time::Duration;

use bencode::{AddressPolicy, Endpoint};
use bytes::Bytes;

use super::cast::{block, settings};
use super::scripts::{PIECES, Script, piece, requests};
use crate::swarm::disk::Reply;
use crate::swarm::{
    Action, CloseReason, Dropped, PeerKey, PeerSource, Reason, Refusal, Settings, Torrent,
};
use crate::wire::{Block, ExtensionHandshake, Message, MetadataMessage};

fn dropped(script: &Script, what: Dropped) -> u64 {
    let snapshot = script.torrent.snapshot(script.now);
    snapshot.reasons.of(Reason::Dropped(what))
}

fn closed(script: &Script, why: CloseReason) -> u64 {
    let snapshot = script.torrent.snapshot(script.now);
    snapshot.reasons.of(Reason::Closed(why))
}

/// A torrent with so many places, whose callers come from the internet.
fn public(places: usize) -> Script {
    let settings = Settings {
        max_peers: places,
        policy: AddressPolicy::default(),
        ..settings(0)
    };
    Script::with(settings, |_| false)
}

fn call(script: &mut Script, id: u8, from: &str) -> Result<PeerKey, Refusal> {
    let hello = script.hello(id);
    let from: Endpoint = from.parse().expect("an endpoint");
    script.torrent.accept(script.now, from, &hello)
}

/// Rows P2: sixty that shook hands and say nothing do not keep a good one out of fifty places.
#[test]
fn a_good_peer_gets_in_among_the_idle() {
    let mut script = public(50);
    for n in 0..60u8 {
        let from = format!("{}.0.0.1:50000", 20 + n);
        let welcome = call(&mut script, n + 1, &from);
        assert_eq!(welcome.is_ok(), n < 50, "the young stay: {welcome:?}");
    }
    script.now += Duration::from_secs(16);
    assert!(call(&mut script, 200, "99.0.0.1:50000").is_ok());
    assert_eq!(closed(&script, CloseReason::Idle), 1);
}

/// Rows A13: a network takes a fifth of the places of a full torrent at most, and the honest get in at once.
#[test]
fn one_network_does_not_take_all_places() {
    let mut script = public(100);
    let mut inside = 0;
    for n in 0..200u8 {
        let from = format!("20.0.0.{n}:50000");
        match call(&mut script, n + 1, &from) {
            Ok(_) => inside += 1,
            Err(why) => assert_eq!(why, Refusal::CrowdedNetwork),
        }
    }
    assert_eq!(inside, 100, "who comes first takes what nobody else wants");
    for n in 0..10u8 {
        let from = format!("{}.0.0.1:50000", 30 + n);
        assert!(call(&mut script, 220 + n, &from).is_ok(), "honest {n}");
    }
    assert_eq!(closed(&script, CloseReason::CrowdedNetwork), 10);
    // Of IPv6 a /48 is one network.
    let mut script = public(10);
    for n in 1..=12u8 {
        let welcome = call(&mut script, n, &format!("[2a00:1:1:{n:x}::1]:50000"));
        assert_eq!(welcome.is_ok(), n <= 10);
    }
    assert!(call(&mut script, 200, "[2a00:1:2::1]:50000").is_ok());
}

/// Rows A13: who is exchanged blocks with keeps its place, of whatever network it is.
#[test]
fn who_gives_is_not_thinned_out() {
    let mut script = public(4);
    for n in 1..=4u8 {
        let key = call(&mut script, n, &format!("20.0.0.{n}:50000")).expect("a place");
        let asked = script.say(key, vec![Message::HaveAll, Message::Unchoke]);
        assert!(!requests(&asked).is_empty());
    }
    let refused = call(&mut script, 9, "30.0.0.1:50000");
    assert_eq!(refused, Err(Refusal::Full));
}

/// Rows P6: what nobody asked for is never stored, costs its sender the connection after eight blocks, and
/// stands in the counters.
#[test]
fn unasked_blocks_are_dropped() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    let whole = vec![piece(block(0, 0)), piece(block(0, 1))];
    for _ in 0..3 {
        script
            .torrent
            .handle_messages(script.now, key, whole.clone());
        assert!(script.jobs().is_empty(), "stored");
    }
    assert_eq!(script.closed(key, whole), Some(CloseReason::Unrequested));
    assert_eq!(dropped(&script, Dropped::UnrequestedBlock), 8);
    assert_eq!(closed(&script, CloseReason::Unrequested), 1);
}

/// Rows P8: longer than a block, beyond the piece, beyond the torrent, of nothing: the connection ends and
/// nothing is read.
#[test]
fn impossible_requests_close() {
    let whole = block(0, 0);
    for bad in [
        Block {
            length: 1 << 31,
            ..whole
        },
        Block {
            length: 131_073,
            ..whole
        },
        Block {
            length: 16_385,
            ..whole
        },
        Block { length: 0, ..whole },
        Block {
            begin: 32_768,
            ..whole
        },
        Block {
            begin: u32::MAX,
            ..whole
        },
        Block {
            piece: PIECES,
            ..whole
        },
        Block {
            piece: u32::MAX,
            begin: u32::MAX,
            length: u32::MAX,
        },
    ] {
        let mut script = Script::seeder();
        let key = script.accept(1);
        script.say(key, vec![Message::Interested]);
        let closed = script.closed(key, vec![Message::Request(bad)]);
        assert_eq!(closed, Some(CloseReason::BadRequest), "{bad:?}");
    }
}

/// Rows P7: requests while choked, twice, or beyond the queue cost a counter each and no memory.
#[test]
fn requests_in_vain_are_counted() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    let ask = |n: u32| Message::Request(block(n % PIECES, n / PIECES % 2));
    script.say(key, (0..300).map(ask).collect());
    assert_eq!(dropped(&script, Dropped::RequestChoked), 300);
    script.say(key, vec![Message::Interested]);
    script.say(key, vec![ask(1); 100]);
    assert_eq!(dropped(&script, Dropped::RequestTwice), 99);
    let short = |n: u32| Block {
        piece: n % PIECES,
        begin: n / PIECES,
        length: 1,
    };
    let flood: Vec<_> = (0..2_000).map(|n| Message::Request(short(n))).collect();
    script.torrent.handle_messages(script.now, key, flood);
    assert!(dropped(&script, Dropped::RequestBeyondQueue) >= 1_400);
}

/// Rows P15: of pieces that a peer allows although it chokes us 64 are remembered, none beyond the torrent; we
/// allow nobody anything.
#[test]
fn allowed_pieces_are_bounded() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    let heard = script.say(key, vec![Message::Interested]);
    assert!(!heard.iter().any(|m| matches!(m, Message::AllowedFast(_))));
    let mut script = Script::leecher();
    let key = script.accept(1);
    let flood = (0..1_000).map(|n| Message::AllowedFast(n * 7));
    let flood = std::iter::once(Message::HaveAll).chain(flood);
    let asked = requests(&script.say(key, flood.collect()));
    assert!(!asked.is_empty() && asked.iter().all(|block| block.piece < PIECES));
    assert_eq!(dropped(&script, Dropped::AllowedFast), 1_000 - 6);
}

/// Rows P16: suggestions change nothing.
#[test]
fn suggestions_have_no_effect() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    script.heard(key);
    let flood = (0..10_000).map(Message::Suggest).collect();
    assert!(script.say(key, flood).is_empty());
    assert_eq!(dropped(&script, Dropped::Suggestion), 10_000);
}

/// Rows P23: messages of the fast extension from a peer that does not speak it, a reject of what was never
/// asked.
#[test]
fn the_fast_extension_is_held_to_its_rules() {
    let plain = |message: Message| {
        let mut script = Script::leecher();
        let mut hello = script.hello(1);
        hello.reserved.0[7] &= !0x04;
        let from = "198.18.0.9:50000".parse().expect("an endpoint");
        let key = script
            .torrent
            .accept(script.now, from, &hello)
            .expect("a place");
        script.closed(key, vec![message])
    };
    for message in [
        Message::HaveAll,
        Message::HaveNone,
        Message::Suggest(0),
        Message::AllowedFast(0),
        Message::Reject(block(0, 0)),
    ] {
        assert_eq!(plain(message), Some(CloseReason::BadFast));
    }
    let mut script = Script::leecher();
    let key = script.accept(1);
    let asked = requests(&script.say(key, vec![Message::HaveAll, Message::Unchoke]));
    let reject = Message::Reject(asked[0]);
    script
        .torrent
        .handle_messages(script.now, key, vec![reject.clone()]);
    while script.torrent.poll_action().is_some() {}
    let twice = script.closed(key, vec![reject.clone(), reject]);
    assert_eq!(twice, Some(CloseReason::BadReject));
}

fn shake(size: u32) -> Message {
    let facts = ExtensionHandshake {
        ut_metadata: Some(9),
        metadata_size: Some(size),
        ..ExtensionHandshake::default()
    };
    Message::Extended {
        id: 0,
        payload: facts.encode().into(),
    }
}

fn metadata(message: &MetadataMessage) -> Message {
    Message::Extended {
        id: crate::wire::UT_METADATA,
        payload: message.encode(),
    }
}

/// The metadata messages among what was said, with their kind.
fn answers(heard: &[Message]) -> Vec<MetadataMessage> {
    let ours = heard.iter().filter_map(|message| match message {
        Message::Extended { id: 9, payload } => MetadataMessage::parse(payload),
        _ => None,
    });
    ours.collect()
}

/// Rows P14: metadata out of range is refused, and whoever asks on and on gets two copies a minute.
#[test]
fn metadata_is_given_twice_a_minute() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    script.say(key, vec![shake(1)]);
    let ask = |piece: u32| metadata(&MetadataMessage::Request { piece });
    for piece in [1, 2, 1 << 30, u32::MAX] {
        let heard = script.say(key, vec![ask(piece)]);
        assert_eq!(answers(&heard), [MetadataMessage::Reject { piece }]);
    }
    let heard = script.say(key, (0..1_000).map(|_| ask(0)).collect());
    let given = |m: &&MetadataMessage| matches!(m, MetadataMessage::Data { .. });
    assert_eq!(answers(&heard).iter().filter(given).count(), 2);
    assert_eq!(dropped(&script, Dropped::MetadataRequest), 4 + 998);
    script.now += Duration::from_secs(61);
    let heard = script.say(key, vec![ask(0)]);
    assert_eq!(answers(&heard).iter().filter(given).count(), 1);
}

/// Rows P14: who asks for a large dictionary and reads none of it holds a megabyte, not the dictionary.
#[test]
fn metadata_waits_for_its_reader() {
    let pieces = 500_000u32;
    let hashes = vec![7; pieces as usize * 20];
    let head = format!(
        "d6:lengthi{}e4:name1:x12:piece lengthi16384e6:pieces{}:",
        u64::from(pieces) * 16_384,
        hashes.len()
    );
    let raw: Bytes = [head.as_bytes(), &hashes, b"e"].concat().into();
    let parts = raw.len().div_ceil(16_384) as u32;
    let info = crate::metainfo::Info::from_bytes(raw).expect("a dictionary");
    let now = super::cast::start();
    let torrent = Torrent::from_info(info.into(), settings(0), [1; 32], now);
    let mut script = Script { torrent, now };
    let empty = crate::swarm::Bitfield::new(pieces);
    script.torrent.storage_ready(now, empty);
    let key = script.accept(1);
    script.say(key, vec![shake(1)]);
    let ask = (0..parts).map(|piece| metadata(&MetadataMessage::Request { piece }));
    let heard = script.say(key, ask.collect());
    let bytes: u64 = heard.iter().map(Message::weight).sum();
    assert!((1 << 20..(1 << 20) + 100_000).contains(&bytes), "{bytes}");
    // Once it has read, it gets more.
    script.torrent.handle_sent(now, key, 0);
    let heard = script.say(key, vec![metadata(&MetadataMessage::Request { piece: 70 })]);
    assert!(matches!(
        answers(&heard)[..],
        [MetadataMessage::Data { .. }]
    ));
}

/// A machine that knows only a name, and callers that offer `size` bytes of metadata.
fn nameless(callers: u8, size: u32) -> (Script, Vec<PeerKey>) {
    let mut script = Script::leecher();
    let hash = script.torrent.handshake().info_hash;
    script.torrent = Torrent::from_hash(hash, settings(0), [3; 32], script.now);
    let keys: Vec<PeerKey> = (1..=callers).map(|id| script.accept(id)).collect();
    for key in &keys {
        let hello = vec![shake(size)];
        script.torrent.handle_messages(script.now, *key, hello);
    }
    (script, keys)
}

/// Who is asked for metadata now.
fn asked(script: &mut Script) -> Vec<PeerKey> {
    let actions = std::iter::from_fn(|| script.torrent.poll_action());
    let mut asked: Vec<PeerKey> = actions
        .filter_map(|action| match action {
            Action::Send {
                peer,
                message: Message::Extended { id: 9, .. },
            } => Some(peer),
            _ => None,
        })
        .collect();
    asked.dedup();
    asked
}

/// Rows P13: forty peers that send a part now and then, for ever, do not keep the last one from being asked.
#[test]
fn who_trickles_metadata_does_not_block_the_others() {
    let (mut script, keys) = nameless(40, 16 << 20);
    let mut ever = asked(&mut script);
    for second in 0..60u32 {
        script.now += Duration::from_secs(1);
        for key in ever.clone() {
            let data = vec![0; 16_384].into();
            let part = MetadataMessage::Data {
                piece: second,
                total_size: 16 << 20,
                data,
            };
            let part = vec![metadata(&part)];
            script.torrent.handle_messages(script.now, key, part);
        }
        script.torrent.handle_timeout(script.now);
        ever.extend(asked(&mut script));
        ever.sort_unstable();
        ever.dedup();
    }
    assert_eq!(ever, keys, "everybody was asked within a minute");
    assert!(dropped(&script, Dropped::SlowMetadata) > 0);
}

/// Rows P13: of a hundred silent ones each is given up after ten seconds, so that all are asked within a minute.
#[test]
fn the_silent_are_given_up() {
    let (mut script, keys) = nameless(100, 100_000);
    let mut ever = asked(&mut script);
    assert_eq!(ever.len(), 4);
    for _ in 0..55 {
        script.now += Duration::from_secs(1);
        script.torrent.handle_timeout(script.now);
        ever.extend(asked(&mut script));
    }
    ever.sort_unstable();
    ever.dedup();
    assert_eq!(ever, keys);
}

/// Rows P13: metadata with the wrong hash bans its sender: it is not asked again under another connection.
#[test]
fn wrong_metadata_bans() {
    let (mut script, keys) = nameless(1, 5);
    asked(&mut script);
    let lie = MetadataMessage::Data {
        piece: 0,
        total_size: 5,
        data: Bytes::from_static(b"d1:ae"),
    };
    let closed = script.closed(keys[0], vec![metadata(&lie)]);
    assert_eq!(closed, Some(CloseReason::BadMetadata));
    let hello = script.hello(1);
    let again = Endpoint {
        port: 50_001,
        ..super::cast::address(1)
    };
    let refused = script.torrent.accept(script.now, again, &hello);
    assert_eq!(refused, Err(Refusal::Banned));
}

/// Rows P12: a victim's hosts, named one by one by a tracker, are called four at a time.
#[test]
fn a_network_is_not_called_all_at_once() {
    let mut script = public(200);
    let victims = (0..250u8).map(|n| format!("20.0.0.{n}:80").parse().expect("an endpoint"));
    let victims: Vec<Endpoint> = victims.collect();
    script
        .torrent
        .add_peers(script.now, PeerSource::Tracker, victims);
    let dials = std::iter::from_fn(|| script.torrent.poll_action())
        .filter(|action| matches!(action, Action::Dial { .. }));
    assert_eq!(dials.count(), 4);
}

/// Rows A12: a host that fetched everything three times is served after all others, and alone when it is alone.
#[test]
fn who_drains_waits_for_the_others() {
    let one = Settings {
        upload_slots: 1,
        policy: AddressPolicy::default(),
        ..settings(0)
    };
    let mut script = Script::with(one, |_| true);
    let drain = call(&mut script, 1, "20.0.0.1:50000").expect("a place");
    script.say(drain, vec![Message::Interested]);
    // 64 MiB are given to anybody; beyond, three times the torrent.
    for n in 0..(64 << 20) / 16_384 + 1u32 {
        let block = block(n % PIECES, 0);
        let ask = vec![Message::Request(block)];
        script.torrent.handle_messages(script.now, drain, ask);
        let data = vec![0; 16_384].into();
        let reply = Reply::Block {
            peer: drain,
            block,
            data,
        };
        script.torrent.handle_disk(script.now, reply);
        script.torrent.handle_sent(script.now, drain, 0);
        while script.torrent.poll_action().is_some() {}
    }
    let honest = call(&mut script, 2, "30.0.0.1:50000").expect("a place");
    script.say(honest, vec![Message::Interested]);
    for _ in 0..4 {
        script.now += Duration::from_secs(11);
        script.torrent.handle_timeout(script.now);
    }
    let said: Vec<_> = std::iter::from_fn(|| script.torrent.poll_action())
        .filter_map(|action| match action {
            Action::Send { peer, message } => Some((peer, message)),
            _ => None,
        })
        .filter(|(_, m)| matches!(m, Message::Choke | Message::Unchoke))
        .collect();
    assert_eq!(said, [(drain, Message::Choke), (honest, Message::Unchoke)]);
}
