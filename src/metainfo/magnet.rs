//! Magnet links (BEP 9 "magnet URI format", BEP 53 `so`): a torrent by its hash alone.
//!
//! Invariant: a [`Magnet`] holds one version 1 hash and at most as much advice as the limits below
//! allow; an error tells which bytes of the link are at fault, so that a caret can stand below
//! them. This file resolves no host and knows no network.

use std::fmt;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::info_hash::{InfoHash, InfoHashError};
use super::path;
use super::torrent::is_tracker;

/// Longest link in bytes (reliability, bad-input table).
pub(super) const MAX_LINK: usize = 16 << 10;
/// Most parameters, unknown ones included.
pub(super) const MAX_PARAMETERS: usize = 64;
/// Most `tr`; further ones are left out.
pub(super) const MAX_TRACKERS: usize = 32;
/// Most `x.pe`; further ones are left out.
pub(super) const MAX_PEERS: usize = 32;
/// Most ranges of `so`.
pub(super) const MAX_RANGES: usize = 1000;
/// Highest file index of `so`.
pub(super) const MAX_INDEX: u32 = 1_000_000;
/// Longest host name (RFC 1035).
const MAX_HOST: usize = 253;

/// A magnet link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Magnet {
    /// `xt`: which torrent.
    pub info_hash: InfoHash,
    /// `dn`: a name to show until the metadata is there; tidied, at most 240 bytes.
    pub name: Option<String>,
    /// `x.pe`: hosts and ports of peers; IPv6 without brackets.
    pub peers: Vec<(String, u16)>,
    /// `tr`: URLs of trackers.
    pub trackers: Vec<String>,
    /// `so`: indices of the files that are wanted; `None` for all.
    pub select: Option<Vec<RangeInclusive<u32>>>,
}

/// What is wrong with a link, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct MagnetError {
    /// The rule.
    pub kind: MagnetErrorKind,
    /// First byte at fault, counted from the start of the link.
    pub offset: usize,
    /// Bytes at fault; 0 if something is missing at `offset`.
    pub length: usize,
}

/// The rules of magnet links, one variant each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MagnetErrorKind {
    /// Does not start with `magnet:?`.
    #[error("a magnet link starts with magnet:?")]
    Scheme,
    /// Above 16 KiB.
    #[error("the link is longer than 16 KiB")]
    TooLong,
    /// Above 64.
    #[error("the link has more than {MAX_PARAMETERS} parameters")]
    TooManyParameters,
    /// `%` without two hexadecimal digits, or the result is no UTF-8.
    #[error("a percent sign needs two hexadecimal digits that make up UTF-8 text")]
    Percent,
    /// No `xt` of BitTorrent.
    #[error("the link has no info hash (xt=urn:btih:)")]
    NoHash,
    /// Only `urn:btmh`.
    #[error("this link is for version 2 of BitTorrent only, which is not supported")]
    VersionTwoOnly,
    /// Two different hashes.
    #[error("the link has two different info hashes")]
    TwoHashes,
    /// The hash itself.
    #[error("{0}")]
    Hash(#[from] InfoHashError),
    /// `x.pe` is not host and port.
    #[error("a peer is written host:port or [IPv6]:port")]
    Peer,
    /// The key behind `xs=urn:btpk:` (BEP 46).
    #[error("a publisher's key has 64 hexadecimal digits")]
    Key,
    /// `s` of such a link.
    #[error("a salt is at most 64 bytes in hexadecimal digits")]
    Salt,
    /// `so` is not a list of indices and ranges.
    #[error("files are selected by numbers and ranges such as 0,2,4-6")]
    Select,
}

