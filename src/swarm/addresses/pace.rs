//! How fast addresses that only peers vouched for are tried (reliability.md P11): twenty at once,
//! then two a second. Threat: a torrent's swarm turned into a stream of calls to somebody.

use std::time::{Duration, Instant};

/// So many at once…
pub(super) const BURST: u32 = 20;

/// … then one in this time.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// An account of attempts.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
    refilled: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Pace {
        Pace {
            left: BURST,
            refilled: now,
        }
    }

    /// Whether one may be tried now.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.refilled).as_millis();
        let earned = u32::try_from(passed / PAUSE.as_millis()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.refilled = now;
        }
        self.left > 0
    }

    /// One is tried.
    pub(super) fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}
