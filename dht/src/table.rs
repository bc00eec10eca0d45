//! The routing table of one address family (BEP 5 "Routing Table").
//!
//! Bucket `i` holds the contacts that share exactly `i` leading bits with our id. BEP 5 splits only
//! the bucket around the own id, so its leaves are these lists with the deepest ones still merged:
//! splitting need not exist. Invariants: only contacts that answered a query of *ours*; an id, and
//! an endpoint, at most once; one contact an IP address unless it may be `Shared`; no bucket above its
//! capacity. The table never sends: it says what it would like, the node acts.

use std::time::{Duration, Instant};

use rand::Rng;

use crate::contact::{Address, Contact};
use crate::id::{ID_BITS, Id};

/// Capacities of the first buckets; deeper ones hold the last. Every lookup starts in the first
/// ones, so more contacts there save a hop (libtorrent does the same).
pub const CAPACITIES: [usize; 5] = [128, 64, 32, 16, 8];
/// Verified contacts that wait for a place in a full bucket.
pub const MAX_REPLACEMENTS: usize = 8;
/// A contact that was silent for this long is questionable (BEP 5: 15 minutes).
pub const QUESTIONABLE_AFTER: Duration = Duration::from_secs(15 * 60);
/// Timeouts in a row that make a contact bad.
pub const MAX_FAILURES: u8 = 2;

/// BEP 5's three states of a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Answered, or asked us something, within 15 minutes.
    Good,
    /// Silent for longer, or missed one answer.
    Questionable,
    /// Missed `MAX_FAILURES` answers in a row.
    Bad,
}

/// What the table knows about a contact: facts, from which `health` is derived.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Who and where.
    pub contact: Contact,
    /// When it first answered.
    pub since: Instant,
    /// When it last answered or asked.
    pub heard: Instant,
    /// Its last round-trip time.
    pub rtt: Duration,
    /// Questions unanswered since its last answer.
    pub failures: u8,
    address: Address,
}

impl Entry {
    /// See `Health`.
    #[must_use]
    pub fn health(&self, now: Instant) -> Health {
        if self.failures >= MAX_FAILURES {
            Health::Bad
        } else if self.failures > 0
            || now.saturating_duration_since(self.heard) >= QUESTIONABLE_AFTER
        {
            Health::Questionable
        } else {
            Health::Good
        }
    }
}

/// What became of a contact that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is new in the table.
    Added,
    /// It was there already.
    Refreshed,
    /// It took the place of a bad contact.
    Replaced(Contact),
    /// No room, but this contact of the bucket is questionable: ping it. The new one waits.
    Challenge(Contact),
    /// No room; the new one waits.
    Full,
    /// Our own id, or an address already taken by another contact that is fine.
    Refused,
}

#[derive(Clone, Debug)]
struct Bucket {
    entries: Vec<Entry>,
    /// Newest last.
    replacements: Vec<Entry>,
    /// When the bucket last got an answer or was refreshed.
    changed: Instant,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Table {
    own: Id,
    birth: Instant,
    /// Grows on demand; index = shared leading bits.
    buckets: Vec<Bucket>,
}

fn capacity(bits: usize) -> usize {
    let [.., last] = CAPACITIES;
    CAPACITIES.get(bits).copied().unwrap_or(last)
}

impl Table {
    /// An empty table around the id `own`.
    #[must_use]
    pub fn new(own: Id, now: Instant) -> Table {
        Table {
            own,
            birth: now,
            buckets: Vec::new(),
        }
    }

    /// Whether verifying `contact` would be worth a ping: it is unknown, its address is free, and
    /// its bucket has room.
    #[must_use]
    pub fn wants(&self, now: Instant, contact: &Contact, address: Address) -> bool {
        let bits = self.own.shared_bits(&contact.id);
        let taken = self.entries().any(|entry| {
            entry.contact.endpoint == contact.endpoint
                || entry.contact.id == contact.id
                || clashes(entry, contact, address)
        });
        let room = self.buckets.get(bits).is_none_or(|bucket| {
            bucket.entries.len() < capacity(bits)
                || bucket
                    .entries
                    .iter()
                    .any(|entry| entry.health(now) == Health::Bad)
        });
        bits < ID_BITS && !taken && room
    }

