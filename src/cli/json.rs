//! The events of `--json`: one object a line on stdout, `{"v":1,"type":…}`.
//!
//! The contract of `cli.md`: names in snake case, bytes as integers, rates in bytes/s, seconds as
//! numbers, hashes in lower hex, unknown as null. A field may be added within version 1; none may
//! change its meaning. Names from the network stand here as they are: JSON escapes them itself.

use std::io::{self, Write};
use std::time::Duration;

use serde::{Serialize, Serializer};

/// One event. Fields are written in this order.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the contract")]
pub enum Event<'a> {
    Joining {
        nodes: u32,
        elapsed: Seconds,
    },
    Joined {
        nodes: u32,
        elapsed: Seconds,
    },
    Lookup {
        info_hash: Option<&'a str>,
        asked: u32,
        answered: u32,
        closest_bits: u16,
        peers: u32,
        elapsed: Seconds,
    },
    Peers {
        info_hash: Option<&'a str>,
        source: &'static str,
        found: u32,
    },
    Metadata {
        info_hash: Option<&'a str>,
        name: &'a str,
        files: u32,
        size: u64,
    },
    Progress(Progress<'a>),
    Note {
        /// Which torrent it is about, if it is about one.
        #[serde(skip_serializing_if = "Option::is_none")]
        info_hash: Option<&'a str>,
        message: &'a str,
    },
    Done(Done<'a>),
    Error {
        /// Which torrent it is about, if it is about one.
        #[serde(skip_serializing_if = "Option::is_none")]
        info_hash: Option<&'a str>,
        code: &'static str,
        exit_code: u8,
        message: &'a str,
        hint: Option<&'a str>,
    },
}

/// Where a torrent stands.
#[derive(Debug, Default, Serialize)]
pub struct Progress<'a> {
    /// Which torrent.
    pub info_hash: Option<&'a str>,
    /// `connecting`, `metadata`, `checking`, `hashing`, `downloading`, `seeding`, `paused`, `spoilt`.
    pub state: &'static str,
    /// Verified bytes (of the metadata: pieces).
    pub have: Option<u64>,
    /// Wanted bytes (of the metadata: pieces).
    pub size: Option<u64>,
    /// Bytes/s received.
    pub down: Option<u64>,
    /// Bytes/s sent.
    pub up: Option<u64>,
    /// Open connections.
    pub peers: Option<u32>,
    /// Seconds to go.
    pub eta: Option<Seconds>,
    /// Bytes sent in this run, while seeding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<u64>,
    /// Attempts so far, while connecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Attempts>,
    /// Why it is paused or spoilt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// Seconds until the next try, when paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_in: Option<Seconds>,
}

/// What became of attempts to connect.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Attempts {
    /// All of them.
    pub tried: u32,
    /// Answered by a closed port.
    pub refused: u32,
    /// Not answered.
    pub timed_out: u32,
}

/// The end of a download.
#[derive(Debug, Serialize)]
pub struct Done<'a> {
    /// Which torrent.
    pub info_hash: Option<&'a str>,
    /// Result paths, as on stdout without `--json`.
    pub paths: Vec<String>,
    /// Seconds since the start of the command.
    pub elapsed: Seconds,
    /// Bytes of pieces received in this run.
    pub downloaded: u64,
    /// Bytes of pieces sent in this run.
    pub uploaded: u64,
    /// When each step was reached.
    pub timeline: Steps,
}

/// Seconds from the start of the command to each step; null if it was not needed.
#[derive(Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Steps {
    pub first_node: Option<Seconds>,
    pub first_peers: Option<Seconds>,
    pub first_handshake: Option<Seconds>,
    pub metadata: Option<Seconds>,
    pub first_piece: Option<Seconds>,
    pub done: Option<Seconds>,
}

/// A span of time as a number of seconds, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(pub Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let millis = u32::try_from(self.0.as_millis()).ok().map(f64::from);
        to.serialize_f64(millis.map_or_else(|| self.0.as_secs_f64(), |millis| millis / 1000.0))
    }
}

/// Writes anything as one line with the version in front.
///
/// # Errors
/// The writer's.
pub fn write<T: Serialize>(to: &mut dyn Write, event: &T) -> io::Result<()> {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u8,
        #[serde(flatten)]
        event: &'a T,
    }
    let mut line = serde_json::to_vec(&Versioned { v: 1, event })?;
    line.push(b'\n');
    // One write a line: a reader on a pipe never sees half an event.
    to.write_all(&line)?;
    to.flush()
}
