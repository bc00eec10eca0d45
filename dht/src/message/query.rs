//! Queries: BEP 5's four, BEP 44's `get` and `put`, BEP 51's `sample_infohashes`; the flags of BEP 33.
//!
//! Invariant: a method whose arguments are missing or malformed is `Invalid` and earns an error; a
//! query without a node id is no message at all.

use bencode::Writer;

use super::fields::{Arguments, Root, array, bytes, flag, id, int};
use super::{Envelope, Malformed, Standing, Want};
use crate::id::Id;

/// Room for most queries (dht.md §2.5: 101–104 bytes; an announcement has 156).
const QUERY_LENGTH: usize = 112;

/// A query.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// Who asks.
    pub id: Id,
    /// Whether the sender takes part or only asks (BEP 43 `ro`).
    pub standing: Standing,
    /// Which families of nodes it wants, if it says so (BEP 32 `want`).
    pub want: Option<Want>,
    /// Whether it says that it has the whole torrent (BEP 33).
    pub part: Part,
    /// What it asks.
    pub method: Method<'a>,
}

/// Whether a peer has the whole torrent, as it says itself (BEP 33: `seed` when it announces, `noseed`
/// when it asks for peers).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It lacks something, or says nothing.
    #[default]
    Peer,
    /// It has everything: other seeds are no use to it.
    Seed,
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
    /// The same, and how many: `get_peers` with BEP 33's `scrape`.
    Scrape {
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
    /// What is stored at `target`? (BEP 44)
    Get {
        /// The hash of a value, or of a key and salt.
        target: Id,
        /// Only if newer than this.
        seq: Option<i64>,
    },
    /// Store this (BEP 44).
    Put {
        /// The value as it stands in the message: any length and order of keys.
        value: &'a [u8],
        /// What `get` gave.
        token: &'a [u8],
        /// What makes it mutable.
        signed: Option<Signed<'a>>,
        /// Only in place of this sequence number.
        cas: Option<i64>,
        /// Where it belongs, if the message says so: it follows from the rest, and is not believed.
        ///
        /// `Deviation:` BEP 44 has no such key; nodes of the `mainline` crate drop a `put` without it.
        target: Option<Id>,
    },
    /// Which torrents have you heard of? (BEP 51)
    SampleInfohashes {
        /// Any point of the key space: for the nodes of the answer.
        target: Id,
    },
    /// A known method with a missing or malformed argument: error 203.
    Invalid,
    /// A method that we do not know: error 204.
    Unknown,
}

/// Key and signature of a mutable item (BEP 44), unverified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The ed25519 public key.
    pub key: &'a [u8; 32],
    /// Any length; empty if absent.
    pub salt: &'a [u8],
    /// The sequence number.
    pub seq: i64,
    /// Over salt, `seq` and value.
    pub signature: &'a [u8; 64],
}

/// Where an announced peer listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnouncePort {
    /// On the source port of the datagram (`implied_port`): whoever is behind a NAT.
    Implied,
    /// On this port.
    Explicit(u16),
}

/// What we say of ourselves when we announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// Where we listen.
    pub port: AnnouncePort,
    /// Whether we have everything: then we are told of no other seeds (BEP 33).
    pub part: Part,
}

impl From<AnnouncePort> for Announcement {
    /// Of someone who lacks something.
    fn from(port: AnnouncePort) -> Announcement {
        let part = Part::Peer;
        Announcement { port, part }
    }
}

pub(super) fn read<'a>(root: &Root<'a>) -> Result<Query<'a>, Malformed> {
    let name = bytes(root.name).ok_or(Malformed::Kind)?;
    let arguments = Arguments::of(root.arguments.ok_or(Malformed::Id)?);
    Ok(Query {
        id: id(arguments.id).ok_or(Malformed::Id)?,
        standing: match int(root.read_only) {
            Some(1) => Standing::ReadOnly,
            _ => Standing::Full,
        },
        want: wanted(&arguments),
        part: if flag(arguments.seed) || flag(arguments.noseed) {
            Part::Seed
        } else {
            Part::Peer
        },
        method: method(name, &arguments).unwrap_or(Method::Invalid),
    })
}

fn wanted(arguments: &Arguments<'_>) -> Option<Want> {
    let list = arguments.want?.as_list()?;
    let want = list
        .take(4)
        .fold(Want::default(), |want, entry| match entry.as_bytes() {
            Some(b"n4") => Want { v4: true, ..want },
            Some(b"n6") => Want { v6: true, ..want },
            _ => want,
        });
    Some(want)
}

