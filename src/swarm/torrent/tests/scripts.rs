//! Single connections by script: one machine, and a peer that says what the test says.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use bytes::Bytes;
use proptest::prelude::*;

use super::cast::{address, block, content, info_of, settings, start};
use crate::swarm::disk::{Job, Reply};
use crate::swarm::{
    Action, Bitfield, CloseReason, Event, PeerKey, PeerSource, Refusal, Settings, Torrent,
};
use crate::wire::{Block, ExtensionHandshake, Handshake, Message, PeerId, Reserved};

pub(super) struct Script {
    pub(super) torrent: Torrent,
    pub(super) now: Instant,
}

pub(super) const PIECES: u32 = 40;

impl Script {
    pub(super) fn with(settings: Settings, have: impl Fn(u32) -> bool) -> Script {
        let info = info_of(&content(PIECES as usize * 32_768), 32_768, "");
        let now = start();
        let mut torrent = Torrent::from_info(info, settings, [5; 32], now);
        let mut field = Bitfield::new(PIECES);
        (0..PIECES).filter(|piece| have(*piece)).for_each(|piece| {
            field.set(piece);
        });
        torrent.storage_ready(now, field);
        while torrent.poll_event().is_some() {}
        Script { torrent, now }
    }

    pub(super) fn leecher() -> Script {
        Script::with(settings(0), |_| false)
    }

    pub(super) fn seeder() -> Script {
        Script::with(settings(0), |_| true)
    }

    pub(super) fn hello(&self, id: u8) -> Handshake {
        Handshake {
            peer_id: PeerId([id; 20]),
            ..self.torrent.handshake()
        }
    }

    pub(super) fn accept(&mut self, id: u8) -> PeerKey {
        let hello = self.hello(id);
        let from = Endpoint {
            port: 50_000,
            ..address(id as usize)
        };
        self.torrent.accept(self.now, from, &hello).unwrap()
    }

    pub(super) fn say(&mut self, key: PeerKey, batch: Vec<Message>) -> Vec<Message> {
        self.torrent.handle_messages(self.now, key, batch);
        self.heard(key)
    }

    /// What was sent to the peer since; a close is a panic.
    pub(super) fn heard(&mut self, key: PeerKey) -> Vec<Message> {
        let mut heard = Vec::new();
        while let Some(action) = self.torrent.poll_action() {
            match action {
                Action::Send { peer, message } if peer == key => heard.push(message),
                Action::Close { reason, .. } => panic!("closed: {reason:?}"),
                _ => {}
            }
        }
        heard
    }

    pub(super) fn closed(&mut self, key: PeerKey, batch: Vec<Message>) -> Option<CloseReason> {
        self.torrent.handle_messages(self.now, key, batch);
        std::iter::from_fn(|| self.torrent.poll_action()).find_map(|action| match action {
            Action::Close { peer, reason } if peer == key => Some(reason),
            _ => None,
        })
    }

    pub(super) fn jobs(&mut self) -> Vec<Job> {
        std::iter::from_fn(|| self.torrent.poll_action())
            .filter_map(|action| match action {
                Action::Disk(job) => Some(job),
                _ => None,
            })
            .collect()
    }
}

pub(super) fn requests(heard: &[Message]) -> Vec<Block> {
    heard
        .iter()
        .filter_map(|message| match message {
            Message::Request(block) => Some(*block),
            _ => None,
        })
        .collect()
}

pub(super) fn piece(block: Block) -> Message {
    let data = vec![1; block.length as usize].into();
    Message::Piece {
        piece: block.piece,
        begin: block.begin,
        data,
    }
}

#[test]
fn the_first_words() {
    let mut script = Script::seeder();
    let key = script.accept(1);
    let heard = script.heard(key);
    assert_eq!(heard[0], Message::HaveAll);
    let Message::Extended { id: 0, payload } = &heard[1] else {
        panic!()
    };
    let facts = ExtensionHandshake::parse(payload).unwrap();
    assert_eq!(facts.port, Some(6_881));
    assert_eq!(facts.upload_only, Some(true));
    assert!(facts.metadata_size.is_some() && facts.version.unwrap().starts_with("trackless "));
    assert_eq!(heard[2], Message::Port(6_881));
}

