//! What is in tables, judged by the oracle.
//!
//! A contact is alive if a node of that id runs at that endpoint now, and reachable if strangers
//! reach it there. It looks, and touches nothing. All entries count, also those that a node doubts.

use std::net::{IpAddr, SocketAddrV4};

use dht::{Contact, Family, Id};

use crate::host::Presence;
use crate::machine::Machine;
use crate::world::{HostId, World};

/// The contacts closest to a node that count as near (dht.md §4: its own 16 closest).
const NEAR: usize = 16;

/// Shares of contacts in some tables.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Freshness {
    /// When, in minutes after a moment of the scenario's choice.
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

/// Its id and all entries of its table; `None` for an actor, which has none.
fn table(machine: &Machine) -> Option<(Id, Vec<Contact>)> {
    match machine {
        Machine::Ours(node) => {
            let entries = node.buckets(Family::V4).flatten();
            let contacts = entries.map(|entry| entry.contact).collect();
            Some((node.id(Family::V4), contacts))
        }
        Machine::Theirs(neighbour) => Some((neighbour.id(), neighbour.contacts().collect())),
        Machine::Actor(_) => None,
    }
}

/// Looks into these tables.
pub(super) fn look<'a>(
    world: &World,
    machines: impl Iterator<Item = &'a Machine>,
    minute: u32,
) -> Freshness {
    let (mut near, mut far) = (Tally::default(), Tally::default());
    let mut nodes = 0;
    for (own, mut contacts) in machines.filter_map(table) {
        nodes += 1;
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
