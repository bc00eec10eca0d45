//! The vocabulary between a torrent and whoever drives it: settings, actions, events, reasons.
//!
//! Words only; the decisions stand in `torrent`. `disk` has the words for the storage.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Endpoint};

use super::PeerKey;
use super::disk::{DiskError, Job};
use super::reasons::{CloseReason, Reasons};
use crate::budget;
use crate::metainfo::Info;
use crate::wire::{Message, PeerId, Violation};

/// What the user decides about a torrent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we say we are; the same for all torrents, so that we recognise ourselves.
    pub our_id: PeerId,
    /// Our TCP port (told in the extension handshake) and UDP port of our DHT node.
    pub listen_port: Option<u16>,
    /// Connections at once, both directions.
    pub max_peers: usize,
    /// Attempts under way at once.
    pub max_half_open: usize,
    /// Peers served at once, one of which is chosen optimistically. 0: nothing is uploaded.
    pub upload_slots: usize,
    /// Which addresses may be dialled or accepted.
    pub policy: AddressPolicy,
    /// Whether to exchange peers with peers; never done for private torrents.
    pub pex: Pex,
    /// Bytes/s received; 0 = no limit.
    pub limit_down: u64,
    /// Bytes/s sent; 0 = no limit.
    pub limit_up: u64,
    /// What happens after completion.
    pub mode: Mode,
    /// Which pieces come first.
    pub picking: Order,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            our_id: PeerId([0; 20]),
            listen_port: None,
            max_peers: budget::CONNECTIONS_PER_TORRENT,
            max_half_open: budget::HALF_OPEN_PER_TORRENT,
            upload_slots: 8,
            policy: AddressPolicy::default(),
            pex: Pex::On,
            limit_down: 0,
            limit_up: 0,
            mode: Mode::Download,
            picking: Order::Rarest,
        }
    }
}

/// Peer exchange (BEP 11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pex {
    /// Send and receive.
    On,
    /// Not offered.
    Off,
}

/// What a torrent is run for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Until complete; the owner shuts it down then.
    Download,
    /// On and on: connections between two complete peers are closed.
    Seed,
}

/// Which pieces come first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Those that the fewest peers have.
    Rarest,
    /// By index: for looking at a file while it arrives.
    Sequential,
}

/// Where an address came from. An address may have several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PeerSource {
    /// A Kademlia lookup.
    Dht,
    /// A peer told.
    Pex,
    /// A tracker.
    Tracker,
    /// The local network.
    Lsd,
    /// The user or the magnet link.
    Manual,
    /// It connected to us.
    Incoming,
    /// It worked the last time that the torrent ran.
    Saved,
}

/// What the driver carries out, in order.
#[derive(Debug)]
pub enum Action {
    /// Connect and shake hands with `Torrent::handshake`; the answer is `handle_opened`,
    /// `handle_dial_failed` or `handle_closed`.
    Dial {
        /// The name of the connection from here on.
        peer: PeerKey,
        /// Whereto.
        endpoint: Endpoint,
    },
    /// Queue a message on a connection.
    Send {
        /// Which connection.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// End a connection or an attempt. The torrent has forgotten it already.
    Close {
        /// Which.
        peer: PeerKey,
        /// Why.
        reason: CloseReason,
    },
    /// Work for the storage, to be done in order.
    Disk(Job),
}

/// What the owner may want to know.
#[derive(Debug)]
pub enum Event {
    /// The `info` dictionary is there and right. Open the storage, then `storage_ready`.
    Metadata(Arc<Info>),
    /// One more piece is right and written.
    PieceStored(u32),
    /// Everything wanted is there. Comes again only after a piece was found damaged.
    Complete,
    /// Known addresses are used up and connections few: look for more.
    PeersWanted,
    /// A peer proved hostile; its address is refused from now on.
    Banned {
        /// Who.
        endpoint: Endpoint,
        /// What for.
        reason: CloseReason,
    },
    /// Pieces cannot be written. Nothing is requested meanwhile; serving goes on.
    DiskPaused {
        /// Why.
        error: DiskError,
        /// When writing is tried again.
        retry_at: Instant,
    },
    /// Writing works again.
    DiskResumed,
    /// A piece was wrong so often that it is left alone for a while.
    PieceFailed {
        /// Which.
        piece: u32,
    },
    /// A peer's DHT node (BEP 5 `port`).
    DhtPort(Endpoint),
    /// Data on disk no longer has the piece's hash; it is fetched again.
    PieceLost(u32),
}

/// Why an attempt to connect failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialError {
    /// A closed port answered.
    Refused,
    /// Nobody answered.
    TimedOut,
    /// No way there.
    Unreachable,
    /// No file descriptor is left for it: the address is not at fault.
    NoDescriptor,
    /// Anything else.
    Other,
}

