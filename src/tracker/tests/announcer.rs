//! Whole lives of a torrent's trackers in virtual time: order, failover, silence, events, pauses.

use std::time::{Duration, Instant};

use super::super::announcer::{LATER_PATIENCE, PATIENCE};
use super::super::{
    AnnounceEvent, Announcer, Ask, Failure, MAX_PEERS, Reach, Reply, Settings, Totals, TrackerState,
};
use super::now;
use crate::metainfo::InfoHash;
use crate::wire::PeerId;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// A torrent's trackers and the time.
pub(super) struct Stage {
    pub(super) machine: Announcer,
    pub(super) now: Instant,
}

impl Stage {
    fn with(reach: Reach, tiers: &[&[&str]]) -> Stage {
        let now = now();
        let tiers: Vec<Vec<String>> = tiers
            .iter()
            .map(|tier| {
                tier.iter()
                    .map(|host| format!("http://{host}/announce"))
                    .collect()
            })
            .collect();
        let settings = Settings {
            info_hash: InfoHash([1; 20]),
            peer_id: PeerId([2; 20]),
            port: 6881,
            reach,
        };
        let machine = Announcer::new(settings, &tiers, totals(0, 1000), [3; 32], now);
        Stage { machine, now }
    }

    pub(super) fn new(tiers: &[&[&str]]) -> Stage {
        Stage::with(Reach::First, tiers)
    }

    /// Lets time pass, waking the machine whenever it wants.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<Ask> {
        let end = self.now + time;
        let mut asked = Vec::new();
        while let Some(due) = self.machine.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.machine.handle_timeout(self.now);
            asked.extend(self.asks());
            assert!(asked.len() < 10_000, "the machine never sleeps");
        }
        self.now = end;
        asked
    }

    pub(super) fn asks(&mut self) -> Vec<Ask> {
        std::iter::from_fn(|| self.machine.poll_ask()).collect()
    }

    /// The only question that is asked now.
    pub(super) fn ask(&mut self) -> Ask {
        let mut asks = self.pass(Duration::ZERO);
        asks.extend(self.asks());
        assert_eq!(asks.len(), 1, "{asks:?}");
        asks.remove(0)
    }

    pub(super) fn fail(&mut self, ask: &Ask, failure: Failure) {
        self.machine.handle_answer(self.now, ask.id, Err(failure));
    }

    pub(super) fn answer(&mut self, ask: &Ask, reply: Reply) {
        self.machine.handle_answer(self.now, ask.id, Ok(reply));
    }

    pub(super) fn peers(&mut self) -> usize {
        std::iter::from_fn(|| self.machine.poll_peers())
            .map(|peers| peers.len())
            .sum()
    }
}

pub(super) fn totals(downloaded: u64, left: u64) -> Totals {
    Totals {
        uploaded: 7,
        downloaded,
        left,
    }
}

pub(super) fn good(peers: u16) -> Reply {
    Reply {
        interval: Duration::from_secs(1800),
        min_interval: Some(Duration::from_secs(300)),
        peers: (1..=peers)
            .map(|port| bencode::Endpoint::new([192, 0, 2, 1].into(), port))
            .collect(),
        ..Reply::default()
    }
}

pub(super) fn host(ask: &Ask) -> &str {
    ask.url.host()
}

#[test]
fn the_first_question_is_started_and_its_peers_arrive() {
    let mut stage = Stage::new(&[&["a"]]);
    let ask = stage.ask();
    let announce = &ask.announce;
    assert_eq!(
        (announce.event, announce.left, announce.port),
        (AnnounceEvent::Started, 1000, 6881)
    );
    assert!(announce.numwant.is_some_and(|count| count > 0));
    stage.answer(&ask, good(3));
    assert_eq!(stage.peers(), 3);
    // Nothing before the interval, then a plain announce with the totals of then.
    assert!(stage.pass(1799 * SECOND).is_empty());
    stage.machine.set_totals(totals(400, 600));
    let next = stage.pass(100 * SECOND);
    assert_eq!(next.len(), 1);
    assert_eq!(
        (next[0].announce.event, next[0].announce.left),
        (AnnounceEvent::None, 600)
    );
    assert_eq!(next[0].announce.key, announce.key);
}

