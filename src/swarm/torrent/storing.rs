//! The storage's replies: pieces that became ours, that were wrong, that the disk did not take, that
//! it lost. Read design.md "Storage decisions".
//!
//! Invariant: a piece is ours only after the storage said so; while it takes none nothing is
//! requested, and it is tried again every few seconds. Guilt is decided by `blame` alone.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{DiskState, Goal, Stage, Torrent};
use crate::swarm::blame::{self, Verdict};
use crate::swarm::contract::{Action, Event};
use crate::swarm::disk::{Digest, Digests, DiskError, Job, Reply};
use crate::swarm::picker::{BUDGET, Standing};
use crate::swarm::reasons::CloseReason;

/// Between two attempts to write to a disk that failed.
const RETRY: Duration = Duration::from_secs(5);

impl Torrent {
    pub(super) fn handle_reply(&mut self, now: Instant, reply: Reply) {
        if matches!(self.stage, Stage::Ended(_)) {
            return;
        }
        match reply {
            Reply::Stored { piece, digests } => self.handle_stored(now, piece, digests),
            Reply::Mismatch { piece, digests } => self.handle_mismatch(now, piece, &digests),
            Reply::StoreFailed {
                piece,
                blocks,
                error,
            } => {
                self.handle_store_failed(now, piece, blocks, error);
            }
            Reply::Block { peer, block, data } => self.handle_read(now, peer, block, data),
            Reply::ReadFailed { peer, block, error } => {
                self.handle_read_failed(peer, block);
                if error == DiskError::Damaged {
                    self.lose(now, block.piece);
                }
            }
            Reply::Lost { piece } => self.lose(now, piece),
        }
    }

    fn handle_stored(&mut self, now: Instant, piece: u32, digests: Option<Vec<Digest>>) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        let was_full = content.picker.committed() >= BUDGET;
        let senders = content.storing.remove(&piece).unwrap_or_default();
        if let Some(sender) = blame::only_one(&senders) {
            let peers = self.peers.values_mut();
            let of = peers.filter(|peer| peer.endpoint == sender);
            of.for_each(|peer| peer.gossip.record.standing = Standing::Proved);
        }
        content.picker.stored(piece);
        if !content.have.set(piece) {
            return;
        }
        let guilty = digests.map(|digests| content.blame.right(piece, &digests));
        let resumed = matches!(content.disk, DiskState::Trying { .. });
        self.tally.milestones.first_piece.get_or_insert(now);
        self.out.events.push_back(Event::PieceStored(piece));
        self.spread(piece);
        for endpoint in guilty.into_iter().flatten() {
            self.ban(now, endpoint, CloseReason::CorruptData);
        }
        self.check_goal(now);
        if resumed {
            self.resume_disk();
        }
        if was_full || resumed {
            self.refill_all(now);
        }
    }

    fn handle_mismatch(&mut self, now: Instant, piece: u32, digests: &[Digest]) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        let senders = content.storing.remove(&piece).unwrap_or_default();
        let verdict = content.blame.wrong(piece, digests, &senders);
        let rest = content.blame.rest(now, piece);
        content.picker.wrong(piece, rest);
        self.tally.wasted += u64::from(content.geometry.piece_size(piece));
        self.tally.wrong = self.tally.wrong.saturating_add(1);
        // The disk did what it was asked: it works.
        let resumed = matches!(content.disk, DiskState::Trying { .. });
        if rest.is_some() {
            self.out.events.push_back(Event::PieceFailed { piece });
        }
        if resumed {
            self.resume_disk();
        }
        if let Verdict::Guilty(endpoint) = verdict {
            self.ban(now, endpoint, CloseReason::CorruptData);
        }
        self.refill_all(now);
    }

    fn handle_store_failed(
        &mut self,
        now: Instant,
        piece: u32,
        blocks: Vec<Bytes>,
        error: DiskError,
    ) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        let retry_at = now + RETRY;
        match std::mem::replace(&mut content.disk, DiskState::Ready) {
            DiskState::Paused {
                retry_at,
                mut waiting,
            } => {
                waiting.push((piece, blocks));
                content.disk = DiskState::Paused { retry_at, waiting };
                return;
            }
            DiskState::Trying { mut waiting } => {
                waiting.push((piece, blocks));
                content.disk = DiskState::Paused { retry_at, waiting };
            }
            DiskState::Ready | DiskState::Opening => {
                content.disk = DiskState::Paused {
                    retry_at,
                    waiting: vec![(piece, blocks)],
                };
            }
        }
        self.out
            .events
            .push_back(Event::DiskPaused { error, retry_at });
    }

    /// Tries one waiting piece again if it is time.
    pub(super) fn retry_disk(&mut self, now: Instant) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        if let DiskState::Paused { retry_at, waiting } = &mut content.disk
            && *retry_at <= now
        {
            let mut waiting = std::mem::take(waiting);
            let first = waiting.pop();
            content.disk = DiskState::Trying { waiting };
            if let Some((piece, blocks)) = first {
                let job = Job::Store {
                    piece,
                    blocks,
                    digests: Digests::Always,
                };
                self.out.actions.push_back(Action::Disk(job));
            }
        }
    }

    /// The disk works again: everything that waited goes there.
    fn resume_disk(&mut self) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        if let DiskState::Trying { waiting } =
            std::mem::replace(&mut content.disk, DiskState::Ready)
        {
            for (piece, blocks) in waiting {
                let job = Job::Store {
                    piece,
                    blocks,
                    digests: Digests::Always,
                };
                self.out.actions.push_back(Action::Disk(job));
            }
            self.out.events.push_back(Event::DiskResumed);
        }
    }

    /// A piece that we had is not there any more: peers that understand it are told (BEP 54), requests of
    /// all others for it are rejected.
    fn lose(&mut self, now: Instant, piece: u32) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        if !content.have.clear(piece) {
            return;
        }
        content.picker.lost(piece);
        let was_complete = content.goal == Goal::Reached;
        if content.picker.lacking() > 0 {
            content.goal = Goal::Open;
        }
        self.out.events.push_back(Event::PieceLost(piece));
        self.take_back(piece);
        if was_complete && !self.is_complete() {
            // BEP 21: we want something again.
            let keys: Vec<_> = self.peers.keys().copied().collect();
            keys.into_iter().for_each(|key| self.tell_facts(key));
            self.book.recall_seeds(now);
        }
        self.recount();
        self.refill_all(now);
        self.dial(now);
    }

    /// Tells the owner, once, that everything wanted is there.
    pub(super) fn check_goal(&mut self, now: Instant) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        let opening = matches!(content.disk, DiskState::Opening);
        if content.picker.lacking() > 0 || content.goal == Goal::Reached || opening {
            return;
        }
        content.goal = Goal::Reached;
        self.tally.milestones.done.get_or_insert(now);
        self.out.events.push_back(Event::Complete);
        // Those who have everything heard no `have` from us: BEP 21 tells them.
        let keys: Vec<_> = self.peers.keys().copied().collect();
        keys.into_iter().for_each(|key| self.tell_facts(key));
        if self.parts_with_seeds() {
            let seeds = self.peers.iter().filter(|(_, peer)| peer.is_seed());
            let seeds: Vec<_> = seeds.map(|(key, _)| *key).collect();
            for key in seeds {
                self.close(now, key, CloseReason::BothSeeds);
            }
        }
    }
}
