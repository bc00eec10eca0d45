//! Joining: does a network that grows from three nodes know itself, and how soon?
//!
//! Nodes arrive evenly over ten minutes through the bootstrap nodes; nothing is pre-filled. Before,
//! while and after they arrive, random nodes look up random targets, and what they end with is
//! compared with the truly closest eight. Played on the calm internet (the protocol alone) and on
//! the reference one (NATs, churn, loss; dht.md §5.2), with shipping nodes only.
//!
//! Full: 1,000, 10,000 and, if asked for with `--nodes 100000`, 100,000 nodes. Small: 150.

use std::time::Duration;

use dht::{Family, Id, K};

use super::{Options, Scale, resident_bytes};
use crate::model::Internet;
use crate::oracle;
use crate::population::{Plan as Settlement, Population, Workload};
use crate::report::{Axis, Cell, Chart, Report, Run, Series, Style, Table};
use crate::watch::{Ask, Client, Measured};

/// No lookup takes longer: its own bound is 60 s.
const PATIENCE: Duration = Duration::from_secs(61);

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Sizes of the networks.
    pub sizes: Vec<u32>,
    /// The time over which everybody arrives.
    pub arrival: Duration,
    /// Measurements while they arrive.
    pub during: u32,
    /// Pauses between the measurements after everybody arrived.
    pub after: Vec<Duration>,
    /// Lookups of one measurement.
    pub lookups: u32,
    /// Of everything random.
    pub seed: u64,
}

impl Plan {
    /// The plan for these options.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        match options.scale {
            Scale::Small => Plan {
                sizes: vec![options.nodes.unwrap_or(150)],
                arrival: minutes(3),
                during: 1,
                after: vec![minutes(5), minutes(5)],
                lookups: 40,
                seed: options.seed,
            },
            Scale::Full => {
                let largest = options.nodes.unwrap_or(10_000);
                let mut sizes: Vec<u32> = [1_000, 10_000]
                    .into_iter()
                    .filter(|size| *size < largest)
                    .collect();
                sizes.push(largest);
                Plan {
                    sizes,
                    arrival: minutes(10),
                    during: 4,
                    after: vec![minutes(5), minutes(10), minutes(15), minutes(30)],
                    lookups: 200,
                    seed: options.seed,
                }
            }
        }
    }
}

/// Which internet a row was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// Everybody is open and stays.
    Calm,
    /// NATs, churn, bursts of loss.
    Reference,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where.
    pub weather: Weather,
    /// Nodes when all have arrived.
    pub size: u32,
    /// Virtual time.
    pub at: Duration,
    /// Nodes alive.
    pub alive: u32,
    /// Contacts in a table, on average.
    pub contacts: f64,
    /// Part of the truly closest reachable eight that lookups ended with, on average.
    pub recall: f64,
    /// Questions a lookup asked, on average.
    pub asked: f64,
    /// Those of them that got no answer.
    pub unanswered: f64,
    /// A lookup's duration, on average.
    pub elapsed: Duration,
    /// Payload bytes sent a node and second since the measurement before.
    pub load: f64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In the order of weather, size and time.
    pub rows: Vec<Row>,
    /// Of all worlds.
    pub digest: u64,
    /// Of all worlds.
    pub events: u64,
    /// Of all worlds, added up.
    pub virtual_time: Duration,
    /// Memory of the process a node, at the end of the largest calm world.
    pub bytes_per_node: Option<u64>,
}

/// Plays the plan.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut outcome = Outcome {
        rows: Vec::new(),
        digest: 0,
        events: 0,
        virtual_time: Duration::ZERO,
        bytes_per_node: None,
    };
    for weather in [Weather::Calm, Weather::Reference] {
        for size in &plan.sizes {
            grow(plan, weather, *size, &mut outcome);
        }
    }
    outcome
}

fn grow(plan: &Plan, weather: Weather, size: u32, outcome: &mut Outcome) {
    let mut population = Population::new(Settlement {
        arrival: plan.arrival,
        workload: Workload { lookups: 0.0 },
        internet: match weather {
            Weather::Calm => Internet::calm(),
            Weather::Reference => Internet::default(),
        },
        ..Settlement::calm(size, plan.seed)
    });
    let before = resident_bytes();
    let step = plan.arrival / plan.during;
    let pauses = (0..plan.during)
        .map(|_| step)
        .chain(plan.after.iter().copied());
    let mut bytes = 0;
    for pause in pauses {
        population.run(pause.saturating_sub(PATIENCE));
        let mut row = measure(&mut population, plan.lookups, (weather, size));
        let sent = population.world.traffic().bytes;
        let node_seconds = pause.as_secs_f64() * f64::from(population.alive().max(1));
        row.load = (sent - bytes) as f64 / node_seconds;
        bytes = sent;
        outcome.rows.push(row);
    }
    outcome.digest = outcome.digest.rotate_left(1) ^ population.world.digest();
    outcome.events += population.world.events();
    outcome.virtual_time += population.world.now().elapsed();
    if weather == Weather::Calm {
        let used = resident_bytes()
            .zip(before)
            .map(|(now, then)| now.saturating_sub(then));
        outcome.bytes_per_node = used.map(|used| used / u64::from(size.max(1)));
    }
}

