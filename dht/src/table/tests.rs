//! The table against naive models, and the rules about who gets in and who goes.

use bencode::Endpoint;
use proptest::prelude::*;

use super::*;

const OWN: Id = Id::new([0; 20]);
const RTT: Duration = Duration::from_millis(40);

/// A contact that shares exactly `bits` bits with `OWN`; `n` makes it, and its /16, unique in its bucket.
fn contact(bits: usize, n: u16) -> Contact {
    let mut bytes = [0_u8; 20];
    bytes[18..].copy_from_slice(&n.to_be_bytes());
    bytes[bits / 8] |= 0x80 >> (bits % 8);
    let [a, b] = n.to_be_bytes();
    Contact {
        id: Id::new(bytes),
        endpoint: Endpoint::new([20 + a, b, bits as u8, 1].into(), 7),
    }
}

fn put(table: &mut Table, now: Instant, contact: Contact) -> Verdict {
    table.verified(now, contact, RTT, Address::Exclusive)
}

/// A full bucket 10 with contacts 0 to 7.
fn full(now: Instant) -> Table {
    let mut table = Table::new(OWN, now);
    for n in 0..8 {
        assert_eq!(put(&mut table, now, contact(10, n)), Verdict::Added);
        settle(&mut table, now, contact(10, n));
    }
    table
}

/// It answered after the hole in its NAT would have been closed.
fn settle(table: &mut Table, now: Instant, contact: Contact) {
    let later = now + Duration::from_secs(100);
    assert_eq!(put(table, later, contact), Verdict::Refreshed);
}

#[test]
fn buckets_have_their_capacities() {
    let now = Instant::now();
    for (bits, capacity) in [
        (0, 128),
        (1, 64),
        (2, 32),
        (3, 16),
        (4, 8),
        (5, 8),
        (100, 8),
    ] {
        let mut table = Table::new(OWN, now);
        for n in 0..200 {
            put(&mut table, now, contact(bits, n));
        }
        assert_eq!(table.len(), capacity);
        assert_eq!(
            table.buckets().nth(bits).map(|bucket| bucket.len()),
            Some(capacity)
        );
        assert!(!table.wants(now, &contact(bits, 500), Address::Exclusive));
    }
}

#[test]
fn our_own_id_is_refused() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let us = Contact {
        id: OWN,
        ..contact(3, 1)
    };
    assert_eq!(put(&mut table, now, us), Verdict::Refused);
    assert!(!table.wants(now, &us, Address::Exclusive) && table.is_empty());
}

#[test]
fn one_contact_an_address_unless_it_is_shared() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let mut second = contact(5, 2);
    put(&mut table, now, contact(3, 1));
    second.endpoint = Endpoint {
        port: 99,
        ..contact(3, 1).endpoint
    };
    assert!(!table.wants(now, &second, Address::Exclusive));
    assert_eq!(put(&mut table, now, second), Verdict::Refused);
    let mut table = Table::new(OWN, now);
    table.verified(now, contact(3, 1), RTT, Address::Shared);
    assert!(table.wants(now, &second, Address::Shared));
    assert_eq!(
        table.verified(now, second, RTT, Address::Shared),
        Verdict::Added
    );
}

/// Rows N10: a node that took another id (BEP 42) at its first start comes back at once, not when the old one is asked.
#[test]
fn a_known_endpoint_under_another_id_is_worth_a_probe() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let old = contact(3, 7);
    put(&mut table, now, old);
    let renamed = Contact {
        id: contact(5, 99).id,
        ..old
    };
    assert!(!table.wants(now, &old, Address::Exclusive));
    assert!(table.wants(now, &renamed, Address::Exclusive));
    put(&mut table, now, renamed);
    assert!(table.knows(&renamed) && !table.knows(&old));
}

#[test]
fn another_id_at_a_known_endpoint_replaces_it() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    put(&mut table, now, contact(3, 1));
    let restarted = Contact {
        endpoint: contact(3, 1).endpoint,
        ..contact(6, 2)
    };
    assert_eq!(put(&mut table, now, restarted), Verdict::Added);
    assert_eq!(
        table.entries().map(|e| e.contact).collect::<Vec<_>>(),
        [restarted]
    );
}

#[test]
fn an_id_cannot_be_taken_over_from_a_living_contact() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    put(&mut table, now, contact(3, 1));
    settle(&mut table, now, contact(3, 1));
    let thief = Contact {
        id: contact(3, 1).id,
        endpoint: contact(9, 9).endpoint,
    };
    assert_eq!(put(&mut table, now, thief), Verdict::Refused);
    table.failed(now, &contact(3, 1));
    assert_eq!(
        put(&mut table, now, thief),
        Verdict::Challenge(contact(3, 1))
    );
    table.failed(now, &contact(3, 1));
    assert_eq!(
        put(&mut table, now, thief),
        Verdict::Replaced(contact(3, 1))
    );
}

#[test]
fn a_full_bucket_of_good_contacts_stays() {
    let now = Instant::now();
    let mut table = full(now);
    assert_eq!(put(&mut table, now, contact(10, 99)), Verdict::Full);
    assert_eq!(table.len(), 8);
}

