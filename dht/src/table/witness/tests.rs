//! Who is a witness.

use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::*;
use crate::contact::Address;
use crate::id::Id;

fn contact(n: u8) -> Contact {
    Contact {
        id: Id::new([n; 20]),
        endpoint: Endpoint::new([20 + n, 1, 1, 1].into(), 7),
    }
}

#[test]
fn only_who_should_answer_bears_witness_and_each_once() {
    let birth = Instant::now();
    let at = |seconds: u64| birth + Duration::from_secs(seconds);
    let mut table = Table::new(Id::new([255; 20]), birth);
    let mut answers = |now, who| {
        table.verified(now, contact(who), Duration::ZERO, Address::Exclusive);
    };
    // Two that answered after a silence, one that did so only through a fresh hole, one that is silent.
    for (seconds, who) in [
        (0, 1),
        (200, 1),
        (0, 2),
        (300, 2),
        (300, 3),
        (0, 4),
        (250, 4),
    ] {
        answers(at(seconds), who);
    }
    table.failed(at(310), &contact(4));
    assert!(table.trusts(at(320), &contact(3)), "its hole is open");
    let now = at(1_000);
    let trusted: Vec<u8> = (0..6).filter(|n| table.trusts(now, &contact(*n))).collect();
    assert_eq!(trusted, [1, 2]);
    let since = at(900);
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::seed_from_u64(1);
    for wanted in [2, 1] {
        let witness = table.witness(now, since);
        assert_eq!(witness, Some(contact(wanted)), "the one heard last");
        table.asking(now, &contact(wanted), Duration::ZERO, &mut rng);
    }
    assert_eq!(table.witness(now, since), None);
}

#[test]
fn one_missed_answer_ends_no_hope() {
    let now = Instant::now();
    let mut table = Table::new(Id::new([255; 20]), now);
    assert!(!table.has_hope_of(&contact(1)));
    table.verified(now, contact(1), Duration::ZERO, Address::Exclusive);
    table.failed(now, &contact(1));
    assert!(table.has_hope_of(&contact(1)));
    table.failed(now, &contact(1));
    assert!(table.knows(&contact(1)) && !table.has_hope_of(&contact(1)));
}