#[test]
fn a_refused_tracker_is_followed_by_the_next_at_once() {
    let mut stage = Stage::new(&[&["a"], &["b"]]);
    let first = stage.ask();
    assert_eq!(host(&first), "a");
    stage.fail(&first, Failure::Refused);
    let second = stage.ask();
    assert_eq!(
        (host(&second), second.announce.event),
        ("b", AnnounceEvent::Started)
    );
}

#[test]
fn a_silent_tracker_is_passed_over_and_may_answer_late() {
    let mut stage = Stage::new(&[&["a"], &["b"], &["c"]]);
    let first = stage.ask();
    assert!(stage.pass(PATIENCE - SECOND / 10).is_empty());
    let second = stage.pass(SECOND / 10);
    assert_eq!(second.iter().map(host).collect::<Vec<_>>(), ["b"]);
    let third = stage.pass(LATER_PATIENCE);
    assert_eq!(third.iter().map(host).collect::<Vec<_>>(), ["c"]);
    stage.answer(&third[0], good(1));
    assert_eq!(stage.peers(), 1);
    // Both others answer after all: nothing is lost, nothing is asked twice.
    stage.answer(&first, good(5));
    stage.answer(&second[0], good(7));
    assert_eq!(stage.peers(), 12);
    assert!(stage.pass(200 * SECOND).is_empty());
}

#[test]
fn within_a_tier_and_then_to_the_next() {
    let mut stage = Stage::new(&[&["a", "b", "c"], &["d"]]);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let ask = stage.ask();
        seen.push(host(&ask).to_owned());
        stage.fail(&ask, Failure::Status(500));
    }
    assert_eq!(seen.pop().as_deref(), Some("d"));
    seen.sort();
    assert_eq!(seen, ["a", "b", "c"]);
}

