//! What idle shipping nodes exchange, by their own counters.
//!
//! Invariant: a node that is gone at the end does not count.

use std::time::Duration;

use dht::{Node, Stats};

use crate::machine::Machine;
use crate::model::nat::HostClass;
use crate::scenarios::freshness::machine;
use crate::world::{HostId, World};

/// What idle nodes of a class exchange: they look for nothing, but they answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upkeep {
    /// How the world sees them.
    pub class: HostClass,
    /// How many there are.
    pub nodes: usize,
    /// Payload bytes a second and node, out and in.
    pub bytes: (f64, f64),
    /// Datagrams a second and node, out and in.
    pub datagrams: (f64, f64),
    /// Questions a second and node, out.
    pub questions: f64,
}

/// Counters of idle nodes at the beginning of a span.
#[derive(Debug)]
pub(super) struct Meter {
    begun: Vec<(HostId, Stats)>,
}

impl Meter {
    pub(super) fn begin(world: &World, hosts: &[HostId]) -> Meter {
        let stats = |host: &HostId| Some((*host, *node(world, *host)?.stats()));
        Meter {
            begun: hosts.iter().filter_map(stats).collect(),
        }
    }

    /// What the nodes of `class` exchanged in the `span` since.
    pub(super) fn read(&self, world: &World, class: HostClass, span: Duration) -> Upkeep {
        let of_class = |(host, _): &&(HostId, Stats)| world.host(*host).class() == class;
        let pairs: Vec<(&Stats, &Stats)> = self
            .begun
            .iter()
            .filter(of_class)
            .filter_map(|(host, before)| Some((before, node(world, *host)?.stats())))
            .collect();
        let rate = |count: fn(&Stats) -> u64| {
            let grown = pairs.iter().map(|(before, now)| count(now) - count(before));
            grown.sum::<u64>() as f64 / span.as_secs_f64() / pairs.len().max(1) as f64
        };
        let questions = |stats: &Stats| {
            let asked = stats.queries_out;
            asked.ping + asked.find_node + asked.get_peers + asked.announce_peer + asked.other
        };
        Upkeep {
            class,
            nodes: pairs.len(),
            bytes: (rate(|s| s.bytes_out), rate(|s| s.bytes_in)),
            datagrams: (rate(|s| s.datagrams_out), rate(|s| s.datagrams_in)),
            questions: rate(questions),
        }
    }
}

fn node(world: &World, host: HostId) -> Option<&Node> {
    match machine(world, host)? {
        Machine::Ours(node) => Some(node),
        Machine::Theirs(_) | Machine::Actor(_) => None,
    }
}
