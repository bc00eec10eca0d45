//! The address book's bounds and its choice. [`model`] holds it to a naive account, [`hostile`] is what
//! peers may try with it.

mod hostile;
mod model;

use std::time::Duration;

use super::known::MAX_BACKOFF;
use super::*;

const FAILED: Outcome = Outcome::Failed(Failure::TimedOut);

/// The n-th of many public addresses, each in a /24 of its own.
fn public(n: u32, port: u16) -> Endpoint {
    let ip = std::net::Ipv4Addr::from_bits(0x0b00_0001 + n * 256);
    Endpoint::new(IpAddr::V4(ip), port)
}

fn local(port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

fn book(now: Instant) -> AddressBook {
    let mut policy = AddressPolicy::default();
    policy.allow_range_of(local(1).ip);
    AddressBook::new(now, policy)
}

/// All that may be dialled now, in order.
fn offered(book: &mut AddressBook, now: Instant) -> Vec<Endpoint> {
    std::iter::from_fn(|| book.next(now, Need::Any)).collect()
}

/// Rows P11: nobody is sent into private networks.
#[test]
fn private_addresses_and_port_zero_are_refused() {
    let now = Instant::now();
    let mut book = AddressBook::new(now, AddressPolicy::default());
    assert!(!book.add(now, local(5), PeerSource::Dht));
    assert!(!book.add(now, public(1, 0), PeerSource::Dht));
    assert!(book.add(now, public(1, 1), PeerSource::Dht));
    assert!(!book.add(now, public(1, 1), PeerSource::Pex));
    assert_eq!(
        (book.counts().dht, book.counts().pex, book.known()),
        (1, 1, 1)
    );
}

#[test]
fn a_neighbour_is_known_by_its_own_word_only() {
    let now = Instant::now();
    let mut book = AddressBook::new(now, AddressPolicy::default());
    let near: Endpoint = "192.168.1.7:7000".parse().unwrap();
    let router: Endpoint = "192.168.1.1:80".parse().unwrap();
    assert!(!book.add(now, near, PeerSource::Lsd), "no link is known");
    assert_eq!(book.welcomes(near), Welcome::OutOfRange);
    book.set_neighbours(vec!["192.168.1.0/24".parse().unwrap()]);
    for source in [PeerSource::Dht, PeerSource::Pex, PeerSource::Tracker] {
        assert!(!book.add(now, router, source), "{source:?}");
    }
    assert!(book.add(now, near, PeerSource::Lsd));
    assert_eq!(book.welcomes(near), Welcome::Yes);
    assert_eq!(book.next(now, Need::Any), Some(near));
    assert_eq!(book.next(now, Need::Any), None);
    // The torrent turns out to be private, or the cable was pulled.
    book.set_neighbours(Vec::new());
    assert_eq!(book.welcomes(near), Welcome::OutOfRange);
}

/// Rows P12, P17: one attempt for each address of the internet.
#[test]
fn one_attempt_per_public_ip_many_per_local_one() {
    let now = Instant::now();
    let mut book = book(now);
    for port in 1..5 {
        book.add(now, public(1, port), PeerSource::Tracker);
        book.add(now, local(port), PeerSource::Tracker);
    }
    let offered = offered(&mut book, now);
    assert_eq!(offered.iter().filter(|e| e.ip == local(1).ip).count(), 4);
    assert_eq!(offered.len(), 5);
}

#[test]
fn failures_wait_longer_and_longer_and_the_dead_expire() {
    let start = Instant::now();
    let mut book = book(start);
    book.add(start, public(1, 1), PeerSource::Dht);
    let (mut now, mut waits) = (start, Vec::new());
    while book.next(now, Need::Any).is_some() {
        assert_eq!(book.next(now, Need::Any), None);
        book.ended(now, public(1, 1), FAILED);
        let due = book.next_due(now, Need::Any).unwrap();
        waits.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(waits, [15, 60, 240, 960, 3_600, 3_600]);
    assert_eq!(book.known(), 0);
    // Named again it begins anew.
    assert!(book.add(now, public(1, 1), PeerSource::Dht));
    assert_eq!(book.next(now, Need::Any), Some(public(1, 1)));
}

#[test]
fn what_the_user_named_never_expires_and_is_tried_more_often() {
    let mut now = Instant::now();
    let mut book = book(now);
    book.add(now, public(1, 1), PeerSource::Manual);
    for attempt in 0..40 {
        assert_eq!(book.next(now, Need::Any), Some(public(1, 1)));
        book.ended(now, public(1, 1), FAILED);
        let due = book.next_due(now, Need::Any).unwrap();
        assert!(attempt > 3 || due - now <= Duration::from_secs(16));
        now = due;
    }
}

/// Rows P12: an address that only peers name is called twice an hour.
#[test]
fn hearsay_gets_two_attempts_an_hour_however_often_it_is_told() {
    let start = Instant::now();
    let mut book = book(start);
    let mut attempts = Vec::new();
    for second in 0..7_200 {
        let now = start + Duration::from_secs(second);
        if second % 30 == 0 {
            let teller = public(second as u32 / 30 + 10, 9);
            book.add_told(now, public(1, 2_000), Flags::REACHABLE, teller);
        }
        while let Some(endpoint) = book.next(now, Need::Any) {
            attempts.push(second);
            book.ended(now, endpoint, FAILED);
        }
    }
    assert_eq!(attempts, [0, 15, 3_630, 3_645]);
}

#[test]
fn the_users_word_then_what_answered_then_what_was_saved_then_callers() {
    let now = Instant::now();
    let mut book = book(now);
    let at = |n: u32| public(n, 6_881);
    for (n, source) in [
        (1, PeerSource::Dht),
        (2, PeerSource::Saved),
        (3, PeerSource::Tracker),
        (4, PeerSource::Tracker),
        (6, PeerSource::Manual),
    ] {
        book.add(now, at(n), source);
    }
    book.connected(now, at(5));
    for n in [3, 4] {
        let when = now + Duration::from_secs(u64::from(n));
        book.known.get_mut(&at(n)).unwrap().state = State::Dialling;
        book.establish(when, at(n));
        book.ended(when, at(n), Outcome::Ended);
    }
    book.ended(now, at(5), Outcome::Ended);
    let later = now + Duration::from_secs(60);
    let order = [at(6), at(4), at(3), at(2), at(5), at(1)];
    assert_eq!(offered(&mut book, later), order);
}

#[test]
fn sources_take_turns() {
    let now = Instant::now();
    let mut book = book(now);
    (0..100).for_each(|n| {
        book.add(now, public(n, 9), PeerSource::Tracker);
    });
    (100..110).for_each(|n| {
        book.add(now, public(n, 9), PeerSource::Dht);
    });
    let first: Vec<Endpoint> = offered(&mut book, now).into_iter().take(20).collect();
    let dht = first.iter().filter(|one| **one >= public(100, 0)).count();
    assert_eq!(dht, 10);
}

#[test]
fn ten_saved_ones_come_first_and_a_hundred_do_not_hold_the_others_back() {
    let now = Instant::now();
    let mut book = book(now);
    for n in 0..100 {
        book.add(now, public(n, 9), PeerSource::Saved);
        book.add(now, public(n + 100, 9), PeerSource::Dht);
    }
    let first: Vec<Endpoint> = offered(&mut book, now).into_iter().take(50).collect();
    let is_saved = |one: &Endpoint| *one < public(100, 0);
    assert!(first[..10].iter().all(is_saved));
    assert_eq!(first.iter().filter(|one| is_saved(one)).count(), 25);
}

#[test]
fn among_equals_the_canonical_priority_decides() {
    let now = Instant::now();
    let mut book = book(now);
    (0..50).for_each(|n| {
        book.add(now, public(n, 9), PeerSource::Dht);
    });
    assert_eq!(book.priority(public(1, 9)), None);
    book.set_own("123.213.32.10:6881".parse().unwrap());
    book.add(now, public(50, 9), PeerSource::Dht);
    let mut best: Vec<Endpoint> = (0..=50).map(|n| public(n, 9)).collect();
    best.sort_by_key(|one| std::cmp::Reverse(book.priority(*one).unwrap()));
    assert_eq!(offered(&mut book, now), best);
    let far = "98.76.54.32:1".parse().unwrap();
    assert_eq!(book.priority(far), Some(0xec2d_7224));
}

#[test]
fn seeds_are_not_dialled_by_seeds() {
    let now = Instant::now();
    let mut book = book(now);
    book.add(now, public(1, 1), PeerSource::Dht);
    book.set_completeness(public(1, 1), Completeness::Seed);
    assert_eq!(book.next(now, Need::Incomplete), None);
    assert_eq!(book.next_due(now, Need::Incomplete), None);
    assert_eq!(book.next(now, Need::Any), Some(public(1, 1)));
}

#[test]
fn seeds_that_were_left_are_called_when_something_is_wanted_again() {
    let now = Instant::now();
    let mut book = book(now);
    for n in [1, 2, 3] {
        book.add(now, public(n, 1), PeerSource::Dht);
        book.set_completeness(public(n, 1), Completeness::Seed);
        book.next(now, Need::Any);
    }
    book.ended(now, public(1, 1), Outcome::Useless);
    book.ended(now, public(2, 1), Outcome::Failed(Failure::TimedOut));
    book.ban(now, public(3, 1));
    assert_eq!(book.next(now, Need::Any), None);
    book.recall_seeds(now);
    assert_eq!(book.next(now, Need::Any), Some(public(1, 1)));
    assert_eq!(book.next(now, Need::Any), None, "a failure keeps its pause");
}

/// Rows P3: a ban holds for the host.
#[test]
fn a_ban_holds_for_every_port_of_a_public_ip() {
    let now = Instant::now();
    let mut book = book(now);
    assert!(book.ban(now, public(1, 1)) && !book.ban(now, public(1, 1)));
    book.ban(now, local(1));
    assert_eq!(book.welcomes(public(1, 99)), Welcome::Banned);
    assert_eq!(book.welcomes(local(1)), Welcome::Banned);
    assert_eq!(book.welcomes(local(2)), Welcome::Yes);
    book.add(now, public(1, 1), PeerSource::Manual);
    book.ended(now, public(1, 1), Outcome::Ended);
    assert_eq!(book.next(now + MAX_BACKOFF, Need::Any), None);
}

#[test]
fn who_worked_comes_back_best_first_and_nobody_else() {
    let now = Instant::now();
    let mut book = book(now);
    let at = |n: u32| public(n, 6_881);
    (1..=150).for_each(|n| {
        book.add(now, at(n), PeerSource::Dht);
    });
    for n in 1..=120 {
        book.establish(now + Duration::from_secs(u64::from(n)), at(n));
    }
    book.connected(now + Duration::from_secs(500), at(200));
    book.ban(now, at(119));
    let worked = book.worked();
    assert_eq!(worked.len(), MAX_WORKED);
    assert_eq!(worked[..3], [at(120), at(118), at(117)]);
    assert!(!worked.contains(&at(200)), "behind those who answered");
}

/// Rows N18: peers known from elsewhere are forgotten.
#[test]
fn of_a_private_torrent_strangers_are_forgotten() {
    let now = Instant::now();
    let mut book = book(now);
    let at = |n: u32| public(n, 6_881);
    for (n, source) in [
        (1, PeerSource::Dht),
        (2, PeerSource::Pex),
        (3, PeerSource::Lsd),
        (4, PeerSource::Saved),
        (5, PeerSource::Tracker),
        (6, PeerSource::Manual),
    ] {
        book.add(now, at(n), source);
    }
    book.connected(now, at(7));
    book.add(now, at(1), PeerSource::Tracker);
    book.establish(now, at(3));
    assert_eq!(book.forget_strangers(), [at(3)]);
    let left: Vec<Endpoint> = book.known.keys().copied().collect();
    assert_eq!(left, [at(1), at(5), at(6), at(7)]);
}

#[test]
fn the_account_of_why_adds_up() {
    let now = Instant::now();
    let mut book = book(now);
    let at = |n: u32| public(n, 6_881);
    assert_eq!(book.why(now), Why::default());
    (1..=6).for_each(|n| {
        book.add(now, at(n), PeerSource::Dht);
    });
    assert_eq!(book.why(now).next_try, Some(Duration::ZERO));
    let outcomes = [Failure::Refused, Failure::TimedOut, Failure::Other];
    for (n, why) in (1..).zip(outcomes) {
        book.ended(now, at(n), Outcome::Failed(why));
    }
    book.ban(now, at(4));
    book.establish(now, at(5));
    book.ourself(at(6));
    let later = now + Duration::from_secs(5);
    let expected = Why {
        known: 5,
        tried: 4,
        refused: 1,
        timed_out: 1,
        failed: 1,
        banned: 1,
        waiting: 3,
        next_try: Some(Duration::from_secs(10)),
    };
    assert_eq!(book.why(later), expected);
}