/// Who or what ended a connection, as the driver saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClosedBy {
    /// The other side.
    Remote,
    /// It broke a rule of the wire protocol.
    Violation(Violation),
    /// The socket failed.
    Io,
    /// No file descriptor was left for it.
    NoDescriptor,
    /// Its task panicked: a fault of ours.
    Bug,
}

/// What the torrent is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Asking peers for the `info` dictionary.
    Metadata,
    /// Waiting for `storage_ready`.
    Opening,
    /// Fetching pieces.
    Downloading,
    /// Everything wanted is there.
    Complete,
    /// The disk does not take pieces.
    Paused,
    /// Shut down.
    Ended,
}

/// So many of so many.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Progress {
    /// What is there.
    pub have: u32,
    /// What there is; 0 while unknown.
    pub total: u32,
}

/// Counters of connections and addresses.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PeerCounts {
    /// Open connections.
    pub connected: u32,
    /// Attempts under way.
    pub dialling: u32,
    /// Addresses in the book.
    pub known: u32,
    /// Attempts so far.
    pub tried: u32,
    /// Attempts that a closed port answered.
    pub refused: u32,
    /// Attempts that nobody answered.
    pub timed_out: u32,
    /// Attempts that failed otherwise.
    pub failed: u32,
    /// Addresses banned.
    pub banned: u32,
    /// Of the connected, those that have everything.
    pub seeds: u32,
    /// Distinct addresses so far, by source.
    pub by_source: SourceCounts,
}

/// What became of the known addresses, and what comes next.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Why {
    /// Addresses in the book, our own not counted.
    pub known: u32,
    /// Of these, those that were tried at least once, connected ones included.
    pub tried: u32,
    /// A closed port answered the last attempt.
    pub refused: u32,
    /// Nobody answered the last attempt.
    pub timed_out: u32,
    /// The last attempt failed otherwise.
    pub failed: u32,
    /// Refused from now on.
    pub banned: u32,
    /// Neither banned nor connected, and to be tried later.
    pub waiting: u32,
    /// Until the next attempt; `None` if nobody is left to try. 0 if one is due.
    pub next_try: Option<Duration>,
}

/// Distinct addresses so far, by source; one address may count under several.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SourceCounts {
    /// See [`PeerSource::Dht`].
    pub dht: u32,
    /// See [`PeerSource::Pex`].
    pub pex: u32,
    /// See [`PeerSource::Tracker`].
    pub tracker: u32,
    /// See [`PeerSource::Lsd`].
    pub lsd: u32,
    /// See [`PeerSource::Manual`].
    pub manual: u32,
    /// See [`PeerSource::Incoming`].
    pub incoming: u32,
    /// See [`PeerSource::Saved`].
    pub saved: u32,
}

impl SourceCounts {
    /// One more address of this source.
    pub(super) fn count(&mut self, source: PeerSource) {
        let counter = match source {
            PeerSource::Dht => &mut self.dht,
            PeerSource::Pex => &mut self.pex,
            PeerSource::Tracker => &mut self.tracker,
            PeerSource::Lsd => &mut self.lsd,
            PeerSource::Manual => &mut self.manual,
            PeerSource::Incoming => &mut self.incoming,
            PeerSource::Saved => &mut self.saved,
        };
        *counter = counter.saturating_add(1);
    }
}

/// When what a user waits for happened; `None`: not yet.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Milestones {
    /// A peer shook hands.
    pub first_handshake: Option<Instant>,
    /// The `info` dictionary was complete.
    pub metadata: Option<Instant>,
    /// A piece was stored.
    pub first_piece: Option<Instant>,
    /// Everything wanted was stored.
    pub done: Option<Instant>,
}

/// The state of a torrent at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it is doing.
    pub phase: Phase,
    /// Bytes of wanted pieces that are stored.
    pub have_bytes: u64,
    /// Bytes of wanted pieces.
    pub wanted_bytes: u64,
    /// Bytes/s of blocks received, over the last seconds.
    pub down_rate: u64,
    /// Bytes/s of blocks sent, over the last seconds.
    pub up_rate: u64,
    /// Bytes of blocks received.
    pub downloaded: u64,
    /// Bytes of blocks handed to connections.
    pub uploaded: u64,
    /// Bytes received in vain: duplicates, unrequested, wrong hash.
    pub wasted: u64,
    /// Pieces that came with a wrong hash.
    pub wrong: u32,
    /// Connections and addresses.
    pub peers: PeerCounts,
    /// What was closed, refused, banned and dropped, and why.
    pub reasons: Reasons,
    /// What became of the addresses, and when the next is tried.
    pub why: Why,
    /// 16 KiB parts of the `info` dictionary.
    pub metadata: Progress,
    /// Pieces of the whole torrent.
    pub pieces: Progress,
    /// When things happened.
    pub milestones: Milestones,
}
