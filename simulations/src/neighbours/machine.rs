//! The neighbour: its verbs, its questions, and its answers to others (BEP 5).
//!
//! Invariant: an answer counts only with the transaction and from the endpoint of a question. The
//! policy decides; this file knows no kinds.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dht::message::{
    self, Answer, Body, Envelope, Failure, Method, Query, Response, Standing, Want,
};
use dht::token::Tokens;
use dht::{AnnouncePort, Contact, Endpoint, Family, Id, Stats, Transmit};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::policy::{Insert, Policy, Stall};
use super::server::{Allowance, Store};
use super::table::{Proof, Table};
use super::{Event, Kind};

mod searches;
mod upkeep;

use searches::Search;
use upkeep::Diary;

/// Questions out at once.
const MAX_QUESTIONS: usize = 1_000;
/// Datagrams or events waiting to be taken.
const MAX_QUEUED: usize = 2_000;
/// Round trips from which `Stall::Learned` learns.
const MAX_TRIPS: usize = 64;
/// Contacts heard of that are to be pinged.
pub(super) const MAX_RUMOURS: usize = 8;

/// Why a question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Walk(u64),
    Announce(u64),
    Probe,
}

/// A question that is out.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) transaction: [u8; 4],
    pub(super) to: Endpoint,
    /// Who should answer, if that is known.
    pub(super) expected: Option<Id>,
    pub(super) purpose: Purpose,
    pub(super) sent: Instant,
    pub(super) sends: u8,
    pub(super) stalls_at: Option<Instant>,
    pub(super) fails_at: Instant,
}

impl Question {
    pub(super) fn due(&self) -> Instant {
        self.stalls_at
            .map_or(self.fails_at, |at| at.min(self.fails_at))
    }
}

/// A node of another implementation, with the contract of `dht::Node`.
#[derive(Debug)]
pub struct Neighbour {
    kind: Kind,
    pub(super) id: Id,
    pub(super) policy: &'static Policy,
    pub(super) rng: ChaCha8Rng,
    birth: Instant,
    pub(super) table: Table,
    pub(super) store: Store,
    tokens: Tokens,
    allowance: Allowance,
    pub(super) questions: Vec<Question>,
    pub(super) searches: BTreeMap<u64, Search>,
    pub(super) lookups: u64,
    /// Where to begin while the table is empty.
    pub(super) entrances: Vec<Endpoint>,
    /// Whom others spoke of, and who asked us, to be pinged.
    pub(super) rumours: VecDeque<Contact>,
    /// The last round trips in milliseconds, if the policy learns.
    trips: VecDeque<u16>,
    pub(super) diary: Diary,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    pub(super) stats: Stats,
}

impl Neighbour {
    /// A neighbour that knows nobody yet.
    #[must_use]
    pub fn new(kind: Kind, id: Id, seed: [u8; 32], now: Instant) -> Neighbour {
        let policy = kind.policy();
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        Neighbour {
            kind,
            id,
            policy,
            birth: now,
            table: Table::new(id, policy),
            store: Store::new(&policy.storage),
            tokens: Tokens::new(key, now),
            allowance: Allowance::new(policy.quota),
            questions: Vec::new(),
            searches: BTreeMap::new(),
            lookups: 0,
            entrances: Vec::new(),
            rumours: VecDeque::new(),
            trips: VecDeque::new(),
            diary: Diary::new(&policy.upkeep, now, &mut rng),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
            rng,
        }
    }

