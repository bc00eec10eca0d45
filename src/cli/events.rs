//! The updates as events of `--json`.

use super::json::{Attempts, Event, Progress, Seconds};
use super::update::{Transfer, Update};

impl Update {
    /// The event of `--json`. `info_hash` is that of the torrent at work, if it is known.
    pub fn event<'a>(&'a self, info_hash: Option<&'a str>) -> Event<'a> {
        match self {
            Update::Joining { nodes, elapsed } => Event::Joining {
                nodes: *nodes,
                elapsed: Seconds(*elapsed),
            },
            Update::Joined { nodes, elapsed } => Event::Joined {
                nodes: *nodes,
                elapsed: Seconds(*elapsed),
            },
            Update::LookingUp {
                asked,
                answered,
                closest_bits,
                peers,
                elapsed,
            } => Event::Lookup {
                info_hash,
                asked: *asked,
                answered: *answered,
                closest_bits: *closest_bits,
                peers: *peers,
                elapsed: Seconds(*elapsed),
            },
            Update::PeersFound { source, found } => Event::Peers {
                info_hash,
                source: source.name(),
                found: *found,
            },
            Update::MetadataDone {
                name, files, size, ..
            } => Event::Metadata {
                info_hash,
                name,
                files: *files,
                size: *size,
            },
            Update::Note(message) => Event::Note { info_hash, message },
            state => Event::Progress(Progress {
                info_hash,
                ..state.progress()
            }),
        }
    }

    /// The `progress` event of a state that lasts.
    fn progress(&self) -> Progress<'_> {
        let empty = Progress::default();
        match self {
            Update::Connecting {
                connected,
                tried,
                refused,
                timed_out,
            } => Progress {
                state: "connecting",
                peers: Some(*connected),
                attempts: Some(Attempts {
                    tried: *tried,
                    refused: *refused,
                    timed_out: *timed_out,
                }),
                ..empty
            },
            Update::Metadata { have, total } => Progress {
                state: "metadata",
                have: Some(u64::from(*have)),
                size: Some(u64::from(*total)).filter(|total| *total > 0),
                ..empty
            },
            Update::Checking { done, total, .. } => Progress {
                state: "checking",
                have: Some(*done),
                size: Some(*total),
                ..empty
            },
            Update::Hashing { done, total, .. } => Progress {
                state: "hashing",
                have: Some(*done),
                size: Some(*total),
                ..empty
            },
            Update::Downloading(transfer) => transfer.progress(),
            Update::Seeding {
                uploaded,
                up,
                peers,
                ..
            } => Progress {
                state: "seeding",
                up: Some(*up),
                peers: Some(*peers),
                uploaded: Some(*uploaded),
                ..empty
            },
            Update::Paused { reason, retry_in } => Progress {
                state: "paused",
                reason: Some(reason),
                retry_in: retry_in.map(Seconds),
                ..empty
            },
            Update::Spoilt { reason, peers } => Progress {
                state: "spoilt",
                reason: Some(reason),
                peers: Some(*peers),
                ..empty
            },
            // Written out, so that a new state cannot be forgotten; each has an event of its own.
            Update::Joining { .. }
            | Update::Joined { .. }
            | Update::LookingUp { .. }
            | Update::PeersFound { .. }
            | Update::MetadataDone { .. }
            | Update::Note(_) => empty,
        }
    }
}

impl Transfer {
    fn progress(&self) -> Progress<'static> {
        Progress {
            state: "downloading",
            have: Some(self.have),
            size: Some(self.size),
            down: Some(self.down),
            up: Some(self.up),
            peers: Some(self.peers),
            eta: self.eta.map(Seconds),
            ..Progress::default()
        }
    }
}
