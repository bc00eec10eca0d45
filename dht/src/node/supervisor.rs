//! The supervisor: keeps troubles of our own from being taken for those of others.
//!
//! Each unanswered question passes through here. Invariants: a contact is charged with it only if our
//! link worked meanwhile; while the link is down the node only knocks at doors, ever more slowly, and
//! what is looked up waits for the first datagram; what was asked before a suspension is forgotten.

use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::{Event, Node, Purpose};
use crate::contact::Contact;
use crate::family::BOTH;
use crate::id::Id;
use crate::link::{Blame, Silent};
use crate::lookup::K;
use crate::transactions::Pending;
use crate::unreachable::Unreachable;

/// A deadline missed by so much: the machine was asleep.
const ASLEEP: Duration = Duration::from_secs(30);

impl Node {
    /// Whether time jumped since we wanted to be woken: then no answer could arrive.
    pub(super) fn notice_sleep(&mut self, now: Instant) {
        let late = |due: Instant| now.saturating_duration_since(due) >= ASLEEP;
        if self.asking.next_timeout().is_some_and(late) || late(self.upkeep.next_tick()) {
            self.path.link.woke(now);
            self.upkeep.woke(now);
        }
    }

    /// Something came in: whoever did not answer before is to blame for that.
    pub(super) fn link_works(&mut self, now: Instant) {
        let was_down = self.path.link.heard(now);
        for (asked, contact) in self.upkeep.take_doubts() {
            self.charge(now, asked, contact);
        }
        if was_down {
            // Whoever was silent while we heard nobody may be alive.
            self.memory.unreachable = Unreachable::default();
            self.outbox.event(Event::LinkUp);
            self.knock_again(now);
            for family in BOTH {
                self.begin_waiting(now, family);
            }
        }
    }

    /// Nobody answered `question`.
    pub(super) fn missed(&mut self, now: Instant, question: &Pending<Purpose>) {
        let doubt = (question.to, question.expects);
        let table = &self.tables[question.to.family()];
        let contact = question.expects.map(|id| Contact {
            id,
            endpoint: question.to,
        });
        let heard = self.path.link.last_heard();
        let trusted = contact.is_some_and(|contact| table.trusts(now, &contact));
        // A node that knows nobody better takes anybody's word.
        let whom = if trusted || table.witness(now, heard).is_none() {
            Silent::Contact
        } else {
            Silent::Stranger
        };
        // Threat: whoever is only hearsay is not asked again, whosever fault it was: it may be a
        // victim that somebody named to have us knock at its door (dht.md §4.6).
        if !contact.is_some_and(|contact| table.knows(&contact)) {
            self.memory.unreachable.failed(now, question.to);
        }
        match self.path.link.missed(now, question.sent, whom) {
            Blame::Them => self.charge(now, doubt.0, doubt.1),
            Blame::Open => self.upkeep.doubt(now, doubt),
            Blame::Broke => {
                self.upkeep.take_doubts();
                self.outbox.event(Event::LinkDown);
                self.knock_again(now);
            }
            Blame::Us => {}
        }
    }

    /// Whether a lookup need not ask at `endpoint` because nobody answered there lately. Where hardly anybody
    /// is known, whoever did answer within ten minutes is worth another question.
    pub(super) fn is_spared(&self, now: Instant, endpoint: Endpoint) -> bool {
        let few = || self.tables[endpoint.family()].len() < K;
        let hopeful = || few() && self.server.proven.has(now, endpoint.ip);
        self.memory.unreachable.contains(now, endpoint) && !hopeful()
    }

    /// Counts a missing answer against whoever owed it. A contact that used to answer may miss one: it
    /// answers only so many questions a second, and datagrams get lost.
    fn charge(&mut self, now: Instant, asked: Endpoint, id: Option<Id>) {
        let family = asked.family();
        let contact = id.map(|id| Contact {
            id,
            endpoint: asked,
        });
        if let Some(contact) = contact {
            self.memory.pools[family].failed(&contact);
            self.tables[family].failed(now, &contact);
            self.wake_upkeep(now);
        }
        if !contact.is_some_and(|contact| self.tables[family].has_hope_of(&contact)) {
            self.memory.unreachable.failed(now, asked);
        }
    }
}
