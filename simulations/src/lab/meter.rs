//! What one client did, told from its datagrams alone, as its router sees them.
//!
//! A trial is a hash that the client is to look for. Whatever names the hash belongs to it, and so do
//! the answers to that, which are told by their transaction and their sender. The clock of a trial
//! starts with the first question for the hash that leaves the client: how a client comes to ask is
//! its own business. Invariant: pure; the same datagrams at the same times give the same figures.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use dht::Id;
use dht::message::{self, Body, Method};

use super::packet::HEADERS;

/// Questions without an answer that are remembered: the oldest is forgotten.
const MAX_PENDING: usize = 20_000;

/// Datagrams, and their bytes with the headers of IPv4 and UDP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How many.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Load {
    /// What came since it was `before`.
    #[must_use]
    pub fn less(self, before: Load) -> Load {
        Load {
            packets: self.packets - before.packets,
            bytes: self.bytes - before.bytes,
        }
    }

    fn add(&mut self, payload: &[u8]) {
        self.packets += 1;
        self.bytes += (payload.len() + HEADERS) as u64;
    }
}

/// One hash that a client was to look for.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The hash.
    pub hash: Id,
    /// Until the client was told to look.
    pub ordered: Instant,
    /// When its first question for the hash left.
    pub asked: Option<Instant>,
    /// From then until the first answer with peers.
    pub first_values: Option<Duration>,
    /// From then until the latest answer to an announcement.
    pub last_ack: Option<Duration>,
    /// What it sent about the hash.
    pub out: Load,
    /// What it got in answer.
    pub back: Load,
    /// Everything that it sent from the order until the next one, whatever about.
    pub all_out: Load,
    /// Nodes it asked for peers.
    pub nodes: BTreeSet<SocketAddrV4>,
    /// Nodes that answered that.
    pub answered: BTreeSet<SocketAddrV4>,
    /// Nodes that it told that it is a peer.
    pub announced: BTreeSet<SocketAddrV4>,
    /// Nodes that acknowledged it.
    pub acknowledged: BTreeSet<SocketAddrV4>,
}

/// What a question was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Peers,
    Nodes,
    Announce,
}

/// Watches one client.
#[derive(Debug, Default)]
pub struct Meter {
    /// Everything that the client sent.
    pub sent: Load,
    /// Everything that it got.
    pub got: Load,
    trials: Vec<Trial>,
    pending: BTreeMap<(SocketAddrV4, Vec<u8>), (usize, Asked, u64)>,
    /// The keys of `pending` by age.
    ages: BTreeMap<u64, (SocketAddrV4, Vec<u8>)>,
}

impl Meter {
    /// The client is told to look for `hash`.
    pub fn order(&mut self, now: Instant, hash: Id) {
        self.trials.push(Trial {
            hash,
            ordered: now,
            asked: None,
            first_values: None,
            last_ack: None,
            out: Load::default(),
            back: Load::default(),
            all_out: Load::default(),
            nodes: BTreeSet::new(),
            answered: BTreeSet::new(),
            announced: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        });
    }

    /// The trials, in their order.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// A datagram left the client.
    pub fn sent(&mut self, now: Instant, to: SocketAddrV4, payload: &[u8]) {
        self.sent.add(payload);
        if let Some(last) = self.trials.last_mut() {
            last.all_out.add(payload);
        }
        let Ok(message) = message::parse(payload) else {
            return;
        };
        let Body::Query(query) = message.body else {
            return;
        };
        let (hash, asked) = match query.method {
            Method::GetPeers { info_hash } => (info_hash, Asked::Peers),
            Method::FindNode { target } => (target, Asked::Nodes),
            Method::AnnouncePeer { info_hash, .. } => (info_hash, Asked::Announce),
            _ => return,
        };
        let Some(number) = self.trials.iter().position(|trial| trial.hash == hash) else {
            return;
        };
        let trial = &mut self.trials[number];
        trial.out.add(payload);
        match asked {
            Asked::Peers => {
                trial.asked.get_or_insert(now);
                trial.nodes.insert(to);
            }
            Asked::Announce => {
                trial.announced.insert(to);
            }
            Asked::Nodes => {}
        }
        self.remember((to, message.transaction.to_vec()), number, asked);
    }

    fn remember(&mut self, key: (SocketAddrV4, Vec<u8>), number: usize, asked: Asked) {
        let age = self.ages.last_key_value().map_or(0, |(age, _)| age + 1);
        if let Some((.., old)) = self.pending.insert(key.clone(), (number, asked, age)) {
            self.ages.remove(&old);
        }
        self.ages.insert(age, key);
        if self.ages.len() > MAX_PENDING
            && let Some((_, oldest)) = self.ages.pop_first()
        {
            self.pending.remove(&oldest);
        }
    }

    /// A datagram reached the client.
    pub fn delivered(&mut self, now: Instant, from: SocketAddrV4, payload: &[u8]) {
        self.got.add(payload);
        let Ok(message) = message::parse(payload) else {
            return;
        };
        let Body::Response(response) = &message.body else {
            return;
        };
        let key = (from, message.transaction.to_vec());
        let Some(&(number, asked, _)) = self.pending.get(&key) else {
            return;
        };
        let trial = &mut self.trials[number];
        trial.back.add(payload);
        let since = trial.asked.map(|asked| now - asked);
        match asked {
            Asked::Peers => {
                trial.answered.insert(from);
                if response.values().next().is_some() {
                    trial.first_values = trial.first_values.or(since);
                }
            }
            Asked::Announce if trial.acknowledged.insert(from) => trial.last_ack = since,
            Asked::Announce | Asked::Nodes => {}
        }
    }
}

#[cfg(test)]
mod tests;