/// Random shipping nodes look up random targets.
fn measure(population: &mut Population, lookups: u32, (weather, size): (Weather, u32)) -> Row {
    let at = population.world.now().elapsed();
    // The truth of this moment: others arrive while the lookups run.
    let nodes: Vec<_> = population.world.reachable_ids().collect();
    for _ in 0..lookups {
        let target = Id::random(population.world.rng());
        if let Some(asker) = population.any(Client::Ours) {
            population.look_up(asker, target, Ask::Nodes);
        }
    }
    population.run(PATIENCE);
    let done: Vec<Measured> = population
        .take_measured()
        .into_iter()
        .filter(|measured| measured.elapsed.is_some())
        .collect();
    let mean = |value: &dyn Fn(&Measured) -> f64| -> f64 {
        done.iter().map(value).sum::<f64>() / done.len().max(1) as f64
    };
    let recall = |measured: &Measured| {
        // A node does not find itself.
        let others = nodes.iter().filter(|(host, _)| *host != measured.host);
        let truth = oracle::closest(others.map(|(_, id)| *id), &measured.target, K);
        oracle::recall(&truth, &measured.closest)
    };
    let asked = mean(&|measured| f64::from(measured.asked));
    let contacts: usize = population
        .world
        .nodes()
        .map(|(_, node)| node.table_len(Family::V4))
        .sum();
    Row {
        weather,
        size,
        at,
        alive: population.alive(),
        contacts: contacts as f64 / f64::from(population.alive().max(1)),
        recall: mean(&recall),
        asked,
        unanswered: mean(&|measured| f64::from(measured.timed_out)) / asked.max(1.0),
        elapsed: Duration::from_secs_f64(mean(&|measured| {
            measured.elapsed.unwrap_or_default().as_secs_f64()
        })),
        load: 0.0,
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}

impl Outcome {
    /// Table and charts.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        let mut table = Table::new(
            "lookups while a network grows",
            &[
                ("internet", ""),
                ("nodes", ""),
                ("time", ""),
                ("alive", ""),
                ("contacts", "a table"),
                ("recall", "of the true 8"),
                ("asked", "a lookup"),
                ("unanswered", ""),
                ("elapsed", ""),
                ("sent", "B/s/node"),
            ],
        );
        for row in &self.rows {
            table.push([
                Cell::Text(row.weather.name().to_owned()),
                Cell::Integer(u64::from(row.size)),
                Cell::Time(row.at),
                Cell::Integer(u64::from(row.alive)),
                Cell::Number(row.contacts, 1),
                Cell::Number(row.recall, 3),
                Cell::Number(row.asked, 1),
                Cell::Percent(row.unanswered),
                Cell::Time(row.elapsed),
                Cell::Number(row.load, 1),
            ]);
        }
        Report {
            scenario: "join",
            about:
                "Does a network that grows from three bootstrap nodes, with nothing pre-filled, \
                    know itself? Random nodes look up random targets; recall is the part of the \
                    truly closest eight reachable nodes that they end with."
                    .to_owned(),
            parameters: plan
                .sizes
                .last()
                .map(|size| ("nodes".to_owned(), size.to_string()))
                .into_iter()
                .collect(),
            tables: vec![table],
            charts: vec![self.chart(plan)],
            findings: self.findings(),
            run: Run {
                seed: plan.seed,
                digest: self.digest,
                events: self.events,
                virtual_time: self.virtual_time,
                bytes_per_node: self.bytes_per_node,
                ..Run::default()
            },
        }
    }

    fn of(&self, weather: Weather, size: u32) -> impl Iterator<Item = &Row> {
        let wanted = move |row: &&Row| row.weather == weather && row.size == size;
        self.rows.iter().filter(wanted)
    }

    fn chart(&self, plan: &Plan) -> Chart {
        let mut series = Vec::new();
        for weather in [Weather::Calm, Weather::Reference] {
            for size in &plan.sizes {
                let points = self.of(weather, *size);
                series.push(Series::new(
                    &format!("{size} nodes, {}", weather.name()),
                    match weather {
                        Weather::Calm => Style::Line,
                        Weather::Reference => Style::Dashed,
                    },
                    points
                        .map(|row| (row.at.as_secs_f64() / 60.0, row.recall))
                        .collect(),
                ));
            }
        }
        Chart {
            title: "Recall of the truly closest eight while a network grows".to_owned(),
            x: Axis::linear("minutes since the first node"),
            y: Axis::share("found of the true 8").between(0.0, 1.0),
            series,
            notes: vec![format!("all arrive within {} s", plan.arrival.as_secs())],
        }
    }

    fn findings(&self) -> Vec<String> {
        let last = |weather| self.rows.iter().rfind(|row: &&Row| row.weather == weather);
        [Weather::Calm, Weather::Reference]
            .into_iter()
            .filter_map(last)
            .map(|row| {
                format!(
                    "On the {} internet {} nodes end with a recall of {:.3} at {:.1} questions a lookup.",
                    row.weather.name(),
                    row.size,
                    row.recall,
                    row.asked,
                )
            })
            .collect()
    }
}

impl Weather {
    /// One word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Weather::Calm => "calm",
            Weather::Reference => "reference",
        }
    }
}
