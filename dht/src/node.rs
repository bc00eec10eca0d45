//! The node: wires the leaves into the machine that BEP 5 describes.
//!
//! The owner calls `handle_*` with what arrived and commands with what it wants; both decide at
//! once and queue outputs; `poll_*` only pop. This file holds the type, its entrance and its views;
//! `queries`, `storing` and `holding` answer others, `replies` receives answers, `asking` knows what else
//! than nodes and peers can be asked for, `question` puts questions, `searches` drives lookups, `announcing` stores at their ends,
//! `survey` looks around, `naming` knows our ids, `upkeep` joins and maintains. Only this module knows how the leaves fit together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use bencode::{AddressPolicy, Endpoint, Family};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::contact::{Address, Contact};
use crate::family::{BOTH, PerFamily};
use crate::holders::Holders;
use crate::id::Id;
use crate::items::Items;
use crate::limiter::Limiter;
use crate::link::Link;
use crate::message::{self, Announcement, Body, Envelope, Method};
use crate::peers::Peers;
use crate::pool::Pool;
use crate::population::{Population, SizeEstimate};
use crate::proven::Proven;
use crate::reachability::Reachability;
use crate::rounds::Rounds;
use crate::rtt::RoundTrips;
use crate::table::{Entry, MAX_ANCHORS, Table};
use crate::token::Tokens;
use crate::transactions::Transactions;
use crate::unreachable::Unreachable;

mod announcing;
mod asking;
mod holding;
mod naming;
mod outputs;
mod queries;
mod question;
mod replies;
mod search;
mod searches;
mod storing;
mod supervisor;
mod survey;
mod upkeep;

use asking::Errand;
use holding::Held;
use naming::Names;
use outputs::Outbox;
pub use outputs::{
    Config, Event, Identity, LookupId, LookupReport, Queries, Role, Stats, Tracing, Transmit,
};
use question::Wording;
use search::{Goal, Search};
use storing::Sampled;
use survey::Survey;
use upkeep::Upkeep;

/// Why a question was asked: the way of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To see whether a contact is alive.
    Probe,
    /// To see whether a query came from where it says: what is held for it waits.
    Challenge,
    /// Because the owner asked to.
    Ping,
    /// To find a first node.
    Bootstrap,
    /// A step of this lookup.
    Walk(LookupId),
    /// The announcement at the end of this lookup.
    Announce(LookupId),
    /// To hear of nodes where few are known.
    Survey,
}

/// What is needed to answer others.
#[derive(Debug)]
struct Server {
    tokens: Tokens,
    peers: Peers,
    items: Items,
    sampled: Sampled,
    limiter: Limiter,
    proven: Proven,
    held: Vec<Held>,
}

/// What was learned about the way between us and the network.
#[derive(Debug)]
struct Path {
    trips: RoundTrips,
    votes: Reachability,
    link: Link,
}

/// What was learned about others, beside the tables: it begins lookups and is never handed out.
#[derive(Debug)]
struct Memory {
    pools: PerFamily<Pool>,
    sizes: PerFamily<Population>,
    holders: Holders,
    unreachable: Unreachable,
    survey: PerFamily<Survey>,
}

/// A DHT node.
///
/// Contract: `now` never goes back. Every call ends in bounded time. No input from the network fails
/// a call; what is bad is counted in `Stats` and dropped. After any call drain `poll_transmit` and
/// `poll_event`, then wait for input or `next_timeout`. Not draining costs bounded memory and old
/// outputs. The same seed, inputs and times give the same outputs.
#[derive(Debug)]
pub struct Node {
    config: Config,
    names: Names,
    rng: ChaCha8Rng,
    tables: PerFamily<Table>,
    asking: Transactions<Purpose>,
    searches: BTreeMap<LookupId, Search>,
    errands: BTreeMap<LookupId, Errand>,
    server: Server,
    path: Path,
    memory: Memory,
    upkeep: Upkeep,
    rounds: Rounds,
    outbox: Outbox,
    stats: Stats,
}

