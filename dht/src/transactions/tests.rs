//! Who may close a question, when it expires, and the bound.

use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

const PATIENCE: Patience = Patience {
    slow: Duration::from_secs(1),
    failed: Duration::from_secs(2),
};

fn at(n: u16) -> Endpoint {
    Endpoint::new([9, 8, 7, 6].into(), n)
}

fn opened() -> (Transactions<u8>, TransactionId, Instant) {
    let now = Instant::now();
    let mut open = Transactions::default();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let whom = (at(1), Some(Id::new([1; 20])));
    let id = open.open(now, whom, 7, PATIENCE, &mut rng).expect("room");
    (open, id, now)
}

#[test]
fn the_right_answer_closes_once() {
    let (mut open, id, _) = opened();
    assert!(matches!(
        open.close(Instant::now(), &id, (at(1), &Id::new([1; 20]))),
        Closed::Matched(_)
    ));
    assert!(matches!(
        open.close(Instant::now(), &id, (at(1), &Id::new([1; 20]))),
        Closed::Unknown
    ));
}

#[test]
fn another_port_or_id_or_length_does_not_close() {
    let (mut open, id, _) = opened();
    assert_eq!(
        open.close(Instant::now(), &id, (at(2), &Id::new([1; 20]))),
        Closed::Unknown
    );
    assert_eq!(
        open.close(Instant::now(), &id[..3], (at(1), &Id::new([1; 20]))),
        Closed::Unknown
    );
    assert_eq!(
        open.close(Instant::now(), b"", (at(1), &Id::new([1; 20]))),
        Closed::Unknown
    );
    let mut forged = id;
    forged[3] ^= 1;
    assert_eq!(
        open.close(Instant::now(), &forged, (at(1), &Id::new([1; 20]))),
        Closed::Unknown
    );
    assert!(open.awaits(at(1)) && !open.awaits(at(2)));
}

#[test]
fn another_node_there_is_an_impostor() {
    let (mut open, id, _) = opened();
    assert!(matches!(
        open.close(Instant::now(), &id, (at(1), &Id::new([2; 20]))),
        Closed::Impostor(_)
    ));
    assert!(open.is_empty());
}

#[test]
fn a_question_is_slow_once_and_then_fails() {
    let (mut open, id, now) = opened();
    assert_eq!(open.next_timeout(), Some(now + PATIENCE.slow));
    assert_eq!(open.expire(now), None);
    let later = now + PATIENCE.slow;
    assert!(matches!(open.expire(later), Some(Due::Slow(question)) if question.purpose == 7));
    assert_eq!(open.expire(later), None);
    let later = now + PATIENCE.failed;
    assert!(matches!(open.expire(later), Some(Due::Failed(question)) if question.id == id));
    assert!(open.is_empty());
}

#[test]
fn a_slow_question_may_still_be_answered() {
    let (mut open, id, now) = opened();
    open.expire(now + PATIENCE.slow);
    assert!(matches!(
        open.close(Instant::now(), &id, (at(1), &Id::new([1; 20]))),
        Closed::Matched(_)
    ));
}

#[test]
fn no_more_than_the_bound_are_open() {
    let (mut open, _, now) = opened();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let opened = (0..1000).filter(|n| {
        open.open(now, (at(*n), None), 0, PATIENCE, &mut rng)
            .is_some()
    });
    assert_eq!(opened.count(), MAX_PENDING - 1);
    assert_eq!(open.len(), MAX_PENDING);
}

proptest! {
    #[test]
    fn timeouts_come_in_order(waits in prop::collection::vec((1_u64..900, 1_u64..900), 1..50)) {
        let now = Instant::now();
        let mut open = Transactions::default();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for (slow, more) in &waits {
            let slow = Duration::from_millis(*slow);
            let patience = Patience { slow, failed: slow + Duration::from_millis(*more) };
            open.open(now, (at(1), None), (), patience, &mut rng);
        }
        let (mut clock, mut slow, mut failed) = (now, 0, 0);
        while let Some(due) = open.next_timeout() {
            prop_assert!(due >= clock);
            clock = due;
            match open.expire(clock) {
                Some(Due::Slow(_)) => slow += 1,
                Some(Due::Failed(_)) => failed += 1,
                None => prop_assert!(false, "a timeout that is due expires something"),
            }
        }
        prop_assert_eq!((slow, failed), (waits.len(), waits.len()));
    }
}

#[test]
fn an_answer_is_recognised_for_ten_seconds() {
    let (mut open, mut rng, now) = (
        Transactions::default(),
        ChaCha8Rng::seed_from_u64(3),
        Instant::now(),
    );
    let answered_after = |open: &mut Transactions<()>, rng: &mut _, after| {
        let id = open.open(now, (at(1), None), (), PATIENCE, rng).unwrap();
        while open.expire(now + PATIENCE.slow).is_some() {}
        while open.expire(now + PATIENCE.failed).is_some() {}
        open.take(now + after, &id, at(1))
    };
    let late = answered_after(&mut open, &mut rng, RECOGNISED / 2).expect("late, not lost");
    assert!(late.is_late());
    assert_eq!(answered_after(&mut open, &mut rng, RECOGNISED), None);
    assert!(open.late.is_empty());
}

#[test]
fn what_was_given_up_is_bounded() {
    let (mut open, mut rng, mut now) = (
        Transactions::default(),
        ChaCha8Rng::seed_from_u64(3),
        Instant::now(),
    );
    for _ in 0..10 {
        while open
            .open(now, (at(1), None), (), PATIENCE, &mut rng)
            .is_some()
        {}
        now += PATIENCE.slow;
        while open.expire(now).is_some() {}
        now += PATIENCE.failed;
        while open.expire(now).is_some() {}
        assert!(open.late.len() <= MAX_LATE && open.is_empty());
    }
}
