//! Measured values and how they are spread: quantiles, mean, the points of a cumulative curve.
//!
//! Values are finite and in order once collected; what is not finite is left out. Knows nothing
//! of what the values mean.

use std::time::Duration;

/// The value that the part `q` (0 to 1) of all values does not exceed, between two neighbours by
/// a straight line. `sorted` ascends; of no values it is NaN.
#[must_use]
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let below = (at as usize).min(last);
    let above = (below + 1).min(last);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}

/// Values in ascending order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distribution {
    sorted: Vec<f64>,
}

impl FromIterator<f64> for Distribution {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }
}

/// In seconds.
impl FromIterator<Duration> for Distribution {
    fn from_iter<I: IntoIterator<Item = Duration>>(values: I) -> Self {
        values.into_iter().map(|d| d.as_secs_f64()).collect()
    }
}

impl Distribution {
    /// Adds a value where it belongs, unless it is not finite. Many at once are collected faster.
    pub fn push(&mut self, value: f64) {
        if value.is_finite() {
            let at = self.sorted.partition_point(|v| v.total_cmp(&value).is_le());
            self.sorted.insert(at, value);
        }
    }

    /// The same among `all` values, of which those that are missing here never came: `None` if it is
    /// one of them.
    #[must_use]
    pub fn quantile_of(&self, all: usize, q: f64) -> Option<f64> {
        let at = q * all.saturating_sub(1) as f64 / self.len().saturating_sub(1).max(1) as f64;
        (at <= 1.0).then(|| self.quantile(at))?
    }

    /// How many values.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The values, ascending.
    #[must_use]
    pub fn sorted(&self) -> &[f64] {
        &self.sorted
    }

    /// See [`quantile`]; `None` without values.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        (!self.is_empty()).then(|| quantile(&self.sorted, q))
    }

    /// Half of the values are not above it.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// The sum over the count; `None` without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let sum: f64 = self.sorted.iter().sum();
        (!self.is_empty()).then(|| sum / self.len() as f64)
    }

    /// The part (0 to 1) of the values that are not above `limit`; `None` without values.
    #[must_use]
    pub fn share_up_to(&self, limit: f64) -> Option<f64> {
        let within = self.sorted.partition_point(|v| *v <= limit);
        (!self.is_empty()).then(|| within as f64 / self.len() as f64)
    }

    /// The cumulative curve for a chart with steps: (value, part of all values up to it).
    #[must_use]
    pub fn cdf(&self) -> Vec<(f64, f64)> {
        self.cdf_of(self.len())
    }

    /// The same when `all` were measured and the missing ones have no value (a lookup that found
    /// nothing): the curve ends below 1. `all` is at least the count of values.
    #[must_use]
    pub fn cdf_of(&self, all: usize) -> Vec<(f64, f64)> {
        let all = all.max(self.len()) as f64;
        let first = self.sorted.first().map(|first| (*first, 0.0));
        let steps = self.sorted.iter().enumerate();
        let steps = steps.map(|(i, value)| (*value, (i + 1) as f64 / all));
        first.into_iter().chain(steps).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let values = [1.0, 2.0, 4.0];
        let wanted = [(0.0, 1.0), (0.5, 2.0), (0.75, 3.0), (1.0, 4.0), (7.0, 4.0)];
        for (q, value) in wanted {
            assert!((quantile(&values, q) - value).abs() < 1e-12, "{q}");
        }
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn those_that_never_came_are_later_than_all_that_did() {
        let three: Distribution = [1.0, 2.0, 4.0].into_iter().collect();
        let of = |all, q| three.quantile_of(all, q);
        assert_eq!((of(3, 0.5), of(5, 0.5)), (Some(2.0), Some(4.0)));
        assert_eq!((of(5, 0.9), of(9, 0.5)), (None, None));
        assert_eq!(Distribution::default().quantile_of(0, 0.5), None);
    }

    #[test]
    fn a_distribution_sorts_and_leaves_out_what_is_not_finite() {
        let d: Distribution = [3.0, f64::NAN, 1.0, f64::INFINITY].into_iter().collect();
        assert_eq!(d.sorted(), [1.0, 3.0]);
        assert_eq!(d.mean(), Some(2.0));
        assert_eq!(d.share_up_to(1.0), Some(0.5));
        assert_eq!(Distribution::default().median(), None);
    }

    #[test]
    fn pushed_values_are_as_good_as_collected_ones() {
        let values = [3.0, -1.0, f64::NAN, 3.0, 2.0, f64::NEG_INFINITY];
        let mut pushed = Distribution::default();
        values.into_iter().for_each(|value| pushed.push(value));
        assert_eq!(pushed, values.into_iter().collect());
        assert_eq!(pushed.sorted(), [-1.0, 2.0, 3.0, 3.0]);
    }

    #[test]
    fn a_curve_ends_at_the_share_that_has_a_value() {
        let d: Distribution = [Duration::from_secs(2), Duration::from_secs(1)]
            .into_iter()
            .collect();
        assert_eq!(d.cdf(), [(1.0, 0.0), (1.0, 0.5), (2.0, 1.0)]);
        assert_eq!(d.cdf_of(4).last(), Some(&(2.0, 0.5)));
    }
}
