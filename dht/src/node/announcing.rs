//! Storing at the end of a lookup, and before it (BEP 5 "announce_peer"; dht.md §3.2).
//!
//! Whoever is all but certainly among the closest gets the announcement as soon as its token is here;
//! the rest when the lookup knows the closest. An announcement that is not acknowledged in time is
//! sent once more, and in the end replaced by the next closest node. Invariant: a search announces
//! once to a node. Knows no tables.

use std::time::Instant;

use bencode::Endpoint;

use super::search::{Ack, Deposit, Goal, Search};
use super::{LookupId, Node, Purpose, Wording};
use crate::contact::Contact;
use crate::family::BOTH;
use crate::lookup::Lookup;
use crate::transactions::Pending;

impl Search {
    /// How many nodes stored it.
    pub(super) fn stored(&self) -> u32 {
        let stored = self.stored_at().count();
        u32::try_from(stored).unwrap_or(u32::MAX)
    }

    /// Who stored it.
    pub(super) fn stored_at(&self) -> impl Iterator<Item = Contact> {
        let stored = self.deposits.iter().filter(|d| d.ack == Some(Ack::Stored));
        stored.map(|deposit| deposit.to)
    }

    pub(super) fn awaits_acknowledgement(&self) -> bool {
        self.deposits.iter().any(|deposit| deposit.ack.is_none())
    }

    fn was_sent_to(&self, endpoint: Endpoint) -> bool {
        self.deposits.iter().any(|d| d.to.endpoint == endpoint)
    }

    /// Who is to get the announcement now and has not, with its token.
    fn due(&self) -> Vec<(Contact, Vec<u8>)> {
        let mut due = Vec::new();
        for walk in BOTH
            .iter()
            .filter_map(|family| self.walks[*family].as_ref())
        {
            let open = walk
                .holders()
                .filter_map(|(node, token)| Some((node, token?)));
            let wanted: Vec<_> = if walk.is_done() {
                open.take(self.wanted(walk)).collect()
            } else {
                open.filter(|(node, _)| walk.is_surely_close(&node.id))
                    .collect()
            };
            let new = wanted
                .into_iter()
                .filter(|(node, _)| !self.was_sent_to(node.endpoint));
            due.extend(new.map(|(node, token)| (node, token.to_vec())));
        }
        due
    }

    /// Nodes to announce to in the end: the closest, and one more for each that did not store it.
    fn wanted(&self, walk: &Lookup) -> usize {
        let failed = |deposit: &&Deposit| match (deposit.ack, self.goal) {
            (Some(Ack::Lost), _) => true,
            // Who refuses a peer has no room; who refuses an item has a newer one.
            (Some(Ack::Refused), goal) => matches!(goal, Goal::Announce(_) | Goal::Keep(_)),
            (Some(Ack::Stored) | None, _) => false,
        };
        walk.closest().count() + self.deposits.iter().filter(failed).count()
    }
}

impl Node {
    /// Announces wherever that is due by now.
    pub(super) fn announce_where_due(
        &mut self,
        now: Instant,
        lookup: LookupId,
        search: &mut Search,
    ) {
        if !matches!(
            search.goal,
            Goal::Announce(_) | Goal::Keep(_) | Goal::Put { .. }
        ) {
            return;
        }
        let errand = self.errands.remove(&lookup);
        let what = (search.goal, search.target);
        for (to, token) in search.due() {
            let Some(method) = Node::to_store(errand.as_ref(), what, to.endpoint, &token) else {
                continue;
            };
            let whom = (to.endpoint, Some(to.id));
            let wording = Wording {
                part: search.part(),
                method: &method,
            };
            let sent = self.ask(now, whom, Purpose::Announce(lookup), wording);
            let ack = if sent { None } else { Some(Ack::Lost) };
            search.deposits.push(Deposit { to, ack });
        }
        self.errands.extend(errand.map(|errand| (lookup, errand)));
    }

    /// An acknowledgement takes longer than usual: the announcement or it may be lost.
    pub(super) fn repeat_announcement(&mut self, lookup: LookupId, question: &Pending<Purpose>) {
        let Some(search) = self.searches.get(&lookup) else {
            return;
        };
        let (part, what) = (search.part(), (search.goal, search.target));
        let token = search
            .walks()
            .flat_map(Lookup::holders)
            .find(|(node, _)| node.endpoint == question.to)
            .and_then(|(_, token)| token.map(<[u8]>::to_vec));
        let errand = self.errands.remove(&lookup);
        if let Some(token) = token
            && let Some(method) = Node::to_store(errand.as_ref(), what, question.to, &token)
        {
            self.pose(
                question.to,
                &question.id,
                Wording {
                    part,
                    method: &method,
                },
            );
        }
        self.errands.extend(errand.map(|errand| (lookup, errand)));
    }

    /// An announcement was acknowledged, or will not be.
    pub(super) fn announced(
        &mut self,
        now: Instant,
        lookup: LookupId,
        (from, ack): (Endpoint, Ack),
    ) {
        if let Some(search) = self.searches.get_mut(&lookup) {
            let sent = search.deposits.iter_mut();
            for deposit in sent.filter(|deposit| deposit.to.endpoint == from) {
                deposit.ack = Some(ack);
            }
        }
        self.step(now, lookup);
    }
}
