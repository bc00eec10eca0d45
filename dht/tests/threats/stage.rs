//! One node on a stage: what it is told, what it says, what it has kept. Messages are written here without the
//! crate's own writer, so that they can be wrong in every way.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bencode::{Limits, Value, Writer};
use trackless_dht::{Config, Endpoint, Event, Family, Id, Node, Transmit};

/// The node's id.
pub(crate) const OURS: Id = Id::new([1; 20]);
/// Some torrent.
pub(crate) const HASH: Id = Id::new(*b"mnopqrstuvwxyz123456");

/// A stranger's address: every `n` lives in a /16 of its own, all of them public below 20,000.
pub(crate) fn place(n: u16) -> SocketAddr {
    let [high, low] = n.to_be_bytes();
    SocketAddr::from(([20 + high, low, 5, 7], 6881))
}

/// A stranger's id, far from `OURS`' and spread over the key space.
pub(crate) fn name(n: u16) -> Id {
    let mut bytes = [0x5c; 20];
    let [high, low] = n.wrapping_mul(40_503).wrapping_add(0x8000).to_be_bytes();
    (bytes[0], bytes[1]) = (high, low);
    bytes[18..].copy_from_slice(&n.to_be_bytes());
    Id::new(bytes)
}

/// What stands at a key.
#[derive(Clone)]
pub(crate) enum Field {
    Bytes(Vec<u8>),
    Int(i64),
    List(Vec<Vec<u8>>),
}

impl From<&[u8]> for Field {
    fn from(bytes: &[u8]) -> Field {
        Field::Bytes(bytes.to_vec())
    }
}

impl From<Id> for Field {
    fn from(id: Id) -> Field {
        Field::Bytes(id.as_bytes().to_vec())
    }
}

fn inner(id: Id, fields: &[(&str, Field)]) -> Vec<u8> {
    let mut fields: Vec<_> = fields.iter().collect();
    let own = ("id", Field::from(id));
    fields.push(&own);
    fields.sort_by_key(|(key, _)| *key);
    let mut writer = Writer::new();
    writer.dict(|dict| {
        for (key, field) in fields {
            match field {
                Field::Bytes(bytes) => dict.bytes(key, bytes),
                Field::Int(number) => dict.int(key, *number),
                Field::List(list) => {
                    dict.list(key, |out| list.iter().for_each(|item| out.bytes(item)));
                }
            }
        }
    });
    writer.into_bytes()
}

/// A query of a node that takes part.
pub(crate) fn query(id: Id, method: &str, fields: &[(&str, Field)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|root| {
        root.raw("a", &inner(id, fields));
        root.bytes("q", method);
        root.bytes("t", b"aa");
        root.bytes("y", "q");
    });
    writer.into_bytes()
}

/// The same of one that does not (BEP 43): the node answers and asks nothing in return.
pub(crate) fn passing_query(id: Id, method: &str, fields: &[(&str, Field)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|root| {
        root.raw("a", &inner(id, fields));
        root.bytes("q", method);
        root.int("ro", 1);
        root.bytes("t", b"aa");
        root.bytes("y", "q");
    });
    writer.into_bytes()
}

/// An answer with the transaction `t`.
pub(crate) fn reply_to(t: &[u8], id: Id, seen: Option<SocketAddr>, r: &[(&str, Field)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|root| {
        if let Some(seen) = seen {
            let mut compact = Vec::new();
            Endpoint::from(seen).write_compact(&mut compact);
            root.bytes("ip", compact);
        }
        root.raw("r", &inner(id, r));
        root.bytes("t", t);
        root.bytes("y", "r");
    });
    writer.into_bytes()
}

/// The answer to `question`.
pub(crate) fn reply(question: &[u8], id: Id, r: &[(&str, Field)]) -> Vec<u8> {
    reply_to(transaction(question), id, None, r)
}

