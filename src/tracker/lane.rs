//! One tracker of a torrent, and a lane of them: the states that [`super::Announcer`] moves.
//!
//! Invariant: one state per thing. The file decides nothing; it answers what is possible now.

use std::ops::Range;
use std::time::Instant;

use super::announce::{AnnounceEvent, Failure, Reply};
use super::url::TrackerUrl;

/// What a tracker knows of us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// Nothing, so that the next word is `started`.
    Unknown,
    /// That we are there.
    Known,
    /// That we are there, but not that we have everything now.
    CompletionDue,
}

/// Whether a tracker may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// Nothing speaks against it.
    None,
    /// It answered, and does not want to be asked for mere peers before then.
    Polite { until: Instant },
    /// It failed.
    Paused { until: Instant },
}

/// A question on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) since: Instant,
    pub(super) event: AnnounceEvent,
    /// Bytes that the question says are missing.
    pub(super) left: u64,
}

/// One tracker.
#[derive(Debug)]
pub(super) struct Tracker {
    /// The URL as it came.
    pub(super) text: String,
    /// The URL, or why it is never asked.
    pub(super) url: Result<TrackerUrl, Failure>,
    pub(super) presence: Presence,
    pub(super) rest: Rest,
    /// Failures in a row.
    pub(super) fails: u32,
    /// When it last answered.
    pub(super) answered: Option<Instant>,
    pub(super) open: Option<Open>,
    /// To be sent back (`trackerid`).
    pub(super) tracker_id: Option<Vec<u8>>,
    /// Peers of the last answer, or why there was none.
    pub(super) last: Option<Result<usize, Failure>>,
    seeders: Option<u32>,
    leechers: Option<u32>,
    warning: Option<String>,
}

impl Tracker {
    pub(super) fn new(text: &str) -> Tracker {
        let url = TrackerUrl::parse(text);
        let last = url.as_ref().err().map(|failure| Err(failure.clone()));
        Tracker {
            text: text.to_owned(),
            url,
            presence: Presence::Unknown,
            rest: Rest::None,
            fails: 0,
            answered: None,
            open: None,
            tracker_id: None,
            last,
            seeders: None,
            leechers: None,
            warning: None,
        }
    }

    /// Whether it can be asked now. A round that is due by a tracker's own interval never comes
    /// before its politeness ends, and a `completed` may.
    pub(super) fn is_ready(&self, now: Instant) -> bool {
        let rested = match self.rest {
            Rest::None => true,
            Rest::Polite { until } => until <= now || self.presence == Presence::CompletionDue,
            Rest::Paused { until } => until <= now,
        };
        rested && self.open.is_none() && self.url.is_ok()
    }

    /// When it can be asked again, if that is known.
    pub(super) fn recovers(&self) -> Option<Instant> {
        match self.rest {
            _ if self.open.is_some() || self.url.is_err() => None,
            Rest::None => None,
            Rest::Polite { until } | Rest::Paused { until } => Some(until),
        }
    }

    /// Remembers what an answer says about the torrent and the tracker.
    pub(super) fn take(&mut self, reply: &Reply) {
        self.last = Some(Ok(reply.peers.len()));
        self.seeders = reply.seeders.or(self.seeders);
        self.leechers = reply.leechers.or(self.leechers);
        self.warning.clone_from(&reply.warning);
        if reply.tracker_id.is_some() {
            // BEP 3's usage: once given, it is sent back until another one is given.
            self.tracker_id.clone_from(&reply.tracker_id);
        }
    }

    pub(super) fn status(&self, tier: usize, round: Option<Instant>) -> TrackerStatus {
        let next = match self.rest {
            Rest::Paused { until } => Some(until),
            _ => round,
        };
        TrackerStatus {
            url: self.text.clone(),
            name: self
                .url
                .as_ref()
                .map_or_else(|_| self.text.clone(), TrackerUrl::name),
            tier,
            state: match (&self.open, &self.last) {
                (Some(open), _) => TrackerState::Asked { since: open.since },
                (None, None) => TrackerState::Spare,
                (None, Some(Ok(_))) => TrackerState::Working,
                (None, Some(Err(_))) => TrackerState::Failed,
            },
            last: self.last.clone(),
            next: next.filter(|_| self.url.is_ok()),
            seeders: self.seeders,
            leechers: self.leechers,
            warning: self.warning.clone(),
        }
    }
}

/// Trackers that stand in for each other.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) tiers: Range<usize>,
    pub(super) round: Round,
}

/// What a lane is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Round {
    /// Nothing until then; `None`: nothing any more.
    Waiting { until: Option<Instant> },
    /// This tracker was asked last; at `until` the next one is.
    Asking {
        current: usize,
        until: Option<Instant>,
    },
}

impl Lane {
    /// When it wants to go on.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.round {
            Round::Waiting { until } | Round::Asking { until, .. } => until,
        }
    }
}

/// What a tracker is doing, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrackerState {
    /// Not needed so far.
    Spare,
    /// A question is open.
    Asked {
        /// Since then.
        since: Instant,
    },
    /// Its last answer was good.
    Working,
    /// It gave none.
    Failed,
}

/// How a tracker is doing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackerStatus {
    /// As it stands in the torrent. Threat: it may hold a user's passkey; show `name` instead.
    pub url: String,
    /// Scheme, host and port.
    pub name: String,
    /// 0 is asked first.
    pub tier: usize,
    /// What it does now.
    pub state: TrackerState,
    /// Peers in its last answer, or why there was none; `None`: never answered, never failed.
    pub last: Option<Result<usize, Failure>>,
    /// When it may be asked next.
    pub next: Option<Instant>,
    /// Peers with everything, as it says.
    pub seeders: Option<u32>,
    /// Peers without.
    pub leechers: Option<u32>,
    /// Its words for people.
    pub warning: Option<String>,
}
