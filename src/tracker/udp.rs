//! The UDP tracker protocol's datagrams, both directions: BEP 15, and BEP 41 for what stands behind an
//! announce. Read BEP 15's tables first.
//!
//! Invariant: `parse` of what `write` wrote gives the same value; anything shorter than its table, or
//! with an unknown action, is `None`. The codec knows neither time nor addresses: whether a connection
//! id is right is its reader's business.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::net::{IpAddr, Ipv4Addr};

use bencode::{Endpoint, Family};

use super::announce::{Announce, AnnounceEvent, MAX_PEERS, ScrapeReply, text};
use crate::metainfo::InfoHash;
use crate::wire::PeerId;

/// What a connect request has in place of a connection id.
pub const PROTOCOL_ID: u64 = 0x417_2710_1980;

/// Most torrents in one scrape (BEP 15: "up to about 74").
pub const MAX_SCRAPE: usize = 74;

/// Most bytes of BEP 41's URL data that are kept: no tracker's path is longer.
pub const MAX_URL_DATA: usize = 2048;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// Options of BEP 41: end of the list, nothing, a part of the URL.
const OPTION_END: u8 = 0;
const OPTION_NOTHING: u8 = 1;
const OPTION_URL_DATA: u8 = 2;

/// What a client sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// Asks for a connection id.
    Connect {
        /// Chosen by the client, repeated by the tracker.
        transaction: u32,
    },
    /// BEP 15's announce.
    Announce {
        /// The id that the tracker gave to this address.
        connection: u64,
        /// Chosen by the client, repeated by the tracker.
        transaction: u32,
        /// The content. `tracker_id` is not transported, `ip` only if IPv4.
        announce: Announce,
        /// BEP 41: path and query of the URL, at most [`MAX_URL_DATA`] bytes; empty if there is none.
        url_data: Vec<u8>,
    },
    /// BEP 15's scrape.
    Scrape {
        /// The id that the tracker gave to this address.
        connection: u64,
        /// Chosen by the client, repeated by the tracker.
        transaction: u32,
        /// 1 to [`MAX_SCRAPE`].
        hashes: Vec<InfoHash>,
    },
}

/// What a tracker sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Response {
    /// A connection id, good for a minute (two, at the tracker).
    Connect {
        /// The request's.
        transaction: u32,
        /// For the next requests.
        connection: u64,
    },
    /// The answer to an announce.
    Announce {
        /// The request's.
        transaction: u32,
        /// Seconds until the next.
        interval: u32,
        /// Peers that do not have everything.
        leechers: u32,
        /// Peers that have.
        seeders: u32,
        /// All of the family of the socket; none with port 0 if it was parsed.
        peers: Vec<Endpoint>,
    },
    /// The answer to a scrape, in the order of the question.
    Scrape {
        /// The request's.
        transaction: u32,
        /// At most [`MAX_SCRAPE`].
        torrents: Vec<ScrapeReply>,
    },
    /// It does not want to.
    Error {
        /// The request's.
        transaction: u32,
        /// Why, for people.
        message: String,
    },
}

impl Request {
    /// Reads a datagram that a client sent.
    pub fn parse(datagram: &[u8]) -> Option<Request> {
        let mut from = Bytes(datagram);
        let connection = from.u64()?;
        let action = from.u32()?;
        let transaction = from.u32()?;
        match action {
            CONNECT if connection == PROTOCOL_ID => Some(Request::Connect { transaction }),
            ANNOUNCE => {
                let announce = read_announce(&mut from)?;
                Some(Request::Announce {
                    connection,
                    transaction,
                    announce,
                    url_data: read_options(from),
                })
            }
            SCRAPE => {
                let hashes: Vec<InfoHash> = from
                    .0
                    .chunks_exact(20)
                    .take(MAX_SCRAPE)
                    .filter_map(info_hash)
                    .collect();
                (!hashes.is_empty()).then_some(Request::Scrape {
                    connection,
                    transaction,
                    hashes,
                })
            }
            _ => None,
        }
    }

    /// Appends the datagram.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Request::Connect { transaction } => write_head(out, PROTOCOL_ID, CONNECT, *transaction),
            Request::Announce {
                connection,
                transaction,
                announce,
                url_data,
            } => {
                write_head(out, *connection, ANNOUNCE, *transaction);
                write_announce(out, announce);
                for part in url_data.chunks(255) {
                    // Chunks are never longer than a byte can say.
                    out.extend([OPTION_URL_DATA, u8::try_from(part.len()).unwrap_or(u8::MAX)]);
                    out.extend_from_slice(part);
                }
            }
            Request::Scrape {
                connection,
                transaction,
                hashes,
            } => {
                write_head(out, *connection, SCRAPE, *transaction);
                hashes
                    .iter()
                    .take(MAX_SCRAPE)
                    .for_each(|hash| out.extend_from_slice(&hash.0));
            }
        }
    }

    /// The number that the answer has to repeat.
    pub fn transaction(&self) -> u32 {
        match self {
            Request::Connect { transaction }
            | Request::Announce { transaction, .. }
            | Request::Scrape { transaction, .. } => *transaction,
        }
    }
}

