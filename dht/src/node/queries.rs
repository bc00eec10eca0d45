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
use crate::message::{
    self, Answer, Envelope, Failure, Fit, Method, Part, Query, Standing, write_failure,
};

/// Peers in a reply: with nodes, token and overhead below the 1,024 bytes of BEP 32.
const MAX_VALUES_V4: usize = 50;
/// Peers in a reply to a stranger (dht.md 4.5).
const MAX_VALUES_STRANGER: usize = 20;
/// Bytes of a reply for each byte of the query of a source that has not proved its address. `Threat:`
/// it may be forged, and the reply an attack on its owner (dht.md 4.5: others give 12 to 15).
pub(super) const AMPLIFICATION: usize = 3;
/// Bytes of a ping of ours.
pub(super) const PING_LENGTH: usize = 67;
/// A v6 peer takes 21 bytes on the wire instead of 8.
const MAX_VALUES_V6: usize = 20;
/// Longest reply: a thousand bytes of value and some nodes (BEP 44) in one unfragmented datagram.
pub(super) const MAX_REPLY: usize = 1_400;
/// Below this many contacts an unknown querier is probed at once.
const SMALL_TABLE: usize = 32;
/// So it is while the table is this young.
const YOUNG_TABLE: Duration = Duration::from_secs(300);

/// What a querier is worth to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Welcome {
    None,
    ProbeNow,
    ProbeLater,
}

/// Whether a query comes from where it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    Proven,
    Unproven,
}

