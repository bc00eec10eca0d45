//! Attacks on the way to the data: poisoned tables, Sybils around a torrent, the eclipse of a node.
//!
//! `Threat:` ids are free and whoever answers is believed. What is played is the shipping node as it
//! is; BEP 42 is not enforced by it. Each row is measured by lookups of honest people for torrents
//! that one honest node published.

use std::time::Duration;

use dht::{Family, Id};

use super::Plan;
use super::field::{Field, Gets};
use crate::world::HostId;

/// /24 networks that Sybils live in.
pub const NETWORKS: u8 = 4;
/// Sybils share so many bits with the torrent: closer than any honest node of a small network.
const CLOSE: usize = 32;
/// Honest nodes near the torrent to which Sybils talk.
const NEIGHBOURHOOD: usize = 64;

/// Attackers everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Poisoned {
    /// Attackers among all nodes.
    pub share: f64,
    /// Their part of honest tables.
    pub tables: f64,
    /// Lookups for torrents published meanwhile.
    pub gets: Gets,
}

/// Attackers around one torrent.
#[derive(Clone, Debug, PartialEq)]
pub struct Surrounded {
    /// Attackers.
    pub sybils: u32,
    /// Lookups if the torrent was published before they came.
    pub before: Gets,
    /// If it was published after, and before all forgot it.
    pub after: Gets,
}

/// Attackers around one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Eclipsed {
    /// Attackers.
    pub attackers: u32,
    /// Whether it knows honest bootstrap nodes, or one attacker alone.
    pub door: Door,
    /// Their part of its table.
    pub table: f64,
    /// Their part of the 16 contacts that its lookups begin with.
    pub seeds: f64,
    /// Their part of the 8 contacts closest to itself.
    pub near: f64,
    /// Its lookups.
    pub gets: Gets,
}

/// Through whom the eclipsed node joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Honest bootstrap nodes.
    Honest,
    /// An attacker.
    Attacker,
}

/// Plays the horizontal attack, a network for each share.
pub(super) fn poison(plan: &Plan, done: &mut dyn FnMut(&Field)) -> Vec<Poisoned> {
    let one = |share: f64| {
        let mut field = Field::new(plan.nodes, plan.seed, plan.settled);
        let attackers = (share / (1.0 - share) * f64::from(plan.nodes)).round() as u32;
        let mut everybody = field.everybody();
        for _ in 0..attackers {
            let id = Id::random(field.people.world.rng());
            let step = 7.min(everybody.len());
            everybody.rotate_left(step);
            field.attack(id, None, everybody.clone());
        }
        field.people.run(plan.poisoning);
        let torrents = torrents(&mut field, 12);
        let gets = field.gets(&torrents, plan.lookups, None);
        let row = Poisoned {
            share,
            tables: field.table_share(),
            gets,
        };
        done(&field);
        row
    };
    plan.shares.iter().copied().map(one).collect()
}

fn torrents(field: &mut Field, count: usize) -> Vec<Id> {
    (0..count)
        .map(|_| {
            let torrent = Id::random(field.people.world.rng());
            field.publish(torrent);
            torrent
        })
        .collect()
}

/// Plays Sybils of these numbers around torrents, one after the other, in one network.
pub(super) fn surround(plan: &Plan, field: &mut Field) -> Vec<Surrounded> {
    let each = plan.lookups / plan.surrounded.max(1);
    let one = |sybils: u32| {
        let (mut before, mut after) = (Gets::default(), Gets::default());
        for _ in 0..plan.surrounded {
            let (early, late) = surround_one(field, sybils, each);
            before.add(&early);
            after.add(&late);
        }
        Surrounded {
            sybils,
            before,
            after,
        }
    };
    plan.sybils.iter().copied().map(one).collect()
}

/// So many Sybils around a torrent that was published before, and around one that is published then.
fn surround_one(field: &mut Field, sybils: u32, lookups: usize) -> (Gets, Gets) {
    let [early, late] = [(); 2].map(|()| Id::random(field.people.world.rng()));
    field.publish(early);
    field.people.run(Duration::from_secs(30));
    for torrent in [early, late] {
        let victims = field.nearest(&torrent, NEIGHBOURHOOD);
        for number in 0..sybils {
            let id = torrent.sharing(CLOSE, field.people.world.rng());
            let network = (number % u32::from(NETWORKS)) as u8;
            field.attack(id, Some(network), victims.clone());
        }
    }
    field.people.run(Duration::from_secs(10 * 60));
    let before = field.gets(&[early], lookups, None);
    field.publish(late);
    let after = field.gets(&[late], lookups, None);
    field.disband(NETWORKS);
    (before, after)
}

/// Plays the eclipse of a node each, in one network.
pub(super) fn eclipse(plan: &Plan, field: &mut Field) -> Vec<Eclipsed> {
    let torrents = torrents(field, 6);
    let doors = [Door::Honest, Door::Attacker];
    let cases = plan
        .eclipses
        .iter()
        .flat_map(|n| doors.map(|door| (*n, door)));
    let cases: Vec<_> = cases.collect();
    let one = |(attackers, door)| {
        for host in field.people.bootstrap() {
            match door {
                Door::Honest => field.people.world.resume(host),
                Door::Attacker => field.people.world.suspend(host),
            }
        }
        let victim = field.stays();
        let id = field
            .people
            .world
            .with(victim, |node, _| node.id(Family::V4));
        let around = id.unwrap_or(Id::new([0; 20]));
        let at = vec![field.people.world.host(victim).endpoint().into()];
        for number in 0..attackers {
            // As many in each bucket, from the far half of all ids to the next neighbours.
            let id = around.sharing(number as usize % 24, field.people.world.rng());
            field.attack(id, None, at.clone());
        }
        if let (Door::Attacker, Some(door)) = (door, field.ring.somebody()) {
            let join = |node: &mut dht::Node, now| node.join(now, [door]);
            field.people.world.with(victim, join);
        }
        field.people.run(plan.eclipsing);
        for host in field.people.bootstrap() {
            field.people.world.resume(host);
        }
        let [table, seeds, near] = views(field, victim, &around);
        let gets = field.gets(&torrents, plan.lookups / 2, Some(victim));
        field.people.close(victim);
        field.disband(0);
        Eclipsed {
            attackers,
            door,
            table,
            seeds,
            near,
            gets,
        }
    };
    cases.into_iter().map(one).collect()
}

/// The attackers' part of the victim's table, of its lookups' first contacts, of its neighbours.
fn views(field: &mut Field, victim: HostId, around: &Id) -> [f64; 3] {
    let all = |node: &mut dht::Node, _| -> Vec<dht::Contact> {
        let entries = node.buckets(Family::V4).flatten();
        entries.map(|entry| entry.contact).collect()
    };
    let table = field.people.world.with(victim, all).unwrap_or_default();
    let nearest = |target: &Id, count: usize| {
        let mut near: Vec<_> = table.iter().map(|contact| contact.id).collect();
        near.sort_unstable_by_key(|id| id.distance(target));
        near.truncate(count);
        near
    };
    let bad = |ids: &[Id]| {
        let bad = ids.iter().filter(|id| field.ring.has(id)).count();
        bad as f64 / ids.len().max(1) as f64
    };
    let whole = bad(&nearest(around, usize::MAX));
    let near = bad(&nearest(around, 8));
    let targets: Vec<Id> = (0..50)
        .map(|n: u8| Id::new([n.wrapping_mul(5); 20]))
        .collect();
    let seeds = targets.iter().map(|target| bad(&nearest(target, 16)));
    [whole, seeds.sum::<f64>() / 50.0, near]
}
