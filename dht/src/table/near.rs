//! Who our neighbours are: those nearest to our own id come from many networks.
//!
//! What others hear from us about the keys around us, and what we store ourselves, hangs on the `NEAR`
//! contacts nearest to us; they sit in several small buckets, each of which alone sees no crowd. `Threat:`
//! one network that owns them all decides who finds whom here. Invariant after each newcomer: among them
//! at most one of a /24 (v6: /64) and `MAX_WIDE` of a /16 (v6: /32), provided that so many others are
//! nearly as near. Of a crowd the longest known stay; the others wait.

use super::bucket::MAX_WIDE;
use super::seat::Seat;
use super::{MAX_FAILURES, NEAR, Table};
use crate::contact::Contact;
use crate::id::Distance;

/// Others are nearly as near if they are among so many nearest.
const ALTERNATIVES: usize = 2 * NEAR;

impl Table {
    /// Lets wait who crowds the nearest.
    pub(super) fn spread(&mut self) {
        for contact in self.crowding() {
            if let Some(bucket) = self.bucket_of_mut(&contact.id) {
                bucket.let_wait(&contact);
            }
        }
    }

    /// The shallowest bucket of those that hold the `nearest` contacts closest to us.
    pub(super) fn bucket_of_nearest(&self, nearest: usize) -> usize {
        let mut count = 0;
        let deep = self.buckets.iter().rposition(|bucket| {
            count += bucket.entries.len();
            count >= nearest
        });
        deep.unwrap_or(0)
    }

    /// Those of the nearest for whom others should move up.
    fn crowding(&self) -> Vec<Contact> {
        let shallowest = self.bucket_of_nearest(ALTERNATIVES);
        let buckets = self.buckets.get(shallowest..).unwrap_or_default();
        let mut near: Vec<(Distance, &Seat)> = buckets
            .iter()
            .flat_map(|bucket| &bucket.entries)
            .filter(|seat| seat.failures < MAX_FAILURES)
            .map(|seat| (seat.contact.id.distance(&self.own), seat))
            .collect();
        near.sort_unstable_by_key(|(distance, _)| *distance);
        near.truncate(ALTERNATIVES);
        // Threat: whoever came later and moved closer does not drive out whoever was here.
        near.sort_unstable_by_key(|(distance, seat)| (seat.since, *distance));
        let mut networks: Vec<(u64, u32)> = Vec::with_capacity(near.len());
        let (mut kept, mut crowd) = (Vec::new(), Vec::new());
        for (distance, seat) in near {
            match seat.network() {
                Some(network) if is_crowded(&networks, network) => {
                    crowd.push((distance, seat.contact));
                }
                network => {
                    networks.extend(network);
                    kept.push(distance);
                }
            }
        }
        kept.sort_unstable();
        let Some(farthest) = kept.get(NEAR - 1) else {
            return Vec::new();
        };
        crowd.retain(|(distance, _)| distance < farthest);
        crowd.into_iter().map(|(_, contact)| contact).collect()
    }
}

/// Whether these networks have enough of `network`.
fn is_crowded(networks: &[(u64, u32)], (close, wide): (u64, u32)) -> bool {
    let of_wide = networks.iter().filter(|(_, other)| *other == wide).count();
    of_wide >= MAX_WIDE || networks.iter().any(|(other, _)| *other == close)
}

#[cfg(test)]
mod tests;
