//! KRPC messages: reading what came, writing what goes (BEP 5 "KRPC Protocol", BEP 32, 42, 43).
//!
//! Reading borrows from the datagram and is lenient: unknown keys, any transaction id of 1 to 32
//! bytes, a BEP 32 `want`, lists of a wrong length (ignored). Writing is strict: sorted keys, nothing
//! but what the BEPs name. A response does not say what it answers, so it is one struct with
//! optional fields; the purpose of the transaction gives them meaning. Invariant: an `Err` never
//! deserves an answer. Knows no tables and no times.

use bencode::{Endpoint, Family, Limits, Value, Writer};

use crate::contact::Contact;
use crate::id::{ID_LENGTH, Id};

mod fields;

use fields::{Fields, Key};

/// Longest transaction id that we echo (BEP 5 suggests 2 bytes; clients send up to 20).
pub const MAX_TRANSACTION: usize = 32;
/// Nodes of one list that are used (a reply holds 8; some implementations send 16).
pub const MAX_NODES: usize = 20;
/// Peers of one reply that are used (reliability.md §3).
pub const MAX_VALUES: usize = 100;
/// Longest token that we send back (8 to 20 bytes in the field).
pub const MAX_TOKEN: usize = 64;
/// Room for most queries (dht.md §2.5: 101–104 bytes; an announcement has 156).
const QUERY_LENGTH: usize = 112;
/// Room for most responses (dht.md §2.5: 287–304 bytes with eight nodes).
const RESPONSE_LENGTH: usize = 336;
/// Shortest datagram worth parsing: `d1:t1:a1:y1:ee` and less say nothing.
pub const MIN_DATAGRAM: usize = 15;

/// Why a datagram is no KRPC message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than any message, or not a dictionary.
    NotKrpc,
    /// Bencode broken, or beyond `Limits::KRPC`.
    Bencode,
    /// No `t`, an empty or an overlong one.
    Transaction,
    /// `y` missing or none of `q`, `r`, `e`.
    Kind,
    /// The node id missing or not 20 bytes.
    Id,
}

/// A message, borrowed from its datagram.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// `t`: 1 to 32 bytes.
    pub transaction: &'a [u8],
    /// What it says.
    pub body: Body<'a>,
}

/// The three kinds of message.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// Someone asks.
    Query(Query<'a>),
    /// Someone answers.
    Response(Response<'a>),
    /// Someone refuses: an error reply, whose code and text interest nobody.
    Failure,
}

/// A query.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Who asks.
    pub id: Id,
    /// Whether the sender takes part or only asks (BEP 43 `ro`).
    pub standing: Standing,
    /// Which families of nodes it wants, if it says so (BEP 32 `want`).
    pub want: Option<Want>,
    /// What it asks.
    pub method: Method<'a>,
}

/// Whether a querier can be a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers queries.
    Full,
    /// BEP 43: it does not; never to be added to a table.
    ReadOnly,
}

/// BEP 32's `want` list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// `n4` was in it.
    pub v4: bool,
    /// `n6` was in it.
    pub v6: bool,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'a> {
    /// Are you there?
    Ping,
    /// Which nodes do you know near `target`?
    FindNode {
        /// Any point of the key space.
        target: Id,
    },
    /// Which peers do you know for `info_hash`, or which nodes near it?
    GetPeers {
        /// The torrent.
        info_hash: Id,
    },
    /// I am a peer for `info_hash`.
    AnnouncePeer {
        /// The torrent.
        info_hash: Id,
        /// Where the peer listens.
        port: AnnouncePort,
        /// What `get_peers` gave.
        token: &'a [u8],
    },
    /// A known method with a missing or malformed argument: error 203.
    Invalid,
    /// A method that we do not know: error 204.
    Unknown,
}

/// Where an announced peer listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncePort {
    /// On the source port of the datagram (`implied_port`): whoever is behind a NAT.
    Implied,
    /// On this port.
    Explicit(u16),
}

/// A response. Which fields are there depends on what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// Who answers.
    pub id: Id,
    /// Our address as the sender sees it (BEP 42).
    pub ip: Option<Endpoint>,
    /// What lets us announce.
    pub token: Option<&'a [u8]>,
    nodes: Option<&'a [u8]>,
    nodes6: Option<&'a [u8]>,
    values: Option<Value<'a>>,
}

impl<'a> Response<'a> {
    /// The nodes of both families, at most `MAX_NODES` each; none when a list has a wrong length.
    pub fn nodes(&self) -> impl Iterator<Item = Contact> + use<'a> {
        contacts(self.nodes, Family::V4).chain(contacts(self.nodes6, Family::V6))
    }

    /// The peers, at most `MAX_VALUES`; entries that are not 6 or 18 bytes are skipped.
    pub fn values(&self) -> impl Iterator<Item = Endpoint> + use<'a> {
        let list = self.values.and_then(|values| values.as_list());
        list.into_iter()
            .flatten()
            .take(MAX_VALUES)
            .filter_map(|value| Endpoint::from_compact(value.as_bytes()?))
    }
}