    /// A datagram arrived.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.stats.datagrams_in += 1;
        self.stats.bytes_in += datagram.len() as u64;
        let from = Endpoint::from(from);
        if from.family() != Family::V4 {
            self.stats.dropped.address += 1;
            return;
        }
        let Ok(message) = message::parse(datagram) else {
            self.stats.dropped.bencode += 1;
            return;
        };
        match message.body {
            Body::Query(query) => self.handle_query(now, from, message.transaction, &query),
            Body::Response(response) => {
                self.handle_response(now, from, message.transaction, &response);
            }
            Body::Failure(_) => {
                if let Some(question) = self.take_question(from, message.transaction) {
                    self.stats.failures += 1;
                    self.unanswered(now, &question);
                }
            }
        }
        self.rest();
    }

    /// Does what `next_timeout` announced. Harmless when early.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.expire_questions(now);
        self.step_searches(now);
        self.keep_up(now);
        self.rest();
    }

    /// When to call `handle_timeout` at the latest. Maintenance never ends.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let questions = self.questions.iter().map(Question::due);
        let steps = self.searches.values().filter_map(|search| search.step_at);
        questions
            .chain(steps)
            .fold(self.diary.next(), std::cmp::min)
    }

    /// Pops a datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front();
        if self.transmits.is_empty() {
            self.transmits = VecDeque::new();
        }
        transmit
    }

    /// Pops an event.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
        event
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.id
    }

    /// Which implementation it plays.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Contacts in its table.
    #[must_use]
    pub fn table_len(&self) -> usize {
        self.table.len()
    }

    /// The contacts in its table, nearest first.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        self.table.contacts()
    }

    /// Hashes and peers that it stores for others.
    #[must_use]
    pub fn stored(&self) -> (usize, usize) {
        self.store.size()
    }

    /// Counters since birth.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Bytes that an idle neighbour holds beside itself, what it stores for others not counted.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes()
            + self.questions.capacity() * size_of::<Question>()
            + self.transmits.capacity() * size_of::<Transmit>()
            + self.events.capacity() * size_of::<Event>()
            + self.rumours.capacity() * size_of::<Contact>()
            + self.entrances.capacity() * size_of::<Endpoint>()
            + self.trips.capacity() * size_of::<u16>()
    }

    /// Seconds since birth.
    pub(super) fn second(&self, now: Instant) -> u32 {
        u32::try_from(self.age(now).as_secs()).unwrap_or(u32::MAX)
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.birth)
    }

    /// An idle neighbour holds no memory for questions.
    fn rest(&mut self) {
        if self.questions.is_empty() {
            self.questions = Vec::new();
        }
    }

    fn handle_query(
        &mut self,
        now: Instant,
        from: Endpoint,
        transaction: &[u8],
        query: &Query<'_>,
    ) {
        let contact = Contact {
            id: query.id,
            endpoint: from,
        };
        let second = self.second(now);
        match self.policy.insert {
            Insert::AnySender => self.table.heard(contact, Proof::Seen, second),
            Insert::Answered if self.table.knows(from) => {
                self.table.heard(contact, Proof::Seen, second);
            }
            Insert::Answered if query.standing == Standing::Full => self.rumour(now, contact),
            Insert::Answered => {}
        }
        let payload = self.reply(now, from, transaction, query);
        if self.allowance.take(payload.len(), self.age(now)) {
            self.transmit(from, payload);
        } else {
            self.stats.dropped.limited += 1;
        }
    }

    fn reply(&mut self, now: Instant, from: Endpoint, t: &[u8], query: &Query<'_>) -> Vec<u8> {
        let envelope = self.envelope(t);
        let failure = match query.method {
            Method::Ping => {
                self.stats.queries_in.ping += 1;
                return message::write_response(&envelope, from, &Answer::default());
            }
            Method::FindNode { target } => {
                self.stats.queries_in.find_node += 1;
                let answer = Answer {
                    nodes: Some(self.table.closest(&target, self.policy.k)),
                    ..Answer::default()
                };
                return message::write_response(&envelope, from, &answer);
            }
            Method::GetPeers { info_hash } | Method::Scrape { info_hash } => {
                self.stats.queries_in.get_peers += 1;
                let token = self.tokens.issue(now, from, &info_hash);
                let second = self.second(now);
                let answer = Answer {
                    nodes: Some(self.table.closest(&info_hash, self.policy.k)),
                    token: self.store.has_room(&info_hash).then_some(&token[..]),
                    values: self.store.sample(&info_hash, second, &mut self.rng),
                    ..Answer::default()
                };
                return message::write_response(&envelope, from, &answer);
            }
            Method::AnnouncePeer {
                info_hash,
                port,
                token,
            } => {
                self.stats.queries_in.announce_peer += 1;
                let port = match port {
                    AnnouncePort::Implied => from.port,
                    AnnouncePort::Explicit(port) => port,
                };
                if port != 0 && self.tokens.accepts(now, from, &info_hash, token) {
                    let peer = Endpoint::new(from.ip, port);
                    self.store.announced(info_hash, peer, self.second(now));
                    return message::write_response(&envelope, from, &Answer::default());
                }
                Failure::Protocol
            }
            Method::Invalid => Failure::Protocol,
            // None of them stores items or answers samplings.
            Method::Unknown
            | Method::Get { .. }
            | Method::Put { .. }
            | Method::SampleInfohashes { .. } => Failure::MethodUnknown,
        };
        message::write_failure(&envelope, failure)
    }

    fn envelope<'a>(&self, transaction: &'a [u8]) -> Envelope<'a> {
        Envelope {
            transaction,
            version: self.policy.version,
            id: self.id,
        }
    }

    fn take_question(&mut self, from: Endpoint, transaction: &[u8]) -> Option<Question> {
        let asked = |question: &Question| {
            question.transaction.as_slice() == transaction && question.to == from
        };
        let Some(at) = self.questions.iter().position(asked) else {
            self.stats.dropped.unasked += 1;
            return None;
        };
        Some(self.questions.remove(at))
    }

    fn handle_response(&mut self, now: Instant, from: Endpoint, t: &[u8], response: &Response<'_>) {
        let Some(question) = self.take_question(from, t) else {
            return;
        };
        if question.expected.is_some_and(|id| id != response.id) {
            self.stats.impostors += 1;
            self.table.failed(from);
            return self.unanswered(now, &question);
        }
        self.stats.responses += 1;
        if question.sends == 1 {
            self.learn(now.saturating_duration_since(question.sent));
        }
        let contact = Contact {
            id: response.id,
            endpoint: from,
        };
        let second = self.second(now);
        self.table.heard(contact, Proof::Answered, second);
        match question.purpose {
            Purpose::Walk(lookup) => self.walked(now, lookup, contact, response),
            Purpose::Announce(lookup) => self.stored_there(now, lookup, 1),
            Purpose::Probe => {
                for node in response
                    .nodes()
                    .filter(|node| node.endpoint.family() == Family::V4)
                {
                    self.rumour(now, node);
                }
            }
        }
    }

    fn learn(&mut self, trip: Duration) {
        if self.policy.stall == Stall::Learned {
            if self.trips.len() >= MAX_TRIPS {
                self.trips.pop_front();
            }
            let millis = u16::try_from(trip.as_millis()).unwrap_or(u16::MAX);
            self.trips.push_back(millis);
        }
    }

    /// How long a question holds its slot.
    fn stall(&self) -> Option<Duration> {
        match self.policy.stall {
            Stall::Fixed(stall) => Some(stall),
            Stall::Never => None,
            Stall::Learned => {
                let mut trips: Vec<u16> = self.trips.iter().copied().collect();
                trips.sort_unstable();
                let part = |tenths: usize| trips.get(trips.len() * tenths / 10).copied();
                // Until something was learned: a second.
                let (Some(p10), Some(p90), true) = (part(1), part(9), trips.len() >= 8) else {
                    return Some(Duration::from_secs(1));
                };
                let millis = (u64::from(p10) + 100).max(u64::from(p90));
                Some(Duration::from_millis(millis))
            }
        }
    }

    /// Sends a question, if not too many are out.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        to: (Option<Id>, Endpoint),
        purpose: Purpose,
        method: &Method<'_>,
    ) -> bool {
        if self.questions.len() >= MAX_QUESTIONS {
            return false;
        }
        let (expected, to) = to;
        let question = Question {
            transaction: self.rng.random(),
            to,
            expected,
            purpose,
            sent: now,
            sends: 1,
            stalls_at: self.stall().map(|stall| now + stall),
            fails_at: now + self.policy.timeout,
        };
        self.send(&question.transaction, self.id, to, method);
        self.table.asked(to, self.second(now));
        self.questions.push(question);
        true
    }

    /// Sends a query as `id`.
    pub(super) fn send(&mut self, transaction: &[u8], id: Id, to: Endpoint, method: &Method<'_>) {
        let envelope = Envelope {
            id,
            ..self.envelope(transaction)
        };
        let want = Want {
            v4: true,
            v6: false,
        };
        let queries = &mut self.stats.queries_out;
        match method {
            Method::FindNode { .. } => queries.find_node += 1,
            Method::GetPeers { .. } | Method::Scrape { .. } => queries.get_peers += 1,
            Method::AnnouncePeer { .. } => queries.announce_peer += 1,
            Method::Get { .. } => queries.get += 1,
            Method::Put { .. } => queries.put += 1,
            Method::SampleInfohashes { .. } => queries.sample_infohashes += 1,
            Method::Ping | Method::Invalid | Method::Unknown => queries.ping += 1,
        }
        let payload = message::write_query(&envelope, Standing::Full, want, method);
        self.transmit(to, payload);
    }

    fn transmit(&mut self, to: Endpoint, payload: Vec<u8>) {
        if self.transmits.len() >= MAX_QUEUED {
            return;
        }
        self.stats.datagrams_out += 1;
        self.stats.bytes_out += payload.len() as u64;
        self.transmits.push_back(Transmit {
            to: to.into(),
            payload,
        });
    }

    pub(super) fn report(&mut self, event: Event) {
        if self.events.len() >= MAX_QUEUED {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}