    /// `contact` answered a query of ours after `rtt`.
    pub fn verified(
        &mut self,
        now: Instant,
        contact: Contact,
        rtt: Duration,
        address: Address,
    ) -> Verdict {
        let bits = self.own.shared_bits(&contact.id);
        if bits >= ID_BITS {
            return Verdict::Refused;
        }
        // Another id at a known endpoint: the node there was restarted, or lies. Either way what we
        // believed is wrong.
        self.drop_where(|entry| {
            entry.contact.endpoint == contact.endpoint && entry.contact.id != contact.id
        });
        let entry = Entry {
            contact,
            since: now,
            heard: now,
            rtt,
            failures: 0,
            address,
        };
        let clash = self
            .entries()
            .find(|entry| entry.contact.id == contact.id || clashes(entry, &contact, address));
        if let Some(known) = clash.map(|entry| entry.contact) {
            return self.meet_again(now, known, entry);
        }
        while self.buckets.len() <= bits {
            let empty = Bucket {
                entries: Vec::new(),
                replacements: Vec::new(),
                changed: now,
            };
            self.buckets.push(empty);
        }
        match self.buckets.get_mut(bits) {
            Some(bucket) => bucket.insert(now, entry, capacity(bits)),
            None => Verdict::Refused,
        }
    }

    /// `entry` answered and shares its id or its address with `known`.
    fn meet_again(&mut self, now: Instant, known: Contact, entry: Entry) -> Verdict {
        let bits = self.own.shared_bits(&known.id);
        let Some(bucket) = self.buckets.get_mut(bits) else {
            return Verdict::Refused;
        };
        let Some(old) = bucket.entries.iter_mut().find(|old| old.contact == known) else {
            return Verdict::Refused;
        };
        if known == entry.contact {
            let since = old.since;
            *old = Entry { since, ..entry };
            bucket.changed = now;
            return Verdict::Refreshed;
        }
        // Threat: an id or an address is not taken over from a contact that still answers.
        match old.health(now) {
            Health::Good => Verdict::Refused,
            Health::Questionable => Verdict::Challenge(known),
            Health::Bad => {
                bucket.entries.retain(|old| old.contact != known);
                match self.verified(now, entry.contact, entry.rtt, entry.address) {
                    Verdict::Added => Verdict::Replaced(known),
                    other => other,
                }
            }
        }
    }

    /// A contact asked us something: it is alive.
    pub fn heard(&mut self, now: Instant, contact: &Contact) {
        let found = self.entries_mut().find(|entry| entry.contact == *contact);
        if let Some(entry) = found {
            entry.heard = now;
        }
    }

    /// `contact` did not answer. If it is bad now and another waits, that one takes its place.
    pub fn failed(&mut self, contact: &Contact) {
        let bits = self.own.shared_bits(&contact.id);
        let Some(bucket) = self.buckets.get_mut(bits) else {
            return;
        };
        bucket
            .replacements
            .retain(|waiting| waiting.contact != *contact);
        let Some(index) = bucket
            .entries
            .iter()
            .position(|entry| entry.contact == *contact)
        else {
            return;
        };
        let Some(entry) = bucket.entries.get_mut(index) else {
            return;
        };
        entry.failures = entry.failures.saturating_add(1);
        // With nobody waiting a bad contact stays for a while: the fault may be our own line.
        let given_up = entry.failures >= 2 * MAX_FAILURES;
        if entry.failures >= MAX_FAILURES && (given_up || !bucket.replacements.is_empty()) {
            bucket.entries.remove(index);
            bucket.entries.extend(bucket.replacements.pop());
        }
    }

    /// The node at `contact.endpoint` turned out to be someone else.
    pub fn evict(&mut self, contact: &Contact) {
        self.drop_where(|entry| entry.contact == *contact);
    }

