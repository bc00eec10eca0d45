//! How long a lookup takes until the first peer, by client, size of the network and dead contacts.
//!
//! Each cell is a world of its own, in which all clients are compared:
//!
//! - A network of open hosts without churn grows for twelve minutes, with the clients among it.
//! - A share of the nodes is chosen to die, evenly. Each hash is announced directly to those 80 % of
//!   the eight closest nodes that stay which chance chooses, so no client's walk is favoured.
//! - Ten minutes later the chosen nodes are closed for good, all at once: all tables name them now,
//!   and nobody knows yet. "Dead share" is the share of nodes that died; what it means for a lookup
//!   is measured beside it, as the share of its questions that nobody answered (gate C2).
//! - In the first minutes after that, every client looks up every hash, from open hosts in Europe.
//!
//! A client's floor is a [`Flood`] for each of its lookups, from the same place and with the contacts
//! that the client had when it began: what is above it is due to the policy, not to the table. Full: 1,000, 3,000 and 10,000 nodes at four dead shares, and 30,000 at 40 %.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dht::{Endpoint, Id};
use rand::RngExt;

use crate::flood::{Flood, Progress};
use crate::machine::Machine;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::model::sessions::Sessions;
use crate::model::{Internet, nat::Classes};
use crate::neighbours::Kind;
use crate::oracle;
use crate::population::{self, Population};
use crate::publisher::Publisher;
use crate::random;
use crate::report::{Distribution, Report, Run};
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, Client, Measured};
use crate::world::HostId;

mod show;

/// Nodes that store an announcement (BEP 5: those closest to the hash).
const HOLDERS: usize = 8;
/// Of those, so many have it (dht.md §5.2).
const PRESENT: f64 = 0.8;
/// Everybody arrives within this time, and knows each other after that one.
const ARRIVAL: Duration = Duration::from_secs(300);
const REST: Duration = Duration::from_secs(450);
/// Between the announcements and the lookups.
const SETTLING: Duration = Duration::from_secs(600);
/// Between two lookups of a host.
const PAUSE: Duration = Duration::from_secs(12);
/// Time for the lookups that were begun last.
const LAST: Duration = Duration::from_secs(180);
/// Between two floods.
const BETWEEN_FLOODS: Duration = Duration::from_millis(100);
/// Time for the last flood.
const FLOODING: Duration = Duration::from_secs(4);

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Sizes of networks and shares of nodes that die.
    pub cells: Vec<(u32, f64)>,
    /// Who looks up.
    pub clients: Vec<Client>,
    /// Hosts of each client.
    pub hosts: u32,
    /// Lookups of each host; a host's later ones know who died from its earlier ones.
    pub lookups: u32,
    /// Shipping nodes in the network, 0 to 1.
    pub ours: f64,
}

impl Plan {
    /// The comparison that these options ask for; `nodes` is the largest network.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        // A neighbour behind a NAT looks up like one in the open: it is not compared.
        let kinds = [
            Kind::Libtorrent,
            Kind::Mldht,
            Kind::Jech,
            Kind::Flood,
            Kind::Bep5,
        ];
        let theirs = kinds.map(Client::Theirs);
        let clients: Vec<Client> = [Client::Ours].into_iter().chain(theirs).collect();
        let (mut cells, mut hosts) = match options.scale {
            Scale::Small => (vec![(300, 0.0), (300, 0.4)], 16),
            Scale::Full => {
                let sizes = [1_000, 3_000, 10_000];
                let shares = [0.0, 0.2, 0.4, 0.6];
                let all = sizes.into_iter().flat_map(|n| shares.map(|dead| (n, dead)));
                (all.chain([(30_000, 0.4)]).collect(), 40)
            }
        };
        if let Some(nodes) = options.nodes {
            cells.retain(|(size, _)| *size < nodes);
            cells.push((nodes, 0.4));
        }
        // The compared hosts are to be a minority.
        let least = cells.iter().map(|cell| cell.0).min().unwrap_or(1);
        let compared = u32::try_from(clients.len()).expect("few clients");
        hosts = hosts.min(least / (3 * compared)).max(1);
        Plan {
            seed: options.seed,
            cells,
            clients,
            hosts,
            lookups: 5,
            ours: 0.1,
        }
    }
}

