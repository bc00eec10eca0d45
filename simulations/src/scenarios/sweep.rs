//! Which values the parameters of our lookups should have: one at a time, the others at their defaults.
//!
//! All variants of the node live in one `arena`, so they meet the same people, the
//! same dead contacts and the same hashes, and differ by one number of [`Tuning`]. They look up
//! hashes; then they announce themselves for others, when they have already learned of some deaths.
//! Invariant: the value that ships is in every row of values, and is measured once.
//!
//! Full: 10,000 nodes, at 40 % and at 60 % dead.

use dht::Tuning;

use super::announce::{self, Time};
use super::arena::{self, Arena, Ground, Seen, Turns};
use super::lookup::{self, SEEDS_APART};
use crate::report::{Report, Run};
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, Client};

mod parameters;
mod show;

pub use parameters::{PARAMETERS, Parameter};

/// What is compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Networks of each dead share.
    pub seeds: u32,
    /// Nodes, the variants included.
    pub nodes: u32,
    /// Shares of nodes that die.
    pub dead: Vec<f64>,
    /// What is swept, and over which values.
    pub sweeps: Vec<(&'static Parameter, Vec<usize>)>,
    /// Hosts of each variant.
    pub hosts: u32,
    /// Lookups of each host.
    pub lookups: u32,
    /// Announcements of each host.
    pub announcements: u32,
    /// Shipping nodes in the network, 0 to 1.
    pub ours: f64,
}

/// A node with one number changed.
#[derive(Clone, Copy, Debug)]
struct Variant {
    parameter: &'static Parameter,
    value: usize,
    client: Client,
}

impl Plan {
    /// What these options ask for.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let sweeps = PARAMETERS.iter().map(|one| (one, one.values.to_vec()));
        let full = Plan {
            seed: options.seed,
            seeds: options.seeds,
            nodes: options.nodes.unwrap_or(10_000),
            dead: vec![0.4, 0.6],
            sweeps: sweeps.collect(),
            hosts: 40,
            lookups: 5,
            announcements: 3,
            ours: 0.1,
        };
        let mut plan = match options.scale {
            Scale::Full => full,
            Scale::Small => Plan {
                nodes: options.nodes.unwrap_or(300),
                dead: vec![0.4],
                sweeps: vec![(&PARAMETERS[0], vec![1, 4])],
                hosts: 16,
                announcements: 2,
                ..full
            },
        };
        plan.hosts = arena::minority(plan.hosts, plan.nodes, &plan.clients());
        plan
    }

    /// All variants, and the tunings of those that do not ship, in the order of their numbers.
    fn variants(&self) -> (Vec<Variant>, Vec<Tuning>) {
        let (mut variants, mut tunings) = (Vec::new(), Vec::new());
        for (parameter, values) in &self.sweeps {
            let shipped = parameter.of(&Tuning::default());
            let mut values: Vec<usize> = values.iter().copied().chain([shipped]).collect();
            values.sort_unstable();
            values.dedup();
            for value in values {
                let client = if value == shipped {
                    Client::Ours
                } else {
                    let number = u8::try_from(tunings.len()).expect("fewer than 256 variants");
                    tunings.push(parameter.with(Tuning::default(), value));
                    Client::Tuned(number)
                };
                variants.push(Variant {
                    parameter,
                    value,
                    client,
                });
            }
        }
        (variants, tunings)
    }

    /// The shipping node and its variants.
    fn clients(&self) -> Vec<Client> {
        let (_, tunings) = self.variants();
        let numbers = (0..=u8::MAX).take(tunings.len());
        let tuned = numbers.map(Client::Tuned);
        [Client::Ours].into_iter().chain(tuned).collect()
    }
}

/// One value of one parameter at one dead share.
#[derive(Clone, Debug)]
pub struct Row {
    /// Of `Tuning`.
    pub parameter: &'static str,
    /// What it was.
    pub value: usize,
    /// How its lookups went.
    pub lookups: lookup::Row,
    /// How its announcements went.
    pub announcements: announce::Row,
}

impl Row {
    /// Whether that is the value that ships.
    #[must_use]
    pub fn ships(&self) -> bool {
        self.lookups.client == Client::Ours
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By dead share, parameter and value. What ships is in each parameter's rows, the same each time.
    pub rows: Vec<Row>,
    /// Of all worlds.
    pub run: Run,
}

/// Plays one network; adds its lookups and its announcements to what was seen.
fn compare(plan: &Plan, dead: f64, seed: u64, [looked, announced]: &mut [Seen; 2]) -> Arena {
    let mut arena = Arena::grow(&Ground {
        nodes: plan.nodes,
        seed,
        ours: plan.ours,
        clients: plan.clients(),
        hosts: plan.hosts,
        variants: plan.variants().1,
    });
    arena.doom(dead);
    arena.publish(plan.hosts * plan.lookups);
    arena.kill();
    let turns = Turns {
        rounds: plan.lookups,
        pause: lookup::PAUSE,
        last: lookup::LAST,
    };
    let (measured, mut begun) = arena.take_turns(turns, |_| Ask::Peers);
    // One floor for all: that of the contacts of what ships.
    begun.retain(|begin| begin.client == Client::Ours);
    let floors = arena.flood(&begun);
    arena.add_to(looked, measured, floors);
    arena.aim(plan.hosts * plan.announcements);
    let turns = Turns {
        rounds: plan.announcements,
        pause: announce::PAUSE,
        last: announce::LAST,
    };
    let (measured, _) = arena.take_turns(turns, Ask::Announce);
    arena.add_to(announced, measured, Vec::new());
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
    for (number, dead) in (0..).zip(plan.dead.iter().copied()) {
        let mut seen = [Seen::default(), Seen::default()];
        for world in 0..u64::from(plan.seeds) {
            let seed = plan.seed.wrapping_add(number + SEEDS_APART * world);
            compare(plan, dead, seed, &mut seen).count_in(&mut run);
        }
        let hosts = (plan.hosts * plan.seeds) as usize;
        let [lookups, announcements] =
            [plan.lookups, plan.announcements].map(|each| hosts * each as usize);
        let cell = (plan.nodes, dead);
        rows.extend(plan.variants().0.into_iter().map(|variant| Row {
            parameter: variant.parameter.name,
            value: variant.value,
            lookups: lookup::row(cell, (variant.client, lookups), &seen[0]),
            announcements: announce::row(
                cell,
                Time::First,
                (variant.client, announcements),
                &seen[1],
            ),
        }));
    }
    Outcome { rows, run }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
