//! What a person is told about a torrent's trackers: the first that works, the first that fail and why,
//! and when none is left.
//!
//! Pure: states come in, sentences go out, each once. Threat: a tracker's path may be a user's passkey,
//! so only scheme, host and port are named; its words are escaped by who read them.

use std::time::Instant;

use super::format::duration;
use super::wording::count;
use crate::tracker::{TrackerState, TrackerStatus};

/// Trackers whose failure is told one by one; a torrent may have 64.
const NAMED: usize = 3;

/// What has been told so far.
#[derive(Default)]
pub(super) struct TrackerNews {
    /// URLs of trackers whose first good answer was told.
    worked: Vec<String>,
    /// The same for their first failure.
    failed: Vec<String>,
    /// Whether it was told that none is left; again only after one has worked.
    helpless: Option<usize>,
}

impl TrackerNews {
    /// The sentences that are new since the last call.
    pub(super) fn lines(&mut self, now: Instant, trackers: &[TrackerStatus]) -> Vec<String> {
        let mut lines = Vec::new();
        for tracker in trackers {
            let name = &tracker.name;
            match &tracker.last {
                Some(Ok(peers)) if is_new(&mut self.worked, &tracker.url) => {
                    let seeds = tracker.seeders.map(|n| format!(", {}", count(n, "seed")));
                    let seeds = seeds.unwrap_or_default();
                    let peers = count(u32::try_from(*peers).unwrap_or(u32::MAX), "peer");
                    lines.push(format!("tracker {name}: {peers}{seeds}"));
                    if let Some(warning) = &tracker.warning {
                        lines.push(format!("tracker {name} warns: {warning}"));
                    }
                }
                Some(Err(failure)) if is_new(&mut self.failed, &tracker.url) => {
                    lines.push(format!("tracker {name} gives nothing: {failure}"));
                }
                _ => {}
            }
        }
        let failed = |tracker: &TrackerStatus| tracker.state == TrackerState::Failed;
        let all = trackers.len();
        if all > 1 && trackers.iter().all(failed) {
            if self.helpless != Some(all) {
                self.helpless = Some(all);
                let next = trackers.iter().filter_map(|tracker| tracker.next).min();
                let again = next.map(|next| {
                    format!(
                        "; tried again in {}",
                        duration(next.saturating_duration_since(now))
                    )
                });
                let again = again.unwrap_or_default();
                lines.push(format!("none of {all} trackers gives anything{again}"));
            }
        } else if trackers
            .iter()
            .any(|tracker| tracker.state == TrackerState::Working)
        {
            self.helpless = None;
        }
        lines
    }
}

/// Whether this is the first time, and one of the first of its kind.
fn is_new(told: &mut Vec<String>, url: &str) -> bool {
    let new = told.len() < NAMED && !told.iter().any(|other| other == url);
    if new {
        told.push(url.to_owned());
    }
    new
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tracker::Failure;

    fn tracker(
        number: usize,
        state: TrackerState,
        last: Option<Result<usize, Failure>>,
    ) -> TrackerStatus {
        TrackerStatus {
            url: format!("http://t{number}/passkey/announce"),
            name: format!("http://t{number}:80"),
            tier: number,
            state,
            last,
            next: None,
            seeders: Some(2),
            leechers: None,
            warning: None,
        }
    }

    fn dead(number: usize) -> TrackerStatus {
        tracker(number, TrackerState::Failed, Some(Err(Failure::Refused)))
    }

    #[test]
    fn each_sentence_is_said_once_and_names_no_passkey() {
        let now = Instant::now();
        let mut news = TrackerNews::default();
        let working = tracker(1, TrackerState::Working, Some(Ok(12)));
        let states = [dead(0), working, tracker(2, TrackerState::Spare, None)];
        let lines = news.lines(now, &states);
        assert_eq!(
            lines,
            [
                "tracker http://t0:80 gives nothing: it refuses connections",
                "tracker http://t1:80: 12 peers, 2 seeds",
            ]
        );
        assert!(news.lines(now, &states).is_empty());
    }

    #[test]
    fn of_many_dead_ones_three_are_named_and_all_are_counted() {
        let now = Instant::now();
        let mut news = TrackerNews::default();
        let mut states: Vec<TrackerStatus> = (0..20).map(dead).collect();
        states[7].next = Some(now + Duration::from_secs(15));
        let lines = news.lines(now, &states);
        assert_eq!(lines.len(), 4);
        assert_eq!(
            lines[3],
            "none of 20 trackers gives anything; tried again in 15 s"
        );
        assert!(news.lines(now, &states).is_empty());
        // Asked again and dead again is no news; dead after it worked is.
        states[7].state = TrackerState::Asked { since: now };
        assert!(news.lines(now, &states).is_empty());
        states[7] = tracker(7, TrackerState::Working, Some(Ok(1)));
        assert_eq!(news.lines(now, &states).len(), 1);
        states[7] = dead(7);
        assert_eq!(
            news.lines(now, &states),
            ["none of 20 trackers gives anything"]
        );
    }
}
