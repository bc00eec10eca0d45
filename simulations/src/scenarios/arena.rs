//! A network in which clients are compared: they live in it side by side, and a share of it dies.
//!
//! - A network of open hosts without churn grows for twelve minutes, with the clients among it.
//! - A share of the nodes is chosen to die, evenly. Hashes are announced directly to those 80 % of
//!   the eight closest nodes that stay which chance chooses, so no client's walk is favoured.
//! - The chosen nodes are closed for good, all at once: all tables name them, and nobody knows yet.
//! - Every client does the same things from open hosts in Europe, to whose wires the arena listens;
//!   each client has hosts at the same places.
//!
//! Invariant: the clients that are compared and the bootstrap nodes live. It measures lookups and
//! their floors; what is asked and how it is shown is the scenarios' business.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dht::{Endpoint, Family, Id, Tuning};
use rand::RngExt;

use crate::flood::{Flood, Progress};
use crate::machine::Machine;
use crate::model::Internet;
use crate::model::nat::{Classes, HostClass};
use crate::model::regions::Region;
use crate::model::sessions::Sessions;
use crate::neighbours::Kind;
use crate::oracle;
use crate::population::{self, Population};
use crate::publisher::Publisher;
use crate::random;
use crate::report::Run;
use crate::watch::{Ask, Client, Measured};
use crate::world::HostId;

/// Nodes that store an announcement (BEP 5: those closest to the hash).
pub(super) const HOLDERS: usize = 8;
/// Of those, so many have it (dht.md §5.2).
const PRESENT: f64 = 0.8;
/// Everybody arrives within this time, and knows each other after that one.
const ARRIVAL: Duration = Duration::from_secs(300);
const REST: Duration = Duration::from_secs(450);
/// Between the announcements and the death of the doomed.
pub(super) const SETTLING: Duration = Duration::from_secs(600);
/// Nodes that ours remembers beside its table and that a flood begins with: those nearest to the hash.
const REMEMBERED: usize = 64;
/// Between two floods.
const BETWEEN_FLOODS: Duration = Duration::from_millis(100);
/// Time for the last flood.
const FLOODING: Duration = Duration::from_secs(4);

/// The neighbours that are compared. One behind a NAT looks up like one in the open.
pub(super) const NEIGHBOURS: [Kind; 5] = [
    Kind::Libtorrent,
    Kind::Mldht,
    Kind::Jech,
    Kind::Flood,
    Kind::Bep5,
];

/// The shipping node and all neighbours.
pub(super) fn everybody() -> Vec<Client> {
    let theirs = NEIGHBOURS.map(Client::Theirs);
    [Client::Ours].into_iter().chain(theirs).collect()
}

/// The clients that are to be compared are a minority of `nodes`: so many hosts of each, at most `hosts`.
pub(super) fn minority(hosts: u32, nodes: u32, clients: &[Client]) -> u32 {
    let compared = u32::try_from(clients.len()).expect("few clients").max(1);
    hosts.min(nodes / (3 * compared)).max(1)
}

/// What an arena is made from.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    /// Nodes, the compared ones included.
    pub(super) nodes: u32,
    /// Determines everything.
    pub(super) seed: u64,
    /// Shipping nodes in the network beside the compared ones, 0 to 1.
    pub(super) ours: f64,
    /// Who is compared.
    pub(super) clients: Vec<Client>,
    /// Hosts of each.
    pub(super) hosts: u32,
    /// The tunings of `Client::Tuned`.
    pub(super) variants: Vec<Tuning>,
}

/// How a client's hosts take turns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    /// Things that each host does, one after the other.
    pub(super) rounds: u32,
    /// Between two of them, on average.
    pub(super) pause: Duration,
    /// Time for the last ones.
    pub(super) last: Duration,
}

/// A hash that the clients deal with.
#[derive(Debug)]
pub(super) struct Hash {
    pub(super) id: Id,
    stored: Rc<Cell<u32>>,
    /// The closest nodes that live on.
    pub(super) truth: Vec<Id>,
}

/// A network with the clients to compare in it.
#[derive(Debug)]
pub(super) struct Arena {
    pub(super) people: Population,
    clients: Vec<Client>,
    /// The hosts of each client, in the order of the ground.
    pub(super) hosts: Vec<Vec<HostId>>,
    pub(super) hashes: Vec<Hash>,
    doomed: Vec<HostId>,
}

/// A lookup's beginning: who looks for what, knowing whom.
#[derive(Debug)]
pub(super) struct Begin {
    pub(super) client: Client,
    host: HostId,
    target: Id,
    contacts: Vec<Endpoint>,
}

/// What one flood needed.
#[derive(Debug)]
pub(super) struct Floor {
    pub(super) client: Client,
    pub(super) contacts: u64,
    pub(super) first: Option<Duration>,
    pub(super) asked: u32,
}

