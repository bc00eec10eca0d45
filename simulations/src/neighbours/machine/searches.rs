//! Drives lookups: asks whom they name, waits, announces and reports (dht.md §1a).
//!
//! Invariant: every lookup that the owner began ends with one `Event::Done`; at most
//! `MAX_SEARCHES` run at once, one more ends at once with nothing found.

use std::time::{Duration, Instant};

use dht::message::{Method, Response};
use dht::{AnnouncePort, Contact, Family, Id};
use rand::RngExt;

use super::{Neighbour, Purpose, Question};
use crate::neighbours::lookup::{Ask, Lookup};
use crate::neighbours::policy::{Ending, Extra};
use crate::neighbours::{Event, Report};

/// Lookups at once.
const MAX_SEARCHES: usize = 64;
/// With fewer contacts than this a lookup also begins at the entrances.
const FEW: usize = 3;

/// What a lookup is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::neighbours) enum Goal {
    /// The closest nodes, for the owner.
    FindNode,
    /// Peers.
    GetPeers,
    /// To be a peer.
    Announce(AnnouncePort),
    /// The closest nodes, for the own table: not reported.
    Upkeep,
}

/// A lookup and what it is for.
#[derive(Debug)]
pub(in crate::neighbours) struct Search {
    pub(in crate::neighbours) lookup: Lookup,
    goal: Goal,
    /// When `Ending::Step` looks again.
    pub(in crate::neighbours) step_at: Option<Instant>,
    /// Announcements that are out, once the walk is over.
    pending: Option<u32>,
    announced: u32,
}

impl Neighbour {
    /// Looks for peers of `info_hash`; the number is in the events about it.
    pub fn get_peers(&mut self, now: Instant, info_hash: Id) -> u64 {
        self.search(now, info_hash, Goal::GetPeers)
    }

    /// Looks for peers, then announces us on `port`; 0: on the port that the datagrams come from.
    pub fn announce(&mut self, now: Instant, info_hash: Id, port: u16) -> u64 {
        let port = match port {
            0 => AnnouncePort::Implied,
            port => AnnouncePort::Explicit(port),
        };
        self.search(now, info_hash, Goal::Announce(port))
    }

    /// Looks for the nodes closest to `target`.
    pub fn find_node(&mut self, now: Instant, target: Id) -> u64 {
        self.search(now, target, Goal::FindNode)
    }

    pub(in crate::neighbours) fn search(&mut self, now: Instant, target: Id, goal: Goal) -> u64 {
        let name = self.lookups;
        self.lookups += 1;
        let mut lookup = Lookup::new(target, self.policy);
        if self.searches.len() < MAX_SEARCHES {
            let seeds = self.table.seeds(&target, self.policy.candidates.min(50));
            if seeds.len() < FEW {
                for entrance in &self.entrances {
                    lookup.add(None, *entrance, 0);
                }
            }
            for contact in seeds {
                lookup.add(Some(contact.id), contact.endpoint, 0);
            }
        }
        lookup.step();
        let search = Search {
            lookup,
            goal,
            step_at: self.step_length().map(|step| now + step),
            pending: None,
            announced: 0,
        };
        self.searches.insert(name, search);
        self.drive(now, name);
        name
    }

    fn step_length(&mut self) -> Option<Duration> {
        match self.policy.ending {
            Ending::Step(shortest, longest) => Some(draw((shortest, longest), &mut self.rng)),
            Ending::NothingAhead | Ending::Idle => None,
        }
    }

    /// Asks whom the lookup wants asked now, and ends it if that is due.
    fn drive(&mut self, now: Instant, name: u64) {
        let Some(mut search) = self.searches.remove(&name) else {
            return;
        };
        if search.pending.is_none() {
            while let Some(ask) = search.lookup.next() {
                self.visit(now, name, &mut search, ask);
            }
            let at_once = search.step_at.is_none() || search.lookup.tally.asked == 0;
            if at_once && search.lookup.is_over() {
                self.conclude(now, name, &mut search);
            }
        }
        self.put_back(now, name, search);
    }

    fn visit(&mut self, now: Instant, name: u64, search: &mut Search, ask: Ask) {
        let method = search.method();
        let to = (ask.id, ask.endpoint);
        if !self.ask(now, to, Purpose::Walk(name), &method) {
            search.lookup.failed(ask.endpoint);
        } else if self.policy.extra == Extra::Ping {
            // Nobody waits for its answer.
            let transaction: [u8; 4] = self.rng.random();
            let id = Id::random(&mut self.rng);
            self.send(&transaction, id, ask.endpoint, &Method::Ping);
        }
    }

    /// The walk is over: announces, if that was the goal.
    fn conclude(&mut self, now: Instant, name: u64, search: &mut Search) {
        search.step_at = None;
        search.pending = Some(0);
        let Goal::Announce(port) = search.goal else {
            return;
        };
        let mut pending = 0;
        for (to, token) in search.lookup.stores() {
            let method = Method::AnnouncePeer {
                info_hash: search.lookup.target,
                port,
                token: &token,
            };
            let sent = self.ask(now, (None, to), Purpose::Announce(name), &method);
            pending += u32::from(sent);
        }
        search.pending = Some(pending);
    }