fn contacts<'a>(list: Option<&'a [u8]>, family: Family) -> impl Iterator<Item = Contact> + use<'a> {
    let length = ID_LENGTH + family.compact_length();
    let list = list
        .filter(|list| list.len() % length == 0)
        .unwrap_or_default();
    list.chunks_exact(length)
        .take(MAX_NODES)
        .filter_map(|node| {
            let (id, endpoint) = node.split_at_checked(ID_LENGTH)?;
            Some(Contact {
                id: Id::from_slice(id)?,
                endpoint: Endpoint::from_compact(endpoint)?,
            })
        })
}

/// Reads a datagram.
///
/// # Errors
/// `Malformed` says which rule it breaks; such a datagram is dropped without an answer.
pub fn parse(datagram: &[u8]) -> Result<Message<'_>, Malformed> {
    if datagram.len() < MIN_DATAGRAM || datagram.first() != Some(&b'd') {
        return Err(Malformed::NotKrpc);
    }
    // Some clients pad; what follows the dictionary is none of our business.
    let (root, _) =
        bencode::parse_prefix(datagram, &Limits::KRPC).map_err(|_| Malformed::Bencode)?;
    let root = Fields::of(root);
    let transaction = root
        .bytes(Key::Transaction)
        .filter(|t| (1..=MAX_TRANSACTION).contains(&t.len()))
        .ok_or(Malformed::Transaction)?;
    let body = match root.bytes(Key::Kind) {
        Some(b"q") => Body::Query(query(&root)?),
        Some(b"r") => Body::Response(response(&root)?),
        Some(b"e") => Body::Failure,
        _ => return Err(Malformed::Kind),
    };
    Ok(Message { transaction, body })
}

fn query<'a>(root: &Fields<'a>) -> Result<Query<'a>, Malformed> {
    let name = root.bytes(Key::Name).ok_or(Malformed::Kind)?;
    let arguments = Fields::of(root.value(Key::Arguments).ok_or(Malformed::Id)?);
    let id = arguments.id(Key::Id).ok_or(Malformed::Id)?;
    let want = arguments
        .value(Key::Want)
        .and_then(|want| want.as_list())
        .map(|list| {
            list.take(4)
                .fold(Want::default(), |want, entry| match entry.as_bytes() {
                    Some(b"n4") => Want { v4: true, ..want },
                    Some(b"n6") => Want { v6: true, ..want },
                    _ => want,
                })
        });
    let method = match name {
        b"ping" => Some(Method::Ping),
        b"find_node" => arguments
            .id(Key::Target)
            .map(|target| Method::FindNode { target }),
        b"get_peers" => arguments
            .id(Key::InfoHash)
            .map(|info_hash| Method::GetPeers { info_hash }),
        b"announce_peer" => announce(&arguments),
        _ => Some(Method::Unknown),
    };
    Ok(Query {
        id,
        standing: match root.int(Key::ReadOnly) {
            Some(1) => Standing::ReadOnly,
            _ => Standing::Full,
        },
        want,
        method: method.unwrap_or(Method::Invalid),
    })
}

fn announce<'a>(arguments: &Fields<'a>) -> Option<Method<'a>> {
    let implied = arguments.int(Key::ImpliedPort);
    let port = if implied.is_some_and(|flag| flag != 0) {
        AnnouncePort::Implied
    } else {
        let port = u16::try_from(arguments.int(Key::Port)?).ok()?;
        AnnouncePort::Explicit(port)
    };
    Some(Method::AnnouncePeer {
        info_hash: arguments.id(Key::InfoHash)?,
        port,
        token: arguments.bytes(Key::Token)?,
    })
}

fn response<'a>(root: &Fields<'a>) -> Result<Response<'a>, Malformed> {
    let results = Fields::of(root.value(Key::Results).ok_or(Malformed::Id)?);
    Ok(Response {
        id: results.id(Key::Id).ok_or(Malformed::Id)?,
        ip: root.bytes(Key::Ip).and_then(Endpoint::from_compact),
        token: results
            .bytes(Key::Token)
            .filter(|token| (1..=MAX_TOKEN).contains(&token.len())),
        nodes: results.bytes(Key::Nodes),
        nodes6: results.bytes(Key::Nodes6),
        values: results.value(Key::Values),
    })
}

/// What goes around the body of each message of ours.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// `t`.
    pub transaction: &'a [u8],
    /// `v`: who wrote the software.
    pub version: [u8; 4],
    /// Our id.
    pub id: Id,
}

