//! Joining, and staying joined: one deadline, one unit of work a tick.
//!
//! Each family is alone, joining or joined. Alone means that no contact is usable: the contacts
//! given to `join` are asked again and again, waiting 1 s, 2 s, 4 s … 60 s, until one answers; a table
//! that empties falls back to that by itself. A tick then does the first of: return to being alone,
//! look up our own id, ask the contact that most needs it. Never two, so no storms; and none before
//! there is something to do. Where the table is poor the question is `find_node`, so that its answer
//! fills it, else a ping (dht.md §3.3: at most a packet every 10 s, but newcomers are soon asked again).

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};
use rand::{Rng, RngExt};

use super::search::Goal;
use super::{Event, LookupId, Node, Purpose, Tracing};
use crate::contact::Contact;
use crate::family::{BOTH, PerFamily};
use crate::id::Id;
use crate::lookup::K;
use crate::message::{Method, Response};
use crate::table::{MAX_ANCHORS, Urgency};

/// Contacts remembered for joining: the first `MAX_ANCHORS`, which a saved table begins with, and the newest.
const MAX_CONTACTS: usize = 256;
/// Contacts asked in one attempt; further attempts go on with the next ones.
const BATCH: usize = 32;
/// Attempts after which the owner is asked for more doors.
const RESOLVE_AFTER: u32 = 2;
/// Missing answers kept until it is known whose fault they are.
const MAX_DOUBTS: usize = 32;
/// Longest wait between two attempts to join.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// The same for who was joined before: a router that restarts is soon back. To those of the table that
/// would be many questions to nobody, so few are asked in one attempt: one in two seconds.
const OUTAGE: (Duration, usize) = (Duration::from_secs(25), 12);
/// Least time between two units of maintenance; up to a half more, at random, so that nodes that
/// started together do not stay in step.
const ROUTINE: Duration = Duration::from_secs(10);
/// The same when a newcomer is to be told from a hole in its NAT, or someone missed an answer.
const SOON: Duration = Duration::from_secs(2);
/// Longest pause of the maintenance, should nothing be due.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);
/// How often stored peers are looked through, one hash each time.
const SWEEP: Duration = Duration::from_secs(10);
/// How long after its query a stranger is probed: by then the hole that its query made in its NAT
/// is closed (mldht; dht.md §3.3: 90 s).
const PROBE_DELAY: Duration = Duration::from_secs(90);
/// Between two such probes, while young (dht.md §3.3) and later: what is worth a place comes again.
const PROBE_PAUSES: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(60)];
/// Strangers that wait for their probe. `Threat:` whoever asks us makes us send, though not much.
const MAX_PROBES: usize = 32;
/// A table is young for so long: it fills, and most of its contacts are unproven.
const YOUTH: Duration = Duration::from_secs(15 * 60);
/// Between two lookups of our own id, while young and later.
const SELF_LOOKUPS: [Duration; 2] = [Duration::from_secs(5 * 60), Duration::from_secs(60 * 60)];
/// Between two questions that shall fill the same poor part of the table, while young and later.
const FILLING: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(10 * 60)];

/// How far a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joining {
    /// Nobody to talk to.
    Alone { attempt: u32, retry_at: Instant },
    /// Someone answered; our own id is being looked up, or was.
    Connected,
}

/// What the node does of its own accord.
#[derive(Debug)]
pub(super) struct Upkeep {
    joining: PerFamily<Joining>,
    /// As given to `join`, oldest first.
    contacts: Vec<Endpoint>,
    /// In the order of their time.
    probes: VecDeque<(Instant, Contact)>,
    next_probe: Instant,
    next_tick: Instant,
    /// When our own id was last looked up; `None`: it should be now.
    looked: PerFamily<Option<Instant>>,
    /// Who did not answer while nothing else came in either.
    doubts: Vec<(Endpoint, Option<Id>)>,
    lookups: u64,
}

impl Upkeep {
    pub(super) fn new(now: Instant, rng: &mut impl Rng) -> Upkeep {
        let alone = Joining::Alone {
            attempt: 0,
            retry_at: now,
        };
        Upkeep {
            joining: PerFamily::both(alone),
            contacts: Vec::new(),
            probes: VecDeque::new(),
            next_probe: now,
            next_tick: now + tick(rng),
            looked: PerFamily::both(Some(now)),
            doubts: Vec::new(),
            lookups: 0,
        }
    }

