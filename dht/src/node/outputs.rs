//! What a node is told at its birth and what comes out of it: configuration, events, counters.
//!
//! Plain data without behaviour, except that the two queues are bounded: who forgets to drain them
//! loses the oldest output, not memory.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bencode::{AddressPolicy, Endpoint, Family};

use crate::bloom::Bloom;
use crate::contact::Contact;
use crate::family::Families;
use crate::id::Id;
use crate::items::Item;
use crate::limiter::Allowance;
use crate::message::{Malformed, Method};
use crate::tuning::Tuning;

/// Outputs queued of either kind.
const MAX_QUEUED: usize = 8192;

/// Whether we answer queries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// A citizen: answers, stores, is found in tables.
    #[default]
    Full,
    /// BEP 43: asks with `ro` set and answers nothing. For short runs and closed firewalls.
    ReadOnly,
}

/// Whether a node changes its id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// It keeps the one that it began with.
    #[default]
    Kept,
    /// BEP 42: as soon as others agree on its public address, its id in that family is one that
    /// follows from it. A private network has no such address: the id stays.
    ByAddress,
}

/// How a node is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The id that it begins with, in both families; `None` draws one from the seed.
    pub id: Option<Id>,
    /// Whether it keeps that.
    pub identity: Identity,
    /// Which IP versions it has sockets for.
    pub families: Families,
    /// Whether it answers.
    pub role: Role,
    /// Which addresses it talks to and hands on. A special range in it is a private network, where
    /// several nodes may share an address.
    pub policy: AddressPolicy,
    /// How eager it is, and how much it remembers.
    pub tuning: Tuning,
    /// How many queries it answers, whoever asks.
    pub allowance: Allowance,
    /// The `v` of its messages: two letters for the client, two bytes of version.
    pub version: [u8; 4],
}

impl Default for Config {
    fn default() -> Self {
        Config {
            id: None,
            identity: Identity::default(),
            families: Families::default(),
            role: Role::default(),
            policy: AddressPolicy::new(Vec::new()),
            tuning: Tuning::default(),
            allowance: Allowance::default(),
            version: *b"TL\x00\x01",
        }
    }
}

/// A datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to. Its family selects the socket.
    pub to: SocketAddr,
    /// At most 1,400 bytes.
    pub payload: Vec<u8>,
}

/// Names a lookup from its start to its `LookupDone`. Never used twice by a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub(super) u64);

/// Whether a lookup reports every answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tracing {
    /// Only peers and the end.
    #[default]
    Off,
    /// `Event::Answered` for each node.
    On,
}

/// What the owner may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first node of this family answered: lookups that waited have begun.
    FirstNode {
        /// Of which table.
        family: Family,
    },
    /// The lookup of our own id ended: the table is as good as it gets.
    Joined {
        /// Of which table.
        family: Family,
        /// Contacts in that table.
        nodes: usize,
    },
    /// A node knows peers; each peer is reported once a lookup.
    Peers {
        /// For which lookup.
        lookup: LookupId,
        /// Who said so; `0.0.0.0:0` for what was announced to ourselves.
        from: Endpoint,
        /// New ones, admitted by the address policy. Not empty.
        peers: Vec<Endpoint>,
    },
    /// A node answered a traced lookup.
    Answered {
        /// For which lookup.
        lookup: LookupId,
        /// Who.
        from: Contact,
        /// Leading bits that it shares with the target.
        bits: usize,
        /// Nodes it named.
        nodes: usize,
        /// Peers it named.
        peers: usize,
        /// Its round-trip time.
        rtt: Duration,
    },
    /// A node counted seeds and peers (BEP 33). Only their unions, of several nodes, mean something.
    Scraped {
        /// For which lookup.
        lookup: LookupId,
        /// Who; with the endpoint `0.0.0.0:0` ourselves.
        from: Contact,
        /// Addresses of seeds.
        seeds: Bloom,
        /// Addresses of others.
        peers: Bloom,
    },
    /// A node named some of the info hashes that it stores (BEP 51).
    Samples {
        /// For which lookup.
        lookup: LookupId,
        /// Who.
        from: Contact,
        /// At most 64.
        hashes: Vec<Id>,
        /// How many it stores, as it says.
        stored: u64,
        /// For how long its sample stays the same: at most 6 hours.
        interval: Duration,
    },
    /// A node has the item that is looked for (BEP 44), or a newer one than what is to be stored. Hash
    /// and signature are right.
    Item {
        /// For which lookup.
        lookup: LookupId,
        /// Who; with the endpoint `0.0.0.0:0` ourselves.
        from: Contact,
        /// The item.
        item: Item,
    },
    /// A node did not store an item.
    Refused {
        /// Of which lookup.
        lookup: LookupId,
        /// Who.
        from: Endpoint,
        /// BEP 44's code: 301 for another `cas`, 302 for a lower sequence number.
        code: u16,
    },
    /// A lookup (and its announcing) ended; its id is forgotten.
    LookupDone {
        /// Which.
        lookup: LookupId,
        /// How it went.
        report: LookupReport,
    },
    /// The answer to `ping`.
    Pong {
        /// Who was asked.
        endpoint: Endpoint,
        /// Who lives there.
        id: Id,
        /// The round-trip time.
        rtt: Duration,
    },
    /// No answer to `ping`.
    PingFailed {
        /// Who was asked.
        endpoint: Endpoint,
    },
    /// Nothing at all comes in any more: the fault is our own link's. Nobody is blamed meanwhile, and
    /// lookups wait.
    LinkDown,
    /// Something came in again: what waited begins.
    LinkUp,
    /// Nobody who is known answers in this family: resolve the names of bootstrap hosts again and hand
    /// them to `join`. Repeated with growing pauses while that lasts.
    NeedBootstrap {
        /// In which table nobody is left.
        family: Family,
    },
    /// Others agree on the address under which they see us (BEP 42).
    ExternalAddress(IpAddr),
    /// Our id in this family follows from that address now. It is being looked up: `Joined` comes
    /// once more.
    IdChanged {
        /// Where.
        family: Family,
        /// Our id there from now on.
        id: Id,
    },
}

