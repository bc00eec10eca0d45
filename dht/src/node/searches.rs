//! Driving lookups: a command of the owner walks one table a family, then perhaps announces.
//!
//! A search whose family has no contact yet waits and starts with the first node that answers.
//! Invariants: each step asks at once whoever can be asked; a search ends `LIFETIME` after its
//! first question at the latest, with exactly one `LookupDone` unless it was cancelled.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};

use super::{Event, LookupId, LookupReport, Node, Purpose, Tracing};
use crate::contact::Contact;
use crate::family::{BOTH, PerFamily};
use crate::id::Id;
use crate::lookup::{K, Lookup, Slowed, Tally};
use crate::message::{AnnouncePort, Method, Response};
use crate::transactions::Pending;

/// Longest life of a search after its first question (reliability.md §4.1).
const LIFETIME: Duration = Duration::from_secs(60);
/// Contacts of our table that a walk begins with.
const SEEDS: usize = 16;
/// Distinct peers that one search reports. `Threat:` endless lists of victims.
const MAX_FOUND: usize = 2_000;
/// Searches that may run at once: further ones end at once, empty.
const MAX_SEARCHES: usize = 256;

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// The nodes near our own id; part of joining one family.
    Join(Family),
    /// Fresh contacts for a bucket of one family.
    Refresh(Family),
    FindNode,
    GetPeers,
    Announce(AnnouncePort),
    /// Seeds and peers, counted (BEP 33).
    Scrape,
    /// Info hashes that others store (BEP 51).
    Sample,
    /// An item newer than the one `known` (BEP 44).
    Item {
        known: Option<i64>,
    },
    /// To store an item with this sequence number.
    Put {
        seq: Option<i64>,
    },
}

/// What became of one announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ack {
    Stored,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// For a first node.
    Waiting,
    Walking {
        until: Instant,
    },
    /// So many announcements are open.
    Announcing {
        open: usize,
        until: Instant,
    },
}

/// One lookup of the owner or of the upkeep.
#[derive(Debug)]
pub(super) struct Search {
    target: Id,
    goal: Goal,
    tracing: Tracing,
    started: Instant,
    stage: Stage,
    walks: PerFamily<Option<Lookup>>,
    found: BTreeSet<Endpoint>,
    announced: u32,
}

impl Search {
    /// When it ends whatever happens; `None` while it waits.
    pub(super) fn expires(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Walking { until } | Stage::Announcing { until, .. } => Some(until),
        }
    }

    /// Whether it walks the table of `family` at all.
    fn concerns(&self, family: Family) -> bool {
        match self.goal {
            Goal::Join(only) | Goal::Refresh(only) => only == family,
            _ => true,
        }
    }

    /// What it asks each node.
    fn method(&self) -> Method<'static> {
        match self.goal {
            Goal::GetPeers | Goal::Announce(_) => Method::GetPeers {
                info_hash: self.target,
            },
            Goal::FindNode | Goal::Join(_) | Goal::Refresh(_) => Method::FindNode {
                target: self.target,
            },
            Goal::Scrape => Method::Scrape {
                info_hash: self.target,
            },
            Goal::Sample => Method::SampleInfohashes {
                target: self.target,
            },
            Goal::Item { known: seq } | Goal::Put { seq } => Method::Get {
                target: self.target,
                seq,
            },
        }
    }

    pub(super) fn goal(&self) -> Goal {
        self.goal
    }

    pub(super) fn target(&self) -> Id {
        self.target
    }

    /// An item was found: from now on only newer ones are asked for.
    pub(super) fn knows_item(&mut self, seq: Option<i64>) {
        if let Goal::Item { known } = &mut self.goal {
            *known = seq;
        }
    }

    fn walks(&self) -> impl Iterator<Item = &Lookup> {
        [&self.walks.v4, &self.walks.v6].into_iter().flatten()
    }

    pub(super) fn report(&self, now: Instant) -> LookupReport {
        let tally = self
            .walks()
            .map(Lookup::tally)
            .fold(Tally::default(), |sum, one| Tally {
                asked: sum.asked + one.asked,
                answered: sum.answered + one.answered,
                failed: sum.failed + one.failed,
                hops: sum.hops.max(one.hops),
            });
        LookupReport {
            target: self.target,
            asked: tally.asked,
            answered: tally.answered,
            timed_out: tally.failed,
            hops: tally.hops,
            closest_bits: self.walks().map(Lookup::closest_bits).max().unwrap_or(0),
            peers: self.found.len(),
            announced: self.announced,
            elapsed: now.saturating_duration_since(self.started),
            closest: self
                .walks()
                .flat_map(Lookup::closest)
                .map(|(node, _)| node)
                .collect(),
        }
    }
}