    pub(super) fn next_lookup(&mut self) -> LookupId {
        self.lookups += 1;
        LookupId(self.lookups)
    }

    /// Our own id in `family` is being looked up.
    pub(super) fn looks(&mut self, now: Instant, family: Family) {
        self.looked[family] = Some(now);
    }

    pub(super) fn next_tick(&self) -> Instant {
        self.next_tick
    }

    /// The machine slept until now: see who moved in next to us meanwhile.
    pub(super) fn woke(&mut self, now: Instant) {
        self.next_tick = now;
        self.looked = PerFamily::default();
    }

    /// Someone did not answer, and it is not known yet whose fault that is: ask others.
    pub(super) fn doubt(&mut self, now: Instant, doubt: (Endpoint, Option<Id>)) {
        if self.doubts.len() < MAX_DOUBTS {
            self.doubts.push(doubt);
        }
        self.next_tick = self.next_tick.min(now + SOON);
    }

    pub(super) fn take_doubts(&mut self) -> Vec<(Endpoint, Option<Id>)> {
        std::mem::take(&mut self.doubts)
    }

    /// There is a contact that wants to be asked again when its hole is closed.
    pub(super) fn expect_newcomer(&mut self, now: Instant) {
        self.next_tick = self.next_tick.min(now + PROBE_DELAY + ROUTINE);
    }

    /// `contact` asked us something and might be worth a place.
    pub(super) fn probe_later(&mut self, now: Instant, contact: Contact) {
        self.queue(now + PROBE_DELAY, contact);
    }

    fn queue(&mut self, at: Instant, contact: Contact) {
        let waiting = self
            .probes
            .iter()
            .any(|(_, other)| other.endpoint == contact.endpoint);
        if !waiting && self.probes.len() < MAX_PROBES {
            let place = self.probes.partition_point(|(other, _)| *other <= at);
            self.probes.insert(place, (at, contact));
        }
    }

    /// When the next stranger is probed.
    fn probe_due(&self) -> Option<Instant> {
        let (at, _) = self.probes.front()?;
        Some((*at).max(self.next_probe))
    }
}

fn tick(rng: &mut impl Rng) -> Duration {
    ROUTINE + Duration::from_millis(rng.random_range(0..5_000))
}

impl Node {
    /// Nodes to start from: bootstrap addresses, saved contacts, or both; may be called again, for
    /// instance with each DNS answer. They are asked at once and kept: whenever the node is alone it
    /// asks them again.
    pub fn join(&mut self, now: Instant, contacts: impl IntoIterator<Item = Endpoint>) {
        let mut new = Vec::new();
        for contact in contacts {
            let contact = Endpoint::new(contact.ip, contact.port);
            if !self.talks_to(contact) || self.upkeep.contacts.contains(&contact) {
                continue;
            }
            if self.upkeep.contacts.len() >= MAX_CONTACTS {
                self.upkeep.contacts.remove(MAX_ANCHORS);
            }
            self.upkeep.contacts.push(contact);
            new.push(contact);
        }
        for family in BOTH {
            let of_family: Vec<Endpoint> = new
                .iter()
                .copied()
                .filter(|contact| contact.family() == family)
                .collect();
            if !of_family.is_empty()
                && let Joining::Alone { .. } = self.upkeep.joining[family]
            {
                let retry_at = now + Duration::from_secs(1);
                self.upkeep.joining[family] = Joining::Alone {
                    attempt: 1,
                    retry_at,
                };
            }
            self.knock(now, of_family);
        }
    }

    /// Asks nodes of which only the endpoint is known for nodes near us.
    fn knock(&mut self, now: Instant, doors: impl IntoIterator<Item = Endpoint>) {
        for door in doors.into_iter().take(BATCH) {
            let target = self.id(door.family());
            if !self.asking.awaits(door) {
                self.ask(
                    now,
                    (door, None),
                    Purpose::Bootstrap,
                    &Method::FindNode { target },
                );
            }
        }
    }

