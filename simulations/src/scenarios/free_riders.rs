//! Free riders: what those pay who give nothing, and what they cost the others.
//!
//! Some of the leechers have no upload slots. Each share of them is played with tit for tat and without
//! (everybody has as many slots as there are peers, so nobody is ever choked), and with contributors
//! that stay when they are done or leave at once. The runs share their seed: the same lines, places
//! and arrivals. Free riders always leave when they are done; the seeder stays.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::report::{self, Axis, Cell, Chart, Outcome as _, Report, Series, Style, Table};
use crate::scenarios::{Options, Scale};
use crate::swarm::times::Times;
use crate::swarm::{self, Behaviour, Line, Linger, PeerPlan, Start, SwarmWorld, Trail, link};
use crate::time::Time;

/// The parameters.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines lines, places and arrivals.
    pub seed: u64,
    /// Leechers.
    pub peers: u32,
    /// Free riders among them, in per cent; one run each and combination.
    pub shares: Vec<u32>,
    /// Of a hundred contributors, so many leave when they are done.
    pub leavers: Vec<u32>,
    /// Bytes of the torrent.
    pub length: u64,
    /// The leechers come evenly over this time.
    pub arrival: Duration,
    /// Every leecher's line; none: the mix of homes. With one line for all, uploads are what is scarce,
    /// which is where giving has to pay. In the mix a tenth of the homes give more than all others
    /// together, and everybody waits for the seeder's next piece.
    pub line: Option<Line>,
    /// The seeder's line.
    pub seeder: Line,
    /// A run ends then at the latest.
    pub limit: Time,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan {
            seed: 1,
            peers: 60,
            shares: vec![0, 20, 40, 60, 80],
            leavers: vec![0, 100],
            length: 64 << 20,
            arrival: Duration::from_secs(30),
            line: Some(Line::mbit(50, 10)),
            seeder: Line::mbit(100, 40),
            limit: Time::from_secs(7_200),
        }
    }
}

impl Plan {
    /// Small enough for a test.
    #[must_use]
    pub fn small() -> Plan {
        Plan {
            peers: 30,
            shares: vec![0, 40],
            leavers: vec![100],
            length: 24 << 20,
            arrival: Duration::from_secs(10),
            ..Plan::default()
        }
    }
}

/// Whether uploads are given to the few who give most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Choking {
    /// Tit for tat, with the client's slots.
    TitForTat,
    /// A slot for everybody.
    None,
}

impl Choking {
    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Choking::TitForTat => "tit for tat",
            Choking::None => "no choking",
        }
    }
}

/// One run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Free riders in per cent of the leechers.
    pub share: u32,
    /// Contributors who leave, in per cent.
    pub leavers: u32,
    /// How uploads are given.
    pub choking: Choking,
    /// Contributors: from arrival to completion.
    pub contributors: Times,
    /// Free riders: the same.
    pub riders: Times,
    /// Bytes of blocks that the seeder gave.
    pub seeder_up: u64,
    /// Bytes of blocks that free riders gave: none, or they are not.
    pub riders_up: u64,
    /// Which run it was.
    pub trail: Trail,
}

/// What came out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Leechers.
    pub peers: u32,
    /// Bytes of the torrent.
    pub length: u64,
    /// A row for each combination.
    pub rows: Vec<Row>,
}

/// Plays every combination.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut rows = Vec::new();
    for leavers in &plan.leavers {
        for share in &plan.shares {
            for choking in [Choking::TitForTat, Choking::None] {
                rows.push(one(plan, *share, *leavers, choking));
            }
        }
    }
    Outcome {
        seed: plan.seed,
        peers: plan.peers,
        length: plan.length,
        rows,
    }
}

/// Whether number `n` of some is among `per_cent`, evenly spread over them.
fn among(n: u32, per_cent: u32) -> bool {
    (n + 1) * per_cent / 100 > n * per_cent / 100
}