impl Response {
    /// Reads a datagram that a tracker sent on a socket of this family: its peers are of the same.
    pub fn parse(datagram: &[u8], family: Family) -> Option<Response> {
        let mut from = Bytes(datagram);
        let action = from.u32()?;
        let transaction = from.u32()?;
        match action {
            CONNECT => Some(Response::Connect {
                transaction,
                connection: from.u64()?,
            }),
            ANNOUNCE => Some(Response::Announce {
                transaction,
                interval: from.u32()?,
                leechers: from.u32()?,
                seeders: from.u32()?,
                peers: from
                    .0
                    .chunks_exact(family.compact_length())
                    .filter_map(Endpoint::from_compact)
                    .filter(|peer| peer.port != 0)
                    .take(MAX_PEERS)
                    .collect(),
            }),
            SCRAPE => {
                let torrents = from
                    .0
                    .chunks_exact(12)
                    .take(MAX_SCRAPE)
                    .filter_map(|torrent| {
                        let mut from = Bytes(torrent);
                        let (seeders, completed, leechers) =
                            (from.u32()?, from.u32()?, from.u32()?);
                        Some(ScrapeReply {
                            seeders,
                            completed,
                            leechers,
                        })
                    });
                Some(Response::Scrape {
                    transaction,
                    torrents: torrents.collect(),
                })
            }
            ERROR => Some(Response::Error {
                transaction,
                message: text(from.0),
            }),
            _ => None,
        }
    }

    /// Appends the datagram.
    pub fn write(&self, out: &mut Vec<u8>) {
        let numbers = |out: &mut Vec<u8>, numbers: &[u32]| {
            numbers
                .iter()
                .for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
        };
        match self {
            Response::Connect {
                transaction,
                connection,
            } => {
                numbers(out, &[CONNECT, *transaction]);
                out.extend_from_slice(&connection.to_be_bytes());
            }
            Response::Announce {
                transaction,
                interval,
                leechers,
                seeders,
                peers,
            } => {
                numbers(
                    out,
                    &[ANNOUNCE, *transaction, *interval, *leechers, *seeders],
                );
                peers.iter().for_each(|peer| peer.write_compact(out));
            }
            Response::Scrape {
                transaction,
                torrents,
            } => {
                numbers(out, &[SCRAPE, *transaction]);
                for torrent in torrents {
                    numbers(out, &[torrent.seeders, torrent.completed, torrent.leechers]);
                }
            }
            Response::Error {
                transaction,
                message,
            } => {
                numbers(out, &[ERROR, *transaction]);
                out.extend_from_slice(message.as_bytes());
            }
        }
    }

    /// The number of the request that it answers.
    pub fn transaction(&self) -> u32 {
        match self {
            Response::Connect { transaction, .. }
            | Response::Announce { transaction, .. }
            | Response::Scrape { transaction, .. }
            | Response::Error { transaction, .. } => *transaction,
        }
    }
}

fn write_head(out: &mut Vec<u8>, connection: u64, action: u32, transaction: u32) {
    out.extend_from_slice(&connection.to_be_bytes());
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
}

fn read_announce(from: &mut Bytes<'_>) -> Option<Announce> {
    let info_hash = InfoHash(from.array()?);
    let peer_id = PeerId(from.array()?);
    let (downloaded, left, uploaded) = (from.u64()?, from.u64()?, from.u64()?);
    let event = match from.u32()? {
        1 => AnnounceEvent::Completed,
        2 => AnnounceEvent::Started,
        3 => AnnounceEvent::Stopped,
        _ => AnnounceEvent::None,
    };
    let ip = Ipv4Addr::from_bits(from.u32()?);
    let key = from.u32()?;
    // Negative: as many as the tracker likes.
    let numwant = Some(from.u32()?).filter(|count| *count <= i32::MAX as u32);
    Some(Announce {
        info_hash,
        peer_id,
        port: from.u16()?,
        uploaded,
        downloaded,
        left,
        event,
        numwant,
        key,
        tracker_id: None,
        ip: (!ip.is_unspecified()).then_some(IpAddr::V4(ip)),
    })
}

fn write_announce(out: &mut Vec<u8>, announce: &Announce) {
    out.extend_from_slice(&announce.info_hash.0);
    out.extend_from_slice(&announce.peer_id.0);
    for number in [announce.downloaded, announce.left, announce.uploaded] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let event: u32 = match announce.event {
        AnnounceEvent::None => 0,
        AnnounceEvent::Completed => 1,
        AnnounceEvent::Started => 2,
        AnnounceEvent::Stopped => 3,
    };
    let ip = match announce.ip {
        Some(IpAddr::V4(ip)) => ip.to_bits(),
        _ => 0,
    };
    let numwant = announce
        .numwant
        .map_or(u32::MAX, |count| count.min(i32::MAX as u32));
    for number in [event, ip, announce.key, numwant] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&announce.port.to_be_bytes());
}

/// BEP 41: the parts of the URL, put together. What breaks the rules ends the list.
fn read_options(mut from: Bytes<'_>) -> Vec<u8> {
    let mut url = Vec::new();
    while let Some([option]) = from.array() {
        match option {
            OPTION_END => break,
            OPTION_NOTHING => {}
            // Every other option says how long it is, so that unknown ones can be passed over.
            _ => {
                let Some(part) = from
                    .array::<1>()
                    .and_then(|[length]| from.take(length.into()))
                else {
                    break;
                };
                if option == OPTION_URL_DATA && url.len().saturating_add(part.len()) <= MAX_URL_DATA
                {
                    url.extend_from_slice(part);
                }
            }
        }
    }
    url
}

fn info_hash(bytes: &[u8]) -> Option<InfoHash> {
    bytes.try_into().ok().map(InfoHash)
}

/// The unread rest of a datagram.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(first)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}
