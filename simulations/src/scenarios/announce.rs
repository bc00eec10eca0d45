//! How long an announcement takes, who stores it, what it costs, and what repeating it costs.
//!
//! The network is that of an `arena`: a share of all contacts is dead, and nobody
//! knows. Each client's hosts announce themselves for fresh hashes. An announcement is closed when
//! eight nodes have acknowledged it, or when the client is done if fewer do; both are read off the
//! wire, as are its questions. What counts is who acknowledged it: the share of the truly closest
//! eight living nodes among them.
//!
//! Twenty-five minutes later the same hosts announce the same hashes again. Meanwhile a few more of
//! the nodes have died, so not all of the last holders are there.
//!
//! Full: 1,000, 3,000 and 10,000 nodes at 40 % and at 60 % dead.

use std::time::Duration;

use dht::Id;

use super::arena::{self, Arena, Ground, Seen, Turns, mean};
use super::lookup::SEEDS_APART;
use crate::report::{Distribution, Report, Run};
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, CLOSED, Client, Measured};

mod show;

/// Between two announcements of a host: all but one of the clients are done within it.
pub(super) const PAUSE: Duration = Duration::from_secs(40);
/// Time for the announcements that were begun last.
pub(super) const LAST: Duration = Duration::from_secs(120);
/// From the first announcements to the second: below every store's 30 minutes.
const REPEATED: Duration = Duration::from_secs(25 * 60);

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Networks of each size and share.
    pub seeds: u32,
    /// Sizes of networks and shares of nodes that die before the first announcements.
    pub cells: Vec<(u32, f64)>,
    /// Of the others, so many die before the second.
    pub meanwhile: f64,
    /// Who announces.
    pub clients: Vec<Client>,
    /// Hosts of each client.
    pub hosts: u32,
    /// Announcements of each host.
    pub announcements: u32,
    /// Shipping nodes in the network, 0 to 1.
    pub ours: f64,
}

impl Plan {
    /// What these options ask for; `nodes` is the largest network.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let clients = arena::everybody();
        let sizes = match options.scale {
            Scale::Small => vec![300],
            Scale::Full => vec![1_000, 3_000, 10_000],
        };
        let largest = options.nodes.or(sizes.last().copied()).unwrap_or(0);
        let mut cells: Vec<(u32, f64)> = Vec::new();
        for size in sizes.into_iter().filter(|size| *size < largest) {
            cells.push((size, 0.4));
        }
        cells.extend([(largest, 0.4), (largest, 0.6)]);
        let least = cells.iter().map(|cell| cell.0).min().unwrap_or(1);
        Plan {
            seed: options.seed,
            seeds: options.seeds,
            cells,
            meanwhile: 0.05,
            hosts: arena::minority(40, least, &clients),
            clients,
            announcements: match options.scale {
                Scale::Small => 3,
                Scale::Full => 5,
            },
            ours: 0.1,
        }
    }
}

/// Whether a hash is announced for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// By hosts that never heard of it.
    First,
    /// By the same hosts, 25 minutes later.
    Again,
}

/// One client in one kind of world.
#[derive(Clone, Debug)]
pub struct Row {
    /// Nodes before the death of some.
    pub nodes: u32,
    /// The share of them that died before the first announcements.
    pub dead: f64,
    /// Which announcements.
    pub time: Time,
    /// Who announced.
    pub client: Client,
    /// Announcements begun.
    pub announcements: usize,
    /// Seconds until they were closed.
    pub closed: Distribution,
    /// Share that eight nodes acknowledged.
    pub eighth: f64,
    /// Seconds until the client was done.
    pub whole: Distribution,
    /// Nodes that acknowledged, on average.
    pub acknowledged: f64,
    /// Share of the eight closest living nodes that acknowledged.
    pub recall: f64,
    /// The same among the first eight that acknowledged.
    pub recall_closed: f64,
    /// Nodes asked.
    pub asked: f64,
    /// Questions on the wire, repeated ones and announcements included.
    pub sent: f64,
    /// The same, spread.
    pub questions: Distribution,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By cell, then first and again, then by client.
    pub rows: Vec<Row>,
    /// Of all worlds.
    pub run: Run,
}

/// What `client` did in `begun` announcements.
pub(super) fn row(
    (nodes, dead): (u32, f64),
    time: Time,
    (client, begun): (Client, usize),
    seen: &Seen,
) -> Row {
    let own: Vec<&Measured> = seen.of(client).collect();
    let sum = |count: fn(&Measured) -> u64| own.iter().map(|one| count(one)).sum();
    let recall = |most: usize| {
        let of = |one: &&Measured| {
            let ids = one.acknowledged.iter().take(most).map(|(_, id)| *id);
            let ids: Vec<Id> = ids.collect();
            seen.recall(&one.target, &ids)
        };
        own.iter().map(of).sum::<f64>() / own.len().max(1) as f64
    };
    let eighth = own.iter().filter(|one| one.acknowledged.len() >= CLOSED);
    Row {
        nodes,
        dead,
        time,
        client,
        announcements: begun,
        closed: own.iter().filter_map(|one| one.closed()).collect(),
        eighth: eighth.count() as f64 / begun.max(1) as f64,
        whole: own.iter().filter_map(|one| one.elapsed).collect(),
        acknowledged: mean(sum(|one| one.acknowledged.len() as u64), own.len()),
        recall: recall(usize::MAX),
        recall_closed: recall(CLOSED),
        asked: mean(sum(|one| u64::from(one.asked)), own.len()),
        sent: mean(sum(|one| u64::from(one.sent)), own.len()),
        questions: own.iter().map(|one| f64::from(one.sent)).collect(),
    }
}

/// Both announcements in one network.
fn announce(plan: &Plan, (nodes, dead): (u32, f64), seed: u64, seen: &mut [Seen; 2]) -> Arena {
    let mut arena = Arena::grow(&Ground {
        nodes,
        seed,
        ours: plan.ours,
        clients: plan.clients.clone(),
        hosts: plan.hosts,
        variants: Vec::new(),
    });
    arena.doom(dead);
    arena.aim(plan.hosts * plan.announcements);
    arena.people.run(arena::SETTLING);
    arena.kill();
    let turns = Turns {
        rounds: plan.announcements,
        pause: PAUSE,
        last: LAST,
    };
    let [first, again] = seen;
    let begun = arena.people.world.now();
    let (measured, _) = arena.take_turns(turns, Ask::Announce);
    arena.add_to(first, measured, Vec::new());
    let passed = arena.people.world.now() - begun;
    arena.people.run(REPEATED.saturating_sub(passed));
    arena.doom(plan.meanwhile);
    arena.aim_again();
    arena.kill();
    let (measured, _) = arena.take_turns(turns, Ask::Announce);
    arena.add_to(again, measured, Vec::new());
    arena
}

/// Builds each world and measures in it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut run = Run {
        seed: plan.seed,
        ..Run::default()
    };
    let mut rows = Vec::new();
    for (number, cell) in (0..).zip(plan.cells.iter().copied()) {
        let mut seen = [Seen::default(), Seen::default()];
        for world in 0..u64::from(plan.seeds) {
            let seed = plan.seed.wrapping_add(number + SEEDS_APART * world);
            announce(plan, cell, seed, &mut seen).count_in(&mut run);
        }
        let begun = (plan.hosts * plan.announcements * plan.seeds) as usize;
        for (time, seen) in [Time::First, Time::Again].into_iter().zip(&seen) {
            let of = |client: &Client| row(cell, time, (*client, begun), seen);
            rows.extend(plan.clients.iter().map(of));
        }
    }
    Outcome { rows, run }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
