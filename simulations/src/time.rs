//! Virtual time: whole microseconds since the world began.
//!
//! The machines know [`Instant`]s, of which only differences matter; the world knows [`Time`]s, which
//! are numbers. [`Clock`] translates. A timer of a machine is rounded up, so that it has passed when
//! it rings.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::{Duration, Instant};

/// Microseconds since the start of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The beginning.
    pub const ZERO: Time = Time(0);

    /// `seconds` after the beginning.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Time {
        Time(seconds * 1_000_000)
    }

    /// Time since the beginning.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// Time since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Time(self.0.saturating_add(micros))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;

    fn sub(self, earlier: Time) -> Duration {
        self.since(earlier)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// What ties virtual time to the instants that machines are given.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Default for Clock {
    /// A clock whose epoch is any instant: no machine can see which.
    #[expect(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
    fn default() -> Clock {
        Clock {
            epoch: Instant::now(),
        }
    }
}

impl Clock {
    /// What a machine calls `time`.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        self.epoch + time.elapsed()
    }

    /// The first whole microsecond that is not before `instant`.
    #[must_use]
    pub fn time(&self, instant: Instant) -> Time {
        let nanos = instant.saturating_duration_since(self.epoch).as_nanos();
        Time(u64::try_from(nanos.div_ceil(1000)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_rounded_up() {
        let clock = Clock::default();
        let five = clock.instant(Time(5));
        assert_eq!(clock.time(five), Time(5));
        assert_eq!(clock.time(five + Duration::from_nanos(1)), Time(6));
        assert_eq!(clock.time(five - Duration::from_secs(9)), Time::ZERO);
    }

    #[test]
    fn times_add_and_subtract() {
        let later = Time::from_secs(1) + Duration::from_millis(500);
        assert_eq!(later, Time(1_500_000));
        assert_eq!(later - Time::from_secs(1), Duration::from_millis(500));
        assert_eq!(Time::ZERO - later, Duration::ZERO);
        assert_eq!(later.to_string(), "1.500000 s");
    }
}
