//! Lookups of published torrents and of nodes at a steady rate, in bins of time: how a network does
//! before, during and after something happens to it.
//!
//! Invariant: every lookup counts in the bin in which it was begun, also if it never ends, unless its
//! host left. Recall is against the oracle's truth at the lookup's end, on the asker's side. Knows
//! nothing of what happens to the network.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use dht::{Family, Id};
use rand::RngExt;

use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::oracle;
use crate::population::Population;
use crate::time::Time;
use crate::watch::{Ask, Client, Measured};
use crate::world::HostId;

/// Closest nodes of the truth: BEP 5's K.
const K: usize = 8;
/// Each torrent is announced again so often, as clients do.
const AGAIN: Duration = Duration::from_secs(15 * 60);
/// Published torrents, each by a node of its own.
const TORRENTS: usize = 24;
/// What takes longer has failed: people do not wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a part of the time was like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// When it begins, in seconds since the measuring began.
    pub at: f64,
    /// Lookups begun in it for peers, and those that found any.
    pub gets: (u32, u32),
    /// Lookups begun in it for nodes, and the sum of their recalls.
    pub finds: (u32, f64),
    /// Contacts of all tables at its end, and those at whose endpoint that id lives.
    pub table: (u32, u32),
    /// Nodes that run at its end, and those that know anybody.
    pub nodes: (u32, u32),
    /// Entries of other tables at its end that name an asker and where it lives now; 0 when anybody
    /// asks.
    pub named: u32,
}

impl Bin {
    /// Part of the lookups for peers that found some; `None`: there were none.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        part(f64::from(self.gets.1), self.gets.0)
    }

    /// Mean recall of the lookups for nodes.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        part(self.finds.1, self.finds.0)
    }

    /// Part of the contacts that live.
    #[must_use]
    pub fn fresh(&self) -> Option<f64> {
        part(f64::from(self.table.1), self.table.0)
    }

    /// Part of the nodes that know anybody.
    #[must_use]
    pub fn connected(&self) -> Option<f64> {
        part(f64::from(self.nodes.1), self.nodes.0)
    }
}

fn part(of: f64, all: u32) -> Option<f64> {
    (all > 0).then(|| of / f64::from(all))
}

/// How a network is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Width of a bin.
    pub bin: Duration,
    /// Lookups of each kind a bin: a divisor of its microseconds.
    pub lookups: u32,
}

/// Measures a population while time passes.
#[derive(Debug)]
pub struct Phases {
    /// The network.
    pub people: Population,
    began: Time,
    pulse: Pulse,
    torrents: Vec<Id>,
    announcers: Vec<HostId>,
    announce_at: Time,
    askers: Vec<HostId>,
    bins: BTreeMap<u64, Bin>,
}

impl Phases {
    /// Begins to measure `people`; torrents are published first, by nodes that stay.
    #[must_use]
    pub fn new(mut people: Population, pulse: Pulse) -> Phases {
        let torrents: Vec<Id> = (0..TORRENTS)
            .map(|_| Id::random(people.world.rng()))
            .collect();
        let announcers = torrents
            .iter()
            .map(|_| people.place(Client::Ours, HostClass::Open, Region::EUROPE))
            .collect();
        people.run(PATIENCE);
        let mut phases = Phases {
            began: people.world.now(),
            announce_at: people.world.now(),
            people,
            pulse,
            torrents,
            announcers,
            askers: Vec::new(),
            bins: BTreeMap::new(),
        };
        phases.announce();
        phases.people.run(PATIENCE);
        phases.people.take_measured();
        phases.began = phases.people.world.now();
        phases
    }

    /// The nodes that publish: they are to stay.
    #[must_use]
    pub fn announcers(&self) -> &[HostId] {
        &self.announcers
    }

    /// From now on these ask; if nobody is named, any node does.
    pub fn ask_from(&mut self, askers: Vec<HostId>) {
        self.askers = askers;
    }

    /// Seconds since the measuring began.
    #[must_use]
    pub fn elapsed(&self) -> f64 {
        (self.people.world.now() - self.began).as_secs_f64()
    }

    /// What was measured, in order.
    #[must_use]
    pub fn bins(mut self) -> (Population, Vec<Bin>) {
        self.people.run(PATIENCE);
        self.count();
        (self.people, self.bins.into_values().collect())
    }