fn one(plan: &Plan, share: u32, leavers: u32, choking: Choking) -> Row {
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let of = swarm::Plan {
        length: plan.length,
        ..swarm::Plan::default()
    };
    let mut world = SwarmWorld::new(plan.seed, of);
    let peer = PeerPlan {
        upload_slots: match choking {
            Choking::TitForTat => PeerPlan::default().upload_slots,
            Choking::None => plan.peers as usize + 1,
        },
        ..PeerPlan::default()
    };
    world.add_peer(PeerPlan {
        line: plan.seeder,
        start: Start::Seeder,
        ..peer.clone()
    });
    let (mut riders, mut contributors) = (Vec::new(), Vec::new());
    for n in 0..plan.peers {
        let rides = among(n, share);
        let leaves = rides || among(contributors.len() as u32, leavers);
        let index = world.add_peer(PeerPlan {
            line: plan.line.unwrap_or_else(|| link::home_line(&mut rng)),
            behaviour: if rides {
                Behaviour::FreeRider
            } else {
                Behaviour::Honest
            },
            arrives: Time::ZERO + plan.arrival * n / plan.peers,
            linger: if leaves {
                Linger::For(Duration::ZERO)
            } else {
                Linger::Forever
            },
            ..peer.clone()
        });
        if rides {
            riders.push(index);
        } else {
            contributors.push(index);
        }
    }
    world.run_to_completion(plan.limit);
    let times = |of: &[u32]| Times::of(of.iter().filter_map(|peer| world.took(*peer)));
    Row {
        share,
        leavers,
        choking,
        contributors: times(&contributors),
        riders: times(&riders),
        seeder_up: world.totals(0).uploaded,
        riders_up: riders.iter().map(|peer| world.totals(*peer).uploaded).sum(),
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
            peers: options.nodes.unwrap_or(plan.peers),
            ..plan
        }
    }
}

impl report::Outcome for Outcome {
    fn report(&self) -> Report {
        let mut table = Table::new(
            "completion of those who give and of those who do not",
            &[
                ("leave when done", ""),
                ("free riders", ""),
                ("uploads", ""),
                ("givers done", ""),
                ("givers p50", ""),
                ("givers p90", ""),
                ("riders done", ""),
                ("riders p50", ""),
                ("riders p90", ""),
                ("seeder", "copies"),
            ],
        );
        let time = |times: Times, value: Duration| {
            if times.count == 0 {
                Cell::Missing
            } else {
                value.into()
            }
        };
        for row in &self.rows {
            table.push([
                Cell::Percent(f64::from(row.leavers) / 100.0),
                Cell::Percent(f64::from(row.share) / 100.0),
                row.choking.name().into(),
                row.contributors.count.into(),
                time(row.contributors, row.contributors.p50),
                time(row.contributors, row.contributors.p90),
                row.riders.count.into(),
                time(row.riders, row.riders.p50),
                time(row.riders, row.riders.p90),
                Cell::Number(row.seeder_up as f64 / self.length as f64, 2),
            ]);
        }
        Report {
            scenario: "free-riders",
            about:
                "Some leechers give nothing: what does that cost them, and what does it cost the \
                    others, with tit for tat and without?"
                    .into(),
            parameters: vec![
                ("nodes".into(), self.peers.to_string()),
                ("seed".into(), self.seed.to_string()),
            ],
            tables: vec![table],
            charts: self.charts(),
            findings: Vec::new(),
            run: Trail::together(self.seed, self.rows.iter().map(|row| row.trail)),
        }
    }
}

impl Outcome {
    fn charts(&self) -> Vec<Chart> {
        let mut leavers: Vec<u32> = self.rows.iter().map(|row| row.leavers).collect();
        leavers.dedup();
        leavers.into_iter().map(|of| self.chart(of)).collect()
    }

    fn chart(&self, leavers: u32) -> Chart {
        let of = |choking: Choking, who: fn(&Row) -> Times, name: &str, style| {
            let rows = self.rows.iter();
            let rows = rows.filter(|row| row.choking == choking && row.leavers == leavers);
            let rows = rows.filter(|row| who(row).count > 0);
            let point = |row: &Row| (f64::from(row.share) / 100.0, who(row).p50.as_secs_f64());
            let name = format!("{name}, {}", choking.name());
            Series::new(&name, style, rows.map(point).collect())
        };
        let modes = [
            (Choking::TitForTat, Style::Line),
            (Choking::None, Style::Dashed),
        ];
        let series = modes.into_iter().flat_map(|(choking, style)| {
            [
                of(choking, |row| row.contributors, "givers", style),
                of(choking, |row| row.riders, "free riders", style),
            ]
        });
        Chart {
            title: format!("Median time to completion; {leavers} % of givers leave when done"),
            x: Axis::share("free riders"),
            y: Axis::linear("seconds"),
            series: series.collect(),
            notes: vec![format!("seed {}, {} peers", self.seed, self.peers)],
        }
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    play(&Plan::from(*options)).report()
}