#[test]
fn without_the_fast_extension_nothing_of_it_is_said() {
    for have in [0, 20, PIECES] {
        let mut script = Script::with(settings(0), |piece| piece < have);
        let hello = Handshake {
            reserved: Reserved::default(),
            ..script.hello(1)
        };
        let key = script
            .torrent
            .accept(script.now, address(1), &hello)
            .unwrap();
        let heard = script.heard(key);
        assert_eq!(heard.len(), usize::from(have > 0));
        assert!(
            heard
                .iter()
                .all(|message| matches!(message, Message::Bitfield(_)))
        );
        assert_eq!(
            script.closed(key, vec![Message::HaveAll]),
            Some(CloseReason::BadFast)
        );
    }
}

#[test]
fn interest_follows_what_a_peer_has() {
    let mut script = Script::with(settings(0), |piece| piece != 7);
    let key = script.accept(1);
    script.heard(key);
    assert!(script.say(key, vec![Message::Have(3)]).is_empty());
    assert_eq!(
        script.say(key, vec![Message::Have(7)]),
        [Message::Interested]
    );
    let asked = requests(&script.say(key, vec![Message::Unchoke]));
    assert_eq!(asked, [block(7, 0), block(7, 1)]);
    script
        .torrent
        .handle_messages(script.now, key, asked.iter().copied().map(piece).collect());
    assert!(matches!(script.jobs()[..], [Job::Store { piece: 7, .. }]));
    script.torrent.handle_disk(
        script.now,
        Reply::Stored {
            piece: 7,
            digests: None,
        },
    );
    assert_eq!(script.heard(key)[0], Message::NotInterested);
    assert!(
        std::iter::from_fn(|| script.torrent.poll_event()).any(|e| matches!(e, Event::Complete))
    );
}

#[test]
fn haves_go_to_those_who_lack() {
    let mut script = Script::with(settings(0), |piece| piece > 0);
    let (seed, poor) = (script.accept(1), script.accept(2));
    script.say(seed, vec![Message::HaveAll, Message::Unchoke]);
    let batch = vec![piece(block(0, 0)), piece(block(0, 1))];
    script.torrent.handle_messages(script.now, seed, batch);
    assert_eq!(script.jobs().len(), 1);
    script.torrent.handle_disk(
        script.now,
        Reply::Stored {
            piece: 0,
            digests: None,
        },
    );
    let heard = script.heard(poor);
    assert_eq!(heard[0], Message::Have(0));
    // And that was all that we lacked.
    assert!(matches!(heard[1..], [Message::Extended { id: 0, .. }]));
}

/// Rows P6, P8, P20, P23, P24: a request, an index, a bitfield, a reject or facts against the rules end the connection.
#[test]
fn violations_close() {
    let bad = |batch: Vec<Message>| {
        let mut script = Script::leecher();
        let key = script.accept(1);
        script.closed(key, batch)
    };
    let long = Block {
        piece: 0,
        begin: 0,
        length: 1 << 31,
    };
    assert_eq!(
        bad(vec![Message::Have(PIECES)]),
        Some(CloseReason::BadIndex)
    );
    assert_eq!(
        bad(vec![Message::Request(long)]),
        Some(CloseReason::BadRequest)
    );
    assert_eq!(
        bad(vec![Message::Reject(block(0, 0))]),
        Some(CloseReason::BadReject)
    );
    let spare = Bytes::from_static(&[0xff; 6]);
    assert_eq!(
        bad(vec![Message::Bitfield(spare)]),
        Some(CloseReason::BadBitfield)
    );
    let facts = Message::Extended {
        id: 0,
        payload: Bytes::from_static(b"i3e"),
    };
    assert_eq!(bad(vec![facts]), Some(CloseReason::BadMetadata));
    assert_eq!(bad(vec![piece(block(0, 0)); 7]), None);
    assert_eq!(
        bad(vec![piece(block(0, 0)); 8]),
        Some(CloseReason::Unrequested)
    );
}

#[test]
fn choked_requests_go_to_another() {
    let mut script = Script::with(settings(0), |piece| piece != 7);
    let (first, second) = (script.accept(1), script.accept(2));
    let asked = requests(&script.say(first, vec![Message::HaveAll, Message::Unchoke]));
    assert_eq!(asked.len(), 2);
    script.say(second, vec![Message::HaveAll]);
    script
        .torrent
        .handle_messages(script.now, first, vec![Message::Choke]);
    assert_eq!(requests(&script.say(second, vec![Message::Unchoke])), asked);
    // What the first sends all the same is no crime, and cancels the second request.
    script
        .torrent
        .handle_messages(script.now, first, vec![piece(asked[0])]);
    assert_eq!(script.heard(second), [Message::Cancel(asked[0])]);
}

