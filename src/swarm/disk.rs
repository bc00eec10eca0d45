//! The words between a torrent and its storage: one job, one reply. The torrent never touches a
//! file; whoever drives it carries jobs to `storage` and replies back, in order.

use bytes::Bytes;

use super::PeerKey;
use crate::wire::Block;

/// SHA-1 of a piece or a block.
pub type Digest = [u8; 20];

/// What the torrent wants done.
#[derive(Debug)]
pub enum Job {
    /// Hash the piece from memory, compare, then write it with one vectored positional write.
    Store {
        /// Piece index.
        piece: u32,
        /// The whole piece, its blocks in order.
        blocks: Vec<Bytes>,
        /// Whether the reply shall carry the SHA-1 of each block even if the piece is right
        /// (to compare with the blocks of an earlier, wrong copy: BEP-less "smart ban").
        digests: Digests,
    },
    /// Read a block for a peer. The storage hashes the piece first if its file changed since it
    /// was last verified.
    Read {
        /// For whom.
        peer: PeerKey,
        /// What; already checked against the torrent's geometry.
        block: Block,
    },
}

/// See [`Job::Store`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Digests {
    /// Only when the piece is wrong.
    IfWrong,
    /// In any case.
    Always,
}

/// What became of a [`Job`].
#[derive(Debug)]
pub enum Reply {
    /// The piece is right and written (durable only after the storage's next sync).
    Stored {
        /// Piece index.
        piece: u32,
        /// SHA-1 of each block, if they were asked for.
        digests: Option<Vec<Digest>>,
    },
    /// The piece's hash is wrong; nothing was written.
    Mismatch {
        /// Piece index.
        piece: u32,
        /// SHA-1 of each block, to find out who lied once the piece is right.
        digests: Vec<Digest>,
    },
    /// The piece is right but could not be written. The blocks come back.
    StoreFailed {
        /// Piece index.
        piece: u32,
        /// The blocks as they were given.
        blocks: Vec<Bytes>,
        /// Why.
        error: DiskError,
    },
    /// A block to send.
    Block {
        /// For whom.
        peer: PeerKey,
        /// What.
        block: Block,
        /// Its bytes.
        data: Bytes,
    },
    /// A block that could not be read.
    ReadFailed {
        /// For whom.
        peer: PeerKey,
        /// What.
        block: Block,
        /// Why. [`DiskError::Damaged`] takes the piece back.
        error: DiskError,
    },
    /// A piece that was stored turned out damaged or missing while nobody had asked for it.
    Lost {
        /// Piece index.
        piece: u32,
    },
}

/// Why a job failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiskError {
    /// No space left (ENOSPC, EDQUOT): the torrent pauses and tries again.
    Full,
    /// Nothing may be written there now (EROFS, EACCES, EPERM), with path and reason, for people: a disk that the system has
    /// made read-only, or a folder's changed rights. The torrent pauses and tries again.
    ReadOnly(String),
    /// The data on disk no longer has the piece's hash, or the file is missing or shorter.
    Damaged,
    /// Anything else, with path and operation, for people.
    Io(String),
}
