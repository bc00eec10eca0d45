//! A rebuilt table against what a naive one would hold.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::contact::{Address, Contact};
use crate::table::Entry;

/// A table around a random id with up to `count` random contacts, some of which failed.
fn table(seed: u64, count: u32, now: Instant) -> Table {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let own = Id::random(&mut rng);
    let mut table = Table::new(own, now);
    for n in 0..count {
        let [.., a, b] = n.to_be_bytes();
        // Half anywhere, half near, so that deep buckets fill too.
        let id = if n % 2 == 0 {
            Id::random(&mut rng)
        } else {
            own.sharing((n % 13) as usize, &mut rng)
        };
        let contact = Contact {
            id,
            endpoint: Endpoint::new([20 + a, b, 1, 1].into(), 7),
        };
        let then = now + Duration::from_secs(u64::from(n));
        let rtt = Duration::from_millis(u64::from(n % 90));
        table.verified(then, contact, rtt, Address::Exclusive);
        if n % 7 == 0 {
            table.failed(then, &contact);
        }
    }
    table
}

fn facts(entry: &Entry) -> (Contact, Instant, Instant, Duration, u8) {
    let Entry {
        contact,
        since,
        heard,
        rtt,
        failures,
    } = *entry;
    (contact, since, heard, rtt, failures)
}

/// Who would sit in bucket `bits` around `own` if all did.
fn would_sit(table: &Table, own: &Id, bits: usize) -> usize {
    let sits = |entry: &Entry| own.shared_bits(&entry.contact.id) == bits;
    table.entries().filter(sits).count()
}

proptest! {
    #[test]
    fn all_that_fit_are_kept_with_what_is_known_of_them(seed: u64, other: u64, count in 0_u32..900) {
        let now = Instant::now();
        let old = table(seed, count, now);
        let own = Id::random(&mut ChaCha8Rng::seed_from_u64(other));
        let new = old.around(own);
        prop_assert_eq!(new.birth(), old.birth());
        let before: Vec<_> = old.entries().map(|entry| facts(&entry)).collect();
        let waited: Vec<Contact> = old
            .buckets
            .iter()
            .flat_map(|bucket| bucket.replacements.iter().map(|seat| seat.contact))
            .collect();
        for (bits, bucket) in new.buckets().enumerate() {
            let wanted = would_sit(&old, &own, bits);
            prop_assert!(bucket.len() <= capacity(bits));
            prop_assert!(bucket.len() >= wanted.min(capacity(bits)), "bucket {bits}");
            let mut sat = 0;
            for entry in &bucket {
                prop_assert_eq!(own.shared_bits(&entry.contact.id), bits);
                if before.contains(&facts(entry)) {
                    sat += 1;
                } else {
                    prop_assert!(waited.contains(&entry.contact), "out of nowhere");
                }
            }
            prop_assert_eq!(sat, wanted.min(capacity(bits)), "whoever sat goes first");
        }
        let mut endpoints: Vec<_> = new.entries().map(|entry| entry.contact.endpoint).collect();
        let all = endpoints.len();
        endpoints.sort_unstable();
        endpoints.dedup();
        prop_assert_eq!(endpoints.len(), all);
        for bucket in &new.buckets {
            prop_assert!(bucket.replacements.len() <= MAX_REPLACEMENTS);
        }
    }
}

#[test]
fn where_too_many_meet_the_oldest_stay() {
    let now = Instant::now();
    let own = Id::new([0; 20]);
    let mut table = Table::new(own, now);
    // Eight buckets of eight, which from the other end of the space are one.
    for n in 0..64_u8 {
        let mut id = [0_u8; 20];
        id[1] = 0x80 >> (n / 8);
        id[19] = n;
        let contact = Contact {
            id: Id::new(id),
            endpoint: Endpoint::new([20 + n, 1, 1, 1].into(), 7),
        };
        let then = now + Duration::from_secs(u64::from(n));
        table.verified(then, contact, Duration::ZERO, Address::Exclusive);
    }
    assert_eq!(table.len(), 64);
    let mut far = [0_u8; 20];
    far[0] = 0b0001_0000;
    let new = table.around(Id::new(far));
    let sitting: Vec<u8> = new
        .entries()
        .map(|entry| entry.contact.id.as_bytes()[19])
        .collect();
    assert_eq!(sitting, (0..16).collect::<Vec<u8>>());
}

#[test]
fn whoever_has_our_new_id_is_no_contact() {
    let now = Instant::now();
    let old = table(5, 60, now);
    let victim = old.entries().next().expect("somebody").contact;
    let new = old.around(victim.id);
    assert!(!new.knows(&victim));
    assert!(new.entries().all(|entry| entry.contact != victim));
    // Nor does a way back lose anybody who sat.
    assert_eq!(new.around(old.own).len(), old.len() - 1);
}
