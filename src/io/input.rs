//! Everything that can happen to a torrent, as its task hears it: the words between the torrent's task
//! and those of its peers, its disk and its owner.

use std::path::PathBuf;

use bencode::{Cidr, Endpoint};
use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::descriptors::Permit;
use crate::storage::{CheckProgress, OpenError, StateNews};
use crate::swarm::disk::{DiskError, Reply};
use crate::swarm::{Bitfield, ClosedBy, DialError, PeerKey, PeerSource};
use crate::wire::{Connection, Handshake, Message};

/// A connection and what was read of it beyond the handshake.
pub(super) struct Opened {
    pub(super) stream: TcpStream,
    pub(super) connection: Connection,
    pub(super) input: BytesMut,
    /// What it is counted as; exchanged when a caller gets a place.
    pub(super) permit: Permit,
}

/// Everything that can happen to a torrent.
pub(super) enum Input {
    /// An outgoing connection has shaken hands.
    Opened { peer: PeerKey, theirs: Handshake },
    /// A connection from outside for this torrent.
    Incoming {
        opened: Box<Opened>,
        theirs: Handshake,
        from: Endpoint,
    },
    /// The messages of one read.
    Messages { peer: PeerKey, batch: Vec<Message> },
    /// Bytes of blocks and extended messages written to the peer's socket since it opened.
    Sent { peer: PeerKey, block_bytes: u64 },
    /// The connection has ended.
    Closed { peer: PeerKey, by: ClosedBy },
    /// It never began.
    DialFailed { peer: PeerKey, error: DialError },
    /// A disk job is done.
    Disk(Reply),
    /// How far the check of existing data is.
    Checking(CheckProgress),
    /// The storage is open, with these pieces.
    StorageReady(Bitfield),
    /// Its state cannot be saved, or can be again.
    State(StateNews),
    /// It cannot be opened.
    StorageFailed(OpenError),
    /// All data is durable under its final names, or could not be made so.
    Flushed(Result<Vec<PathBuf>, DiskError>),
    /// More addresses to try.
    Add(PeerSource, Vec<Endpoint>),
    /// The addresses on our own links, for a torrent that neighbours may know of.
    Neighbours(Vec<Cidr>),
    /// End cleanly.
    Stop(oneshot::Sender<()>),
}
