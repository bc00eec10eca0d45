//! The HTTP tracker protocol's query strings and bodies, both directions: BEP 3, BEP 7 (IPv6), BEP 23
//! (compact peers), BEP 24 (external ip), BEP 48 (scrape). Read BEP 3's "trackers" first.
//!
//! Invariant: `parse` of what `write` wrote gives the same value. Bodies pass bencode's limits before
//! anything is read from them. This file knows no URL, connection or status code.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use bencode::{DictWriter, Endpoint, Limits, Value, Writer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use super::announce::{
    Announce, AnnounceEvent, Failure, MAX_PEERS, MAX_TRACKER_ID, Reply, ScrapeReply, text,
};
use crate::metainfo::InfoHash;
use crate::wire::PeerId;

/// What stands for itself in a query (RFC 3986 "unreserved").
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Longest query of a client that is read.
pub const MAX_QUERY: usize = 4096;

/// Most torrents in one scrape, asked or answered.
pub const MAX_SCRAPE: usize = 74;

/// `interval` where a tracker sends none: BEP 15's and most trackers' half hour.
const USUAL_INTERVAL: Duration = Duration::from_secs(1800);

/// How peers are listed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Form {
    /// Packed: `peers` (BEP 23) and `peers6` (BEP 7).
    #[default]
    Compact,
    /// A list of dictionaries (BEP 3), without peer ids as for `no_peer_id=1`.
    Dictionary,
}

/// What is wrong with a client's query, for its `failure reason`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueryError {
    /// A parameter that has to be there.
    #[error("missing {0}")]
    Missing(&'static str),
    /// A parameter that cannot be what it should be.
    #[error("invalid {0}")]
    Invalid(&'static str),
    /// Above [`MAX_QUERY`] bytes.
    #[error("query too long")]
    TooLong,
}

/// The query of an announce, without a question mark.
pub fn query(announce: &Announce) -> String {
    let mut query = format!(
        "info_hash={}&peer_id={}&port={}&uploaded={}&downloaded={}&left={}&compact=1&no_peer_id=1&key={:08X}",
        percent_encode(&announce.info_hash.0, ESCAPED),
        percent_encode(&announce.peer_id.0, ESCAPED),
        announce.port,
        announce.uploaded,
        announce.downloaded,
        announce.left,
        announce.key,
    );
    let mut add = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string cannot fail.
        let _ = write!(query, "&{name}={value}");
    };
    match announce.event {
        AnnounceEvent::None => {}
        AnnounceEvent::Started => add("event", &"started"),
        AnnounceEvent::Completed => add("event", &"completed"),
        AnnounceEvent::Stopped => add("event", &"stopped"),
    }
    if let Some(count) = announce.numwant {
        add("numwant", &count);
    }
    if let Some(ip) = announce.ip {
        let ip = ip.to_string();
        add("ip", &percent_encode(ip.as_bytes(), ESCAPED));
    }
    if let Some(id) = &announce.tracker_id {
        add("trackerid", &percent_encode(id, ESCAPED));
    }
    query
}

/// Reads the query of an announce, without its question mark; unknown parameters are passed over, of
/// several equal ones the first counts.
///
/// # Errors
/// The first parameter that is missing or wrong.
pub fn parse_query(query: &str) -> Result<(Announce, Form), QueryError> {
    let parameters = Parameters::new(query)?;
    let number = |name| match parameters.text(name) {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| QueryError::Invalid(name)),
    };
    let left = match parameters.text("left") {
        // Deviation: BEP 3 wants it; clients with no metadata yet say nothing or -1.
        None => u64::MAX,
        Some(text) => text.parse().unwrap_or(u64::MAX),
    };
    let port = parameters.text("port").ok_or(QueryError::Missing("port"))?;
    let announce = Announce {
        info_hash: InfoHash(parameters.twenty("info_hash")?),
        peer_id: PeerId(parameters.twenty("peer_id")?),
        port: port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(QueryError::Invalid("port"))?,
        uploaded: number("uploaded")?,
        downloaded: number("downloaded")?,
        left,
        event: match parameters.text("event").as_deref() {
            Some("started") => AnnounceEvent::Started,
            Some("completed") => AnnounceEvent::Completed,
            Some("stopped") => AnnounceEvent::Stopped,
            _ => AnnounceEvent::None,
        },
        numwant: parameters
            .text("numwant")
            .and_then(|text| text.parse().ok()),
        // Any text is a key; those that are no number of ours have none.
        key: parameters
            .text("key")
            .and_then(|text| u32::from_str_radix(&text, 16).ok())
            .unwrap_or(0),
        tracker_id: parameters
            .bytes("trackerid")
            .filter(|id| id.len() <= MAX_TRACKER_ID),
        ip: parameters.text("ip").and_then(|text| text.parse().ok()),
    };
    // BEP 23: compact unless somebody says otherwise.
    let form = match parameters.text("compact").as_deref() {
        Some("0") => Form::Dictionary,
        _ => Form::Compact,
    };
    Ok((announce, form))
}