/// What was seen in one or several arenas.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) measured: Vec<Measured>,
    pub(super) floors: Vec<Floor>,
    /// The closest living nodes of each hash.
    pub(super) truths: BTreeMap<Id, Vec<Id>>,
}

impl Seen {
    /// The lookups of one client.
    pub(super) fn of(&self, client: Client) -> impl Iterator<Item = &Measured> {
        let own = move |one: &&Measured| one.client == client;
        self.measured.iter().filter(own)
    }

    /// Which part of the truly closest nodes is among these.
    pub(super) fn recall(&self, target: &Id, found: &[Id]) -> f64 {
        let truth = self.truths.get(target);
        truth.map_or(0.0, |truth| oracle::recall(truth, found))
    }
}

/// What a lookup of `target` may begin with: the table, and what is remembered beside it nearby.
fn known(machine: &Machine, now: Instant, target: &Id) -> Vec<Endpoint> {
    let mut contacts = machine.contacts();
    if let Machine::Ours(node) = machine {
        let beside = node.remembered(now, Family::V4, target, REMEMBERED);
        contacts.extend(beside.iter().map(|contact| contact.endpoint));
        contacts.sort_unstable();
        contacts.dedup();
    }
    contacts
}

/// The sum over the count; 0 of nothing.
pub(super) fn mean(sum: u64, count: usize) -> f64 {
    sum as f64 / count.max(1) as f64
}

impl Arena {
    /// Lets the network grow.
    pub(super) fn grow(ground: &Ground) -> Arena {
        let internet = Internet {
            classes: Classes::open(),
            sessions: Sessions::none(),
            ..Internet::default()
        };
        let clients = u32::try_from(ground.clients.len()).expect("few clients");
        let measured = ground.hosts * clients;
        let (nodes, seed) = (ground.nodes, ground.seed);
        let mut people = Population::new(population::Plan {
            nodes: nodes.saturating_sub(measured).max(population::BOOTSTRAP),
            arrival: ARRIVAL,
            ours: ground.ours,
            internet,
            variants: ground.variants.clone(),
            ..population::Plan::reference(nodes, seed)
        });
        people.run(people.plan().arrival / 2);
        // Whoever arrives first looks around before the others are there: they come host by host, in turns.
        let mut hosts: Vec<Vec<HostId>> = vec![Vec::new(); ground.clients.len()];
        for number in 0..ground.hosts as usize {
            let mut first = None;
            for turn in 0..ground.clients.len() {
                people.run(Duration::from_millis(200));
                let place = (number + turn) % ground.clients.len();
                let client = ground.clients[place];
                // Each client has the same places and lines: they are to differ in nothing else.
                let host = match first {
                    Some(first) => people.place_beside(client, first),
                    None => people.place(client, HostClass::Open, Region::EUROPE),
                };
                first.get_or_insert(host);
                people.world.tap(host);
                hosts[place].push(host);
            }
        }
        people.grow(REST);
        Arena {
            people,
            clients: ground.clients.clone(),
            hosts,
            hashes: Vec::new(),
            doomed: Vec::new(),
        }
    }

    /// Chooses who is going to die.
    pub(super) fn doom(&mut self, dead: f64) {
        let mut spared: Vec<HostId> = self.hosts.concat();
        spared.extend(self.people.bootstrap());
        spared.sort_unstable();
        let world = &mut self.people.world;
        let all: Vec<HostId> = world.running().map(|(host, _)| host).collect();
        let mortal = all
            .into_iter()
            .filter(|host| spared.binary_search(host).is_err());
        self.doomed = mortal
            .filter(|_| random::happens(dead, world.rng()))
            .collect();
    }

    /// Those who will live.
    fn living(&self) -> Vec<(HostId, Id)> {
        let all = self.people.world.reachable_ids();
        all.filter(|(host, _)| self.doomed.binary_search(host).is_err())
            .collect()
    }

    /// Draws so many hashes. Nobody stores them.
    pub(super) fn aim(&mut self, count: u32) {
        let living = self.living();
        let draw = |_| {
            let id = Id::random(self.people.world.rng());
            let truth = oracle::closest(living.iter().map(|(_, id)| *id), &id, HOLDERS);
            let stored = Rc::default();
            Hash { id, stored, truth }
        };
        self.hashes = (0..count).map(draw).collect();
    }

    /// Finds out who will be closest to the hashes after the next deaths.
    pub(super) fn aim_again(&mut self) {
        let living = self.living();
        for hash in &mut self.hashes {
            let ids = living.iter().map(|(_, id)| *id);
            hash.truth = oracle::closest(ids, &hash.id, HOLDERS);
        }
    }

