//! Who gives way to whom, and who is asked when.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(mut contact: Contact, ip: [u8; 4]) -> Contact {
    contact.endpoint = Endpoint::new(ip.into(), 7);
    contact
}

fn holds(table: &Table, contact: Contact) -> bool {
    table.entries().any(|entry| entry.contact == contact)
}

/// Answers at `now` until it counts as reachable by anybody.
fn proven(table: &mut Table, mut now: Instant, contact: Contact, rtt: Duration) -> Instant {
    for _ in 0..2 {
        table.verified(now, contact, rtt, Address::Exclusive);
        now += 6 * MINUTE;
    }
    now - 6 * MINUTE
}

#[test]
fn a_newcomer_is_asked_again_when_its_hole_is_closed() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    assert_eq!(table.next_check(now), None);
    put(&mut table, now, contact(0, 1));
    let check = table.next_check(now).expect("one");
    assert_eq!(check.urgency, Urgency::Soon);
    assert!(check.due >= now + Duration::from_secs(90) && check.due <= now + 2 * MINUTE);
    // Its own questions keep the hole open, but not for ever.
    for seconds in (0..600).step_by(30) {
        table.heard(now + Duration::from_secs(seconds), &contact(0, 1));
    }
    let check = table.next_check(now).expect("one");
    assert!(check.due <= now + 7 * MINUTE);
}

#[test]
fn a_newcomer_behind_a_nat_goes_after_two_questions() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    put(&mut table, now, contact(0, 1));
    table.failed(now + 2 * MINUTE, &contact(0, 1));
    let retry = table.next_check(now + 2 * MINUTE).expect("still there");
    assert!(retry.due <= now + 3 * MINUTE && retry.urgency == Urgency::Soon);
    table.failed(retry.due, &contact(0, 1));
    assert!(table.is_empty());
}

#[test]
fn the_questions_of_a_proven_contact_put_the_next_check_off() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let last = proven(&mut table, now, contact(0, 1), RTT);
    let due = table.next_check(last).expect("one").due;
    assert!(due >= last + 5 * MINUTE);
    table.heard(due, &contact(0, 1));
    assert!(table.next_check(due).expect("one").due >= due + 5 * MINUTE);
}

#[test]
fn the_neighbourhood_is_asked_more_often() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let mut last = now;
    for n in 0..40 {
        for bits in [0, 9, 10] {
            last = proven(&mut table, now, contact(bits, n), RTT);
        }
    }
    let first = table.next_check(last).expect("many");
    assert!(OWN.shared_bits(&first.contact.id) >= 9, "{first:?}");
}

#[test]
fn a_poor_bucket_is_filled_and_then_rests() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut table = Table::new(OWN, now);
    for n in 0..20 {
        put(&mut table, now, contact(0, n));
        put(&mut table, now, contact(6, n));
        put(&mut table, now, contact(7, n));
    }
    let sought = table
        .asking(now, &contact(0, 1), MINUTE, &mut rng)
        .expect("it has room");
    assert_eq!(OWN.shared_bits(&sought), 0);
    assert_eq!(table.asking(now, &contact(0, 2), MINUTE, &mut rng), None);
    assert!(
        table
            .asking(now + MINUTE, &contact(0, 2), MINUTE, &mut rng)
            .is_some()
    );
    // The nearest are asked for our own id.
    assert_eq!(
        table.asking(now, &contact(7, 1), MINUTE, &mut rng),
        Some(OWN)
    );
    assert_eq!(table.asking(now, &contact(6, 1), MINUTE, &mut rng), None);
}

#[test]
fn a_crowded_network_gives_way_to_another() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    for n in 0..8 {
        put(&mut table, now, at(contact(10, n), [99, 9, 9, 1 + n as u8]));
    }
    assert_eq!(table.len(), 8, "nobody else would like in");
    for n in 8..15 {
        let verdict = put(&mut table, now, contact(10, n));
        assert!(matches!(verdict, Verdict::Replaced(_)), "{n} {verdict:?}");
    }
    let crowd = table
        .entries()
        .filter(|e| e.contact.endpoint.ip.to_string().starts_with("99."));
    assert_eq!(crowd.count(), 1);
    assert_eq!(put(&mut table, now, contact(10, 99)), Verdict::Full);
}

#[test]
fn the_same_private_network_is_no_crowd() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    for n in 0..20 {
        let neighbour = at(contact(10, n), [10, 0, 0, 1 + n as u8]);
        table.verified(now, neighbour, RTT, Address::Shared);
    }
    assert!(holds(&table, at(contact(10, 0), [10, 0, 0, 1])));
    assert!(!holds(&table, at(contact(10, 19), [10, 0, 0, 20])));
}

#[test]
fn an_id_that_follows_from_its_address_is_preferred_in_a_small_bucket() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let ip = [77, 1, 2, 3];
    let bound = Contact {
        id: Id::for_address(ip.into(), &mut rng),
        endpoint: Endpoint::new(ip.into(), 7),
    };
    let own = bound.id.sharing(20, &mut rng);
    let mut table = Table::new(own, now);
    for n in 0..8 {
        let free = Contact {
            id: own.sharing(20, &mut rng),
            ..contact(0, n)
        };
        put(&mut table, now, free);
    }
    assert!(matches!(put(&mut table, now, bound), Verdict::Replaced(_)));
    assert!(holds(&table, bound) && table.len() == 8);
}

#[test]
fn a_large_bucket_prefers_who_is_near_and_proven() {
    let now = Instant::now();
    let mut table = Table::new(OWN, now);
    let later = now + 25 * MINUTE;
    for n in 0..16 {
        let rtt = Duration::from_millis(100 + u64::from(n));
        table.verified(later, contact(3, n), rtt, Address::Exclusive);
    }
    let near = |table: &mut Table, at: Instant, rtt: u64| {
        let rtt = Duration::from_millis(rtt);
        table.verified(at, contact(3, 99), rtt, Address::Exclusive)
    };
    assert_eq!(
        near(&mut table, later, 10),
        Verdict::Full,
        "one sample may be luck"
    );
    assert_eq!(
        near(&mut table, later + 2 * MINUTE, 10),
        Verdict::Replaced(contact(3, 15))
    );
    // Whoever has lived long keeps its place, however far it is.
    let old = later + 40 * MINUTE;
    for n in 0..15 {
        table.heard(old, &contact(3, n));
    }
    let another = |table: &mut Table, at: Instant| {
        table.verified(
            at,
            contact(3, 98),
            Duration::from_millis(10),
            Address::Exclusive,
        )
    };
    assert!(!matches!(another(&mut table, old), Verdict::Replaced(_)));
    assert!(!matches!(
        another(&mut table, old + 2 * MINUTE),
        Verdict::Replaced(_)
    ));
}
