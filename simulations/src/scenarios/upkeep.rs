//! What a node that looks for nothing exchanges, and how good its table is for that.
//!
//! The reference network of dht.md §5.2, in which people come and go behind everyday NATs, without
//! the day's tide. When it is settled, idle hosts of every client join it and stay, and two hours
//! pass. Their wires tell what they ask for themselves, which is upkeep, from what they do for
//! others; the oracle tells how many of their contacts are alive. Every now and then some hosts that
//! were idle so far look up nodes: that is what the table is good for. Each does so once, because a
//! lookup refreshes tables.
//!
//! Full: 2,000 nodes, 2.7 virtual hours.

use std::time::Duration;

use dht::Id;

use super::arena;
use super::freshness::{self, Freshness};
use crate::model::Internet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::oracle;
use crate::population::{self, Population};
use crate::report::{Report, Run};
use crate::scenarios::{Options, Scale};
use crate::watch::{Ask, Client, Measured};
use crate::wire::{Flow, Ledger};
use crate::world::HostId;

mod show;

/// From everybody's arrival until the idle hosts join.
const REST: Duration = Duration::from_secs(30 * 60);
/// Between two idle hosts that join.
const APART: Duration = Duration::from_millis(100);
/// What takes a lookup longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(170);

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Determines the run.
    pub seed: u64,
    /// Nodes alive at once, idle ones not counted.
    pub nodes: u32,
    /// Shipping nodes among them, 0 to 1.
    pub ours: f64,
    /// Who is idle, and how the world sees them.
    pub clients: Vec<(Client, HostClass)>,
    /// Hosts of each that stay idle.
    pub idle: u32,
    /// When it is looked at them, in minutes after they joined, ascending.
    pub minutes: Vec<u32>,
    /// Hosts of each client that look up nodes then.
    pub askers: u32,
}

impl Plan {
    /// What these options ask for.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let open = arena::everybody().into_iter();
        let open = open.map(|client| (client, HostClass::Open));
        let clients = open.chain([(Client::Ours, HostClass::Restricted)]);
        let full = Plan {
            seed: options.seed,
            nodes: options.nodes.unwrap_or(2_000),
            ours: 0.1,
            clients: clients.collect(),
            idle: 20,
            minutes: vec![5, 15, 30, 60, 90, 120],
            askers: 10,
        };
        match options.scale {
            Scale::Full => full,
            Scale::Small => Plan {
                nodes: options.nodes.unwrap_or(200),
                idle: 4,
                minutes: vec![5, 20, 40],
                askers: 3,
                ..full
            },
        }
    }
}

/// One client at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Who.
    pub client: Client,
    /// How the world sees it.
    pub class: HostClass,
    /// The contents of its tables, at this minute after it joined.
    pub tables: Freshness,
    /// What passed a wire since the row before, on average.
    pub span: Duration,
    /// Datagrams and bytes of its own questions and their answers, a second: out, in.
    pub own: [Rate; 2],
    /// Of others' questions and its answers: out, in.
    pub service: [Rate; 2],
    /// Share of the eight closest reachable nodes that lookups found.
    pub recall: f64,
    /// Lookups of which that is the mean.
    pub lookups: usize,
}

/// What passes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Datagrams.
    pub packets: f64,
    /// Payload bytes, without IP and UDP.
    pub bytes: f64,
}

impl Rate {
    fn of(flows: impl Iterator<Item = Flow>, nodes: usize, span: Duration) -> Rate {
        let per = span.as_secs_f64() * nodes.max(1) as f64;
        let (mut packets, mut bytes) = (0, 0);
        for flow in flows {
            packets += flow.datagrams;
            bytes += flow.bytes;
        }
        Rate {
            packets: packets as f64 / per,
            bytes: bytes as f64 / per,
        }
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// By client, then by time.
    pub rows: Vec<Row>,
    /// The run.
    pub run: Run,
}

/// The hosts of one client.
#[derive(Debug)]
struct Group {
    client: Client,
    class: HostClass,
    idle: Vec<HostId>,
    /// Those that look up something later.
    askers: Vec<HostId>,
    /// What had passed the wires of the idle when they were looked at last.
    before: Vec<Ledger>,
    rows: Vec<Row>,
}

/// A network in which people come and go, and which is settled.
fn network(plan: &Plan) -> Population {
    let mut people = Population::new(population::Plan {
        ours: plan.ours,
        internet: Internet::without_tide(),
        ..population::Plan::reference(plan.nodes, plan.seed)
    });
    people.grow(REST);
    people
}

impl Group {
    fn join(people: &mut Population, plan: &Plan, (client, class): (Client, HostClass)) -> Group {
        let mut place = |count: u32| -> Vec<HostId> {
            let one = |_| {
                people.run(APART);
                let host = people.place(client, class, Region::EUROPE);
                people.idle(host);
                people.world.tap(host);
                host
            };
            (0..count).map(one).collect()
        };
        let looks = u32::try_from(plan.minutes.len()).expect("a few minutes");
        let (idle, askers) = (place(plan.idle), place(plan.askers * looks));
        Group {
            client,
            class,
            before: vec![Ledger::default(); idle.len()],
            idle,
            askers,
            rows: Vec::new(),
        }
    }