    /// Announces so many hashes to those who will live.
    pub(super) fn publish(&mut self, count: u32) {
        let living = self.living();
        let world = &mut self.people.world;
        for number in 0..count {
            let [id, own] = [(); 2].map(|()| Id::random(world.rng()));
            let truth = oracle::closest(living.iter().map(|(_, id)| *id), &id, HOLDERS);
            let mut chosen: Vec<Endpoint> = living
                .iter()
                .filter(|(_, id)| truth.contains(id))
                .map(|(host, _)| Endpoint::from(SocketAddr::V4(world.host(*host).endpoint())))
                .collect();
            chosen.retain(|_| random::happens(PRESENT, world.rng()));
            let host = world.settle();
            let port = 1_024 + u16::try_from(number % 60_000).expect("below 60,000");
            let (publisher, stored) = Publisher::new(world.instant(), own, (id, port), &chosen);
            world.start(host, Machine::Actor(Box::new(publisher)));
            self.hashes.push(Hash { id, stored, truth });
        }
        self.people.run(SETTLING);
    }

    /// Nodes that store a published hash, on average.
    pub(super) fn holders(&self) -> f64 {
        let stored = self.hashes.iter().map(|hash| u64::from(hash.stored.get()));
        mean(stored.sum(), self.hashes.len())
    }

    /// Those who are doomed die, without a word.
    pub(super) fn kill(&mut self) {
        for host in std::mem::take(&mut self.doomed) {
            // Not through the population, which would call newcomers.
            self.people.world.stop(host);
        }
    }

    /// Every client deals with every hash, each of its hosts with a few of them. Also returns what
    /// each began with. `ask` says what a host at an endpoint asks for.
    pub(super) fn take_turns(
        &mut self,
        turns: Turns,
        ask: impl Fn(u16) -> Ask,
    ) -> (Vec<Measured>, Vec<Begin>) {
        let begin = self.people.world.now();
        let mut schedule = Vec::new();
        let mut begun = Vec::new();
        for (client, hosts) in self.clients.iter().zip(&self.hosts) {
            for (number, host) in (0..).zip(hosts) {
                for round in 0..turns.rounds {
                    let longest = turns.pause.as_millis();
                    let pause = self.people.world.rng().random_range(0..longest);
                    let pause = Duration::from_millis(u64::try_from(pause).expect("a short pause"));
                    let hash = (number * turns.rounds + round) as usize;
                    schedule.push((begin + turns.pause * round + pause, *host, hash, *client));
                }
            }
        }
        schedule.sort_unstable();
        for (at, host, hash, client) in schedule {
            while self.people.run_until(at).is_some() {}
            let target = self.hashes[hash].id;
            let world = &mut self.people.world;
            let contacts = world.command(host, |machine, now| known(machine, now, &target));
            let port = world.host(host).port();
            begun.push(Begin {
                client,
                host,
                target,
                contacts: contacts.unwrap_or_default(),
            });
            self.people.look_up(host, target, ask(port));
        }
        self.people.run(turns.last);
        (self.people.take_measured(), begun)
    }

    /// Floods for each of those lookups, from beside its host and with its contacts. They come after
    /// all of them, so that they disturb nobody, and one after the other, because nodes answer only
    /// so much a second.
    pub(super) fn flood(&mut self, begun: &[Begin]) -> Vec<Floor> {
        let mut waiting = Vec::new();
        for begin in begun {
            let world = &mut self.people.world;
            let started = world.instant();
            let own = Id::random(world.rng());
            let contacts = begin.contacts.iter().copied();
            let (flood, progress) = Flood::new(own, begin.target, contacts);
            let host = world.settle_beside(begin.host);
            world.start(host, Machine::Actor(Box::new(flood)));
            waiting.push((begin, started, progress));
            self.people.run(BETWEEN_FLOODS);
        }
        self.people.run(FLOODING);
        let floor = |(begin, started, progress): &(&Begin, Instant, Rc<Cell<Progress>>)| {
            let Progress { first_peer, asked } = progress.get();
            Floor {
                client: begin.client,
                contacts: begin.contacts.len() as u64,
                first: first_peer.map(|at| at.duration_since(*started)),
                asked,
            }
        };
        waiting.iter().map(floor).collect()
    }

    /// Adds what was measured here to what was seen elsewhere.
    pub(super) fn add_to(&self, seen: &mut Seen, measured: Vec<Measured>, floors: Vec<Floor>) {
        seen.measured.extend(measured);
        seen.floors.extend(floors);
        let truths = self.hashes.iter().map(|hash| (hash.id, hash.truth.clone()));
        seen.truths.extend(truths);
    }

    /// Adds this world to what a run cost.
    pub(super) fn count_in(&self, run: &mut Run) {
        let world = &self.people.world;
        run.digest = run.digest.rotate_left(1) ^ world.digest();
        run.events += world.events();
        run.virtual_time += world.now().elapsed();
    }
}
