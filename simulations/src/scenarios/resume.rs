//! Interruptions: an uploader that goes, a downloader that comes back, and what each costs.
//!
//! A leecher fetches from two seeders of its own kind of line. One side goes in the middle, with and
//! without a word, and comes back after a while, or never. Each case is compared with the undisturbed
//! run of the same seed: bytes fetched twice, and time lost beyond the time the leecher was away.
//! The last cases are a swarm in which every leecher goes once.

use std::time::Duration;

use crate::report::{self, Axis, Cell, Chart, Format, Outcome as _, Report, Series, Style, Table};
use crate::scenarios::{Options, Scale};
use crate::swarm::{
    self, Departure, Line, Memory, PeerIndex, PeerPlan, Start, SwarmWorld, TrackerPlan, Trail,
};
use crate::time::Time;

/// The parameters.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines places and choices.
    pub seed: u64,
    /// Bytes of the torrent.
    pub length: u64,
    /// Everybody's line.
    pub line: Line,
    /// When somebody goes.
    pub goes: Time,
    /// For how long.
    pub away: Duration,
    /// What a crash loses: the storage records what it wrote every 5 s.
    pub unrecorded: Duration,
    /// Leechers of the swarm.
    pub peers: u32,
    /// A run ends then at the latest.
    pub limit: Time,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            length: 64 << 20,
            line: Line::mbit(50, 10),
            goes: Time::from_secs(12),
            away: Duration::from_secs(60),
            unrecorded: Duration::from_secs(5),
            peers: 40,
            limit: Time::from_secs(3_600),
        }
    }
}

impl Plan {
    /// Small enough for a test.
    #[must_use]
    pub fn small() -> Plan {
        Plan {
            length: 16 << 20,
            goes: Time::from_secs(4),
            peers: 8,
            ..Plan::default()
        }
    }
}

/// Who goes, and whether it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// Nobody.
    Undisturbed,
    /// One of two seeders, for good.
    OneSeeder(Departure),
    /// Both seeders, who come back.
    Seeders(Departure),
    /// The leecher, who comes back.
    Leecher(Departure, Memory),
    /// A swarm of one seeder in which nobody goes.
    Swarm,
    /// The same; every leecher goes once, one after the other.
    RestlessSwarm(Departure, Memory),
}

impl Case {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> String {
        let how = |departure| match departure {
            Departure::Closing => "closes",
            Departure::Silent => "vanishes",
        };
        let kept = |memory| match memory {
            Memory::Everything => "with everything",
            Memory::Recorded(_) => "with what was recorded",
        };
        match self {
            Case::Undisturbed => "two seeders, undisturbed".into(),
            Case::OneSeeder(by) => format!("one of two seeders {} for good", how(by)),
            Case::Seeders(by) => format!("each seeder {} and returns", how(by)),
            Case::Leecher(by, memory) => {
                format!("the leecher {}, returns {}", how(by), kept(memory))
            }
            Case::Swarm => "swarm, undisturbed".into(),
            Case::RestlessSwarm(by, memory) => {
                format!("swarm: each leecher {}, returns {}", how(by), kept(memory))
            }
        }
    }

    fn is_swarm(self) -> bool {
        matches!(self, Case::Swarm | Case::RestlessSwarm(..))
    }

    /// Whether the leechers themselves are away for a while.
    fn leechers_go(self) -> bool {
        matches!(self, Case::Leecher(..) | Case::RestlessSwarm(..))
    }
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What happened.
    pub case: Case,
    /// Leechers that completed.
    pub completed: u32,
    /// Mean time from arrival to completion.
    pub mean: Duration,
    /// How much longer than undisturbed, without the time away; 0 if shorter.
    pub lost: Duration,
    /// Bytes that all leechers together received beyond what they needed.
    pub twice: u64,
    /// Which run it was.
    pub trail: Trail,
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Bytes of the torrent.
    pub length: u64,
    /// Leechers of the swarm.
    pub peers: u32,
    /// A row a case.
    pub rows: Vec<Row>,
}

/// Plays all cases.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let recorded = Memory::Recorded(plan.unrecorded);
    let cases = [
        Case::Undisturbed,
        Case::OneSeeder(Departure::Closing),
        Case::OneSeeder(Departure::Silent),
        Case::Seeders(Departure::Closing),
        Case::Seeders(Departure::Silent),
        Case::Leecher(Departure::Closing, Memory::Everything),
        Case::Leecher(Departure::Silent, recorded),
        Case::Swarm,
        Case::RestlessSwarm(Departure::Closing, Memory::Everything),
        Case::RestlessSwarm(Departure::Silent, recorded),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for case in cases {
        let calm = rows.iter().rev().find(|row| {
            let undisturbed = matches!(row.case, Case::Undisturbed | Case::Swarm);
            undisturbed && row.case.is_swarm() == case.is_swarm()
        });
        let calm = calm.map(|row| row.mean);
        rows.push(one(plan, case, calm));
    }
    Outcome {
        seed: plan.seed,
        length: plan.length,
        peers: plan.peers,
        rows,
    }
}

