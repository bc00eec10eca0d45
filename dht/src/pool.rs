//! The contact pool: nodes remembered beside the strict table, to begin lookups with.
//!
//! A table knows its own neighbourhood well and the rest of the key space hardly; each doubling of
//! what is known near a target saves a bit of distance (dht.md §3.1). So the pool divides the key space
//! evenly into cells by the leading bits of ids, and keeps the best few of each: those that answered,
//! then those that others named. It costs no datagram: everything in it passed by anyway.
//! Invariants: at most `PER_CELL` nodes a cell; in a cell one node an address and one a /24 (v6: /64)
//! of the open internet; nothing in it is ever handed out to others. Knows no messages.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

use crate::contact::{Address, Contact, Network};
use crate::id::Id;

/// Nodes of one cell.
pub const PER_CELL: usize = 8;
/// For so long a node that was only named is worth a question: after an hour half of them are gone
/// (dht.md §2.4).
pub const NAMED_FOR: Duration = Duration::from_secs(60 * 60);
/// For so long one that answered is.
pub const ANSWERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// A node that answered is kept before one that was named, unless it is silent for so much longer.
const LEAD: u32 = 2 * 60 * 60;

/// What speaks for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answered a question of ours, last in so many milliseconds.
    Answered {
        /// Its last round trip.
        millis: u16,
    },
    /// Another node named it.
    Named,
}

/// A node of the pool.
#[derive(Clone, Copy, Debug)]
pub struct Acquaintance {
    /// Who and where.
    pub contact: Contact,
    /// What speaks for it.
    pub standing: Standing,
    /// Whether others may live at its address.
    pub address: Address,
    /// Seconds between the pool's birth and when it was last heard, or heard of.
    heard: u32,
}

impl Acquaintance {
    /// The higher, the longer it is kept.
    fn worth(&self) -> u32 {
        match self.standing {
            Standing::Answered { .. } => self.heard.saturating_add(LEAD),
            Standing::Named => self.heard,
        }
    }

    fn is_current(&self, now: u32) -> bool {
        let limit = match self.standing {
            Standing::Answered { .. } => ANSWERED_FOR,
            Standing::Named => NAMED_FOR,
        };
        u64::from(now.saturating_sub(self.heard)) < limit.as_secs()
    }

    /// The same node again, or one that wants its place.
    fn meet(&mut self, new: Acquaintance) {
        let answered = |one: &Acquaintance| matches!(one.standing, Standing::Answered { .. });
        match (answered(self), answered(&new)) {
            // Hearsay changes nothing about somebody we know, and drives out nobody.
            (true, false) => {}
            (false, false) if self.contact == new.contact => self.heard = new.heard,
            (false, false) => {}
            (true, true) if self.contact != new.contact && self.is_current(new.heard) => {}
            (_, true) => *self = new,
        }
    }

    fn clashes(&self, contact: &Contact, address: Address) -> bool {
        let exclusive = address == Address::Exclusive && self.address == Address::Exclusive;
        self.contact.id == contact.id
            || self.contact.endpoint == contact.endpoint
            || (exclusive && Network::of(&self.contact) == Network::of(contact))
    }
}

/// The pool of one address family.
#[derive(Clone, Debug)]
pub struct Pool {
    birth: Instant,
    /// Leading bits of an id that name its cell.
    bits: u32,
    /// Empty until the first node comes.
    cells: Vec<Vec<Acquaintance>>,
    /// Cells once there is a node; 0: remember nobody.
    size: usize,
}

impl Pool {
    /// A pool for at most `capacity` nodes, rounded down to a power of two; below `PER_CELL` it keeps
    /// nobody.
    #[must_use]
    pub fn new(capacity: usize, now: Instant) -> Pool {
        let bits = (capacity / PER_CELL).checked_ilog2();
        Pool {
            birth: now,
            bits: bits.unwrap_or(0),
            cells: Vec::new(),
            size: bits.map_or(0, |bits| 1 << bits),
        }
    }

    /// `contact` answered a question of ours after `rtt`.
    pub fn answered(&mut self, now: Instant, contact: Contact, rtt: Duration, address: Address) {
        let millis = u16::try_from(rtt.as_millis()).unwrap_or(u16::MAX);
        let standing = Standing::Answered { millis };
        self.remember(now, contact, standing, address);
    }

