//! The words of an announce and a scrape, whatever carries them: BEP 3 "trackers", BEP 15, BEP 48.
//!
//! Invariant: a [`Reply`] holds at most [`MAX_PEERS`] peers, none with port 0, and texts of at most
//! [`MAX_TEXT`] bytes without control characters. This file knows no transport.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::net::IpAddr;
use std::time::Duration;

use bencode::Endpoint;

use crate::metainfo::InfoHash;
use crate::wire::PeerId;

/// Most peers taken from one reply; trackers send 50 to 200.
pub const MAX_PEERS: usize = 400;

/// Longest text of a tracker that is kept, in bytes.
pub const MAX_TEXT: usize = 256;

/// Longest content type shown, in bytes: `application/problem+json` and some room.
pub const MAX_KIND: usize = 64;

/// Longest `trackerid` that is sent back, in bytes.
pub const MAX_TRACKER_ID: usize = 256;

/// `left` of who does not know the size yet. Not 0, which would mean a seed.
pub const UNKNOWN_LEFT: u64 = 16 << 10;

/// Why an announce is made (BEP 3 `event`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AnnounceEvent {
    /// It is time again.
    #[default]
    None,
    /// The first one.
    Started,
    /// The last piece has just arrived.
    Completed,
    /// Goodbye.
    Stopped,
}

/// What a client tells a tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// Who.
    pub peer_id: PeerId,
    /// Where it listens, TCP; not 0.
    pub port: u16,
    /// Bytes of blocks sent since `started`.
    pub uploaded: u64,
    /// Bytes of blocks received since `started`.
    pub downloaded: u64,
    /// Bytes still missing; 0 is a seed. All ones if a client said it does not know.
    pub left: u64,
    /// Why now.
    pub event: AnnounceEvent,
    /// Peers wanted; `None`: as many as the tracker likes.
    pub numwant: Option<u32>,
    /// Proves a client's identity when its address changes; nobody else sees it.
    pub key: u32,
    /// What the tracker gave before, at most [`MAX_TRACKER_ID`] bytes. Not in datagrams.
    pub tracker_id: Option<Vec<u8>>,
    /// An address other than the one that it comes from. Datagrams carry IPv4 only.
    pub ip: Option<IpAddr>,
}

/// What a tracker answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// Until the next announce, in whole seconds.
    pub interval: Duration,
    /// Never more often than that.
    pub min_interval: Option<Duration>,
    /// Peers that have everything.
    pub seeders: Option<u32>,
    /// Peers that do not.
    pub leechers: Option<u32>,
    /// At most [`MAX_PEERS`]; addresses of any kind.
    pub peers: Vec<Endpoint>,
    /// Where the tracker saw the announce come from (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// Something for people, though it worked.
    pub warning: Option<String>,
    /// To be sent back next time.
    pub tracker_id: Option<Vec<u8>>,
}

/// What a tracker knows about one torrent (BEP 48).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScrapeReply {
    /// Peers that have everything (`complete`).
    pub seeders: u32,
    /// Downloads that were ever completed (`downloaded`).
    pub completed: u32,
    /// Peers that do not have everything (`incomplete`).
    pub leechers: u32,
}

/// Why a tracker gave nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// Its port is closed.
    #[error("it refuses connections")]
    Refused,
    /// No way to it.
    #[error("there is no route to it")]
    Unreachable,
    /// No answer in time.
    #[error("it does not answer")]
    Silent,
    /// It answered and broke off.
    #[error("it broke the connection off")]
    BrokenOff,
    /// An HTTP status other than 200 that leads nowhere.
    #[error("it answers with HTTP status {0}")]
    Status(u16),
    /// The answer is no tracker's: HTML, say.
    #[error("what it sends is no tracker's answer")]
    NotBencode,
    /// As `NotBencode`, and it says itself that it is something else: a captive portal's page, say. The content type
    /// without its parameters, at most [`MAX_KIND`] bytes, fit for a terminal.
    #[error("what it sends is no tracker's answer: {0}")]
    Page(String),
    /// The answer is longer than any tracker's.
    #[error("its answer is too long")]
    TooLong,
    /// TLS failed, mostly for its certificate.
    #[error("its certificate is not trusted: {0}")]
    Certificate(String),
    /// Its name has no address.
    #[error("its name cannot be resolved")]
    Name,
    /// The URL is none that is asked: scheme, port, host.
    #[error("its address is not one that may be asked: {0}")]
    Url(&'static str),
    /// It leads into a special range that the user did not open (`--allow-net`).
    #[error("it leads into a private network, which --allow-net would permit")]
    Special,
    /// Redirects that lead in circles, or from https to http.
    #[error("it redirects {0}")]
    Redirect(&'static str),
    /// The tracker's own words (`failure reason`).
    #[error("it says: {0}")]
    Reason(String),
    /// The operating system's words.
    #[error("{0}")]
    System(String),
}

impl Failure {
    /// The same, and of what kind the answer claims to be (an HTTP `Content-Type`), where it is no tracker's.
    pub fn of_kind(self, kind: Option<&[u8]>) -> Failure {
        let Some(kind) = kind.filter(|_| self == Failure::NotBencode) else {
            return self;
        };
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        let kind = text(kind.get(..MAX_KIND.min(kind.len())).unwrap_or_default());
        match kind.trim() {
            "" => self,
            kind => Failure::Page(kind.to_owned()),
        }
    }
}

/// A tracker's text, fit for a terminal: control characters gone, at most [`MAX_TEXT`] bytes.
pub(super) fn text(raw: &[u8]) -> String {
    let decoded = String::from_utf8_lossy(raw.get(..MAX_TEXT.min(raw.len())).unwrap_or_default());
    let mut clean: String = decoded.chars().filter(|c| !c.is_control()).collect();
    clean.truncate(clean.floor_char_boundary(MAX_TEXT));
    clean
}
