//! A piece under way, block by block: free, asked for, here.

use std::time::Instant;

use bencode::Endpoint;
use bytes::Bytes;

use crate::swarm::PeerKey;

/// Peers that may be asked for one block in the endgame.
pub(super) const ASKERS: usize = 3;

/// Peers asked for one block, at most three.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Askers([Option<PeerKey>; ASKERS]);

impl Askers {
    pub(super) fn add(&mut self, peer: PeerKey) -> bool {
        let free = self.0.iter_mut().find(|slot| slot.is_none());
        free.map(|slot| *slot = Some(peer)).is_some()
    }

    pub(super) fn remove(&mut self, peer: PeerKey) {
        self.0
            .iter_mut()
            .filter(|slot| **slot == Some(peer))
            .for_each(|slot| *slot = None);
    }

    pub(super) fn contains(&self, peer: PeerKey) -> bool {
        self.0.contains(&Some(peer))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The peers.
    pub fn iter(&self) -> impl Iterator<Item = PeerKey> {
        self.0.into_iter().flatten()
    }
}

/// One block of a piece under way.
#[derive(Debug)]
pub(super) enum Slot {
    Free,
    Asked(Askers),
    Here(Endpoint, Bytes),
}

/// A piece under way.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) slots: Vec<Slot>,
    pub(super) free: usize,
    pub(super) here: usize,
    /// No slot before this one is free.
    pub(super) cursor: usize,
    /// Only this peer may be asked (the piece was wrong before).
    pub(super) only: Option<PeerKey>,
    /// Who fetches it alone until then, while that works.
    pub(super) owner: Option<(PeerKey, Instant)>,
    pub(super) touched: Instant,
}

impl Active {
    /// Books this peer too for blocks that so many others were asked for: the last ones first, at most
    /// `most`, as far as the caller takes them.
    pub(super) fn ask_again(
        &mut self,
        peer: PeerKey,
        crowd: usize,
        most: usize,
    ) -> impl Iterator<Item = u32> {
        let may = self.only.is_none_or(|only| only == peer);
        let slots = self.slots.iter_mut().enumerate().rev();
        let slots = slots.filter(move |_| may);
        let again = slots.filter_map(move |(n, slot)| match slot {
            Slot::Asked(askers) if askers.iter().count() == crowd && !askers.contains(peer) => {
                askers.add(peer).then_some(n as u32)
            }
            Slot::Free | Slot::Asked(_) | Slot::Here(..) => None,
        });
        again.take(most)
    }
}
