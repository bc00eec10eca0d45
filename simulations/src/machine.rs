//! What runs on a host: a shipping node, another implementation's policy, or a scenario's own actor.
//!
//! All have the four verbs; this enum only passes them on. It decides nothing.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Instant;

use dht::{Endpoint, Family, Id, Node, Transmit};

use crate::neighbours::{self, Neighbour};

/// A machine that a scenario writes for itself: an attacker, an observer, a well of queries.
pub trait Actor: Debug {
    /// A datagram arrived.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]);
    /// What `next_timeout` announced is due.
    fn handle_timeout(&mut self, _now: Instant) {}
    /// When to call `handle_timeout`; `None`: never.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }
    /// Pops a datagram to send.
    fn poll_transmit(&mut self) -> Option<Transmit>;
    /// The id under which it is known, if it has one.
    fn id(&self) -> Option<Id>;
}

/// What runs on a host.
#[derive(Debug)]
pub enum Machine {
    /// The node that ships.
    Ours(Box<Node>),
    /// Another implementation, by its policy.
    Theirs(Box<Neighbour>),
    /// A scenario's own.
    Actor(Box<dyn Actor>),
}

/// What a machine told its owner.
#[derive(Clone, Debug)]
pub enum Told {
    /// By a shipping node.
    Ours(dht::Event),
    /// By a neighbour.
    Theirs(neighbours::Event),
}

impl Machine {
    pub(crate) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        match self {
            Machine::Ours(node) => node.handle_datagram(now, from, datagram),
            Machine::Theirs(neighbour) => neighbour.handle_datagram(now, from, datagram),
            Machine::Actor(actor) => actor.handle_datagram(now, from, datagram),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self {
            Machine::Ours(node) => node.handle_timeout(now),
            Machine::Theirs(neighbour) => neighbour.handle_timeout(now),
            Machine::Actor(actor) => actor.handle_timeout(now),
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self {
            Machine::Ours(node) => Some(node.next_timeout()),
            Machine::Theirs(neighbour) => Some(neighbour.next_timeout()),
            Machine::Actor(actor) => actor.next_timeout(),
        }
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        match self {
            Machine::Ours(node) => node.poll_transmit(),
            Machine::Theirs(neighbour) => neighbour.poll_transmit(),
            Machine::Actor(actor) => actor.poll_transmit(),
        }
    }

    pub(crate) fn poll_told(&mut self) -> Option<Told> {
        match self {
            Machine::Ours(node) => node.poll_event().map(Told::Ours),
            Machine::Theirs(neighbour) => neighbour.poll_event().map(Told::Theirs),
            Machine::Actor(_) => None,
        }
    }

    /// Gives it contacts to join through.
    pub fn join(&mut self, now: Instant, contacts: impl IntoIterator<Item = Endpoint>) {
        match self {
            Machine::Ours(node) => node.join(now, contacts),
            Machine::Theirs(neighbour) => neighbour.join(now, contacts),
            Machine::Actor(_) => {}
        }
    }

    /// Its id, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        match self {
            Machine::Ours(node) => Some(node.id(Family::V4)),
            Machine::Theirs(neighbour) => Some(neighbour.id()),
            Machine::Actor(actor) => actor.id(),
        }
    }

    /// The endpoints of its good contacts, for a saved table.
    #[must_use]
    pub fn contacts(&self) -> Vec<Endpoint> {
        match self {
            Machine::Ours(node) => node.contacts().map(|contact| contact.endpoint).collect(),
            Machine::Theirs(neighbour) => neighbour
                .contacts()
                .map(|contact| contact.endpoint)
                .collect(),
            Machine::Actor(_) => Vec::new(),
        }
    }
}
