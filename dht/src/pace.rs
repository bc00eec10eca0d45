//! How patient to be: waiting times learned from round trips (RFC 6298's two smoothed values).
//!
//! Invariant: whatever was measured, a question is called slow after 150 ms to 1 s and failed
//! after 1 s to 2 s. Knows no transactions.

use std::time::Duration;

/// Wait before the first measurement, and at most, until a question is slow.
pub const SLOWEST: Duration = Duration::from_secs(1);
/// Least wait until a question is slow: below this, jitter would double the traffic.
pub const QUICKEST: Duration = Duration::from_millis(150);
/// Most patience: nine of ten answers that come at all come within 2 s (dht.md §2.1).
pub const GIVE_UP: Duration = Duration::from_secs(2);
/// Least patience before a question has failed.
pub const HOLD_ON: Duration = Duration::from_secs(1);

/// The smoothed round trip and its deviation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    learned: Option<(Duration, Duration)>,
}

impl Pace {
    /// An answer took `rtt`.
    pub fn observe(&mut self, rtt: Duration) {
        let rtt = rtt.min(GIVE_UP);
        self.learned = Some(match self.learned {
            None => (rtt, rtt / 2),
            Some((smooth, deviation)) => (
                smooth * 7 / 8 + rtt / 8,
                deviation * 3 / 4 + smooth.abs_diff(rtt) / 4,
            ),
        });
    }

    /// After what time a question is slow, and failed.
    #[must_use]
    pub fn patience(&self) -> (Duration, Duration) {
        let slow = self
            .learned
            .map_or(SLOWEST, |(smooth, deviation)| smooth + deviation * 2);
        let slow = slow.clamp(QUICKEST, SLOWEST);
        (slow, (slow * 4).clamp(HOLD_ON, GIVE_UP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignorant_node_is_patient() {
        assert_eq!(Pace::default().patience(), (SLOWEST, GIVE_UP));
    }

    #[test]
    fn a_quick_network_makes_impatient_within_bounds() {
        let mut pace = Pace::default();
        for _ in 0..50 {
            pace.observe(Duration::from_micros(100));
        }
        assert_eq!(pace.patience(), (QUICKEST, HOLD_ON));
        for _ in 0..50 {
            pace.observe(Duration::from_secs(3600));
        }
        assert_eq!(pace.patience(), (SLOWEST, GIVE_UP));
    }
}
