//! The network that is attacked, and what its people find.
//!
//! Shipping nodes behind everyday NATs, with loss and churn; attackers beside them, who are open and
//! stay. Invariant: only honest nodes announce and ask. Knows none of the attacks.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use dht::{Family, Id};

use super::liars::{Liar, Ring};
use crate::machine::Machine;
use crate::model::Internet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::population::{self, Population};
use crate::report::Distribution;
use crate::watch::{Ask, Client, Measured};
use crate::world::HostId;

/// What takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// Measured lookups are begun so far apart.
const APART: Duration = Duration::from_millis(200);

/// A network with its attackers.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) people: Population,
    pub(super) ring: Ring,
    liars: Vec<HostId>,
    networks: u8,
}

/// What lookups for peers found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gets {
    /// Lookups.
    pub asked: u32,
    /// Those that found an honest peer.
    pub found: u32,
    /// Seconds until the first peer, of those that found one.
    pub first: Distribution,
}

impl Gets {
    /// Counts others' lookups among these.
    pub(super) fn add(&mut self, other: &Gets) {
        self.asked += other.asked;
        self.found += other.found;
        let first = self.first.sorted().iter().chain(other.first.sorted());
        self.first = first.copied().collect();
    }

    /// Part that found an honest peer.
    #[must_use]
    pub fn success(&self) -> f64 {
        f64::from(self.found) / f64::from(self.asked.max(1))
    }
}

impl Field {
    pub(super) fn new(nodes: u32, seed: u64, settled: Duration) -> Field {
        let mut people = Population::new(population::Plan {
            internet: Internet::default(),
            ..population::Plan::calm(nodes, seed)
        });
        people.grow(settled);
        Field {
            people,
            ring: Ring::default(),
            liars: Vec::new(),
            networks: 0,
        }
    }

    /// Where everybody lives that runs, attackers excepted.
    pub(super) fn everybody(&self) -> Vec<SocketAddr> {
        let world = &self.people.world;
        let honest = world.nodes().map(|(host, _)| world.host(host).endpoint());
        honest.map(SocketAddr::V4).collect()
    }

    /// Where the nodes live whose ids are closest to `target`.
    pub(super) fn nearest(&self, target: &Id, count: usize) -> Vec<SocketAddr> {
        let world = &self.people.world;
        let of = |(host, node): (HostId, &dht::Node)| (node.id(Family::V4).distance(target), host);
        let mut honest: Vec<_> = world.nodes().map(of).collect();
        honest.sort_unstable();
        let near = honest.into_iter().take(count);
        near.map(|(_, host)| SocketAddr::V4(world.host(host).endpoint()))
            .collect()
    }

    /// An attacker with this id joins the ring and talks to `victims`. In the network `slash_24` of
    /// those that the ring rents, if it is to live in one.
    pub(super) fn attack(&mut self, id: Id, slash_24: Option<u8>, victims: Vec<SocketAddr>) {
        let world = &mut self.people.world;
        let host = world.settle_in(HostClass::Open, Region::EUROPE);
        if let Some(network) = slash_24 {
            let taken = (1..=254)
                .map(|last| Ipv4Addr::new(45, 33, self.networks + network, last))
                .any(|ip| world.move_to(host, ip).is_some());
            debug_assert!(taken, "an address is left in the /24");
        }
        self.ring.add(id, world.host(host).endpoint());
        let liar = Liar::new(id, self.ring.clone(), victims, world.instant());
        world.start(host, Machine::Actor(Box::new(liar)));
        self.liars.push(host);
    }

    /// The ring is caught; the next one knows nothing of it.
    pub(super) fn disband(&mut self, networks: u8) {
        for host in self.liars.drain(..) {
            self.people.world.stop(host);
        }
        self.networks += networks;
        self.ring = Ring::default();
    }

    /// A node that stays announces `torrent`.
    pub(super) fn publish(&mut self, torrent: Id) {
        let host = self.stays();
        self.people.run(PATIENCE);
        self.people.look_up(host, torrent, Ask::Announce(6881));
    }

    /// A new open node that stays.
    pub(super) fn stays(&mut self) -> HostId {
        self.people
            .place(Client::Ours, HostClass::Open, Region::EUROPE)
    }

    /// Lookups of these torrents, in turn, by `asker` or anybody.
    pub(super) fn gets(&mut self, torrents: &[Id], count: usize, asker: Option<HostId>) -> Gets {
        self.people.run(PATIENCE);
        self.people.take_measured();
        for number in 0..count {
            let torrent = torrents[number % torrents.len()];
            if let Some(host) = asker.or_else(|| self.people.any(Client::Ours)) {
                self.people.look_up(host, torrent, Ask::Peers);
            }
            self.people.run(APART);
        }
        self.people.run(PATIENCE);
        let done = self.people.take_measured();
        let stayed = |done: &&Measured| done.elapsed.is_some();
        let first: Distribution = done.iter().filter_map(|done| done.first_peer).collect();
        Gets {
            asked: done.iter().filter(stayed).count() as u32,
            found: done
                .iter()
                .filter(stayed)
                .filter(|d| d.first_peer.is_some())
                .count() as u32,
            first,
        }
    }

    /// The attackers' part of all tables.
    pub(super) fn table_share(&self) -> f64 {
        let (mut all, mut bad) = (0_u32, 0_u32);
        for (_, node) in self.people.world.nodes() {
            for entry in node.buckets(Family::V4).flatten() {
                all += 1;
                bad += u32::from(self.ring.has(&entry.contact.id));
            }
        }
        f64::from(bad) / f64::from(all.max(1))
    }
}
