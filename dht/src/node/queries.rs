//! Answering others (BEP 5 "DHT Queries").
//!
//! Every query that passes the rate limit gets exactly one reply of bounded size; nothing malformed
//! gets any, so that two nodes cannot send each other errors for ever. A querier becomes a contact
//! only by answering a probe of ours.

use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};

use super::asking::item_of;
use super::{Node, Purpose, Role};
use crate::contact::{Address, Contact};
use crate::id::Id;
use crate::limiter::Charge;
use crate::lookup::K;
use crate::message::{self, Answer, Envelope, Failure, Method, Query, Standing, write_failure};

/// Peers in a reply to a node of our table, which proved its address: with nodes, token and
/// overhead below the 1,024 bytes of BEP 32.
const MAX_VALUES_KNOWN: usize = 50;
/// Peers in a reply to a stranger. `Threat:` its address may be forged, and the reply is larger than
/// the query.
const MAX_VALUES_STRANGER: usize = 20;
/// A v6 peer takes 21 bytes on the wire instead of 8.
const MAX_VALUES_V6: usize = 20;
/// Longest reply: a thousand bytes of value and some nodes (BEP 44) in one unfragmented datagram.
const MAX_REPLY: usize = 1_400;
/// Below this many contacts an unknown querier is probed at once.
const SMALL_TABLE: usize = 32;
/// So it is while the table is this young.
const YOUNG_TABLE: Duration = Duration::from_secs(300);

impl Node {
    pub(super) fn handle_query(
        &mut self,
        now: Instant,
        from: Endpoint,
        transaction: &[u8],
        query: &Query<'_>,
    ) {
        if query.id == self.id {
            self.stats.dropped.own_id += 1;
            return;
        }
        if self.config.role == Role::ReadOnly {
            self.stats.dropped.read_only += 1;
            return;
        }
        let address = self.address(from);
        let charge = match address {
            Address::Exclusive => Charge::Source,
            Address::Shared => Charge::Everybody,
        };
        if !self.server.limiter.admits(now, from.ip, charge) {
            self.stats.dropped.limited += 1;
            return;
        }
        let reply = self.answer(now, from, transaction, query);
        self.send(from, reply);
        if query.standing == Standing::Full {
            self.meet(
                now,
                Contact {
                    id: query.id,
                    endpoint: from,
                },
            );
        }
    }

    fn answer(
        &mut self,
        now: Instant,
        from: Endpoint,
        transaction: &[u8],
        query: &Query<'_>,
    ) -> Vec<u8> {
        let envelope = self.envelope(transaction);
        self.stats.queries_in.count(&query.method);
        match query.method {
            Method::Ping => write(Answer::default(), &envelope, from),
            Method::FindNode { target } => {
                let answer = self.nodes_near(now, from, &target, query);
                write(answer, &envelope, from)
            }
            Method::GetPeers { info_hash } | Method::Scrape { info_hash } => {
                let token = self.server.tokens.issue(now, from.ip, &info_hash);
                let scrape = matches!(query.method, Method::Scrape { .. });
                let filters = || self.server.peers.filters(now, &info_hash);
                let answer = Answer {
                    scrape: scrape.then(filters).flatten(),
                    token: Some(&token),
                    values: self.peers_for(now, (query.id, from), &info_hash),
                    ..self.nodes_near(now, from, &info_hash, query)
                };
                write(answer, &envelope, from)
            }
            Method::AnnouncePeer {
                info_hash,
                port,
                token,
            } => {
                let what = (info_hash, port, query.part);
                acknowledge(&envelope, from, self.store_peer(now, from, what, token))
            }
            Method::Get { target, seq } => {
                let token = self.item_token(now, from, &target);
                let near = self.nodes_near(now, from, &target, query);
                let answer = Answer {
                    nodes: near.nodes,
                    nodes6: near.nodes6,
                    token: token.as_ref().map(|token| &token[..]),
                    ..self.stored_item(now, &target, seq)
                };
                write(answer, &envelope, from)
            }
            Method::Put {
                value,
                token,
                signed,
                cas,
                ..
            } => {
                let salt = signed.map_or(&[][..], |signed| signed.salt);
                let item = item_of(value, signed, salt);
                acknowledge(
                    &envelope,
                    from,
                    self.store_item(now, from, (item, cas), token),
                )
            }
            Method::SampleInfohashes { target } => {
                let samples = Some(self.sampled(now));
                let answer = Answer {
                    samples,
                    ..self.nodes_near(now, from, &target, query)
                };
                write(answer, &envelope, from)
            }
            Method::Invalid => write_failure(&envelope, Failure::Protocol),
            Method::Unknown => write_failure(&envelope, Failure::MethodUnknown),
        }
    }

