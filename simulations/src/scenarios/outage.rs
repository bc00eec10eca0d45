//! What breaks a network of shipping nodes, for how long, and whether it heals by itself.
//!
//! Everyday NATs, loss and churn, no other people's clients. Each outage has a network of its own,
//! which is measured before, during and after. Where single nodes are hit, a set of them is, all at
//! once, and only they are asked. Newcomers during a partition are all in the first half. Full size:
//! 1,500 nodes, five networks.

use std::time::Duration;

use crate::model::Internet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::population::{self, Population};
use crate::random;
use crate::report::{Axis, Cell, Chart, Report, Run, Series, Style, Table};
use crate::scenarios::phases::{Bin, Phases, Pulse};
use crate::scenarios::{Options, Scale};
use crate::time::Time;
use crate::watch::Client;
use crate::world::HostId;

/// What happens to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// Three of ten nodes are gone at once, and nobody comes in their stead.
    Vanish,
    /// Two halves do not hear each other, then do.
    Partition,
    /// All bootstrap nodes are gone for good.
    Bootstrap,
    /// Some nodes sleep, then wake up.
    Sleep,
    /// Some nodes have another address from one moment to the next.
    Move,
}

/// Bins whose mean is taken: one alone is 60 lookups, and varies.
const TOGETHER: usize = 3;
/// Nodes that are asked alone, where single nodes are hit.
const FEW: usize = 40;

impl Outage {
    /// All that are played.
    pub const ALL: [Outage; 5] = [
        Outage::Vanish,
        Outage::Partition,
        Outage::Bootstrap,
        Outage::Sleep,
        Outage::Move,
    ];

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outage::Vanish => "30 % of the nodes vanish",
            Outage::Partition => "two halves, then one again",
            Outage::Bootstrap => "the bootstrap nodes are gone",
            Outage::Sleep => "a node sleeps and wakes up",
            Outage::Move => "a node's address changes",
        }
    }

    /// Whether it happens to some nodes only, which are then watched closely.
    fn hits_few(self) -> bool {
        matches!(self, Outage::Sleep | Outage::Move)
    }
}

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Nodes of each network.
    pub nodes: u32,
    /// Life of a network before it is measured.
    pub settled: Duration,
    /// Measured time before the outage.
    pub before: Duration,
    /// How long an outage with an end lasts.
    pub lasts: Duration,
    /// Measured time after it.
    pub after: Duration,
    /// Which.
    pub outages: Vec<Outage>,
}

impl Plan {
    /// 1,500 nodes, or 120 if small.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let (nodes, times) = match options.scale {
            Scale::Small => (120, [12, 3, 10, 12]),
            Scale::Full => (1_500, [40, 6, 30, 30]),
        };
        let [settled, before, lasts, after] = times.map(|m| Duration::from_secs(m * 60));
        Plan {
            seed: options.seed,
            nodes: options.nodes.unwrap_or(nodes),
            settled,
            before,
            lasts,
            after,
            outages: Outage::ALL.into(),
        }
    }
}

/// A row: one outage.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which.
    pub outage: Outage,
    /// When it began and when it was over, in seconds of the series.
    pub span: (f64, f64),
    /// What was measured.
    pub bins: Vec<Bin>,
}

/// One of the values of a bin.
pub type Value = fn(&Bin) -> Option<f64>;

impl Row {
    /// The mean over the bins before the outage.
    #[must_use]
    pub fn before(&self, value: Value) -> Option<f64> {
        let bins = self.bins.iter().filter(|bin| bin.at < self.span.0);
        mean(bins.filter_map(value))
    }

    /// The least from the outage's begin on.
    #[must_use]
    pub fn worst(&self, value: Value) -> Option<f64> {
        let bins = self.bins.iter().filter(|bin| bin.at >= self.span.0);
        bins.filter_map(value).min_by(f64::total_cmp)
    }

    /// The mean of the last three bins.
    #[must_use]
    pub fn end(&self, value: Value) -> Option<f64> {
        let bins = self.bins.iter().rev().filter(|bin| bin.gets.0 > 0);
        mean(bins.take(3).filter_map(value))
    }

    /// Seconds from the outage's end until any three bins are at least 95 % of what was before
    /// and stay so; `None`: they do not, as long as it was watched.
    #[must_use]
    pub fn healed(&self, value: Value) -> Option<f64> {
        let enough = 0.95 * self.before(value)?;
        let after: Vec<&Bin> = self.bins.iter().filter(|b| b.at >= self.span.1).collect();
        let windows = after.windows(TOGETHER);
        let below = |bins: &[&Bin]| {
            mean(bins.iter().copied().filter_map(value)).is_some_and(|mean| mean < enough)
        };
        match windows.into_iter().rposition(below) {
            None => Some(0.0),
            Some(last) => Some(after.get(last + TOGETHER)?.at - self.span.1),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0_u32, 0.0), |(count, sum), v| (count + 1, sum + v));
    (count > 0).then(|| sum / f64::from(count))
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In the order of the plan.
    pub rows: Vec<Row>,
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
    let mut rows = Vec::new();
    for outage in &plan.outages {
        let (row, people) = one(plan, *outage);
        rows.push(row);
        run.digest = run.digest.rotate_left(1) ^ people.world.digest();
        run.events += people.world.events();
        run.virtual_time += people.world.now() - Time::ZERO;
    }
    Outcome { rows, run }
}

