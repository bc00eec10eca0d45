//! Cold start: how soon a newcomer has a node, neighbours, and peers of a torrent.
//!
//! The network: shipping nodes behind everyday NATs, with loss and churn. Newcomers know three
//! bootstrap nodes, of which some are dead, or the contacts that a node of the network saved some
//! time ago, or both; they ask for a published torrent at once, as a client does. Full size: 2,000
//! nodes, 40 newcomers a row. Other people's clients are not in this network.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Config, Endpoint, Families, Id, Node};

use crate::machine::Machine;
use crate::model::Internet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::population::{self, Population};
use crate::report::{Axis, Cell, Chart, Distribution, Report, Run, Series, Style, Table};
use crate::scenarios::newcomer::{Arrival, Newcomer, endpoint};
use crate::scenarios::{Options, Scale, saved};
use crate::time::Time;
use crate::watch::{Ask, Client};
use crate::world::HostId;

/// Contacts of a node that is established enough for its table to be worth saving.
const ESTABLISHED: usize = 32;
/// How many nodes are looked at to find such a one.
const CANDIDATES: usize = 50;
/// Newcomers start so far apart.
const APART: Duration = Duration::from_millis(250);
/// How long the last newcomer of a row is watched.
const WATCHED: Duration = Duration::from_secs(90);
/// Published torrents.
const TORRENTS: usize = 32;
/// How long an announcement may take.
const ANNOUNCING: Duration = Duration::from_secs(30);

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Nodes of the network.
    pub nodes: u32,
    /// Newcomers a row.
    pub newcomers: usize,
    /// Life of the network before the first newcomer.
    pub settled: Duration,
}

impl Plan {
    /// 2,000 nodes, or 200 if small.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let (nodes, newcomers, minutes) = match options.scale {
            Scale::Small => (150, 8, 10),
            Scale::Full => (2_000, 40, 40),
        };
        Plan {
            seed: options.seed,
            nodes: options.nodes.unwrap_or(nodes),
            newcomers,
            settled: Duration::from_secs(minutes * 60),
        }
    }
}

/// What newcomers of a row know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Bootstrap nodes that live, of three.
    pub living: u32,
    /// How long ago contacts were saved; `None`: none were.
    pub age: Option<Duration>,
}

impl Known {
    const fn doors(living: u32) -> Known {
        Known { living, age: None }
    }

    const fn hours(living: u32, hours: u64) -> Known {
        Known {
            living,
            age: Some(Duration::from_secs(hours * 3600)),
        }
    }

    /// All that are played.
    pub const ALL: [Known; 10] = [
        Known::doors(3),
        Known::doors(2),
        Known::doors(1),
        Known::doors(0),
        Known::hours(3, 1),
        Known::hours(3, 24),
        Known::hours(3, 7 * 24),
        Known::hours(0, 1),
        Known::hours(0, 24),
        Known::hours(0, 7 * 24),
    ];

