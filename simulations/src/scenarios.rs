//! The experiments: each builds a world, lets it live, and measures it against the oracle.
//!
//! One file an experiment, all of the same shape: a `Plan` from the [`Options`], `play` which makes
//! an `Outcome` of typed rows, and `run`, which shows them as a `Report`.

pub mod announce;
mod arena;
pub mod attack;
pub mod bootstrap;
pub mod bulk;
pub mod churn;
pub mod free_riders;
mod freshness;
pub mod gates;
pub mod join;
pub mod lookup;
pub mod mixed;
pub mod newcomer;
pub mod outage;
pub mod phases;
pub mod rarest;
pub mod resume;
pub mod saved;
pub mod scaling;
pub mod sweep;
pub mod trackers_down;
pub mod upkeep;

use crate::report::Report;

/// An experiment that can be asked for by name.
#[derive(Debug)]
pub struct Scenario {
    /// On the command line.
    pub name: &'static str,
    /// Its question, in one line.
    pub about: &'static str,
    /// Plays and shows it; how long that takes here is not its business.
    run: fn(&Options) -> Report,
}

impl Scenario {
    /// Plays and shows it.
    #[must_use]
    pub fn report(&self, options: &Options) -> Report {
        let start = Stopwatch::start();
        let mut report = (self.run)(options);
        report.run.wall = start.elapsed();
        report
    }
}

/// All of them.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "gates",
        about: "Is the simulated network like the real one where that was measured?",
        run: gates::run,
    },
    Scenario {
        name: "join",
        about: "Does a network that grows from three nodes know itself, and how soon?",
        run: join::run,
    },
    Scenario {
        name: "lookup",
        about: "How long does it take until the first peer, and against what floor?",
        run: lookup::run,
    },
    Scenario {
        name: "announce",
        about: "How long until eight nodes store an announcement, and what does repeating it cost?",
        run: announce::run,
    },
    Scenario {
        name: "bulk",
        about: "How long does a node need to announce thousands of torrents, and are they found?",
        run: bulk::run,
    },
    Scenario {
        name: "sweep",
        about: "Which values should the parameters of our lookups have?",
        run: sweep::run,
    },
    Scenario {
        name: "churn",
        about: "How long do announcements live while people come and go, and how fresh are tables?",
        run: churn::run,
    },
    Scenario {
        name: "mixed",
        about: "Do our lookups gain when few nodes are ours, and do others carry more when many are?",
        run: mixed::run,
    },
    Scenario {
        name: "upkeep",
        about: "What does an idle node exchange, and how good is its table for that?",
        run: upkeep::run,
    },
    Scenario {
        name: "bootstrap",
        about: "How soon does a newcomer find peers, by the doors that are left?",
        run: bootstrap::run,
    },
    Scenario {
        name: "outage",
        about: "What do lookups find while a network is hurt, and how soon is it healed?",
        run: outage::run,
    },
    Scenario {
        name: "attack",
        about: "What do attackers achieve against the nodes that ship?",
        run: attack::run,
    },
    Scenario {
        name: "trackers-down",
        about: "Does a swarm survive its trackers, and at what cost?",
        run: trackers_down::run,
    },
    Scenario {
        name: "rarest",
        about: "What does picking the rarest piece first give, against picking in order?",
        run: rarest::run,
    },
    Scenario {
        name: "free-riders",
        about: "What do those pay who give nothing, and what do they cost the others?",
        run: free_riders::run,
    },
    Scenario {
        name: "resume",
        about: "What does it cost when seeders or leechers go in the middle?",
        run: resume::run,
    },
    Scenario {
        name: "scaling",
        about: "What does a virtual node cost, against the size of the network?",
        run: scaling::run,
    },
];

/// The scenario of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

/// How large an experiment is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Seconds: for tests.
    Small,
    /// Minutes: for the report.
    #[default]
    Full,
}

/// What an experiment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Determines the run.
    pub seed: u64,
    /// Nodes or peers, where the experiment does not sweep over them.
    pub nodes: Option<u32>,
    /// Worlds of each kind whose results count together, where the experiment can; at least 1.
    pub seeds: u32,
    /// How much is done where `nodes` does not say.
    pub scale: Scale,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seed: 1,
            nodes: None,
            seeds: 1,
            scale: Scale::Full,
        }
    }
}

/// Memory of this process that is in use, in bytes; `None` where the system does not say.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    /// Linux counts it in pages of 4 KiB, second in this file.
    const PAGE: u64 = 4_096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * PAGE)
}

/// Measures what a run takes here, which is a result and decides nothing.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

#[expect(
    clippy::disallowed_methods,
    reason = "what a run takes here is a result"
)]
impl Stopwatch {
    /// One that runs.
    #[must_use]
    pub fn start() -> Stopwatch {
        Stopwatch(std::time::Instant::now())
    }

    /// Since the start.
    #[must_use]
    pub fn elapsed(&self) -> std::time::Duration {
        self.0.elapsed()
    }
}
