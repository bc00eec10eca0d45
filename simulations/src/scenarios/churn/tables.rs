//! What is in the tables of shipping nodes, judged by the oracle, and what keeping them costs.
//!
//! A contact is alive if a node of that id runs at that endpoint now, and reachable if strangers
//! reach it there. It looks, and touches nothing.

use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use dht::{Contact, Family, Node, Stats};

use crate::host::Presence;
use crate::machine::Machine;
use crate::model::nat::HostClass;
use crate::world::{HostId, World};

/// The contacts closest to a node that count as near (dht.md §4: its own 16 closest).
const NEAR: usize = 16;

/// Shares of contacts in all tables of shipping nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Freshness {
    /// When, in minutes after the first announcement.
    pub minute: u32,
    /// Nodes whose tables were looked at.
    pub nodes: usize,
    /// Contacts a node.
    pub contacts: f64,
    /// Of the 16 closest contacts, so many are alive, and so many reachable: 0 to 1.
    pub near: (f64, f64),
    /// Of the others.
    pub far: (f64, f64),
}

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

/// Counts of contacts.
#[derive(Clone, Copy, Default)]
struct Tally {
    all: u64,
    alive: u64,
    reachable: u64,
}

impl Tally {
    fn count(&mut self, world: &World, contact: &Contact) {
        self.all += 1;
        let Some(host) = lives_at(world, contact) else {
            return;
        };
        self.alive += 1;
        self.reachable += u64::from(world.host(host).class().is_reachable());
    }

    fn shares(self) -> (f64, f64) {
        let all = self.all.max(1) as f64;
        (self.alive as f64 / all, self.reachable as f64 / all)
    }
}

/// What runs on a host, if anything.
pub(super) fn machine(world: &World, host: HostId) -> Option<&Machine> {
    match &world.host(host).presence {
        Presence::Running(machine) => Some(machine),
        Presence::Suspended(_) | Presence::Absent => None,
    }
}

/// The host on which the contact runs, if it does.
fn lives_at(world: &World, contact: &Contact) -> Option<HostId> {
    let IpAddr::V4(ip) = contact.endpoint.ip else {
        return None;
    };
    let host = world.host_at(SocketAddrV4::new(ip, contact.endpoint.port))?;
    let id = machine(world, host).and_then(Machine::id)?;
    (id == contact.id).then_some(host)
}

/// Looks into all tables.
pub(super) fn freshness(world: &World, minute: u32) -> Freshness {
    let (mut near, mut far) = (Tally::default(), Tally::default());
    let mut nodes = 0;
    for (_, node) in world.nodes() {
        nodes += 1;
        let own = node.id(Family::V4);
        let entries = node.buckets(Family::V4).flatten();
        let mut contacts: Vec<Contact> = entries.map(|entry| entry.contact).collect();
        contacts.sort_unstable_by_key(|contact| contact.id.distance(&own));
        let (close, rest) = contacts.split_at(NEAR.min(contacts.len()));
        close.iter().for_each(|contact| near.count(world, contact));
        rest.iter().for_each(|contact| far.count(world, contact));
    }
    Freshness {
        minute,
        nodes,
        contacts: (near.all + far.all) as f64 / nodes.max(1) as f64,
        near: near.shares(),
        far: far.shares(),
    }
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
