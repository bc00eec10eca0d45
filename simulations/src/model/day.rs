//! The day: more people are online in the evening (dht.md §5.2: a sinusoid of ±25 %).

use std::time::Duration;

use crate::time::Time;

/// A sinusoid around 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayCycle {
    /// Largest departure from 1, 0 to 1.
    pub swing: f64,
    /// From one evening to the next.
    pub period: Duration,
}

impl Default for DayCycle {
    fn default() -> DayCycle {
        DayCycle {
            swing: 0.25,
            period: Duration::from_secs(86_400),
        }
    }
}

impl DayCycle {
    /// Always 1.
    #[must_use]
    pub fn none() -> DayCycle {
        DayCycle {
            swing: 0.0,
            ..DayCycle::default()
        }
    }

    /// How many are online at `at`, as a share of the mean. The world begins at the mean, rising.
    #[must_use]
    pub fn activity(&self, at: Time) -> f64 {
        let turn = at.elapsed().as_secs_f64() / self.period.as_secs_f64();
        1.0 + self.swing * libm::sin(std::f64::consts::TAU * turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_rises_falls_and_averages_to_one() {
        let day = DayCycle::default();
        let hours: Vec<f64> = (0..24)
            .map(|h| day.activity(Time::from_secs(h * 3600)))
            .collect();
        assert!((hours.iter().sum::<f64>() / 24.0 - 1.0).abs() < 1e-9);
        assert!((hours[6] - 1.25).abs() < 1e-9 && (hours[18] - 0.75).abs() < 1e-9);
        assert!((DayCycle::none().activity(Time::from_secs(20_000)) - 1.0).abs() < 1e-12);
    }
}
