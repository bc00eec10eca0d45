//! What the DHT's task is asked and what it tells: searches, their events, and looks inside.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};
use dht::{Bloom, Contact, Entry, Id, Item, LookupReport, Part, SizeEstimate, Stats};

use crate::metainfo::InfoHash;

/// What the task knows of the network, for progress lines.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DhtStatus {
    /// Contacts in the routing table.
    pub nodes: usize,
    /// When the first node answered.
    pub first_node: Option<Instant>,
    /// How often nobody who is known answered, so that names should be resolved again.
    pub appeals: u64,
    /// Whether the first lookup of our own id has ended.
    pub joined: bool,
    /// Datagrams received that made sense.
    pub received: u64,
    /// Queries sent.
    pub sent: u64,
    /// The first who wrote to us before we wrote to any port of his address: whoever he was, our
    /// port can be reached from outside.
    pub stranger: Option<Endpoint>,
}

/// What a search finds, as it finds it.
#[derive(Clone, Debug)]
pub enum SearchEvent {
    /// Peers from one node's answer.
    Peers(Vec<Endpoint>),
    /// One node answered; only when the search is [`Trace::On`].
    Answered(Answer),
    /// One node's count of seeds and of others ([`Search::Scrape`]); unite the filters of all.
    Scraped {
        /// Addresses of seeds.
        seeds: Bloom,
        /// Addresses of others.
        peers: Bloom,
    },
    /// Info hashes that one node stores ([`Search::Sample`]).
    Samples(Sample),
    /// A verified item ([`Search::Item`]: each is newer than the one before), or one newer than what is
    /// to be stored ([`Search::Put`]).
    Item {
        /// Who has it.
        from: Endpoint,
        /// The item.
        item: Item,
    },
    /// A node did not store an item, for this reason (BEP 44: 301 other `cas`, 302 lower sequence number).
    Refused(u16),
    /// How far the lookup is.
    Progress(LookupReport),
    /// The lookup is over (and announced, if that was asked for).
    Done(LookupReport),
}

/// One node's answer to a traced search.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Who answered.
    pub from: Contact,
    /// Leading bits that it shares with the target.
    pub bits: usize,
    /// Nodes it named.
    pub nodes: usize,
    /// Peers it named.
    pub peers: usize,
    /// Its round-trip time.
    pub rtt: Duration,
}

/// What one node says of the torrents that were announced to it (BEP 51).
#[derive(Clone, Debug)]
pub struct Sample {
    /// Who.
    pub from: Contact,
    /// Some of the info hashes, at most 64.
    pub hashes: Vec<Id>,
    /// How many there are, as it says.
    pub stored: u64,
    /// How long its sample stays the same.
    pub interval: Duration,
}

/// Whether a search tells every answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// Only peers and reports.
    Off,
    /// [`SearchEvent::Answered`] too.
    On,
}

/// What a lookup is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Search {
    /// Peers of a torrent.
    Peers(InfoHash),
    /// Peers of a torrent, telling that we are one, reachable at this TCP port, or a seed (BEP 33).
    Announce(InfoHash, u16, Part),
    /// The nodes closest to a target.
    Nodes(Id),
    /// How many seeds and peers a torrent has (BEP 33).
    Scrape(InfoHash),
    /// Info hashes that the nodes on the way to a target store (BEP 51).
    Sample(Id),
    /// The item at a target (BEP 44).
    Item {
        /// Where it lives.
        target: Id,
        /// What the target was made with beside the key; empty for immutable ones.
        salt: Vec<u8>,
    },
    /// Stores an item (BEP 44).
    Put {
        /// What.
        item: Item,
        /// Only where this sequence number is stored, or nothing.
        cas: Option<i64>,
    },
}

/// An answer to a ping.
#[derive(Clone, Copy, Debug)]
pub struct Pong {
    /// The node's id.
    pub id: Id,
    /// Time from question to answer.
    pub rtt: Duration,
}

/// A copy of the node's inner state, to look at or to save.
#[derive(Clone, Debug)]
pub struct View {
    /// Our id.
    pub id: Id,
    /// Our id in each family.
    pub ids: [(Family, Id); 2],
    /// Our address as others see it, once enough of them agree.
    pub external: Option<IpAddr>,
    /// Both routing tables, bucket by bucket; a bucket's index is the bits shared with our id.
    pub tables: [(Family, Vec<Vec<Entry>>); 2],
    /// Nodes remembered beside the tables.
    pub pool: usize,
    /// How many nodes each family's network has, by the lookups that happened to be made.
    pub sizes: [(Family, Option<SizeEstimate>); 2],
    /// Info hashes and peers that others announced to us.
    pub stored: (usize, usize),
    /// Items that others gave us to store, and their bytes.
    pub items: (usize, usize),
    /// Counters.
    pub stats: Stats,
    /// Endpoints worth asking at the next start, best first.
    pub contacts: Vec<Endpoint>,
}