#[test]
fn a_questionable_contact_is_challenged_and_replaced_if_silent() {
    let now = Instant::now();
    let mut table = full(now);
    let later = now + QUESTIONABLE_AFTER;
    for n in 1..8 {
        table.heard(later, &contact(10, n));
    }
    assert_eq!(
        put(&mut table, later, contact(10, 99)),
        Verdict::Challenge(contact(10, 0))
    );
    table.failed(now, &contact(10, 0));
    assert_eq!(table.len(), 8);
    table.failed(now, &contact(10, 0));
    assert!(
        table
            .entries()
            .any(|entry| entry.contact == contact(10, 99))
    );
    assert!(!table.entries().any(|entry| entry.contact == contact(10, 0)));
}

#[test]
fn a_bad_contact_makes_room_at_once_and_one_without_successor_lingers() {
    let now = Instant::now();
    let mut table = full(now);
    table.failed(now, &contact(10, 3));
    table.failed(now, &contact(10, 3));
    assert_eq!(table.len(), 8);
    assert_eq!(
        table.closest(now, &OWN, 20).len(),
        7,
        "a bad contact is not handed out"
    );
    assert!(table.wants(now, &contact(10, 99), Address::Exclusive));
    assert_eq!(
        put(&mut table, now, contact(10, 99)),
        Verdict::Replaced(contact(10, 3))
    );
    for _ in 0..4 {
        table.failed(now, &contact(10, 4));
    }
    assert_eq!(table.len(), 7);
}

#[test]
fn an_answer_clears_failures_and_keeps_the_age() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    put(&mut table, now, contact(10, 1));
    table.failed(now, &contact(10, 1));
    let later = now + Duration::from_secs(3);
    assert_eq!(put(&mut table, later, contact(10, 1)), Verdict::Refreshed);
    let entry = table.entries().next().expect("one");
    assert_eq!((entry.failures, entry.since, entry.heard), (0, now, later));
    assert_eq!(entry.health(later), Health::Good);
    assert_eq!(
        entry.health(later + QUESTIONABLE_AFTER),
        Health::Questionable
    );
}

#[test]
fn an_evicted_contact_is_gone() {
    let now = Instant::now();
    let mut table = full(now);
    table.evict(&contact(10, 5));
    assert_eq!(table.len(), 7);
}

/// BEP 5 to the letter: a list of ranges, of which the one around our id splits when full.
#[derive(Default)]
struct Splitting {
    /// `split[i]`: contacts that share exactly i bits; `rest`: those that share more.
    split: Vec<Vec<Contact>>,
    rest: Vec<Contact>,
}

impl Splitting {
    fn add(&mut self, new: Contact) {
        loop {
            let depth = self.split.len();
            let bits = OWN.shared_bits(&new.id);
            if let Some(bucket) = self.split.get_mut(bits) {
                if bucket.len() < capacity(bits) {
                    bucket.push(new);
                }
                return;
            }
            // Larger buckets: the range around us splits when its first half is full.
            let first = self
                .rest
                .iter()
                .filter(|c| OWN.shared_bits(&c.id) == depth)
                .count();
            if first < capacity(depth) && bits == depth || bits > depth && self.rest.len() < 8 {
                self.rest.push(new);
                return;
            }
            let (out, rest) = self
                .rest
                .drain(..)
                .partition(|c: &Contact| OWN.shared_bits(&c.id) == depth);
            self.split.push(out);
            self.rest = rest;
        }
    }

    fn all(&self) -> Vec<Contact> {
        let mut all: Vec<_> = self
            .split
            .iter()
            .flatten()
            .chain(&self.rest)
            .copied()
            .collect();
        all.sort();
        all
    }
}

proptest! {
    #[test]
    fn lists_by_prefix_hold_what_bep_5s_splitting_holds(
        arrivals in prop::collection::vec((0_usize..20, 0_u16..400), 0..500)
    ) {
        let now = Instant::now();
        let mut table = Table::new(OWN, now);
        let mut model = Splitting::default();
        for (bits, n) in arrivals {
            let contact = contact(bits, n);
            if !model.all().contains(&contact) {
                model.add(contact);
            }
            put(&mut table, now, contact);
        }
        let mut ours: Vec<_> = table.entries().map(|entry| entry.contact).collect();
        ours.sort();
        prop_assert_eq!(ours, model.all());
    }

    #[test]
    fn closest_is_the_head_of_the_sorted_whole(
        arrivals in prop::collection::vec((0_usize..30, 0_u16..50), 0..200),
        target: [u8; 20],
        count in 0_usize..20,
    ) {
        let now = Instant::now();
        let target = Id::new(target);
        let mut table = Table::new(OWN, now);
        for (bits, n) in arrivals {
            put(&mut table, now, contact(bits, n));
        }
        let mut naive: Vec<_> = table.entries().map(|entry| entry.contact).collect();
        naive.sort_by_key(|contact| contact.id.distance(&target));
        naive.truncate(count);
        prop_assert_eq!(table.closest(now, &target, count), naive);
    }
}

#[test]
fn a_replacement_whose_address_was_taken_meanwhile_does_not_move_in() {
    let now = Instant::now();
    let mut table = full(now);
    let waiting = contact(10, 8);
    put(&mut table, now, waiting);
    let elsewhere = Contact {
        id: contact(3, 8).id,
        endpoint: Endpoint {
            port: 99,
            ..waiting.endpoint
        },
    };
    assert_eq!(put(&mut table, now, elsewhere), Verdict::Added);
    table.failed(now, &contact(10, 0));
    table.failed(now, &contact(10, 0));
    let there = table
        .entries()
        .filter(|e| e.contact.endpoint.ip == waiting.endpoint.ip);
    assert_eq!(there.count(), 1);
}

mod rules;