    /// In words.
    #[must_use]
    pub fn name(&self) -> String {
        let doors = format!("{} of 3 bootstrap nodes", self.living);
        match self.age.map(|age| age.as_secs() / 3600) {
            None => doors,
            Some(hours @ 0..24) => format!("{doors}, table of {hours} h ago"),
            Some(hours) => format!("{doors}, table of {} d ago", hours / 24),
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What they knew.
    pub known: Known,
    /// Saved contacts at whose endpoint still somebody was, of all saved ones; `None`: none saved.
    pub alive: Option<f64>,
    /// What became of each.
    pub arrivals: Vec<Arrival>,
}

impl Row {
    /// How long it took, for those whom it happened to, counted among all.
    #[must_use]
    pub fn times(&self, of: impl Fn(&Arrival) -> Option<Duration>) -> Distribution {
        self.arrivals.iter().filter_map(of).collect()
    }

    /// The time by which a part `q` of all newcomers had it.
    #[must_use]
    pub fn by(&self, q: f64, of: impl Fn(&Arrival) -> Option<Duration>) -> Option<f64> {
        let times = self.times(of);
        let wanted = (q * self.arrivals.len() as f64).ceil() as usize;
        times.sorted().get(wanted.checked_sub(1)?).copied()
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// In the order of [`Known::ALL`].
    pub rows: Vec<Row>,
    /// The run, without its wall time.
    pub run: Run,
}

/// The network with its published torrents.
struct Stage {
    people: Population,
    torrents: Vec<Id>,
}

/// Plays it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut people = Population::new(population::Plan {
        internet: Internet::default(),
        ..population::Plan::calm(plan.nodes, plan.seed)
    });
    people.grow(plan.settled);
    let torrents = (0..TORRENTS)
        .map(|_| Id::random(people.world.rng()))
        .collect();
    let mut stage = Stage { people, torrents };
    let rows = Known::ALL
        .into_iter()
        .map(|known| stage.row(plan, known))
        .collect();
    let world = &stage.people.world;
    Outcome {
        rows,
        run: Run {
            seed: plan.seed,
            digest: world.digest(),
            events: world.events(),
            virtual_time: world.now() - Time::ZERO,
            ..Run::default()
        },
    }
}

impl Stage {
    fn row(&mut self, plan: &Plan, known: Known) -> Row {
        self.publish();
        for (number, host) in (0..).zip(self.people.bootstrap()) {
            if number < known.living {
                self.people.world.resume(host);
            } else {
                self.people.world.suspend(host);
            }
        }
        let mut saved = (0, 0);
        let mut hosts = Vec::new();
        let mut arrivals = Vec::new();
        for number in 0..plan.newcomers {
            let contacts = self.contacts(known, &mut saved);
            let (host, arrival) = self.arrive(contacts, number);
            hosts.push(host);
            arrivals.push(arrival);
            self.people.run(APART);
        }
        self.people.run(WATCHED);
        for host in hosts {
            self.people.world.stop(host);
        }
        let (alive, all) = saved;
        Row {
            known,
            alive: (all > 0).then(|| f64::from(alive) / f64::from(all)),
            arrivals: arrivals
                .iter()
                .map(|arrival| arrival.borrow().clone())
                .collect(),
        }
    }

    /// Two nodes announce each torrent.
    fn publish(&mut self) {
        for torrent in self.torrents.clone() {
            for port in [6881, 6882] {
                if let Some(host) = self.people.any(Client::Ours) {
                    self.people.look_up(host, torrent, Ask::Announce(port));
                }
            }
        }
        self.people.run(ANNOUNCING);
        self.people.take_measured();
    }

    /// What some node of the network saved, as it is now; counts who lives and all.
    fn contacts(&mut self, known: Known, saved: &mut (u32, u32)) -> Vec<Endpoint> {
        let Some(age) = known.age else {
            return Vec::new();
        };
        let mut table: Vec<Endpoint> = Vec::new();
        for _ in 0..CANDIDATES {
            let host = self.people.any(Client::Ours);
            let of = |node: &mut Node, _| node.contacts().map(|c| c.endpoint).collect();
            table = host
                .and_then(|host| self.people.world.with(host, of))
                .unwrap_or_default();
            if table.len() >= ESTABLISHED {
                break;
            }
        }
        let sessions = self.people.world.internet().sessions.clone();
        let now = saved::aged(&table, &sessions, age, self.people.world.rng());
        let alive = table.iter().zip(&now).filter(|(then, now)| then == now);
        *saved = (saved.0 + alive.count() as u32, saved.1 + table.len() as u32);
        now
    }