impl Magnet {
    /// A link of nothing but the hash.
    #[must_use]
    pub fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            name: None,
            peers: Vec::new(),
            trackers: Vec::new(),
            select: None,
        }
    }

    /// Reads a link.
    ///
    /// # Errors
    /// The first fault from the left; a missing hash is found last.
    pub fn parse(link: &str) -> Result<Self, MagnetError> {
        if link.len() > MAX_LINK {
            let length = link.len().saturating_sub(MAX_LINK);
            return Err(MagnetError {
                kind: MagnetErrorKind::TooLong,
                offset: MAX_LINK,
                length,
            });
        }
        let query = link
            .get(..8)
            .filter(|scheme| scheme.eq_ignore_ascii_case("magnet:?"))
            .and_then(|_| link.get(8..))
            .ok_or(MagnetError {
                kind: MagnetErrorKind::Scheme,
                offset: 0,
                length: link.floor_char_boundary(8),
            })?;
        let mut draft = Draft::default();
        let mut offset = 8_usize;
        for (count, parameter) in query.split('&').enumerate() {
            if count >= MAX_PARAMETERS {
                let length = link.len().saturating_sub(offset);
                let kind = MagnetErrorKind::TooManyParameters;
                return Err(MagnetError {
                    kind,
                    offset,
                    length,
                });
            }
            if let Some((key, value)) = parameter.split_once('=') {
                let offset = offset.saturating_add(key.len()).saturating_add(1);
                draft.take(
                    key,
                    Field {
                        text: value,
                        offset,
                    },
                )?;
            }
            offset = offset.saturating_add(parameter.len()).saturating_add(1);
        }
        draft.finish(link.len())
    }
}

impl FromStr for Magnet {
    type Err = MagnetError;

    fn from_str(link: &str) -> Result<Self, MagnetError> {
        Self::parse(link)
    }
}

/// The value of one parameter as it stands in the link.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) text: &'a str,
    /// Its first byte in the link.
    pub(super) offset: usize,
}

