//! How long something took for many: count, mean and quantiles.
//!
//! Invariant: integers only, so equal runs give equal figures. It knows nothing of what took the time.

use std::time::Duration;

/// The distribution of some durations; zeros if there are none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Times {
    /// How many.
    pub count: u32,
    /// Their mean.
    pub mean: Duration,
    /// A tenth took no longer.
    pub p10: Duration,
    /// Half took no longer.
    pub p50: Duration,
    /// Nine tenths took no longer.
    pub p90: Duration,
    /// The longest.
    pub max: Duration,
}

impl Times {
    /// Of these, in any order.
    #[must_use]
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Times {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        let Some(max) = times.last().copied() else {
            return Times::default();
        };
        let count = times.len() as u32;
        let at = |tenths: usize| times[(times.len() * tenths).div_ceil(10).max(1) - 1];
        Times {
            count,
            mean: times.iter().sum::<Duration>() / count,
            p10: at(1),
            p50: at(5),
            p90: at(9),
            max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_members() {
        let seconds = |n| Duration::from_secs(n);
        let times = Times::of((1..=20).rev().map(seconds));
        assert_eq!((times.count, times.max), (20, seconds(20)));
        assert_eq!(times.mean, Duration::from_millis(10_500));
        let found = (times.p10, times.p50, times.p90);
        assert_eq!(found, (seconds(2), seconds(10), seconds(18)));
        assert_eq!(Times::of([]), Times::default());
        assert_eq!(Times::of([seconds(3)]).p10, seconds(3));
    }
}
