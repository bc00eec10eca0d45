//! Nodes, one virtual clock, and everything that is on its way.
//!
//! Invariant: happenings are handled in the order of their time, ties in the order in which they
//! were scheduled; so a run is determined by the seed. Each node has an address of its own, from
//! which its index can be read back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use dht::{Config, Endpoint, Event, Families, Node};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::network::Network;

/// The first node's address: an ordinary public one, followed by those of the others.
const FIRST: u32 = 0x1400_0000;
/// Everybody's port.
const PORT: u16 = 6881;

/// What happens at a time. The order of variants does not matter: sequence numbers differ.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Arrival {
        from: usize,
        to: usize,
        payload: Vec<u8>,
    },
    Timer(usize),
}

/// A network of nodes in virtual time.
#[derive(Debug)]
pub struct World {
    start: Instant,
    now: Instant,
    network: Network,
    /// `None`: has left.
    nodes: Vec<Option<Node>>,
    /// Of each node, the earliest timer that is scheduled.
    timers: Vec<Option<Instant>>,
    agenda: BinaryHeap<Reverse<(Instant, u64, Happening)>>,
    sequence: u64,
    events: Vec<(usize, Event)>,
    rng: ChaCha8Rng,
    delivered: u64,
    digest: u64,
}

/// The address of node `index`.
#[must_use]
pub fn address(index: usize) -> SocketAddr {
    let offset = u32::try_from(index).expect("a world has fewer than 2^32 nodes");
    SocketAddr::from((Ipv4Addr::from(FIRST + offset), PORT))
}

fn index(address: SocketAddr) -> Option<usize> {
    match address {
        SocketAddr::V4(address) => u32::from(*address.ip())
            .checked_sub(FIRST)
            .map(|n| n as usize),
        SocketAddr::V6(_) => None,
    }
}

impl World {
    /// An empty world. `start` is any instant: only differences matter.
    #[must_use]
    pub fn new(seed: u64, network: Network, start: Instant) -> World {
        World {
            start,
            now: start,
            network,
            nodes: Vec::new(),
            timers: Vec::new(),
            agenda: BinaryHeap::new(),
            sequence: 0,
            events: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            delivered: 0,
            // FNV-1a's offset basis.
            digest: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Adds a node that joins through the nodes `contacts`; returns its index.
    pub fn add(&mut self, contacts: &[usize]) -> usize {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let config = Config {
            families: Families::V4,
            ..Config::default()
        };
        let mut node = Node::new(config, seed, self.now);
        node.join(
            self.now,
            contacts
                .iter()
                .map(|contact| Endpoint::from(address(*contact))),
        );
        self.nodes.push(Some(node));
        self.timers.push(None);
        let index = self.nodes.len() - 1;
        self.drain(index);
        index
    }

    /// Takes a node away without a word, as nodes leave.
    pub fn remove(&mut self, index: usize) {
        if let Some(node) = self.nodes.get_mut(index) {
            *node = None;
        }
    }

    /// Gives a node a command; `None` if it has left.
    pub fn with<T>(
        &mut self,
        index: usize,
        command: impl FnOnce(&mut Node, Instant) -> T,
    ) -> Option<T> {
        let node = self.nodes.get_mut(index)?.as_mut()?;
        let result = command(node, self.now);
        self.drain(index);
        Some(result)
    }

    /// Lets `time` pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(Reverse((at, _, _))) = self.agenda.peek()
            && *at <= end
            && let Some(Reverse((at, _, happening))) = self.agenda.pop()
        {
            self.now = at;
            match happening {
                Happening::Arrival { from, to, payload } => self.deliver(from, to, &payload),
                Happening::Timer(index) => self.wake(index),
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, from: usize, to: usize, payload: &[u8]) {
        self.delivered += 1;
        let elapsed = u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX);
        for byte in elapsed.to_be_bytes().iter().chain(payload) {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.with(to, |node, now| {
            node.handle_datagram(now, address(from), payload)
        });
    }

    fn wake(&mut self, index: usize) {
        // A timer that was overtaken by an earlier one is not the node's timer any more.
        if self.timers.get(index).copied().flatten() == Some(self.now) {
            self.timers[index] = None;
            self.with(index, Node::handle_timeout);
        }
    }

    /// Takes what a node queued, and schedules its next timer.
    fn drain(&mut self, index: usize) {
        let Some(Some(node)) = self.nodes.get_mut(index) else {
            return;
        };
        while let Some(event) = node.poll_event() {
            self.events.push((index, event));
        }
        let due = node.next_timeout().max(self.now);
        let mut sent = Vec::new();
        while let Some(transmit) = node.poll_transmit() {
            sent.push(transmit);
        }
        for transmit in sent {
            let Some(to) = self::index(transmit.to) else {
                continue;
            };
            if let Some(delay) = self.network.carry(index, to, &mut self.rng) {
                let payload = transmit.payload;
                let arrival = Happening::Arrival {
                    from: index,
                    to,
                    payload,
                };
                self.schedule(self.now + delay, arrival);
            }
        }
        if self.timers[index].is_none_or(|timer| due < timer) {
            self.timers[index] = Some(due);
            self.schedule(due, Happening::Timer(index));
        }
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.sequence += 1;
        self.agenda.push(Reverse((at, self.sequence, happening)));
    }

    /// The events since the last call, each with the index of its node.
    pub fn take_events(&mut self) -> Vec<(usize, Event)> {
        std::mem::take(&mut self.events)
    }

    /// The nodes that have not left, with their indices.
    pub fn nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, node.as_ref()?)))
    }

    /// Virtual time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.duration_since(self.start)
    }

    /// Datagrams that arrived anywhere.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// A hash of every datagram and its time: equal for equal runs.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// A generator of the world's own randomness, for choices of a scenario.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }
}