#[test]
fn tiers_are_shuffled_by_the_seed() {
    let hosts: Vec<String> = (0..8).map(|i| format!("http://h{i}/announce")).collect();
    let settings = || Settings {
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId([2; 20]),
        port: 1,
        reach: Reach::First,
    };
    let order = |seed| {
        let machine = Announcer::new(
            settings(),
            std::slice::from_ref(&hosts),
            totals(0, 1),
            [seed; 32],
            now(),
        );
        machine
            .statuses()
            .into_iter()
            .map(|status| status.url)
            .collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    let distinct: std::collections::BTreeSet<_> = (0..20).map(order).collect();
    assert!(distinct.len() > 10, "{}", distinct.len());
}

#[test]
fn who_worked_moves_to_the_front_of_its_tier() {
    let mut stage = Stage::new(&[&["a", "b", "c"]]);
    let first = stage.ask();
    stage.fail(&first, Failure::Refused);
    let second = stage.ask();
    stage.answer(&second, good(0));
    assert_eq!(
        stage.machine.statuses()[0].url,
        format!("http://{}/announce", host(&second))
    );
    // At the interval it is asked first, though the other has recovered.
    let next = stage.pass(2000 * SECOND);
    assert_eq!(host(&next[0]), host(&second));
}

#[test]
fn a_higher_tier_is_tried_again_when_it_is_time() {
    let mut stage = Stage::new(&[&["a"], &["b"]]);
    let first = stage.ask();
    stage.fail(&first, Failure::Refused);
    let second = stage.ask();
    stage.answer(&second, good(1));
    // The interval of the one that works, not the pause of the one that does not.
    assert!(stage.pass(1790 * SECOND).is_empty());
    let again = stage.pass(200 * SECOND);
    assert_eq!(again.iter().map(host).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(again[0].announce.event, AnnounceEvent::Started);
    assert_eq!(again[1].announce.event, AnnounceEvent::None);
}

/// Rows N3: the pause grows from 15 s to half an hour.
#[test]
fn dead_trackers_are_asked_less_and_less() {
    let mut stage = Stage::new(&[&["a"]]);
    let mut ask = stage.ask();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        stage.fail(&ask, Failure::Refused);
        let before = stage.now;
        let due = stage.machine.next_timeout().expect("it is tried again");
        pauses.push((due - before).as_secs_f64());
        stage.now = due;
        ask = stage.ask();
    }
    assert!((15.0..19.0).contains(&pauses[0]), "{pauses:?}");
    assert!((30.0..38.0).contains(&pauses[1]), "{pauses:?}");
    assert!((1800.0..2251.0).contains(&pauses[9]), "{pauses:?}");
    // One good answer and all is forgiven.
    stage.answer(&ask, good(0));
    let next = stage.pass(1900 * SECOND);
    stage.fail(&next[0], Failure::Refused);
    let due = stage.machine.next_timeout().expect("it is tried again");
    assert!(due - stage.now < 20 * SECOND);
}

#[test]
fn a_tracker_that_says_no_is_left_alone_longer() {
    let mut stage = Stage::new(&[&["a"]]);
    let ask = stage.ask();
    stage.fail(&ask, Failure::Reason("unregistered torrent".into()));
    assert!(stage.pass(299 * SECOND).is_empty());
    assert_eq!(stage.pass(100 * SECOND).len(), 1);
    let status = &stage.machine.statuses()[0];
    assert_eq!(
        status.last,
        Some(Err(Failure::Reason("unregistered torrent".into())))
    );
}

#[test]
fn intervals_are_bounded_on_both_sides() {
    for (said, least, most) in [(0, 60, 64), (1, 60, 64), (u32::MAX, 86_400, 90_721)] {
        let mut stage = Stage::new(&[&["a"]]);
        let ask = stage.ask();
        let interval = Duration::from_secs(said.into());
        stage.answer(
            &ask,
            Reply {
                interval,
                ..Reply::default()
            },
        );
        let due = (stage.machine.next_timeout().expect("a round") - stage.now).as_secs();
        assert!((least..most).contains(&due), "{said}: {due}");
    }
}

#[test]
fn want_of_peers_hastens_the_round_up_to_the_min_interval() {
    let mut stage = Stage::new(&[&["a"]]);
    let ask = stage.ask();
    stage.answer(&ask, good(0));
    stage.machine.wanted(stage.now);
    assert!(stage.pass(299 * SECOND).is_empty());
    let early = stage.pass(SECOND);
    assert_eq!(early.len(), 1);
    // Without a min interval, the interval is one.
    stage.answer(
        &early[0],
        Reply {
            min_interval: None,
            ..good(0)
        },
    );
    stage.machine.wanted(stage.now);
    assert!(stage.pass(1799 * SECOND).is_empty());
}

#[test]
fn every_tier_has_a_round_of_its_own() {
    let mut stage = Stage::with(Reach::EveryTier, &[&["a", "b"], &["c"], &["d"]]);
    let asks = stage.pass(Duration::ZERO);
    assert_eq!(asks.len(), 3);
    stage.fail(&asks[0], Failure::Refused);
    assert_eq!(stage.asks().len(), 1, "failover within the tier");
    stage.fail(&asks[1], Failure::Refused);
    assert!(stage.asks().is_empty(), "and not beyond");
}

#[test]
fn a_tracker_id_is_sent_back_until_there_is_a_new_one() {
    let mut stage = Stage::new(&[&["a"]]);
    let mut ask = stage.ask();
    for (given, expected) in [
        (Some("x"), Some("x")),
        (None, Some("x")),
        (Some("y"), Some("y")),
    ] {
        let tracker_id = given.map(|id| id.as_bytes().to_vec());
        stage.answer(
            &ask,
            Reply {
                tracker_id,
                ..good(0)
            },
        );
        ask = stage.pass(2000 * SECOND).remove(0);
        assert_eq!(
            ask.announce.tracker_id.as_deref(),
            expected.map(str::as_bytes)
        );
    }
}

#[test]
fn urls_that_are_not_asked_are_shown_and_passed_over() {
    let now = now();
    let settings = Settings {
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId([2; 20]),
        port: 6881,
        reach: Reach::First,
    };
    let tiers = [
        vec!["http://a:0/announce".to_owned()],
        vec!["udp://b:1/x".to_owned(), "udp://b:1/x".to_owned()],
    ];
    let mut machine = Announcer::new(settings, &tiers, totals(0, 1), [3; 32], now);
    machine.handle_timeout(now);
    let ask = machine.poll_ask().expect("the second tier");
    assert_eq!(host(&ask), "b");
    let statuses = machine.statuses();
    assert_eq!(statuses.len(), 2, "a URL counts once");
    assert!(matches!(statuses[0].last, Some(Err(Failure::Url(_)))));
    assert_eq!(statuses[0].next, None);
    assert!(matches!(statuses[1].state, TrackerState::Asked { .. }));
    assert_eq!(statuses[1].name, "udp://b:1");
}

#[test]
fn without_any_usable_tracker_it_sleeps_for_ever() {
    let mut stage = Stage::new(&[]);
    assert!(stage.pass(SECOND).is_empty());
    assert_eq!(stage.machine.next_timeout(), None);
    let tiers: Vec<Vec<String>> = vec![(0..200).map(|i| format!("http://h{i}/a")).collect()];
    let settings = Settings {
        info_hash: InfoHash([1; 20]),
        peer_id: PeerId([2; 20]),
        port: 1,
        reach: Reach::First,
    };
    let machine = Announcer::new(settings, &tiers, totals(0, 1), [3; 32], stage.now);
    assert_eq!(machine.statuses().len(), 64);
}

#[test]
fn any_sequence_of_answers_keeps_the_promises() {
    use rand::{RngExt, SeedableRng};
    for seed in 0..200_u64 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let reach = if seed % 2 == 0 {
            Reach::First
        } else {
            Reach::EveryTier
        };
        let mut stage = Stage::with(reach, &[&["a", "b"], &["c"], &["d", "e", "f"]]);
        let mut open: Vec<Ask> = Vec::new();
        let mut started = std::collections::BTreeMap::<String, u32>::new();
        for step in 0..300 {
            for ask in stage
                .pass(Duration::from_millis(rng.random_range(0..20_000)))
                .into_iter()
                .chain(stage.asks())
            {
                let of_host = open
                    .iter()
                    .filter(|other| host(other) == host(&ask))
                    .count();
                assert_eq!(of_host, 0, "two questions at once to {}", host(&ask));
                let known = started.entry(host(&ask).to_owned()).or_default();
                assert_eq!(
                    ask.announce.event == AnnounceEvent::Started,
                    *known == 0,
                    "seed {seed}"
                );
                open.push(ask);
            }
            if step == 150 {
                stage.machine.set_totals(totals(1000, 0));
                stage.machine.completed(stage.now);
            }
            while !open.is_empty() && rng.random_range(0..3) > 0 {
                let ask = open.swap_remove(rng.random_range(0..open.len()));
                if rng.random_range(0..2) == 0 {
                    *started.entry(host(&ask).to_owned()).or_default() = 1;
                    stage.answer(&ask, good(2));
                } else {
                    stage.fail(&ask, Failure::Silent);
                }
            }
            assert!(stage.peers() <= 6 * MAX_PEERS);
        }
        let asleep = stage.machine.next_timeout().is_none();
        assert!(
            !asleep || !open.is_empty(),
            "seed {seed}: nothing will ever happen again"
        );
    }
}

/// Rows N1, N2: what failed while our own link was down is tried as soon as it is back; who answered hears of
/// a new address after a minute at the earliest; who said no is left alone.
#[test]
fn a_changed_network_is_told_to_the_trackers() {
    let mut stage = Stage::with(Reach::EveryTier, &[&["dead"], &["good"], &["no"]]);
    let mut first = stage.asks();
    first.extend(stage.pass(Duration::ZERO));
    for ask in first {
        let answer = match ask.url.host() {
            "dead" => Err(Failure::Unreachable),
            "good" => Ok(Reply {
                interval: 30 * 60 * SECOND,
                ..Reply::default()
            }),
            _ => Err(Failure::Reason("go away".into())),
        };
        stage.machine.handle_answer(stage.now, ask.id, answer);
    }
    stage.machine.network_changed(stage.now + SECOND);
    stage.now += SECOND;
    let hosts = |asks: Vec<Ask>| -> Vec<String> {
        asks.iter().map(|ask| ask.url.host().to_owned()).collect()
    };
    assert_eq!(hosts(stage.pass(10 * SECOND)), ["dead"]);
    assert_eq!(hosts(stage.pass(55 * SECOND)), ["good"]);
    assert!(hosts(stage.pass(60 * SECOND)).is_empty());
}
