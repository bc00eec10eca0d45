//! Exchanges over virtual time: what a peer is told, what it may tell, and two of them together.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Endpoint};
use pex::{
    Exchange, FIRST_ADDED_MAX, FIRST_DELAY, Flags, INTERVAL, LATER_ADDED_MAX, Message, Recent,
    Violation,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

const SECOND: Duration = Duration::from_secs(1);

#[expect(
    clippy::disallowed_methods,
    reason = "an origin; all else is added to it"
)]
fn origin() -> Instant {
    Instant::now()
}

/// The n-th of some thousand public endpoints, every fifth in IPv6.
fn peer(n: u16) -> Endpoint {
    let [high, low] = n.to_be_bytes();
    let text = if n.is_multiple_of(5) {
        format!("[2606:4700::{n:x}]:6881")
    } else {
        format!("11.7.{high}.{low}:6881")
    };
    text.parse().expect("test endpoints are well formed")
}

fn peers(range: std::ops::Range<u16>) -> Vec<(Endpoint, Flags)> {
    range.map(|n| (peer(n), Flags::REACHABLE)).collect()
}

fn payload(added: Vec<(Endpoint, Flags)>) -> Vec<u8> {
    Message {
        added,
        dropped: Vec::new(),
    }
    .encode()
}

/// An exchange that has told `told`, and the time when it may speak again.
fn after_telling(told: Vec<(Endpoint, Flags)>) -> (Exchange, Instant) {
    let mut exchange = Exchange::new(origin());
    let now = exchange.next_timeout();
    assert!(say(&mut exchange, now, told).is_some());
    let next = exchange.next_timeout();
    assert_eq!(next, now + INTERVAL);
    (exchange, next)
}

/// What `exchange` says when nobody was left lately.
fn say(
    exchange: &mut Exchange,
    now: Instant,
    connected: impl IntoIterator<Item = (Endpoint, Flags)>,
) -> Option<Vec<u8>> {
    exchange.update(now, connected, &Recent::default())
}

fn told(payload: Option<Vec<u8>>) -> Message {
    Message::parse(&payload.expect("it is time and there is news")).expect("ours is well formed")
}

#[test]
fn the_first_message_comes_soon_and_is_full() {
    let start = origin();
    let mut exchange = Exchange::new(start);
    assert_eq!(exchange.next_timeout(), start + FIRST_DELAY);
    assert_eq!(say(&mut exchange, start, peers(0..300)), None);
    let message = told(say(&mut exchange, start + FIRST_DELAY, peers(0..300)));
    assert_eq!(message.added.len(), FIRST_ADDED_MAX);
    assert!(message.dropped.is_empty());
    assert!(message.encode().len() < 5 << 10);
}

#[test]
fn later_messages_carry_fifty_until_all_is_told() {
    let (mut exchange, mut now) = after_telling(peers(0..300));
    for expected in [50, 50] {
        assert_eq!(say(&mut exchange, now - SECOND, peers(0..300)), None);
        assert_eq!(
            told(say(&mut exchange, now, peers(0..300))).added.len(),
            expected
        );
        now += INTERVAL;
    }
    assert_eq!(say(&mut exchange, now, peers(0..300)), None);
    assert_eq!(exchange.stats().sent, 3);
}

#[test]
fn who_left_is_dropped_fifty_at_a_time() {
    let (mut exchange, now) = after_telling(peers(0..120));
    let lengths = (0..4).map(|minute| {
        let payload = say(&mut exchange, now + INTERVAL * minute, []);
        payload.map_or(0, |payload| Message::parse(&payload).unwrap().dropped.len())
    });
    assert_eq!(lengths.collect::<Vec<_>>(), [50, 50, 20, 0]);
}

#[test]
fn only_the_difference_is_told() {
    let (mut exchange, now) = after_telling(peers(0..10));
    let message = told(say(&mut exchange, now, peers(3..12)));
    let added: BTreeSet<_> = message
        .added
        .iter()
        .map(|(endpoint, _)| *endpoint)
        .collect();
    assert_eq!(added, BTreeSet::from([peer(10), peer(11)]));
    let dropped: BTreeSet<_> = message.dropped.into_iter().collect();
    assert_eq!(dropped, BTreeSet::from([peer(0), peer(1), peer(2)]));
}

#[test]
fn transient_peers_are_never_mentioned() {
    let (mut exchange, now) = after_telling(peers(0..3));
    // Came and left, or left and came back, between two messages.
    assert_eq!(say(&mut exchange, now - SECOND * 30, peers(0..9)), None);
    assert_eq!(say(&mut exchange, now - SECOND * 20, peers(1..2)), None);
    assert_eq!(say(&mut exchange, now, peers(0..3)), None);
}

