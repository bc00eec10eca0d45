//! When a tracker may be asked again: its own interval after a success, a growing pause after a failure
//! (BEP 3 "interval", BEP 15 for the growth).
//!
//! Invariant: no tracker is asked more often than [`SHORTEST`] for peers, whatever it says, and a dead
//! one at most every [`LONGEST_PAUSE`]. The file knows one tracker at a time and no order among them.

use std::time::Duration;

use rand::{Rng, RngExt};

use super::announce::{Failure, Reply};

/// Shortest interval that is believed.
pub const SHORTEST: Duration = Duration::from_secs(60);

/// Longest interval that is believed.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Pause after the first failure; doubles up to [`LONGEST_PAUSE`].
pub const FIRST_PAUSE: Duration = Duration::from_secs(15);

/// Longest pause of a tracker that does not answer.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(1800);

/// First pause for a tracker that answered with a refusal: it will hardly think better of it soon.
pub const REFUSED_PAUSE: Duration = Duration::from_secs(300);

/// Until the next announce by the clock: what the tracker wants, and up to a twentieth more, so that
/// torrents which started together do not stay together.
pub fn interval(reply: &Reply, rng: &mut impl Rng) -> Duration {
    let wanted = reply.interval.max(reply.min_interval.unwrap_or_default());
    spread(wanted.clamp(SHORTEST, LONGEST), 20, rng)
}

/// Until an announce for want of peers: the tracker's `min interval`; without one, its interval.
pub fn shortest(reply: &Reply) -> Duration {
    reply
        .min_interval
        .unwrap_or(reply.interval)
        .clamp(SHORTEST, LONGEST)
}

/// Until a tracker is tried again that failed `fails` times in a row (1 and more).
pub fn pause(failure: &Failure, fails: u32, rng: &mut impl Rng) -> Duration {
    let first = match failure {
        Failure::Reason(_) | Failure::Special | Failure::Redirect(_) => REFUSED_PAUSE,
        _ => FIRST_PAUSE,
    };
    let doubled = first.saturating_mul(1 << fails.saturating_sub(1).min(10));
    spread(doubled.min(LONGEST_PAUSE), 4, rng)
}

/// The time and up to one `part`th of it more.
fn spread(time: Duration, part: u32, rng: &mut impl Rng) -> Duration {
    let more = u64::try_from((time / part).as_millis()).unwrap_or(u64::MAX);
    time.saturating_add(Duration::from_millis(rng.random_range(0..=more)))
}
