//! The pool against a naive model, and its bounds against somebody who wants all of it.

use bencode::Endpoint;
use proptest::prelude::*;

use super::*;

const RTT: Duration = Duration::from_millis(90);

fn contact(first: u8, n: u16) -> Contact {
    let mut id = [0x55; 20];
    id[0] = first;
    id[1..3].copy_from_slice(&n.to_be_bytes());
    let [a, b] = n.to_be_bytes();
    Contact {
        id: Id::new(id),
        // Every node in a /24 of its own.
        endpoint: Endpoint::new([30 + a % 60, first, b, 9].into(), 6881),
    }
}

fn pool(capacity: usize) -> (Pool, Instant) {
    let now = Instant::now();
    (Pool::new(capacity, now), now)
}

proptest! {
    #[test]
    fn closest_is_what_a_sorted_list_says(
        nodes in prop::collection::vec((any::<u8>(), any::<u16>()), 0..60),
        target: [u8; 20],
        count in 1_usize..20,
    ) {
        // Cells so many that none overflows by chance of the strategy matters: the model has them too.
        let (mut pool, now) = pool(4_096);
        for (first, n) in &nodes {
            pool.answered(now, contact(*first, *n), RTT, Address::Shared);
        }
        let target = Id::new(target);
        let mut all: Vec<Contact> = pool.cells.iter().flatten().map(|known| known.contact).collect();
        all.sort_by_key(|contact| contact.id.distance(&target));
        all.truncate(count);
        let found: Vec<Contact> = pool.closest(now, &target, count).iter().map(|k| k.contact).collect();
        prop_assert_eq!(found, all);
    }
}

#[test]
fn it_stays_within_its_capacity_whatever_comes() {
    for capacity in [0, 7, 8, 64, 100, 2_048] {
        let (mut pool, now) = pool(capacity);
        for n in 0..4_000 {
            pool.named(now, contact((n % 251) as u8, n), Address::Exclusive);
            pool.answered(
                now,
                contact((n % 241) as u8, n + 4_000),
                RTT,
                Address::Exclusive,
            );
        }
        assert!(pool.len() <= capacity, "{capacity}: {}", pool.len());
        assert!(
            capacity < PER_CELL || pool.len() > capacity / 4,
            "{capacity}: {}",
            pool.len()
        );
    }
}

#[test]
fn hearsay_does_not_drive_out_those_who_answered() {
    let (mut pool, now) = pool(8);
    for n in 0..8 {
        pool.answered(now, contact(1, n), RTT, Address::Exclusive);
    }
    let later = now + Duration::from_secs(3_600);
    for n in 100..200 {
        pool.named(later, contact(1, n), Address::Exclusive);
    }
    let known = |pool: &Pool| pool.closest(later, &contact(1, 0).id, 99).len();
    assert_eq!(known(&pool), 8);
    assert!(pool.rtt(&contact(1, 3)).is_some());
    // But whoever was silent for hours gives way to what is fresh.
    let much_later = now + Duration::from_secs(3 * 3_600);
    pool.named(much_later, contact(1, 300), Address::Exclusive);
    assert_eq!(
        pool.cells[0]
            .iter()
            .filter(|k| k.standing == Standing::Named)
            .count(),
        1
    );
}

#[test]
fn a_network_has_one_place_in_a_cell() {
    let (mut pool, now) = pool(8);
    for host in 0..100_u8 {
        let mut sybil = contact(1, u16::from(host));
        sybil.endpoint = Endpoint::new([9, 9, 9, host].into(), 6881);
        pool.answered(now, sybil, RTT, Address::Exclusive);
    }
    assert_eq!(pool.len(), 1);
}

#[test]
fn silence_and_age_end_an_acquaintance() {
    let (mut pool, now) = pool(64);
    let (known, heard_of) = (contact(1, 1), contact(2, 2));
    pool.answered(now, known, RTT, Address::Exclusive);
    pool.named(now, heard_of, Address::Exclusive);
    let at = |pool: &Pool, age| pool.closest(now + age, &known.id, 9).len();
    assert_eq!(at(&pool, Duration::ZERO), 2);
    assert_eq!(at(&pool, NAMED_FOR), 1);
    assert_eq!(at(&pool, ANSWERED_FOR), 0);
    pool.failed(&known);
    assert_eq!(at(&pool, Duration::ZERO), 1);
}
