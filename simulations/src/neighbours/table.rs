//! Whom a neighbour knows: one packed list, sorted by distance to the own id (dht.md §1b).
//!
//! Invariant: a bucket is the entries that share so many bits with the own id and holds at most
//! its capacity; no endpoint is in twice. Seconds are counted since the neighbour's birth. Knows
//! no messages and asks nobody.

use std::net::Ipv4Addr;

use dht::{Contact, Distance, Endpoint, Id};

use super::policy::{Policy, Spread};

/// How sure it is that a contact is where it is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It answered a question of ours.
    Answered,
    /// It sent something, from what may be a forged address.
    Seen,
}

/// A contact in 36 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    id: Id,
    ip: [u8; 4],
    port: u16,
    failures: u8,
    proof: Proof,
    heard: u32,
    asked: u32,
}

impl Entry {
    pub(super) fn contact(&self) -> Contact {
        Contact {
            id: self.id,
            endpoint: Endpoint::new(Ipv4Addr::from(self.ip).into(), self.port),
        }
    }

    fn lives_at(&self, at: ([u8; 4], u16)) -> bool {
        (self.ip, self.port) == at
    }

    /// When it is to be probed: after silence, or a while after a probe that failed.
    fn due(&self, silent: u32) -> u32 {
        if silent == 0 {
            return self.asked;
        }
        let again = self.asked.saturating_add(60 << self.failures.min(5));
        match self.proof {
            Proof::Answered => again.max(self.heard.saturating_add(silent)),
            Proof::Seen if self.asked == 0 => 0,
            Proof::Seen => again,
        }
    }
}

/// The address and port of an IPv4 endpoint.
pub(super) fn packed(endpoint: Endpoint) -> Option<([u8; 4], u16)> {
    match endpoint.ip {
        std::net::IpAddr::V4(ip) => Some((ip.octets(), endpoint.port)),
        std::net::IpAddr::V6(_) => None,
    }
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    own: Id,
    policy: &'static Policy,
    entries: Vec<Entry>,
}

