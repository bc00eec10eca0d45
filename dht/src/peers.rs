//! Peers that others announced to us (BEP 5 "announce_peer").
//!
//! Invariant: at most `MAX_HASHES` hashes, `MAX_PEERS_PER_HASH` peers of each and `MAX_PEERS` in
//! all, `MAX_PORTS` at one public address and hash; none older than `LIFETIME` is handed out. The hash longest
//! without an announce is forgotten first. Knows no tokens and no messages.

use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Endpoint, Family};
use lru::LruCache;
use rand::{Rng, RngExt};

use crate::bloom::Bloom;
use crate::id::Id;
use crate::message::Part;

/// Hashes stored (reliability.md §4.1).
pub const MAX_HASHES: usize = 2_000;
/// Peers stored of one hash.
pub const MAX_PEERS_PER_HASH: usize = 500;
/// Peers stored in all (48 bytes each).
pub const MAX_PEERS: usize = 50_000;
/// Peers of one hash at one public address: several homes behind a carrier's NAT.
pub const MAX_PORTS: usize = 8;
/// How long an announce counts: clients repeat it every 15 to 30 minutes.
pub const LIFETIME: Duration = Duration::from_secs(40 * 60);

/// The store.
#[derive(Debug)]
pub struct Peers {
    /// Most recently announced first. Each list is in order of arrival, oldest first.
    torrents: LruCache<Id, Vec<(Endpoint, Instant, Part)>>,
    total: usize,
}

impl Default for Peers {
    fn default() -> Self {
        Peers {
            torrents: LruCache::unbounded(),
            total: 0,
        }
    }
}

impl Peers {
    /// Stores that a peer has `info_hash`, or part of it.
    pub fn announced(&mut self, now: Instant, info_hash: Id, (peer, part): (Endpoint, Part)) {
        let list = self.torrents.get_or_insert_mut(info_hash, Vec::new);
        let before = list.len();
        list.retain(|(other, at, _)| *other != peer && now.duration_since(*at) < LIFETIME);
        // Threat: one host that announces every port must not drive all others out. Private networks
        // and loopback are exempt: many peers on one address are normal there.
        if AddressPolicy::default().admits_ip(peer.ip) {
            let of_ip = |(other, ..): &(Endpoint, Instant, Part)| other.ip == peer.ip;
            if list.iter().filter(|entry| of_ip(entry)).count() >= MAX_PORTS
                && let Some(oldest) = list.iter().position(of_ip)
            {
                list.remove(oldest);
            }
        }
        if list.len() >= MAX_PEERS_PER_HASH {
            list.remove(0);
        }
        list.push((peer, now, part));
        self.total = (self.total + list.len()).saturating_sub(before);
        while self.torrents.len() > MAX_HASHES || self.total > MAX_PEERS {
            let Some((_, list)) = self.torrents.pop_lru() else {
                break;
            };
            self.total = self.total.saturating_sub(list.len());
        }
    }

    /// At most `limit` peers of `info_hash` in one family, a fair sample in random order.
    pub fn sample(
        &self,
        now: Instant,
        info_hash: &Id,
        (family, limit): (Family, usize),
        rng: &mut impl Rng,
    ) -> Vec<Endpoint> {
        let list = self.torrents.peek(info_hash).map_or(&[][..], Vec::as_slice);
        let mut live: Vec<Endpoint> = list
            .iter()
            .filter(|(peer, at, _)| peer.family() == family && now.duration_since(*at) < LIFETIME)
            .map(|(peer, ..)| *peer)
            .collect();
        // Fisher-Yates, as far as needed.
        let wanted = limit.min(live.len());
        for index in 0..wanted {
            let other = rng.random_range(index..live.len());
            live.swap(index, other);
        }
        live.truncate(wanted);
        live
    }

    /// The addresses of seeds and of others (BEP 33); `None` if nobody is known.
    #[must_use]
    pub fn filters(&self, now: Instant, info_hash: &Id) -> Option<(Bloom, Bloom)> {
        let (mut seeds, mut peers) = (Bloom::default(), Bloom::default());
        for (peer, at, part) in self.torrents.peek(info_hash)? {
            if now.duration_since(*at) < LIFETIME {
                match part {
                    Part::Seed => seeds.insert(peer.ip),
                    Part::Peer => peers.insert(peer.ip),
                }
            }
        }
        (!seeds.is_empty() || !peers.is_empty()).then_some((seeds, peers))
    }

    /// At most `limit` of the hashes, a fair sample in random order (BEP 51).
    pub fn some_hashes(&self, limit: usize, rng: &mut impl Rng) -> Vec<Id> {
        let mut all: Vec<Id> = self.torrents.iter().map(|(hash, _)| *hash).collect();
        let wanted = limit.min(all.len());
        for index in 0..wanted {
            let other = rng.random_range(index..all.len());
            all.swap(index, other);
        }
        all.truncate(wanted);
        all
    }

    /// Forgets the oldest hash if all of its peers are too old. Cheap: one hash a call.
    pub fn sweep(&mut self, now: Instant) {
        let Some((_, list)) = self.torrents.peek_lru() else {
            return;
        };
        let newest = list.last().map(|(_, at, _)| *at);
        if newest.is_none_or(|at| now.duration_since(at) >= LIFETIME)
            && let Some((_, list)) = self.torrents.pop_lru()
        {
            self.total = self.total.saturating_sub(list.len());
        }
    }

    /// Hashes stored.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.torrents.len()
    }

    /// Peers stored, of all hashes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether nothing is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

#[cfg(test)]
mod tests;