fn one(plan: &Plan, case: Case, calm: Option<Duration>) -> Row {
    let of = swarm::Plan {
        length: plan.length,
        tracker: Some(TrackerPlan::default()),
        ..swarm::Plan::default()
    };
    let mut world = SwarmWorld::new(plan.seed, of);
    let (seeders, leechers) = if case.is_swarm() {
        (1, plan.peers)
    } else {
        (2, 1)
    };
    let peer = PeerPlan {
        line: plan.line,
        ..PeerPlan::default()
    };
    for _ in 0..seeders {
        world.add_peer(PeerPlan {
            start: Start::Seeder,
            ..peer.clone()
        });
    }
    for _ in 0..leechers {
        world.add_peer(peer.clone());
    }
    disturb(plan, case, seeders, &mut world);
    world.run_to_completion(plan.limit);
    let everybody = seeders..seeders + leechers;
    let took: Vec<Duration> = everybody
        .clone()
        .filter_map(|peer| world.took(peer))
        .collect();
    let mean = took.iter().sum::<Duration>() / (took.len() as u32).max(1);
    let away = if case.leechers_go() {
        plan.away
    } else {
        Duration::ZERO
    };
    Row {
        case,
        completed: took.len() as u32,
        mean,
        lost: mean.saturating_sub(calm.unwrap_or(mean) + away),
        twice: everybody.map(|peer| excess(&world, peer)).sum(),
        trail: Trail::of(&world),
    }
}

/// Bytes received beyond those that are on the disk.
fn excess(world: &SwarmWorld, peer: PeerIndex) -> u64 {
    let info = &world.content().info;
    let stored: u64 = world
        .pieces(peer)
        .iter_set()
        .map(|piece| {
            let begin = u64::from(piece) * u64::from(info.piece_length());
            u64::from(info.piece_length()).min(info.total_length() - begin)
        })
        .sum();
    world.totals(peer).downloaded.saturating_sub(stored)
}

fn disturb(plan: &Plan, case: Case, seeders: u32, world: &mut SwarmWorld) {
    let back = plan.goes + plan.away;
    match case {
        Case::Undisturbed | Case::Swarm => {}
        Case::OneSeeder(how) => world.depart_at(plan.goes, 0, how),
        Case::Seeders(how) => {
            for seeder in 0..seeders {
                world.depart_at(plan.goes, seeder, how);
                world.return_at(back, seeder, Memory::Everything);
            }
        }
        Case::Leecher(how, memory) => {
            world.depart_at(plan.goes, seeders, how);
            world.return_at(back, seeders, memory);
        }
        Case::RestlessSwarm(how, memory) => {
            for n in 0..plan.peers {
                // Spread over as long as one is away.
                let later = plan.away * n / plan.peers;
                world.depart_at(plan.goes + later, seeders + n, how);
                world.return_at(back + later, seeders + n, memory);
            }
        }
    }
}

impl From<Options> for Plan {
    fn from(options: Options) -> Plan {
        let plan = match options.scale {
            Scale::Small => Plan::small(),
            Scale::Full => Plan::default(),
        };
        Plan {
            seed: options.seed,
            peers: options.nodes.unwrap_or(plan.peers),
            ..plan
        }
    }
}

impl Outcome {
    /// One dot a case: what it cost in time and in bytes.
    fn chart(&self) -> Chart {
        let dot = |row: &Row| {
            let needed = self.length * u64::from(row.completed).max(1);
            let cost = (row.lost.as_secs_f64(), row.twice as f64 / needed as f64);
            Series::new(&row.case.name(), Style::Points, vec![cost])
        };
        Chart {
            title: "What interruptions cost".to_owned(),
            x: Axis::linear("lost beyond the absence").with(Format::Seconds),
            y: Axis::linear("fetched twice, of what was needed").with(Format::Share),
            series: self.rows.iter().map(dot).collect(),
            notes: Vec::new(),
        }
    }
}

impl report::Outcome for Outcome {
    fn report(&self) -> Report {
        let mut table = Table::new(
            "what interruptions cost",
            &[
                ("case", ""),
                ("done", ""),
                ("mean", ""),
                ("lost", ""),
                ("fetched twice", "MiB"),
                ("of what was needed", ""),
            ],
        );
        for row in &self.rows {
            let needed = self.length * u64::from(row.completed).max(1);
            table.push([
                row.case.name().into(),
                row.completed.into(),
                row.mean.into(),
                row.lost.into(),
                Cell::Number(row.twice as f64 / f64::from(1 << 20), 2),
                Cell::Percent(row.twice as f64 / needed as f64),
            ]);
        }
        Report {
            scenario: "resume",
            about:
                "Seeders and leechers go in the middle of a transfer, with and without a word: how \
                    much time does it cost beyond the absence, and how much is fetched twice?"
                    .into(),
            parameters: vec![
                ("nodes".into(), self.peers.to_string()),
                ("seed".into(), self.seed.to_string()),
            ],
            tables: vec![table],
            charts: vec![self.chart()],
            run: Trail::together(self.seed, self.rows.iter().map(|row| row.trail)),
            ..Report::default()
        }
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    play(&Plan::from(*options)).report()
}