impl Table {
    pub(super) fn new(own: Id, policy: &'static Policy) -> Table {
        Table {
            own,
            policy,
            entries: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that the entries take.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    pub(super) fn contacts(&self) -> impl Iterator<Item = Contact> + use<'_> {
        self.entries.iter().map(Entry::contact)
    }

    /// Bits that the nearest entry shares with the own id.
    pub(super) fn depth(&self) -> usize {
        self.entries
            .first()
            .map_or(0, |entry| entry.id.shared_bits(&self.own))
    }

    /// Whether `id`'s bucket has room.
    pub(super) fn has_room(&self, id: &Id) -> bool {
        let bits = id.shared_bits(&self.own);
        self.bucket(bits).len() < self.capacity(bits)
    }

    pub(super) fn knows(&self, endpoint: Endpoint) -> bool {
        self.position(endpoint).is_some()
    }

    fn capacity(&self, bits: usize) -> usize {
        let capacities = self.policy.capacities;
        let capacity = capacities.get(bits).or(capacities.last());
        capacity.copied().unwrap_or(self.policy.k)
    }

    /// Where the entries are that share exactly so many bits.
    fn bucket(&self, bits: usize) -> std::ops::Range<usize> {
        let shared = |entry: &Entry| entry.id.shared_bits(&self.own);
        let start = self.entries.partition_point(|entry| shared(entry) > bits);
        let end = self.entries.partition_point(|entry| shared(entry) >= bits);
        start..end
    }

    fn position(&self, endpoint: Endpoint) -> Option<usize> {
        let at = packed(endpoint)?;
        self.entries.iter().position(|entry| entry.lives_at(at))
    }

    /// Something came from `contact` at second `now`.
    pub(super) fn heard(&mut self, contact: Contact, proof: Proof, now: u32) {
        if contact.id == self.own {
            return;
        }
        match self.position(contact.endpoint) {
            Some(at) => self.heard_again(at, contact.id, proof, now),
            None => self.insert(contact, proof, now),
        }
    }

    fn heard_again(&mut self, at: usize, id: Id, proof: Proof, now: u32) {
        let Some(entry) = self.entries.get_mut(at) else {
            return;
        };
        if entry.id != id {
            // Another node lives there now; it may come in when it is heard of again. But a mere
            // query, whose id may be random, does not drive out who has answered.
            if proof == Proof::Answered || entry.proof == Proof::Seen {
                self.entries.remove(at);
            }
            return;
        }
        entry.heard = now;
        if proof == Proof::Answered {
            entry.proof = proof;
            entry.failures = 0;
        }
    }

    fn insert(&mut self, contact: Contact, proof: Proof, now: u32) {
        let Some((ip, port)) = packed(contact.endpoint) else {
            return;
        };
        let bits = contact.id.shared_bits(&self.own);
        let bucket = self.bucket(bits);
        let in_bucket = self.entries.get(bucket.clone()).unwrap_or_default();
        let taken = match self.policy.spread {
            Spread::Endpoint => false,
            Spread::Ip => self.entries.iter().any(|entry| entry.ip == ip),
            Spread::Subnet => {
                self.entries.iter().any(|entry| entry.ip == ip)
                    || in_bucket.iter().any(|entry| entry.ip[..3] == ip[..3])
            }
        };
        let same_id = in_bucket.iter().any(|entry| entry.id == contact.id);
        if taken || same_id {
            return;
        }
        if bucket.len() >= self.capacity(bits) {
            let gives_way = |entry: &&Entry| {
                entry.failures >= self.policy.replaced_at
                    || (proof == Proof::Answered && entry.proof == Proof::Seen)
            };
            let worst = in_bucket
                .iter()
                .filter(gives_way)
                .max_by_key(|entry| entry.failures)
                .map(|entry| entry.id);
            let Some(worst) = worst else { return };
            self.entries.retain(|entry| entry.id != worst);
        }
        let distance = self.own.distance(&contact.id);
        let at = self
            .entries
            .partition_point(|entry| self.own.distance(&entry.id) < distance);
        if self.entries.len() == self.entries.capacity() {
            // Doubling would waste half of what 100,000 tables hold.
            self.entries.reserve_exact(16);
        }
        let entry = Entry {
            id: contact.id,
            ip,
            port,
            failures: 0,
            proof,
            heard: now,
            asked: if proof == Proof::Answered { now } else { 0 },
        };
        self.entries.insert(at, entry);
    }

    /// A question goes to `endpoint`.
    pub(super) fn asked(&mut self, endpoint: Endpoint, now: u32) {
        if let Some(at) = self.position(endpoint)
            && let Some(entry) = self.entries.get_mut(at)
        {
            entry.asked = now.max(1);
        }
    }

    /// A question to `endpoint` was not answered.
    pub(super) fn failed(&mut self, endpoint: Endpoint) {
        let Some(at) = self.position(endpoint) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(at) else {
            return;
        };
        entry.failures = entry.failures.saturating_add(1);
        if entry.failures >= self.policy.evicted_at {
            self.entries.remove(at);
        }
    }

    /// At most `limit` contacts worth handing out, closest to `target` first.
    pub(super) fn closest(&self, target: &Id, limit: usize) -> Vec<Contact> {
        self.nearest(target, limit, |entry| {
            entry.proof == Proof::Answered && entry.failures < self.policy.handed_below
        })
    }

    /// At most `limit` contacts to begin a lookup with, closest first.
    pub(super) fn seeds(&self, target: &Id, limit: usize) -> Vec<Contact> {
        self.nearest(target, limit, |entry| {
            entry.failures < self.policy.handed_below.max(self.policy.replaced_at)
        })
    }

    fn nearest(&self, target: &Id, limit: usize, good: impl Fn(&Entry) -> bool) -> Vec<Contact> {
        let mut best: Vec<(Distance, &Entry)> = Vec::with_capacity(limit + 1);
        for entry in self.entries.iter().filter(|entry| good(entry)) {
            let distance = target.distance(&entry.id);
            if best.len() == limit && best.last().is_some_and(|(last, _)| *last <= distance) {
                continue;
            }
            let at = best.partition_point(|(other, _)| *other < distance);
            best.insert(at, (distance, entry));
            best.truncate(limit);
        }
        best.iter().map(|(_, entry)| entry.contact()).collect()
    }

    /// Whom to probe at second `now`: the one that is due for longest, of equals the nearest.
    pub(super) fn stalest(&self, silent: u32, now: u32) -> Option<Contact> {
        self.entries
            .iter()
            .filter(|entry| entry.due(silent) <= now)
            .min_by_key(|entry| entry.due(silent))
            .map(Entry::contact)
    }
}
