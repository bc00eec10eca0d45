//! Who might be asked in a lookup, and what speaks for each.
//!
//! Plain data; the lookup decides.

use bencode::Endpoint;

use crate::contact::{Address, Contact};
use crate::id::{Distance, Id};

/// How far a candidate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    New,
    Asked,
    Slow,
    /// Perhaps with a token.
    Answered(Option<Vec<u8>>),
    Dead,
}

/// How a candidate came to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It stored our last announcement of this very target.
    Holder,
    /// It answered us before.
    Known,
    /// It has answered for longer than all others, and is asked wherever it is.
    Anchor,
    /// Somebody named it at another time.
    Hearsay,
    /// A node of this lookup named it.
    Named {
        /// Which: the number of its question.
        by: u16,
        /// How far that node was from us.
        hops: u32,
    },
}

impl Origin {
    pub(super) fn is_named_by(self, number: u16) -> bool {
        matches!(self, Origin::Named { by, .. } if by == number)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) contact: Contact,
    pub(super) distance: Distance,
    pub(super) address: Address,
    pub(super) origin: Origin,
    pub(super) hops: u32,
    /// How many nodes named it; whoever answered us before needs no other word.
    pub(super) named: u8,
    /// Of its question, once it was asked.
    pub(super) number: u16,
    pub(super) progress: Progress,
}

impl Candidate {
    pub(super) fn new(
        contact: Contact,
        address: Address,
        origin: Origin,
        target: &Id,
    ) -> Candidate {
        let (hops, named) = match origin {
            Origin::Holder | Origin::Known | Origin::Anchor => (1, super::TRUSTED),
            Origin::Hearsay => (1, 1),
            Origin::Named { hops, .. } => (hops.saturating_add(1), 1),
        };
        Candidate {
            contact,
            distance: contact.id.distance(target),
            address,
            origin,
            hops,
            named,
            number: u16::MAX,
            progress: Progress::New,
        }
    }
}

impl Candidate {
    pub(super) fn is_new_anchor(&self) -> bool {
        self.origin == Origin::Anchor && self.progress == Progress::New
    }

    /// A slow anchor is not waited for: it is one of several.
    pub(super) fn is_awaited_anchor(&self) -> bool {
        let fresh = matches!(self.progress, Progress::New | Progress::Asked);
        self.origin == Origin::Anchor && fresh
    }
}

/// Somebody who was asked, and what became of those whom it named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) endpoint: Endpoint,
    alive: u8,
    dead: u8,
}

impl Source {
    pub(super) fn new(endpoint: Endpoint) -> Source {
        Source {
            endpoint,
            alive: 0,
            dead: 0,
        }
    }

    pub(super) fn served(&mut self) {
        self.alive = self.alive.saturating_add(1);
    }

    pub(super) fn misled(&mut self) {
        self.dead = self.dead.saturating_add(1);
    }

    pub(super) fn is_discredited(&self, most: u8) -> bool {
        self.alive == 0 && self.dead >= most
    }
}
