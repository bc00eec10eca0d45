//! Replies that are larger than a stranger may get: a stored value (BEP 44), the filters of a scrape (BEP
//! 33). They are held back until their asker has answered a ping, which proves its address.
//!
//! Invariant: at most `MAX_HELD` are held, `MAX_HELD_EACH` for one address; each ends in one reply: whole when
//! the answer to the ping arrives, without value or filters when that takes longer than usual.

use std::time::Instant;

use bencode::Endpoint;

use super::queries::{AMPLIFICATION, MAX_REPLY, PING_LENGTH};
use super::{Node, Purpose};
use crate::message::{Method, Query};

/// Replies held back at once.
const MAX_HELD: usize = 64;
/// Of them for one address: the lookups of one client.
const MAX_HELD_EACH: usize = 4;

/// A query whose reply waits.
#[derive(Clone, Debug)]
pub(super) struct Held {
    from: Endpoint,
    transaction: Vec<u8>,
    /// Of its datagram, bytes.
    length: usize,
    query: Query<'static>,
}

impl Node {
    /// Holds the reply back and asks the asker for a sign of life. `false`: it cannot be held.
    pub(super) fn hold(
        &mut self,
        now: Instant,
        from: Endpoint,
        (transaction, length): (&[u8], usize),
        query: &Query<'_>,
    ) -> bool {
        let method = match query.method {
            Method::Get { target, seq } => Method::Get { target, seq },
            Method::Scrape { info_hash } => Method::Scrape { info_hash },
            _ => return false,
        };
        let held = &self.server.held;
        let same = held.iter().filter(|held| held.from.ip == from.ip).count();
        if held.len() >= MAX_HELD || same >= MAX_HELD_EACH {
            return false;
        }
        if !self.ask(now, (from, None), Purpose::Challenge, &Method::Ping) {
            return false;
        }
        self.server.held.push(Held {
            from,
            transaction: transaction.to_vec(),
            length,
            query: Query {
                method,
                id: query.id,
                standing: query.standing,
                want: query.want,
                part: query.part,
            },
        });
        true
    }

    /// `from` answered a question of ours: what is held for it goes out whole.
    pub(super) fn release(&mut self, now: Instant, from: Endpoint) {
        for held in self.take_held(from) {
            let asked = (&held.transaction[..], MAX_REPLY);
            let (reply, _) = self.answer(now, from, asked, &held.query);
            self.send(from, reply);
        }
    }

    /// `from` takes too long to answer: it gets what a stranger gets.
    pub(super) fn release_reduced(&mut self, now: Instant, from: Endpoint) {
        for held in self.take_held(from) {
            let limit = (AMPLIFICATION * held.length).saturating_sub(PING_LENGTH);
            let asked = (&held.transaction[..], limit);
            let (reply, _) = self.answer(now, from, asked, &held.query);
            self.send_to_stranger(now, from, reply);
        }
    }

    fn take_held(&mut self, from: Endpoint) -> Vec<Held> {
        if self.server.held.is_empty() {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.server.held);
        let (released, held) = all.into_iter().partition(|held| held.from == from);
        self.server.held = held;
        released
    }
}