/// One client in one world.
#[derive(Clone, Debug)]
pub struct Row {
    /// Nodes before the death of some.
    pub nodes: u32,
    /// The share of them that died.
    pub dead: f64,
    /// Who looked up.
    pub client: Client,
    /// Lookups begun.
    pub lookups: usize,
    /// Seconds to the first peer, of those lookups that found one.
    pub first: Distribution,
    /// Seconds to the end of the lookup.
    pub whole: Distribution,
    /// Nodes asked a lookup.
    pub asked: f64,
    /// Share of them that did not answer.
    pub unanswered: f64,
    /// Longest chain of referrals, mean; 0 where the client does not say.
    pub hops: f64,
    /// Share of the eight closest living nodes that a lookup ended with.
    pub recall: f64,
    /// Seconds to the first peer of floods from the same hosts and contacts.
    pub floor: Distribution,
    /// Nodes asked by a flood.
    pub flooded: f64,
    /// Contacts in the table when a lookup began.
    pub contacts: f64,
}

impl Row {
    /// Share of lookups that found a peer.
    #[must_use]
    pub fn success(&self) -> f64 {
        self.first.len() as f64 / self.lookups.max(1) as f64
    }

    /// The time that a part of *all* lookups needs at most; `None` if fewer found a peer.
    #[must_use]
    pub fn first_within(&self, part: f64) -> Option<f64> {
        within(&self.first, self.lookups, part)
    }

    /// The same of the floods from its hosts and contacts.
    #[must_use]
    pub fn floor_within(&self, part: f64) -> Option<f64> {
        within(&self.floor, self.lookups, part)
    }
}

fn within(found: &Distribution, all: usize, part: f64) -> Option<f64> {
    let success = found.len() as f64 / all.max(1) as f64;
    (part <= success).then(|| found.quantile(part / success))?
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By cell, then by client.
    pub rows: Vec<Row>,
    /// Nodes that store a hash, on average.
    pub holders: f64,
    /// Of all worlds.
    pub digest: u64,
    /// Happenings in all worlds.
    pub events: u64,
    /// Virtual time in all worlds.
    pub virtual_time: Duration,
}

impl Outcome {
    fn cost(&self, seed: u64) -> Run {
        Run {
            seed,
            digest: self.digest,
            events: self.events,
            virtual_time: self.virtual_time,
            ..Run::default()
        }
    }
}

/// A hash that everybody looks up.
struct Hash {
    id: Id,
    stored: Rc<Cell<u32>>,
    truth: Vec<Id>,
}

/// A network with the clients to compare in it.
struct Field {
    people: Population,
    /// The hosts of each client, in the order of the plan.
    hosts: Vec<Vec<HostId>>,
    hashes: Vec<Hash>,
    doomed: Vec<HostId>,
}

impl Field {
    /// Lets the network grow.
    fn grow(plan: &Plan, nodes: u32, seed: u64) -> Field {
        let internet = Internet {
            classes: Classes::open(),
            sessions: Sessions::none(),
            ..Internet::default()
        };
        let measured = plan.hosts * u32::try_from(plan.clients.len()).expect("few clients");
        let mut people = Population::new(population::Plan {
            nodes: nodes.saturating_sub(measured).max(population::BOOTSTRAP),
            arrival: ARRIVAL,
            ours: plan.ours,
            internet,
            ..population::Plan::reference(nodes, seed)
        });
        people.run(people.plan().arrival / 2);
        let place = |client: &Client| {
            let hosts = (0..plan.hosts).map(|_| {
                people.run(Duration::from_millis(200));
                people.place(*client, HostClass::Open, Region::EUROPE)
            });
            hosts.collect()
        };
        let hosts = plan.clients.iter().map(place).collect();
        people.grow(REST);
        Field {
            people,
            hosts,
            hashes: Vec::new(),
            doomed: Vec::new(),
        }
    }

    /// Chooses who is going to die. Clients that are compared and bootstrap nodes live.
    fn doom(&mut self, dead: f64) {
        let mut spared: Vec<HostId> = self.hosts.concat();
        spared.extend(self.people.bootstrap());
        let world = &mut self.people.world;
        let all: Vec<HostId> = world.running().map(|(host, _)| host).collect();
        let mortal = all.into_iter().filter(|host| !spared.contains(host));
        self.doomed = mortal
            .filter(|_| random::happens(dead, world.rng()))
            .collect();
    }

    /// Announces so many hashes to those who will live.
    fn publish(&mut self, count: u32) {
        let world = &mut self.people.world;
        let living: Vec<(HostId, Id)> = world
            .reachable_ids()
            .filter(|(host, _)| self.doomed.binary_search(host).is_err())
            .collect();
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
}

impl Field {
    /// Those who are doomed die, without a word.
    fn kill(&mut self) {
        for host in std::mem::take(&mut self.doomed) {
            // Not through the population, which would call newcomers.
            self.people.world.stop(host);
        }
    }