/// Rows P15: what a peer allows although it chokes us is asked for once.
#[test]
fn allowed_fast_pieces_are_asked_for_while_choked() {
    let mut script = Script::leecher();
    let key = script.accept(1);
    script.say(key, vec![Message::HaveAll]);
    let asked = requests(&script.say(key, vec![Message::AllowedFast(9)]));
    assert_eq!(asked, [block(9, 0), block(9, 1)]);
    // A reject ends it: no loop.
    let rejects = asked.iter().copied().map(Message::Reject).collect();
    assert!(requests(&script.say(key, rejects)).is_empty());
}

/// Rows P18: our own address is called once, and never again.
#[test]
fn who_is_named_to_himself_calls_once_and_knows_better_then() {
    let mut script = Script::leecher();
    let (now, hello) = (script.now, script.torrent.handshake());
    let us = Endpoint {
        port: settings(0).listen_port.unwrap(),
        ..address(7)
    };
    let found = [us, address(1)];
    assert_eq!(script.torrent.add_peers(now, PeerSource::Dht, found), 2);
    let dialled = |script: &mut Script| {
        std::iter::from_fn(|| script.torrent.poll_action())
            .filter(|action| matches!(action, Action::Dial { endpoint, .. } if *endpoint == us))
            .count()
    };
    assert_eq!(dialled(&mut script), 1);
    // What arrives is our own call, from another port of the same host.
    let caller = Endpoint { port: 50_000, ..us };
    let refused = script.torrent.accept(now, caller, &hello);
    assert_eq!(refused, Err(Refusal::Ourself));
    assert_eq!(script.torrent.add_peers(now, PeerSource::Dht, found), 1);
    for hour in 1..9 {
        let later = now + Duration::from_secs(3_600) * hour;
        script.torrent.add_peers(later, PeerSource::Dht, [us]);
        script.torrent.handle_timeout(later);
        assert_eq!(dialled(&mut script), 0);
    }
}

/// Rows P17, P18, P19: the same host, the same id, ourselves and another torrent are turned away.
#[test]
fn unwelcome_callers() {
    let mut script = Script::leecher();
    let (now, hello) = (script.now, script.hello(1));
    let ours = script.torrent.handshake();
    assert_eq!(
        script.torrent.accept(now, address(1), &ours),
        Err(Refusal::Ourself)
    );
    let other = Handshake {
        info_hash: crate::metainfo::InfoHash([0; 20]),
        ..hello
    };
    assert_eq!(
        script.torrent.accept(now, address(1), &other),
        Err(Refusal::WrongInfoHash)
    );
    let private = "10.0.0.1:5".parse().unwrap();
    assert_eq!(
        script.torrent.accept(now, private, &hello),
        Err(Refusal::Address)
    );
    script.accept(1);
    assert_eq!(
        script.torrent.accept(now, address(2), &hello),
        Err(Refusal::Duplicate)
    );
    script.torrent.shutdown(now);
    assert_eq!(
        script.torrent.accept(now, address(3), &script.hello(3)),
        Err(Refusal::Ended)
    );
}

#[test]
fn a_silent_connection_gives_way_to_a_new_one_of_its_host() {
    let mut script = Script::leecher();
    let old = script.accept(1);
    let again = Endpoint {
        port: 50_001,
        ..address(1)
    };
    script.now += Duration::from_secs(20);
    script.say(old, vec![Message::HaveAll]);
    let hello = script.hello(1);
    script.now += Duration::from_secs(9);
    let refused = script.torrent.accept(script.now, again, &hello);
    assert_eq!(refused, Err(Refusal::Duplicate));
    script.now += Duration::from_secs(1);
    assert!(script.torrent.accept(script.now, again, &hello).is_ok());
    let closed = std::iter::from_fn(|| script.torrent.poll_action()).find_map(|a| match a {
        Action::Close { peer, reason } => Some((peer, reason)),
        _ => None,
    });
    assert_eq!(closed, Some((old, CloseReason::Idle)));
}

/// Rows P2: of a full torrent the idle go first.
#[test]
fn idle_peers_make_room() {
    let few = Settings {
        max_peers: 3,
        ..settings(0)
    };
    let mut script = Script::with(few, |_| false);
    let keys: Vec<PeerKey> = (1..=3).map(|id| script.accept(id)).collect();
    let hello = script.hello(9);
    assert_eq!(
        script.torrent.accept(script.now, address(9), &hello),
        Err(Refusal::Full)
    );
    script.say(keys[0], vec![Message::HaveAll]);
    script.now += Duration::from_secs(60);
    assert!(
        script
            .torrent
            .accept(script.now, address(9), &hello)
            .is_ok()
    );
    let closed = std::iter::from_fn(|| script.torrent.poll_action()).find_map(|a| match a {
        Action::Close { peer, reason } => Some((peer, reason)),
        _ => None,
    });
    assert_eq!(closed, Some((keys[1], CloseReason::Idle)));
}

