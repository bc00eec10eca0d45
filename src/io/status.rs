//! What can be seen of a torrent from outside its task: events, state, milestones; and what its owner
//! decides: where the data goes, which pieces are wanted. Words only.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dht::LookupReport;

use crate::metainfo::Info;
use crate::storage::{CheckProgress, Location, OpenError, OpenMode, StateNews};
use crate::swarm::disk::DiskError;
use crate::swarm::{Bitfield, Event, Snapshot};

/// Picks the wanted pieces once the files are known.
///
/// # Errors
/// A reason for people when the wish fits nothing in this torrent.
pub type Select = Box<dyn FnOnce(&Info) -> Result<Option<Bitfield>, String> + Send>;

/// Where the data goes.
pub enum Destination {
    /// Nowhere: only the metadata is wanted.
    MetadataOnly,
    /// Files.
    Files(Location, OpenMode),
}

/// What the owner of a torrent hears, in order.
#[derive(Debug)]
pub enum TorrentEvent {
    /// The files are known.
    Metadata(Arc<Info>),
    /// The pieces present at the start.
    Opened {
        /// Pieces that need not be fetched.
        have: u32,
    },
    /// The torrent's state cannot be saved, or can be again.
    State(StateNews),
    /// Everything wanted is verified, durable and under its final name.
    Complete(Vec<PathBuf>),
    /// Something worth a line: who was banned, that the disk is full, that it goes on.
    Notice(Event),
    /// The torrent cannot go on.
    Failed(Failed),
}

/// Why a torrent cannot go on.
#[derive(Debug)]
pub enum Failed {
    /// The wish for files fits nothing.
    Selection(String),
    /// The storage cannot be opened.
    Storage(OpenError),
    /// The finished data cannot be made durable.
    Disk(DiskError),
    /// Its task has panicked, with these words: a fault of this program, or of the embedder's [`Select`]. The torrent has
    /// ended, the client and its other torrents go on; added again, it starts from what was made durable.
    Bug(String),
}

/// Seconds from the torrent's start to what a user waits for; `None`: not yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timeline {
    /// A DHT node answered.
    pub first_node: Option<Duration>,
    /// An answer held peers.
    pub first_peers: Option<Duration>,
    /// A peer shook hands for this torrent.
    pub first_handshake: Option<Duration>,
    /// The metadata is complete.
    pub metadata: Option<Duration>,
    /// The first piece was verified and written.
    pub first_piece: Option<Duration>,
    /// Everything wanted is durable.
    pub done: Option<Duration>,
}

/// The state of a torrent's DHT search.
#[derive(Clone, Debug, Default)]
pub struct SearchStatus {
    /// The lookup under way.
    pub running: Option<LookupReport>,
    /// The last one that ended.
    pub last: Option<LookupReport>,
    /// Lookups that ended.
    pub ended: u32,
    /// When the next starts.
    pub next: Option<Instant>,
}

/// Whether strangers may hear of a torrent (BEP 27).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privacy {
    /// Only its name is known. It is treated as public: nobody could look for the metadata otherwise.
    Unknown,
    /// Anybody may.
    Public,
    /// Only its trackers may: no DHT, no peer exchange, no local discovery.
    Private,
}

impl Privacy {
    /// What the files say.
    pub(super) fn of(info: &Info) -> Privacy {
        if info.is_private() {
            Privacy::Private
        } else {
            Privacy::Public
        }
    }
}

/// What can be seen of a torrent from outside, renewed five times a second.
#[derive(Clone, Debug)]
pub struct Status {
    /// The machine's counters and phase.
    pub snapshot: Snapshot,
    /// How far the check of existing data is, while it runs.
    pub checking: Option<CheckProgress>,
    /// The DHT search.
    pub search: SearchStatus,
    /// Whether it is private.
    pub privacy: Privacy,
    /// Milestones.
    pub timeline: Timeline,
}

impl Status {
    /// Before anything happened.
    pub(super) fn initial(snapshot: Snapshot, privacy: Privacy) -> Status {
        Status {
            snapshot,
            checking: None,
            search: SearchStatus::default(),
            privacy,
            timeline: Timeline::default(),
        }
    }
}