impl Node {
    /// A node that knows nobody yet. `seed` must be secret and new for each node: transaction ids
    /// and write tokens come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Node {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let mut key = [0; 32];
        rng.fill_bytes(&mut key);
        let id = config.id.unwrap_or_else(|| Id::random(&mut rng));
        Node {
            names: Names::new(id),
            tables: PerFamily {
                v4: Table::new(id, now),
                v6: Table::new(id, now),
            },
            asking: Transactions::default(),
            searches: BTreeMap::new(),
            errands: BTreeMap::new(),
            server: Server {
                tokens: Tokens::new(key, now),
                peers: Peers::default(),
                items: Items::default(),
                sampled: Sampled::default(),
                limiter: Limiter::new(config.allowance, now),
                proven: Proven::new(now),
                held: Vec::new(),
            },
            path: Path {
                trips: RoundTrips::default(),
                votes: Reachability::default(),
                link: Link::new(now),
            },
            memory: Memory {
                pools: PerFamily {
                    v4: Pool::new(config.tuning.pool, now),
                    v6: Pool::new(config.tuning.pool, now),
                },
                sizes: PerFamily::default(),
                holders: Holders::default(),
                unreachable: Unreachable::default(),
                survey: Survey::ahead(config.tuning.survey),
            },
            upkeep: Upkeep::new(now, &mut rng),
            rounds: Rounds::new(now),
            outbox: Outbox::default(),
            stats: Stats::default(),
            config,
            rng,
        }
    }

    /// A datagram arrived.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.stats.datagrams_in += 1;
        self.stats.bytes_in += datagram.len() as u64;
        let from = Endpoint::from(from);
        if !self.talks_to(from) {
            self.stats.dropped.address += 1;
            return;
        }
        let message = match message::parse(datagram) {
            Ok(message) => message,
            Err(why) => return self.stats.dropped.malformed(why),
        };
        self.notice_sleep(now);
        self.link_works(now);
        match message.body {
            Body::Query(query) => {
                let asked = (message.transaction, datagram.len());
                self.handle_query(now, from, asked, &query);
            }
            Body::Response(response) => {
                self.handle_response(now, from, message.transaction, &response);
            }
            Body::Failure(code) => self.handle_failure(now, from, message.transaction, code),
        }
    }

    /// Does what `next_timeout` announced. Harmless when early.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.notice_sleep(now);
        self.expire_questions(now);
        self.expire_searches(now);
        self.keep_up(now);
        self.go_round(now);
    }

    /// When to call `handle_timeout` at the latest. Maintenance never ends.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let mut next = self.upkeep_due();
        if let Some(due) = self.rounds.next_timeout() {
            next = next.min(due);
        }
        if let Some(due) = self.asking.next_timeout() {
            next = next.min(due);
        }
        if let Some(due) = self.searches.values().filter_map(Search::expires).min() {
            next = next.min(due);
        }
        next
    }

    /// Pops a datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.outbox.pop_transmit()
    }

    /// Pops an event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.outbox.pop_event()
    }

    /// Looks for peers of `info_hash`. Starts with the first node that answers if none did yet.
    pub fn get_peers(&mut self, now: Instant, info_hash: Id) -> LookupId {
        self.search(now, info_hash, Goal::GetPeers, Tracing::Off)
    }

    /// Like `get_peers`, and reports each answer if traced.
    pub fn get_peers_traced(&mut self, now: Instant, info_hash: Id) -> LookupId {
        self.search(now, info_hash, Goal::GetPeers, Tracing::On)
    }

    /// Looks for peers of `info_hash`, then announces us to the closest nodes. The announcement
    /// lives 30 to 45 minutes there: repeat it.
    pub fn announce(
        &mut self,
        now: Instant,
        info_hash: Id,
        own: impl Into<Announcement>,
    ) -> LookupId {
        self.search(now, info_hash, Goal::Announce(own.into()), Tracing::Off)
    }

    /// Announces us under `info_hash` as soon as its turn comes, and again every 25 minutes, until
    /// `withdraw`. Many torrents are visited in the order of the key space, at a pace that a home
    /// router bears; nothing is reported.
    ///
    /// Again under the same hash: with what it says of us then, at once.
    pub fn keep_announced(&mut self, now: Instant, info_hash: Id, own: impl Into<Announcement>) {
        self.rounds.include(now, info_hash, own.into());
        self.go_round(now);
    }

    /// Ends `keep_announced`. What others stored is forgotten there within the hour.
    pub fn withdraw(&mut self, info_hash: &Id) {
        self.rounds.exclude(info_hash);
    }

    /// The machine's link came back, or has another address now: nobody is blamed for what was asked
    /// before, whoever was known is asked again at once, and what `keep_announced` named an address
    /// that may not be ours any more is announced anew.
    pub fn network_changed(&mut self, now: Instant) {
        self.path.link.woke(now);
        self.memory.unreachable = Unreachable::default();
        self.knock_again(now);
        self.rounds.restart(now);
    }

    /// Looks for the nodes closest to `target`.
    pub fn find_node(&mut self, now: Instant, target: Id) -> LookupId {
        self.search(now, target, Goal::FindNode, Tracing::Off)
    }

    /// Like `find_node`, and reports each answer if traced.
    pub fn find_node_traced(&mut self, now: Instant, target: Id) -> LookupId {
        self.search(now, target, Goal::FindNode, Tracing::On)
    }

    /// Asks one node whether it lives: `Event::Pong` or `Event::PingFailed`.
    pub fn ping(&mut self, now: Instant, endpoint: Endpoint) {
        if !self.ask(now, (endpoint, None), Purpose::Ping, &Method::Ping) {
            self.outbox.event(Event::PingFailed { endpoint });
        }
    }

    /// Forgets a lookup. Answers still to come count for the table only; there is no `LookupDone`.
    pub fn cancel(&mut self, lookup: LookupId) {
        self.searches.remove(&lookup);
        self.errands.remove(&lookup);
    }

    /// How a running lookup stands; `None` when it is done.
    #[must_use]
    pub fn lookup_report(&self, now: Instant, lookup: LookupId) -> Option<LookupReport> {
        Some(self.searches.get(&lookup)?.report(now))
    }

    /// Our id in a family.
    #[must_use]
    pub fn id(&self, family: Family) -> Id {
        self.names.present(family)
    }

    /// The contacts to save and to hand to `join` next time: those that answered last time we asked.
    /// First come at most `MAX_ANCHORS` that lasted longest, from all over the internet.
    pub fn contacts(&self) -> impl Iterator<Item = Contact> {
        let [v4, v6] = BOTH.map(|family| self.tables[family].anchors(MAX_ANCHORS));
        let (few4, few6) = (v4.len().min(MAX_ANCHORS / 2), v6.len().min(MAX_ANCHORS / 2));
        let mut anchors = Vec::with_capacity(MAX_ANCHORS);
        anchors.extend(v4.into_iter().take(MAX_ANCHORS - few6));
        anchors.extend(v6.into_iter().take(MAX_ANCHORS - few4));
        let known = anchors.clone();
        let others = BOTH
            .into_iter()
            .flat_map(|family| self.tables[family].entries())
            .filter(|entry| entry.failures == 0)
            .map(|entry| entry.contact)
            .filter(move |contact| !known.contains(contact));
        anchors.into_iter().chain(others)
    }

    /// The table of a family, bucket by bucket: index = leading bits shared with our id.
    pub fn buckets(&self, family: Family) -> impl Iterator<Item = Vec<Entry>> {
        self.tables[family].buckets()
    }

    /// How many contacts the table of a family has.
    #[must_use]
    pub fn table_len(&self, family: Family) -> usize {
        self.tables[family].len()
    }

    /// Items that others stored here (BEP 44), and the bytes of their values.
    #[must_use]
    pub fn stored_items(&self) -> (usize, usize) {
        (self.server.items.len(), self.server.items.bytes())
    }

    /// How many nodes a family's network has, once a lookup has ended there.
    #[must_use]
    pub fn size_estimate(&self, family: Family) -> Option<SizeEstimate> {
        self.memory.sizes[family].estimate()
    }

    /// Nodes remembered beside the tables.
    #[must_use]
    pub fn pool_len(&self) -> usize {
        BOTH.iter()
            .map(|family| self.memory.pools[*family].len())
            .sum()
    }

    /// Nodes remembered beside the table of a family, the at most `count` nearest to `target` first.
    #[must_use]
    pub fn remembered(
        &self,
        now: Instant,
        family: Family,
        target: &Id,
        count: usize,
    ) -> Vec<Contact> {
        let near = self.memory.pools[family].closest(now, target, count);
        near.iter().map(|one| one.contact).collect()
    }

    /// Hashes and peers that others announced to us.
    #[must_use]
    pub fn stored(&self) -> (usize, usize) {
        (self.server.peers.hashes(), self.server.peers.len())
    }

    /// Our address as others see it, once they agree; that of IPv4 if there are two.
    #[must_use]
    pub fn external_address(&self) -> Option<std::net::IpAddr> {
        BOTH.into_iter()
            .find_map(|family| self.path.votes.external(family))
    }

    /// Counters since birth.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether we exchange datagrams with this endpoint at all.
    fn talks_to(&self, endpoint: Endpoint) -> bool {
        self.config.families.include(endpoint.family()) && self.config.policy.admits(endpoint)
    }

    /// Whether several nodes may share this address: a special range that the policy admits is a
    /// private network.
    fn address(&self, endpoint: Endpoint) -> Address {
        if AddressPolicy::new(Vec::new()).admits_ip(endpoint.ip) {
            Address::Exclusive
        } else {
            Address::Shared
        }
    }

    fn send(&mut self, to: Endpoint, payload: Vec<u8>) {
        self.stats.datagrams_out += 1;
        self.stats.bytes_out += payload.len() as u64;
        self.outbox.transmit(to, payload);
    }

    fn envelope<'t>(&self, family: Family, transaction: &'t [u8]) -> Envelope<'t> {
        Envelope {
            transaction,
            version: self.config.version,
            id: self.id(family),
        }
    }
}
