//! Driving lookups: a command of the owner walks towards its target in each family.
//!
//! A walk begins with whoever is known nearest: last holders, table, pool. A search whose family has no
//! contact yet waits and starts with the first node that answers. Invariants: each step asks at once whoever can be asked; a search ends `LIFETIME` after its
//! first question at the latest, with exactly one `LookupDone` unless it was cancelled.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};

use super::search::{Goal, Search, Stage};
use super::{Event, LookupId, Node, Purpose, Tracing, Wording};
use crate::contact::{Address, Contact, Network};
use crate::family::{BOTH, PerFamily};
use crate::id::Id;
use crate::lookup::{Approach, K, Lookup, Origin, Slowed};
use crate::message::{Part, Response};
use crate::pool::{Acquaintance, Standing};
use crate::table::Entry;
use crate::transactions::Pending;

/// Longest life of a search after its first question (reliability.md §4.1).
const LIFETIME: Duration = Duration::from_secs(60);
/// Distinct peers that one search reports. `Threat:` endless lists of victims.
const MAX_FOUND: usize = 2_000;
/// Searches that may run at once: further ones end at once, empty.
const MAX_SEARCHES: usize = 256;

impl Node {
    /// Announces what is due of what is kept announced.
    pub(super) fn go_round(&mut self, now: Instant) {
        while let Some((info_hash, own)) = self.rounds.next(now) {
            self.search(now, info_hash, Goal::Keep(own), Tracing::Off);
        }
    }

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
            deposits: Vec::new(),
            repeated: 0,
            retried: false,
        };
        if self.searches.len() >= MAX_SEARCHES {
            self.finish(now, lookup, search);
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
            let all = (family, Part::Peer, MAX_FOUND / 2);
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
        if search.walks[family].is_some() || !search.concerns(family) || self.path.link.is_down() {
            return;
        }
        let (target, goal) = (search.target, search.goal);
        let seeds = self.seeds(now, &target, family);
        if seeds.is_empty() {
            return;
        }
        let held = seeds
            .iter()
            .filter(|(_, _, origin)| *origin == Origin::Holder);
        let approach = self.approach(goal, held.count(), family);
        if let Some(search) = self.searches.get_mut(&lookup) {
            search.walks[family] = Some(Lookup::new(target, approach, seeds));
            if search.stage == Stage::Waiting {
                search.stage = Stage::Walking {
                    until: now + LIFETIME,
                };
            }
        }
        self.step(now, lookup);
    }

    /// How to look up in `family` when so many holders are known.
    fn approach(&self, goal: Goal, held: usize, family: Family) -> Approach {
        let tuning = &self.config.tuning;
        // Where most holders are known, nobody comes from afar.
        let stores = matches!(goal, Goal::Announce(_) | Goal::Put { .. }) && held <= K / 2;
        Approach {
            margin: if stores { tuning.margin } else { 0 },
            homing: tuning.homing,
            converging: tuning.converging,
            expected: self.memory.sizes[family].expected(),
            usual: self.memory.sizes[family].usual(),
        }
    }

    /// Whoever is known nearest to `target`: all that held it last time, then table and pool.
    fn seeds(
        &mut self,
        now: Instant,
        target: &Id,
        family: Family,
    ) -> Vec<(Contact, Address, Origin)> {
        let count = self.config.tuning.seeds;
        let held = self.memory.holders.of(target).to_vec();
        let held = held.into_iter().filter(|c| c.endpoint.family() == family);
        let mut seeds: Vec<_> = held
            .map(|contact| (contact, self.address(contact.endpoint), Origin::Holder))
            .collect();
        // More than are used: many may be of one network.
        let ample = 3 * count;
        let seated = self.tables[family].closest(now, target, ample);
        let mut near: Vec<_> = seated
            .into_iter()
            .map(|contact| (contact, self.address(contact.endpoint), Origin::Known))
            .collect();
        for known in self.memory.pools[family].closest(now, target, ample) {
            let origin = match known.standing {
                Standing::Answered { .. } => Origin::Known,
                Standing::Named => Origin::Hearsay,
            };
            if !near.iter().any(|(contact, ..)| *contact == known.contact) {
                near.push((known.contact, known.address, origin));
            }
        }
        near.sort_by_key(|(contact, ..)| contact.id.distance(target));
        one_of_each_network(&mut near);
        near.truncate(count);
        seeds.extend(near);
        seeds.extend(self.anchors(family));
        let reachable =
            |(contact, ..): &&(Contact, Address, Origin)| !self.is_spared(now, contact.endpoint);
        let chosen: Vec<_> = seeds.iter().filter(reachable).copied().collect();
        // Whom nobody but the silent is known, has to ask the silent.
        if chosen.is_empty() { seeds } else { chosen }
    }

    /// Everybody near who ever answered, even if silent lately.
    fn wide_seeds(
        &self,
        now: Instant,
        target: &Id,
        family: Family,
    ) -> Vec<(Contact, Address, Origin)> {
        let count = 4 * self.config.tuning.seeds;
        let seated = self.tables[family].closest(now, target, count);
        let pooled = self.memory.pools[family].closest(now, target, count);
        let answered = |known: &&Acquaintance| matches!(known.standing, Standing::Answered { .. });
        let pooled = pooled.iter().filter(answered).map(|known| known.contact);
        let known = seated.into_iter().chain(pooled);
        let mut known: Vec<_> = known
            .map(|contact| (contact, self.address(contact.endpoint), Origin::Known))
            .collect();
        known.sort_by_key(|(contact, ..)| contact.id.distance(target));
        known.dedup();
        known
    }

    /// The contacts that have been in the table for longest.
    fn anchors(&self, family: Family) -> Vec<(Contact, Address, Origin)> {
        let mut old: Vec<Entry> = self.tables[family].entries().collect();
        old.retain(|entry| entry.failures == 0);
        old.sort_by_key(|entry| entry.since);
        let contacts = old.into_iter().map(|entry| entry.contact);
        contacts
            .take(self.config.tuning.anchors)
            .map(|contact| (contact, self.address(contact.endpoint), Origin::Anchor))
            .collect()
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
                    walk.consider(*contact, address, Origin::Hearsay);
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
        self.hear_of(now, &named);
        let Some(mut search) = self.searches.remove(&lookup) else {
            return;
        };
        for family in BOTH {
            // A node may name contacts of the other family (BEP 32); a walk takes its own.
            let heard = named
                .iter()
                .filter(|contact| contact.endpoint.family() == family)
                .filter(|contact| !self.is_spared(now, contact.endpoint))
                .map(|contact| (*contact, self.address(contact.endpoint)));
            if let Some(walk) = &mut search.walks[family] {
                if family == sender.endpoint.family() {
                    walk.answered(sender.endpoint, response.token, heard);
                } else {
                    heard
                        .take(K)
                        .for_each(|(node, address)| walk.consider(node, address, Origin::Hearsay));
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
    pub(super) fn usable(&self, response: &Response<'_>) -> Vec<Contact> {
        response
            .nodes()
            .filter(|contact| !self.names.are_ours(&contact.id) && self.talks_to(contact.endpoint))
            .collect()
    }

    /// A question takes longer than usual. In a walk that frees a slot, and the question is put
    /// again under the same transaction, so that either answer closes it.
    pub(super) fn slowed(&mut self, now: Instant, question: &Pending<Purpose>) {
        let lookup = match question.purpose {
            Purpose::Walk(lookup) => lookup,
            Purpose::Announce(lookup) => return self.repeat_announcement(lookup, question),
            Purpose::Survey => return self.survey(now, question.to.family()),
            Purpose::Challenge => return self.release_reduced(now, question.to),
            Purpose::Probe | Purpose::Ping | Purpose::Bootstrap => return,
        };
        let Some(search) = self.searches.get_mut(&lookup) else {
            return;
        };
        let (part, method) = (search.part(), search.method());
        let walk = search.walks[question.to.family()].as_mut();
        if walk.is_some_and(|walk| walk.slow(question.to) == Slowed::AskAgain) {
            search.repeated += 1;
            self.pose(
                question.to,
                &question.id,
                Wording {
                    part,
                    method: &method,
                },
            );
        }
        self.step(now, lookup);
    }

    pub(super) fn walk_failed(&mut self, now: Instant, lookup: LookupId, who: Endpoint) {
        self.with_walk(lookup, who.family(), |walk| walk.failed(who));
        self.step(now, lookup);
    }

    pub(super) fn with_walk(
        &mut self,
        lookup: LookupId,
        family: Family,
        act: impl FnOnce(&mut Lookup),
    ) {
        if let Some(search) = self.searches.get_mut(&lookup)
            && let Some(walk) = &mut search.walks[family]
        {
            act(walk);
        }
    }

    /// Asks whoever can be asked, announces to whoever is close enough, and ends what is complete.
    pub(super) fn step(&mut self, now: Instant, lookup: LookupId) {
        let Some(mut search) = self.searches.remove(&lookup) else {
            return;
        };
        if search.stage == Stage::Waiting {
            self.searches.insert(lookup, search);
            return;
        }
        let (part, method) = (search.part(), search.method());
        let wording = Wording {
            part,
            method: &method,
        };
        for family in BOTH {
            let Some(walk) = &mut search.walks[family] else {
                continue;
            };
            while let Some(contact) = walk.next_question() {
                let whom = (contact.endpoint, Some(contact.id));
                if !self.ask(now, whom, Purpose::Walk(lookup), wording) {
                    walk.failed(contact.endpoint);
                }
            }
        }
        self.announce_where_due(now, lookup, &mut search);
        let over = search.walks().all(Lookup::is_done) && !search.awaits_acknowledgement();
        if over && self.takes_heart(now, &mut search) {
            self.searches.insert(lookup, search);
            self.step(now, lookup);
        } else if over {
            self.finish(now, lookup, search);
        } else {
            self.searches.insert(lookup, search);
        }
    }

    /// A walk that ended with hardly anybody begins once more, from whoever is known anywhere: packets
    /// are lost, and the few that it knew may have been the wrong ones. Whether one did.
    fn takes_heart(&mut self, now: Instant, search: &mut Search) -> bool {
        if search.retried {
            return false;
        }
        search.retried = true;
        let target = search.target;
        let mut again = false;
        for family in BOTH {
            let meagre = |walk: &Lookup| walk.holders().count() < K;
            if !search.walks[family].as_ref().is_some_and(meagre) {
                continue;
            }
            let seeds = self.wide_seeds(now, &target, family);
            let approach = self.approach(search.goal, 0, family);
            let Some(walk) = &mut search.walks[family] else {
                continue;
            };
            if walk.tally().answered == 0 {
                *walk = Lookup::new(target, approach, seeds);
            } else {
                for (contact, address, origin) in seeds {
                    walk.consider(contact, address, origin);
                }
            }
            again |= !walk.is_done();
        }
        again
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
                self.finish(now, lookup, search);
            }
        }
    }

    fn finish(&mut self, now: Instant, lookup: LookupId, search: Search) {
        self.errands.remove(&lookup);
        for family in BOTH {
            if let Some(walk) = &search.walks[family]
                && walk.is_done()
                && let Some(reach) = walk.reach()
            {
                self.memory.sizes[family].observed(reach);
            }
        }
        if let Goal::Announce(_) | Goal::Keep(_) = search.goal {
            let holders = search.stored_at();
            self.memory.holders.remember(search.target, holders);
        }
        match search.goal {
            Goal::Join(family) => self.joined(now, family),
            Goal::Refresh(family) => self.begin_survey(now, family),
            Goal::Keep(_) => {
                let asked = search.walks().map(|walk| walk.tally().asked).sum();
                self.rounds.ended(asked);
            }
            _ => {
                let report = search.report(now);
                self.outbox.event(Event::LookupDone { lookup, report });
            }
        }
    }
}

/// Keeps the first of each network of the open internet.
fn one_of_each_network(seeds: &mut Vec<(Contact, Address, Origin)>) {
    let mut networks = Vec::with_capacity(seeds.len());
    seeds.retain(|(contact, address, _)| {
        let network = Network::of(contact);
        let taken = *address == Address::Exclusive && networks.contains(&network);
        networks.push(network);
        !taken
    });
}
