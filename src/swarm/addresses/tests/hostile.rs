//! What peers may try: floods, one victim with many ports, one network host by host, our own address,
//! seeds that are none. And that honest tellers are heard all the same.

use super::super::tellers::MAX_HELD;
use super::*;

const TELLER: u32 = 60_000;

fn tell(book: &mut AddressBook, now: Instant, endpoint: Endpoint, teller: u32) -> bool {
    book.add_told(now, endpoint, Flags::NONE, public(teller, 6_881))
}

#[test]
fn a_flood_of_ten_thousand_is_a_hundred_and_two_calls_a_second() {
    let now = Instant::now();
    let mut book = book(now);
    let told = (0..10_000).filter(|n| tell(&mut book, now, public(*n, 9_000), TELLER));
    assert_eq!(told.count(), MAX_HELD as usize);
    assert_eq!(offered(&mut book, now).len(), pace::BURST as usize);
    let later = now + Duration::from_secs(1);
    assert_eq!(offered(&mut book, later).len(), 2);
    // Another one is still heard.
    assert!(tell(&mut book, now, public(20_000, 9_000), TELLER + 1));
}

#[test]
fn a_liar_is_found_out_after_twenty_calls_and_its_list_is_dropped() {
    let now = Instant::now();
    let mut book = book(now);
    (0..100).for_each(|n| {
        tell(&mut book, now, public(n, 9_000), TELLER);
    });
    tell(&mut book, now, public(500, 9_000), TELLER + 1);
    let dialled = offered(&mut book, now);
    assert_eq!(dialled.len(), 20);
    assert!(dialled.contains(&public(500, 9_000)), "tellers take turns");
    for endpoint in dialled {
        book.ended(now, endpoint, FAILED);
    }
    let later = now + Duration::from_secs(1);
    let next = offered(&mut book, later);
    book.ended(later, next[0], FAILED);
    // The twenty that were tried, the other teller's, and one that is being dialled.
    assert_eq!(book.known(), 22);
    assert!(!tell(&mut book, later, public(200, 9_000), TELLER));
    // A new connection of the same host changes nothing; what others say of the same address does.
    let again = Endpoint {
        port: 50_123,
        ..public(TELLER, 1)
    };
    assert!(!book.add_told(later, public(201, 9_000), Flags::NONE, again));
    assert!(book.add(later, public(200, 9_000), PeerSource::Dht));
}

#[test]
fn one_of_three_that_works_keeps_the_credit() {
    let mut now = Instant::now();
    let mut book = book(now);
    let (mut told, mut worked) = (0, 0);
    for n in 0..600 {
        now += Duration::from_secs(1);
        told += usize::from(tell(&mut book, now, public(n, 9_000), TELLER));
        while let Some(endpoint) = book.next(now, Need::Any) {
            if endpoint.ip.to_canonical() == public(n, 1).ip && n % 3 == 0 {
                worked += 1;
                book.establish(now, endpoint);
            } else {
                book.ended(now, endpoint, FAILED);
            }
        }
    }
    assert_eq!((told, worked), (600, 200));
}

#[test]
fn a_victim_with_many_ports_is_one_address() {
    let now = Instant::now();
    let mut book = book(now);
    let by_peers = (2_000..2_500).filter(|port| tell(&mut book, now, public(1, *port), TELLER));
    assert_eq!(by_peers.count(), 1);
    let ports = 2_000..2_500;
    let by_tracker = ports.filter(|port| book.add(now, public(2, *port), PeerSource::Tracker));
    assert_eq!(by_tracker.count(), MAX_PORTS);
    // Whom the user names is there.
    assert!(book.add(now, public(1, 7), PeerSource::Manual));
}

#[test]
fn a_network_named_host_by_host_is_four_addresses() {
    let now = Instant::now();
    let mut book = book(now);
    let host = |n: u32| {
        let ip = std::net::Ipv4Addr::from_bits(0x0c00_0000 + n);
        Endpoint::new(IpAddr::V4(ip), 9_000)
    };
    let told = (1..250).filter(|n| tell(&mut book, now, host(*n), TELLER + n));
    assert_eq!(told.count(), MAX_NEIGHBOURS);
    let v6 = |n: u16| -> Endpoint {
        let ip = std::net::Ipv6Addr::new(0x2606, 0x4700, 1, n, 0, 0, 0, 1);
        Endpoint::new(IpAddr::V6(ip), 9_000)
    };
    let told = (1..250).filter(|n| tell(&mut book, now, v6(*n), TELLER + u32::from(*n)));
    assert_eq!(told.count(), MAX_NEIGHBOURS);
    // The DHT may name them all: it asked them for it.
    assert!((1..250).all(|n| book.add(now, host(n), PeerSource::Dht) || n <= 4));
}

#[test]
fn our_own_address_and_the_banned_are_not_offered_again() {
    let now = Instant::now();
    let mut book = book(now);
    let (us, bad) = (public(1, 6_881), public(2, 6_881));
    tell(&mut book, now, us, TELLER);
    tell(&mut book, now, bad, TELLER);
    book.ourself(us);
    book.ban(now, bad);
    for hour in 0..9 {
        let now = now + Duration::from_secs(3_600) * hour;
        assert!(!tell(&mut book, now, us, TELLER + hour) && book.next(now, Need::Any).is_none());
        assert!(!tell(&mut book, now, bad, TELLER + hour));
    }
}

#[test]
fn who_is_called_a_seed_by_a_stranger_is_one_only_for_the_stranger() {
    let now = Instant::now();
    let mut book = book(now);
    let (known, told) = (public(1, 9_000), public(2, 9_000));
    book.add(now, known, PeerSource::Dht);
    book.add_told(now, known, Flags::SEED, public(TELLER, 1));
    book.add_told(now, told, Flags::SEED, public(TELLER, 1));
    assert_eq!(book.next(now, Need::Incomplete), Some(known));
    assert_eq!(book.next(now, Need::Incomplete), None);
    assert_eq!(book.next(now, Need::Any), Some(told));
}

#[test]
fn strangers_do_not_displace_the_untried_and_the_book_is_bounded() {
    let now = Instant::now();
    let mut book = book(now);
    for n in 0..3_000 {
        let new = tell(&mut book, now, public(n, 9_000), TELLER + n / 100);
        assert_eq!(new, n < MAX_KNOWN as u32);
    }
    assert!(book.add(now, public(5_000, 9), PeerSource::Dht));
    assert_eq!(book.known(), MAX_KNOWN);
}
