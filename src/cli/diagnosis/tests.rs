//! Every sentence, word by word, and the moments when none is said.

use std::time::Instant;

use dht::{Id, LookupReport};

use super::*;
use crate::io::{DhtStatus, Privacy, SearchStatus, Status, Timeline};
use crate::metainfo::InfoHash;
use crate::swarm::{Settings, Torrent};
use crate::tracker::{TrackerState, TrackerStatus};

struct Stage {
    status: Status,
    dht: DhtStatus,
    trackers: Vec<TrackerStatus>,
    now: Instant,
}

/// A torrent that looks for peers, the DHT joined, one lookup done with this many found, the next one
/// in twenty seconds.
fn stage(found: usize) -> Stage {
    let now = Instant::now();
    let torrent = Torrent::from_hash(InfoHash([1; 20]), Settings::default(), [0; 32], now);
    let last = LookupReport {
        target: Id::from([1; 20]),
        asked: 40,
        answered: 31,
        timed_out: 9,
        hops: 3,
        closest_bits: 17,
        peers: found,
        announced: 8,
        repeated: 0,
        elapsed: Duration::from_secs(1),
        closest: Vec::new(),
    };
    let search = SearchStatus {
        running: None,
        last: Some(last),
        ended: 1,
        next: Some(now + Duration::from_secs(20)),
    };
    let status = Status {
        snapshot: torrent.snapshot(now),
        checking: None,
        search,
        privacy: Privacy::Unknown,
        timeline: Timeline::default(),
    };
    let dht = DhtStatus {
        nodes: 50,
        ..DhtStatus::default()
    };
    Stage {
        status,
        dht,
        trackers: Vec::new(),
        now,
    }
}

impl Stage {
    fn with(mut self, why: Why) -> Stage {
        self.status.snapshot.why = why;
        self
    }

    fn says(&self) -> Option<String> {
        self.scene(Some(&self.dht)).diagnosis()
    }

    fn says_without_dht(&self) -> Option<String> {
        self.scene(None).diagnosis()
    }

    fn scene<'a>(&'a self, dht: Option<&'a DhtStatus>) -> Scene<'a> {
        Scene {
            status: &self.status,
            dht,
            trackers: &self.trackers,
            bootstrap: 7,
            name: "x",
            paused: None,
            now: self.now,
            elapsed: Duration::from_secs(6),
        }
    }
}

/// Two refused, one silent; the next try in twelve seconds.
const VAIN: Why = Why {
    known: 3,
    tried: 3,
    refused: 2,
    timed_out: 1,
    failed: 0,
    banned: 0,
    waiting: 3,
    next_try: Some(Duration::from_secs(12)),
};

#[test]
fn everybody_was_tried_in_vain() {
    let said = stage(3).with(VAIN).says();
    let expected = "3 peers known, none connected: 2 refused, 1 timed out; next try in 12 s, next \
                    lookup in 20 s";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn the_banned_and_the_odd_are_told_apart() {
    let why = Why {
        known: 4,
        tried: 2,
        refused: 0,
        timed_out: 1,
        failed: 1,
        banned: 2,
        waiting: 2,
        next_try: Some(Duration::ZERO),
    };
    let mut stage = stage(4).with(why);
    stage.status.search.next = None;
    let expected = "4 peers known, none connected: 1 timed out, 1 failed otherwise, 2 banned; the next \
                    try is due now, the lookup goes on";
    assert_eq!(stage.says().as_deref(), Some(expected));
}

#[test]
fn nobody_announces_it() {
    let said = stage(0).says();
    let expected = "asked 40 nodes up to 17 shared bits; nobody announces this torrent; next lookup in \
                    20 s";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn nothing_is_said_while_somebody_may_still_answer() {
    let trying = Why {
        known: 4,
        waiting: 3,
        ..VAIN
    };
    assert_eq!(stage(4).with(trying).says(), None);
    let mut connected = stage(3).with(VAIN);
    connected.status.snapshot.peers.connected = 1;
    assert_eq!(connected.says(), None);
    let mut first_lookup = stage(0);
    first_lookup.status.search.last = None;
    assert_eq!(first_lookup.says(), None);
}

#[test]
fn offline() {
    let mut stage = stage(0);
    stage.dht.nodes = 0;
    assert!(
        stage
            .says()
            .unwrap()
            .starts_with("no UDP answer from any of 7 bootstrap")
    );
}

#[test]
fn without_the_dht() {
    let expected = "3 peers known, none connected: 2 refused, 1 timed out, and the DHT is off; next try \
                    in 12 s";
    let said = stage(0).with(VAIN).says_without_dht();
    assert_eq!(said.as_deref(), Some(expected));
    let said = stage(0).says_without_dht();
    let expected =
        "no peer is known, and the DHT is off; waiting for a peer that calls or is named";
    assert_eq!(said.as_deref(), Some(expected));
}

#[test]
fn of_a_private_torrent_no_lookup_is_promised() {
    let mut stage = stage(0).with(VAIN);
    stage.status.privacy = Privacy::Private;
    let expected = "3 peers known, none connected: 2 refused, 1 timed out, and the torrent is private, so \
                    strangers are not asked; next try in 12 s";
    assert_eq!(stage.says().as_deref(), Some(expected));
}

#[test]
fn the_next_announce_is_joined() {
    let mut stage = stage(0);
    let silent = TrackerStatus {
        url: "http://t/secret/announce".into(),
        name: "http://t:80".into(),
        tier: 0,
        state: TrackerState::Failed,
        last: None,
        next: None,
        seeders: None,
        leechers: None,
        warning: None,
    };
    let due = |seconds| TrackerStatus {
        next: Some(stage.now + Duration::from_secs(seconds)),
        ..silent.clone()
    };
    stage.trackers = vec![due(45), silent.clone(), due(30)];
    let said = stage.says().unwrap();
    assert!(
        said.ends_with("; next lookup in 20 s, next announce in 30 s"),
        "{said}"
    );
    let expected = "no peer is known, and the DHT is off; next announce in 30 s";
    assert_eq!(stage.says_without_dht().as_deref(), Some(expected));
    let mut stage = stage.with(VAIN);
    stage.status.privacy = Privacy::Private;
    let said = stage.says().unwrap();
    assert!(
        said.ends_with("; next try in 12 s, next announce in 30 s"),
        "{said}"
    );
}
