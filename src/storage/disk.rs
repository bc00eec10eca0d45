//! The storage of one torrent as a machine: jobs in, replies out, group commits in between.
//!
//! Order of things, which no crash may turn round: blocks in memory -> hash -> write -> sync of the
//! files -> record in the journal -> sync of the journal; a file gets its name when all its pieces
//! are recorded.
//!
//! Invariant: a piece that is recorded had its hash and was durable; no block is read out before its
//! piece was hashed since its files last changed. Knows no peers and no clock.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::backing::{Fingerprint, Storage};
use super::hash::{Slices, digest, digests};
use super::layout::Layout;
use super::notes::Notes;
use super::sync::{Unsynced, describe};
use crate::swarm::Bitfield;
use crate::swarm::PeerKey;
use crate::swarm::disk::{DiskError, Job, Reply};
use crate::wire::Block;

/// Why somebody else's bytes are not changed.
pub(super) const FOREIGN: &str = "it is not ours and holds something else";

/// What we know of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Only we have written to it, if anybody.
    Open,
    /// Somebody else has changed or removed it: all of it is hashed before it is called complete.
    Disturbed,
    /// Complete, durable, under its name, its fingerprint recorded.
    Settled,
    /// Was settled; then somebody changed it. Its pieces are hashed before they are read out, and
    /// all of it at the next start.
    Changed,
}

/// One file and when we last saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pub(crate) standing: Standing,
    pub(crate) seen: Option<Fingerprint>,
    /// Bytes at its beginning that are not ours to change; see [`super::foreign`].
    pub(crate) protected: u64,
}

/// One torrent's storage.
pub struct Disk {
    pub(super) layout: Arc<Layout>,
    pub(super) storage: Box<dyn Storage>,
    pub(super) notes: Notes,
    /// When what could not be recorded is tried again.
    pub(super) notes_due: Option<Instant>,
    /// Right and durable, as far as we know.
    pub(super) durable: Bitfield,
    /// Hashed in this run, and their files have not changed since.
    pub(super) verified: Bitfield,
    pub(super) files: Vec<Watched>,
    pub(super) unsynced: Unsynced,
    /// In a [`SyncJob`] that has not come back.
    pub(super) syncing: Vec<u32>,
    /// Written, but a sync failed: nobody knows what of them is on the device.
    pub(super) doubtful: BTreeSet<u32>,
    /// When that shall be found out.
    pub(super) doubts_due: Option<Instant>,
    /// Turned out damaged or missing, and not stored again yet.
    pub(super) lost: BTreeSet<u32>,
    /// Of them, those that the torrent has not been told of.
    pub(super) untold: BTreeSet<u32>,
    /// Believed because they are recorded, and not hashed since a run that ended by force.
    pub(super) unsure: BTreeSet<u32>,
    /// Files whose names are durable: a synced file that no folder names is gone after a power cut.
    pub(super) named: BTreeSet<usize>,
    pub(super) buffer: Vec<u8>,
    /// The top-level file or folder.
    pub(super) top: PathBuf,
}

impl Disk {
    /// Does one job, blocking.
    pub fn perform(&mut self, now: Instant, job: Job) -> Reply {
        self.plan_notes(now);
        match job {
            Job::Store {
                piece,
                blocks,
                digests: wanted,
            } => {
                let size: usize = blocks.iter().map(Bytes::len).sum();
                let right = size == self.layout.geometry.piece_size(piece) as usize
                    && self.layout.hash(piece) == Some(digest(&blocks));
                if !right {
                    return Reply::Mismatch {
                        piece,
                        digests: digests(&blocks),
                    };
                }
                match self.write(piece, &blocks) {
                    Ok(()) => {
                        self.unsynced
                            .push(now, piece, self.layout.geometry.piece_size(piece));
                        let digests = (wanted == crate::swarm::disk::Digests::Always)
                            .then(|| digests(&blocks));
                        Reply::Stored { piece, digests }
                    }
                    Err(error) => Reply::StoreFailed {
                        piece,
                        blocks,
                        error,
                    },
                }
            }
            Job::Read { peer, block } => self.read(peer, block),
        }
    }