    fn arrive(
        &mut self,
        contacts: Vec<Endpoint>,
        number: usize,
    ) -> (HostId, std::rc::Rc<std::cell::RefCell<Arrival>>) {
        let world = &mut self.people.world;
        let doors: Vec<_> = (0..population::BOOTSTRAP)
            .map(|host| world.host(host).endpoint())
            .collect();
        let host = world.settle_in(HostClass::Open, Region::EUROPE);
        let (seed, now) = (world.seed(), world.instant());
        let config = Config {
            families: Families::V4,
            ..Config::default()
        };
        let mut node = Node::new(config, seed, now);
        // The client has its contacts from a file, and the bootstrap nodes from DNS soon after.
        node.join(now, contacts);
        node.join(now, doors.iter().copied().map(endpoint));
        let mut torrents = self.torrents.clone();
        torrents.rotate_left(number % TORRENTS);
        let doors = doors.into_iter().map(SocketAddr::V4).collect();
        let newcomer = Newcomer::new(node, now, doors, torrents);
        let arrival = newcomer.arrival();
        world.start(host, Machine::Actor(Box::new(newcomer)));
        (host, arrival)
    }
}

impl Outcome {
    /// Shows it.
    #[must_use]
    pub fn report(&self, plan: &Plan) -> Report {
        Report {
            scenario: "bootstrap",
            about: "How soon does a newcomer have a first node, 8 good neighbours, and peers of a \
                    published torrent, by what it knows at its start?"
                .into(),
            parameters: vec![("nodes".into(), plan.nodes.to_string())],
            tables: vec![self.table()],
            charts: vec![self.chart()],
            findings: self.findings(),
            run: self.run.clone(),
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(
            "cold start",
            &[
                ("known at the start", ""),
                ("saved still there", ""),
                ("newcomers", ""),
                ("first node p50", ""),
                ("8 neighbours p50", ""),
                ("first peers p50", ""),
                ("95 % have peers after", ""),
                ("found peers", ""),
                ("queries p50", ""),
                ("p95", "queries"),
                ("to bootstrap, mean", ""),
            ],
        );
        for row in &self.rows {
            let all = row.arrivals.len();
            let counts = |of: fn(&Arrival) -> u32| -> Distribution {
                row.arrivals.iter().map(|a| f64::from(of(a))).collect()
            };
            let found = row.times(|a| a.peers).sorted().len();
            table.push([
                row.known.name().into(),
                row.alive.map_or(Cell::Missing, Cell::Percent),
                all.into(),
                Cell::seconds(row.by(0.5, |a| a.first_node)),
                Cell::seconds(row.by(0.5, |a| a.neighbours)),
                Cell::seconds(row.by(0.5, |a| a.peers)),
                Cell::seconds(row.by(0.95, |a| a.peers)),
                Cell::Percent(found as f64 / all as f64),
                Cell::number(counts(|a| a.queries).median(), 0),
                Cell::number(counts(|a| a.queries).quantile(0.95), 0),
                Cell::number(counts(|a| a.to_doors).mean(), 1),
            ]);
        }
        table
    }

    fn chart(&self) -> Chart {
        let series = |row: &Row| {
            let points = row.times(|a| a.peers).cdf_of(row.arrivals.len());
            Series::new(&row.known.name(), Style::Steps, points)
        };
        Chart {
            title: "Newcomers that have found peers".into(),
            x: Axis::log("seconds since the start").with(crate::report::Format::Seconds),
            y: Axis::share("of all newcomers"),
            // As many as there are colours.
            series: [0, 2, 4, 6, 7, 8, 9]
                .map(|row| series(&self.rows[row]))
                .into(),
            notes: Vec::new(),
        }
    }

    fn findings(&self) -> Vec<String> {
        let slowest = self
            .rows
            .iter()
            .filter_map(|row| Some((row.by(0.95, |a| a.peers)?, row.known.name())))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let never = self.rows.iter().filter(|row| {
            let found = row.arrivals.iter().filter(|a| a.peers.is_some());
            found.count() * 20 < row.arrivals.len() * 19
        });
        let mut findings: Vec<String> = never
            .map(|row| format!("fewer than 95 % found peers with {}", row.known.name()))
            .collect();
        if let Some((seconds, name)) = slowest {
            findings.insert(
                0,
                format!("95 % success takes {seconds:.1} s at most, with {name}"),
            );
        }
        findings
    }
}

/// Plays and shows it.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
