//! Our ids (BEP 42): one a family, which follows the address that others elected.
//!
//! An id that fits its address is preferred in the tables of others, ours included. Invariant: an id
//! changes at most once in `PAUSE` a family, only if the node is told to follow its address, and only to
//! fit a public one. With the id the table changes its shape, but nobody in it is asked anew; and since
//! others still know us by the id before, that stays ours. How addresses are elected is
//! `reachability`'s business.

use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};

use super::search::Goal;
use super::{Event, Identity, Node, Tracing};
use crate::contact::Address;
use crate::family::{BOTH, PerFamily};
use crate::id::Id;

/// Least time between two ids. `Threat:` whoever wins the vote could have us wander; and others need a
/// while to learn a new id.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// The ids of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    present: PerFamily<Id>,
    previous: PerFamily<Option<Id>>,
    changed: PerFamily<Option<Instant>>,
}

impl Names {
    /// One id for both families.
    pub(super) fn new(id: Id) -> Names {
        Names {
            present: PerFamily::both(id),
            previous: PerFamily::default(),
            changed: PerFamily::default(),
        }
    }

    pub(super) fn present(&self, family: Family) -> Id {
        self.present[family]
    }

    /// Whether a datagram with this id is an echo, and a contact with it ourselves.
    pub(super) fn are_ours(&self, id: &Id) -> bool {
        BOTH.into_iter()
            .any(|family| self.present[family] == *id || self.previous[family].as_ref() == Some(id))
    }

    fn may_change(&self, now: Instant, family: Family) -> bool {
        let changed = self.changed[family];
        changed.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE)
    }

    fn change(&mut self, now: Instant, family: Family, id: Id) {
        self.previous[family] = Some(self.present[family]);
        self.present[family] = id;
        self.changed[family] = Some(now);
    }
}

impl Node {
    /// Takes an id that fits our address in `family`, if the present one does not and it is time.
    pub(super) fn follow_address(&mut self, now: Instant, family: Family) {
        if self.config.identity == Identity::Kept || !self.names.may_change(now, family) {
            return;
        }
        let Some(ip) = self.path.votes.external(family) else {
            return;
        };
        // A private network has no addresses of its own: BEP 42 exempts them.
        let public = self.address(Endpoint::new(ip, 0)) == Address::Exclusive;
        if !public || self.id(family).suits_address(ip) {
            return;
        }
        let id = Id::for_address(ip, &mut self.rng);
        self.names.change(now, family, id);
        self.tables[family] = self.tables[family].around(id);
        self.outbox.event(Event::IdChanged { family, id });
        // Whoever lives near the old id need not be found any more.
        self.searches.retain(|_, search| {
            let goal = search.goal();
            !matches!(goal, Goal::Join(of) | Goal::Refresh(of) if of == family)
        });
        self.upkeep.looks(now, family);
        self.search(now, id, Goal::Join(family), Tracing::Off);
    }
}