/// Rows N18, A16: a private torrent takes nobody from DHT, peers or neighbours.
#[test]
fn private_torrents_take_no_strangers() {
    let info = info_of(&content(65_536), 32_768, "7:privatei1e");
    let now = start();
    let mut torrent = Torrent::from_info(info, settings(0), [5; 32], now);
    torrent.storage_ready(now, Bitfield::new(2));
    assert!(!torrent.may_search());
    torrent.add_peers(now, PeerSource::Dht, [address(1)]);
    assert!(torrent.poll_action().is_none());
    torrent.add_peers(now, PeerSource::Tracker, [address(1)]);
    assert!(matches!(torrent.poll_action(), Some(Action::Dial { .. })));
}

#[test]
fn the_endgame_cancels_the_slower_copy() {
    let mut script = Script::with(settings(0), |piece| piece != 0);
    let (first, second) = (script.accept(1), script.accept(2));
    let asked = requests(&script.say(first, vec![Message::HaveAll, Message::Unchoke]));
    let mut again = requests(&script.say(second, vec![Message::HaveAll, Message::Unchoke]));
    again.reverse();
    assert_eq!(asked, again);
    script
        .torrent
        .handle_messages(script.now, second, vec![piece(asked[0])]);
    assert_eq!(script.heard(first), [Message::Cancel(asked[0])]);
}

fn any_message() -> impl Strategy<Value = Message> {
    let block =
        (0..PIECES + 2, 0u32..40_000, 0u32..20_000).prop_map(|(piece, begin, length)| Block {
            piece,
            begin,
            length,
        });
    let bytes = prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from);
    prop_oneof![
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        Just(Message::HaveAll),
        Just(Message::HaveNone),
        (0..PIECES + 1).prop_map(Message::Have),
        (0..PIECES).prop_map(Message::AllowedFast),
        block.clone().prop_map(Message::Request),
        block.clone().prop_map(Message::Cancel),
        block.clone().prop_map(Message::Reject),
        block.prop_map(piece),
        (0u32..PIECES, 0u32..2).prop_map(|(p, n)| piece(super::cast::block(p, n))),
        bytes.clone().prop_map(Message::Bitfield),
        (0u8..4, bytes).prop_map(|(id, payload)| Message::Extended { id, payload }),
        any::<u16>().prop_map(Message::Port),
    ]
}

proptest! {
    #[test]
    fn nothing_a_peer_says_breaks_the_machine(
        batches in prop::collection::vec((0u8..4, prop::collection::vec(any_message(), 1..8)), 0..40),
        known in any::<bool>(),
    ) {
        let mut script = Script::with(settings(0), |piece| piece % 2 == 0);
        if !known {
            let hash = script.torrent.handshake().info_hash;
            script.torrent = Torrent::from_hash(hash, settings(0), [1; 32], script.now);
        }
        let mut keys: Vec<PeerKey> = (1..=4).map(|id| script.accept(id)).collect();
        let mut id = 10;
        for (peer, batch) in batches {
            script.now += Duration::from_millis(700);
            script.torrent.handle_messages(script.now, keys[peer as usize], batch);
            script.torrent.handle_timeout(script.now);
            while let Some(action) = script.torrent.poll_action() {
                match action {
                    Action::Close { peer, .. } => {
                        let place = keys.iter().position(|key| *key == peer).unwrap();
                        keys[place] = script.accept(id);
                        id += 1;
                    }
                    Action::Disk(Job::Store { piece, blocks, .. }) => {
                        let reply = Reply::Mismatch { piece, digests: vec![[0; 20]; blocks.len()] };
                        script.torrent.handle_disk(script.now, reply);
                    }
                    Action::Disk(Job::Read { peer, block }) => {
                        let data = vec![0; block.length as usize].into();
                        script.torrent.handle_disk(script.now, Reply::Block { peer, block, data });
                    }
                    Action::Send { .. } | Action::Dial { .. } => {}
                }
            }
            prop_assert!(script.torrent.next_timeout() > script.now);
            script.torrent.snapshot(script.now);
        }
    }
}
