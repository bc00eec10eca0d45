//! The background network of a lab: a simulated population, hashes that it stores, and its deaths.
//!
//! It grows as fast as the machine can, before any client starts. Nobody comes or goes, so that every
//! minute of a lab is like every other, but for the share that dies at one moment, after the clients
//! have met the network. Hashes are stored by those who will live, 80 % of the eight closest, chosen
//! by chance. Invariant: the bootstrap nodes live.

use std::collections::VecDeque;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use dht::{Endpoint, Id};
use rand::RngExt;

use crate::machine::Machine;
use crate::model::Internet;
use crate::model::nat::{Classes, HostClass};
use crate::model::regions::Region;
use crate::model::sessions::Sessions;
use crate::oracle;
use crate::population::{self, Population, Workload};
use crate::publisher::Publisher;
use crate::random;
use crate::world::HostId;

/// Nodes that store an announcement (BEP 5: those closest to the hash).
const HOLDERS: usize = 8;
/// Of those, so many have it (dht.md §5.2).
const PRESENT: f64 = 0.8;
/// Time for the announcements.
const SETTLING: Duration = Duration::from_secs(20);

/// What the network is made from.
#[derive(Clone, Debug)]
pub struct Ground {
    /// Nodes before the deaths.
    pub nodes: u32,
    /// Of everything random in it; real clients are not.
    pub seed: u64,
    /// Share that dies, 0 to 1.
    pub dead: f64,
    /// Virtual time to grow in.
    pub growth: Duration,
    /// Hashes that are stored.
    pub hashes: usize,
}

/// A network that has grown.
#[derive(Debug)]
pub struct Network {
    /// Who lives in it.
    pub people: Population,
    doomed: Vec<HostId>,
    hashes: VecDeque<Id>,
}

impl Network {
    /// Grows one, with its hashes.
    #[must_use]
    pub fn grow(ground: &Ground) -> Network {
        let internet = Internet {
            classes: Classes::open(),
            sessions: Sessions::none(),
            ..Internet::default()
        };
        let mut people = Population::new(population::Plan {
            arrival: ground.growth / 2,
            internet,
            workload: Workload { lookups: 1.0 },
            ..population::Plan::reference(ground.nodes, ground.seed)
        });
        people.grow(ground.growth / 2);
        let mut network = Network {
            people,
            doomed: Vec::new(),
            hashes: VecDeque::new(),
        };
        network.doom(ground.dead);
        network.publish(ground.hashes);
        network
    }

    /// Chooses who is going to die.
    fn doom(&mut self, share: f64) {
        let spared: Vec<HostId> = self.people.bootstrap().collect();
        let world = &mut self.people.world;
        let all: Vec<HostId> = world.running().map(|(host, _)| host).collect();
        self.doomed = all
            .into_iter()
            .filter(|host| !spared.contains(host) && random::happens(share, world.rng()))
            .collect();
    }

    fn publish(&mut self, count: usize) {
        let world = &mut self.people.world;
        let all = world.reachable_ids();
        let living: Vec<(HostId, Id)> = all
            .filter(|(host, _)| self.doomed.binary_search(host).is_err())
            .collect();
        for _ in 0..count {
            let [id, own] = [(); 2].map(|()| Id::random(world.rng()));
            let closest = oracle::closest(living.iter().map(|(_, id)| *id), &id, HOLDERS);
            let mut holders: Vec<Endpoint> = living
                .iter()
                .filter(|(_, id)| closest.contains(id))
                .map(|(host, _)| Endpoint::from(SocketAddr::V4(world.host(*host).endpoint())))
                .collect();
            let certain = holders[world.rng().random_range(0..holders.len())];
            holders.retain(|at| *at == certain || random::happens(PRESENT, world.rng()));
            let host = world.settle_in(HostClass::Open, Region::EUROPE);
            let (publisher, _) = Publisher::new(world.instant(), own, (id, 51_413), &holders);
            world.start(host, Machine::Actor(Box::new(publisher)));
            self.hashes.push_back(id);
        }
        self.people.run(SETTLING);
    }

    /// A hash that the network stores and that nobody has asked for.
    pub fn next_hash(&mut self) -> Option<Id> {
        self.hashes.pop_front()
    }

    /// Those who are doomed die, without a word; how many they are.
    pub fn die(&mut self) -> usize {
        let doomed = std::mem::take(&mut self.doomed);
        for host in &doomed {
            // Not through the population, which would call newcomers.
            self.people.world.stop(*host);
        }
        doomed.len()
    }

    /// Where newcomers knock.
    #[must_use]
    pub fn bootstrap(&self) -> Vec<SocketAddrV4> {
        let endpoint = |host| self.people.world.host(host).endpoint();
        self.people.bootstrap().map(endpoint).collect()
    }
}