    /// Keeps the search, or reports it if it has ended.
    fn put_back(&mut self, now: Instant, name: u64, search: Search) {
        if search.pending != Some(0) {
            self.searches.insert(name, search);
            return;
        }
        if search.goal == Goal::Upkeep {
            return self.looked_around(now);
        }
        let tally = search.lookup.tally;
        let report = Report {
            target: search.lookup.target,
            asked: tally.asked,
            answered: tally.answered,
            timed_out: tally.failed,
            hops: tally.hops,
            announced: search.announced,
            closest: search.lookup.closest(),
        };
        self.report(Event::Done {
            lookup: name,
            report,
        });
    }

    /// A node that the lookup asked has answered.
    pub(in crate::neighbours) fn walked(
        &mut self,
        now: Instant,
        name: u64,
        contact: Contact,
        response: &Response<'_>,
    ) {
        let Some(search) = self.searches.get_mut(&name) else {
            return;
        };
        let own = self.id;
        let nodes: Vec<Contact> = response
            .nodes()
            .filter(|node| node.endpoint.family() == Family::V4 && node.endpoint.port != 0)
            .filter(|node| node.id != own)
            .collect();
        let token = response.token.unwrap_or_default();
        if search.pending.is_none() {
            search.lookup.answered(contact, token, &nodes);
        }
        if matches!(search.goal, Goal::GetPeers | Goal::Announce(_)) {
            let peers = response.values().filter(|peer| peer.family() == Family::V4);
            let peers = search.lookup.new_peers(peers);
            if !peers.is_empty() {
                self.report(Event::Peers {
                    lookup: name,
                    peers,
                });
            }
        }
        self.drive(now, name);
    }

    /// An announcement was answered, by so many.
    pub(in crate::neighbours) fn stored_there(&mut self, now: Instant, name: u64, stored: u32) {
        let Some(mut search) = self.searches.remove(&name) else {
            return;
        };
        search.announced += stored;
        search.pending = search.pending.map(|pending| pending.saturating_sub(1));
        self.put_back(now, name, search);
    }

    /// A question has no answer and will not be asked again.
    pub(in crate::neighbours) fn unanswered(&mut self, now: Instant, question: &Question) {
        match question.purpose {
            Purpose::Walk(name) => {
                if let Some(search) = self.searches.get_mut(&name)
                    && search.pending.is_none()
                {
                    search.lookup.failed(question.to);
                    self.drive(now, name);
                }
            }
            Purpose::Announce(name) => self.stored_there(now, name, 0),
            Purpose::Probe => {}
        }
    }

    /// Frees slots, asks again, and gives up, as each question is due.
    pub(in crate::neighbours) fn expire_questions(&mut self, now: Instant) {
        let due: Vec<Question> = self
            .questions
            .extract_if(.., |question| question.due() <= now)
            .collect();
        for mut question in due {
            if question.fails_at > now {
                question.stalls_at = None;
                let purpose = question.purpose;
                let to = question.to;
                self.questions.push(question);
                self.stalled(now, purpose, to);
            } else if question.sends < self.policy.sends && self.asks_again(&question) {
                question.sends += 1;
                question.stalls_at = None;
                question.fails_at = now + self.policy.timeout;
                let (purpose, to) = (question.purpose, question.to);
                self.questions.push(question);
                self.stalled(now, purpose, to);
            } else {
                self.stats.timeouts += 1;
                self.table.failed(question.to);
                self.unanswered(now, &question);
            }
        }
    }

    fn stalled(&mut self, now: Instant, purpose: Purpose, to: dht::Endpoint) {
        if let Purpose::Walk(name) = purpose
            && let Some(search) = self.searches.get_mut(&name)
        {
            search.lookup.stalled(to);
            self.drive(now, name);
        }
    }

    /// Sends a question of a walk that goes on once more.
    fn asks_again(&mut self, question: &Question) -> bool {
        let Purpose::Walk(name) = question.purpose else {
            return false;
        };
        let walking = |search: &&Search| search.pending.is_none();
        let Some(search) = self.searches.get(&name).filter(walking) else {
            return false;
        };
        let method = search.method();
        self.send(&question.transaction, self.id, question.to, &method);
        true
    }

    /// `Ending::Step`: ends what is settled, and lets the rest ask anew.
    pub(in crate::neighbours) fn step_searches(&mut self, now: Instant) {
        let due: Vec<u64> = self
            .searches
            .iter()
            .filter(|(_, search)| search.step_at.is_some_and(|at| at <= now))
            .map(|(name, _)| *name)
            .collect();
        for name in due {
            let Some(mut search) = self.searches.remove(&name) else {
                continue;
            };
            if search.lookup.is_over() {
                self.conclude(now, name, &mut search);
                self.put_back(now, name, search);
            } else {
                search.step_at = self.step_length().map(|step| now + step);
                search.lookup.step();
                self.searches.insert(name, search);
                self.drive(now, name);
            }
        }
    }
}

impl Search {
    /// What the walk asks everybody.
    fn method(&self) -> Method<'static> {
        let target = self.lookup.target;
        match self.goal {
            Goal::FindNode | Goal::Upkeep => Method::FindNode { target },
            Goal::GetPeers | Goal::Announce(_) => Method::GetPeers { info_hash: target },
        }
    }
}

/// A time between these two.
pub(in crate::neighbours) fn draw(
    range: (Duration, Duration),
    rng: &mut impl rand::Rng,
) -> Duration {
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(rng.random_range(micros(range.0)..=micros(range.1)))
}