impl Field<'_> {
    /// An error over the whole value.
    pub(super) fn error(self, kind: MagnetErrorKind) -> MagnetError {
        MagnetError {
            kind,
            offset: self.offset,
            length: self.text.len(),
        }
    }

    /// Decodes `%41` and, as forms do, `+` for a space.
    pub(super) fn decode(self) -> Result<String, MagnetError> {
        let mut bytes = Vec::with_capacity(self.text.len());
        let mut rest = self.text.as_bytes();
        while let Some((&first, tail)) = rest.split_first() {
            let (byte, next) = match first {
                b'%' => match tail.split_at_checked(2) {
                    Some(([high, low], next)) => match (digit(*high), digit(*low)) {
                        (Some(high), Some(low)) => ((high << 4) | low, next),
                        _ => return Err(self.percent(rest.len())),
                    },
                    _ => return Err(self.percent(rest.len())),
                },
                b'+' => (b' ', tail),
                other => (other, tail),
            };
            bytes.push(byte);
            rest = next;
        }
        String::from_utf8(bytes).map_err(|_| self.error(MagnetErrorKind::Percent))
    }

    /// An error at a percent sign with `left` bytes from it to the end of the value.
    fn percent(self, left: usize) -> MagnetError {
        let inside = self.text.len().saturating_sub(left);
        let end = self
            .text
            .ceil_char_boundary(inside.saturating_add(left.min(3)));
        MagnetError {
            kind: MagnetErrorKind::Percent,
            offset: self.offset.saturating_add(inside),
            length: end.saturating_sub(inside),
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// A link while it is read.
#[derive(Default)]
struct Draft {
    info_hash: Option<InfoHash>,
    /// Where a version 2 hash was seen: offset and length.
    version_two: Option<(usize, usize)>,
    name: Option<String>,
    peers: Vec<(String, u16)>,
    trackers: Vec<String>,
    select: Option<Vec<RangeInclusive<u32>>>,
}

impl Draft {
    /// Takes one parameter; `xt.1` counts as `xt`.
    fn take(&mut self, key: &str, field: Field<'_>) -> Result<(), MagnetError> {
        let numbered = |name: &str| {
            key.strip_prefix(name).is_some_and(|number| {
                number.is_empty()
                    || number
                        .strip_prefix('.')
                        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
            })
        };
        if numbered("xt") {
            self.take_topic(field)
        } else if key == "dn" {
            // A name is only shown: one that is no file name is left out.
            self.name = self.name.take().or(path::component(&field.decode()?).ok());
            Ok(())
        } else if numbered("tr") {
            let url = field.decode()?;
            let wanted = is_tracker(&url) && !self.trackers.contains(&url);
            if wanted && self.trackers.len() < MAX_TRACKERS {
                self.trackers.push(url);
            }
            Ok(())
        } else if key == "x.pe" {
            let peer = peer(&field.decode()?).ok_or(field.error(MagnetErrorKind::Peer))?;
            if self.peers.len() < MAX_PEERS && !self.peers.contains(&peer) {
                self.peers.push(peer);
            }
            Ok(())
        } else if key == "so" {
            let list = ranges(&field.decode()?).ok_or(field.error(MagnetErrorKind::Select))?;
            self.select = Some(list);
            Ok(())
        } else {
            Ok(())
        }
    }

    /// `urn:btih:` and a hash; topics of other networks are ignored.
    fn take_topic(&mut self, field: Field<'_>) -> Result<(), MagnetError> {
        let topic = field.decode()?;
        let behind = |scheme: &str| {
            let start = topic.get(..scheme.len())?;
            start
                .eq_ignore_ascii_case(scheme)
                .then(|| topic.get(scheme.len()..))
                .flatten()
        };
        if behind("urn:btmh:").is_some() {
            self.version_two = Some((field.offset, field.text.len()));
            return Ok(());
        }
        let Some(text) = behind("urn:btih:") else {
            return Ok(());
        };
        // Whether `urn:btih:` was written plainly or with escapes: the hash is at the end.
        let length = if topic == field.text {
            text.len()
        } else {
            field.text.len()
        };
        let start = field
            .offset
            .saturating_add(field.text.len().saturating_sub(length));
        let hash = text.parse::<InfoHash>().map_err(|error| match error {
            InfoHashError::Character { at, .. } if topic == field.text => MagnetError {
                kind: error.into(),
                offset: start.saturating_add(at),
                length: text
                    .get(at..)
                    .and_then(|t| t.chars().next())
                    .map_or(1, char::len_utf8),
            },
            _ => MagnetError {
                kind: error.into(),
                offset: start,
                length,
            },
        })?;
        match self.info_hash {
            Some(other) if other != hash => Err(field.error(MagnetErrorKind::TwoHashes)),
            _ => {
                self.info_hash = Some(hash);
                Ok(())
            }
        }
    }

    /// `end` is the length of the link, where a missing hash would stand.
    fn finish(self, end: usize) -> Result<Magnet, MagnetError> {
        let Self {
            info_hash,
            version_two,
            name,
            peers,
            trackers,
            select,
        } = self;
        match (info_hash, version_two) {
            (Some(info_hash), _) => Ok(Magnet {
                info_hash,
                name,
                peers,
                trackers,
                select,
            }),
            (None, Some((offset, length))) => Err(MagnetError {
                kind: MagnetErrorKind::VersionTwoOnly,
                offset,
                length,
            }),
            (None, None) => Err(MagnetError {
                kind: MagnetErrorKind::NoHash,
                offset: end,
                length: 0,
            }),
        }
    }
}

/// `host:port`, `1.2.3.4:port` or `[v6]:port`.
fn peer(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .filter(|ip| ip.parse::<Ipv6Addr>().is_ok())?,
        None => host,
    };
    let bare = text.starts_with('[')
        || host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    (bare && (1..=MAX_HOST).contains(&host.len())).then(|| (host.to_owned(), port))
}

/// `0,2,4-6`: indices and closed ranges.
fn ranges(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let index = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        plain
            .then(|| text.parse().ok())
            .flatten()
            .filter(|index| *index <= MAX_INDEX)
    };
    let mut list = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (index(first)?, index(last)?);
        if first > last || list.len() >= MAX_RANGES {
            return None;
        }
        list.push(first..=last);
    }
    Some(list)
}

/// Writes text so that nothing in it ends a parameter.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                write!(f, "{}", char::from(byte))
            }
            _ => write!(f, "%{byte:02X}"),
        })
    }
}

impl fmt::Display for Magnet {
    /// The canonical link: hash in lower-case hex, then name, trackers, peers, selection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "magnet:?xt=urn:btih:{}", self.info_hash)?;
        if let Some(name) = &self.name {
            write!(f, "&dn={}", Escaped(name))?;
        }
        self.trackers
            .iter()
            .try_for_each(|url| write!(f, "&tr={}", Escaped(url)))?;
        for (host, port) in &self.peers {
            if host.contains(':') {
                write!(f, "&x.pe=[{host}]:{port}")?;
            } else {
                write!(f, "&x.pe={}:{port}", Escaped(host))?;
            }
        }
        for (index, range) in self.select.iter().flatten().enumerate() {
            f.write_str(if index == 0 { "&so=" } else { "," })?;
            write!(f, "{}", range.start())?;
            if range.end() > range.start() {
                write!(f, "-{}", range.end())?;
            }
        }
        Ok(())
    }
}