    /// The nodes of the families that the query wants: without `want`, of the family it came in.
    fn nodes_near(
        &self,
        now: Instant,
        from: Endpoint,
        target: &Id,
        query: &Query<'_>,
    ) -> Answer<'static> {
        let wanted = |family: Family| match (query.want, family) {
            (None, _) => from.family() == family,
            (Some(want), Family::V4) => want.v4,
            (Some(want), Family::V6) => want.v6,
        };
        let nodes = |family: Family| {
            let near = || {
                let mut near = self.tables[family].closest(now, target, K + 1);
                near.retain(|contact| contact.endpoint != from);
                near.truncate(K);
                near
            };
            wanted(family).then(near)
        };
        Answer {
            nodes: nodes(Family::V4),
            nodes6: nodes(Family::V6),
            ..Answer::default()
        }
    }

    fn peers_for(
        &mut self,
        now: Instant,
        (id, endpoint): (Id, Endpoint),
        info_hash: &Id,
    ) -> Vec<Endpoint> {
        let family = endpoint.family();
        let known = self.tables[family].knows(&Contact { id, endpoint });
        let limit = match family {
            Family::V6 => MAX_VALUES_V6,
            Family::V4 if known => MAX_VALUES_KNOWN,
            Family::V4 => MAX_VALUES_STRANGER,
        };
        self.server
            .peers
            .sample(now, info_hash, (family, limit), &mut self.rng)
    }

    /// Someone who takes part asked us: alive if known, else worth a probe if its bucket has room.
    fn meet(&mut self, now: Instant, contact: Contact) {
        let address = self.address(contact.endpoint);
        let table = &mut self.tables[contact.endpoint.family()];
        table.heard(now, &contact);
        if !table.wants(now, &contact, address)
            || self.asking.awaits(contact.endpoint)
            || self.memory.unreachable.contains(now, contact.endpoint)
        {
            return;
        }
        let young = now.saturating_duration_since(table.birth()) < YOUNG_TABLE;
        if young || table.len() < SMALL_TABLE {
            self.probe(now, contact);
        } else {
            // Its query has opened a hole in its NAT, if it has one. What only such a hole lets
            // through is no use to others: ask when the hole is closed again.
            self.upkeep.probe_later(now, contact);
        }
    }

    pub(super) fn probe(&mut self, now: Instant, contact: Contact) {
        if !self.asking.awaits(contact.endpoint) {
            let whom = (contact.endpoint, Some(contact.id));
            self.ask(now, whom, Purpose::Probe, &Method::Ping);
        }
    }
}

/// A reply of at most `MAX_REPLY` bytes.
fn write(mut answer: Answer<'_>, envelope: &Envelope<'_>, to: Endpoint) -> Vec<u8> {
    // What cannot be left out is far below the limit.
    let _fits = answer.fit(MAX_REPLY, envelope, to);
    message::write_response(envelope, to, &answer)
}

/// The reply to a request to store.
fn acknowledge(envelope: &Envelope<'_>, to: Endpoint, stored: Result<(), Failure>) -> Vec<u8> {
    match stored {
        Ok(()) => message::write_response(envelope, to, &Answer::default()),
        Err(why) => write_failure(envelope, why),
    }
}
