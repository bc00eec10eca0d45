//! Who is an anchor.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::*;
use crate::contact::Address;
use crate::id::Id;

fn contact(n: u8, ip: [u8; 4]) -> Contact {
    let mut id = [0; 20];
    id[0] = n;
    Contact {
        id: Id::new(id),
        endpoint: Endpoint::new(Ipv4Addr::from(ip).into(), 7),
    }
}

fn answers(table: &mut Table, now: Instant, contact: Contact) {
    table.verified(now, contact, Duration::ZERO, Address::Exclusive);
}

/// It comes at `now`, and proves itself.
fn settles(table: &mut Table, now: Instant, contact: Contact) {
    answers(table, now, contact);
    answers(table, now + Duration::from_secs(301), contact);
}

#[test]
fn threat_4_8_one_block_of_addresses_gives_one_anchor() {
    let birth = Instant::now();
    let mut table = Table::new(Id::new([255; 20]), birth);
    let at = |minute: u64| birth + Duration::from_secs(60 * minute);
    settles(&mut table, at(9), contact(1, [20, 1, 1, 1]));
    settles(&mut table, at(3), contact(2, [21, 1, 1, 1]));
    settles(&mut table, at(1), contact(3, [20, 9, 1, 1]));
    // Too young, and silent of late.
    answers(&mut table, at(0), contact(4, [22, 1, 1, 1]));
    settles(&mut table, at(0), contact(5, [23, 1, 1, 1]));
    table.failed(at(20), &contact(5, [23, 1, 1, 1]));
    let longest = [contact(3, [20, 9, 1, 1]), contact(2, [21, 1, 1, 1])];
    assert_eq!(table.anchors(MAX_ANCHORS), longest);
    assert_eq!(table.anchors(1), longest[..1]);
}

#[test]
fn there_are_no_more_than_asked_for() {
    let birth = Instant::now();
    let mut table = Table::new(Id::new([255; 20]), birth);
    for n in 0..100 {
        settles(&mut table, birth, contact(n, [20 + n, 1, 1, 1]));
    }
    assert_eq!(table.anchors(MAX_ANCHORS).len(), MAX_ANCHORS);
}