/// A list of nodes as `nodes` holds it.
pub(crate) fn compact(contacts: impl IntoIterator<Item = (Id, SocketAddr)>) -> Field {
    let mut list = Vec::new();
    for (id, at) in contacts {
        list.extend_from_slice(id.as_bytes());
        Endpoint::from(at).write_compact(&mut list);
    }
    Field::Bytes(list)
}

pub(crate) fn dict(payload: &[u8]) -> Value<'_> {
    bencode::parse(payload, &Limits::KRPC).expect("the node writes well")
}

pub(crate) fn text<'a>(payload: &'a [u8], key: &str) -> &'a [u8] {
    let value = dict(payload).get(key).and_then(|value| value.as_bytes());
    value.unwrap_or_default()
}

pub(crate) fn transaction(payload: &[u8]) -> &[u8] {
    text(payload, "t")
}

/// What a reply holds at a key of `r`.
pub(crate) fn result<'a>(payload: &'a [u8], key: &str) -> Option<Value<'a>> {
    dict(payload).get("r")?.get(key)
}

/// The method of a query, empty for replies.
pub(crate) fn method(transmit: &Transmit) -> &[u8] {
    text(&transmit.payload, "q")
}

/// Whether the node asks, as opposed to answers.
pub(crate) fn asks(transmit: &Transmit) -> bool {
    text(&transmit.payload, "y") == b"q"
}

/// One node and the time.
pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) now: Instant,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Stage {
        let now = Instant::now();
        let config = Config {
            id: Some(OURS),
            ..config
        };
        let node = Node::new(config, [3; 32], now);
        Stage { node, now }
    }

    /// Everything the node wants to send now.
    pub(crate) fn said(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.node.poll_transmit()).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.node.poll_event()).collect()
    }

    /// A datagram arrives; returns what the node says to it.
    pub(crate) fn hears(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<Transmit> {
        self.node.handle_datagram(self.now, from, datagram);
        self.said()
    }

    /// A query of somebody who only passes by; its one answer, if there is one.
    pub(crate) fn answers(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut said = self.hears(from, datagram);
        assert!(said.len() <= 1, "one question has at most one answer");
        assert!(said.iter().all(|transmit| transmit.to == from));
        said.pop().map(|transmit| transmit.payload)
    }

    /// Time passes, every timer is served; returns what the node says meanwhile.
    pub(crate) fn passes(&mut self, time: Duration) -> Vec<Transmit> {
        let end = self.now + time;
        let mut said = Vec::new();
        while self.node.next_timeout() <= end {
            self.now = self.now.max(self.node.next_timeout());
            self.node.handle_timeout(self.now);
            said.extend(self.said());
            assert!(self.node.next_timeout() > self.now, "time goes on");
        }
        self.now = end;
        said
    }

    /// The node asks `n`, who answers as it should: a contact, if the table has room for it. Whatever else the node says
    /// then is lost.
    pub(crate) fn befriends(&mut self, n: u16) {
        self.befriends_as(place(n), name(n));
    }

    pub(crate) fn befriends_as(&mut self, at: SocketAddr, id: Id) {
        self.node.ping(self.now, Endpoint::from(at));
        let said = self.said();
        let question = said
            .iter()
            .find(|transmit| transmit.to == at && method(transmit) == b"ping");
        let answer = reply(&question.expect("a ping").payload, id, &[]);
        self.hears(at, &answer);
        self.events();
    }

    pub(crate) fn knows(&self, at: SocketAddr) -> bool {
        let at = Endpoint::from(at);
        self.node.contacts().any(|contact| contact.endpoint == at)
    }

    /// What a stranger could make grow: contacts, hashes, peers.
    pub(crate) fn kept(&self) -> (usize, usize, usize) {
        let contacts = self.node.table_len(Family::V4) + self.node.table_len(Family::V6);
        let (hashes, peers) = self.node.stored();
        (contacts, hashes, peers)
    }
}