/// How a lookup goes, or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupReport {
    /// The info hash or id that was looked up.
    pub target: Id,
    /// Nodes asked, of both families.
    pub asked: u32,
    /// Nodes that answered.
    pub answered: u32,
    /// Nodes that did not, or refused.
    pub timed_out: u32,
    /// Longest chain of referrals that led to an answer.
    pub hops: u32,
    /// Leading bits that the closest answering node shares with the target.
    pub closest_bits: u16,
    /// Distinct peers found.
    pub peers: usize,
    /// Nodes that stored our announcement, or item.
    pub announced: u32,
    /// Questions put a second time, because the first may have been lost.
    pub repeated: u32,
    /// Since the command, including the wait for a first node.
    pub elapsed: Duration,
    /// The at most eight closest nodes that answered, of each family, closest first.
    pub closest: Vec<Contact>,
}

/// Queries by method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queries {
    /// `ping`.
    pub ping: u64,
    /// `find_node`.
    pub find_node: u64,
    /// `get_peers`, scrapes among them.
    pub get_peers: u64,
    /// `announce_peer`.
    pub announce_peer: u64,
    /// `get`.
    pub get: u64,
    /// `put`.
    pub put: u64,
    /// `sample_infohashes`.
    pub sample_infohashes: u64,
    /// Anything else, answered with an error.
    pub other: u64,
}

/// Datagrams dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Too short or not a dictionary.
    pub not_krpc: u64,
    /// Bencode broken or beyond its limits.
    pub bencode: u64,
    /// Without a usable transaction id, kind or node id.
    pub incomplete: u64,
    /// From an address that the policy refuses, or a family that is off.
    pub address: u64,
    /// Carrying an id of ours, or the one before: an echo.
    pub own_id: u64,
    /// Answers to nothing: late, or forged.
    pub unasked: u64,
    /// Queries above the rate limit.
    pub limited: u64,
    /// Queries to a read-only node.
    pub read_only: u64,
}

/// Counters since birth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Datagrams queued to be sent.
    pub datagrams_out: u64,
    /// Their bytes, without headers.
    pub bytes_in: u64,
    /// Their bytes, without headers.
    pub bytes_out: u64,
    /// Queries answered.
    pub queries_in: Queries,
    /// Queries sent.
    pub queries_out: Queries,
    /// Answers that matched a question.
    pub responses: u64,
    /// Error replies that matched a question.
    pub failures: u64,
    /// Questions that nobody answered.
    pub timeouts: u64,
    /// Answers from another node than was expected there, and not one that had answered us from there before.
    pub impostors: u64,
    /// Items in answers whose hash or signature is wrong.
    pub forged: u64,
    /// What was dropped.
    pub dropped: Dropped,
}

impl Queries {
    pub(super) fn count(&mut self, method: &Method<'_>) {
        let counter = match method {
            Method::Ping => &mut self.ping,
            Method::FindNode { .. } => &mut self.find_node,
            Method::GetPeers { .. } | Method::Scrape { .. } => &mut self.get_peers,
            Method::AnnouncePeer { .. } => &mut self.announce_peer,
            Method::Get { .. } => &mut self.get,
            Method::Put { .. } => &mut self.put,
            Method::SampleInfohashes { .. } => &mut self.sample_infohashes,
            Method::Invalid | Method::Unknown => &mut self.other,
        };
        *counter += 1;
    }
}

impl Dropped {
    pub(super) fn malformed(&mut self, why: Malformed) {
        match why {
            Malformed::NotKrpc => self.not_krpc += 1,
            Malformed::Bencode => self.bencode += 1,
            Malformed::Transaction | Malformed::Kind | Malformed::Id => self.incomplete += 1,
        }
    }
}

/// The two output queues.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
}

impl Outbox {
    pub(super) fn transmit(&mut self, to: Endpoint, payload: Vec<u8>) {
        if self.transmits.len() >= MAX_QUEUED {
            self.transmits.pop_front();
        }
        self.transmits.push_back(Transmit {
            to: to.into(),
            payload,
        });
    }

    pub(super) fn event(&mut self, event: Event) {
        if self.events.len() >= MAX_QUEUED {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(super) fn pop_transmit(&mut self) -> Option<Transmit> {
        let transmit = self.transmits.pop_front();
        rest(&mut self.transmits);
        transmit
    }

    pub(super) fn pop_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        rest(&mut self.events);
        event
    }
}

/// An idle node holds no memory for outputs.
fn rest<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > 0 {
        *queue = VecDeque::new();
    }
}
