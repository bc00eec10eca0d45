//! Pictures of one node in a network: a lookup as it closes in on its target, and a routing table.
//!
//! Drawn by the module that the client uses for `dht lookup --svg` and `dht table --svg`. The network
//! is the reference one with shipping nodes only.

use std::time::Duration;

use dht::{Event, Family, Id};
use trackless::picture::lookup::{Dot, Kind, Trace};
use trackless::picture::table::Seats;

use crate::machine::Told;
use crate::population::{Plan, Population};
use crate::time::Time;
use crate::watch::{Ask, Client};
use crate::world::{HostId, Step};

/// How long a network lives before it sits for its portrait.
const WARM: Duration = Duration::from_secs(3_600);
/// No lookup takes longer.
const PATIENCE: Duration = Duration::from_secs(61);

/// A network that has lived for an hour, and a node of it that was there from the beginning.
fn sitter(nodes: u32, seed: u64) -> (Population, HostId) {
    let mut population = Population::new(Plan {
        ours: 1.0,
        ..Plan::reference(nodes, seed)
    });
    population.grow(WARM);
    // The first bootstrap node: open, and known to everybody.
    (population, 0)
}

/// One lookup of a hash that another node has announced, as SVG.
#[must_use]
pub fn lookup(nodes: u32, seed: u64) -> String {
    let (mut population, host) = sitter(nodes, seed);
    let target = Id::random(population.world.rng());
    if let Some(announcer) = population.any(Client::Ours) {
        population.look_up(announcer, target, Ask::Announce(6881));
    }
    population.run(PATIENCE);
    let asker = population.any(Client::Ours).unwrap_or(host);
    let started = population.world.now();
    let traced = population
        .world
        .with(asker, |node, now| node.get_peers_traced(now, target));
    let mut dots = Vec::new();
    let until = started + PATIENCE;
    // People wait while the lookup is looked at: their cues are left where they are.
    loop {
        let step = population.world.step(until);
        let now = population.world.now();
        let told = population.world.take_told();
        dots.extend(told.iter().filter_map(|(who, told)| match told {
            Told::Ours(Event::Answered {
                lookup,
                bits,
                peers,
                ..
            }) if *who == asker && Some(*lookup) == traced => {
                Some(dot(now, started, *bits, *peers))
            }
            _ => None,
        }));
        if step == Step::Still {
            break;
        }
    }
    Trace {
        target: target.to_string(),
        dots,
    }
    .to_svg()
}

fn dot(now: Time, started: Time, bits: usize, peers: usize) -> Dot {
    Dot {
        at: now - started,
        bits,
        kind: if peers > 0 { Kind::Peers } else { Kind::Nodes },
    }
}

/// The routing table of a node, as SVG.
#[must_use]
pub fn table(nodes: u32, seed: u64) -> String {
    let (population, host) = sitter(nodes, seed);
    let now = population.world.instant();
    let node = population.world.nodes().find(|(id, _)| *id == host);
    let (id, buckets) = node.map_or_else(
        || (String::new(), Vec::new()),
        |(_, node)| {
            let buckets = node.buckets(Family::V4).collect();
            (node.id(Family::V4).to_string(), buckets)
        },
    );
    Seats::of(id, Some(u64::from(population.alive())), &buckets, now).to_svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_has_a_dot_for_each_answer_and_is_the_same_each_time() {
        let svg = lookup(60, 1);
        assert!(svg.matches("<circle").count() >= 8, "{svg}");
        assert_eq!(svg, lookup(60, 1));
    }

    #[test]
    fn a_table_has_seats() {
        let svg = table(60, 1);
        assert!(svg.matches("<rect").count() > 40, "{svg}");
    }
}
