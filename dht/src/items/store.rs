//! Items that others gave us to keep (BEP 44 "Mutable Items", "CAS", "Expiration").
//!
//! Invariant: at most `MAX_ITEMS` items of `MAX_BYTES` of values, at most `MAX_SHARE` of one network; none
//! older than `LIFETIME` is handed out. When it is full, what is farthest from our id goes first: that
//! is looked for elsewhere. Items are verified before they come here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::Item;
use crate::id::Id;

/// Items stored (libtorrent's default).
pub const MAX_ITEMS: usize = 700;
/// Bytes of all values together.
pub const MAX_BYTES: usize = 512 * 1024;
/// Items of one network of public addresses: a tenth.
pub const MAX_SHARE: usize = MAX_ITEMS / 10;
/// How long an item lives without being put again (BEP 44 "Expiration").
pub const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60);

/// Why an item is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Error 301: the stored sequence number is not the one that `cas` names.
    Mismatch,
    /// Error 302: what is stored is newer, or as new and different.
    Outdated,
    /// No room for a target as far away as this one.
    Full,
}

#[derive(Clone, Debug)]
struct Stored {
    item: Item,
    put: Instant,
    /// The network it came from; `None` for private ones.
    from: Option<IpAddr>,
}

/// The store.
#[derive(Debug, Default)]
pub struct Items {
    stored: BTreeMap<Id, Stored>,
    bytes: usize,
}

impl Items {
    /// What lives at `target`.
    #[must_use]
    pub fn find(&self, now: Instant, target: &Id) -> Option<&Item> {
        let stored = self.stored.get(target)?;
        (now.saturating_duration_since(stored.put) < LIFETIME).then_some(&stored.item)
    }

    /// Stores a verified item that came from the network `from` (`None`: a private one, not
    /// limited); `own` is our id.
    ///
    /// # Errors
    /// `Refusal`; the store is then as before.
    pub fn put(
        &mut self,
        now: Instant,
        own: &Id,
        (item, cas): (Item, Option<i64>),
        from: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        self.expire(now);
        let target = item.target();
        if let Some(current) = self.find(now, &target) {
            replaces(current, &item, cas)?;
        }
        let put = now;
        let from = match self.stored.get(&target) {
            // Whoever keeps an item alive does not pay for it.
            Some(stored) => stored.from,
            None => {
                self.make_room(own, &target, (item.value().len(), from))?;
                from
            }
        };
        self.bytes += item.value().len();
        if let Some(old) = self.stored.insert(target, Stored { item, put, from }) {
            self.bytes -= old.item.value().len();
        }
        // A replacement may be longer than what it replaces.
        while self.bytes > MAX_BYTES {
            let Some(victim) = self.farthest(own, |_| true) else {
                break;
            };
            self.remove(&victim);
        }
        Ok(())
    }

    /// Whether an item at `target` from the network `from` would find room: whoever cannot store
    /// needs no token.
    #[must_use]
    pub fn has_room(&self, own: &Id, target: &Id, from: Option<IpAddr>) -> bool {
        let full = self.stored.len() >= MAX_ITEMS || self.bytes + super::MAX_VALUE > MAX_BYTES;
        if self.stored.contains_key(target) {
            return true;
        }
        let nearer = |victim: Option<Id>| {
            victim.is_some_and(|victim| own.distance(target) < own.distance(&victim))
        };
        if self.share_is_used(from) {
            return nearer(self.farthest(own, |stored| stored.from == from));
        }
        !full || nearer(self.farthest(own, |_| true))
    }

    fn share_is_used(&self, from: Option<IpAddr>) -> bool {
        let same = |stored: &&Stored| stored.from == from;
        from.is_some() && self.stored.values().filter(same).count() >= MAX_SHARE
    }

    /// Removes what a new item at `target` displaces.
    fn make_room(
        &mut self,
        own: &Id,
        target: &Id,
        (length, from): (usize, Option<IpAddr>),
    ) -> Result<(), Refusal> {
        let mut victims = Vec::new();
        let mut room = |victim: Option<Id>| {
            let victim = victim.ok_or(Refusal::Full)?;
            if own.distance(&victim) <= own.distance(target) {
                return Err(Refusal::Full);
            }
            victims.push(victim);
            Ok(())
        };
        // Threat: one network that puts a thousand items displaces its own, not those of others.
        if self.share_is_used(from) {
            room(self.farthest(own, |stored| stored.from == from))?;
        } else if self.stored.len() >= MAX_ITEMS || self.bytes + length > MAX_BYTES {
            room(self.farthest(own, |_| true))?;
        }
        victims.iter().for_each(|victim| self.remove(victim));
        Ok(())
    }

    fn farthest(&self, own: &Id, among: impl Fn(&Stored) -> bool) -> Option<Id> {
        self.stored
            .iter()
            .filter(|(_, stored)| among(stored))
            .map(|(target, _)| *target)
            .max_by_key(|target| own.distance(target))
    }

    fn remove(&mut self, target: &Id) {
        if let Some(old) = self.stored.remove(target) {
            self.bytes -= old.item.value().len();
        }
    }

    /// Forgets what is too old.
    pub fn expire(&mut self, now: Instant) {
        let bytes = &mut self.bytes;
        self.stored.retain(|_, stored| {
            let lives = now.saturating_duration_since(stored.put) < LIFETIME;
            if !lives {
                *bytes -= stored.item.value().len();
            }
            lives
        });
    }

    /// Items stored.
    #[must_use]
    pub fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether nothing is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }

    /// Bytes of all values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// BEP 44's rules for what replaces what.
fn replaces(current: &Item, new: &Item, cas: Option<i64>) -> Result<(), Refusal> {
    match (current, new) {
        (Item::Mutable { seq: stored, .. }, Item::Mutable { seq, .. }) => {
            if cas.is_some_and(|expected| expected != *stored) {
                return Err(Refusal::Mismatch);
            }
            let same = seq == stored && current.value() == new.value();
            if seq > stored || same {
                Ok(())
            } else {
                Err(Refusal::Outdated)
            }
        }
        (Item::Immutable { .. }, Item::Immutable { .. }) => Ok(()),
        // A key and salt that are themselves a bencoded value: whoever came first stays.
        (Item::Immutable { .. }, Item::Mutable { .. })
        | (Item::Mutable { .. }, Item::Immutable { .. }) => Err(Refusal::Outdated),
    }
}

#[cfg(test)]
mod tests;