    fn announce(&mut self) {
        if self.people.world.now() < self.announce_at {
            return;
        }
        self.announce_at = self.people.world.now() + AGAIN;
        for (host, torrent) in self.announcers.iter().zip(&self.torrents) {
            self.people.look_up(*host, *torrent, Ask::Announce(6881));
        }
    }

    /// Lets whole bins pass.
    pub fn run(&mut self, time: Duration) {
        let bins = time.as_micros() / self.pulse.bin.as_micros();
        for _ in 0..bins {
            let begin = self.people.world.now();
            for _ in 0..self.pulse.lookups {
                self.announce();
                self.ask();
                self.people.run(self.pulse.bin / self.pulse.lookups);
                self.count();
            }
            let state = self.state();
            let bin = self.bin(begin);
            (bin.table, bin.nodes, bin.named) = state;
        }
    }

    fn bin(&mut self, at: Time) -> &mut Bin {
        let number = ((at - self.began).as_micros() / self.pulse.bin.as_micros()) as u64;
        let width = self.pulse.bin.as_secs_f64();
        self.bins.entry(number).or_insert_with(|| Bin {
            at: number as f64 * width,
            ..Bin::default()
        })
    }

    /// One node looks for the peers of a torrent, another for the nodes near a random target.
    fn ask(&mut self) {
        let now = self.people.world.now();
        let torrent = self.people.world.rng().random_range(0..TORRENTS);
        let target = Id::random(self.people.world.rng());
        for (target, ask) in [(self.torrents[torrent], Ask::Peers), (target, Ask::Nodes)] {
            let Some(asker) = self.asker() else { continue };
            if !self.people.look_up(asker, target, ask) {
                continue;
            }
            let bin = self.bin(now);
            match ask {
                Ask::Nodes => bin.finds.0 += 1,
                Ask::Peers | Ask::Announce(_) => bin.gets.0 += 1,
            }
        }
    }

    fn asker(&mut self) -> Option<HostId> {
        if self.askers.is_empty() {
            let asker = self.people.any(Client::Ours);
            // The lookups of announcers are their announcements.
            return asker.filter(|asker| !self.announcers.contains(asker));
        }
        let which = self.people.world.rng().random_range(0..self.askers.len());
        Some(self.askers[which])
    }

    fn count(&mut self) {
        for done in self.people.take_measured() {
            if self.announcers.contains(&done.host) {
                continue;
            }
            let get = self.torrents.contains(&done.target);
            let recall = self.recall(&done);
            let bin = self.bin(done.started);
            match (get, done.elapsed) {
                (true, None) => bin.gets.0 -= 1,
                (false, None) => bin.finds.0 -= 1,
                (true, Some(_)) => {
                    let found = done.first_peer.is_some_and(|time| time <= PATIENCE);
                    bin.gets.1 += u32::from(found);
                }
                (false, Some(time)) if time <= PATIENCE => bin.finds.1 += recall,
                (false, Some(_)) => {}
            }
        }
    }

    fn recall(&self, done: &Measured) -> f64 {
        let world = &self.people.world;
        let side = world.host(done.host).side;
        let here = world
            .reachable_ids()
            .filter(|(host, _)| world.host(*host).side == side && *host != done.host)
            .map(|(_, id)| id);
        oracle::recall(&oracle::closest(here, &done.target, K), &done.closest)
    }

    /// Contacts (all, right), nodes (all, connected), and entries that name the askers.
    fn state(&self) -> ((u32, u32), (u32, u32), u32) {
        let world = &self.people.world;
        let mut ids: Vec<Option<Id>> = vec![None; world.hosts() as usize];
        for (host, machine) in world.running() {
            ids[host as usize] = machine.id();
        }
        let (mut table, mut nodes, mut named) = ((0, 0), (0, 0), 0);
        for (owner, node) in world.nodes() {
            nodes.0 += 1;
            nodes.1 += u32::from(node.table_len(Family::V4) > 0);
            for entry in node.buckets(Family::V4).flatten() {
                table.0 += 1;
                let SocketAddr::V4(at) = entry.contact.endpoint.into() else {
                    continue;
                };
                let Some(host) = world.host_at(at) else {
                    continue;
                };
                let same_side = world.host(host).side == world.host(owner).side;
                if same_side && ids[host as usize] == Some(entry.contact.id) {
                    table.1 += 1;
                    named += u32::from(self.askers.contains(&host));
                }
            }
        }
        (table, nodes, named)
    }
}
