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

mod anchors;
mod bucket;
mod near;
mod rebuild;
mod schedule;
mod seat;
mod witness;

pub use anchors::MAX_ANCHORS;
use bucket::Bucket;
use schedule::Place;
pub use schedule::Urgency;
use seat::{Moment, Proof, QUIET, Seat};

/// Capacities of the first buckets; deeper ones hold the last. Every lookup starts in the first
/// ones, so more contacts there save a hop (libtorrent does the same).
pub const CAPACITIES: [usize; 5] = [128, 64, 32, 16, 8];
/// Verified contacts that wait for a place in a full bucket.
pub const MAX_REPLACEMENTS: usize = 8;
/// A contact that was silent for this long is questionable (BEP 5: 15 minutes).
pub const QUESTIONABLE_AFTER: Duration = Duration::from_secs(15 * 60);
/// Contacts closest to us that are looked after best: twice what a lookup converges on.
pub const NEAR: usize = 16;
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
    /// When it first answered, to a sixteenth of a second.
    pub since: Instant,
    /// When it last answered or asked, to a sixteenth of a second.
    pub heard: Instant,
    /// About the shortest of its round trips; at most 16 s.
    pub rtt: Duration,
    /// Questions unanswered since its last answer.
    pub failures: u8,
}

impl Entry {
    /// See `Health`.
    #[must_use]
    pub fn health(&self, now: Instant) -> Health {
        health(self.failures, now.saturating_duration_since(self.heard))
    }
}

fn health(failures: u8, silent: Duration) -> Health {
    if failures >= MAX_FAILURES {
        Health::Bad
    } else if failures > 0 || silent >= QUESTIONABLE_AFTER {
        Health::Questionable
    } else {
        Health::Good
    }
}

/// What became of a contact that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is new in the table.
    Added,
    /// It was there already.
    Refreshed,
    /// It took the place of a bad contact, or of one that it outdoes.
    Replaced(Contact),
    /// No room, but this contact of the bucket is overdue: ping it. The new one waits.
    Challenge(Contact),
    /// No room; the new one waits.
    Full,
    /// Our own id, or an address already taken by another contact that is fine.
    Refused,
}

