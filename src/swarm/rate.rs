//! Bytes per second: measured ([`Meter`]) and limited ([`Allowance`]). Integers only, so that a
//! scenario run twice is the same.
//!
//! Invariant: a meter never reports more than it was given; an allowance never grants more than
//! its rate over any stretch plus one burst. Neither knows what the bytes were.

use std::time::{Duration, Instant};

/// Slots of the measuring window.
const SLOTS: usize = 8;

/// Length of a slot: with 8 the rate is that of the last 4 s.
const SLOT: Duration = Duration::from_millis(500);

/// Burst of an allowance: half a second of its rate, at least two blocks, so that a limit below
/// 16 KiB/s still lets blocks pass.
const MIN_BURST: u64 = 32_768;

/// Measures a flow over a sliding window.
#[derive(Clone, Debug)]
pub struct Meter {
    slots: [u64; SLOTS],
    since: Instant,
    /// Number of the newest slot since `since`.
    newest: u64,
    total: u64,
}

impl Meter {
    /// Nothing yet.
    pub fn new(now: Instant) -> Meter {
        Meter {
            slots: [0; SLOTS],
            since: now,
            newest: 0,
            total: 0,
        }
    }

    /// Counts bytes.
    pub fn add(&mut self, now: Instant, bytes: u64) {
        self.advance(now);
        self.total = self.total.saturating_add(bytes);
        if let Some(slot) = self.slots.get_mut((self.newest % SLOTS as u64) as usize) {
            *slot = slot.saturating_add(bytes);
        }
    }

    /// All bytes so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes/s over the window, or over the time since the start if that is shorter (at least one
    /// slot, so that the first block does not look like a torrent of them).
    pub fn rate(&self, now: Instant) -> u64 {
        let current = self.slot_at(now);
        let behind = current.saturating_sub(self.newest);
        // Slots that were passed without a byte hold old figures; they count as empty.
        let sum: u64 = (behind..SLOTS as u64)
            .filter_map(|age| self.newest.checked_sub(age - behind))
            .filter_map(|slot| self.slots.get((slot % SLOTS as u64) as usize))
            .fold(0, |sum, bytes| sum.saturating_add(*bytes));
        let elapsed = now.saturating_duration_since(self.since);
        let into_slot = elapsed.as_millis() as u64 % SLOT.as_millis() as u64;
        let window = (SLOTS as u64 - 1) * SLOT.as_millis() as u64 + into_slot;
        let millis = (elapsed.as_millis() as u64).clamp(SLOT.as_millis() as u64, window.max(500));
        u64::try_from(u128::from(sum) * 1000 / u128::from(millis)).unwrap_or(u64::MAX)
    }

    fn slot_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.since);
        (elapsed.as_millis() / SLOT.as_millis()) as u64
    }

    fn advance(&mut self, now: Instant) {
        let current = self.slot_at(now);
        let passed = current.saturating_sub(self.newest).min(SLOTS as u64);
        for ahead in 1..=passed {
            let slot = (current - passed + ahead) % SLOTS as u64;
            if let Some(slot) = self.slots.get_mut(slot as usize) {
                *slot = 0;
            }
        }
        self.newest = self.newest.max(current);
    }
}

/// A token bucket.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// Bytes/s; 0 = no limit.
    rate: u64,
    /// What may be spent now, in bytes·ms/s so that no fraction is lost.
    millitokens: u64,
    at: Instant,
}

impl Allowance {
    /// Of `rate` bytes/s; 0 grants everything.
    pub fn new(now: Instant, rate: u64) -> Allowance {
        let mut allowance = Allowance {
            rate,
            millitokens: 0,
            at: now,
        };
        allowance.millitokens = allowance.burst();
        allowance
    }

    /// Whether there is a limit at all.
    pub fn is_limited(&self) -> bool {
        self.rate > 0
    }

    /// Spends `bytes` if they are there.
    pub fn take(&mut self, now: Instant, bytes: u32) -> bool {
        if self.rate == 0 {
            return true;
        }
        let millis = now.saturating_duration_since(self.at).as_millis();
        if millis > 0 {
            let earned = u64::try_from(millis)
                .unwrap_or(u64::MAX)
                .saturating_mul(self.rate);
            self.millitokens = self.millitokens.saturating_add(earned).min(self.burst());
            self.at = now;
        }
        let price = u64::from(bytes) * 1000;
        let enough = self.millitokens >= price;
        if enough {
            self.millitokens -= price;
        }
        enough
    }

    fn burst(&self) -> u64 {
        (self.rate / 2).max(MIN_BURST).saturating_mul(1000)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_steady_flow_is_measured_and_forgotten() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        (0..100).for_each(|tick| meter.add(at(start, tick * 100), 1_000));
        let rate = meter.rate(at(start, 9_900));
        assert!((9_000..=11_000).contains(&rate), "{rate}");
        assert_eq!(meter.total(), 100_000);
        assert_eq!(meter.rate(at(start, 20_000)), 0);
        meter.add(at(start, 60_000), 4_000);
        assert!(meter.rate(at(start, 60_000)) <= 2_000);
    }

    #[test]
    fn no_limit_grants_everything() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start, 0);
        assert!((0..1_000).all(|_| allowance.take(start, u32::MAX)) && !allowance.is_limited());
    }

    proptest! {
        #[test]
        fn an_allowance_keeps_its_rate(
            rate in 1u64..10_000_000, steps in prop::collection::vec((0u64..300, 1u32..20_000), 1..200),
        ) {
            let start = Instant::now();
            let mut allowance = Allowance::new(start, rate);
            let (mut time, mut spent) = (0, 0u64);
            for (wait, bytes) in steps {
                time += wait;
                if allowance.take(at(start, time), bytes) {
                    spent += u64::from(bytes);
                }
                prop_assert!(spent <= (rate / 2).max(MIN_BURST) + rate * time / 1000 + 1);
            }
        }

        #[test]
        fn a_meter_never_exaggerates(steps in prop::collection::vec((0u64..2_000, 0u64..50_000), 1..60)) {
            let start = Instant::now();
            let mut meter = Meter::new(start);
            let (mut time, mut log) = (0u64, Vec::new());
            for (wait, bytes) in steps {
                time += wait;
                meter.add(at(start, time), bytes);
                log.push((time, bytes));
                let recent: u64 = log.iter().filter(|(t, _)| t + 4_000 > time).map(|(_, b)| b).sum();
                prop_assert!(meter.rate(at(start, time)) <= recent * 2);
            }
        }
    }
}
