//! Joining: nodes arrive one after the other, then random targets are looked up.
//!
//! The question is whether a node that joined with the least of help finds the truly closest nodes,
//! at what cost, and how fast. Optionally a part of the nodes leaves without a word before.

use std::fmt;
use std::time::{Duration, Instant};

use dht::{Event, Family, Id, K};
use rand::RngExt;

use crate::network::Network;
use crate::oracle;
use crate::world::World;

/// Contacts that each newcomer is given.
const CONTACTS: usize = 3;
/// Lookups of one measurement.
const LOOKUPS: usize = 50;
/// No lookup takes longer: its own bound is 60 s.
const PATIENCE: Duration = Duration::from_secs(65);

/// What is to be played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// Nodes that arrive.
    pub nodes: usize,
    /// The time over which they do.
    pub arrival: Duration,
    /// Of a hundred nodes, so many leave after everybody arrived.
    pub leavers_per_cent: usize,
    /// The wire.
    pub network: Network,
    /// Of everything random.
    pub seed: u64,
}

/// One measurement: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Virtual time.
    pub at: Duration,
    /// Nodes alive.
    pub nodes: usize,
    /// Contacts in a table, on average.
    pub contacts: f64,
    /// Part of the truly closest eight that lookups ended with, 0 to 1.
    pub recall: f64,
    /// Questions a lookup asked, on average.
    pub asked: f64,
    /// Questions of a lookup that got no answer, on average.
    pub timed_out: f64,
    /// Duration of a lookup, on average.
    pub elapsed: Duration,
    /// Datagrams sent a node and second, since the start.
    pub load: f64,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// One row a measurement.
    pub rows: Vec<Row>,
    /// Datagrams that arrived.
    pub delivered: u64,
    /// Equal for equal runs.
    pub digest: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "   time   nodes  contacts  recall@8  asked  silent  elapsed  datagrams/s/node"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:6.0}s {:7} {:9.1} {:9.3} {:6.1} {:7.1} {:7.2}s {:17.3}",
                row.at.as_secs_f64(),
                row.nodes,
                row.contacts,
                row.recall,
                row.asked,
                row.timed_out,
                row.elapsed.as_secs_f64(),
                row.load,
            )?;
        }
        writeln!(
            f,
            "{} datagrams delivered, digest {:016x}",
            self.delivered, self.digest
        )
    }
}

/// Plays the plan. `start` is any instant.
#[must_use]
pub fn play(plan: &Plan, start: Instant) -> Report {
    let mut world = World::new(plan.seed, plan.network, start);
    let pause = plan.arrival.div_f64(plan.nodes.max(1) as f64);
    for arrived in 0..plan.nodes {
        let contacts: Vec<usize> = (0..CONTACTS.min(arrived))
            .map(|_| world.rng().random_range(0..arrived))
            .collect();
        world.add(&contacts);
        world.run(pause);
    }
    let mut rows = vec![measure(&mut world)];
    for index in 0..plan.nodes * plan.leavers_per_cent.min(99) / 100 {
        // Every node is as likely to leave: ids are random, so any choice of indices will do.
        world.remove(index);
    }
    for _ in 0..2 {
        world.run(Duration::from_secs(300));
        rows.push(measure(&mut world));
    }
    Report {
        rows,
        delivered: world.delivered(),
        digest: world.digest(),
    }
}

/// Looks up random targets from random nodes and compares with the truth.
fn measure(world: &mut World) -> Row {
    let sent = |world: &World| -> u64 {
        world
            .nodes()
            .map(|(_, node)| node.stats().datagrams_out)
            .sum()
    };
    let alive: Vec<usize> = world.nodes().map(|(index, _)| index).collect();
    let count = alive.len().max(1) as f64;
    let contacts: usize = world
        .nodes()
        .map(|(_, node)| node.table_len(Family::V4))
        .sum();
    let load = sent(world) as f64 / count / world.elapsed().as_secs_f64().max(1.0);
    world.take_events();
    for _ in 0..LOOKUPS.min(alive.len()) {
        let asker = world.rng().random_range(0..alive.len());
        let target = Id::random(world.rng());
        world.with(alive[asker], |node, now| node.find_node(now, target));
    }
    let mut row = Row {
        at: world.elapsed(),
        nodes: alive.len(),
        contacts: contacts as f64 / count,
        recall: 0.0,
        asked: 0.0,
        timed_out: 0.0,
        elapsed: Duration::ZERO,
        load,
    };
    world.run(PATIENCE);
    let mut done = 0_u32;
    for (asker, event) in world.take_events() {
        let Event::LookupDone { report, .. } = event else {
            continue;
        };
        done += 1;
        // A node does not find itself.
        let others = world.nodes().filter(|(index, _)| *index != asker);
        let truth = oracle::closest(others.map(|(_, n)| n.id(Family::V4)), &report.target, K);
        let found: Vec<Id> = report.closest.iter().map(|contact| contact.id).collect();
        row.recall += oracle::recall(&truth, &found);
        row.asked += f64::from(report.asked);
        row.timed_out += f64::from(report.timed_out);
        row.elapsed += report.elapsed;
    }
    let lookups = f64::from(done.max(1));
    row.recall /= lookups;
    row.asked /= lookups;
    row.timed_out /= lookups;
    row.elapsed /= done.max(1);
    row
}
