//! Rarest first against sequential picking: one seeder, and leechers who come one after the other.
//!
//! Both runs of a size have the same seed: the same lines, places and arrivals. It measures how long
//! each leecher took and what the seeder had to give. Seeder and leechers stay when they are done.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::report::{self, Axis, Cell, Chart, Outcome as _, Report, Series, Style, Table};
use crate::scenarios::{Options, Scale};
use crate::swarm::times::Times;
use crate::swarm::{self, Behaviour, Line, PeerPlan, Start, SwarmWorld, Trail, link};
use crate::time::Time;

/// The parameters.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines lines, places and arrivals.
    pub seed: u64,
    /// How many leechers, one pair of runs each.
    pub sizes: Vec<u32>,
    /// Bytes of the torrent.
    pub length: u64,
    /// The leechers come evenly over this time.
    pub arrival: Duration,
    /// The seeder's line: the bottleneck, as long as it alone has some piece.
    pub seeder: Line,
    /// A run ends then at the latest.
    pub limit: Time,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            sizes: vec![10, 50, 100, 200, 500],
            length: 32 << 20,
            arrival: Duration::from_secs(120),
            seeder: Line::mbit(50, 10),
            limit: Time::from_secs(7_200),
        }
    }
}

impl Plan {
    /// Small enough for a test.
    #[must_use]
    pub fn small() -> Plan {
        Plan {
            sizes: vec![12],
            length: 8 << 20,
            arrival: Duration::from_secs(12),
            ..Plan::default()
        }
    }
}

/// Which pieces come first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Picking {
    /// As the client does.
    Rarest,
    /// By index.
    Sequential,
}

impl Picking {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Picking::Rarest => "rarest first",
            Picking::Sequential => "sequential",
        }
    }
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Leechers.
    pub peers: u32,
    /// How all of them picked.
    pub picking: Picking,
    /// From arrival to completion, of those who completed.
    pub times: Times,
    /// Bytes of blocks that the seeder gave.
    pub seeder_up: u64,
    /// Bytes that leechers received in vain.
    pub wasted: u64,
    /// Bytes that leechers received.
    pub downloaded: u64,
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
    /// Two rows a size.
    pub rows: Vec<Row>,
}

/// Plays every size with both pickers.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let runs = plan.sizes.iter().flat_map(|peers| {
        let both = [Picking::Rarest, Picking::Sequential];
        both.map(|picking| one(plan, *peers, picking))
    });
    Outcome {
        seed: plan.seed,
        length: plan.length,
        rows: runs.collect(),
    }
}

fn one(plan: &Plan, peers: u32, picking: Picking) -> Row {
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let of = swarm::Plan {
        length: plan.length,
        ..swarm::Plan::default()
    };
    let mut world = SwarmWorld::new(plan.seed, of);
    world.add_peer(PeerPlan {
        line: plan.seeder,
        start: Start::Seeder,
        ..PeerPlan::default()
    });
    for n in 0..peers {
        world.add_peer(PeerPlan {
            line: link::home_line(&mut rng),
            behaviour: match picking {
                Picking::Rarest => Behaviour::Honest,
                Picking::Sequential => Behaviour::Sequential,
            },
            arrives: Time::ZERO + plan.arrival * n / peers,
            ..PeerPlan::default()
        });
    }
    world.run_to_completion(plan.limit);
    let totals: Vec<_> = (1..=peers).map(|peer| world.totals(peer)).collect();
    Row {
        peers,
        picking,
        times: Times::of((1..=peers).filter_map(|peer| world.took(peer))),
        seeder_up: world.totals(0).uploaded,
        wasted: totals.iter().map(|of| of.wasted).sum(),
        downloaded: totals.iter().map(|of| of.downloaded).sum(),
        trail: Trail::of(&world),
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
            sizes: options.nodes.map_or(plan.sizes, |peers| vec![peers]),
            ..plan
        }
    }
}

impl report::Outcome for Outcome {
    fn report(&self) -> Report {
        let mut table = Table::new(
            "completion and what the seeder gave",
            &[
                ("peers", ""),
                ("picking", ""),
                ("done", ""),
                ("mean", ""),
                ("p10", ""),
                ("p50", ""),
                ("p90", ""),
                ("seeder", "copies"),
                ("in vain", ""),
            ],
        );
        for row in &self.rows {
            let in_vain = row.wasted as f64 / row.downloaded.max(1) as f64;
            table.push([
                row.peers.into(),
                row.picking.name().into(),
                row.times.count.into(),
                row.times.mean.into(),
                row.times.p10.into(),
                row.times.p50.into(),
                row.times.p90.into(),
                Cell::Number(row.seeder_up as f64 / self.length as f64, 2),
                Cell::Percent(in_vain),
            ]);
        }
        Report {
            scenario: "rarest",
            about:
                "One seeder, leechers who come one after the other: what does picking the rarest \
                    piece first give, against picking in order?"
                    .into(),
            parameters: vec![("seed".into(), self.seed.to_string())],
            tables: vec![table],
            charts: vec![self.chart()],
            findings: self.findings(),
            run: Trail::together(self.seed, self.rows.iter().map(|row| row.trail)),
        }
    }
}

impl Outcome {
    fn chart(&self) -> Chart {
        let of = |picking: Picking, value: fn(&Row) -> Duration, name: &str, style| {
            let rows = self.rows.iter().filter(|row| row.picking == picking);
            let points = rows.map(|row| (f64::from(row.peers), value(row).as_secs_f64()));
            let name = format!("{}, {name}", picking.name());
            Series::new(&name, style, points.collect())
        };
        let both = [Picking::Rarest, Picking::Sequential].into_iter();
        let series = both.flat_map(|picking| {
            [
                of(picking, |row| row.times.p50, "half", Style::Line),
                of(picking, |row| row.times.p90, "nine tenths", Style::Dashed),
            ]
        });
        Chart {
            title: "Time to completion".into(),
            x: Axis::log("peers"),
            y: Axis::linear("seconds"),
            series: series.collect(),
            notes: vec![format!("seed {}", self.seed)],
        }
    }

    fn findings(&self) -> Vec<String> {
        let pairs = self.rows.chunks_exact(2).filter(|pair| {
            pair[0].picking == Picking::Rarest && pair[1].picking == Picking::Sequential
        });
        pairs
            .map(|pair| {
                let [mean, first] =
                    [pair[1].times.mean, pair[0].times.mean].map(|t| t.as_secs_f64());
                format!(
                    "{} peers: in order takes {:.2} times as long on average, and the seeder gives \
                     {:.2} times as much.",
                    pair[0].peers,
                    mean / first.max(1e-9),
                    pair[1].seeder_up as f64 / pair[0].seeder_up.max(1) as f64,
                )
            })
            .collect()
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    play(&Plan::from(*options)).report()
}