#[test]
fn silence_is_not_a_message_and_waits_no_minute() {
    let start = origin();
    let mut exchange = Exchange::new(start);
    assert_eq!(say(&mut exchange, start + FIRST_DELAY, []), None);
    let next = exchange.next_timeout();
    assert!(next > start + FIRST_DELAY && next < start + INTERVAL);
    assert_eq!(
        told(say(&mut exchange, next, peers(0..130))).added.len(),
        130
    );
}

#[test]
fn an_endpoint_that_nobody_can_call_is_not_told() {
    let mut exchange = Exchange::new(origin());
    let portless = Endpoint { port: 0, ..peer(1) };
    assert_eq!(
        say(
            &mut exchange,
            origin() + INTERVAL,
            [(portless, Flags::NONE)]
        ),
        None
    );
}

#[test]
fn candidates_are_cut_at_200_then_at_50() {
    let mut exchange = Exchange::new(origin());
    let policy = AddressPolicy::default();
    let mut now = origin();
    for (sent, kept) in [(300, FIRST_ADDED_MAX), (300, LATER_ADDED_MAX), (50, 50)] {
        let found = exchange
            .handle_message(now, &payload(peers(0..sent)), &policy)
            .unwrap();
        assert_eq!(found.len(), kept);
        now += INTERVAL;
    }
    assert_eq!(exchange.stats().excess, 100 + 250);
    assert_eq!(exchange.stats().received, 3);
}

#[test]
fn candidates_pass_the_address_policy() {
    let mut exchange = Exchange::new(origin());
    let bad = [
        "10.0.0.1:6881",
        "11.0.0.1:0",
        "127.0.0.1:80",
        "[ff02::1]:80",
        "11.0.0.9:6881",
        "11.0.0.2:25",
        "[2606:4700::2]:1023",
    ];
    let mut list: Vec<_> = bad.map(|text| (text.parse().unwrap(), Flags::NONE)).into();
    list.push((peer(1), Flags::SEED));
    let mut policy = AddressPolicy::default();
    policy.add_own("11.0.0.9:6881".parse().unwrap());
    let found = exchange.handle_message(origin(), &payload(list), &policy);
    assert_eq!(found, Ok(vec![(peer(1), Flags::SEED)]));
    assert_eq!(exchange.stats().refused, 7);
}

#[test]
fn one_address_is_one_candidate_except_on_loopback() {
    let ports = |ip: &str| -> Vec<_> {
        (2_001..=2_040)
            .map(|port| (format!("{ip}:{port}").parse().unwrap(), Flags::NONE))
            .collect()
    };
    let policy = AddressPolicy::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let mut exchange = Exchange::new(origin());
    let victim = exchange
        .handle_message(origin(), &payload(ports("11.0.0.1")), &policy)
        .unwrap();
    assert_eq!(victim, [("11.0.0.1:2001".parse().unwrap(), Flags::NONE)]);
    let local = exchange
        .handle_message(origin(), &payload(ports("127.0.0.1")), &policy)
        .unwrap();
    assert_eq!(local.len(), 40);
}

#[test]
fn two_messages_at_once_then_one_in_45_seconds() {
    let start = origin();
    let mut exchange = Exchange::new(start);
    let policy = AddressPolicy::default();
    let mut heard = |seconds: u64| {
        let now = start + SECOND * u32::try_from(seconds).unwrap();
        exchange
            .handle_message(now, &payload(peers(0..1)), &policy)
            .unwrap()
            .len()
            == 1
    };
    let heard: Vec<_> = [0, 0, 1, 44, 45, 46, 90, 200, 200].map(&mut heard).into();
    assert_eq!(
        heard,
        [true, true, false, false, true, false, true, true, true]
    );
    assert_eq!(exchange.stats().surplus, 3);
}

#[test]
fn a_flood_ends_the_connection() {
    let start = origin();
    let mut exchange = Exchange::new(start);
    let policy = AddressPolicy::default();
    let results: Vec<_> = (0..8)
        .map(|second| {
            let now = start + SECOND * second;
            exchange
                .handle_message(now, &payload(peers(0..1)), &policy)
                .map(|list| list.len())
        })
        .collect();
    assert_eq!(
        results[..7],
        [Ok(1), Ok(1), Ok(0), Ok(0), Ok(0), Ok(0), Ok(0)]
    );
    assert_eq!(results[7], Err(Violation::Flood));
}

