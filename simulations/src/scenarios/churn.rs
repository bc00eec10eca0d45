//! Churn: how long announcements live, how often they must be repeated, and how fresh tables stay.
//!
//! One world, in which people come and go by the model's Weibull sessions (dht.md §2.4), behind
//! everyday NATs, without the day's tide. Four questions at once:
//!
//! - Peers announced once by hosts that stay: are they found after 0 to 240 minutes? Beside it, how
//!   many of the eight nodes closest at the announcement still run.
//! - Swarms that keep their size while members leave and others come, with members that announce
//!   every 10 to 60 minutes: how many living members are found, and how many dead ones?
//! - Which share of the contacts in tables is alive, by the oracle?
//! - What does an idle node send and receive?
//!
//! Lookups start from shipping nodes in Europe that stay. Full: 2,000 nodes, 4.8 virtual hours.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Config, Endpoint, Families, Id, Node};

use crate::machine::Machine;
use crate::model::Internet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::oracle;
use crate::population::{self, Population};
use crate::report::Report;
use crate::scenarios::freshness;
pub use crate::scenarios::freshness::Freshness;
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, Client, Measured};
use crate::world::HostId;

mod show;
mod swarms;
mod tables;

pub use swarms::{Repetition, Swarms};
use tables::Meter;
pub use tables::Upkeep;

const MINUTE: Duration = Duration::from_secs(60);
/// From everybody's arrival until the first announcement.
const REST: Duration = Duration::from_secs(30 * 60);
/// Nodes that store an announcement.
const HOLDERS: usize = 8;
/// Minutes between two looks at tables, at swarms.
const TABLES_EVERY: u32 = 30;
const SWARMS_EVERY: u32 = 10;

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Nodes alive at once.
    pub nodes: u32,
    /// Shipping nodes among them, 0 to 1.
    pub ours: f64,
    /// When hashes that were announced once are looked up, in minutes after that, ascending.
    pub minutes: Vec<u32>,
    /// Hashes announced once.
    pub hashes: u32,
    /// Minutes between two announcements of a swarm's member.
    pub intervals: Vec<u32>,
    /// Swarms of each interval.
    pub swarms: u32,
    /// Members of a swarm at once.
    pub members: usize,
    /// Swarms are looked at from this minute on.
    pub settled: u32,
    /// Hosts that look up, and as many that announce once.
    pub searchers: u32,
    /// Idle hosts of each class.
    pub idle: u32,
}

impl Plan {
    /// What these options ask for.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let full = Plan {
            seed: options.seed,
            nodes: options.nodes.unwrap_or(2_000),
            ours: 0.1,
            minutes: vec![0, 10, 20, 30, 35, 40, 45, 50, 60, 90, 120, 180, 240],
            hashes: 200,
            intervals: vec![10, 15, 30, 45, 60],
            swarms: 40,
            members: 3,
            settled: 65,
            searchers: 20,
            idle: 20,
        };
        match options.scale {
            Scale::Full => full,
            Scale::Small => Plan {
                nodes: options.nodes.unwrap_or(200),
                minutes: vec![0, 10, 20, 30, 45],
                hashes: 40,
                intervals: vec![10, 45],
                swarms: 10,
                settled: 20,
                searchers: 8,
                idle: 8,
                ..full
            },
        }
    }
}

/// What is left of announcements that were made once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Survival {
    /// Minutes since; looked at in the minute after.
    pub minute: u32,
    /// Share of them that are found.
    pub found: f64,
    /// Of the eight nodes closest at the announcement, so many run under the same id and address.
    pub holders: f64,
    /// Share of hashes of which at least one of them runs.
    pub any: f64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Announcements made once.
    pub survival: Vec<Survival>,
    /// Announcements that are repeated, by interval.
    pub repetition: Vec<Repetition>,
    /// The contents of tables over time.
    pub freshness: Vec<Freshness>,
    /// Idle nodes by class.
    pub upkeep: Vec<Upkeep>,
    /// Of the world.
    pub digest: u64,
    /// Happenings.
    pub events: u64,
    /// Virtual time.
    pub virtual_time: Duration,
}

/// A hash that was announced once.
#[derive(Debug)]
struct Once {
    id: Id,
    peer: Endpoint,
    holders: Vec<(HostId, Id)>,
}

/// The world and those in it that measure.
#[derive(Debug)]
pub(crate) struct Field {
    people: Population,
    searchers: Vec<HostId>,
    announcers: Vec<HostId>,
    next: usize,
}

impl Field {
    /// A network in which people come and go, and hosts that stay and measure.
    fn grow(plan: &Plan) -> Field {
        let mut people = Population::new(population::Plan {
            ours: plan.ours,
            internet: Internet::without_tide(),
            ..population::Plan::reference(plan.nodes, plan.seed)
        });
        people.run(people.plan().arrival / 2);
        let mut place = || -> Vec<HostId> {
            (0..plan.searchers)
                .map(|_| people.place(Client::Ours, HostClass::Open, Region::EUROPE))
                .collect()
        };
        let (searchers, announcers) = (place(), place());
        Field {
            people,
            searchers,
            announcers,
            next: 0,
        }
    }

