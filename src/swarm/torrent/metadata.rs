//! The `info` dictionary from peers and for peers (BEP 9).
//!
//! Invariant: nothing is believed before its SHA-1 is the info hash; a peer that lied is not asked
//! again; the connections go on afterwards with what the peers said before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::peer::Metadata;
use super::{Content, DiskState, Goal, Stage, Torrent};
use crate::budget::METADATA_COPIES;
use crate::metainfo::{Info, InfoHash};
use crate::swarm::PeerKey;
use crate::swarm::bitfield::Bitfield;
use crate::swarm::blame::Blame;
use crate::swarm::contract::Event;
use crate::swarm::fetch::{Fetch, Got};
use crate::swarm::geometry::Geometry;
use crate::swarm::picker::Picker;
use crate::swarm::reasons::CloseReason;
use crate::swarm::reasons::Dropped;
use crate::wire::{METADATA_PIECE, Message, MetadataMessage};

/// Peers asked at once; those that are slow or silent do not count (reliability.md P13).
const PARALLEL: usize = 4;

/// Copies under way at once, slow ones included; beyond, the slowest makes room.
const MAX_COPIES: usize = 32;

/// Whose copy was given up is asked again after this, when everybody else was.
const ASK_SLOW_AGAIN: Duration = Duration::from_secs(60);

/// A peer that said no is asked again after this: it may have got it meanwhile.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Whole dictionaries a peer may fetch in a minute (P14).
const MAX_GIVEN: u32 = 2;

