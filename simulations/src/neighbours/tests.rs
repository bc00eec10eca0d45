//! Neighbours in a little network of fixed delay, and in scripted conversations.
//!
//! Invariant: what is delivered when depends on nothing but the number of nodes and their kind.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dht::Id;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{Event, Kind, Neighbour, Report};
use crate::time::{Clock, Time};

mod bounds;
mod conversations;
mod network;

pub(super) const KINDS: [Kind; 6] = [
    Kind::Libtorrent,
    Kind::Mldht,
    Kind::Jech,
    Kind::Flood,
    Kind::Natted,
    Kind::Bep5,
];

/// One way.
const DELAY: Duration = Duration::from_millis(50);

/// When the lab begins.
pub(super) fn beginning() -> Instant {
    Clock::default().instant(Time::ZERO)
}

/// Each in a /16 of its own.
pub(super) fn address(at: usize) -> SocketAddr {
    let at = u8::try_from(at).expect("labs are small");
    SocketAddr::from(([20, at, 7, 1], 6_881))
}

/// Neighbours at a fixed distance of each other.
pub(super) struct Lab {
    pub(super) now: Instant,
    pub(super) nodes: Vec<Neighbour>,
    dead: Vec<usize>,
    /// By time and order of sending: from, to, bytes.
    wire: BTreeMap<(Instant, u64), (usize, usize, Vec<u8>)>,
    sent: u64,
    /// When, at whom, what.
    pub(super) seen: Vec<(Instant, usize, Event)>,
}

impl Lab {
    /// So many of a kind that have joined by the first ten minutes ago.
    pub(super) fn warm(kind: Kind, nodes: usize) -> Lab {
        let now = beginning();
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let node = |at: usize| {
            let seed = [u8::try_from(at).expect("labs are small"); 32];
            Neighbour::new(kind, Id::random(&mut rng), seed, now)
        };
        let mut lab = Lab {
            now,
            nodes: (0..nodes).map(node).collect(),
            dead: Vec::new(),
            wire: BTreeMap::new(),
            sent: 0,
            seen: Vec::new(),
        };
        for at in 1..nodes {
            let now = lab.now;
            lab.nodes[at].join(now, [address(0).into()]);
            lab.flush(at);
            lab.run(Duration::from_secs(1));
        }
        lab.run(Duration::from_secs(600));
        lab
    }

    /// Nothing reaches it any more, and it sends nothing.
    pub(super) fn kill(&mut self, at: usize) {
        self.dead.push(at);
    }

    /// Takes what a node has to say.
    pub(super) fn flush(&mut self, at: usize) {
        while let Some(transmit) = self.nodes[at].poll_transmit() {
            let to = (0..self.nodes.len()).find(|to| address(*to) == transmit.to);
            if let Some(to) = to {
                let key = (self.now + DELAY, self.sent);
                self.wire.insert(key, (at, to, transmit.payload));
                self.sent += 1;
            }
        }
        while let Some(event) = self.nodes[at].poll_event() {
            self.seen.push((self.now, at, event));
        }
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let timer = (0..self.nodes.len())
                .filter(|at| !self.dead.contains(at))
                .map(|at| (self.nodes[at].next_timeout(), at))
                .min();
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let next = arrival.into_iter().chain(timer.map(|(at, _)| at)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (from, to, bytes)) = self.wire.pop_first().expect("it has an arrival");
                if !self.dead.contains(&to) {
                    self.nodes[to].handle_datagram(self.now, address(from), &bytes);
                    self.flush(to);
                }
            } else if let Some((_, at)) = timer {
                self.nodes[at].handle_timeout(self.now);
                self.flush(at);
            }
        }
        self.now = end;
    }

    /// The nodes that live, closest to `target` first.
    pub(super) fn closest(&self, target: &Id) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|at| target.distance(&self.nodes[*at].id()));
        order.retain(|at| !self.dead.contains(at));
        order
    }

    /// When `lookup` of a node found its first peers and when it ended, since `begun`.
    pub(super) fn outcome(
        &self,
        at: usize,
        lookup: u64,
        begun: Instant,
    ) -> (Option<Duration>, Option<(Duration, Report)>) {
        let (mut first, mut done) = (None, None);
        for (when, who, event) in &self.seen {
            let took = when.saturating_duration_since(begun);
            match event {
                Event::Peers { lookup: name, .. } if *who == at && *name == lookup => {
                    first = first.or(Some(took));
                }
                Event::Done {
                    lookup: name,
                    report,
                } if *who == at && *name == lookup => {
                    done = Some((took, report.clone()));
                }
                _ => {}
            }
        }
        (first, done)
    }
}
