//! Churn against the tables of dht.md §2.4.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::*;

/// Minutes, and what survives them: KAD first, KAD later, IPFS.
const SURVIVAL: [(u64, [f64; 3]); 8] = [
    (5, [0.992, 0.981, 0.986]),
    (15, [0.978, 0.947, 0.959]),
    (30, [0.959, 0.902, 0.923]),
    (60, [0.924, 0.823, 0.860]),
    (120, [0.863, 0.699, 0.757]),
    (240, [0.764, 0.525, 0.603]),
    (480, [0.620, 0.322, 0.408]),
    (1440, [0.324, 0.071, 0.121]),
];

#[test]
fn gate_c7_residual_lives_are_those_of_the_table() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (column, life) in [KAD_FIRST, KAD_LATER, IPFS].into_iter().enumerate() {
        let lives: Vec<Duration> = (0..60_000).map(|_| life.residual(&mut rng)).collect();
        for (minutes, expected) in SURVIVAL {
            let longer = Duration::from_secs(minutes * 60);
            let found = lives.iter().filter(|left| **left > longer).count() as f64 / 60_000.0;
            let expected = expected[column];
            assert!(
                (found - expected).abs() < 0.01,
                "{minutes}: {found} for {expected}"
            );
        }
    }
}

#[test]
fn sessions_are_weibull_whatever_the_correlation() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let sessions = Sessions {
        shares: (1.0, 0.0),
        ..Sessions::default()
    };
    let mut habit = sessions.habit(&mut rng);
    let drawn: Vec<Duration> = (0..40_000)
        .filter_map(|_| sessions.session(&mut habit, &mut rng))
        .collect();
    for minutes in [10, 60, 240, 960] {
        let longer = Duration::from_secs(minutes * 60);
        let found = drawn.iter().filter(|session| **session > longer).count() as f64 / 40_000.0;
        assert!(
            (found - sessions.casual.survival(longer)).abs() < 0.015,
            "{minutes}: {found}"
        );
    }
    // A long session follows a long one more often than a short one.
    let median = drawn[..]
        .iter()
        .copied()
        .collect::<std::collections::BTreeSet<_>>();
    let median = *median.iter().nth(20_000 - 1).expect("distinct lives");
    let alike = drawn
        .windows(2)
        .filter(|two| (two[0] > median) == (two[1] > median))
        .count();
    assert!((0.62..0.72).contains(&(alike as f64 / 40_000.0)), "{alike}");
}

#[test]
fn shares_and_renewals_are_kept() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let sessions = Sessions::default();
    let count = |class, habits: &[Habit]| habits.iter().filter(|h| h.class == class).count();
    let habits: Vec<Habit> = (0..10_000).map(|_| sessions.habit(&mut rng)).collect();
    assert!((6_850..7_150).contains(&count(Class::Casual, &habits)));
    assert!((400..600).contains(&count(Class::Permanent, &habits)));
    // Casual ones are there for a fifth of the time, so fewer of them are met.
    let met: Vec<Habit> = (0..10_000).map(|_| sessions.habit_met(&mut rng)).collect();
    assert!(
        (4_200..5_200).contains(&count(Class::Casual, &met)),
        "{}",
        count(Class::Casual, &met)
    );
    let returns: Vec<Return> = (0..10_000).map(|_| sessions.returns(&mut rng)).collect();
    let new = returns.iter().filter(|r| r.identity == Kept::New).count();
    assert!((3_850..4_150).contains(&new));
    let moved = returns.iter().filter(|r| r.address == Kept::New).count();
    assert!((2_850..3_150).contains(&moved));
}

#[test]
fn absences_are_weibull_and_shorter_in_the_evening() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let sessions = Sessions::default();
    let mut mean = |hour: u64| -> f64 {
        let at = Time::from_secs(hour * 3600);
        let drawn = (0..20_000).map(|_| sessions.absence(at, &mut rng).as_secs_f64());
        drawn.sum::<f64>() / 20_000.0 / 60.0
    };
    let [noon, evening] = [0, 6].map(&mut mean);
    // dht.md §2.4: mean 1,110 min of a scale of 414; the sample's tail is heavy.
    assert!((850.0..1_150.0).contains(&noon), "{noon}");
    assert!((0.7..0.9).contains(&(evening / noon)), "{evening}");
}

#[test]
fn nobody_leaves_a_still_world_and_haste_shortens_lives() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let still = Sessions::none();
    let mut habit = still.habit(&mut rng);
    assert_eq!(still.session(&mut habit, &mut rng), None);
    assert_eq!(still.residual(&mut habit, &mut rng), None);
    let total = |sessions: &Sessions| -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let mut habit = Sessions::default().habit(&mut rng);
        habit.class = Class::Casual;
        (0..100)
            .filter_map(|_| sessions.session(&mut habit, &mut rng))
            .map(|session| session.as_secs_f64())
            .sum()
    };
    let ratio = total(&Sessions::default()) / total(&Sessions::default().faster(10.0));
    assert!((ratio - 10.0).abs() < 0.01);
}
