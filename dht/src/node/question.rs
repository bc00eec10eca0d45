//! Putting a question: whether it may be asked, how long its answer may take, how it is worded.
//!
//! Every question of the node passes through here. Invariant: no more are open at a stranger's address
//! than `MAX_OPEN_AT`. It does not know what the answer is for.

use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::{Node, Purpose, Role};
use crate::contact::{Address, Contact};
use crate::family::BOTH;
use crate::id::Id;
use crate::message::{self, Method, Part, Standing, Want};
use crate::transactions::Patience;

/// Questions open to one public address before a stranger there is not asked (dht.md §4.6: a burst of
/// ten). `Threat:` a victim that many answers name as a node would be asked by every lookup at once.
const MAX_OPEN_AT: usize = 10;

/// How a question is put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wording<'a> {
    /// What we say that we are, where peers are asked for or announced.
    pub(super) part: Part,
    pub(super) method: &'a Method<'a>,
}

impl<'a> From<&'a Method<'a>> for Wording<'a> {
    fn from(method: &'a Method<'a>) -> Wording<'a> {
        let part = Part::Peer;
        Wording { part, method }
    }
}

impl Node {
    /// Asks. `false`: the address is refused or too many questions are open, to it or in all; nothing was
    /// sent.
    pub(super) fn ask<'a>(
        &mut self,
        now: Instant,
        whom: (Endpoint, Option<Id>),
        purpose: Purpose,
        wording: impl Into<Wording<'a>>,
    ) -> bool {
        let (to, id) = whom;
        if !self.talks_to(to) {
            return false;
        }
        let known = id.and_then(|id| self.known_rtt(&Contact { id, endpoint: to }));
        let stranger = known.is_none() && self.address(to) == Address::Exclusive;
        if stranger && self.asking.open_at(to.ip) >= MAX_OPEN_AT {
            return false;
        }
        let waits = self
            .path
            .trips
            .waits(to.ip, known, self.config.tuning.hedge);
        let patience = Patience {
            slow: waits.slow,
            failed: waits.failed,
        };
        let opened = self
            .asking
            .open(now, whom, purpose, patience, &mut self.rng);
        let Some(transaction) = opened else {
            return false;
        };
        self.pose(to, &transaction, wording);
        true
    }

    pub(super) fn known_rtt(&self, contact: &Contact) -> Option<Duration> {
        let family = contact.endpoint.family();
        let seated = self.tables[family].rtt(contact);
        seated.or_else(|| self.memory.pools[family].rtt(contact))
    }

    /// Writes and sends a question that is open.
    pub(super) fn pose<'a>(
        &mut self,
        to: Endpoint,
        transaction: &[u8],
        wording: impl Into<Wording<'a>>,
    ) {
        let Wording { part, method } = wording.into();
        let standing = match self.config.role {
            Role::Full => Standing::Full,
            Role::ReadOnly => Standing::ReadOnly,
        };
        let [v4, v6] = BOTH.map(|family| self.config.families.include(family));
        let envelope = self.envelope(to.family(), transaction);
        let payload = message::write_query_as(part, &envelope, standing, Want { v4, v6 }, method);
        self.stats.queries_out.count(method);
        self.send(to, payload);
    }
}