    fn write(&mut self, piece: u32, blocks: &[Bytes]) -> Result<(), DiskError> {
        let spans: Vec<_> = self.layout.piece_spans(piece).collect();
        let mut rest = Slices::new(blocks);
        for span in &spans {
            if !self.layout.is_data(span.file) {
                rest.take(span.length);
                continue;
            }
            // Before our own write moves the times, or a foreign change would pass as ours.
            self.look(span.file);
            let protected = self.files.get(span.file).map_or(0, |file| file.protected);
            let kept = protected.saturating_sub(span.offset).min(span.length);
            self.compare(span.file, span.offset, &rest.take(kept))?;
            if kept == span.length {
                continue;
            }
            let mut slices = rest.take(span.length - kept);
            let at = span.offset + kept;
            let written = self.storage.write(span.file, at, &mut slices);
            // Also after a failure, which may have written a part: that was us, nobody else.
            let seen = self.storage.fingerprint(span.file);
            if let Some(watched) = self.files.get_mut(span.file) {
                watched.seen = seen;
                if watched.standing == Standing::Settled {
                    watched.standing = Standing::Open;
                }
            }
            written.map_err(|error| self.failure("write", span.file, &error))?;
        }
        self.verified.set(piece);
        self.doubtful.remove(&piece);
        self.unsure.remove(&piece);
        self.lost.remove(&piece);
        self.untold.remove(&piece);
        Ok(())
    }

    /// What is somebody else's stays as it is: right already, or not to be had without a conflict.
    fn compare(
        &mut self,
        file: usize,
        offset: u64,
        wanted: &[IoSlice<'_>],
    ) -> Result<(), DiskError> {
        let mut at = offset;
        for slice in wanted {
            let mut there = vec![0; slice.len()];
            let read = self.storage.read(file, at, &mut there);
            let read = read.map_err(|error| self.failure("read", file, &error))?;
            if read != slice.len() || there[..] != slice[..] {
                let path = self.storage.path(file).display().to_string();
                let error = io::Error::new(io::ErrorKind::AlreadyExists, FOREIGN);
                return Err(DiskError::Io(describe("write", &path, &error)));
            }
            at += slice.len() as u64;
        }
        Ok(())
    }

    fn read(&mut self, peer: PeerKey, block: Block) -> Reply {
        match self.read_block(block) {
            Ok(data) => Reply::Block { peer, block, data },
            Err(error) => Reply::ReadFailed { peer, block, error },
        }
    }

    fn read_block(&mut self, block: Block) -> Result<Bytes, DiskError> {
        if !self.layout.geometry.valid(block) {
            return Err(DiskError::Io("no such block".into()));
        }
        let spans: Vec<_> = self
            .layout
            .spans(block.piece, block.begin, block.length)
            .collect();
        // One `fstat` a block; a change takes all pieces of the file back to unhashed.
        for span in &spans {
            self.look(span.file);
        }
        if !self.verified.has(block.piece) {
            self.verify(block.piece)?;
        }
        // A fresh buffer: it goes to the peer's connection without being copied.
        let mut data = vec![0; block.length as usize];
        let mut at = 0usize;
        for span in &spans {
            let length = usize::try_from(span.length).unwrap_or(usize::MAX);
            let part = data
                .get_mut(at..at.saturating_add(length))
                .unwrap_or_default();
            at = at.saturating_add(length);
            // Padding is zeros, as the buffer is.
            if !self.layout.is_data(span.file) {
                continue;
            }
            match self.storage.read(span.file, span.offset, part) {
                Ok(read) if read == length => {}
                Ok(_) => return Err(self.lose(block.piece)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(self.lose(block.piece));
                }
                Err(error) => {
                    // A bad sector takes the piece back; what can be read again was a hiccup.
                    self.verify(block.piece)?;
                    return Err(self.failure("read", span.file, &error));
                }
            }
        }
        Ok(Bytes::from(data))
    }
}
