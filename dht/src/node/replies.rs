//! Receiving answers, and their absence.
//!
//! An answer counts only if it closes a question by transaction id, endpoint and expected node id.
//! Then its sender is verified, which is the only way into the table, and the purpose of the
//! question says who is told. A node that took another id (BEP 42, a restart) has not answered under
//! the old one, which is forgotten, but under the new one if it is known by that already.

use std::time::Instant;

use bencode::Endpoint;

use super::search::Ack;
use super::{Event, Node, Purpose};
use crate::contact::Contact;
use crate::id::Id;
use crate::message::Response;
use crate::table::Verdict;
use crate::transactions::{Closed, Due, Pending};

impl Node {
    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        from: Endpoint,
        transaction: &[u8],
        response: &Response<'_>,
    ) {
        if self.names.are_ours(&response.id) {
            self.stats.dropped.own_id += 1;
            return;
        }
        let question = match self.asking.close(now, transaction, (from, &response.id)) {
            Closed::Matched(question) => question,
            Closed::Impostor(question) => {
                if !self.recognises(&question, response.id) {
                    self.stats.impostors += 1;
                    return self.gone_wrong(now, &question);
                }
                question
            }
            Closed::Unknown => {
                self.stats.dropped.unasked += 1;
                return;
            }
        };
        self.stats.responses += 1;
        self.server.proven.proved(now, from.ip);
        let rtt = now.saturating_duration_since(question.sent);
        self.path.trips.observe(from.ip, rtt);
        // `Threat:` nobody, however many, votes us to an address that no node can have.
        if let Some(seen) = response.ip
            && self.config.policy.admits_ip(seen.ip)
            && let Some(elected) = self.path.votes.observed(from.ip, seen.ip)
        {
            self.outbox.event(Event::ExternalAddress(elected));
        }
        let sender = Contact {
            id: response.id,
            endpoint: from,
        };
        // A challenge is answered through the hole that the query made in a NAT: no contact for others.
        if question.purpose != Purpose::Challenge {
            self.verified(now, sender, rtt);
        }
        self.release(now, from);
        match question.purpose {
            Purpose::Probe => self.named(now, response),
            Purpose::Challenge => {}
            // Whoever asked was told already.
            Purpose::Ping if question.is_late() => {}
            Purpose::Ping => {
                self.outbox.event(Event::Pong {
                    endpoint: from,
                    id: sender.id,
                    rtt,
                });
            }
            Purpose::Bootstrap => self.bootstrapped(now, response),
            Purpose::Survey => self.surveyed(now, &question, response),
            Purpose::Walk(lookup) => self.walked(now, lookup, (sender, rtt), response),
            Purpose::Announce(lookup) => self.announced(now, lookup, (from, Ack::Stored)),
        }
        // At the end: by then the table knows whoever voted.
        self.follow_address(now, from.family());
    }

    /// Another node answered `question` than was expected: the one expected is forgotten. Whether this one
    /// answered us there before; a lookup that asked it knows it as that from here on.
    ///
    /// `Threat:` who could answer by any id would be the closest to whatever is looked up. So no id
    /// counts that was not known before the answer.
    fn recognises(&mut self, question: &Pending<Purpose>, id: Id) -> bool {
        let endpoint = question.to;
        let family = endpoint.family();
        if let Some(id) = question.expects {
            let gone = Contact { id, endpoint };
            self.tables[family].evict(&gone);
            self.memory.pools[family].failed(&gone);
        }
        let is_known = self.known_rtt(&Contact { id, endpoint }).is_some();
        if let Purpose::Walk(lookup) = question.purpose
            && is_known
        {
            self.with_walk(lookup, family, |walk| walk.renamed(endpoint, id));
        }
        is_known
    }

    /// An error reply: the node lives, but the question got no answer.
    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        from: Endpoint,
        transaction: &[u8],
        code: u16,
    ) {
        match self.asking.take(now, transaction, from) {
            Some(question) => {
                self.stats.failures += 1;
                match question.purpose {
                    Purpose::Announce(lookup) => {
                        self.refused(lookup, from, code);
                        self.announced(now, lookup, (from, Ack::Refused));
                    }
                    _ => self.gone_wrong(now, &question),
                }
            }
            None => self.stats.dropped.unasked += 1,
        }
    }

    pub(super) fn expire_questions(&mut self, now: Instant) {
        while let Some(due) = self.asking.expire(now) {
            match due {
                Due::Slow(question) => self.slowed(now, &question),
                Due::Failed(question) => {
                    self.stats.timeouts += 1;
                    self.missed(now, &question);
                    self.gone_wrong(now, &question);
                }
            }
        }
    }

    /// Tells whoever asked that there is no answer.
    fn gone_wrong(&mut self, now: Instant, question: &Pending<Purpose>) {
        match question.purpose {
            Purpose::Survey => self.survey_goes_on(now, question),
            // A lost bootstrap query is repeated by the upkeep's back-off.
            Purpose::Probe | Purpose::Bootstrap | Purpose::Challenge => {}
            Purpose::Ping => {
                self.outbox.event(Event::PingFailed {
                    endpoint: question.to,
                });
            }
            Purpose::Walk(lookup) => self.walk_failed(now, lookup, question.to),
            Purpose::Announce(lookup) => self.announced(now, lookup, (question.to, Ack::Lost)),
        }
    }

    /// `contact` answered a question of ours.
    fn verified(&mut self, now: Instant, contact: Contact, rtt: std::time::Duration) {
        let family = contact.endpoint.family();
        let address = self.address(contact.endpoint);
        self.memory.unreachable.answered(contact.endpoint);
        self.memory.pools[family].answered(now, contact, rtt, address);
        let verdict = self.tables[family].verified(now, contact, rtt, address);
        match verdict {
            Verdict::Challenge(doubted) => self.probe(now, doubted),
            Verdict::Added | Verdict::Replaced(_) => self.upkeep.expect_newcomer(now),
            Verdict::Refreshed | Verdict::Full | Verdict::Refused => {}
        }
        self.someone_answered(now, family);
    }
}
