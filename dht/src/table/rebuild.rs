//! The same contacts around another id (BEP 42: our address changed, and our id with it).
//!
//! Invariants: those of the table; nobody is asked anew, so a seat keeps all that it knows. Where more
//! come together than a bucket holds, those that failed least, are proven best and have been here longest
//! sit, further ones wait, and the rest is dropped: other buckets have room for others now.

use std::cmp::Reverse;

use super::bucket::Bucket;
use super::seat::Seat;
use super::{MAX_REPLACEMENTS, Table, capacity};
use crate::id::{ID_BITS, Id};

impl Table {
    /// This table as it would be around the id `own`: same contacts, same birth.
    #[must_use]
    pub fn around(&self, own: Id) -> Table {
        let mut table = Table::new(own, self.birth);
        let rank = |seat: &Seat| {
            let proof = Reverse(seat.proof());
            (seat.failures, proof, seat.since, seat.contact)
        };
        let mut sitting: Vec<&Seat> = self.seats().collect();
        sitting.sort_by_key(|seat| rank(seat));
        let mut waiting: Vec<&Seat> = self
            .buckets
            .iter()
            .flat_map(|bucket| &bucket.replacements)
            .collect();
        waiting.sort_by_key(|seat| rank(seat));
        // Those that sat come first: whoever waited may have the address of one of them.
        for seat in sitting.into_iter().chain(waiting) {
            table.admit(seat.clone());
        }
        table.spread();
        table.shrink();
        table
    }

    /// Seats one that sat or waited elsewhere, or lets it wait, as far as there is room.
    fn admit(&mut self, seat: Seat) {
        let bits = self.own.shared_bits(&seat.contact.id);
        if bits >= ID_BITS {
            return;
        }
        let taken = self.is_taken(&seat.contact, seat.address());
        if self.buckets.len() <= bits {
            self.buckets.resize_with(bits + 1, Bucket::default);
        }
        let Some(bucket) = self.buckets.get_mut(bits) else {
            return;
        };
        if !taken && bucket.entries.len() < capacity(bits) {
            bucket.entries.push(seat);
        } else if bucket.replacements.len() < MAX_REPLACEMENTS {
            bucket.replacements.push(seat);
        }
    }

    /// Gives back what growing took too much.
    fn shrink(&mut self) {
        for bucket in &mut self.buckets {
            bucket.entries.shrink_to_fit();
            bucket.replacements.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests;
