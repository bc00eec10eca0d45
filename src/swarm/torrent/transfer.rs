//! Blocks in: what to ask a peer for, and what to do with what it sends. BEP 3 "request", "piece";
//! BEP 6 "reject", "allowed fast".
//!
//! Invariant: the picker and the pipelines agree on what is asked of whom. Nothing is asked while
//! the disk does not take pieces.

use std::time::Instant;

use bytes::Bytes;

use super::{DiskState, Stage, Torrent};
use crate::swarm::PeerKey;
use crate::swarm::contract::Action;
use crate::swarm::disk::{Digests, Job};
use crate::swarm::picker::{Asker, Askers, Received, Whole};
use crate::swarm::pipeline::Arrival;
use crate::swarm::reasons::CloseReason;
use crate::swarm::reasons::Dropped;
use crate::wire::{Block, Message};

/// Blocks that nobody asked for after which a peer is closed (reliability.md P6).
const MAX_UNREQUESTED: u32 = 8;

/// Blocks asked of one peer that others were asked for too, in the endgame: an eighth of what it may
/// have under way, at most this many. All but one copy is waste, so slow peers get one at a time; a
/// fast one takes over what the slow ones sit on. (With eight for everybody a simulated swarm of 100
/// fetched 1.6 times as much in vain, and was no faster.)
const MAX_DOUBLE: usize = 8;

/// Allowed-fast pieces remembered (P15).
const MAX_ALLOWED: usize = 64;

impl Torrent {
    /// Asks the peer for as many blocks as its pipeline takes.
    pub(super) fn refill(&mut self, now: Instant, key: PeerKey) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        if peer.useful() == 0 || !matches!(content.disk, DiskState::Ready) {
            return;
        }
        let (room, open) = (peer.pipeline.room(), peer.pipeline.len());
        let Some(theirs) = peer.field() else { return };
        if room == 0 {
            return;
        }
        let asker = Asker {
            peer: key,
            theirs,
            count: room,
            depth: room + open,
            standing: peer.gossip.record.standing,
        };
        let blocks = &mut self.out.blocks;
        blocks.clear();
        if peer.theirs.choking {
            if peer.facts.allowed_fast.is_empty() {
                return;
            }
            content
                .picker
                .pick_among(now, asker, &peer.facts.allowed_fast, blocks);
        } else {
            content.picker.pick(now, asker, &mut self.rng, blocks);
            let double = ((room + open) / 8).clamp(1, MAX_DOUBLE);
            let double = double.saturating_sub(open + blocks.len());
            // Who kept us waiting must not take the few places of a block.
            if double > 0 && !peer.pipeline.is_snubbed() {
                let count = double.min(room - blocks.len().min(room));
                content.picker.pick_again(Asker { count, ..asker }, blocks);
            }
        }
        for block in blocks.drain(..) {
            if self.flow.down.take(now, block.length) {
                peer.pipeline.ask(now, block);
                let message = Message::Request(block);
                self.out
                    .actions
                    .push_back(Action::Send { peer: key, message });
            } else {
                content.picker.released(key, block);
            }
        }
    }

    /// [`Torrent::refill`] for everybody.
    pub(super) fn refill_all(&mut self, now: Instant) {
        let keys: Vec<PeerKey> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.useful() > 0 && peer.pipeline.room() > 0)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.refill(now, key);
        }
    }

    pub(super) fn handle_block(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
        begin: u32,
        data: Bytes,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let block = Block {
            piece,
            begin,
            length: size,
        };
        self.flow.received.add(now, u64::from(size));
        if peer.pipeline.arrived(now, block) == Arrival::Unrequested {
            return self.strike(key, size);
        }
        let from = peer.endpoint;
        let Stage::Known(content) = &mut self.stage else {
            return Ok(());
        };
        match content.picker.received(now, key, from, block, data) {
            Received::Wanted(others) => self.cancel_elsewhere(block, others),
            Received::Duplicate => {
                self.tally.wasted += u64::from(size);
                self.dropped(Dropped::DuplicateBlock);
            }
            Received::Unrequested => return self.strike(key, size),
            Received::CompletesPiece(whole) => {
                self.cancel_elsewhere(block, whole.others);
                self.store(piece, whole);
            }
        }
        Ok(())
    }

    fn strike(&mut self, key: PeerKey, size: u32) -> Result<(), CloseReason> {
        self.tally.wasted += u64::from(size);
        self.dropped(Dropped::UnrequestedBlock);
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let strikes = &mut peer.gossip.record.unrequested;
        *strikes += 1;
        if *strikes >= MAX_UNREQUESTED {
            Err(CloseReason::Unrequested)
        } else {
            Ok(())
        }
    }

    fn cancel_elsewhere(&mut self, block: Block, others: Askers) {
        for other in others.iter() {
            if let Some(peer) = self.peers.get_mut(&other)
                && peer.pipeline.cancel(block)
            {
                self.out.send(other, Message::Cancel(block));
            }
        }
    }

    fn store(&mut self, piece: u32, whole: Whole) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        content.storing.insert(piece, whole.senders);
        match &mut content.disk {
            DiskState::Paused { waiting, .. } | DiskState::Trying { waiting } => {
                waiting.push((piece, whole.blocks));
            }
            DiskState::Ready | DiskState::Opening => {
                let suspect = content.blame.is_suspect(piece);
                let digests = if suspect {
                    Digests::Always
                } else {
                    Digests::IfWrong
                };
                let job = Job::Store {
                    piece,
                    blocks: whole.blocks,
                    digests,
                };
                self.out.actions.push_back(Action::Disk(job));
            }
        }
    }

    /// BEP 3: a choke drops all requests. BEP 6: it drops none, each is answered or rejected; but
    /// waiting for the rejects would only cost time.
    pub(super) fn handle_choke(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.theirs.choking = true;
        }
        self.give_up_requests(key);
    }

    /// The peer's requests may go to others.
    pub(super) fn give_up_requests(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let dropped = peer.pipeline.drop_all();
        if let Stage::Known(content) = &mut self.stage {
            dropped
                .into_iter()
                .for_each(|block| content.picker.released(key, block));
        }
    }

    pub(super) fn handle_reject(
        &mut self,
        now: Instant,
        key: PeerKey,
        block: Block,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        if !peer.pipeline.rejected(block) {
            return Err(CloseReason::BadReject);
        }
        // A piece allowed although choked is not allowed any more: asking again would go on forever.
        peer.facts
            .allowed_fast
            .retain(|piece| *piece != block.piece);
        if let Stage::Known(content) = &mut self.stage {
            content.picker.released(key, block);
        }
        let _ = now;
        Ok(())
    }

    pub(super) fn handle_allowed_fast(&mut self, key: PeerKey, piece: u32) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let count = match &self.stage {
            Stage::Known(content) => content.geometry.piece_count(),
            Stage::Nameless | Stage::Ended(_) => u32::MAX,
        };
        let allowed = &mut peer.facts.allowed_fast;
        if piece >= count || allowed.len() >= MAX_ALLOWED {
            self.dropped(Dropped::AllowedFast);
        } else if !allowed.contains(&piece) {
            allowed.push(piece);
        }
    }
}