    /// A node of `family` answered something. If it is the first, everything begins.
    pub(super) fn someone_answered(&mut self, now: Instant, family: Family) {
        if let Joining::Alone { .. } = self.upkeep.joining[family]
            && !self.tables[family].is_empty()
        {
            self.upkeep.joining[family] = Joining::Connected;
            self.outbox.event(Event::FirstNode { family });
            // First those who wait, then our own need.
            self.begin_waiting(now, family);
            self.upkeep.looked[family] = Some(now);
            let own = self.id(family);
            self.search(now, own, Goal::Join(family), Tracing::Off);
        }
    }

    /// The lookup of our own id in `family` ended.
    pub(super) fn joined(&mut self, now: Instant, family: Family) {
        self.outbox.event(Event::Joined {
            family,
            nodes: self.tables[family].len(),
        });
        self.begin_survey(now, family);
    }

    pub(super) fn upkeep_due(&self) -> Instant {
        let mut due = self.upkeep.next_tick;
        for family in BOTH {
            if let Some(retry_at) = self.retries(family) {
                due = due.min(retry_at);
            }
        }
        if let Some(at) = self.upkeep.probe_due() {
            due = due.min(at);
        }
        due
    }

    /// When to try joining `family` again; `None` if it is joined or nobody could be asked.
    fn retries(&self, family: Family) -> Option<Instant> {
        match self.upkeep.joining[family] {
            Joining::Alone { retry_at, .. } if self.has_door(family) => Some(retry_at),
            Joining::Alone { .. } | Joining::Connected => None,
        }
    }

    fn has_door(&self, family: Family) -> bool {
        let given = &self.upkeep.contacts;
        !self.tables[family].is_empty() || given.iter().any(|door| door.family() == family)
    }

    /// Everybody who might let us in: what is left of the table, last heard first, then whoever was
    /// given to `join`, saved contacts before those that torrents met and bootstrap hosts.
    fn doors(&self, family: Family) -> Vec<Endpoint> {
        let mut known: Vec<_> = self.tables[family].entries().collect();
        known.sort_by_key(|entry| Reverse(entry.heard));
        let known = known.into_iter().map(|entry| entry.contact.endpoint);
        let given = self.upkeep.contacts.iter().copied();
        known
            .chain(given.filter(|door| door.family() == family))
            .collect()
    }

    /// The link is down, or up again: from now on the node knocks until someone answers.
    pub(super) fn knock_again(&mut self, now: Instant) {
        for family in BOTH {
            if self.config.families.include(family) {
                self.upkeep.joining[family] = Joining::Alone {
                    attempt: 0,
                    retry_at: now,
                };
            }
        }
    }

    pub(super) fn keep_up(&mut self, now: Instant) {
        while self.upkeep.probe_due().is_some_and(|at| at <= now)
            && let Some((_, contact)) = self.upkeep.probes.pop_front()
        {
            if self.upkeep.probes.is_empty() {
                self.upkeep.probes = VecDeque::new();
            }
            let address = self.address(contact.endpoint);
            if self.tables[contact.endpoint.family()].wants(now, &contact, address) {
                self.upkeep.next_probe =
                    now + self.pause(now, contact.endpoint.family(), PROBE_PAUSES);
                self.probe(now, contact);
            }
        }
        for family in BOTH {
            if self.retries(family).is_some_and(|at| at <= now) {
                self.try_to_join(now, family);
            }
        }
        if self.upkeep.next_tick <= now {
            self.server.peers.sweep(now);
            for family in BOTH {
                self.maintain(now, family);
            }
            self.rest(now);
        }
    }

    /// Sets the next tick: when the next work is due, but not too soon.
    fn rest(&mut self, now: Instant) {
        let routine = now + tick(&mut self.rng);
        let mut due = now + LONGEST_REST;
        for family in BOTH {
            if let Some(check) = self.tables[family].next_check(now) {
                let earliest = match check.urgency {
                    Urgency::Soon => now + SOON,
                    Urgency::Routine => routine,
                };
                due = due.min(check.due.max(earliest));
                due = due.min(self.self_lookup_due(now, family).max(earliest));
            }
        }
        if !self.server.peers.is_empty() {
            due = due.min(now + SWEEP);
        }
        if self.path.link.is_doubtful() {
            due = due.min(now + SOON);
        }
        self.upkeep.next_tick = due;
    }

