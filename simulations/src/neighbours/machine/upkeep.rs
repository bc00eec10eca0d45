//! Joins, and keeps the table fresh (dht.md §1b "Refresh").
//!
//! Invariant: `Diary::next` is never before what is due, so that an idle neighbour sleeps.

use std::time::{Duration, Instant};

use dht::message::Method;
use dht::{Contact, Endpoint, Family, Id};
use rand::{Rng, RngExt};

use super::searches::{Goal, draw};
use super::{MAX_RUMOURS, Neighbour, Purpose};
use crate::neighbours::policy::{Insert, Probe, Upkeep};

/// Addresses kept to begin with.
const MAX_ENTRANCES: usize = 8;
/// Before joining is tried again when nobody answered.
const AGAIN: Duration = Duration::from_secs(30);
/// Between two looks for what is too old in the store.
const SWEEP: Duration = Duration::from_secs(60);

/// What is to be done when.
#[derive(Debug)]
pub(in crate::neighbours) struct Diary {
    probe: Instant,
    own: Option<Instant>,
    random: Option<Instant>,
    sweep: Instant,
    /// Contacts at the last probe: whether the table grows.
    grown_from: usize,
    /// Counts probes: every other one is for a rumour, if there is one.
    probes: u32,
}

impl Diary {
    pub(in crate::neighbours) fn new(upkeep: &Upkeep, now: Instant, rng: &mut impl Rng) -> Diary {
        let mut within = |period: Duration| now + draw((Duration::ZERO, period), rng);
        Diary {
            probe: within(upkeep.busy.1),
            own: upkeep.own.map(&mut within),
            random: upkeep.random.map(&mut within),
            sweep: now + SWEEP,
            grown_from: 0,
            probes: 0,
        }
    }

    /// The earliest of all.
    pub(in crate::neighbours) fn next(&self) -> Instant {
        let rare = self.own.into_iter().chain(self.random);
        rare.fold(self.probe, Instant::min)
    }
}

impl Neighbour {
    /// Begins with these contacts, and tries them again whenever the table is empty.
    pub fn join(&mut self, now: Instant, contacts: impl IntoIterator<Item = Endpoint>) {
        for contact in contacts {
            if contact.family() == Family::V4 && self.entrances.len() < MAX_ENTRANCES {
                self.entrances.push(contact);
            }
        }
        if !self.entrances.is_empty() {
            self.search(now, self.id, Goal::Upkeep);
        }
    }

    /// A lookup for the table has ended.
    pub(in crate::neighbours) fn looked_around(&mut self, now: Instant) {
        if self.table.len() == 0 && !self.entrances.is_empty() {
            self.diary.own = Some(now + AGAIN);
        }
    }

    /// Somebody spoke of `contact`, or it asked us: it may be pinged.
    pub(in crate::neighbours) fn rumour(&mut self, now: Instant, contact: Contact) {
        let known = self.rumours.iter().any(|other| other.id == contact.id);
        if self.rumours.len() >= MAX_RUMOURS
            || known
            || contact.id == self.id
            || contact.endpoint.port == 0
            || self.table.knows(contact.endpoint)
            || !self.table.has_room(&contact.id)
        {
            return;
        }
        self.rumours.push_back(contact);
        let soon = now + self.policy.upkeep.busy.0;
        self.diary.probe = self.diary.probe.min(soon);
    }

    /// Does what the diary says.
    pub(in crate::neighbours) fn keep_up(&mut self, now: Instant) {
        let upkeep = &self.policy.upkeep;
        if self.diary.own.is_some_and(|at| at <= now) {
            self.diary.own = upkeep.own.map(|period| now + period);
            if self.table.len() == 0 || self.table.depth() < upkeep.own_below {
                self.search(now, self.id, Goal::Upkeep);
            }
        }
        if self.diary.random.is_some_and(|at| at <= now) {
            self.diary.random = upkeep.random.map(|period| now + period);
            let target = Id::random(&mut self.rng);
            self.search(now, target, Goal::Upkeep);
        }
        if self.diary.sweep <= now {
            let second = self.second(now);
            self.store.sweep(second);
            self.diary.sweep = now + SWEEP;
        }
        if self.diary.probe <= now {
            let probed = self.probe(now);
            if self.diary.own.is_none() {
                // Whoever was known may be gone by now.
                self.looked_around(now);
            }
            let pause = if probed == 0 {
                upkeep.calm
            } else {
                upkeep.busy
            };
            self.diary.probe = now + draw(pause, &mut self.rng);
        }
    }

    /// Probes whom it is time for; how many those are.
    fn probe(&mut self, now: Instant) -> usize {
        let grows = self.table.len() > self.diary.grown_from;
        self.diary.grown_from = self.table.len();
        let silent = u32::try_from(self.policy.upkeep.silent.as_secs()).unwrap_or(u32::MAX);
        let second = self.second(now);
        for probed in 0..self.policy.upkeep.burst {
            self.diary.probes = self.diary.probes.wrapping_add(1);
            let stalest = self.table.stalest(silent, second);
            let turn = stalest.is_none() || self.diary.probes.is_multiple_of(2);
            if let Some(contact) = turn.then(|| self.rumours.pop_front()).flatten() {
                let to = (Some(contact.id), contact.endpoint);
                self.ask(now, to, Purpose::Probe, &Method::Ping);
            } else if let Some(contact) = stalest {
                let method = self.probing(&contact, grows.then_some(self.id));
                let to = (Some(contact.id), contact.endpoint);
                self.ask(now, to, Purpose::Probe, &method);
            } else if probed == 0 && grows && self.policy.insert == Insert::AnySender {
                return self.look_near(now);
            } else {
                return probed;
            }
        }
        if self.rumours.is_empty() {
            self.rumours = std::collections::VecDeque::new();
        }
        self.policy.upkeep.burst
    }

    /// While the table grows: who else is near?
    fn look_near(&mut self, now: Instant) -> usize {
        let near = self.table.closest(&self.id, self.policy.k);
        if near.is_empty() {
            return 0;
        }
        let at = self.rng.random_range(0..near.len());
        if let Some(contact) = near.get(at) {
            let method = Method::FindNode { target: self.id };
            let to = (Some(contact.id), contact.endpoint);
            self.ask(now, to, Purpose::Probe, &method);
        }
        1
    }

    /// The question for `contact`; `near` is what a growing table looks for.
    fn probing(&mut self, contact: &Contact, near: Option<Id>) -> Method<'static> {
        let bits = contact.id.shared_bits(&self.id);
        match self.policy.upkeep.probe {
            Probe::PeersOrPing if self.table.has_room(&contact.id) => Method::GetPeers {
                info_hash: self.id.sharing(bits, &mut self.rng),
            },
            Probe::Nodes => Method::FindNode {
                target: near.unwrap_or_else(|| self.id.sharing(bits, &mut self.rng)),
            },
            Probe::PeersOrPing | Probe::Ping => Method::Ping,
        }
    }
}
