//! What the DHT's task is asked and what it tells: searches, their events, and looks inside.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};
use dht::{Contact, Entry, Id, LookupReport, Stats};

use crate::metainfo::InfoHash;

/// What the task knows of the network, for progress lines.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct DhtStatus {
    /// Contacts in the routing table.
    pub nodes: usize,
    /// When the first node answered.
    pub first_node: Option<Instant>,
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

/// Whether a search tells every answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// Only peers and reports.
    Off,
    /// [`SearchEvent::Answered`] too.
    On,
}

/// What a lookup is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Search {
    /// Peers of a torrent.
    Peers(InfoHash),
    /// Peers of a torrent, telling that we are one, reachable at this TCP port.
    Announce(InfoHash, u16),
    /// The nodes closest to a target.
    Nodes(Id),
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
    /// Info hashes and peers that others announced to us.
    pub stored: (usize, usize),
    /// Counters.
    pub stats: Stats,
    /// Endpoints worth asking at the next start, best first.
    pub contacts: Vec<Endpoint>,
}