/// Writes a query. `want` asks for both families of nodes (BEP 32) where nodes are asked for.
#[must_use]
pub fn write_query(
    envelope: &Envelope<'_>,
    standing: Standing,
    want: Want,
    method: &Method<'_>,
) -> Vec<u8> {
    let name: &str = match method {
        Method::FindNode { .. } => "find_node",
        Method::GetPeers { .. } => "get_peers",
        Method::AnnouncePeer { .. } => "announce_peer",
        Method::Ping | Method::Invalid | Method::Unknown => "ping",
    };
    let mut writer = Writer::with_capacity(QUERY_LENGTH);
    writer.dict(|root| {
        root.dict("a", |a| write_arguments(a, envelope.id, want, method));
        root.bytes("q", name);
        if standing == Standing::ReadOnly {
            root.int("ro", 1);
        }
        root.bytes("t", envelope.transaction);
        root.bytes("v", envelope.version);
        root.bytes("y", "q");
    });
    writer.into_bytes()
}

fn write_arguments(a: &mut bencode::DictWriter<'_>, id: Id, want: Want, method: &Method<'_>) {
    a.bytes("id", id.as_bytes());
    match method {
        Method::FindNode { target } => a.bytes("target", target.as_bytes()),
        Method::GetPeers { info_hash } => a.bytes("info_hash", info_hash.as_bytes()),
        Method::AnnouncePeer {
            info_hash,
            port,
            token,
        } => {
            let (implied, port) = match port {
                AnnouncePort::Implied => (1, 0),
                AnnouncePort::Explicit(port) => (0, *port),
            };
            a.int("implied_port", implied);
            a.bytes("info_hash", info_hash.as_bytes());
            a.int("port", i64::from(port));
            a.bytes("token", token);
            return;
        }
        Method::Ping | Method::Invalid | Method::Unknown => return,
    }
    a.list("want", |list| {
        for (wanted, name) in [(want.v4, "n4"), (want.v6, "n6")] {
            if wanted {
                list.bytes(name);
            }
        }
    });
}

/// What a reply of ours holds besides our id. Empty lists are left out.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    /// v4 nodes: written even when empty if `Some`.
    pub nodes: Option<Vec<Contact>>,
    /// v6 nodes.
    pub nodes6: Option<Vec<Contact>>,
    /// A write token.
    pub token: Option<&'a [u8]>,
    /// Peers of the asked torrent.
    pub values: Vec<Endpoint>,
}

/// Writes a response to `asker`, telling it how we see it (BEP 42 `ip`).
#[must_use]
pub fn write_response(envelope: &Envelope<'_>, asker: Endpoint, answer: &Answer<'_>) -> Vec<u8> {
    let compact = |contacts: &[Contact]| {
        let mut list = Vec::new();
        for contact in contacts {
            list.extend_from_slice(contact.id.as_bytes());
            contact.endpoint.write_compact(&mut list);
        }
        list
    };
    let address = |endpoint: &Endpoint| {
        let mut bytes = Vec::new();
        endpoint.write_compact(&mut bytes);
        bytes
    };
    let mut writer = Writer::with_capacity(RESPONSE_LENGTH);
    writer.dict(|root| {
        root.bytes("ip", address(&asker));
        root.dict("r", |r| {
            r.bytes("id", envelope.id.as_bytes());
            if let Some(nodes) = &answer.nodes {
                r.bytes("nodes", compact(nodes));
            }
            if let Some(nodes) = &answer.nodes6 {
                r.bytes("nodes6", compact(nodes));
            }
            if let Some(token) = answer.token {
                r.bytes("token", token);
            }
            if !answer.values.is_empty() {
                r.list("values", |list| {
                    answer
                        .values
                        .iter()
                        .for_each(|peer| list.bytes(address(peer)));
                });
            }
        });
        root.bytes("t", envelope.transaction);
        root.bytes("v", envelope.version);
        root.bytes("y", "r");
    });
    writer.into_bytes()
}

/// BEP 5's error codes that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 203: a malformed argument or a bad token.
    Protocol,
    /// 204: a method that we do not know.
    MethodUnknown,
}

/// Writes an error reply.
#[must_use]
pub fn write_failure(envelope: &Envelope<'_>, failure: Failure) -> Vec<u8> {
    let (code, text) = match failure {
        Failure::Protocol => (203, "Protocol Error"),
        Failure::MethodUnknown => (204, "Method Unknown"),
    };
    let mut writer = Writer::new();
    writer.dict(|root| {
        root.list("e", |list| {
            list.int(code);
            list.bytes(text);
        });
        root.bytes("t", envelope.transaction);
        root.bytes("v", envelope.version);
        root.bytes("y", "e");
    });
    writer.into_bytes()
}

#[cfg(test)]
mod tests;