    /// Another node named `contact`. Whether it is remembered now and was not before.
    pub fn named(&mut self, now: Instant, contact: Contact, address: Address) -> bool {
        self.remember(now, contact, Standing::Named, address)
    }

    fn remember(
        &mut self,
        now: Instant,
        contact: Contact,
        standing: Standing,
        address: Address,
    ) -> bool {
        let heard = self.seconds(now);
        let index = self.index(&contact.id);
        if self.cells.is_empty() {
            self.cells.resize_with(self.size, Vec::new);
        }
        let Some(cell) = self.cells.get_mut(index) else {
            return false;
        };
        let new = Acquaintance {
            contact,
            standing,
            address,
            heard,
        };
        let clash = cell.iter().position(|old| old.clashes(&contact, address));
        if let Some(old) = clash.and_then(|index| cell.get_mut(index)) {
            old.meet(new);
            return false;
        }
        if cell.len() < PER_CELL {
            if cell.len() == cell.capacity() {
                cell.reserve_exact(2);
            }
            cell.push(new);
            return true;
        }
        let least = cell.iter_mut().min_by_key(|old| old.worth());
        let Some(old) = least.filter(|old| old.worth() < new.worth()) else {
            return false;
        };
        *old = new;
        true
    }

    /// `contact` did not answer: there are others.
    pub fn failed(&mut self, contact: &Contact) {
        let index = self.index(&contact.id);
        if let Some(cell) = self.cells.get_mut(index) {
            cell.retain(|old| old.contact != *contact);
        }
    }

    /// The last round trip of `contact`, if it answered.
    #[must_use]
    pub fn rtt(&self, contact: &Contact) -> Option<Duration> {
        let cell = self.cells.get(self.index(&contact.id))?;
        let known = cell.iter().find(|known| known.contact == *contact)?;
        match known.standing {
            Standing::Answered { millis } => Some(Duration::from_millis(u64::from(millis))),
            Standing::Named => None,
        }
    }

    /// The `count` nodes closest to `target` that are worth a question, closest first.
    #[must_use]
    pub fn closest(&self, now: Instant, target: &Id, count: usize) -> Vec<Acquaintance> {
        let now = self.seconds(now);
        let home = self.index(target);
        let mut found: Vec<Acquaintance> = Vec::with_capacity(count + PER_CELL);
        // Cells in the order of the XOR metric are those whose index differs by 0, 1, 2, 3, ….
        for step in 0..self.cells.len() {
            if found.len() >= count {
                break;
            }
            let cell = self.cells.get(home ^ step).map_or(&[][..], Vec::as_slice);
            let start = found.len();
            found.extend(cell.iter().filter(|known| known.is_current(now)));
            if let Some(new) = found.get_mut(start..) {
                new.sort_by_key(|known| known.contact.id.distance(target));
            }
        }
        found.truncate(count);
        found
    }

    /// A random id in the cell that knows fewest; `None` if nobody is known, or all cells are full.
    pub fn neediest(&self, rng: &mut impl Rng) -> Option<Id> {
        let cells = self.cells.len();
        // Ties go to whoever comes first from a random place.
        let start = rng.random_range(0..cells.max(1));
        let order = (0..cells).map(|step| (start + step) % cells);
        let least = order.min_by_key(|index| self.cells.get(*index).map_or(0, Vec::len))?;
        let room = self
            .cells
            .get(least)
            .is_some_and(|cell| cell.len() < PER_CELL);
        let index = u32::try_from(least).ok()?;
        let start = index.checked_shl(32 - self.bits).unwrap_or(0);
        room.then(|| Id::beginning(start, self.bits, rng))
    }

    /// Nodes remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.iter().map(Vec::len).sum()
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn index(&self, id: &Id) -> usize {
        let start = id.as_bytes().first_chunk().copied().unwrap_or([0; 4]);
        let start = u64::from(u32::from_be_bytes(start));
        (start >> (32 - self.bits.min(32))) as usize
    }

    fn seconds(&self, now: Instant) -> u32 {
        let elapsed = now.saturating_duration_since(self.birth).as_secs();
        u32::try_from(elapsed).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
