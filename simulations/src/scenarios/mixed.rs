//! Our nodes among others: do gains hold when we are few, and who pays for them when we are many?
//!
//! An `arena` for each share of shipping nodes among everybody's clients. First it
//! lives for half an hour as it is, with a lookup an hour and node: the wires of a sample of hosts
//! tell how many questions reach ours and the others', and how many they ask. Then a share dies, and
//! ours and libtorrent's hosts look up the same hashes.
//!
//! Invariant: bootstrap nodes do not count; they are asked more than others in any network. Full:
//! 10,000 nodes, of which 0.1, 1, 10, 50 and 100 % are ours.

use std::time::Duration;

use super::arena::{self, Arena, Ground, Seen, Turns};
use super::lookup::{self, SEEDS_APART};
use crate::neighbours::Kind;
use crate::report::{Report, Run};
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, Client};
use crate::wire::{Flow, Ledger};
use crate::world::HostId;

mod show;

/// Hosts of each side whose wires are listened to at most, those that are compared not counted.
const SAMPLE: usize = 200;

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Networks of each share.
    pub seeds: u32,
    /// Nodes of each network.
    pub nodes: u32,
    /// Shipping nodes in it, 0 to 1.
    pub shares: Vec<f64>,
    /// The share of nodes that die before the lookups.
    pub dead: f64,
    /// Who looks up.
    pub clients: Vec<Client>,
    /// Hosts of each.
    pub hosts: u32,
    /// Lookups of each host.
    pub lookups: u32,
    /// For so long it is counted who asks whom.
    pub span: Duration,
}

impl Plan {
    /// What these options ask for.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let clients = vec![Client::Ours, Client::Theirs(Kind::Libtorrent)];
        let full = Plan {
            seed: options.seed,
            seeds: options.seeds,
            nodes: options.nodes.unwrap_or(10_000),
            shares: vec![0.001, 0.01, 0.1, 0.5, 1.0],
            dead: 0.4,
            hosts: 40,
            clients,
            lookups: 5,
            span: Duration::from_secs(30 * 60),
        };
        let mut plan = match options.scale {
            Scale::Full => full,
            Scale::Small => Plan {
                nodes: options.nodes.unwrap_or(200),
                shares: vec![0.01, 1.0],
                span: Duration::from_secs(5 * 60),
                ..full
            },
        };
        plan.hosts = arena::minority(plan.hosts, plan.nodes, &plan.clients);
        plan
    }
}

/// Whose nodes they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Shipping nodes.
    Ours,
    /// All kinds of neighbours together.
    Theirs,
}

/// What nodes of a side exchange when nobody measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// Of the network: shipping nodes, 0 to 1.
    pub share: f64,
    /// Whose nodes.
    pub side: Side,
    /// Nodes listened to, in all networks.
    pub nodes: usize,
    /// Questions that reach a node an hour.
    pub asked: f64,
    /// Questions that a node asks an hour.
    pub asks: f64,
    /// Payload bytes a node and second, out and in, for all purposes.
    pub bytes: (f64, f64),
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Lookups by share, then by client.
    pub lookups: Vec<(f64, lookup::Row)>,
    /// Load by share, then by side.
    pub loads: Vec<Load>,
    /// Of all worlds.
    pub run: Run,
}

/// What passed the wires of a side's nodes.
#[derive(Debug, Default)]
struct Sum {
    nodes: usize,
    all: Ledger,
}

impl Sum {
    fn add(&mut self, ledger: Ledger) {
        let plus = |one: Flow, other: Flow| Flow {
            datagrams: one.datagrams + other.datagrams,
            bytes: one.bytes + other.bytes,
        };
        self.nodes += 1;
        self.all = Ledger {
            asks: plus(self.all.asks, ledger.asks),
            hears: plus(self.all.hears, ledger.hears),
            asked: plus(self.all.asked, ledger.asked),
            answers: plus(self.all.answers, ledger.answers),
        };
    }

    fn load(&self, share: f64, side: Side, span: Duration) -> Load {
        let seconds = span.as_secs_f64() * self.nodes.max(1) as f64;
        let hourly = |flow: Flow| flow.datagrams as f64 / seconds * 3_600.0;
        let bytes = |flows: [Flow; 2]| flows.map(|f| f.bytes).iter().sum::<u64>() as f64 / seconds;
        Load {
            share,
            side,
            nodes: self.nodes,
            asked: hourly(self.all.asked),
            asks: hourly(self.all.asks),
            bytes: (
                bytes([self.all.asks, self.all.answers]),
                bytes([self.all.hears, self.all.asked]),
            ),
        }
    }
}

fn side(client: Client) -> Side {
    match client {
        Client::Ours | Client::Tuned(_) => Side::Ours,
        Client::Theirs(_) => Side::Theirs,
    }
}

/// Counts for a while what passes the wires of both sides.
fn listen(arena: &mut Arena, span: Duration, sums: &mut [Sum; 2]) {
    let people = &mut arena.people;
    let doors: Vec<HostId> = people.bootstrap().collect();
    let compared = arena.hosts.concat();
    let running: Vec<HostId> = people.world.running().map(|(host, _)| host).collect();
    let mut counts = [0; 2];
    let mut chosen: Vec<(HostId, usize, Ledger)> = Vec::new();
    for host in running.into_iter().filter(|host| !doors.contains(host)) {
        let Some(client) = people.client(host) else {
            continue;
        };
        let index = usize::from(side(client) == Side::Theirs);
        let extra = !compared.contains(&host);
        if extra && counts[index] >= SAMPLE {
            continue;
        }
        counts[index] += usize::from(extra);
        people.world.tap(host);
        chosen.push((host, index, people.ledger(host)));
    }
    people.run(span);
    for (host, index, before) in chosen {
        sums[index].add(people.ledger(host).since(&before));
    }
}

/// Builds each world and measures in it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut outcome = Outcome {
        lookups: Vec::new(),
        loads: Vec::new(),
        run: Run {
            seed: plan.seed,
            ..Run::default()
        },
    };
    for (number, share) in (0..).zip(plan.shares.iter().copied()) {
        let mut seen = Seen::default();
        let mut sums = [Sum::default(), Sum::default()];
        for world in 0..u64::from(plan.seeds) {
            let mut arena = Arena::grow(&Ground {
                nodes: plan.nodes,
                seed: plan.seed.wrapping_add(number + SEEDS_APART * world),
                ours: share,
                clients: plan.clients.clone(),
                hosts: plan.hosts,
                variants: Vec::new(),
            });
            listen(&mut arena, plan.span, &mut sums);
            arena.doom(plan.dead);
            arena.publish(plan.hosts * plan.lookups);
            arena.kill();
            let turns = Turns {
                rounds: plan.lookups,
                pause: lookup::PAUSE,
                last: lookup::LAST,
            };
            let (measured, begun) = arena.take_turns(turns, |_| Ask::Peers);
            let floors = arena.flood(&begun);
            arena.add_to(&mut seen, measured, floors);
            arena.count_in(&mut outcome.run);
        }
        let begun = (plan.hosts * plan.lookups * plan.seeds) as usize;
        for client in &plan.clients {
            let row = lookup::row((plan.nodes, plan.dead), (*client, begun), &seen);
            outcome.lookups.push((share, row));
        }
        for (side, sum) in [Side::Ours, Side::Theirs].into_iter().zip(&sums) {
            outcome.loads.push(sum.load(share, side, plan.span));
        }
    }
    outcome
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