/// The body that answers an announce.
pub fn write_reply(reply: &Reply, form: Form) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|dict| {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        if let Some(count) = reply.seeders {
            dict.int("complete", count.into());
        }
        match reply.external_ip {
            Some(IpAddr::V4(ip)) => dict.bytes("external ip", ip.octets()),
            Some(IpAddr::V6(ip)) => dict.bytes("external ip", ip.octets()),
            None => {}
        }
        if let Some(count) = reply.leechers {
            dict.int("incomplete", count.into());
        }
        dict.int("interval", seconds(reply.interval));
        if let Some(interval) = reply.min_interval {
            dict.int("min interval", seconds(interval));
        }
        write_peers(dict, &reply.peers, form);
        if let Some(id) = &reply.tracker_id {
            dict.bytes("tracker id", id);
        }
        if let Some(warning) = &reply.warning {
            dict.bytes("warning message", warning);
        }
    });
    writer.into_bytes()
}

fn write_peers(dict: &mut DictWriter<'_>, peers: &[Endpoint], form: Form) {
    match form {
        Form::Compact => {
            let (mut v4, mut v6) = (Vec::new(), Vec::new());
            for peer in peers {
                peer.write_compact(if peer.ip.is_ipv4() { &mut v4 } else { &mut v6 });
            }
            dict.bytes("peers", v4);
            if !v6.is_empty() {
                dict.bytes("peers6", v6);
            }
        }
        Form::Dictionary => dict.list("peers", |list| {
            for peer in peers {
                list.dict(|dict| {
                    dict.bytes("ip", peer.ip.to_string());
                    dict.int("port", peer.port.into());
                });
            }
        }),
    }
}

/// The body that refuses an announce or a scrape.
pub fn write_failure(reason: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|dict| dict.bytes("failure reason", reason));
    writer.into_bytes()
}

/// Reads the body of an announce's answer.
///
/// # Errors
/// [`Failure::Reason`] if the tracker refused, [`Failure::NotBencode`] if no tracker wrote this.
pub fn parse_reply(body: &[u8]) -> Result<Reply, Failure> {
    let body = dictionary(body)?;
    let peers = body.get("peers");
    let peers6 = body.get("peers6");
    let interval = seconds(&body, "interval");
    if peers.is_none() && peers6.is_none() && interval.is_none() {
        return Err(Failure::NotBencode);
    }
    let count = |key| u32::try_from(body.get(key)?.as_int()?).ok();
    let bytes = |key| body.get(key)?.as_bytes();
    let peers = peers.into_iter().flat_map(|list| read_peers(list, 6));
    let peers6 = peers6.into_iter().flat_map(|list| read_peers(list, 18));
    Ok(Reply {
        interval: interval.unwrap_or(USUAL_INTERVAL),
        min_interval: seconds(&body, "min interval"),
        seeders: count("complete"),
        leechers: count("incomplete"),
        peers: peers
            .chain(peers6)
            .filter(|peer| peer.port != 0)
            .take(MAX_PEERS)
            .collect(),
        external_ip: bytes("external ip").and_then(address),
        warning: bytes("warning message").map(text),
        tracker_id: bytes("tracker id")
            .filter(|id| id.len() <= MAX_TRACKER_ID)
            .map(<[u8]>::to_vec),
    })
}

/// One list of peers in either form; what is no peer is left out.
fn read_peers(list: Value<'_>, length: usize) -> Vec<Endpoint> {
    if let Some(packed) = list.as_bytes() {
        return packed
            .chunks_exact(length)
            .take(MAX_PEERS)
            .filter_map(Endpoint::from_compact)
            .collect();
    }
    let peer = |peer: Value<'_>| {
        // Deviation: BEP 3 allows a DNS name; a list of names to resolve is no list of peers.
        let ip: IpAddr = peer.get("ip")?.as_str()?.parse().ok()?;
        Some(Endpoint::new(
            ip,
            u16::try_from(peer.get("port")?.as_int()?).ok()?,
        ))
    };
    list.as_list()
        .into_iter()
        .flatten()
        .take(MAX_PEERS)
        .filter_map(peer)
        .collect()
}

/// BEP 24: four or sixteen bytes; some trackers send text.
fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(octets.into());
    }
    if let Ok(octets) = <[u8; 16]>::try_from(bytes)
        && !bytes.is_ascii()
    {
        return Some(IpAddr::from(octets).to_canonical());
    }
    match std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        Some(ip) => Some(ip),
        None => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical()),
    }
}

