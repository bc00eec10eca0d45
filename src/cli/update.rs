//! What a command with a network tells its user while it works: typed, so that the same update
//! becomes a live line, a plain line (`wording`) or an event of `--json` (`events`). Words only: it
//! knows neither.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::io::Timeline;

/// Where a command stands now.
#[derive(Clone, PartialEq, Debug)]
pub enum Update {
    /// Asking bootstrap nodes and known contacts.
    Joining {
        /// Nodes that answered.
        nodes: u32,
        /// Since the start of the command.
        elapsed: Duration,
    },
    /// The first nodes answered; the lookup goes on from here.
    Joined {
        /// Nodes that answered.
        nodes: u32,
        /// Since the start of the command.
        elapsed: Duration,
    },
    /// Asking closer and closer nodes for peers.
    LookingUp {
        /// Queries sent.
        asked: u32,
        /// Answers received.
        answered: u32,
        /// Leading bits that the closest node shares with the info hash, of 160.
        closest_bits: u16,
        /// Distinct peers named so far.
        peers: u32,
        /// Since the lookup began.
        elapsed: Duration,
    },
    /// Peers became known. An event, not a state: the live line stays what it was.
    PeersFound {
        /// Through what.
        source: Source,
        /// How many new ones.
        found: u32,
    },
    /// Connecting to peers; nothing to transfer yet.
    Connecting {
        /// Open connections.
        connected: u32,
        /// Attempts so far.
        tried: u32,
        /// Attempts that a closed port answered.
        refused: u32,
        /// Attempts that nobody answered.
        timed_out: u32,
    },
    /// Receiving the `info` dictionary, 16 KiB pieces.
    Metadata {
        /// Pieces received.
        have: u32,
        /// Pieces it has; 0 while unknown.
        total: u32,
    },
    /// The `info` dictionary is there and right. An event like [`Update::PeersFound`].
    MetadataDone {
        /// The torrent's name, as received.
        name: String,
        /// Files (padding not counted).
        files: u32,
        /// Bytes.
        size: u64,
        /// Bytes free where it will be written.
        free: Option<u64>,
    },
    /// Hashing what is on disk.
    Checking {
        /// The torrent's name, as received.
        name: String,
        /// Bytes hashed.
        done: u64,
        /// Bytes to hash.
        total: u64,
    },
    /// Making a torrent: hashing the files that it will have.
    Hashing {
        /// The name that the torrent will have.
        name: String,
        /// Bytes hashed.
        done: u64,
        /// Bytes to hash.
        total: u64,
    },
    /// Receiving pieces.
    Downloading(Transfer),
    /// Complete, serving others.
    Seeding {
        /// The torrent's name, as received.
        name: String,
        /// Bytes sent in this run.
        uploaded: u64,
        /// Bytes/s sent.
        up: u64,
        /// Uploaded ÷ size.
        ratio: f64,
        /// Open connections.
        peers: u32,
    },
    /// Something keeps it from going on.
    Paused {
        /// What, for people.
        reason: String,
        /// When it is tried again.
        retry_in: Option<Duration>,
    },
    /// Whatever has come so far was wrong.
    Spoilt {
        /// What that means, for people.
        reason: String,
        /// Open connections.
        peers: u32,
    },
    /// A diagnosis or an explanation: what is wrong, what happens next, when.
    Note(String),
}

/// A download under way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transfer {
    /// The torrent's name, as received.
    pub name: String,
    /// Verified bytes of the wanted files.
    pub have: u64,
    /// Bytes of the wanted files.
    pub size: u64,
    /// Bytes/s received.
    pub down: u64,
    /// Bytes/s sent.
    pub up: u64,
    /// Time to go, if it can be told.
    pub eta: Option<Duration>,
    /// Open connections.
    pub peers: u32,
}

/// Where peers became known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// Kademlia.
    Dht,
    /// Peer exchange.
    Pex,
    /// A tracker.
    Tracker,
    /// The local network.
    Lsd,
    /// `--peer` or the magnet link.
    Manual,
    /// They worked in an earlier run.
    Saved,
}

impl Source {
    /// As in the `peers` event.
    pub fn name(self) -> &'static str {
        match self {
            Source::Dht => "dht",
            Source::Pex => "pex",
            Source::Tracker => "tracker",
            Source::Lsd => "lsd",
            Source::Manual => "manual",
            Source::Saved => "saved",
        }
    }
}

impl Update {
    /// Whether it tells of something that happened, not of a state that lasts.
    pub fn is_event(&self) -> bool {
        matches!(
            self,
            Update::Joined { .. }
                | Update::PeersFound { .. }
                | Update::MetadataDone { .. }
                | Update::Note(_)
        )
    }
}

/// A command's successful end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Done {
    /// What was made or downloaded; printed on stdout.
    pub paths: Vec<PathBuf>,
    /// Bytes that are there now.
    pub size: u64,
    /// Since the start of the command.
    pub elapsed: Duration,
    /// Bytes of pieces received in this run.
    pub downloaded: u64,
    /// Bytes of pieces sent in this run.
    pub uploaded: u64,
    /// When each step was reached.
    pub timeline: Timeline,
}
