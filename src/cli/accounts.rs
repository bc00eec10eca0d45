//! The `reasons` event of `--json`: how often connections were closed, callers refused, addresses banned
//! and messages dropped, by reason, so that programs and tests read counters and no sentences
//! (reliability.md §7 rule 5).
//!
//! `{"v":1,"type":"reasons","info_hash":…,"torrent":{KIND:{REASON:count}},"listener":{…}}`: the counts since
//! the torrent began, and since the listener did, which is one for all torrents. Kinds and reasons that
//! never came are left out. It comes when a count has changed, every few seconds and at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::swarm::Reasons;

/// Between two of these events of one torrent.
const INTERVAL: Duration = Duration::from_secs(5);

/// Counts by kind and reason.
type Counts = BTreeMap<&'static str, BTreeMap<&'static str, u64>>;

/// The event.
#[derive(Debug, Serialize)]
pub(super) struct ReasonsEvent {
    r#type: &'static str,
    info_hash: String,
    torrent: Counts,
    listener: Counts,
}

/// What was told last, and when.
#[derive(Default, Debug)]
pub(super) struct Accounts {
    told: Option<(Reasons, Reasons, Instant)>,
}

/// Whether there is a next time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Occasion {
    /// There is.
    Passing,
    /// There is none: whatever is new is told.
    Last,
}

impl Accounts {
    /// The event, if there is news and it is time.
    pub(super) fn event(
        &mut self,
        now: Instant,
        occasion: Occasion,
        info_hash: String,
        (torrent, listener): (Reasons, Reasons),
    ) -> Option<ReasonsEvent> {
        let news = match &self.told {
            Some((before, there, at)) => {
                let due = occasion == Occasion::Last || now.duration_since(*at) >= INTERVAL;
                due && (*before != torrent || *there != listener)
            }
            None => torrent.iter().chain(listener.iter()).next().is_some(),
        };
        news.then(|| {
            let event = ReasonsEvent {
                r#type: "reasons",
                info_hash,
                torrent: counts(&torrent),
                listener: counts(&listener),
            };
            self.told = Some((torrent, listener, now));
            event
        })
    }
}

fn counts(reasons: &Reasons) -> Counts {
    let mut counts = Counts::new();
    for (reason, count) in reasons.iter() {
        let names = counts.entry(reason.kind()).or_default();
        *names.entry(reason.name()).or_default() += count;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::{CloseReason, Reason};

    #[test]
    fn it_comes_with_news_and_not_too_often() {
        let (mut accounts, start) = (Accounts::default(), Instant::now());
        let (mut torrent, listener) = (Reasons::default(), Reasons::default());
        let mut event = |after: u64, occasion, torrent: &Reasons| {
            let now = start + Duration::from_secs(after);
            let both = (torrent.clone(), listener.clone());
            accounts
                .event(now, occasion, "ab".to_owned(), both)
                .map(|event| serde_json::to_string(&event).unwrap())
        };
        assert_eq!(event(0, Occasion::Passing, &torrent), None);
        torrent.count(Reason::Closed(CloseReason::Idle));
        torrent.count(Reason::Left);
        let expected = "{\"type\":\"reasons\",\"info_hash\":\"ab\",\
            \"torrent\":{\"closed\":{\"idle\":1},\"ended\":{\"by_peer\":1}},\"listener\":{}}";
        assert_eq!(
            event(1, Occasion::Passing, &torrent).as_deref(),
            Some(expected)
        );
        torrent.count(Reason::Left);
        assert_eq!(event(2, Occasion::Passing, &torrent), None);
        assert!(event(2, Occasion::Last, &torrent).is_some());
        assert_eq!(event(60, Occasion::Last, &torrent), None);
    }
}