fn one(plan: &Plan, outage: Outage) -> (Row, Population) {
    let mut people = Population::new(population::Plan {
        internet: Internet::default(),
        ..population::Plan::calm(plan.nodes, plan.seed)
    });
    people.grow(plan.settled);
    let mut few: Vec<HostId> = Vec::new();
    if outage.hits_few() {
        let place = |_| people.place(Client::Ours, HostClass::Open, Region::EUROPE);
        few = (0..FEW).map(place).collect();
        people.run(plan.settled / 2);
    }
    let (seconds, lookups) = if outage.hits_few() {
        (20, 50)
    } else {
        (60, 60)
    };
    let pulse = Pulse {
        bin: Duration::from_secs(seconds),
        lookups,
    };
    let mut phases = Phases::new(people, pulse);
    phases.ask_from(few.clone());
    phases.run(plan.before);
    let begin = phases.elapsed();
    strike(&mut phases, outage, &few);
    if matches!(outage, Outage::Partition | Outage::Sleep) {
        phases.run(plan.lasts);
        heal(&mut phases, &few);
    }
    let end = phases.elapsed();
    phases.run(plan.after);
    let (people, bins) = phases.bins();
    let row = Row {
        outage,
        span: (begin, end),
        bins,
    };
    (row, people)
}

fn strike(phases: &mut Phases, outage: Outage, few: &[HostId]) {
    let people = &mut phases.people;
    match outage {
        Outage::Vanish => {
            let running: Vec<HostId> = people.world.running().map(|(host, _)| host).collect();
            let mut gone = 0;
            for host in running {
                let stays = host < population::BOOTSTRAP || phases.announcers().contains(&host);
                let people = &mut phases.people;
                if !stays && random::happens(0.3, people.world.rng()) {
                    gone += u32::from(people.close(host));
                }
            }
            let people = &mut phases.people;
            let left = people.plan().nodes.saturating_sub(gone);
            people.expect(left);
        }
        Outage::Partition => {
            for host in (0..people.world.hosts()).filter(|host| host % 2 == 1) {
                people.world.set_side(host, 1);
            }
        }
        Outage::Bootstrap => {
            for host in people.bootstrap() {
                people.close(host);
            }
        }
        Outage::Sleep => few.iter().for_each(|host| people.world.suspend(*host)),
        Outage::Move => few.iter().for_each(|host| people.world.move_house(*host)),
    }
}

fn heal(phases: &mut Phases, few: &[HostId]) {
    let world = &mut phases.people.world;
    for host in 0..world.hosts() {
        world.set_side(host, 0);
    }
    few.iter().for_each(|host| world.resume(*host));
}

/// The columns that every value has.
const VALUES: [(&str, Value); 4] = [
    ("peers found", Bin::success),
    ("recall", Bin::recall),
    ("table alive", Bin::fresh),
    ("connected", Bin::connected),
];

impl Outcome {
    /// Shows it.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "outage",
            about:
                "What do lookups find while a network is hurt, and how soon is it back at 95 % of \
                    what it was?"
                    .into(),
            parameters: vec![("nodes".into(), plan.nodes.to_string())],
            tables: vec![self.table()],
            charts: vec![
                self.chart("Lookups that found peers", Bin::success),
                self.chart("Recall of the 8 closest nodes", Bin::recall),
                self.chart("Contacts in tables that are right", Bin::fresh),
            ],
            findings: self.findings(),
            run: self.run.clone(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(
            "outages",
            &[
                ("what happens", ""),
                ("measured", ""),
                ("before", ""),
                ("worst", ""),
                ("in the end", ""),
                ("back at 95 % after", ""),
            ],
        );
        let percent = |value: Option<f64>| value.map_or(Cell::Missing, Cell::Percent);
        for row in &self.rows {
            for (name, value) in VALUES {
                table.push([
                    row.outage.name().into(),
                    name.into(),
                    percent(row.before(value)),
                    percent(row.worst(value)),
                    percent(row.end(value)),
                    Cell::seconds(row.healed(value)),
                ]);
            }
            if row.outage.hits_few() {
                let named: Value = |bin| (bin.gets.0 > 0).then(|| f64::from(bin.named));
                let each = |value: Option<f64>| Cell::number(value.map(|n| n / FEW as f64), 1);
                table.push([
                    row.outage.name().into(),
                    "tables that name it".into(),
                    each(row.before(named)),
                    each(row.worst(named)),
                    each(row.end(named)),
                    Cell::seconds(row.healed(named)),
                ]);
            }
        }
        table
    }

    fn chart(&self, title: &str, value: Value) -> Chart {
        let series = |row: &Row| {
            let points = row.bins.iter().filter_map(|bin| {
                let minutes = (bin.at - row.span.0) / 60.0;
                Some((minutes, value(bin)?))
            });
            Series::new(row.outage.name(), Style::Line, points.collect())
        };
        Chart {
            title: title.into(),
            x: Axis::linear("minutes since it happened"),
            y: Axis::share("of all"),
            series: self.rows.iter().map(series).collect(),
            notes: self
                .rows
                .iter()
                .filter(|row| row.span.1 > row.span.0)
                .map(|row| {
                    let minutes = (row.span.1 - row.span.0) / 60.0;
                    format!("{}: over after {minutes:.0} min", row.outage.name())
                })
                .collect(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let finding = |row: &Row| {
            let percent = |value: Option<f64>| value.unwrap_or(0.0) * 100.0;
            let healed = match row.healed(Bin::success) {
                Some(seconds) => format!("back at 95 % of that after {seconds:.0} s"),
                None => "not back while it was watched".into(),
            };
            format!(
                "{}: {:.1} % of lookups found peers before, {:.1} % at the worst, {healed}",
                row.outage.name(),
                percent(row.before(Bin::success)),
                percent(row.worst(Bin::success)),
            )
        };
        self.rows.iter().map(finding).collect()
    }
}

/// Plays and shows it.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
