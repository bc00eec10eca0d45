//! Scaling: what a virtual node costs, against the size of the network.
//!
//! Shipping nodes on the calm internet arrive within ten minutes and then live an hour in which each
//! looks for one torrent (dht.md §5.2). Measured here, not in virtual time: events a second, memory
//! a node, and how many virtual hours an hour of this machine buys.
//!
//! Full: 1,000 to 10,000 nodes, or up to `--nodes`; above 300,000 that size alone, for a minute after
//! all have arrived. Small: 300 nodes for ten minutes.

use std::time::Duration;

use super::{Options, Scale, Stopwatch, resident_bytes};
use dht::Tuning;

use crate::population::{Plan as Settlement, Population, Workload};
use crate::report::{Axis, Cell, Chart, Report, Run, Series, Style, Table};

/// More nodes than these live a minute instead of an hour.
const HUGE: u32 = 300_000;

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Sizes of the networks.
    pub sizes: Vec<u32>,
    /// The time over which everybody arrives.
    pub arrival: Duration,
    /// Life after that.
    pub life: Duration,
    /// Of everything random.
    pub seed: u64,
}

impl Plan {
    /// The plan for these options.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        match options.scale {
            Scale::Small => Plan {
                sizes: vec![100, options.nodes.unwrap_or(300)],
                arrival: Duration::from_secs(120),
                life: Duration::from_secs(480),
                seed: options.seed,
            },
            // A demonstration: an hour of a million nodes would take hours.
            Scale::Full if options.nodes.is_some_and(|nodes| nodes > HUGE) => Plan {
                sizes: options.nodes.into_iter().collect(),
                arrival: Duration::from_secs(600),
                life: Duration::from_secs(60),
                seed: options.seed,
            },
            Scale::Full => {
                let largest = options.nodes.unwrap_or(10_000);
                let mut sizes: Vec<u32> = [1_000, 3_000, 10_000, 30_000]
                    .into_iter()
                    .filter(|size| *size < largest)
                    .collect();
                sizes.push(largest);
                Plan {
                    sizes,
                    arrival: Duration::from_secs(600),
                    life: Duration::from_secs(3_600),
                    seed: options.seed,
                }
            }
        }
    }
}

/// One network.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its nodes.
    pub nodes: u32,
    /// Happenings in all.
    pub events: u64,
    /// Time here until all had arrived.
    pub joining: Duration,
    /// Time here for the life after that.
    pub living: Duration,
    /// Happenings of that life.
    pub lived: u64,
    /// Memory of the process a node, at the end.
    pub bytes: Option<u64>,
    /// Datagrams that a node sent a second of that life.
    pub sent: f64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// By size.
    pub rows: Vec<Row>,
    /// Of all worlds.
    pub digest: u64,
    /// Of all worlds, added up.
    pub virtual_time: Duration,
}

/// Plays the plan.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut outcome = Outcome {
        rows: Vec::new(),
        digest: 0,
        virtual_time: Duration::ZERO,
    };
    for nodes in &plan.sizes {
        let before = resident_bytes();
        let begun = Stopwatch::start();
        let mut population = Population::new(Settlement {
            arrival: plan.arrival,
            workload: Workload { lookups: 1.0 },
            tuning: Tuning::frugal(),
            ..Settlement::calm(*nodes, plan.seed)
        });
        population.run(plan.arrival);
        let (joining, joined) = (begun.elapsed(), population.world.events());
        let sent = population.world.traffic().sent;
        let begun = Stopwatch::start();
        population.run(plan.life);
        let node_seconds = f64::from(*nodes) * plan.life.as_secs_f64();
        let used = resident_bytes()
            .zip(before)
            .map(|(now, then)| now.saturating_sub(then));
        outcome.rows.push(Row {
            nodes: *nodes,
            events: population.world.events(),
            joining,
            living: begun.elapsed(),
            lived: population.world.events() - joined,
            bytes: used.map(|used| used / u64::from(*nodes)),
            sent: (population.world.traffic().sent - sent) as f64 / node_seconds,
        });
        outcome.digest = outcome.digest.rotate_left(1) ^ population.world.digest();
        outcome.virtual_time += population.world.now().elapsed();
    }
    outcome
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}

impl Row {
    fn events_a_second(&self) -> f64 {
        self.lived as f64 / self.living.as_secs_f64().max(1e-9)
    }
}

impl Outcome {
    fn table(&self, plan: &Plan) -> Table {
        let mut table = Table::new(
            "what a virtual node costs",
            &[
                ("nodes", ""),
                ("events", ""),
                ("joining", "here"),
                ("living", "here"),
                ("events/s", "living"),
                ("virtual time", "per time here"),
                ("memory", "KiB/node"),
                ("sent", "datagrams/s/node"),
            ],
        );
        for row in &self.rows {
            let ratio = plan.life.as_secs_f64() / row.living.as_secs_f64().max(1e-9);
            table.push([
                Cell::Integer(u64::from(row.nodes)),
                Cell::Integer(row.events),
                Cell::Time(row.joining),
                Cell::Time(row.living),
                Cell::Number(row.events_a_second(), 0),
                Cell::Number(ratio, 1),
                Cell::number(row.bytes.map(|bytes| bytes as f64 / 1024.0), 1),
                Cell::Number(row.sent, 3),
            ]);
        }
        table
    }

    /// Table and charts.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        let series = |name: &str, value: &dyn Fn(&Row) -> f64| {
            let points = self
                .rows
                .iter()
                .map(|row| (f64::from(row.nodes), value(row)));
            Series::new(name, Style::Line, points.collect())
        };
        let speed = Chart {
            title: "Happenings a second on one core".to_owned(),
            x: Axis::log("nodes"),
            y: Axis::linear("events/s"),
            series: vec![series("joined network", &Row::events_a_second)],
            notes: Vec::new(),
        };
        let memory = Chart {
            title: "Memory of a virtual node".to_owned(),
            x: Axis::log("nodes"),
            y: Axis::linear("KiB a node, of the whole process"),
            series: vec![series("after an hour", &|row| {
                row.bytes.unwrap_or_default() as f64 / 1024.0
            })],
            notes: Vec::new(),
        };
        Report {
            scenario: "scaling",
            about:
                "What does a virtual node cost? Shipping nodes join within ten minutes and live \
                    an hour with one lookup each. Times and memory are this machine's."
                    .to_owned(),
            parameters: plan
                .sizes
                .last()
                .map(|nodes| ("nodes".to_owned(), nodes.to_string()))
                .into_iter()
                .collect(),
            tables: vec![self.table(plan)],
            charts: vec![speed, memory],
            findings: self
                .rows
                .last()
                .map(|row| {
                    let (nodes, rate) = (row.nodes, row.events_a_second());
                    format!("{nodes} nodes run at {rate:.0} events/s on one core.")
                })
                .into_iter()
                .collect(),
            run: Run {
                seed: plan.seed,
                digest: self.digest,
                events: self.rows.iter().map(|row| row.events).sum(),
                virtual_time: self.virtual_time,
                bytes_per_node: self.rows.last().and_then(|row| row.bytes),
                ..Run::default()
            },
        }
    }
}