    /// A contact missed an answer: it is worth a question before long.
    pub(super) fn wake_upkeep(&mut self, now: Instant) {
        self.upkeep.next_tick = self.upkeep.next_tick.min(now + ROUTINE);
    }

    /// Of a pause while young and one for later, the one that holds now.
    fn pause(&self, now: Instant, family: Family, [young, later]: [Duration; 2]) -> Duration {
        let age = now.saturating_duration_since(self.tables[family].birth());
        if age < YOUTH { young } else { later }
    }

    fn self_lookup_due(&self, now: Instant, family: Family) -> Instant {
        let looked = self.upkeep.looked[family];
        looked.map_or(now, |last| last + self.pause(now, family, SELF_LOOKUPS))
    }

    fn try_to_join(&mut self, now: Instant, family: Family) {
        let Joining::Alone { attempt, .. } = self.upkeep.joining[family] else {
            return;
        };
        let (longest, batch) = match self.tables[family].is_empty() {
            true => (MAX_BACKOFF, BATCH),
            false if attempt < 5 => (OUTAGE.0, BATCH),
            false => OUTAGE,
        };
        let backoff = Duration::from_secs(1 << attempt.min(6)).min(longest);
        self.upkeep.joining[family] = Joining::Alone {
            attempt: attempt.saturating_add(1),
            retry_at: now + backoff,
        };
        if attempt >= RESOLVE_AFTER {
            self.outbox.event(Event::NeedBootstrap { family });
        }
        let doors = self.doors(family);
        let skipped = (attempt as usize).saturating_mul(batch) % doors.len().max(1);
        let batch: Vec<Endpoint> = doors
            .iter()
            .cycle()
            .skip(skipped)
            .take(doors.len().min(batch))
            .copied()
            .collect();
        self.knock(now, batch);
    }

    /// One unit of work for one table.
    fn maintain(&mut self, now: Instant, family: Family) {
        if self.upkeep.joining[family] != Joining::Connected {
            return;
        }
        if !self.tables[family].is_usable() {
            self.upkeep.joining[family] = Joining::Alone {
                attempt: 0,
                retry_at: now,
            };
            self.try_to_join(now, family);
        } else if self.self_lookup_due(now, family) <= now {
            self.upkeep.looked[family] = Some(now);
            let own = self.id(family);
            self.search(now, own, Goal::Refresh(family), Tracing::Off);
        } else if let Some(contact) = self.next_to_check(now, family) {
            self.check(now, contact);
        }
    }

    /// Whom to ask now: while our link is in doubt, whoever should answer first.
    fn next_to_check(&self, now: Instant, family: Family) -> Option<Contact> {
        let (table, link) = (&self.tables[family], &self.path.link);
        let check = table.next_check(now)?;
        if link.is_doubtful() {
            return Some(
                table
                    .witness(now, link.last_heard())
                    .unwrap_or(check.contact),
            );
        }
        (check.due <= now).then_some(check.contact)
    }

    /// Asks a contact whether it lives, and for others if they are missed.
    fn check(&mut self, now: Instant, contact: Contact) {
        let family = contact.endpoint.family();
        let pause = self.pause(now, family, FILLING);
        let sought = self.tables[family].asking(now, &contact, pause, &mut self.rng);
        if self.asking.awaits(contact.endpoint) {
            return;
        }
        let method = match sought {
            Some(target) => Method::FindNode { target },
            None => Method::Ping,
        };
        let whom = (contact.endpoint, Some(contact.id));
        self.ask(now, whom, Purpose::Probe, &method);
    }

    /// A contact that was asked for others named some: those that the table has room for are probed.
    pub(super) fn named(&mut self, now: Instant, response: &Response<'_>) {
        let named = self.usable(response);
        self.hear_of(now, &named);
        for contact in named.into_iter().take(K) {
            let address = self.address(contact.endpoint);
            let table = &self.tables[contact.endpoint.family()];
            if table.wants(now, &contact, address)
                && !self.memory.unreachable.contains(now, contact.endpoint)
            {
                self.upkeep.queue(now, contact);
            }
        }
    }
}