    /// Hosts whose nodes look for nothing and know the bootstrap nodes.
    fn idle(&mut self, class: HostClass, count: u32) -> Vec<HostId> {
        let doors: Vec<Endpoint> = self
            .people
            .bootstrap()
            .map(|host| Endpoint::from(SocketAddr::V4(self.people.world.host(host).endpoint())))
            .collect();
        let world = &mut self.people.world;
        (0..count)
            .map(|_| {
                let host = world.settle_in(class, Region::EUROPE);
                let config = Config {
                    families: Families::V4,
                    ..Config::default()
                };
                let now = world.instant();
                let mut node = Node::new(config, world.seed(), now);
                node.join(now, doors.iter().copied());
                world.start(host, Machine::Ours(Box::new(node)));
                host
            })
            .collect()
    }

    /// Announces hashes once, each from a host that stays.
    fn announce(&mut self, count: u32) -> Vec<Once> {
        let ids = self.people.world.reachable_ids();
        let nodes: Vec<(HostId, Id)> = ids.collect();
        let announcers = self.announcers.clone();
        let hosts = announcers.into_iter().cycle();
        (0..count)
            .zip(hosts)
            .map(|(_, host)| {
                let id = Id::random(self.people.world.rng());
                let near = oracle::closest(nodes.iter().map(|(_, id)| *id), &id, HOLDERS);
                let is_near = |(_, id): &&(HostId, Id)| near.contains(id);
                let endpoint = self.people.world.host(host).endpoint();
                self.people
                    .look_up(host, id, Ask::Announce(endpoint.port()));
                Once {
                    id,
                    peer: Endpoint::from(SocketAddr::V4(endpoint)),
                    holders: nodes.iter().filter(is_near).copied().collect(),
                }
            })
            .collect()
    }

    fn look_up(&mut self, hashes: impl IntoIterator<Item = Id>) {
        for hash in hashes {
            let host = self.searchers[self.next % self.searchers.len()];
            self.next += 1;
            self.people.look_up(host, hash, Ask::Peers);
        }
    }

    /// What is left of `hashes`, by the lookups of this minute.
    fn survival(&self, minute: u32, hashes: &[Once], measured: &[Measured]) -> Survival {
        let runs = |(host, id): &(HostId, Id)| {
            let machine = freshness::machine(&self.people.world, *host);
            machine.and_then(Machine::id) == Some(*id)
        };
        let finds = |once: &&Once| {
            let own = |one: &&Measured| one.target == once.id && one.announced == 0;
            let peers = measured.iter().filter(own).flat_map(|one| &one.peers);
            peers.into_iter().any(|peer| *peer == once.peer)
        };
        let left = |once: &Once| once.holders.iter().filter(|holder| runs(holder)).count();
        let all = hashes.len().max(1) as f64;
        Survival {
            minute,
            found: hashes.iter().filter(finds).count() as f64 / all,
            holders: hashes.iter().map(left).sum::<usize>() as f64 / all,
            any: hashes.iter().filter(|once| left(once) > 0).count() as f64 / all,
        }
    }
}

/// Plays it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut field = Field::grow(plan);
    let open = field.idle(HostClass::Open, plan.idle);
    let natted = field.idle(HostClass::Restricted, plan.idle);
    field.people.grow(REST);
    let (size, intervals) = ((plan.swarms, plan.members), &plan.intervals);
    let mut swarms = Swarms::new(&mut field.people, intervals, size);
    let once = field.announce(plan.hashes);
    field.people.run(MINUTE);
    field.people.take_measured();
    let mut permanent = [field.searchers.clone(), field.announcers.clone()].concat();
    permanent.sort_unstable();
    let begun = field.people.world.now();
    let meter = Meter::begin(&field.people.world, &[open, natted].concat());
    let (mut survival, mut tables) = (Vec::new(), Vec::new());
    let last = plan.minutes.last().copied().unwrap_or(0);
    for minute in 0..=last {
        swarms.live(&mut field.people, minute, &permanent);
        let asked = plan.minutes.contains(&minute);
        if asked {
            field.look_up(once.iter().map(|once| once.id));
        }
        if minute >= plan.settled && minute % SWARMS_EVERY == 0 {
            field.look_up(swarms.hashes());
        }
        if minute % TABLES_EVERY == 0 {
            let world = &field.people.world;
            let ours = world.running().map(|(_, machine)| machine);
            let ours = ours.filter(|machine| matches!(machine, Machine::Ours(_)));
            tables.push(freshness::look(world, ours, minute));
        }
        field.people.run(MINUTE);
        let measured = field.people.take_measured();
        let looked = |one: &&Measured| field.searchers.binary_search(&one.host).is_ok();
        let measured: Vec<Measured> = measured.iter().filter(looked).cloned().collect();
        for one in &measured {
            swarms.count(&field.people, one);
        }
        if asked {
            survival.push(field.survival(minute, &once, &measured));
        }
    }
    let world = &field.people.world;
    let span = world.now() - begun;
    let classes = [HostClass::Open, HostClass::Restricted];
    Outcome {
        survival,
        repetition: swarms.repetition(),
        freshness: tables,
        upkeep: classes.map(|class| meter.read(world, class, span)).into(),
        digest: world.digest(),
        events: world.events(),
        virtual_time: world.now().elapsed(),
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