    /// The `count` contacts closest to `target` that are not bad, closest first.
    #[must_use]
    pub fn closest(&self, now: Instant, target: &Id, count: usize) -> Vec<Contact> {
        let mut found: Vec<Contact> = self
            .entries()
            .filter(|entry| entry.health(now) != Health::Bad)
            .map(|entry| entry.contact)
            .collect();
        if found.len() > count {
            found.select_nth_unstable_by_key(count, |contact| contact.id.distance(target));
            found.truncate(count);
        }
        found.sort_unstable_by_key(|contact| contact.id.distance(target));
        found
    }

    /// The contact that most needs a ping: one that missed an answer, else the longest silent.
    #[must_use]
    pub fn stalest(&self, now: Instant) -> Option<Contact> {
        self.entries()
            .filter(|entry| entry.health(now) != Health::Good)
            .min_by_key(|entry| (entry.failures == 0, entry.heard))
            .map(|entry| entry.contact)
    }

    /// The bucket that has been still for longest, if for longer than `QUESTIONABLE_AFTER`.
    #[must_use]
    pub fn stillest(&self, now: Instant) -> Option<usize> {
        let (bits, bucket) = self
            .buckets
            .iter()
            .enumerate()
            .min_by_key(|(_, bucket)| bucket.changed)?;
        let still = now.saturating_duration_since(bucket.changed);
        (still >= QUESTIONABLE_AFTER).then_some(bits)
    }

    /// A random target in bucket `bits`, which counts as refreshed from now on.
    pub fn refresh(&mut self, now: Instant, bits: usize, rng: &mut impl Rng) -> Id {
        if let Some(bucket) = self.buckets.get_mut(bits) {
            bucket.changed = now;
        }
        self.own.sharing(bits, rng)
    }

    /// All contacts, by bucket: index = leading bits shared with our id.
    pub fn buckets(&self) -> impl Iterator<Item = &[Entry]> {
        self.buckets.iter().map(|bucket| bucket.entries.as_slice())
    }

    /// All contacts.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.buckets.iter().flat_map(|bucket| &bucket.entries)
    }

    /// How many contacts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.entries.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.entries.is_empty())
    }

    /// When the table was made.
    #[must_use]
    pub fn birth(&self) -> Instant {
        self.birth
    }

    fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.buckets
            .iter_mut()
            .flat_map(|bucket| &mut bucket.entries)
    }

    fn drop_where(&mut self, mut wrong: impl FnMut(&Entry) -> bool) {
        for bucket in &mut self.buckets {
            bucket.entries.retain(|entry| !wrong(entry));
            bucket.replacements.retain(|entry| !wrong(entry));
        }
    }
}

/// Whether the two may not both be in the table.
fn clashes(entry: &Entry, contact: &Contact, address: Address) -> bool {
    entry.contact.endpoint.ip == contact.endpoint.ip
        && entry.contact.endpoint != contact.endpoint
        && (address == Address::Exclusive || entry.address == Address::Exclusive)
}

impl Bucket {
    /// Puts in an entry whose id and address are new.
    fn insert(&mut self, now: Instant, entry: Entry, capacity: usize) -> Verdict {
        self.replacements
            .retain(|waiting| waiting.contact != entry.contact);
        if self.entries.len() < capacity {
            self.entries.push(entry);
            self.changed = now;
            return Verdict::Added;
        }
        let bad = self
            .entries
            .iter_mut()
            .find(|old| old.health(now) == Health::Bad);
        if let Some(old) = bad {
            let gone = std::mem::replace(old, entry).contact;
            self.changed = now;
            return Verdict::Replaced(gone);
        }
        if self.replacements.len() >= MAX_REPLACEMENTS {
            self.replacements.remove(0);
        }
        self.replacements.push(entry);
        let doubted = self
            .entries
            .iter()
            .filter(|old| old.health(now) == Health::Questionable)
            .min_by_key(|old| old.heard);
        doubted.map_or(Verdict::Full, |old| Verdict::Challenge(old.contact))
    }
}

#[cfg(test)]
mod tests;
