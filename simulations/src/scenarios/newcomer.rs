//! A shipping node that is watched from its first datagram on: what it asked of whom, and when it
//! first had a node, neighbours, and peers of a torrent.
//!
//! It is an [`Actor`] so that its world gives it every datagram at its time; the node inside is
//! unchanged. Invariant: it looks for one torrent at a time until one look finds peers. Knows
//! nothing of who the others are.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dht::{Endpoint, Event, Family, Health, Id, Node, Transmit};

use crate::machine::Actor;

/// Good contacts that make a neighbourhood: BEP 5's K.
pub const NEIGHBOURS: usize = 8;
/// The pause after a look that found nothing.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of a newcomer; spans count from its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrival {
    /// Until the first node answered.
    pub first_node: Option<Duration>,
    /// Until it had [`NEIGHBOURS`] good contacts.
    pub neighbours: Option<Duration>,
    /// Until a look at a torrent found peers.
    pub peers: Option<Duration>,
    /// Looks that were begun.
    pub looks: u32,
    /// Queries sent to bootstrap nodes.
    pub to_doors: u32,
    /// Queries sent until the first peers, repetitions included.
    pub queries: u32,
}

/// The watched node.
#[derive(Debug)]
pub struct Newcomer {
    node: Node,
    born: Instant,
    doors: Vec<SocketAddr>,
    hashes: Vec<Id>,
    look_at: Option<Instant>,
    arrival: Rc<RefCell<Arrival>>,
}

impl Newcomer {
    /// `node` just joined through contacts of its owner's choice; `doors` are the bootstrap nodes,
    /// `hashes` the torrents that it looks for, the last one first.
    #[must_use]
    pub fn new(node: Node, born: Instant, doors: Vec<SocketAddr>, hashes: Vec<Id>) -> Newcomer {
        let mut newcomer = Newcomer {
            node,
            born,
            doors,
            hashes,
            look_at: None,
            arrival: Rc::default(),
        };
        newcomer.look(born);
        newcomer
    }

    /// What becomes of it, as it goes on.
    #[must_use]
    pub fn arrival(&self) -> Rc<RefCell<Arrival>> {
        Rc::clone(&self.arrival)
    }

    fn look(&mut self, now: Instant) {
        self.look_at = None;
        if let Some(hash) = self.hashes.pop() {
            self.arrival.borrow_mut().looks += 1;
            self.node.get_peers(now, hash);
        }
    }

    /// Writes down what changed.
    fn observe(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.born);
        let mut arrival = self.arrival.borrow_mut();
        if arrival.neighbours.is_none() && self.node.table_len(Family::V4) >= NEIGHBOURS {
            let entries = self.node.buckets(Family::V4).flatten();
            let good = entries.filter(|entry| entry.health(now) == Health::Good);
            arrival.neighbours = (good.count() >= NEIGHBOURS).then_some(age);
        }
        while let Some(event) = self.node.poll_event() {
            match event {
                Event::FirstNode { .. } => {
                    arrival.first_node.get_or_insert(age);
                }
                Event::Peers { .. } => {
                    arrival.peers.get_or_insert(age);
                }
                Event::LookupDone { .. } if arrival.peers.is_none() => {
                    self.look_at = Some(now + PAUSE);
                }
                _ => {}
            }
        }
    }
}

impl Actor for Newcomer {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.node.handle_datagram(now, from, datagram);
        self.observe(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
        if self.look_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
        self.observe(now);
    }

    fn next_timeout(&self) -> Option<Instant> {
        let node = self.node.next_timeout();
        Some(self.look_at.map_or(node, |at| at.min(node)))
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.node.poll_transmit()?;
        let asks = transmit.payload.ends_with(b"1:y1:qe");
        let mut arrival = self.arrival.borrow_mut();
        if asks && arrival.peers.is_none() {
            arrival.queries += 1;
        }
        if asks && self.doors.contains(&transmit.to) {
            arrival.to_doors += 1;
        }
        Some(transmit)
    }

    fn id(&self) -> Option<Id> {
        Some(self.node.id(Family::V4))
    }
}

/// The node's own endpoint type of a socket address.
#[must_use]
pub fn endpoint(address: std::net::SocketAddrV4) -> Endpoint {
    Endpoint::from(SocketAddr::V4(address))
}