    /// Every client looks up every hash, each of its hosts a few of them.
    /// Also returns what each began with.
    fn look_up(&mut self, plan: &Plan) -> (Vec<Measured>, Vec<Begin>) {
        let begin = self.people.world.now();
        let mut schedule = Vec::new();
        let mut begun = Vec::new();
        for (client, hosts) in plan.clients.iter().zip(&self.hosts) {
            for (number, host) in (0..).zip(hosts) {
                for round in 0..plan.lookups {
                    let pause = self.people.world.rng().random_range(0..PAUSE.as_millis());
                    let pause = Duration::from_millis(u64::try_from(pause).expect("12,000"));
                    let hash = (number * plan.lookups + round) as usize;
                    schedule.push((begin + PAUSE * round + pause, *host, hash, *client));
                }
            }
        }
        schedule.sort_unstable();
        for (at, host, hash, client) in schedule {
            while self.people.run_until(at).is_some() {}
            let target = self.hashes[hash].id;
            let world = &mut self.people.world;
            let contacts = world.command(host, |machine, _| machine.contacts());
            begun.push(Begin {
                client,
                host,
                target,
                contacts: contacts.unwrap_or_default(),
            });
            self.people.look_up(host, target, Ask::Peers);
        }
        self.people.run(LAST);
        (self.people.take_measured(), begun)
    }

    /// Floods for each of those lookups, from beside its host and with its contacts. They come after
    /// all of them, so that they disturb nobody, and one after the other, because nodes answer only
    /// so much a second.
    fn flood(&mut self, begun: &[Begin]) -> Vec<Floor> {
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
}

/// A lookup's beginning: who looks for what, knowing whom.
struct Begin {
    client: Client,
    host: HostId,
    target: Id,
    contacts: Vec<Endpoint>,
}

/// What one flood needed.
struct Floor {
    client: Client,
    contacts: u64,
    first: Option<Duration>,
    asked: u32,
}

fn mean(sum: u64, count: usize) -> f64 {
    sum as f64 / count.max(1) as f64
}

fn row(
    (nodes, dead): (u32, f64),
    client: Client,
    (all, floors): (&[Measured], &[Floor]),
    hashes: &[Hash],
) -> Row {
    let floors: Vec<&Floor> = floors.iter().filter(|one| one.client == client).collect();
    let contacts = floors.iter().map(|floor| floor.contacts).sum();
    let flooded = floors.iter().map(|floor| u64::from(floor.asked)).sum();
    let own: Vec<&Measured> = all.iter().filter(|one| one.client == client).collect();
    let sum = |count: fn(&Measured) -> u32| own.iter().map(|one| u64::from(count(one))).sum();
    let asked: u64 = sum(|one| one.asked);
    let unanswered: u64 = sum(|one| one.timed_out);
    let recalls: f64 = own
        .iter()
        .filter_map(|one| {
            let hash = hashes.iter().find(|hash| hash.id == one.target)?;
            Some(oracle::recall(&hash.truth, &one.closest))
        })
        .sum();
    Row {
        nodes,
        dead,
        client,
        // One that never ended found nothing in time.
        lookups: floors.len(),
        first: own.iter().filter_map(|one| one.first_peer).collect(),
        whole: own.iter().filter_map(|one| one.elapsed).collect(),
        asked: mean(asked, own.len()),
        unanswered: unanswered as f64 / asked.max(1) as f64,
        hops: mean(sum(|one| one.hops), own.len()),
        recall: recalls / own.len().max(1) as f64,
        floor: floors.iter().filter_map(|floor| floor.first).collect(),
        flooded: mean(flooded, floors.len()),
        contacts: mean(contacts, floors.len()),
    }
}

/// Builds each world and measures in it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut outcome = Outcome {
        rows: Vec::new(),
        holders: 0.0,
        digest: 0,
        events: 0,
        virtual_time: Duration::ZERO,
    };
    for (number, cell) in (0..).zip(plan.cells.iter().copied()) {
        let mut field = Field::grow(plan, cell.0, plan.seed.wrapping_add(number));
        field.doom(cell.1);
        field.publish(plan.hosts * plan.lookups);
        field.kill();
        let (measured, begun) = field.look_up(plan);
        let floors = field.flood(&begun);
        for client in &plan.clients {
            let seen = (&measured[..], &floors[..]);
            outcome.rows.push(row(cell, *client, seen, &field.hashes));
        }
        let stored = field.hashes.iter().map(|hash| u64::from(hash.stored.get()));
        outcome.holders += mean(stored.sum(), field.hashes.len()) / plan.cells.len() as f64;
        let world = &field.people.world;
        outcome.digest = outcome.digest.rotate_left(1) ^ world.digest();
        outcome.events += world.events();
        outcome.virtual_time += world.now().elapsed();
    }
    outcome
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
