//! What can be seen of a torrent: counters and figures, no decisions.

use std::time::Instant;

use super::peer::Metadata;
use super::{Content, DiskState, Goal, Stage, Torrent};
use crate::swarm::bitfield::Bitfield;
use crate::swarm::contract::{PeerCounts, Phase, Progress, Snapshot};
use crate::wire::METADATA_PIECE;

impl Torrent {
    /// The state at this moment. Linear in peers and pieces / 8: some times a second is fine.
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let content = match &self.stage {
            Stage::Known(content) | Stage::Ended(Some(content)) => Some(content.as_ref()),
            Stage::Nameless | Stage::Ended(None) => None,
        };
        let sizes = content.map(sizes).unwrap_or_default();
        Snapshot {
            phase: self.phase(),
            have_bytes: sizes.0,
            wanted_bytes: sizes.1,
            down_rate: self.flow.received.rate(now),
            up_rate: self.flow.sent.rate(now),
            downloaded: self.flow.received.total(),
            uploaded: self.flow.sent.total(),
            wasted: self.tally.wasted,
            wrong: self.tally.wrong,
            peers: self.peer_counts(),
            reasons: self.tally.reasons.clone(),
            why: self.book.why(now),
            metadata: self.metadata_progress(content),
            pieces: content
                .map(|c| Progress {
                    have: c.have.count(),
                    total: c.have.len(),
                })
                .unwrap_or_default(),
            milestones: self.tally.milestones,
        }
    }

    fn phase(&self) -> Phase {
        match &self.stage {
            Stage::Nameless => Phase::Metadata,
            Stage::Ended(_) => Phase::Ended,
            Stage::Known(content) => match (&content.disk, content.goal) {
                (DiskState::Opening, _) => Phase::Opening,
                (DiskState::Paused { .. } | DiskState::Trying { .. }, _) => Phase::Paused,
                (DiskState::Ready, Goal::Reached) => Phase::Complete,
                (DiskState::Ready, Goal::Open) => Phase::Downloading,
            },
        }
    }

    fn peer_counts(&self) -> PeerCounts {
        let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        PeerCounts {
            connected: size(self.peers.len()),
            dialling: size(self.dials.len()),
            known: size(self.book.known()),
            banned: self.book.banned(),
            seeds: size(self.peers.values().filter(|peer| peer.is_seed()).count()),
            by_source: self.book.counts(),
            ..self.tally.counts
        }
    }

    fn metadata_progress(&self, content: Option<&Content>) -> Progress {
        if let Some(content) = content {
            let parts = content.info.raw().len().div_ceil(METADATA_PIECE) as u32;
            return Progress {
                have: parts,
                total: parts,
            };
        }
        let copies = self.peers.values().filter_map(|peer| match &peer.metadata {
            Metadata::Fetching(fetch) => Some(fetch.progress()),
            Metadata::Idle | Metadata::Refused(_) => None,
        });
        copies
            .max_by_key(|progress| progress.have)
            .unwrap_or_default()
    }
}

/// Bytes of wanted pieces that are here, and of all wanted pieces.
fn sizes(content: &Content) -> (u64, u64) {
    let wanted = content.picker.wanted();
    let bytes = |field: &Bitfield| {
        let pieces = field.iter_set().filter(|piece| wanted.has(*piece));
        pieces
            .map(|piece| u64::from(content.geometry.piece_size(piece)))
            .sum()
    };
    (bytes(&content.have), bytes(wanted))
}