fn seconds(body: &Value<'_>, key: &str) -> Option<Duration> {
    let seconds = u32::try_from(body.get(key)?.as_int()?).ok()?;
    Some(Duration::from_secs(seconds.into()))
}

/// The body's dictionary, unless it says why there is none.
fn dictionary(body: &[u8]) -> Result<Value<'_>, Failure> {
    let body = bencode::parse(body, &Limits::TRACKER).map_err(|_| Failure::NotBencode)?;
    if body.as_dict().is_none() {
        return Err(Failure::NotBencode);
    }
    match body
        .get("failure reason")
        .and_then(|reason| reason.as_bytes())
    {
        Some(reason) => Err(Failure::Reason(text(reason))),
        None => Ok(body),
    }
}

/// The query of a scrape (BEP 48), at most [`MAX_SCRAPE`] torrents.
pub fn scrape_query(hashes: &[InfoHash]) -> String {
    let parameter = |hash: &InfoHash| format!("info_hash={}", percent_encode(&hash.0, ESCAPED));
    let parameters: Vec<String> = hashes.iter().take(MAX_SCRAPE).map(parameter).collect();
    parameters.join("&")
}

/// Reads the query of a scrape; empty: everything, which a tracker need not answer.
///
/// # Errors
/// A hash that is none, more than [`MAX_SCRAPE`], a query that is too long.
pub fn parse_scrape_query(query: &str) -> Result<Vec<InfoHash>, QueryError> {
    // 74 hashes with every byte escaped.
    if query.len() > MAX_SCRAPE * 80 {
        return Err(QueryError::TooLong);
    }
    let values = query
        .split('&')
        .filter_map(|parameter| parameter.strip_prefix("info_hash="));
    let hash = |value| {
        let bytes: Cow<'_, [u8]> = percent_decode_str(value).into();
        let hash = bytes
            .as_ref()
            .try_into()
            .map_err(|_| QueryError::Invalid("info_hash"))?;
        Ok(InfoHash(hash))
    };
    values
        .take(MAX_SCRAPE + 1)
        .map(hash)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|hashes| {
            let few = hashes.len() <= MAX_SCRAPE;
            few.then_some(hashes).ok_or(QueryError::TooLong)
        })
}

/// The body that answers a scrape. `torrents` in increasing order of hashes, none twice.
pub fn write_scrape(torrents: &[(InfoHash, ScrapeReply)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.dict(|dict| {
        dict.dict("files", |files| {
            for (hash, torrent) in torrents {
                files.dict(hash.0, |dict| {
                    dict.int("complete", torrent.seeders.into());
                    dict.int("downloaded", torrent.completed.into());
                    dict.int("incomplete", torrent.leechers.into());
                });
            }
        });
    });
    writer.into_bytes()
}

/// Reads the body of a scrape's answer: what it says of each torrent, at most [`MAX_SCRAPE`].
///
/// # Errors
/// As [`parse_reply`].
pub fn parse_scrape(body: &[u8]) -> Result<Vec<(InfoHash, ScrapeReply)>, Failure> {
    let body = dictionary(body)?;
    let files = body
        .get("files")
        .and_then(|files| files.as_dict())
        .ok_or(Failure::NotBencode)?;
    let torrent = |(hash, torrent): (&[u8], Value<'_>)| {
        let count = |key| {
            let count = torrent.get(key).and_then(|count| count.as_int());
            count
                .and_then(|count| u32::try_from(count).ok())
                .unwrap_or(0)
        };
        let reply = ScrapeReply {
            seeders: count("complete"),
            completed: count("downloaded"),
            leechers: count("incomplete"),
        };
        Some((InfoHash(hash.try_into().ok()?), reply))
    };
    Ok(files.filter_map(torrent).take(MAX_SCRAPE).collect())
}

/// A query taken apart, still escaped.
struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    fn new(query: &'a str) -> Result<Parameters<'a>, QueryError> {
        if query.len() > MAX_QUERY {
            return Err(QueryError::TooLong);
        }
        Ok(Parameters(
            query
                .split('&')
                .filter_map(|parameter| parameter.split_once('='))
                .collect(),
        ))
    }

    /// Deviation: a plus sign is a plus sign and not a space, since clients leave it in hashes.
    fn raw(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        let (_, value) = self.0.iter().find(|(other, _)| *other == name)?;
        Some(percent_decode_str(value).into())
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.raw(name).map(Cow::into_owned)
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        match self.raw(name)? {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }

    fn twenty(&self, name: &'static str) -> Result<[u8; 20], QueryError> {
        let bytes = self.raw(name).ok_or(QueryError::Missing(name))?;
        bytes
            .as_ref()
            .try_into()
            .map_err(|_| QueryError::Invalid(name))
    }
}