impl Node {
    /// Starts a search, at once if there is anybody to ask.
    pub(super) fn search(
        &mut self,
        now: Instant,
        target: Id,
        goal: Goal,
        tracing: Tracing,
    ) -> LookupId {
        let lookup = self.upkeep.next_lookup();
        let mut search = Search {
            target,
            goal,
            tracing,
            started: now,
            stage: Stage::Waiting,
            walks: PerFamily::default(),
            found: BTreeSet::new(),
            announced: 0,
        };
        if self.searches.len() >= MAX_SEARCHES {
            self.finish(now, lookup, &search);
            return lookup;
        }
        if matches!(goal, Goal::GetPeers | Goal::Announce(_)) {
            self.look_at_home(now, lookup, &mut search);
        }
        self.searches.insert(lookup, search);
        for family in BOTH {
            self.begin_walk(now, lookup, family);
        }
        lookup
    }

    /// We may ourselves be among the nodes that store `target`; nobody else would tell us.
    fn look_at_home(&mut self, now: Instant, lookup: LookupId, search: &mut Search) {
        let mut peers = Vec::new();
        for family in BOTH {
            let all = (family, MAX_FOUND / 2);
            peers.extend(
                self.server
                    .peers
                    .sample(now, &search.target, all, &mut self.rng),
            );
        }
        search.found.extend(&peers);
        if !peers.is_empty() {
            let from = Endpoint::new([0, 0, 0, 0].into(), 0);
            self.outbox.event(Event::Peers {
                lookup,
                from,
                peers,
            });
        }
    }

    /// Begins to walk the table of `family` if this search should and the table has anybody.
    fn begin_walk(&mut self, now: Instant, lookup: LookupId, family: Family) {
        let Some(search) = self.searches.get(&lookup) else {
            return;
        };
        let announcing = matches!(search.stage, Stage::Announcing { .. });
        if search.walks[family].is_some() || announcing || !search.concerns(family) {
            return;
        }
        let near = self.tables[family].closest(now, &search.target, SEEDS);
        if near.is_empty() {
            return;
        }
        let seeds: Vec<_> = near
            .into_iter()
            .map(|contact| (contact, self.address(contact.endpoint)))
            .collect();
        if let Some(search) = self.searches.get_mut(&lookup) {
            search.walks[family] = Some(Lookup::new(search.target, seeds));
            if search.stage == Stage::Waiting {
                search.stage = Stage::Walking {
                    until: now + LIFETIME,
                };
            }
        }
        self.step(now, lookup);
    }

    /// The first node of `family` answered: what waited begins.
    pub(super) fn begin_waiting(&mut self, now: Instant, family: Family) {
        let lookups: Vec<LookupId> = self.searches.keys().copied().collect();
        for lookup in lookups {
            self.begin_walk(now, lookup, family);
        }
    }

    /// Nodes that a bootstrap node named: candidates of every search that walks.
    pub(super) fn bootstrapped(&mut self, now: Instant, response: &Response<'_>) {
        let named: Vec<Contact> = self.usable(response);
        let lookups: Vec<LookupId> = self.searches.keys().copied().collect();
        for lookup in lookups {
            for contact in named.iter().take(K) {
                let address = self.address(contact.endpoint);
                if let Some(search) = self.searches.get_mut(&lookup)
                    && let Some(walk) = &mut search.walks[contact.endpoint.family()]
                {
                    walk.consider(*contact, address, 2);
                }
            }
            self.step(now, lookup);
        }
    }

    /// A node answered a step of `lookup`.
    pub(super) fn walked(
        &mut self,
        now: Instant,
        lookup: LookupId,
        (sender, rtt): (Contact, Duration),
        response: &Response<'_>,
    ) {
        let named = self.usable(response);
        let Some(mut search) = self.searches.remove(&lookup) else {
            return;
        };
        for family in BOTH {
            // A node may name contacts of the other family (BEP 32); a walk takes its own.
            let heard = named
                .iter()
                .filter(|contact| contact.endpoint.family() == family)
                .map(|contact| (*contact, self.address(contact.endpoint)));
            if let Some(walk) = &mut search.walks[family] {
                if family == sender.endpoint.family() {
                    walk.answered(sender.endpoint, response.token, heard);
                } else {
                    heard
                        .take(K)
                        .for_each(|(node, address)| walk.consider(node, address, 2));
                }
            }
        }
        self.harvest(lookup, &mut search, (sender, rtt, named.len()), response);
        self.searches.insert(lookup, search);
        self.step(now, lookup);
    }

    /// Reports the peers of an answer, and the answer itself to whoever traces.
    fn harvest(
        &mut self,
        lookup: LookupId,
        search: &mut Search,
        (sender, rtt, nodes): (Contact, Duration, usize),
        response: &Response<'_>,
    ) {
        self.gather(lookup, search, sender, response);
        let mut peers = Vec::new();
        if matches!(
            search.goal,
            Goal::GetPeers | Goal::Announce(_) | Goal::Scrape
        ) {
            for peer in response.values() {
                if search.found.len() < MAX_FOUND
                    && self.config.policy.admits(peer)
                    && search.found.insert(peer)
                {
                    peers.push(peer);
                }
            }
        }
        if search.tracing == Tracing::On {
            self.outbox.event(Event::Answered {
                lookup,
                from: sender,
                bits: sender.id.shared_bits(&search.target),
                nodes,
                peers: response.values().count(),
                rtt,
            });
        }
        if !peers.is_empty() {
            self.outbox.event(Event::Peers {
                lookup,
                from: sender.endpoint,
                peers,
            });
        }
    }

