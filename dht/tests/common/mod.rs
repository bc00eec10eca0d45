//! A network of nodes in virtual time: a queue of datagrams in flight, a fixed latency, seeded loss.

#![allow(
    clippy::disallowed_methods,
    dead_code,
    missing_docs,
    reason = "a test drives the clock, and uses a part"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trackless_dht::{Config, Endpoint, Event, Id, Node, Transmit};

/// One way.
pub(crate) const LATENCY: Duration = Duration::from_millis(50);

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) start: Instant,
    pub(crate) nodes: BTreeMap<SocketAddr, Node>,
    pub(crate) events: Vec<(SocketAddr, Event)>,
    /// Of a thousand datagrams, so many are lost.
    pub(crate) loss: u32,
    /// Of a thousand datagrams, so many arrive twice.
    pub(crate) doubled: u32,
    /// How much later than [`LATENCY`] a datagram arrives at most: more than nothing, and some overtake others.
    pub(crate) jitter: Duration,
    pub(crate) delivered: u64,
    pub(crate) digest: u64,
    flying: BTreeMap<(Instant, u64), (SocketAddr, Transmit)>,
    rng: ChaCha8Rng,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        let now = Instant::now();
        World {
            now,
            start: now,
            nodes: BTreeMap::new(),
            events: Vec::new(),
            loss: 0,
            doubled: 0,
            jitter: Duration::ZERO,
            delivered: 0,
            digest: 0xcbf2_9ce4_8422_2325,
            flying: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Adds a node that joins through `contacts`.
    pub(crate) fn add(&mut self, address: SocketAddr, config: Config, contacts: &[SocketAddr]) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let mut node = Node::new(config, seed, self.now);
        node.join(
            self.now,
            contacts.iter().map(|contact| Endpoint::from(*contact)),
        );
        self.nodes.insert(address, node);
        self.drain(address);
    }

    /// The node neither hears nor speaks from now on.
    pub(crate) fn kill(&mut self, address: SocketAddr) {
        self.nodes.remove(&address);
    }

    /// Calls a command of a node and sends what it queued.
    pub(crate) fn with<T>(
        &mut self,
        address: SocketAddr,
        command: impl FnOnce(&mut Node, Instant) -> T,
    ) -> T {
        let now = self.now;
        let result = command(
            self.nodes.get_mut(&address).expect("a node of the world"),
            now,
        );
        self.drain(address);
        result
    }

    fn drain(&mut self, address: SocketAddr) {
        let node = self.nodes.get_mut(&address).expect("a node of the world");
        while let Some(transmit) = node.poll_transmit() {
            let lost = self.rng.random_range(0..1000) < self.loss;
            if lost {
                continue;
            }
            // Chance is asked only where it is wanted: the other worlds stay as they are.
            let doubled = self.doubled > 0 && self.rng.random_range(0..1000) < self.doubled;
            for _ in 0..=u32::from(doubled) {
                let late = if self.jitter.is_zero() {
                    Duration::ZERO
                } else {
                    self.rng.random_range(Duration::ZERO..self.jitter)
                };
                let mut key = (
                    self.now + LATENCY + late,
                    self.delivered + self.flying.len() as u64,
                );
                while self.flying.contains_key(&key) {
                    key.1 += 1;
                }
                self.flying.insert(key, (address, transmit.clone()));
            }
        }
        while let Some(event) = node.poll_event() {
            self.events.push((address, event));
        }
    }

    /// Runs for a while.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        self.run_until(end, |_| false);
        self.now = end;
    }

    /// Runs until `over` or `end`.
    pub(crate) fn run_until(&mut self, end: Instant, over: impl Fn(&World) -> bool) {
        while !over(self) {
            let timer = self
                .nodes
                .iter()
                .map(|(at, node)| (node.next_timeout(), *at))
                .min();
            let flight = self.flying.keys().next().copied();
            match (timer, flight) {
                (timer, Some(key)) if timer.is_none_or(|(at, _)| key.0 <= at) => {
                    if key.0 > end {
                        return;
                    }
                    self.now = self.now.max(key.0);
                    let (from, transmit) = self.flying.remove(&key).expect("the first in flight");
                    self.deliver(from, &transmit);
                }
                (Some((at, address)), _) => {
                    if at > end {
                        return;
                    }
                    self.now = self.now.max(at);
                    self.with(address, Node::handle_timeout);
                    let next = self.nodes[&address].next_timeout();
                    assert!(
                        next > self.now,
                        "a timeout that is handled lies in the future"
                    );
                }
                _ => return,
            }
        }
    }

    fn deliver(&mut self, from: SocketAddr, transmit: &Transmit) {
        self.delivered += 1;
        assert!(transmit.payload.len() <= 1_400, "fits into a datagram");
        let at = self.now.duration_since(self.start).as_nanos() as u64;
        let stamp = at.to_be_bytes();
        for byte in stamp.iter().chain(&transmit.payload) {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.nodes.contains_key(&transmit.to) {
            self.with(transmit.to, |node, now| {
                node.handle_datagram(now, from, &transmit.payload);
            });
        }
    }

    /// The eight nodes whose ids are closest to `target`, in truth.
    pub(crate) fn truth(&self, target: &Id) -> Vec<SocketAddr> {
        let mut all: Vec<_> = self
            .nodes
            .iter()
            .map(|(at, node)| (node.id(trackless_dht::Family::V4).distance(target), *at))
            .collect();
        all.sort();
        all.into_iter().take(8).map(|(_, at)| at).collect()
    }
}

/// The address of the `n`th node: every one in a /16 of its own.
pub(crate) fn place(n: u32) -> SocketAddr {
    let [.., high, low] = n.to_be_bytes();
    SocketAddr::from(([20 + high, low, 5, 7], 6881))
}
