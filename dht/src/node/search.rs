//! One search: a command of the owner or of the upkeep, with a walk in each family.
//!
//! Plain data and what follows from it; `searches` drives it, `announcing` stores at its end.

use std::collections::BTreeSet;
use std::time::Instant;

use bencode::{Endpoint, Family};

use super::{LookupReport, Tracing};
use crate::contact::Contact;
use crate::family::PerFamily;
use crate::id::Id;
use crate::lookup::{Lookup, Tally};
use crate::message::{Announcement, Method, Part};

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The nodes near our own id; part of joining one family.
    Join(Family),
    /// Fresh contacts for a bucket of one family.
    Refresh(Family),
    FindNode,
    GetPeers,
    Announce(Announcement),
    /// The same, again and again: part of a round. Nothing is reported.
    Keep(Announcement),
    /// Seeds and peers, counted (BEP 33).
    Scrape,
    /// Info hashes that others store (BEP 51).
    Sample,
    /// An item newer than the one `known` (BEP 44).
    Item {
        known: Option<i64>,
    },
    /// To store an item with this sequence number.
    Put {
        seq: Option<i64>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// For a first node.
    Waiting,
    /// Asking, and storing where that is the goal.
    Walking { until: Instant },
}

/// What became of one announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Stored,
    /// It answered, and did not store.
    Refused,
    Lost,
}

/// One announcement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deposit {
    pub(super) to: Contact,
    /// `None` while it is awaited.
    pub(super) ack: Option<Ack>,
}

/// One lookup of the owner or of the upkeep.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) target: Id,
    pub(super) goal: Goal,
    pub(super) tracing: Tracing,
    pub(super) started: Instant,
    pub(super) stage: Stage,
    pub(super) walks: PerFamily<Option<Lookup>>,
    pub(super) found: BTreeSet<Endpoint>,
    /// Announcements sent.
    pub(super) deposits: Vec<Deposit>,
    /// Questions put a second time.
    pub(super) repeated: u32,
    /// Whether it began once more.
    pub(super) retried: bool,
}

impl Search {
    /// When it ends whatever happens; `None` while it waits.
    pub(super) fn expires(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Walking { until } => Some(until),
        }
    }

    /// Whether it walks the table of `family` at all.
    pub(super) fn concerns(&self, family: Family) -> bool {
        match self.goal {
            Goal::Join(only) | Goal::Refresh(only) => only == family,
            _ => true,
        }
    }

    /// What it asks each node.
    pub(super) fn method(&self) -> Method<'static> {
        match self.goal {
            Goal::GetPeers | Goal::Announce(_) | Goal::Keep(_) => Method::GetPeers {
                info_hash: self.target,
            },
            Goal::FindNode | Goal::Join(_) | Goal::Refresh(_) => Method::FindNode {
                target: self.target,
            },
            Goal::Scrape => Method::Scrape {
                info_hash: self.target,
            },
            Goal::Sample => Method::SampleInfohashes {
                target: self.target,
            },
            Goal::Item { known: seq } | Goal::Put { seq } => Method::Get {
                target: self.target,
                seq,
            },
        }
    }

    /// What it says that we are.
    pub(super) fn part(&self) -> Part {
        match self.goal {
            Goal::Announce(own) | Goal::Keep(own) => own.part,
            _ => Part::Peer,
        }
    }

    pub(super) fn goal(&self) -> Goal {
        self.goal
    }

    pub(super) fn target(&self) -> Id {
        self.target
    }

    /// An item was found: from now on only newer ones are asked for.
    pub(super) fn knows_item(&mut self, seq: Option<i64>) {
        if let Goal::Item { known } = &mut self.goal {
            *known = seq;
        }
    }

    pub(super) fn walks(&self) -> impl Iterator<Item = &Lookup> {
        [&self.walks.v4, &self.walks.v6].into_iter().flatten()
    }

    pub(super) fn report(&self, now: Instant) -> LookupReport {
        let tally = self
            .walks()
            .map(Lookup::tally)
            .fold(Tally::default(), |sum, one| Tally {
                asked: sum.asked + one.asked,
                answered: sum.answered + one.answered,
                failed: sum.failed + one.failed,
                hops: sum.hops.max(one.hops),
            });
        LookupReport {
            target: self.target,
            asked: tally.asked,
            answered: tally.answered,
            timed_out: tally.failed,
            hops: tally.hops,
            closest_bits: self.walks().map(Lookup::closest_bits).max().unwrap_or(0),
            peers: self.found.len(),
            announced: self.stored(),
            repeated: self.repeated,
            elapsed: now.saturating_duration_since(self.started),
            closest: self
                .walks()
                .flat_map(Lookup::closest)
                .map(|(node, _)| node)
                .collect(),
        }
    }
}
