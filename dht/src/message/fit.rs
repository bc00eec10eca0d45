//! Making an answer fit: how long it is before it is written, and what is left out first.
//!
//! Invariant: `length` is exact, so that what `fit` leaves is never longer than asked. A list becomes
//! shorter before anything that cannot be split is left out; the token stays.

use bencode::{Endpoint, Family};

use super::Envelope;
use super::response::{Answer, Imprint};
use crate::bloom::BLOOM_LENGTH;
use crate::id::ID_LENGTH;

/// One part in so many of a short reply is for peers or samples at least, the rest for nodes at first.
const ASKED: usize = 3;

/// What it cost to make an answer fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Nothing.
    Whole,
    /// Its lists are shorter.
    Shorter,
    /// Filters or the value are left out.
    Reduced,
    /// Even what cannot be left out is too long.
    TooLong,
}

/// Digits of a number.
fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// A bencoded string of so many bytes.
fn string(length: usize) -> usize {
    digits(length as u64) + 1 + length
}

/// A bencoded integer.
fn integer(number: i64) -> usize {
    usize::from(number < 0) + digits(number.unsigned_abs()) + 2
}

/// A list of nodes under the key `nodes` or `nodes6`.
fn nodes(count: usize, family: Family) -> usize {
    let key = match family {
        Family::V4 => string(5),
        Family::V6 => string(6),
    };
    key + string(count * (ID_LENGTH + family.compact_length()))
}

/// Peers in a reply to `asker`, all of its family.
fn values(count: usize, family: Family) -> usize {
    if count == 0 {
        return 0;
    }
    string(6) + 2 + count * string(family.compact_length())
}

/// So many samples, more than none.
fn sampled(count: usize) -> usize {
    string(count * ID_LENGTH).saturating_sub(string(0))
}

/// The largest count up to `most` whose cost is within `room`.
fn largest(most: usize, room: usize, cost: impl Fn(usize) -> usize) -> usize {
    (0..=most)
        .rev()
        .find(|count| cost(*count) <= room)
        .unwrap_or(0)
}

impl Answer<'_> {
    /// Bytes of the datagram with this answer to `asker`, whose family the values have.
    #[must_use]
    pub fn length(&self, envelope: &Envelope<'_>, asker: Endpoint) -> usize {
        let family = asker.family();
        let lists = [(&self.nodes, Family::V4), (&self.nodes6, Family::V6)];
        let named: usize = lists
            .into_iter()
            .filter_map(|(list, family)| Some(nodes(list.as_ref()?.len(), family)))
            .sum();
        let samples = self
            .samples
            .as_ref()
            .map_or(0, |samples| sampled(samples.hashes.len()));
        self.fixed(envelope, family) + named + samples + values(self.values.len(), family)
    }

    /// Everything but the lists.
    fn fixed(&self, envelope: &Envelope<'_>, family: Family) -> usize {
        // d 2:ip… 1:r d 2:id… e 1:t… 1:v… 1:y1:r e
        let frame = 1 + 4 + string(family.compact_length()) + 3 + 1 + 4 + string(ID_LENGTH) + 1;
        let imprint = match self.imprint {
            Imprint::Shown => string(1) + string(4),
            Imprint::LeftOut => 0,
        };
        let tail = 3 + string(envelope.transaction.len()) + imprint + 3 + 3 + 1;
        let scrape = match self.scrape {
            Some(_) => 2 * (string(4) + string(BLOOM_LENGTH)),
            None => 0,
        };
        let samples = self.samples.as_ref().map_or(0, |samples| {
            let stored = i64::try_from(samples.stored).unwrap_or(i64::MAX);
            // An empty list says that we know the method (BEP 51): never left out.
            let keys = string(8) + string(3) + string(7) + string(0);
            keys + integer(i64::from(samples.interval)) + integer(stored)
        });
        let signed = self
            .signed
            .map_or(0, |_| string(1) + string(32) + string(3) + string(64));
        let seq = self.signed.map(|signed| signed.seq).or(self.seq);
        let seq = seq.map_or(0, |seq| string(3) + integer(seq));
        let token = self
            .token
            .map_or(0, |token| string(5) + string(token.len()));
        let value = self.value.map_or(0, |value| string(1) + value.len());
        frame + tail + scrape + samples + signed + seq + token + value
    }

    /// Leaves out what makes the datagram longer than `limit`: first the imprint, then nodes of the other family, then
    /// peers and samples down to a third, then nodes and they together, at last filters and value.
    #[must_use]
    pub fn fit(&mut self, limit: usize, envelope: &Envelope<'_>, asker: Endpoint) -> Fit {
        if self.length(envelope, asker) <= limit {
            return Fit::Whole;
        }
        self.imprint = Imprint::LeftOut;
        let family = asker.family();
        let mut fit = Fit::Shorter;
        if self.fixed(envelope, family) > limit {
            self.scrape = None;
            fit = Fit::Reduced;
        }
        if self.fixed(envelope, family) > limit {
            self.value = None;
            self.seq = self.signed.take().map(|signed| signed.seq).or(self.seq);
        }
        let Some(room) = limit.checked_sub(self.fixed(envelope, family)) else {
            return Fit::TooLong;
        };
        self.share_out(room, family);
        fit
    }

    /// Divides the room that is left for lists.
    fn share_out(&mut self, room: usize, family: Family) {
        let (own, other, far) = match family {
            Family::V4 => (&mut self.nodes, &mut self.nodes6, Family::V6),
            Family::V6 => (&mut self.nodes6, &mut self.nodes, Family::V4),
        };
        // At first a third for what was asked for; then nodes; then as much of it as there is room.
        let asked = largest(self.values.len(), room / ASKED, |n| values(n, family));
        let shown = self.samples.as_ref().map_or(0, |it| it.hashes.len());
        let first = largest(shown, room / ASKED, sampled);
        let mut rest = room.saturating_sub(values(asked, family) + sampled(first));
        if let Some(list) = own {
            list.truncate(largest(list.len(), rest, |n| nodes(n, family)));
            match rest.checked_sub(nodes(list.len(), family)) {
                Some(left) => rest = left,
                None => *own = None,
            }
        }
        rest += values(asked, family) + sampled(first);
        let asked = largest(self.values.len(), rest, |n| values(n, family));
        self.values.truncate(asked);
        rest = rest.saturating_sub(values(asked, family));
        if let Some(samples) = &mut self.samples {
            samples.hashes.truncate(largest(shown, rest, sampled));
            rest = rest.saturating_sub(sampled(samples.hashes.len()));
        }
        if let Some(list) = other {
            list.truncate(largest(list.len(), rest, |count| nodes(count, far)));
            if nodes(list.len(), far) > rest {
                *other = None;
            }
        }
    }
}
