//! What a neighbour stores for others, and how much it answers (dht.md §1c).
//!
//! Invariant: never more hashes and peers than the policy says, and `MAX_STORED` peers in all.
//! Seconds are counted since the neighbour's birth. Knows no messages.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use dht::{Endpoint, Id};
use rand::{Rng, RngExt};

use super::policy::{Full, Quota, Storage};
use super::table::packed;

/// Peers that one neighbour stores at most: 12 bytes each.
const MAX_STORED: usize = 50_000;

#[derive(Clone, Copy, Debug)]
struct Stored {
    ip: [u8; 4],
    port: u16,
    since: u32,
}

/// Announced peers. Each list is in order of the last announcement.
#[derive(Debug)]
pub(super) struct Store {
    rules: &'static Storage,
    torrents: BTreeMap<Id, Vec<Stored>>,
    total: usize,
}

impl Store {
    pub(super) fn new(rules: &'static Storage) -> Store {
        Store {
            rules,
            torrents: BTreeMap::new(),
            total: 0,
        }
    }

    /// Whether a token for `info_hash` would be worth something.
    pub(super) fn has_room(&self, info_hash: &Id) -> bool {
        let room = match self.torrents.get(info_hash) {
            Some(list) => list.len() < self.rules.peers,
            None => self.torrents.len() < self.rules.hashes,
        };
        self.rules.full == Full::Oldest || (room && self.total < MAX_STORED)
    }

    /// Stores a peer, by address: one that announces again replaces itself.
    pub(super) fn announced(&mut self, info_hash: Id, peer: Endpoint, now: u32) {
        let Some((ip, port)) = packed(peer) else {
            return;
        };
        if let Some(list) = self.torrents.get_mut(&info_hash) {
            let before = list.len();
            list.retain(|stored| stored.ip != ip);
            self.total -= before - list.len();
        }
        if !self.has_room(&info_hash) {
            return;
        }
        self.make_room(&info_hash);
        let list = self.torrents.entry(info_hash).or_default();
        list.push(Stored {
            ip,
            port,
            since: now,
        });
        self.total += 1;
    }

    /// Lets the oldest go where the next would be too many.
    fn make_room(&mut self, info_hash: &Id) {
        if let Some(list) = self.torrents.get_mut(info_hash)
            && list.len() >= self.rules.peers
        {
            list.remove(0);
            self.total -= 1;
        }
        let new = usize::from(!self.torrents.contains_key(info_hash));
        while self.total >= MAX_STORED || self.torrents.len() + new > self.rules.hashes {
            let latest = |list: &Vec<Stored>| list.last().map_or(0, |stored| stored.since);
            let oldest = self.torrents.iter().min_by_key(|(_, list)| latest(list));
            let Some(oldest) = oldest.map(|(id, _)| *id) else {
                return;
            };
            self.total -= self.torrents.remove(&oldest).map_or(0, |list| list.len());
        }
    }

    /// A random choice of the live peers of `info_hash`.
    pub(super) fn sample(&self, info_hash: &Id, now: u32, rng: &mut impl Rng) -> Vec<Endpoint> {
        let oldest = self.oldest(now);
        let list = self.torrents.get(info_hash).map(Vec::as_slice);
        let mut live: Vec<&Stored> = list
            .unwrap_or_default()
            .iter()
            .filter(|stored| stored.since >= oldest)
            .collect();
        let wanted = self.rules.values.min(live.len());
        for at in 0..wanted {
            let other = rng.random_range(at..live.len());
            live.swap(at, other);
        }
        live.truncate(wanted);
        live.iter()
            .map(|stored| Endpoint::new(Ipv4Addr::from(stored.ip).into(), stored.port))
            .collect()
    }

    fn oldest(&self, now: u32) -> u32 {
        let lifetime = u32::try_from(self.rules.lifetime.as_secs()).unwrap_or(u32::MAX);
        now.saturating_sub(lifetime)
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&mut self, now: u32) {
        let oldest = self.oldest(now);
        let mut total = 0;
        self.torrents.retain(|_, list| {
            list.retain(|stored| stored.since >= oldest);
            total += list.len();
            !list.is_empty()
        });
        self.total = total;
    }

    /// Hashes and peers.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.torrents.len(), self.total)
    }
}

/// How much may still be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    quota: Quota,
    /// In millionths of a byte or reply, so that each microsecond counts.
    left: u64,
    /// Since birth.
    at: Duration,
}

impl Allowance {
    pub(super) fn new(quota: Quota) -> Allowance {
        let burst = match quota {
            Quota::None => 0,
            Quota::Bytes(_, burst) | Quota::Replies(_, burst) => burst,
        };
        Allowance {
            quota,
            left: u64::from(burst) * 1_000_000,
            at: Duration::ZERO,
        }
    }

    /// Takes what a reply of so many bytes costs, if that is left; `age` is the time since birth.
    pub(super) fn take(&mut self, bytes: usize, age: Duration) -> bool {
        let (rate, burst, cost) = match self.quota {
            Quota::None => return true,
            Quota::Bytes(rate, burst) => (rate, burst, bytes as u64),
            Quota::Replies(rate, burst) => (rate, burst, 1),
        };
        let elapsed = age.saturating_sub(self.at);
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.at = age;
        self.left = self
            .left
            .saturating_add(micros.saturating_mul(u64::from(rate)))
            .min(u64::from(burst) * 1_000_000);
        let cost = cost.saturating_mul(1_000_000);
        if self.left < cost {
            return false;
        }
        self.left -= cost;
        true
    }
}
