//! Partings: who is told of them, how often, and that every one of them ends. A naive listener
//! keeps a set and holds the exchange to the rules of BEP 11.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};
use pex::{Exchange, Flags, INTERVAL, Message, RECENT_MAX, Recent};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

#[expect(
    clippy::disallowed_methods,
    reason = "an origin; all else is added to it"
)]
fn origin() -> Instant {
    Instant::now()
}

fn v4(n: u8) -> Endpoint {
    format!("11.7.3.{n}:6881").parse().expect("well formed")
}

fn v6(n: u8) -> Endpoint {
    format!("[2606:4700::{n:x}]:6881")
        .parse()
        .expect("well formed")
}

fn of(list: &[Endpoint]) -> Vec<(Endpoint, Flags)> {
    list.iter().map(|one| (*one, Flags::NONE)).collect()
}

fn read(payload: Option<Vec<u8>>) -> Option<(Vec<Endpoint>, Vec<Endpoint>)> {
    let message = Message::parse(&payload?).expect("ours is well formed");
    let added = message.added.into_iter().map(|(one, _)| one).collect();
    Some((added, message.dropped))
}

#[test]
fn a_parting_is_told_once_and_dropped_with_the_next_message() {
    let mut now = origin() + INTERVAL;
    let (mut exchange, mut recent) = (Exchange::new(origin()), Recent::default());
    recent.push(v4(1), Flags::SEED);
    let payload = exchange.update(now, of(&[v4(9)]), &recent);
    let message = Message::parse(&payload.unwrap()).unwrap();
    assert_eq!(message.added, [(v4(9), Flags::NONE), (v4(1), Flags::SEED)]);
    now += INTERVAL;
    let told = read(exchange.update(now, of(&[v4(9)]), &recent));
    assert_eq!(told, Some((vec![], vec![v4(1)])));
    now += INTERVAL;
    assert_eq!(exchange.update(now, of(&[v4(9)]), &recent), None);
    // Another parting from the same one is news.
    recent.push(v4(1), Flags::SEED);
    let told = read(exchange.update(now + INTERVAL, of(&[v4(9)]), &recent));
    assert_eq!(told, Some((vec![v4(1)], vec![])));
}

#[test]
fn only_a_family_with_few_connections_is_filled() {
    let now = origin() + INTERVAL;
    let mut recent = Recent::default();
    recent.push(v4(200), Flags::NONE);
    recent.push(v6(200), Flags::NONE);
    for (alive, filled) in [(24, vec![v4(200), v6(200)]), (25, vec![v6(200)])] {
        let connected: Vec<Endpoint> = (0..alive).map(v4).collect();
        let mut exchange = Exchange::new(origin());
        let (added, _) = read(exchange.update(now, of(&connected), &recent)).unwrap();
        let beyond: Vec<Endpoint> = added
            .into_iter()
            .filter(|one| !connected.contains(one))
            .collect();
        assert_eq!(beyond, filled);
    }
}

#[test]
fn who_was_told_as_connected_is_dropped_and_not_added_again_at_once() {
    let mut now = origin() + INTERVAL;
    let (mut exchange, mut recent) = (Exchange::new(origin()), Recent::default());
    exchange.update(now, of(&[v4(1), v4(2)]), &recent);
    recent.push(v4(1), Flags::NONE);
    now += INTERVAL;
    let told = read(exchange.update(now, of(&[v4(2)]), &recent));
    assert_eq!(told, Some((vec![], vec![v4(1)])));
}

#[test]
fn the_latest_25_of_a_family_are_kept_and_the_guilty_are_not() {
    let (mut exchange, mut recent) = (Exchange::new(origin()), Recent::default());
    (0..40).for_each(|n| recent.push(v4(n), Flags::NONE));
    recent.forget(v4(39));
    recent.push(Endpoint { port: 0, ..v4(7) }, Flags::NONE);
    let (added, _) = read(exchange.update(origin() + INTERVAL, of(&[]), &recent)).unwrap();
    assert_eq!(added.len(), RECENT_MAX - 1);
    assert!(added.iter().all(|one| (15..39).any(|n| v4(n) == *one)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        rng_seed: RngSeed::Fixed(23), failure_persistence: None, ..ProptestConfig::default()
    })]

    /// Whatever connects, parts and comes back: nobody is added twice without being dropped between,
    /// nobody is dropped who was not added, and once all is quiet the listener knows the connected.
    #[test]
    fn a_naive_listener_is_never_told_nonsense(
        steps in prop::collection::vec((0u8..60, any::<bool>(), any::<bool>(), 0u64..40), 1..120),
    ) {
        let mut now = origin();
        let (mut exchange, mut recent) = (Exchange::new(now), Recent::default());
        let mut connected: BTreeSet<Endpoint> = BTreeSet::new();
        let mut known: BTreeSet<Endpoint> = BTreeSet::new();
        let quiet = std::iter::repeat_n((0, false, false, 60), 5);
        for (at, (n, joins, is_v6, pause)) in steps.iter().copied().chain(quiet).enumerate() {
            now += Duration::from_secs(pause);
            let one = if is_v6 { v6(n) } else { v4(n) };
            if at < steps.len() && joins {
                connected.insert(one);
            } else if at < steps.len() && connected.remove(&one) {
                recent.push(one, Flags::NONE);
            }
            let list: Vec<Endpoint> = connected.iter().copied().collect();
            let Some((added, dropped)) = read(exchange.update(now, of(&list), &recent)) else {
                continue;
            };
            prop_assert!(dropped.len() <= 50);
            for one in &dropped {
                prop_assert!(known.remove(one), "dropped without having been added");
                prop_assert!(!connected.contains(one), "dropped while connected");
            }
            let strangers = |family| added.iter()
                .filter(|one| one.family() == family && !connected.contains(one)).count();
            for one in &added {
                prop_assert!(known.insert(*one), "added twice");
                prop_assert!(!dropped.contains(one), "added and dropped");
            }
            for family in [Family::V4, Family::V6] {
                let alive = connected.iter().filter(|one| one.family() == family).count();
                let most = if alive < RECENT_MAX { RECENT_MAX } else { 0 };
                prop_assert!(strangers(family) <= most);
            }
        }
        prop_assert_eq!(known, connected);
    }
}
