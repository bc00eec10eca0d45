//! Answering what is about stored things: `announce_peer`, `get`, `put` (BEP 44), `sample_infohashes` (BEP
//! 51) and the filters of a scrape (BEP 33).
//!
//! Invariant: nothing is stored without a token of ours that was given to the same address for the same
//! target. What is refused leaves the stores as they were.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use rand::RngExt;

use super::Node;
use crate::contact::{Address, network_of};
use crate::id::Id;
use crate::items::{BadItem, Item, Refusal};
use crate::message::{AnnouncePort, Answer, Failure, Part, Samples, Signed};
use crate::peers::Full;
use crate::token::TOKEN_LENGTH;

/// Where famous services listen above the ports of the system (dht.md 4.4).
const FAMOUS: [u16; 8] = [1_194, 1_900, 3_306, 3_389, 5_060, 5_353, 6_379, 11_211];
/// Info hashes in one sample (libtorrent's default): 400 bytes.
const SAMPLES: usize = 20;
/// How long a sample stays the same once there are more (BEP 51: at most 6 hours).
const SAMPLE_INTERVAL: Duration = Duration::from_secs(600);

/// The sample that everybody gets for now.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    hashes: Vec<Id>,
    until: Option<Instant>,
}

impl Node {
    /// BEP 5 "announce_peer".
    pub(super) fn store_peer(
        &mut self,
        now: Instant,
        from: Endpoint,
        (info_hash, port, part): (Id, AnnouncePort, Part),
        token: &[u8],
    ) -> Result<(), Failure> {
        let port = match port {
            AnnouncePort::Implied => from.port,
            AnnouncePort::Explicit(port) => port,
        };
        if !self.server.tokens.accepts(now, from, &info_hash, token) {
            return Err(Failure::Protocol);
        }
        self.server.proven.proved(now, from.ip);
        if port != from.port && !can_be_a_peer(port) {
            return Err(Failure::Protocol);
        }
        let peer = Endpoint::new(from.ip, port);
        let own = self.id(from.family());
        let stored = self
            .server
            .peers
            .announced(now, &own, info_hash, (peer, part));
        stored.map_err(|Full| Failure::Server)
    }

    /// The token for an item at `target`, if there is room for it.
    pub(super) fn item_token(
        &self,
        now: Instant,
        from: Endpoint,
        target: &Id,
    ) -> Option<[u8; TOKEN_LENGTH]> {
        let network = self.limited_network(from);
        let own = self.id(from.family());
        let room = self.server.items.has_room(&own, target, network);
        room.then(|| self.server.tokens.issue(now, from, target))
    }

    /// The token for an announcement of `info_hash`, if there is room for it.
    pub(super) fn peer_token(
        &self,
        now: Instant,
        from: Endpoint,
        info_hash: &Id,
    ) -> Option<[u8; TOKEN_LENGTH]> {
        let own = self.id(from.family());
        let room = self.server.peers.has_room(&own, info_hash, from.ip);
        room.then(|| self.server.tokens.issue(now, from, info_hash))
    }

    /// What `get` is told of the item itself. `seq`: what the asker has already.
    pub(super) fn stored_item<'s>(
        &'s self,
        now: Instant,
        target: &Id,
        asked: Option<i64>,
    ) -> Answer<'s> {
        match self.server.items.find(now, target) {
            None => Answer::default(),
            Some(Item::Immutable { value }) => Answer {
                value: Some(value),
                ..Answer::default()
            },
            Some(Item::Mutable { seq, .. }) if asked.is_some_and(|asked| *seq <= asked) => Answer {
                seq: Some(*seq),
                ..Answer::default()
            },
            Some(Item::Mutable {
                key,
                salt,
                seq,
                value,
                signature,
            }) => Answer {
                value: Some(value),
                signed: Some(Signed {
                    key,
                    salt,
                    seq: *seq,
                    signature,
                }),
                ..Answer::default()
            },
        }
    }

    /// BEP 44 "put".
    pub(super) fn store_item(
        &mut self,
        now: Instant,
        from: Endpoint,
        (item, cas): (Item, Option<i64>),
        token: &[u8],
    ) -> Result<(), Failure> {
        // The token first: it is cheap, a signature is not.
        let target = item.target();
        if !self.server.tokens.accepts(now, from, &target, token) {
            return Err(Failure::Protocol);
        }
        self.server.proven.proved(now, from.ip);
        item.verify().map_err(|why| match why {
            BadItem::Bencode => Failure::Protocol,
            BadItem::TooBig => Failure::TooBig,
            BadItem::Signature => Failure::Signature,
            BadItem::Salt => Failure::Salt,
        })?;
        let network = self.limited_network(from);
        let own = self.id(from.family());
        let stored = self.server.items.put(now, &own, (item, cas), network);
        stored.map_err(|why| match why {
            Refusal::Mismatch => Failure::Mismatch,
            Refusal::Outdated => Failure::Outdated,
            Refusal::Full => Failure::Server,
        })
    }

    /// The network that shares one allowance; `None` for private ones, which have no bound.
    pub(super) fn limited_network(&self, from: Endpoint) -> Option<std::net::IpAddr> {
        match self.address(from) {
            Address::Exclusive => Some(network_of(from.ip)),
            Address::Shared => None,
        }
    }

    /// BEP 51: the same sample for everybody for a while, so that asking more often tells nothing more.
    pub(super) fn sampled(&mut self, now: Instant) -> Samples {
        let stored = self.server.peers.hashes();
        let sampled = &mut self.server.sampled;
        if stored <= SAMPLES || sampled.until.is_none_or(|until| until <= now) {
            sampled.hashes = self.server.peers.some_hashes(SAMPLES, &mut self.rng);
            sampled.until = Some(now + SAMPLE_INTERVAL);
        }
        let left = sampled
            .until
            .map_or(0, |until| until.saturating_duration_since(now).as_secs());
        let mut hashes = sampled.hashes.clone();
        // A reply that must be short is cut at its end: not always the same end.
        if !hashes.is_empty() {
            let first = self.rng.random_range(0..hashes.len());
            hashes.rotate_left(first);
        }
        Samples {
            interval: if stored <= SAMPLES {
                0
            } else {
                u16::try_from(left).unwrap_or(0)
            },
            stored: stored as u64,
            hashes,
        }
    }
}

/// Whether a peer may listen on a port from which it did not send the announcement.
///
/// `Threat:` behind one address may stand more than the announcer: a thousand peers that call on port 53
/// or 123 there are an attack on somebody's resolver or clock.
fn can_be_a_peer(port: u16) -> bool {
    port >= 1_024 && !FAMOUS.contains(&port)
}