/// A contact to ask, and whether that can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// When it wants to be asked; in the past if it is overdue.
    pub due: Instant,
    /// How pressing that is.
    pub urgency: Urgency,
    /// Whom.
    pub contact: Contact,
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

    /// Whether verifying `contact` would be worth a ping: it is unknown, its address is free or that of
    /// a node that had another id (a restart, BEP 42), and its bucket has room.
    #[must_use]
    pub fn wants(&self, now: Instant, contact: &Contact, address: Address) -> bool {
        let bits = self.own.shared_bits(&contact.id);
        let now = Moment::of(self.birth, now);
        // The cheap question first: most buckets are full, and every query comes here.
        let room = self.buckets.get(bits).is_none_or(|bucket| {
            bucket.entries.len() < capacity(bits)
                || bucket
                    .entries
                    .iter()
                    .any(|seat| seat.health(now) == Health::Bad)
        });
        bits < ID_BITS && room && self.rival(contact, address).is_none()
    }

    /// Who has the id of `contact` or, at another endpoint, its address.
    fn rival(&self, contact: &Contact, address: Address) -> Option<Contact> {
        self.seats()
            .find(|seat| seat.contact.id == contact.id || seat.clashes(contact, address))
            .map(|seat| seat.contact)
    }

    /// Whether id, endpoint or address of `contact` are in the table already.
    fn is_taken(&self, contact: &Contact, address: Address) -> bool {
        self.rival(contact, address).is_some()
            || self
                .seats()
                .any(|seat| seat.contact.endpoint == contact.endpoint)
    }

    /// Whether exactly this contact is in the table.
    #[must_use]
    pub fn knows(&self, contact: &Contact) -> bool {
        self.bucket_of(&contact.id)
            .is_some_and(|bucket| bucket.entries.iter().any(|seat| seat.contact == *contact))
    }

    /// The last round trip of exactly this contact, if it is in the table.
    #[must_use]
    pub fn rtt(&self, contact: &Contact) -> Option<Duration> {
        let seats = &self.bucket_of(&contact.id)?.entries;
        let seat = seats.iter().find(|seat| seat.contact == *contact)?;
        Some(seat.rtt())
    }

    /// `contact` answered a query of ours after `rtt`.
    pub fn verified(
        &mut self,
        now: Instant,
        contact: Contact,
        rtt: Duration,
        address: Address,
    ) -> Verdict {
        let seat = Seat::new(contact, Moment::of(self.birth, now), rtt, address);
        let bits = self.own.shared_bits(&contact.id);
        if bits >= ID_BITS {
            return Verdict::Refused;
        }
        if self.knows(&contact) {
            return self.meet_again(contact, seat);
        }
        // Another id at a known endpoint: the node there was restarted, or lies. Either way what we
        // believed is wrong.
        self.drop_where(|seat| {
            seat.contact.endpoint == contact.endpoint && seat.contact.id != contact.id
        });
        if let Some(known) = self.rival(&contact, address) {
            return self.meet_again(known, seat);
        }
        self.place(seat)
    }

    /// Puts in a contact whose id and address are new.
    fn place(&mut self, seat: Seat) -> Verdict {
        let bits = self.own.shared_bits(&seat.contact.id);
        if self.buckets.len() <= bits {
            self.buckets.reserve_exact(bits + 1 - self.buckets.len());
            self.buckets.resize_with(bits + 1, Bucket::default);
        }
        let contact = seat.contact;
        let Some(bucket) = self.buckets.get_mut(bits) else {
            return Verdict::Refused;
        };
        let verdict = bucket.insert(seat, capacity(bits));
        self.spread();
        match verdict {
            Verdict::Added if !self.knows(&contact) => Verdict::Full,
            verdict => verdict,
        }
    }

    /// The sitter of `seat` answered and shares its id or its address with `known`.
    fn meet_again(&mut self, known: Contact, seat: Seat) -> Verdict {
        let Some(bucket) = self.bucket_of_mut(&known.id) else {
            return Verdict::Refused;
        };
        let Some(old) = bucket.entries.iter_mut().find(|old| old.contact == known) else {
            return Verdict::Refused;
        };
        let now = seat.heard;
        if known == seat.contact {
            old.meet(&seat);
            return Verdict::Refreshed;
        }
        // Threat: an id or an address is not taken over from a contact that still answers.
        match old.health(now) {
            Health::Good => Verdict::Refused,
            Health::Questionable => Verdict::Challenge(known),
            Health::Bad => {
                bucket.entries.retain(|old| old.contact != known);
                if self.is_taken(&seat.contact, seat.address()) {
                    return Verdict::Refused;
                }
                match self.place(seat) {
                    Verdict::Added => Verdict::Replaced(known),
                    other => other,
                }
            }
        }
    }

    /// A contact asked us something: it is alive. Whether others reach it is another question.
    pub fn heard(&mut self, now: Instant, contact: &Contact) {
        let now = Moment::of(self.birth, now);
        let found = self.bucket_of_mut(&contact.id).and_then(|bucket| {
            bucket
                .entries
                .iter_mut()
                .find(|seat| seat.contact == *contact)
        });
        if let Some(seat) = found {
            seat.heard = now;
        }
    }

    /// `contact` did not answer. If it is bad now and another waits, that one takes its place.
    pub fn failed(&mut self, now: Instant, contact: &Contact) {
        let now = Moment::of(self.birth, now);
        let Some(bucket) = self.bucket_of_mut(&contact.id) else {
            return;
        };
        bucket
            .replacements
            .retain(|waiting| waiting.contact != *contact);
        let Some(index) = bucket
            .entries
            .iter()
            .position(|seat| seat.contact == *contact)
        else {
            return;
        };
        let Some(seat) = bucket.entries.get_mut(index) else {
            return;
        };
        seat.failures = seat.failures.saturating_add(1);
        seat.asked = now;
        // With nobody waiting a bad contact stays for a while: the fault may be our own line. One
        // that only ever answered while a hole in its NAT may have been open does not.
        let hole = seat.proof() == Proof::Fresh && now.since(seat.heard) >= QUIET;
        let given_up = seat.failures >= 2 * MAX_FAILURES || hole;
        if seat.failures < MAX_FAILURES || (!given_up && bucket.replacements.is_empty()) {
            return;
        }
        bucket.entries.remove(index);
        self.promote(&contact.id);
        self.spread();
    }

    /// Gives a free place in the bucket of `id` to the best that waits there, unless its address was
    /// taken meanwhile.
    fn promote(&mut self, id: &Id) {
        while let Some(waiting) = self.bucket_of_mut(id).and_then(Bucket::best_waiting) {
            if self.is_taken(&waiting.contact, waiting.address()) {
                continue;
            }
            if let Some(bucket) = self.bucket_of_mut(id) {
                bucket.entries.push(waiting);
            }
            return;
        }
    }

    /// The node at `contact.endpoint` turned out to be someone else.
    pub fn evict(&mut self, contact: &Contact) {
        self.drop_where(|seat| seat.contact == *contact);
    }

    /// The `count` contacts closest to `target` that are not bad, closest first.
    ///
    /// Bucket by bucket, and no further than needed: with `b` bits in common between us and the
    /// target, bucket `b` is closer to it than the deeper ones, and those than `b - 1`, `b - 2`, ….
    #[must_use]
    pub fn closest(&self, now: Instant, target: &Id, count: usize) -> Vec<Contact> {
        let now = Moment::of(self.birth, now);
        let split = self.own.shared_bits(target).min(self.buckets.len());
        let (near, deep) = self.buckets.split_at(split);
        let (at, deeper) = deep.split_at(deep.len().min(1));
        let mut found = Vec::with_capacity(count);
        collect(now, target, count, at, &mut found);
        if found.len() < count {
            collect(now, target, count, deeper, &mut found);
        }
        for bucket in near.rchunks(1) {
            if found.len() >= count {
                break;
            }
            collect(now, target, count, bucket, &mut found);
        }
        found
    }

    /// Whether there is a contact that is not bad.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.seats().any(|seat| seat.failures < MAX_FAILURES)
    }

    /// Whom to ask next, and when: of those overdue the most pressing, else the first that will be.
    /// `None`: there is nobody.
    #[must_use]
    pub fn next_check(&self, now: Instant) -> Option<Check> {
        let moment = Moment::of(self.birth, now);
        let near = self.bucket_of_nearest(NEAR);
        let places = self.buckets.iter().enumerate().flat_map(|(bits, bucket)| {
            let place = if bits >= near {
                Place::Near
            } else {
                Place::Far
            };
            bucket.entries.iter().map(move |seat| (seat, place))
        });
        let checks = places.map(|(seat, place)| {
            let (due, urgency) = schedule::due(seat, place);
            (due.max(moment), urgency, place, due, seat.contact)
        });
        let (_, urgency, _, due, contact) = checks.min()?;
        Some(Check {
            due: due.instant(self.birth),
            urgency,
            contact,
        })
    }

    /// `contact` is being asked by the upkeep. Returns what to ask it for, if its part of the table
    /// is poor and nobody there was asked for `pause`: an id of its bucket, or ours.
    pub fn asking(
        &mut self,
        now: Instant,
        contact: &Contact,
        pause: Duration,
        rng: &mut impl Rng,
    ) -> Option<Id> {
        let now = Moment::of(self.birth, now);
        let (own, near) = (self.own, self.bucket_of_nearest(NEAR));
        let bits = own.shared_bits(&contact.id);
        let bucket = self.buckets.get_mut(bits)?;
        let seat = bucket
            .entries
            .iter_mut()
            .find(|seat| seat.contact == *contact);
        if let Some(seat) = seat {
            seat.asked = now;
        }
        let room = bits >= near || bucket.entries.len() < capacity(bits);
        // All near buckets are one place.
        let place = self.buckets.get_mut(bits.min(near))?;
        let rested = place.sought.is_none_or(|last| now.since(last) >= pause);
        if !room || !rested {
            return None;
        }
        place.sought = Some(now);
        Some(if bits >= near {
            own
        } else {
            own.sharing(bits, rng)
        })
    }

    /// All contacts, by bucket: index = leading bits shared with our id.
    pub fn buckets(&self) -> impl Iterator<Item = Vec<Entry>> {
        self.buckets.iter().map(|bucket| {
            let seats = bucket.entries.iter();
            seats.map(|seat| seat.entry(self.birth)).collect()
        })
    }

    /// All contacts.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.seats().map(|seat| seat.entry(self.birth))
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

    fn seats(&self) -> impl Iterator<Item = &Seat> + Clone {
        self.buckets.iter().flat_map(|bucket| &bucket.entries)
    }

    fn bucket_of(&self, id: &Id) -> Option<&Bucket> {
        self.buckets.get(self.own.shared_bits(id))
    }

    fn bucket_of_mut(&mut self, id: &Id) -> Option<&mut Bucket> {
        self.buckets.get_mut(self.own.shared_bits(id))
    }

    fn drop_where(&mut self, mut wrong: impl FnMut(&Seat) -> bool) {
        for bucket in &mut self.buckets {
            bucket.entries.retain(|seat| !wrong(seat));
            bucket.replacements.retain(|seat| !wrong(seat));
        }
    }
}

/// Appends those of `buckets` that are closest to `target` and not bad, up to `count` in all.
fn collect(now: Moment, target: &Id, count: usize, buckets: &[Bucket], found: &mut Vec<Contact>) {
    let room = count - found.len();
    // The best so far, sorted by the first bytes of their distance; most candidates are no better
    // than the last of them and cost one comparison.
    let mut best: Vec<(u64, &Contact)> = Vec::with_capacity(room + 1);
    for seat in buckets.iter().flat_map(|bucket| &bucket.entries) {
        let start = seat.contact.id.start_of_distance(target);
        if best.len() == room && best.last().is_some_and(|(worst, _)| *worst < start) {
            continue;
        }
        if seat.health(now) == Health::Bad {
            continue;
        }
        let distance = seat.contact.id.distance(target);
        let place = best.partition_point(|(other, contact)| {
            *other < start || (*other == start && contact.id.distance(target) < distance)
        });
        best.insert(place, (start, &seat.contact));
        best.truncate(room);
    }
    found.extend(best.into_iter().map(|(_, contact)| *contact));
}

#[cfg(test)]
mod tests;
