//! Crowds around us against a naive count.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bencode::Endpoint;
use proptest::prelude::*;

use super::*;
use crate::contact::Address;
use crate::id::Id;

const OWN: Id = Id::new([0; 20]);

/// A contact at distance `n` on a large scale.
fn contact(n: u16, ip: [u8; 4]) -> Contact {
    let [a, b] = n.to_be_bytes();
    let mut id = [0; 20];
    (id[2], id[3]) = (a, b);
    Contact {
        id: Id::new(id),
        endpoint: Endpoint::new(Ipv4Addr::from(ip).into(), 7),
    }
}

fn put(table: &mut Table, second: u64, contact: Contact) -> super::super::Verdict {
    let now = table.birth() + Duration::from_secs(second);
    table.verified(now, contact, Duration::ZERO, Address::Exclusive)
}

/// The nearest contacts, nearest first.
fn nearest(table: &Table, count: usize) -> Vec<Contact> {
    let mut all: Vec<Contact> = table.entries().map(|entry| entry.contact).collect();
    all.sort_by_key(|contact| contact.id.distance(&OWN));
    all.truncate(count);
    all
}

/// How many of them could be kept without a crowd.
fn without_crowd(contacts: &[Contact]) -> usize {
    let mut networks: BTreeMap<[u8; 2], BTreeSet<u8>> = BTreeMap::new();
    for contact in contacts {
        let IpAddr::V4(ip) = contact.endpoint.ip else {
            panic!("v4 only");
        };
        let [a, b, c, _] = ip.octets();
        networks.entry([a, b]).or_default().insert(c);
    }
    networks.values().map(|close| close.len().min(3)).sum()
}

proptest! {
    #[test]
    fn the_nearest_are_no_crowd_where_there_are_others(
        places in proptest::collection::vec((1_u16..2_000, 0_u8..12, 0_u8..5, any::<u8>()), 0..120),
    ) {
        let mut table = Table::new(OWN, Instant::now());
        for (second, (n, b, c, d)) in (0..).zip(places) {
            put(&mut table, second, contact(n, [20, b, c, d]));
            let near = nearest(&table, NEAR);
            if without_crowd(&near) < near.len() {
                let around = nearest(&table, ALTERNATIVES);
                prop_assert!(without_crowd(&around) < NEAR, "{near:?} of {around:?}");
            }
        }
    }
}

/// Networks of their own, at distances of ten times `n`.
fn honest(table: &mut Table, count: u8) {
    for n in 1..=count {
        put(
            table,
            u64::from(n),
            contact(10 * u16::from(n), [20, n, 1, 1]),
        );
    }
}

#[test]
fn threat_4_2_one_network_does_not_surround_us() {
    let mut table = Table::new(OWN, Instant::now());
    honest(&mut table, 40);
    let before = nearest(&table, NEAR);
    for n in 1..=9 {
        put(
            &mut table,
            100 + u64::from(n),
            contact(n, [66, 6, n as u8, 1]),
        );
    }
    let near = nearest(&table, NEAR);
    let theirs = |near: &[Contact]| near.iter().filter(|one| !before.contains(one)).count();
    assert_eq!(theirs(&near), MAX_WIDE);
    // One /24 alone gets one, and the first stays though the others are nearer.
    let mut table = Table::new(OWN, Instant::now());
    honest(&mut table, 40);
    for n in (1..=9).rev() {
        put(
            &mut table,
            200 - u64::from(n),
            contact(n, [66, 6, 6, n as u8]),
        );
    }
    let near = nearest(&table, NEAR);
    assert_eq!(theirs(&near), 1);
    assert!(table.knows(&contact(9, [66, 6, 6, 9])));
}

#[test]
fn whoever_has_only_neighbours_of_one_network_keeps_them() {
    let mut table = Table::new(OWN, Instant::now());
    for n in 1..=9 {
        put(&mut table, 1, contact(100 * n, [66, 6, 6, n as u8]));
    }
    assert_eq!(table.len(), 9);
}

#[test]
fn whoever_waits_moves_in_when_the_first_is_gone() {
    let mut table = Table::new(OWN, Instant::now());
    honest(&mut table, 40);
    let (first, second) = (contact(9, [66, 6, 6, 9]), contact(8, [66, 6, 6, 8]));
    put(&mut table, 100, first);
    assert_eq!(put(&mut table, 101, second), super::super::Verdict::Full);
    assert!(!table.knows(&second));
    for second in 0..3 {
        let now = table.birth() + Duration::from_secs(200 + second);
        table.failed(now, &first);
    }
    assert!(!table.knows(&first) && table.knows(&second));
}
