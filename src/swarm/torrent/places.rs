//! Who gives its place to whom when all are taken: BEP 40 says who has more right to one; rows P2 and A13
//! of reliability.md say whom nobody needs, and how many of one network there may be.
//!
//! Invariant: there are never more connections than places, and nobody goes with whom blocks are
//! exchanged. Networks count where strangers come from: not in ranges that the user opened.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::Torrent;
use super::peer::Peer;
use crate::budget::NETWORK_SHARE;
use crate::swarm::PeerKey;
use crate::swarm::addresses::Network;
use crate::swarm::reasons::{CloseReason, Refusal};
use crate::wire::PeerId;

/// A connection on which nothing was said for this long gives way to a new one from the same host: a
/// computer that lost its power or its network calls again long before the old connection times out.
const SILENCE: Duration = Duration::from_secs(30);

/// The same where the peer itself calls again, from another address: it knows what it does. Its second
/// attempt, fifteen seconds after the first, must not be turned away too.
const MOVED: Duration = Duration::from_secs(10);

/// A peer of no use to either side gives its place up after this (reliability.md P2).
const IDLE: Duration = Duration::from_secs(10);

impl Torrent {
    /// So many connections may be added to those that stand; never more in all than the settings say.
    pub fn set_places(&mut self, free: usize) {
        let places = self.peers.len().saturating_add(free);
        self.places = places.min(self.settings.max_peers);
    }

    /// Makes sure that there is a place for a newcomer.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn make_place(&mut self, now: Instant, from: Endpoint) -> Result<(), Refusal> {
        if self.peers.len() < self.places {
            return Ok(());
        }
        let mut networks: BTreeMap<Network, usize> = BTreeMap::new();
        for network in self
            .peers
            .values()
            .filter_map(|peer| self.network_of(peer.endpoint))
        {
            *networks.entry(network).or_default() += 1;
        }
        let share = (self.places * NETWORK_SHARE / 100).max(1);
        let of_newcomer = self.network_of(from).and_then(|it| networks.get(&it));
        if of_newcomer.is_some_and(|count| *count >= share) {
            return Err(Refusal::CrowdedNetwork);
        }
        let largest = networks.into_iter().max_by_key(|(_, count)| *count);
        let crowded = largest.filter(|(_, count)| *count > share);
        if crowded.is_some_and(|(network, _)| self.thin_out(now, network))
            || self.evict(now)
            || self.outrank(now, from)
        {
            return Ok(());
        }
        Err(Refusal::Full)
    }

    fn network_of(&self, endpoint: Endpoint) -> Option<Network> {
        (!self.book.shares_ip(endpoint.ip)).then(|| Network::of(endpoint.ip))
    }

    /// Closes a quiet peer of a network that has more than its share. Threat: a subnet that takes all
    /// places with connections that do nothing, or little (A13).
    fn thin_out(&mut self, now: Instant, network: Network) -> bool {
        let quiet = self
            .peers
            .iter()
            .filter(|(_, peer)| is_quiet(peer) && self.network_of(peer.endpoint) == Some(network));
        let least = quiet.min_by_key(|(_, peer)| self.priority_of(peer));
        let Some(key) = least.map(|(key, _)| *key) else {
            return false;
        };
        self.close(now, key, CloseReason::CrowdedNetwork);
        true
    }

    /// Closes silent connections to the host that calls, and to the peer that calls: it may have another
    /// address now. Where many peers share an address it has to be the same peer. Threat: whoever shares
    /// an address with a peer, or has seen its id, can end its connection, but not while anything is said
    /// on it.
    pub(super) fn make_way(&mut self, now: Instant, from: Endpoint, id: PeerId) {
        let shared = self.book.shares_ip(from.ip);
        let silent = self.peers.iter().filter(|(_, peer)| {
            let silence = now.saturating_duration_since(peer.gossip.record.heard);
            let same_host = peer.endpoint.ip == from.ip && !shared;
            (peer.id == id && silence >= MOVED) || (same_host && silence >= SILENCE)
        });
        let silent: Vec<PeerKey> = silent.map(|(key, _)| *key).collect();
        for key in silent {
            self.close(now, key, CloseReason::Idle);
        }
    }

    /// Closes one peer that neither side has use for, of several the one with the lowest priority
    /// (BEP 40). `false` if there is none.
    fn evict(&mut self, now: Instant) -> bool {
        let idle = self.peers.iter().filter(|(_, peer)| {
            let old = now.saturating_duration_since(peer.gossip.record.since) >= IDLE;
            let unneeded = peer.useful() == 0 || peer.pipeline.is_snubbed();
            old && unneeded && !peer.theirs.interested
        });
        let least = idle.min_by_key(|(_, peer)| self.priority_of(peer));
        let Some(key) = least.map(|(key, _)| *key) else {
            return false;
        };
        self.close(now, key, CloseReason::Idle);
        true
    }

    /// Closes the peer with the lowest priority if that of the newcomer is higher (BEP 40), so that a
    /// swarm in which everybody is fully connected stays open to newcomers. Nobody goes who is young or
    /// with whom blocks are exchanged: the graph may change, the download must not suffer.
    fn outrank(&mut self, now: Instant, from: Endpoint) -> bool {
        let Some(newcomer) = self.book.priority(from) else {
            return false;
        };
        let quiet = self.peers.iter().filter(|(_, peer)| {
            let old = now.saturating_duration_since(peer.gossip.record.since) >= IDLE;
            old && is_quiet(peer)
        });
        let least = quiet
            .map(|(key, peer)| (self.priority_of(peer), *key))
            .min();
        match least {
            Some((priority, key)) if priority < newcomer => {
                self.close(now, key, CloseReason::Outranked);
                true
            }
            _ => false,
        }
    }

    /// BEP 40; 0 while we do not know our own address.
    fn priority_of(&self, peer: &Peer) -> u32 {
        let there = peer.facts.listens.unwrap_or(peer.endpoint);
        self.book.priority(there).unwrap_or(0)
    }
}

/// Whether no blocks are exchanged with it.
fn is_quiet(peer: &Peer) -> bool {
    let gives = !peer.pipeline.is_empty() && !peer.pipeline.is_snubbed();
    let takes = peer.theirs.interested && !peer.ours.choking;
    !gives && !takes
}