/// `None`: an argument is missing or malformed.
fn method<'a>(name: &[u8], arguments: &Arguments<'a>) -> Option<Method<'a>> {
    Some(match name {
        b"ping" => Method::Ping,
        b"find_node" => Method::FindNode {
            target: id(arguments.target)?,
        },
        b"get_peers" => {
            let info_hash = id(arguments.info_hash)?;
            if flag(arguments.scrape) {
                Method::Scrape { info_hash }
            } else {
                Method::GetPeers { info_hash }
            }
        }
        b"announce_peer" => Method::AnnouncePeer {
            info_hash: id(arguments.info_hash)?,
            port: if flag(arguments.implied_port) {
                AnnouncePort::Implied
            } else {
                AnnouncePort::Explicit(u16::try_from(int(arguments.port)?).ok()?)
            },
            token: bytes(arguments.token)?,
        },
        b"get" => Method::Get {
            target: id(arguments.target)?,
            seq: int(arguments.seq),
        },
        b"put" => Method::Put {
            value: arguments.value?.raw(),
            token: bytes(arguments.token)?,
            signed: match arguments.key {
                None => None,
                key => Some(Signed {
                    key: array(key)?,
                    salt: bytes(arguments.salt).unwrap_or_default(),
                    seq: int(arguments.seq)?,
                    signature: array(arguments.signature)?,
                }),
            },
            cas: int(arguments.cas),
            target: id(arguments.target),
        },
        b"sample_infohashes" => Method::SampleInfohashes {
            target: id(arguments.target)?,
        },
        _ => Method::Unknown,
    })
}

/// Writes a query of someone who is no seed. `want` asks for both families of nodes (BEP 32) where
/// nodes are asked for.
#[must_use]
pub fn write_query(
    envelope: &Envelope<'_>,
    standing: Standing,
    want: Want,
    method: &Method<'_>,
) -> Vec<u8> {
    write_query_as(Part::Peer, envelope, standing, want, method)
}

/// Writes a query; `part` matters where peers are announced or asked for.
#[must_use]
pub fn write_query_as(
    part: Part,
    envelope: &Envelope<'_>,
    standing: Standing,
    want: Want,
    method: &Method<'_>,
) -> Vec<u8> {
    let name: &str = match method {
        Method::FindNode { .. } => "find_node",
        Method::GetPeers { .. } | Method::Scrape { .. } => "get_peers",
        Method::AnnouncePeer { .. } => "announce_peer",
        Method::Get { .. } => "get",
        Method::Put { .. } => "put",
        Method::SampleInfohashes { .. } => "sample_infohashes",
        Method::Ping | Method::Invalid | Method::Unknown => "ping",
    };
    let mut writer = Writer::with_capacity(QUERY_LENGTH);
    writer.dict(|root| {
        root.dict("a", |a| {
            write_arguments(a, envelope.id, (part, want), method)
        });
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

fn write_arguments(
    a: &mut bencode::DictWriter<'_>,
    id: Id,
    (part, want): (Part, Want),
    method: &Method<'_>,
) {
    if let Method::Put { cas: Some(cas), .. } = method {
        a.int("cas", *cas);
    }
    a.bytes("id", id.as_bytes());
    match method {
        Method::Ping | Method::Invalid | Method::Unknown => {}
        Method::FindNode { target } | Method::SampleInfohashes { target } => {
            a.bytes("target", target.as_bytes());
            write_want(a, want);
        }
        Method::GetPeers { info_hash } | Method::Scrape { info_hash } => {
            a.bytes("info_hash", info_hash.as_bytes());
            if part == Part::Seed {
                a.int("noseed", 1);
            }
            if matches!(method, Method::Scrape { .. }) {
                a.int("scrape", 1);
            }
            write_want(a, want);
        }
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
            if part == Part::Seed {
                a.int("seed", 1);
            }
            a.bytes("token", token);
        }
        Method::Get { target, seq } => {
            if let Some(seq) = seq {
                a.int("seq", *seq);
            }
            a.bytes("target", target.as_bytes());
            write_want(a, want);
        }
        Method::Put {
            value,
            token,
            signed,
            target,
            ..
        } => {
            if let Some(signed) = signed {
                a.bytes("k", signed.key);
                if !signed.salt.is_empty() {
                    a.bytes("salt", signed.salt);
                }
                a.int("seq", signed.seq);
                a.bytes("sig", signed.signature);
            }
            if let Some(target) = target {
                a.bytes("target", target.as_bytes());
            }
            a.bytes("token", token);
            a.raw("v", value);
        }
    }
}

fn write_want(a: &mut bencode::DictWriter<'_>, want: Want) {
    a.list("want", |list| {
        for (wanted, name) in [(want.v4, "n4"), (want.v6, "n6")] {
            if wanted {
                list.bytes(name);
            }
        }
    });
}