    /// The nodes of an answer that we would talk to.
    fn usable(&self, response: &Response<'_>) -> Vec<Contact> {
        response
            .nodes()
            .filter(|contact| contact.id != self.id && self.talks_to(contact.endpoint))
            .collect()
    }

    /// A question takes longer than usual. In a walk that frees a slot, and the question is put
    /// again under the same transaction, so that either answer closes it.
    pub(super) fn slowed(&mut self, now: Instant, question: &Pending<Purpose>) {
        let Purpose::Walk(lookup) = question.purpose else {
            return;
        };
        let Some(search) = self.searches.get_mut(&lookup) else {
            return;
        };
        let method = search.method();
        let walk = search.walks[question.to.family()].as_mut();
        if walk.is_some_and(|walk| walk.slow(question.to) == Slowed::AskAgain) {
            self.pose(question.to, &question.id, &method);
        }
        self.step(now, lookup);
    }

    pub(super) fn walk_failed(&mut self, now: Instant, lookup: LookupId, who: Endpoint) {
        self.with_walk(lookup, who.family(), |walk| walk.failed(who));
        self.step(now, lookup);
    }

    fn with_walk(&mut self, lookup: LookupId, family: Family, act: impl FnOnce(&mut Lookup)) {
        if let Some(search) = self.searches.get_mut(&lookup)
            && let Some(walk) = &mut search.walks[family]
        {
            act(walk);
        }
    }

    /// Asks whoever can be asked; ends the walk if nobody is left.
    fn step(&mut self, now: Instant, lookup: LookupId) {
        let Some(mut search) = self.searches.remove(&lookup) else {
            return;
        };
        let Stage::Walking { until } = search.stage else {
            self.searches.insert(lookup, search);
            return;
        };
        let method = search.method();
        for family in BOTH {
            let Some(walk) = &mut search.walks[family] else {
                continue;
            };
            while let Some(contact) = walk.next_question() {
                let whom = (contact.endpoint, Some(contact.id));
                if !self.ask(now, whom, Purpose::Walk(lookup), &method) {
                    walk.failed(contact.endpoint);
                }
            }
        }
        if !search.walks().all(Lookup::is_done) {
            self.searches.insert(lookup, search);
        } else if matches!(search.goal, Goal::Announce(_) | Goal::Put { .. }) {
            search.stage = Stage::Announcing { open: 0, until };
            self.send_announcements(now, lookup, search, until);
        } else {
            self.finish(now, lookup, &search);
        }
    }

    /// Announces to the closest nodes of each family that gave a token.
    fn send_announcements(
        &mut self,
        now: Instant,
        lookup: LookupId,
        mut search: Search,
        until: Instant,
    ) {
        let mut open = 0;
        let errand = self.errands.remove(&lookup);
        let what = (search.goal, search.target);
        for (contact, token) in search.walks().flat_map(Lookup::closest) {
            let Some(token) = token else { continue };
            let who = contact.endpoint;
            let Some(method) = Node::to_store(errand.as_ref(), what, who, token) else {
                continue;
            };
            let whom = (contact.endpoint, Some(contact.id));
            open += usize::from(self.ask(now, whom, Purpose::Announce(lookup), &method));
        }
        self.errands.extend(errand.map(|errand| (lookup, errand)));
        if open == 0 {
            return self.finish(now, lookup, &search);
        }
        search.stage = Stage::Announcing { open, until };
        self.searches.insert(lookup, search);
    }

    pub(super) fn announced(&mut self, now: Instant, lookup: LookupId, ack: Ack) {
        let Some(mut search) = self.searches.remove(&lookup) else {
            return;
        };
        if ack == Ack::Stored {
            search.announced += 1;
        }
        match search.stage {
            Stage::Announcing { open, until } if open > 1 => {
                search.stage = Stage::Announcing {
                    open: open - 1,
                    until,
                };
                self.searches.insert(lookup, search);
            }
            _ => self.finish(now, lookup, &search),
        }
    }

    pub(super) fn expire_searches(&mut self, now: Instant) {
        let over = |search: &Search| search.expires().is_some_and(|until| until <= now);
        let late: Vec<LookupId> = self
            .searches
            .iter()
            .filter(|(_, s)| over(s))
            .map(|(id, _)| *id)
            .collect();
        for lookup in late {
            if let Some(search) = self.searches.remove(&lookup) {
                self.finish(now, lookup, &search);
            }
        }
    }

    fn finish(&mut self, now: Instant, lookup: LookupId, search: &Search) {
        self.errands.remove(&lookup);
        match search.goal {
            Goal::Join(family) => self.joined(family),
            Goal::Refresh(_) => {}
            _ => {
                let report = search.report(now);
                self.outbox.event(Event::LookupDone { lookup, report });
            }
        }
    }
}