    /// What there is to see `minute` minutes after it joined; recall comes later.
    fn look(&mut self, people: &Population, minute: u32) {
        let machines = self.idle.iter();
        let machines = machines.filter_map(|host| freshness::machine(&people.world, *host));
        let tables = freshness::look(&people.world, machines, minute);
        let now: Vec<Ledger> = self.idle.iter().map(|host| people.ledger(*host)).collect();
        let pairs = now.iter().zip(&self.before);
        let grown: Vec<Ledger> = pairs.map(|(now, then)| now.since(then)).collect();
        let last = self.rows.last().map_or(0, |row| row.tables.minute);
        let span = Duration::from_secs(60) * (minute - last);
        let rate = |flow: fn(&Ledger) -> Flow| Rate::of(grown.iter().map(flow), grown.len(), span);
        self.rows.push(Row {
            client: self.client,
            class: self.class,
            tables,
            span,
            own: [rate(|l| l.asks), rate(|l| l.hears)],
            service: [rate(|l| l.answers), rate(|l| l.asked)],
            recall: 0.0,
            lookups: 0,
        });
        self.before = now;
    }

    /// Some that were idle so far look up what nobody looked up before.
    fn ask(&mut self, people: &mut Population, count: u32) {
        for _ in 0..count {
            let Some(host) = self.askers.pop() else {
                return;
            };
            let target = Id::random(people.world.rng());
            people.look_up(host, target, Ask::Nodes);
        }
    }

    /// What became of that.
    fn judge(&mut self, people: &Population, nodes: &[(HostId, Id)], all: &[Measured]) {
        let class = |host: HostId| people.world.host(host).class();
        let own = |one: &&Measured| one.client == self.client && class(one.host) == self.class;
        let own: Vec<&Measured> = all.iter().filter(own).collect();
        let recall = |one: &&Measured| {
            let others = nodes.iter().filter(|(host, _)| *host != one.host);
            let truth = oracle::closest(others.map(|(_, id)| *id), &one.target, arena::HOLDERS);
            oracle::recall(&truth, &one.closest)
        };
        let sum: f64 = own.iter().map(recall).sum();
        if let Some(row) = self.rows.last_mut() {
            row.recall = sum / own.len().max(1) as f64;
            row.lookups = own.len();
        }
    }
}

/// Plays it.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut people = network(plan);
    let mut groups: Vec<Group> = Vec::new();
    for kind in &plan.clients {
        groups.push(Group::join(&mut people, plan, *kind));
    }
    people.expect(people.alive());
    people.take_measured();
    let begun = people.world.now();
    for minute in &plan.minutes {
        let at = begun + Duration::from_secs(60) * *minute;
        while people.run_until(at).is_some() {}
        for group in &mut groups {
            group.look(&people, *minute);
        }
        // The truth of this moment: people come and go while the lookups run.
        let nodes: Vec<(HostId, Id)> = people.world.reachable_ids().collect();
        for group in &mut groups {
            group.ask(&mut people, plan.askers);
        }
        people.run(PATIENCE);
        let measured = people.take_measured();
        for group in &mut groups {
            group.judge(&people, &nodes, &measured);
        }
    }
    let world = &people.world;
    Outcome {
        rows: groups.into_iter().flat_map(|group| group.rows).collect(),
        run: Run {
            seed: plan.seed,
            digest: world.digest(),
            events: world.events(),
            virtual_time: world.now().elapsed(),
            ..Run::default()
        },
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
