//! What attackers achieve against shipping nodes as they are.
//!
//! Three attacks on the way to peers, in networks with everyday NATs, loss and churn: attackers among
//! all nodes, around a torrent, around one node ([`routing`]); three on what one node does for others:
//! forged tokens and a flooded store ([`serving`]), amplification ([`amplify`]). Full size: 800 nodes, seven networks.
//! Not played: attackers that give out wrong peers, or that forge their addresses to networks.

pub mod amplify;
mod field;
pub mod liars;
pub mod routing;
pub mod serving;
mod show;

use std::time::Duration;

use amplify::Amplified;
use field::Field;
pub use field::Gets;
use routing::{Eclipsed, Poisoned, Surrounded};
use serving::{Flooded, Tokens};

use crate::report::{Report, Run};
use crate::scenarios::{Options, Scale};
use crate::time::Time;

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Honest nodes of each network.
    pub nodes: u32,
    /// Life of a network before the attack.
    pub settled: Duration,
    /// How long attackers among all nodes are there before anything is measured.
    pub poisoning: Duration,
    /// How long those around one node are.
    pub eclipsing: Duration,
    /// Measured lookups a row.
    pub lookups: usize,
    /// Torrents that are surrounded, one after the other, for each number of Sybils.
    pub surrounded: usize,
    /// Attackers among all nodes, 0 to 1.
    pub shares: Vec<f64>,
    /// Attackers around a torrent.
    pub sybils: Vec<u32>,
    /// Attackers around one node.
    pub eclipses: Vec<u32>,
    /// Announcements to one node.
    pub flood: u32,
}

impl Plan {
    /// 800 nodes, or 120 if small.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let full = Plan {
            seed: options.seed,
            nodes: options.nodes.unwrap_or(800),
            settled: minutes(30),
            poisoning: minutes(40),
            eclipsing: minutes(30),
            lookups: 1_000,
            surrounded: 5,
            shares: vec![0.0, 0.01, 0.05, 0.1, 0.2, 0.3],
            sybils: vec![8, 16, 32, 64],
            eclipses: vec![32, 128, 512],
            flood: 60_000,
        };
        match options.scale {
            Scale::Full => full,
            Scale::Small => Plan {
                nodes: options.nodes.unwrap_or(120),
                settled: minutes(12),
                poisoning: minutes(10),
                eclipsing: minutes(10),
                lookups: 40,
                surrounded: 1,
                shares: vec![0.0, 0.2],
                sybils: vec![8, 32],
                eclipses: vec![64],
                flood: 4_000,
                ..full
            },
        }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Attackers among all nodes.
    pub poisoned: Vec<Poisoned>,
    /// Attackers around a torrent.
    pub surrounded: Vec<Surrounded>,
    /// Attackers around one node.
    pub eclipsed: Vec<Eclipsed>,
    /// Announcements with forged tokens.
    pub tokens: Vec<Tokens>,
    /// Answers to forged sources.
    pub amplified: Vec<Amplified>,
    /// A flooded store.
    pub flooded: Vec<Flooded>,
    /// The run, without its wall time.
    pub run: Run,
}

/// Plays it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut run = Run {
        seed: plan.seed,
        ..Run::default()
    };
    let mut done = |field: &Field| {
        let world = &field.people.world;
        run.digest = run.digest.rotate_left(1) ^ world.digest();
        run.events += world.events();
        run.virtual_time += world.now() - Time::ZERO;
    };
    let poisoned = routing::poison(plan, &mut done);
    let mut field = Field::new(plan.nodes, plan.seed, plan.settled);
    let surrounded = routing::surround(plan, &mut field);
    let eclipsed = routing::eclipse(plan, &mut field);
    done(&field);
    Outcome {
        poisoned,
        surrounded,
        eclipsed,
        tokens: serving::forge(plan.seed, 200),
        amplified: amplify::amplify(plan.seed),
        flooded: serving::flood(plan.seed, plan.flood),
        run,
    }
}

/// Plays and shows it.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
