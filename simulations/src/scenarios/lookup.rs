//! How long a lookup takes until the first peer, by client, size of the network and dead contacts.
//!
//! Each cell is a world of its own, in which all clients are compared:
//!
//! - The network and its death are those of an `arena`. "Dead share" is the share of
//!   nodes that died; what it means for a lookup is measured beside it, as the share of its
//!   questions that nobody answered (gate C2).
//! - In the first minutes after that, every client looks up every hash, from open hosts in Europe.
//! - Several seeds make several networks of each kind, whose lookups count together.
//!
//! A client's floor is a `Flood` for each of its lookups, from the same place and with the contacts
//! that the client had when it began: what is above it is due to the policy, not to the table. Full: 1,000, 3,000 and 10,000 nodes at four dead shares, and 30,000 at 40 %.

use std::time::Duration;

use super::arena::{self, Arena, Floor, Ground, Seen, Turns, mean};
use crate::neighbours::Kind;
use crate::report::{Distribution, Report, Run};
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, Client, Measured};

mod show;

/// Between two lookups of a host.
pub(super) const PAUSE: Duration = Duration::from_secs(12);
/// A largest network of so many nodes at most is played at a second dead share.
const TWICE: u32 = 10_000;
/// Between the seeds of two networks of a kind: further than there are kinds.
pub(super) const SEEDS_APART: u64 = 1_000;
/// Time for the lookups that were begun last.
pub(super) const LAST: Duration = Duration::from_secs(180);

/// A network of so many nodes takes a quarter of an hour: it is played alone, with the best clients.
const HUGE: u32 = 50_000;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Networks of each size and share.
    pub seeds: u32,
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
        let mut clients = arena::everybody();
        let (mut cells, hosts) = match options.scale {
            Scale::Small => (vec![(300, 0.0), (300, 0.4)], 16),
            Scale::Full => {
                let sizes = [1_000, 3_000, 10_000];
                let shares = [0.0, 0.2, 0.4, 0.6];
                let all = sizes.into_iter().flat_map(|n| shares.map(|dead| (n, dead)));
                (all.chain([(30_000, 0.4)]).collect(), 40)
            }
        };
        if let Some(nodes) = options.nodes.filter(|nodes| *nodes >= HUGE) {
            cells = vec![(nodes, 0.4)];
            clients = vec![Client::Ours];
            clients.extend([Kind::Libtorrent, Kind::Mldht, Kind::Flood].map(Client::Theirs));
        } else if let Some(nodes) = options.nodes {
            cells.retain(|(size, _)| *size < nodes);
            cells.push((nodes, 0.4));
            if nodes <= TWICE {
                cells.push((nodes, 0.6));
            }
        }
        let least = cells.iter().map(|cell| cell.0).min().unwrap_or(1);
        let hosts = arena::minority(hosts, least, &clients);
        Plan {
            seed: options.seed,
            seeds: options.seeds,
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
    /// Questions on the wire a lookup, repeated ones included: its load on others.
    pub sent: f64,
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
    pub run: Run,
}

/// What `client` did in `begun` lookups.
pub(super) fn row((nodes, dead): (u32, f64), (client, begun): (Client, usize), seen: &Seen) -> Row {
    let floors = seen.floors.iter().filter(|one| one.client == client);
    let floors: Vec<&Floor> = floors.collect();
    let contacts = floors.iter().map(|floor| floor.contacts).sum();
    let flooded = floors.iter().map(|floor| u64::from(floor.asked)).sum();
    let own: Vec<&Measured> = seen.of(client).collect();
    let sum = |count: fn(&Measured) -> u32| own.iter().map(|one| u64::from(count(one))).sum();
    let asked: u64 = sum(|one| one.asked);
    let unanswered: u64 = sum(|one| one.timed_out);
    let recall = |one: &&Measured| seen.recall(&one.target, &one.closest);
    let recalls: f64 = own.iter().map(recall).sum();
    Row {
        nodes,
        dead,
        client,
        // One that never ended found nothing in time.
        lookups: begun,
        first: own.iter().filter_map(|one| one.first_peer).collect(),
        whole: own.iter().filter_map(|one| one.elapsed).collect(),
        asked: mean(asked, own.len()),
        sent: mean(sum(|one| one.sent), own.len()),
        unanswered: unanswered as f64 / asked.max(1) as f64,
        hops: mean(sum(|one| one.hops), own.len()),
        recall: recalls / own.len().max(1) as f64,
        floor: floors.iter().filter_map(|floor| floor.first).collect(),
        flooded: mean(flooded, floors.len()),
        contacts: mean(contacts, floors.len()),
    }
}

impl Plan {
    /// The network of this size in this run of it.
    fn ground(&self, nodes: u32, seed: u64) -> Ground {
        Ground {
            nodes,
            seed,
            ours: self.ours,
            clients: self.clients.clone(),
            hosts: self.hosts,
            variants: Vec::new(),
        }
    }
}

/// Builds each world and measures in it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut run = Run {
        seed: plan.seed,
        ..Run::default()
    };
    let (mut rows, mut holders) = (Vec::new(), 0.0);
    let worlds = plan.cells.len() as f64 * f64::from(plan.seeds);
    for (number, (nodes, dead)) in (0..).zip(plan.cells.iter().copied()) {
        let mut seen = Seen::default();
        for again in 0..u64::from(plan.seeds) {
            let seed = plan.seed.wrapping_add(number + SEEDS_APART * again);
            let mut arena = Arena::grow(&plan.ground(nodes, seed));
            arena.doom(dead);
            arena.publish(plan.hosts * plan.lookups);
            arena.kill();
            let turns = Turns {
                rounds: plan.lookups,
                pause: PAUSE,
                last: LAST,
            };
            let (measured, begun) = arena.take_turns(turns, |_| Ask::Peers);
            let floors = arena.flood(&begun);
            arena.add_to(&mut seen, measured, floors);
            arena.count_in(&mut run);
            holders += arena.holders() / worlds;
        }
        let begun = (plan.hosts * plan.lookups * plan.seeds) as usize;
        let of = |client: &Client| row((nodes, dead), (*client, begun), &seen);
        rows.extend(plan.clients.iter().map(of));
    }
    Outcome { rows, holders, run }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