impl Torrent {
    /// Starts to ask peers, as many as may be asked at once.
    pub(super) fn ask_for_metadata(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Nameless) {
            return;
        }
        self.give_up_dead_copies(now);
        let (mut busy, mut copies) = (0, 0);
        for peer in self.peers.values() {
            if let Metadata::Fetching(fetch) = &peer.metadata {
                copies += 1;
                busy += usize::from(!fetch.is_slow(now));
            }
        }
        for (key, peer) in &mut self.peers {
            if busy >= PARALLEL || copies >= MAX_COPIES {
                return;
            }
            let rested = match &peer.metadata {
                Metadata::Idle => true,
                Metadata::Refused(until) => *until <= now,
                Metadata::Fetching(_) => false,
            };
            if let Some(size) = peer.facts.metadata_size
                && rested
                && peer.facts.metadata_id != 0
            {
                let mut fetch = Fetch::new(now, size);
                let id = peer.facts.metadata_id;
                while let Some(piece) = fetch.ask() {
                    let payload = MetadataMessage::Request { piece }.encode();
                    self.out.send(*key, Message::Extended { id, payload });
                }
                peer.metadata = Metadata::Fetching(fetch);
                (busy, copies) = (busy + 1, copies + 1);
            }
        }
    }

    /// Forgets copies that will come to nothing and, where copies take up all places, the slowest.
    /// Threat: peers that send a part now and then, for ever, while an honest one waits (P13).
    fn give_up_dead_copies(&mut self, now: Instant) {
        let fetching = self
            .peers
            .iter()
            .filter_map(|(key, peer)| match &peer.metadata {
                Metadata::Fetching(fetch) => Some((*key, fetch)),
                Metadata::Idle | Metadata::Refused(_) => None,
            });
        let (mut copies, mut gone, mut slowest) = (0, Vec::new(), None);
        for (key, fetch) in fetching {
            copies += 1;
            if fetch.is_dead(now) {
                gone.push(key);
            } else if let Some(pace) = fetch.pace(now) {
                slowest = slowest.min(Some((pace, key))).or(Some((pace, key)));
            }
        }
        if copies >= MAX_COPIES && gone.is_empty() {
            gone.extend(slowest.map(|(_, key)| key));
        }
        for key in gone {
            self.give_up_copy(now, key);
        }
    }

    fn give_up_copy(&mut self, now: Instant, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.metadata = Metadata::Refused(now + ASK_SLOW_AGAIN);
            self.dropped(Dropped::SlowMetadata);
        }
    }

    /// Keeps the sum of all copies below [`METADATA_COPIES`]: whom nothing came from for longest goes.
    fn bound_copies(&mut self, now: Instant) {
        let copies = self
            .peers
            .iter()
            .filter_map(|(key, peer)| match &peer.metadata {
                Metadata::Fetching(fetch) => Some((fetch.heard(), *key, fetch.bytes())),
                Metadata::Idle | Metadata::Refused(_) => None,
            });
        let copies: Vec<_> = copies.collect();
        let sum: usize = copies.iter().map(|(_, _, bytes)| bytes).sum();
        if sum > METADATA_COPIES
            && let Some((_, key, _)) = copies.iter().filter(|(.., bytes)| *bytes > 0).min()
        {
            self.give_up_copy(now, *key);
        }
    }

    pub(super) fn handle_metadata(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &Bytes,
    ) -> Result<(), CloseReason> {
        match MetadataMessage::parse(payload) {
            Some(MetadataMessage::Request { piece }) => self.give_metadata(now, key, piece),
            Some(MetadataMessage::Data {
                piece,
                total_size,
                data,
            }) => {
                return self.take_metadata(now, key, piece, total_size, data);
            }
            Some(MetadataMessage::Reject { .. }) => {
                if let Some(peer) = self.peers.get_mut(&key)
                    && matches!(peer.metadata, Metadata::Fetching(_))
                {
                    peer.metadata = Metadata::Refused(now + ASK_AGAIN);
                }
                self.ask_for_metadata(now);
            }
            None => self.dropped(Dropped::GarbledMetadata),
        }
        Ok(())
    }

    fn take_metadata(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
        total: u32,
        data: Bytes,
    ) -> Result<(), CloseReason> {
        if !matches!(self.stage, Stage::Nameless) {
            return Ok(());
        }
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let endpoint = peer.endpoint;
        let Metadata::Fetching(fetch) = &mut peer.metadata else {
            self.dropped(Dropped::UnaskedMetadata);
            return Ok(());
        };
        match fetch.handle(now, piece, total, data) {
            Got::Nothing => self.dropped(Dropped::UnaskedMetadata),
            Got::Contradiction => return Err(CloseReason::BadMetadata),
            Got::Part => {
                let id = peer.facts.metadata_id;
                while let Some(piece) = fetch.ask() {
                    let payload = MetadataMessage::Request { piece }.encode();
                    self.out.send(key, Message::Extended { id, payload });
                }
                self.bound_copies(now);
            }
            Got::All(raw) => {
                let hash = InfoHash(Sha1::digest(&raw).into());
                if hash != self.info_hash {
                    // All of it came from this peer: proof enough.
                    peer.metadata = Metadata::Idle;
                    self.ban(now, endpoint, CloseReason::BadMetadata);
                    return Ok(());
                }
                // Right hash, unreadable: whoever made it, not the peer. Nobody has better.
                let info = Info::from_bytes(raw).map_err(|_| CloseReason::BadMetadata)?;
                self.know(now, Arc::new(info));
            }
        }
        Ok(())
    }

    /// The dictionary is known.
    pub(super) fn know(&mut self, now: Instant, info: Arc<Info>) {
        let geometry = Geometry::new(info.piece_length(), info.total_length());
        let content = Content {
            geometry,
            picker: Picker::new(geometry, self.settings.picking),
            have: Bitfield::new(geometry.piece_count()),
            blame: Blame::new(),
            storing: std::collections::BTreeMap::new(),
            disk: DiskState::Opening,
            goal: Goal::Open,
            info: Arc::clone(&info),
        };
        self.stage = Stage::Known(Box::new(content));
        self.tally.milestones.metadata.get_or_insert(now);
        for peer in self.peers.values_mut() {
            // A silent peer's late answer, and an honest one's, are not needed any more.
            peer.metadata = Metadata::Idle;
        }
        for key in self.check_early() {
            self.close(now, key, CloseReason::BadBitfield);
        }
        self.out.events.push_back(Event::Metadata(info));
        if !self.may_search() {
            self.part_with_strangers(now);
        }
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            // Now we can give it on.
            self.tell_facts(key);
        }
    }

    fn give_metadata(&mut self, now: Instant, key: PeerKey, piece: u32) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let id = peer.facts.metadata_id;
        if id == 0 {
            return;
        }
        let raw = match &self.stage {
            Stage::Known(content) => content.info.raw().clone(),
            Stage::Nameless | Stage::Ended(_) => Bytes::new(),
        };
        let begin = (piece as usize).saturating_mul(METADATA_PIECE);
        let parts = raw.len().div_ceil(METADATA_PIECE) as u32;
        let (since, given) = &mut peer.gossip.record.metadata_given;
        if now.saturating_duration_since(*since) >= Duration::from_secs(60) {
            (*since, *given) = (now, 0);
        }
        let total_size = u32::try_from(raw.len()).unwrap_or(0);
        let allowed = begin < raw.len() && *given < parts.saturating_mul(MAX_GIVEN);
        // Threat: whoever asks for all of a large dictionary and reads none of it (P14).
        let answer = if allowed && peer.serving.takes_more() {
            *given += 1;
            let data = raw.slice(begin..raw.len().min(begin + METADATA_PIECE));
            peer.serving.gave_beside(now, data.len());
            MetadataMessage::Data {
                piece,
                total_size,
                data,
            }
        } else {
            self.dropped(Dropped::MetadataRequest);
            MetadataMessage::Reject { piece }
        };
        self.out.send(
            key,
            Message::Extended {
                id,
                payload: answer.encode(),
            },
        );
    }
}
