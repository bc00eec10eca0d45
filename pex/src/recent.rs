//! Whom we parted from a moment ago without blame (BEP 11, "Filling underpopulated lists").
//!
//! Where seeds part from seeds nobody stays connected for long, and lists of the connected are
//! empty. So a client that has fewer than 25 connections of a family may tell of up to 25 whom it
//! left for its own reasons. Invariant: each listener hears of each parting at most once, and of the
//! contact's end with the message after. Does not know why somebody was left; the owner decides
//! which reasons count.

use std::collections::VecDeque;

use bencode::{Endpoint, Family};

use crate::message::Flags;

/// Contacts of one family that are remembered, and connections of it from which on they are not
/// told (BEP 11).
pub const RECENT_MAX: usize = 25;

/// One who was left.
#[derive(Clone, Copy, Debug)]
struct Parting {
    number: u64,
    endpoint: Endpoint,
    flags: Flags,
}

/// The latest partings of a torrent, at most [`RECENT_MAX`] a family.
#[derive(Clone, Debug, Default)]
pub struct Recent {
    v4: VecDeque<Parting>,
    v6: VecDeque<Parting>,
    count: u64,
}

impl Recent {
    /// We left this peer, with which the handshake was complete, and for no fault of its own: both
    /// of us are seeds, it is connected under another address, there was no room.
    pub fn push(&mut self, endpoint: Endpoint, flags: Flags) {
        if endpoint.port == 0 {
            return;
        }
        self.count += 1;
        let number = self.count;
        let of = match endpoint.family() {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        };
        of.retain(|parting| parting.endpoint != endpoint);
        if of.len() >= RECENT_MAX {
            of.pop_front();
        }
        of.push_back(Parting {
            number,
            endpoint,
            flags,
        });
    }

    /// Who it is turned out to be at fault: never told.
    pub fn forget(&mut self, endpoint: Endpoint) {
        self.v4.retain(|parting| parting.endpoint != endpoint);
        self.v6.retain(|parting| parting.endpoint != endpoint);
    }

    /// The partings of a family after the one with this number, oldest first.
    pub(crate) fn since(
        &self,
        family: Family,
        number: u64,
    ) -> impl Iterator<Item = (Endpoint, Flags)> + '_ {
        let of = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        of.iter()
            .filter(move |parting| parting.number > number)
            .map(|parting| (parting.endpoint, parting.flags))
    }

    /// The number of the latest parting.
    pub(crate) fn latest(&self) -> u64 {
        self.count
    }
}
