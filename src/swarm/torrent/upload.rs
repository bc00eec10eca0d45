//! Blocks out: who is served, and the way of a request to the disk and back. BEP 3 "choking",
//! "request", "cancel"; BEP 6 "reject".
//!
//! Invariant: data is read only for requests that are valid, of pieces that we have, by peers that
//! we do not choke; a request that will not be answered is rejected if the peer speaks BEP 6.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::peer::Peer;
use super::{Stage, Torrent};
use crate::swarm::PeerKey;
use crate::swarm::choker::{Candidate, Standing};
use crate::swarm::contract::Action;
use crate::swarm::disk::Job;
use crate::swarm::reasons::CloseReason;
use crate::swarm::reasons::Dropped;
use crate::swarm::serving::Queued;
use crate::wire::{Block, Message};

/// Between two changes of our choking of one peer outside rounds (reliability.md P9).
const FLAP_PAUSE: Duration = Duration::from_secs(10);

impl Torrent {
    /// So many bytes wait on the peer's connection now.
    pub fn handle_sent(&mut self, now: Instant, key: PeerKey, unsent: usize) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.serving.sent(now, unsent);
            self.serve(now, key);
        }
    }

    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        key: PeerKey,
        block: Block,
    ) -> Result<(), CloseReason> {
        let Stage::Known(content) = &self.stage else {
            return Err(CloseReason::BadRequest);
        };
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        if !content.geometry.valid(block) {
            return Err(CloseReason::BadRequest);
        }
        let served = !peer.ours.choking && content.have.has(block.piece);
        if !served {
            self.dropped(Dropped::RequestChoked);
            self.reject(key, block);
            return Ok(());
        }
        match peer.serving.ask(block) {
            Queued::Yes => self.serve(now, key),
            Queued::Twice => self.dropped(Dropped::RequestTwice),
            Queued::Full => {
                self.dropped(Dropped::RequestBeyondQueue);
                self.reject(key, block);
            }
        }
        Ok(())
    }

    pub(super) fn handle_cancel(&mut self, key: PeerKey, block: Block) {
        if self
            .peers
            .get_mut(&key)
            .is_some_and(|peer| peer.serving.cancel(block))
        {
            self.reject(key, block);
        }
    }

    /// Reads what the peer waits for, as far as its connection and the rate limit allow.
    pub(super) fn serve(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        while let Some(block) = peer.serving.peek() {
            if !self.flow.up.take(now, block.length) {
                return;
            }
            peer.serving.start();
            self.out
                .actions
                .push_back(Action::Disk(Job::Read { peer: key, block }));
        }
    }

    /// The disk read a block.
    pub(super) fn handle_read(&mut self, now: Instant, key: PeerKey, block: Block, data: Bytes) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        if !peer.serving.read(block) || data.len() != block.length as usize {
            return;
        }
        peer.serving.gave(now, data.len());
        self.flow.sent.add(now, data.len() as u64);
        let host = self
            .book
            .host_of(peer.facts.listens.unwrap_or(peer.endpoint));
        self.given.add(now, host, data.len() as u64);
        let Block { piece, begin, .. } = block;
        self.out.send(key, Message::Piece { piece, begin, data });
        self.serve(now, key);
    }

    /// The disk could not.
    pub(super) fn handle_read_failed(&mut self, key: PeerKey, block: Block) {
        if self
            .peers
            .get_mut(&key)
            .is_some_and(|peer| peer.serving.read(block))
        {
            self.reject(key, block);
        }
    }

    fn reject(&mut self, key: PeerKey, block: Block) {
        if self
            .peers
            .get(&key)
            .is_some_and(|peer| peer.reserved.fast())
        {
            self.out.send(key, Message::Reject(block));
        }
    }

    /// An interested peer is served at once while a slot is free.
    pub(super) fn unchoke_if_free(&mut self, now: Instant, key: PeerKey) {
        let served = self
            .peers
            .values()
            .filter(|p| p.theirs.interested && !p.ours.choking)
            .count();
        let Some(peer) = self.peers.get(&key) else {
            return;
        };
        let flapping = peer
            .gossip
            .record
            .choke_changed
            .is_some_and(|at| now.saturating_duration_since(at) < FLAP_PAUSE);
        if peer.ours.choking && peer.theirs.interested && !flapping && self.choker.admits(served) {
            self.set_choking(now, key, Service::Unchoked);
        }
    }

    /// A slot may have become free: the longest connected of those who wait gets it.
    pub(super) fn give_slot_on(&mut self, now: Instant) {
        let waiting = self
            .peers
            .iter()
            .filter(|(_, p)| p.theirs.interested && p.ours.choking);
        let keys: Vec<PeerKey> = waiting.map(|(key, _)| *key).collect();
        for key in keys {
            self.unchoke_if_free(now, key);
        }
    }

    /// A round of tit for tat.
    pub(super) fn rechoke(&mut self, now: Instant) {
        let complete = self.is_complete();
        let candidates = self.peers.iter().filter(|(_, p)| p.theirs.interested);
        let candidates = candidates.map(|(key, peer)| {
            let meter = if complete {
                peer.serving.meter()
            } else {
                peer.pipeline.meter()
            };
            Candidate {
                peer: *key,
                rate: meter.rate(now),
                since: peer.gossip.record.since,
                standing: self.standing(now, peer),
            }
        });
        let candidates: Vec<Candidate> = candidates.collect();
        let chosen = self.choker.round(now, candidates, &mut self.rng);
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            let service = if chosen.contains(&key) {
                Service::Unchoked
            } else {
                Service::Choked
            };
            // Who wants nothing keeps its place until somebody else needs it.
            let wants = self
                .peers
                .get(&key)
                .is_some_and(|peer| peer.theirs.interested);
            if wants || service == Service::Unchoked || chosen.len() >= self.settings.upload_slots {
                self.set_choking(now, key, service);
            }
        }
    }

    /// Whether the peer's host has had more than its share.
    fn standing(&self, now: Instant, peer: &Peer) -> Standing {
        let host = self
            .book
            .host_of(peer.facts.listens.unwrap_or(peer.endpoint));
        let size = self
            .content()
            .map_or(0, |content| content.info.total_length());
        if self.given.is_draining(now, host, size) {
            Standing::Draining
        } else {
            Standing::Fair
        }
    }

    fn set_choking(&mut self, now: Instant, key: PeerKey, service: Service) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let choking = service == Service::Choked;
        if peer.ours.choking == choking {
            return;
        }
        peer.ours.choking = choking;
        peer.gossip.record.choke_changed = Some(now);
        let dropped = if choking {
            peer.serving.clear()
        } else {
            Vec::new()
        };
        self.out.send(
            key,
            if choking {
                Message::Choke
            } else {
                Message::Unchoke
            },
        );
        for block in dropped {
            self.reject(key, block);
        }
    }
}

/// Whether a peer is served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    Unchoked,
    Choked,
}
