//! Swarms that keep their size: whoever leaves is replaced by somebody else, who announces at once.
//!
//! Members announce again when their interval has passed, and never say goodbye, as nobody can. So
//! what nodes store is the living members and those that left since: this measures both shares.
//! Invariant: a member is one session of one host; a host that returns is not a member any more.

use std::net::SocketAddr;

use dht::{Endpoint, Id};
use rand::RngExt;

use crate::machine::Machine;
use crate::population::{BOOTSTRAP, Population};
use crate::scenarios::freshness;
use crate::watch::{Ask, Measured};
use crate::world::HostId;

/// What announcing every so often comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repetition {
    /// Minutes between two announcements of a member.
    pub interval: u32,
    /// Lookups made.
    pub lookups: u64,
    /// Share of lookups that found a living member.
    pub hit: f64,
    /// Share of living members found, over all lookups.
    pub coverage: f64,
    /// Share of found peers that are no members any more.
    pub stale: f64,
    /// Announcements made.
    pub announcements: u64,
}

#[derive(Debug)]
struct Member {
    host: HostId,
    id: Id,
    endpoint: Endpoint,
    /// The minute of its next announcement.
    due: u32,
}

#[derive(Debug)]
struct Swarm {
    hash: Id,
    interval: u32,
    members: Vec<Member>,
}

/// What was counted of one interval.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    lookups: u64,
    hits: u64,
    members: u64,
    living: u64,
    found: u64,
    announcements: u64,
}

/// All swarms of all intervals.
#[derive(Debug, Default)]
pub struct Swarms {
    swarms: Vec<Swarm>,
    /// By interval, in the order of the plan.
    tallies: Vec<(u32, Tally)>,
    size: usize,
}

impl Swarms {
    /// So many swarms of each interval, without members yet.
    pub(super) fn new(
        people: &mut Population,
        intervals: &[u32],
        (each, size): (u32, usize),
    ) -> Swarms {
        let mut swarms = Vec::new();
        for interval in intervals {
            swarms.extend((0..each).map(|_| Swarm {
                hash: Id::random(people.world.rng()),
                interval: *interval,
                members: Vec::new(),
            }));
        }
        Swarms {
            swarms,
            tallies: intervals.iter().map(|n| (*n, Tally::default())).collect(),
            size,
        }
    }

    /// What members do in this minute: some have left, others come, some announce.
    pub(super) fn live(&mut self, people: &mut Population, minute: u32, permanent: &[HostId]) {
        let all = people.world.running().map(|(host, _)| host);
        let eligible: Vec<HostId> = all
            .filter(|host| *host >= BOOTSTRAP && people.client(*host).is_some())
            .filter(|host| permanent.binary_search(host).is_err())
            .collect();
        for swarm in &mut self.swarms {
            swarm.members.retain(|member| runs(people, member));
            while swarm.members.len() < self.size && !eligible.is_empty() {
                let chosen = eligible[people.world.rng().random_range(0..eligible.len())];
                // In the first minute all come at once: their announcements are spread evenly.
                let due = match minute {
                    0 => people.world.rng().random_range(0..swarm.interval),
                    _ => minute,
                };
                swarm.members.extend(member(people, chosen, due));
            }
            for member in &mut swarm.members {
                if member.due > minute {
                    continue;
                }
                member.due = minute + swarm.interval;
                people.look_up(member.host, swarm.hash, Ask::Announce(member.endpoint.port));
                let tally = self.tallies.iter_mut();
                for (_, tally) in tally.filter(|(interval, _)| *interval == swarm.interval) {
                    tally.announcements += 1;
                }
            }
        }
    }

    /// The hashes of all swarms.
    pub(super) fn hashes(&self) -> Vec<Id> {
        self.swarms.iter().map(|swarm| swarm.hash).collect()
    }

    /// Counts a lookup if it was one of a swarm.
    pub(super) fn count(&mut self, people: &Population, measured: &Measured) {
        let same = |swarm: &&Swarm| swarm.hash == measured.target;
        let Some(swarm) = self.swarms.iter().find(same) else {
            return;
        };
        let living: Vec<Endpoint> = swarm
            .members
            .iter()
            .filter(|member| runs(people, member))
            .map(|member| member.endpoint)
            .collect();
        let mut found = measured.peers.clone();
        found.sort_unstable();
        found.dedup();
        let alive = found.iter().filter(|peer| living.contains(peer)).count() as u64;
        let tallies = self.tallies.iter_mut();
        for (_, tally) in tallies.filter(|(interval, _)| *interval == swarm.interval) {
            tally.lookups += 1;
            tally.hits += u64::from(alive > 0);
            tally.members += living.len() as u64;
            tally.living += alive;
            tally.found += found.len() as u64;
        }
    }

    /// What came of each interval.
    pub(super) fn repetition(&self) -> Vec<Repetition> {
        let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
        let row = |(interval, tally): &(u32, Tally)| Repetition {
            interval: *interval,
            lookups: tally.lookups,
            hit: share(tally.hits, tally.lookups),
            coverage: share(tally.living, tally.members),
            stale: share(tally.found - tally.living, tally.found),
            announcements: tally.announcements,
        };
        self.tallies.iter().map(row).collect()
    }
}

fn member(people: &Population, host: HostId, due: u32) -> Option<Member> {
    let world = &people.world;
    Some(Member {
        host,
        id: freshness::machine(world, host).and_then(Machine::id)?,
        endpoint: Endpoint::from(SocketAddr::V4(world.host(host).endpoint())),
        due,
    })
}

/// Whether that session goes on. A session that was followed by another under the same id and
/// address within a minute counts as the same.
fn runs(people: &Population, member: &Member) -> bool {
    let world = &people.world;
    let endpoint = Endpoint::from(SocketAddr::V4(world.host(member.host).endpoint()));
    let id = freshness::machine(world, member.host).and_then(Machine::id);
    id == Some(member.id) && endpoint == member.endpoint
}
