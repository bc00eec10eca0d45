//! The torrent file (BEP 3) around an `info` dictionary: trackers (BEP 12), DHT nodes (BEP 5).
//!
//! Invariant: the info hash is that of the span in the file. What stands around `info` is advice
//! from whoever made the file, so a bad part of it is left out, never a reason to refuse. This file
//! knows no tracker protocol.

use std::sync::Arc;

use bencode::{Limits, Value, Writer};
use bytes::Bytes;

use super::error::TorrentError;
use super::info::Info;

/// Most tracker URLs of all tiers together (reliability, bad-input table).
pub(super) const MAX_TRACKERS: usize = 64;
/// Most tiers of BEP 12.
pub(super) const MAX_TIERS: usize = 16;
/// Longest tracker URL in bytes.
pub(super) const MAX_URL: usize = 2048;
/// Most DHT nodes.
pub(super) const MAX_NODES: usize = 64;
/// Longest comment or creator that is kept, in bytes.
pub(super) const MAX_TEXT: usize = 4096;
/// Longest host name (RFC 1035).
const MAX_HOST: usize = 253;
/// Editors and servers append a line end; more than CR and LF behind the file is damage.
const MAX_TRAILING: usize = 2;

/// A torrent file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torrent {
    /// What is hashed.
    pub info: Arc<Info>,
    /// Tiers of tracker URLs, `http`, `https` or `udp`; at most 64 in 16 tiers, none of them empty.
    pub trackers: Vec<Vec<String>>,
    /// Hosts and ports of DHT nodes to start from, at most 64; ports are not 0.
    pub nodes: Vec<(String, u16)>,
    /// Free text of the maker, at most 4 KiB. Show it escaped.
    pub comment: Option<String>,
    /// The program that made it, at most 4 KiB. Show it escaped.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

impl Torrent {
    /// Reads a torrent file of at most 16 MiB.
    ///
    /// # Errors
    /// The first rule that the file or its `info` dictionary breaks.
    pub fn from_bytes(input: &[u8]) -> Result<Self, TorrentError> {
        let file = bencode::parse(without_line_end(input), &Limits::TORRENT)?;
        if file.as_dict().is_none() {
            return Err(TorrentError::WrongType("torrent"));
        }
        let info = file.get("info").ok_or(TorrentError::Missing("info"))?;
        Ok(Self {
            info: Arc::new(Info::from_bytes(Bytes::copy_from_slice(info.raw()))?),
            trackers: trackers(&file),
            nodes: nodes(&file),
            comment: text(&file, "comment"),
            created_by: text(&file, "created by"),
            creation_date: file.get("creation date").and_then(|date| date.as_int()),
        })
    }

    /// A torrent of metadata alone, as it comes from peers.
    #[must_use]
    pub fn from_info(info: Arc<Info>) -> Self {
        let (trackers, nodes) = (Vec::new(), Vec::new());
        Self {
            info,
            trackers,
            nodes,
            comment: None,
            created_by: None,
            creation_date: None,
        }
    }

    /// The file, keys sorted, `info` as it came.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.dict(|file| {
            let mut urls = self.trackers.iter().flatten();
            let first = urls.next();
            if let Some(url) = first {
                file.bytes("announce", url);
            }
            if urls.next().is_some() {
                file.list("announce-list", |tiers| {
                    for tier in &self.trackers {
                        tiers.list(|urls| tier.iter().for_each(|url| urls.bytes(url)));
                    }
                });
            }
            if let Some(comment) = &self.comment {
                file.bytes("comment", comment);
            }
            if let Some(program) = &self.created_by {
                file.bytes("created by", program);
            }
            if let Some(date) = self.creation_date {
                file.int("creation date", date);
            }
            file.raw("info", self.info.raw());
            if !self.nodes.is_empty() {
                file.list("nodes", |nodes| {
                    for (host, port) in &self.nodes {
                        nodes.list(|node| {
                            node.bytes(host);
                            node.int(i64::from(*port));
                        });
                    }
                });
            }
        });
        writer.into_bytes()
    }
}

/// Whether a URL is one of a tracker that could be asked.
pub(super) fn is_tracker(url: &str) -> bool {
    let scheme = url.split("://").next().unwrap_or_default();
    let known = ["http", "https", "udp"]
        .iter()
        .any(|name| scheme.eq_ignore_ascii_case(name));
    known
        && url.len() <= MAX_URL
        && url.len() > scheme.len().saturating_add(3)
        && !url.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Cuts at most [`MAX_TRAILING`] bytes of white space behind the closing `e`.
fn without_line_end(input: &[u8]) -> &[u8] {
    let mut rest = input;
    for _ in 0..MAX_TRAILING {
        match rest.split_last() {
            Some((b'\r' | b'\n' | b' ' | b'\t', start)) => rest = start,
            _ => break,
        }
    }
    rest
}

fn text(file: &Value<'_>, key: &str) -> Option<String> {
    let bytes = file.get(key)?.as_bytes()?;
    let text = String::from_utf8_lossy(bytes);
    let end = text.floor_char_boundary(MAX_TEXT);
    text.get(..end).map(str::to_owned)
}

/// `announce-list` if it names anything usable, else `announce` (BEP 12).
fn trackers(file: &Value<'_>) -> Vec<Vec<String>> {
    let usable = |value: Value<'_>| {
        value
            .as_str()
            .filter(|url| is_tracker(url))
            .map(str::to_owned)
    };
    let mut tiers: Vec<Vec<String>> = Vec::new();
    let mut left = MAX_TRACKERS;
    for tier in file
        .get("announce-list")
        .and_then(|list| list.as_list())
        .into_iter()
        .flatten()
    {
        let urls = tier.as_list().into_iter().flatten().filter_map(usable);
        let tier: Vec<String> = urls.take(left).collect();
        if !tier.is_empty() && tiers.len() < MAX_TIERS {
            left = left.saturating_sub(tier.len());
            tiers.push(tier);
        }
    }
    if tiers.is_empty() {
        tiers.extend(file.get("announce").and_then(usable).map(|url| vec![url]));
    }
    tiers
}

/// `nodes` of BEP 5: pairs of host and port.
fn nodes(file: &Value<'_>) -> Vec<(String, u16)> {
    let node = |pair: Value<'_>| {
        let mut pair = pair.as_list()?;
        let host = pair
            .next()?
            .as_str()
            .filter(|host| is_host(host))?
            .to_owned();
        let port = u16::try_from(pair.next()?.as_int()?)
            .ok()
            .filter(|port| *port != 0)?;
        Some((host, port))
    };
    let list = file.get("nodes").and_then(|nodes| nodes.as_list());
    list.into_iter()
        .flatten()
        .filter_map(node)
        .take(MAX_NODES)
        .collect()
}

/// Whether a text could be a host name or an address.
fn is_host(host: &str) -> bool {
    (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(|b| b.is_ascii_graphic())
}
