//! What a torrent's state means to a person: from counters to one [`Update`]. When nothing happens
//! `diagnosis` says why.
//!
//! Pure: the state comes in, sentences go out.

use std::time::{Duration, Instant};

use super::update::{Transfer, Update};
use super::wording::count;
use crate::io::{DhtStatus, Status};
use crate::swarm::Phase;
use crate::tracker::TrackerStatus;

/// So many wrong pieces and none that is right are not one peer's doing.
const SPOILT: u32 = 3;

/// Everything that a sentence is made of.
pub(super) struct Scene<'a> {
    /// The torrent.
    pub(super) status: &'a Status,
    /// The DHT; `None`: it is off.
    pub(super) dht: Option<&'a DhtStatus>,
    /// The torrent's trackers.
    pub(super) trackers: &'a [TrackerStatus],
    /// Nodes that were to be asked first.
    pub(super) bootstrap: usize,
    /// The torrent's name, or its info hash.
    pub(super) name: &'a str,
    /// Why the disk takes no data, and when it is tried again.
    pub(super) paused: Option<(&'a str, Instant)>,
    /// Now.
    pub(super) now: Instant,
    /// Since the command began.
    pub(super) elapsed: Duration,
}

impl Scene<'_> {
    /// Where the torrent stands; `None` while there is nothing new to say.
    pub(super) fn update(&self) -> Option<Update> {
        let snapshot = &self.status.snapshot;
        if snapshot.phase == Phase::Opening && self.status.checking.is_none() {
            return None;
        }
        let is_alone = snapshot.peers.connected == 0 && snapshot.peers.known == 0;
        let searches = matches!(snapshot.phase, Phase::Metadata | Phase::Downloading);
        let search = &self.status.search;
        // A lookup starts with the first node, which was told; there is no figure of it yet.
        let is_new = search.running.is_none() && search.last.is_none();
        if self.dht.is_some_and(|dht| dht.nodes > 0) && searches && is_alone && is_new {
            return None;
        }
        Some(self.state())
    }

    fn state(&self) -> Update {
        let snapshot = &self.status.snapshot;
        if let Some(check) = self.status.checking {
            let (done, total) = (check.done, check.total);
            return Update::Checking {
                name: self.name.to_owned(),
                done,
                total,
            };
        }
        let peers = &snapshot.peers;
        if self.is_spoilt() {
            return Update::Spoilt {
                reason: self.lies(),
                peers: peers.connected,
            };
        }
        match snapshot.phase {
            Phase::Paused => Update::Paused {
                reason: self
                    .paused
                    .map_or("the disk takes no data", |(why, _)| why)
                    .to_owned(),
                retry_in: self
                    .paused
                    .map(|(_, at)| at.saturating_duration_since(self.now)),
            },
            Phase::Complete => self.seeding(),
            Phase::Downloading if peers.connected > 0 => self.downloading(),
            Phase::Metadata if peers.connected > 0 && snapshot.metadata.total > 0 => {
                let metadata = snapshot.metadata;
                Update::Metadata {
                    have: metadata.have,
                    total: metadata.total,
                }
            }
            _ if peers.connected > 0 || peers.known > 0 => Update::Connecting {
                connected: peers.connected,
                tried: peers.tried,
                refused: peers.refused,
                timed_out: peers.timed_out,
            },
            _ => self.searching(),
        }
    }

    /// Whether whatever has come so far was wrong (reliability.md P4): of all who were ever connected, or so often that it is no
    /// single one's doing.
    fn is_spoilt(&self) -> bool {
        let snapshot = &self.status.snapshot;
        let enough = snapshot.wrong >= SPOILT || snapshot.peers.connected == 0;
        snapshot.phase == Phase::Downloading
            && snapshot.milestones.first_piece.is_none()
            && snapshot.wrong > 0
            && enough
    }

    fn lies(&self) -> String {
        let snapshot = &self.status.snapshot;
        format!(
            "every peer so far sent wrong data: {} with a wrong hash and none that is right, {} banned",
            count(snapshot.wrong, "piece"),
            count(snapshot.peers.banned, "peer")
        )
    }

    fn seeding(&self) -> Update {
        let snapshot = &self.status.snapshot;
        let size = snapshot.wanted_bytes.max(1);
        Update::Seeding {
            name: self.name.to_owned(),
            uploaded: snapshot.uploaded,
            up: snapshot.up_rate,
            ratio: snapshot.uploaded as f64 / size as f64,
            peers: snapshot.peers.connected,
        }
    }

    fn downloading(&self) -> Update {
        let snapshot = &self.status.snapshot;
        let missing = snapshot.wanted_bytes.saturating_sub(snapshot.have_bytes);
        Update::Downloading(Transfer {
            name: self.name.to_owned(),
            have: snapshot.have_bytes,
            size: snapshot.wanted_bytes,
            down: snapshot.down_rate,
            up: snapshot.up_rate,
            eta: missing
                .checked_div(snapshot.down_rate)
                .map(Duration::from_secs),
            peers: snapshot.peers.connected,
        })
    }

    fn searching(&self) -> Update {
        let search = &self.status.search;
        let nodes = self.dht.map_or(0, |dht| dht.nodes);
        match (&search.running, &search.last) {
            // Without a DHT there is nothing to join, only the peers that were given.
            _ if self.dht.is_none() => Update::Connecting {
                connected: 0,
                tried: 0,
                refused: 0,
                timed_out: 0,
            },
            _ if nodes == 0 => Update::Joining {
                nodes: 0,
                elapsed: self.elapsed,
            },
            (Some(report), _) | (None, Some(report)) => Update::LookingUp {
                asked: report.asked,
                answered: report.answered,
                closest_bits: report.closest_bits,
                peers: u32::try_from(report.peers).unwrap_or(u32::MAX),
                elapsed: report.elapsed,
            },
            (None, None) => Update::Joining {
                nodes: 0,
                elapsed: self.elapsed,
            },
        }
    }
}
