//! One node that has thousands of torrents: how long does it take to announce them all, and at what cost?
//!
//! In an `arena` with dead contacts one shipping node announces its torrents, begun
//! at a bounded rate, so many at once at most: once in the order of their hashes, so that neighbours
//! on the ring follow each other and share what was learned, and once in any order. Its wire tells
//! the questions and the new destinations a second, which home routers have to remember. When it is
//! through, others look up some of the torrents.
//!
//! Full: 10,000 torrents among 10,000 nodes, 40 % dead.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Endpoint, Id};

use super::arena::{self, Arena, Ground, Seen, mean};
use crate::random;
use crate::report::{Distribution, Report, Run};
use crate::scenarios::{Options, Scale};
use crate::time::Time;
use crate::watch::{Ask, CLOSED, Client, Measured};
use crate::wire::Destinations;
use crate::world::HostId;

mod show;

/// Whoever is not through by then is stopped.
const LONGEST: Duration = Duration::from_secs(2 * 3_600);
/// Between two lookups of torrents afterwards, and time for the last one.
const APART: Duration = Duration::from_millis(500);
const LAST: Duration = Duration::from_secs(60);

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Nodes of the network.
    pub nodes: u32,
    /// The share of them that dies just before.
    pub dead: f64,
    /// Torrents of one node.
    pub torrents: u32,
    /// Within this time all announcements are begun.
    pub within: Duration,
    /// Announcements under way at most.
    pub at_once: usize,
    /// In which orders.
    pub orders: Vec<Order>,
    /// Torrents that others look up afterwards.
    pub sample: u32,
    /// Shipping nodes in the network, 0 to 1.
    pub ours: f64,
}

impl Plan {
    /// What these options ask for.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let full = Plan {
            seed: options.seed,
            nodes: options.nodes.unwrap_or(10_000),
            dead: 0.4,
            torrents: 10_000,
            within: Duration::from_secs(23 * 60),
            at_once: 64,
            orders: vec![Order::Ring, Order::Chance],
            sample: 500,
            ours: 0.1,
        };
        match options.scale {
            Scale::Full => full,
            Scale::Small => Plan {
                nodes: options.nodes.unwrap_or(300),
                torrents: 150,
                within: Duration::from_secs(60),
                sample: 40,
                ..full
            },
        }
    }
}

/// In which order torrents are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By their hashes.
    Ring,
    /// As they come.
    Chance,
}

/// All torrents in one order.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub order: Order,
    /// Torrents to announce.
    pub torrents: usize,
    /// Announcements that ended.
    pub done: usize,
    /// From the first command to the end of the last announcement.
    pub took: Duration,
    /// Questions on the wire a torrent.
    pub sent: f64,
    /// New destinations a second while it lasted.
    pub destinations: Distribution,
    /// Different ones.
    pub different: usize,
    /// Seconds until a torrent was closed.
    pub closed: Distribution,
    /// Nodes that acknowledged a torrent.
    pub acknowledged: f64,
    /// Share of torrents that eight acknowledged.
    pub eighth: f64,
    /// Share of the closest eight living nodes that acknowledged.
    pub recall: f64,
    /// Torrents looked up afterwards.
    pub looked_up: usize,
    /// Those for which the node was found.
    pub found: usize,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By order.
    pub rows: Vec<Row>,
    /// Of all worlds.
    pub run: Run,
}

/// The node announces all hashes of the arena; returns when it began and ended.
fn announce(plan: &Plan, arena: &mut Arena, host: HostId, order: Order) -> (Time, Time) {
    let mut torrents: Vec<Id> = arena.hashes.iter().map(|hash| hash.id).collect();
    match order {
        Order::Ring => torrents.sort_unstable(),
        // They were drawn by chance.
        Order::Chance => {}
    }
    let step = plan.within / plan.torrents.max(1);
    let people = &mut arena.people;
    let begin = people.world.now();
    let port = people.world.host(host).port();
    let mut left = torrents.into_iter().peekable();
    while people.world.now() - begin < LONGEST {
        if people.open_lookups() < plan.at_once
            && let Some(torrent) = left.next()
        {
            people.look_up(host, torrent, Ask::Announce(port));
        }
        if left.peek().is_none() && people.open_lookups() == 0 {
            break;
        }
        people.run(step);
    }
    (begin, people.world.now())
}

/// Others look for some of the torrents; returns how many, and how many were found.
fn look_up(plan: &Plan, arena: &mut Arena, host: HostId) -> (usize, usize) {
    let share = f64::from(plan.sample) / f64::from(plan.torrents.max(1));
    let searchers = arena.hosts[1].clone();
    let people = &mut arena.people;
    let here = Endpoint::from(SocketAddr::V4(people.world.host(host).endpoint()));
    let mut searchers = searchers.into_iter().cycle();
    let mut asked = 0;
    for hash in &arena.hashes {
        if !random::happens(share, people.world.rng()) {
            continue;
        }
        let Some(searcher) = searchers.next() else {
            break;
        };
        people.look_up(searcher, hash.id, Ask::Peers);
        people.run(APART);
        asked += 1;
    }
    people.run(LAST);
    let finds = |one: &&Measured| one.peers.contains(&here);
    let found = people.take_measured().iter().filter(finds).count();
    (asked, found)
}

fn play_one(plan: &Plan, order: Order, run: &mut Run) -> Row {
    let mut arena = Arena::grow(&Ground {
        nodes: plan.nodes,
        seed: plan.seed,
        ours: plan.ours,
        // The one that announces, among its like; the others search.
        clients: vec![Client::Ours, Client::Ours],
        hosts: arena::minority(20, plan.nodes, &[Client::Ours; 2]),
        variants: Vec::new(),
    });
    arena.doom(plan.dead);
    arena.aim(plan.torrents);
    arena.kill();
    let host = arena.hosts[0][0];
    let destinations = Destinations::default();
    arena.people.watch.destinations.insert(host, destinations);
    let (begin, end) = announce(plan, &mut arena, host, order);
    let mut seen = Seen::default();
    let measured = arena.people.take_measured();
    arena.add_to(&mut seen, measured, Vec::new());
    let destinations = arena.people.watch.destinations.remove(&host);
    let destinations = destinations.unwrap_or_default();
    let (looked_up, found) = look_up(plan, &mut arena, host);
    arena.count_in(run);
    let all = &seen.measured;
    let recall = |one: &Measured| {
        let ids: Vec<Id> = one.acknowledged.iter().map(|(_, id)| *id).collect();
        seen.recall(&one.target, &ids)
    };
    let acknowledged = all.iter().map(|one| one.acknowledged.len() as u64);
    let eighth = all.iter().filter(|one| one.acknowledged.len() >= CLOSED);
    let by_second = destinations.by_second(begin, end);
    Row {
        order,
        torrents: arena.hashes.len(),
        done: all.len(),
        took: end - begin,
        sent: mean(all.iter().map(|one| u64::from(one.sent)).sum(), all.len()),
        destinations: by_second.map(|count| count as f64).collect(),
        different: destinations.different(),
        closed: all.iter().filter_map(Measured::closed).collect(),
        acknowledged: mean(acknowledged.sum(), all.len()),
        eighth: eighth.count() as f64 / all.len().max(1) as f64,
        recall: all.iter().map(recall).sum::<f64>() / all.len().max(1) as f64,
        looked_up,
        found,
    }
}

/// Builds each world and measures in it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut run = Run {
        seed: plan.seed,
        ..Run::default()
    };
    let one = |order: &Order| play_one(plan, *order, &mut run);
    let rows = plan.orders.iter().map(one).collect();
    Outcome { rows, run }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