#[test]
fn a_peer_somewhat_too_fast_is_ignored_but_stays() {
    let start = origin();
    let mut exchange = Exchange::new(start);
    let policy = AddressPolicy::default();
    for n in 0..500 {
        let now = start + SECOND * 15 * n;
        assert!(
            exchange
                .handle_message(now, &payload(peers(0..1)), &policy)
                .is_ok()
        );
    }
    assert!(exchange.stats().surplus > 300);
}

#[test]
fn the_third_malformed_message_ends_the_connection() {
    let mut now = origin();
    let mut exchange = Exchange::new(now);
    let policy = AddressPolicy::default();
    let too_large = vec![b'l'; 500 << 10];
    for (bad, expected) in [
        (b"d5:added5:aaaaae".as_slice(), Ok(Vec::new())),
        (too_large.as_slice(), Ok(Vec::new())),
        (b"d5:added0:e", Ok(Vec::new())),
        (b"", Err(Violation::Malformed)),
    ] {
        assert_eq!(exchange.handle_message(now, bad, &policy), expected);
        now += INTERVAL;
    }
    assert_eq!(
        (exchange.stats().malformed, exchange.stats().received),
        (3, 1)
    );
}

#[test]
fn our_pace_is_within_what_we_accept() {
    let mut now = origin();
    let (mut ours, mut theirs) = (Exchange::new(now), Exchange::new(now));
    let policy = AddressPolicy::default();
    let mut known = BTreeSet::new();
    for round in 0..30 {
        now = ours.next_timeout();
        if let Some(payload) = say(&mut ours, now, peers(0..250 + round)) {
            let found = theirs.handle_message(now, &payload, &policy).unwrap();
            known.extend(found.into_iter().map(|(endpoint, _)| endpoint));
        }
    }
    assert_eq!(known.len(), 279);
    assert_eq!((theirs.stats().surplus, theirs.stats().excess), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(22), failure_persistence: None, ..ProptestConfig::default()
    })]

    /// A naive listener applies every message to a set: it is never told nonsense, and once the
    /// connected set rests it knows exactly that set.
    #[test]
    fn what_is_told_converges_to_the_connected_set(
        steps in prop::collection::vec((0u16..400, 0u16..260, 1u32..200), 1..12),
    ) {
        let mut now = origin();
        let mut exchange = Exchange::new(now);
        let mut known: BTreeSet<Endpoint> = BTreeSet::new();
        let mut last_sent: Option<Instant> = None;
        let (from, count, _) = *steps.last().unwrap();
        let largest = steps.iter().map(|step| usize::from(step.1)).max().unwrap();
        let rest = std::iter::repeat_n((from, count, 60), 20);
        for (from, count, pause) in steps.iter().copied().chain(rest) {
            now += SECOND * pause;
            let Some(payload) = say(&mut exchange, now, peers(from..from + count)) else { continue };
            prop_assert!(last_sent.is_none_or(|last| now - last >= INTERVAL));
            let message = Message::parse(&payload).unwrap();
            let limit = if last_sent.is_none() { FIRST_ADDED_MAX } else { LATER_ADDED_MAX };
            prop_assert!(message.added.len() <= limit && message.dropped.len() <= 50);
            last_sent = Some(now);
            for endpoint in &message.dropped {
                prop_assert!(known.remove(endpoint), "dropped without having been added");
            }
            for (endpoint, _) in &message.added {
                prop_assert!(known.insert(*endpoint), "added twice");
                prop_assert!(!message.dropped.contains(endpoint), "added and dropped");
            }
            prop_assert!(known.len() <= largest, "told is bounded by whom we knew at once");
        }
        let connected: BTreeSet<_> = peers(from..from + count).into_iter().map(|p| p.0).collect();
        prop_assert_eq!(known, connected);
    }

    #[test]
    fn any_bytes_give_admitted_candidates_or_none(
        messages in prop::collection::vec(
            (0u32..90, prop::collection::vec(any::<u8>(), 0..120), any::<bool>()), 1..8),
    ) {
        let mut now = origin();
        let mut exchange = Exchange::new(now);
        let policy = AddressPolicy::default();
        for (pause, mut bytes, framed) in messages {
            now += SECOND * pause;
            if framed {
                bytes.truncate(bytes.len() / 6 * 6);
                bytes = [format!("d5:added{}:", bytes.len()).as_bytes(), &bytes, b"e"].concat();
            }
            let Ok(found) = exchange.handle_message(now, &bytes, &policy) else { break };
            prop_assert!(found.iter().all(|(endpoint, _)| policy.admits(*endpoint)));
        }
    }
}
