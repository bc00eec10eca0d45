//! The address book's bounds and its choice.

use proptest::prelude::*;

use super::*;

fn public(n: u32, port: u16) -> Endpoint {
    Endpoint::new(
        IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0808_0000 + n)),
        port,
    )
}

fn local(port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

fn book(now: Instant) -> AddressBook {
    let mut policy = AddressPolicy::default();
    policy.allow_range_of(local(1).ip);
    AddressBook::new(now, policy)
}

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

#[test]
fn one_attempt_per_public_ip_many_per_local_one() {
    let now = Instant::now();
    let mut book = book(now);
    for port in 1..5 {
        book.add(now, public(1, port), PeerSource::Tracker);
        book.add(now, local(port), PeerSource::Tracker);
    }
    let offered: Vec<_> = std::iter::from_fn(|| book.next(now, Need::Any)).collect();
    assert_eq!(offered.iter().filter(|e| e.ip == local(1).ip).count(), 4);
    assert_eq!(offered.len(), 5);
}

#[test]
fn failures_wait_longer_and_longer() {
    let start = Instant::now();
    let mut book = book(start);
    book.add(start, public(1, 1), PeerSource::Dht);
    let (mut now, mut last) = (start, Duration::ZERO);
    for _ in 0..5 {
        assert_eq!(book.next(now, Need::Any), Some(public(1, 1)));
        assert_eq!(book.next(now, Need::Any), None);
        book.ended(now, public(1, 1), Outcome::Failed);
        let due = book.next_due(now, Need::Any).unwrap();
        assert!(due - now >= last);
        last = due - now;
        now = due;
    }
    assert_eq!(last, MAX_BACKOFF);
}

#[test]
fn a_proven_address_comes_before_a_failed_one() {
    let now = Instant::now();
    let mut book = book(now);
    book.add(now, public(1, 1), PeerSource::Dht);
    book.next(now, Need::Any);
    book.ended(now, public(1, 1), Outcome::Failed);
    book.add(now, public(2, 2), PeerSource::Dht);
    book.next(now, Need::Any);
    book.establish(public(2, 2));
    book.ended(now, public(2, 2), Outcome::Ended);
    let later = now + MAX_BACKOFF;
    assert_eq!(book.next(later, Need::Any), Some(public(2, 2)));
}

#[test]
fn seeds_are_not_dialled_by_seeds() {
    let now = Instant::now();
    let mut book = book(now);
    book.add(now, public(1, 1), PeerSource::Dht);
    book.is_seed(public(1, 1));
    assert_eq!(book.next(now, Need::Incomplete), None);
    assert_eq!(book.next_due(now, Need::Incomplete), None);
    assert_eq!(book.next(now, Need::Any), Some(public(1, 1)));
}

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
fn a_teller_may_tell_a_hundred() {
    let now = Instant::now();
    let mut book = book(now);
    let told = (0..500)
        .filter(|n| book.add_told(now, public(*n, 9), PeerKey(1)))
        .count();
    assert_eq!(told, 100);
    assert!(
        !book.add_told(now, public(3, 10), PeerKey(2)),
        "a second port of a known IP"
    );
    let dialled = std::iter::from_fn(|| book.next(now, Need::Any)).count();
    assert_eq!(dialled, PEX_BURST as usize);
    let later = now + Duration::from_secs(1);
    assert_eq!(
        std::iter::from_fn(|| book.next(later, Need::Any)).count(),
        2
    );
}

#[test]
fn strangers_do_not_displace_the_untried() {
    let now = Instant::now();
    let mut book = book(now);
    (0..3_000).for_each(|n| assert_eq!(book.add(now, public(n, 9), PeerSource::Pex), n < 2_000));
    assert!(book.add(now, public(5_000, 9), PeerSource::Dht));
    assert_eq!(book.known(), MAX_KNOWN);
}

proptest! {
    #[test]
    fn no_address_is_offered_twice_at_once(
        steps in prop::collection::vec((0u8..5, 0u32..6, 1u16..4, 0u64..100), 0..200),
    ) {
        let start = Instant::now();
        let mut book = book(start);
        let (mut now, mut busy, mut banned) = (start, Vec::new(), Vec::new());
        for (what, ip, port, wait) in steps {
            now += Duration::from_secs(wait);
            let endpoint = public(ip, port);
            match what {
                0 => { book.add(now, endpoint, PeerSource::Dht); }
                1 => { book.ban(now, endpoint); banned.push(endpoint); }
                2 => if let Some(place) = busy.iter().position(|e| *e == endpoint) {
                    busy.swap_remove(place);
                    book.ended(now, endpoint, Outcome::Failed);
                },
                _ => if let Some(next) = book.next(now, Need::Any) {
                    prop_assert!(!banned.contains(&next));
                    // A banned address frees its IP: the owner closes it at once.
                    prop_assert!(busy.iter().all(|e: &Endpoint| e.ip != next.ip || banned.contains(e)));
                    busy.push(next);
                },
            }
        }
    }
}