impl Node {
    pub(super) fn handle_query(
        &mut self,
        now: Instant,
        from: Endpoint,
        (transaction, length): (&[u8], usize),
        query: &Query<'_>,
    ) {
        if self.names.are_ours(&query.id) {
            self.stats.dropped.own_id += 1;
            return;
        }
        // Only whoever we are asking may check that it is us: no contact comes of that.
        let checked = || query.method == Method::Ping && self.asking.awaits(from);
        if self.config.role == Role::ReadOnly && !checked() {
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
        let contact = Contact {
            id: query.id,
            endpoint: from,
        };
        let trust = self.trust(now, contact);
        let welcome = match (query.standing, self.config.role) {
            (Standing::Full, Role::Full) => self.meet(now, contact),
            _ => Welcome::None,
        };
        let limit = match (trust, welcome) {
            (Trust::Proven, _) => MAX_REPLY,
            (Trust::Unproven, Welcome::ProbeNow) => {
                (AMPLIFICATION * length).saturating_sub(PING_LENGTH)
            }
            (Trust::Unproven, _) => AMPLIFICATION * length,
        };
        self.stats.queries_in.count(&query.method);
        let (reply, fit) = self.answer(now, from, (transaction, limit), query);
        if trust == Trust::Proven {
            self.send(from, reply);
        } else if fit != Fit::Reduced || !self.hold(now, from, (transaction, length), query) {
            self.send_to_stranger(now, from, reply);
        }
        match welcome {
            Welcome::None => {}
            Welcome::ProbeNow => self.probe(now, contact),
            // Its query has opened a hole in its NAT, if it has one. What only such a hole lets
            // through is no use to others: ask when the hole is closed again.
            Welcome::ProbeLater => self.upkeep.probe_later(now, contact),
        }
    }

    /// Sends a reply to somebody who may not have asked.
    pub(super) fn send_to_stranger(&mut self, now: Instant, to: Endpoint, reply: Vec<u8>) {
        if self.server.limiter.affords(now, reply.len()) {
            self.send(to, reply);
        } else {
            self.stats.dropped.limited += 1;
        }
    }

    /// Whether `from` sent the query itself, as far as we know: its address is private, or it answered
    /// or used a token within ten minutes, or is a contact.
    fn trust(&self, now: Instant, contact: Contact) -> Trust {
        let from = contact.endpoint;
        let proven = self.server.proven.has(now, from.ip)
            || self.address(from) == Address::Shared
            || self.tables[from.family()].knows(&contact);
        if proven {
            Trust::Proven
        } else {
            Trust::Unproven
        }
    }

    /// The reply to a query, of at most `limit` bytes, and what that cost.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        from: Endpoint,
        (transaction, limit): (&[u8], usize),
        query: &Query<'_>,
    ) -> (Vec<u8>, Fit) {
        let envelope = self.envelope(from.family(), transaction);
        let write = |answer| write(answer, limit, &envelope, from);
        match query.method {
            Method::Ping => write(Answer::default()),
            Method::FindNode { target } => {
                let answer = self.nodes_near(now, from, &target, query);
                write(answer)
            }
            Method::GetPeers { info_hash } | Method::Scrape { info_hash } => {
                let token = self.peer_token(now, from, &info_hash);
                let scrape = matches!(query.method, Method::Scrape { .. });
                let filters = || self.server.peers.filters(now, &info_hash);
                let answer = Answer {
                    scrape: scrape.then(filters).flatten(),
                    token: token.as_ref().map(|token| &token[..]),
                    values: self.peers_for(now, (query.part, from, limit), &info_hash),
                    ..self.nodes_near(now, from, &info_hash, query)
                };
                write(answer)
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
                write(answer)
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
                write(answer)
            }
            Method::Invalid => refuse(&envelope, Failure::Protocol),
            Method::Unknown => refuse(&envelope, Failure::MethodUnknown),
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
        (asker, endpoint, room): (Part, Endpoint, usize),
        info_hash: &Id,
    ) -> Vec<Endpoint> {
        let family = endpoint.family();
        let limit = match family {
            Family::V6 => MAX_VALUES_V6,
            Family::V4 if room < MAX_REPLY => MAX_VALUES_STRANGER,
            Family::V4 => MAX_VALUES_V4,
        };
        self.server
            .peers
            .sample(now, info_hash, (family, asker, limit), &mut self.rng)
    }

    /// Someone who takes part asked us: alive if known, else worth a probe if its bucket has room.
    fn meet(&mut self, now: Instant, contact: Contact) -> Welcome {
        let address = self.address(contact.endpoint);
        let table = &mut self.tables[contact.endpoint.family()];
        table.heard(now, &contact);
        if !table.wants(now, &contact, address)
            || self.asking.awaits(contact.endpoint)
            || self.memory.unreachable.contains(now, contact.endpoint)
        {
            return Welcome::None;
        }
        let young = now.saturating_duration_since(table.birth()) < YOUNG_TABLE;
        if young || table.len() < SMALL_TABLE {
            return Welcome::ProbeNow;
        }
        Welcome::ProbeLater
    }

    pub(super) fn probe(&mut self, now: Instant, contact: Contact) {
        if !self.asking.awaits(contact.endpoint) {
            let whom = (contact.endpoint, Some(contact.id));
            self.ask(now, whom, Purpose::Probe, &Method::Ping);
        }
    }
}

/// A reply of at most `limit` bytes.
fn write(
    mut answer: Answer<'_>,
    limit: usize,
    envelope: &Envelope<'_>,
    to: Endpoint,
) -> (Vec<u8>, Fit) {
    let fit = answer.fit(limit, envelope, to);
    (message::write_response(envelope, to, &answer), fit)
}

fn refuse(envelope: &Envelope<'_>, why: Failure) -> (Vec<u8>, Fit) {
    (write_failure(envelope, why), Fit::Whole)
}

/// The reply to a request to store.
fn acknowledge(
    envelope: &Envelope<'_>,
    to: Endpoint,
    stored: Result<(), Failure>,
) -> (Vec<u8>, Fit) {
    match stored {
        Ok(()) => {
            let done = message::write_response(envelope, to, &Answer::default());
            (done, Fit::Whole)
        }
        Err(why) => refuse(envelope, why),
    }
}
