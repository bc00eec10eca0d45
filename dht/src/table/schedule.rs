//! When a contact wants to be asked again (dht.md §2.4, §3.3).
//!
//! Sessions are Weibull with a shape near 0.6: the longer a node lived, the longer it will. So the
//! pause that keeps the expected share of dead contacts constant grows with the age to the power
//! 0.39. Two exceptions: a newcomer is asked once soon after the hole in its NAT would be closed, and
//! whoever missed an answer is asked again soon. Knows seats and moments, sends nothing.

use std::time::Duration;

use super::seat::{Moment, Proof, QUIET, Seat};

/// Pauses in seconds that keep 5 % dead, at ages of 1, 2, 4, 8 … minutes: 11 min at an hour.
const PAUSES: [u64; 15] = [
    134, 175, 229, 301, 394, 517, 677, 887, 1_162, 1_523, 1_996, 2_615, 3_427, 4_490, 5_884,
];
/// Least pause: longer than any hole in a NAT stays open, so that each answer proves something.
const SHORTEST: Duration = Duration::from_secs(305);
/// Silence after which a newcomer is asked again: the hole that we made in its NAT is closed.
const RECHECK: Duration = Duration::from_secs(100);
/// After one missed answer, two, three.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(8),
    Duration::from_secs(60),
    Duration::from_secs(180),
];

/// Where in the table a contact sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Among those closest to us: at most 5 % of them may be dead.
    Near,
    /// Elsewhere: at most 15 %.
    Far,
}

/// How pressing a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// To be found out now: a newcomer, or one that missed an answer.
    Soon,
    /// In its turn.
    Routine,
}

/// The pause that the law of ages allows to one that has lived for `age`.
fn pause(age: Duration, place: Place) -> Duration {
    let minutes = (age.as_secs() / 60).max(1);
    let power = minutes.ilog2() as usize;
    let at = |index: usize| PAUSES.get(index).or(PAUSES.last()).copied().unwrap_or(0);
    let (low, high) = (at(power), at(power + 1));
    let between = minutes - (1 << power);
    let seconds = low + (high - low) * between / (1 << power);
    let pause = match place {
        Place::Near => Duration::from_secs(seconds),
        // Tenfold, by measurement: 8 % are dead after two idle hours (`trackless-sim run upkeep`), since
        // the short-lived are dropped first. 15 % would do, but those who look things up pay for it.
        Place::Far => Duration::from_secs(seconds * 10),
    };
    pause.max(SHORTEST)
}

/// When to ask it next.
pub(super) fn due(seat: &Seat, place: Place) -> (Moment, Urgency) {
    if let Some(last) = usize::from(seat.failures).checked_sub(1) {
        let wait = RETRIES.get(last).or(RETRIES.last()).copied();
        let urgency = if last == 0 {
            Urgency::Soon
        } else {
            Urgency::Routine
        };
        return (seat.asked.after(wait.unwrap_or(QUIET)), urgency);
    }
    let pause = pause(seat.heard.since(seat.since), place);
    match seat.proof() {
        // Silence since its last packet, but it may not put the question off for ever by asking us.
        Proof::Fresh => {
            let latest = seat.asked.after(4 * RECHECK);
            (seat.heard.after(RECHECK).min(latest), Urgency::Soon)
        }
        Proof::Tried => {
            let quiet = seat.heard.after(QUIET).min(seat.asked.after(2 * pause));
            (seat.asked.after(pause).max(quiet), Urgency::Routine)
        }
        // Its questions are signs of life: everybody reaches it, so no hole is needed.
        Proof::Proven => (seat.heard.max(seat.asked).after(pause), Urgency::Routine),
    }
}

/// Whether a newcomer that waits for its place is reason to ask it now.
pub(super) fn is_doubtful(seat: &Seat, now: Moment) -> bool {
    seat.failures > 0 || due(seat, Place::Near).0 <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    #[test]
    fn pauses_follow_the_law_of_ages() {
        for (age, wanted) in [(60, 11), (240, 19), (1_440, 38), (10_080, 81)] {
            let got = pause(minutes(age), Place::Near);
            let wanted = minutes(wanted);
            assert!(got.abs_diff(wanted) < wanted / 15, "{age}: {got:?}");
            assert!(pause(minutes(age), Place::Far) > 2 * got);
        }
        assert_eq!(pause(Duration::ZERO, Place::Near), SHORTEST);
        let pauses: Vec<_> = (0..20_000)
            .map(|age| pause(minutes(age), Place::Near))
            .collect();
        assert!(pauses.is_sorted());
        assert_eq!(pauses.last(), Some(&Duration::from_secs(5_884)));
    }
}
