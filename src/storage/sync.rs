//! Group commit: which pieces are written and not yet durable, and the job that makes them so on
//! another thread.
//!
//! Invariant: a piece leaves only by [`Unsynced::take`], into a [`SyncJob`]. Knows no journal.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a written piece waits for others at most: what a power cut may cost.
pub(crate) const SYNC_AFTER: Duration = Duration::from_secs(5);

/// With this many unsynced bytes nothing waits any longer.
pub(crate) const SYNC_BYTES: u64 = 64 << 20;

/// Files that one commit holds open at most. 64 MiB can be thousands of small files, more than a
/// process may have open (often 1,024); beyond this the whole file system is synced.
pub(crate) const SYNC_FILES: usize = 64;

/// Pieces that are written and not durable.
#[derive(Debug, Default)]
pub(crate) struct Unsynced {
    pieces: Vec<u32>,
    bytes: u64,
    since: Option<Instant>,
}

impl Unsynced {
    /// A piece was written.
    pub(crate) fn push(&mut self, now: Instant, piece: u32, bytes: u32) {
        self.pieces.push(piece);
        self.bytes = self.bytes.saturating_add(u64::from(bytes));
        self.since.get_or_insert(now);
    }

    /// When they shall be synced: at once means a time that has passed.
    pub(crate) fn due(&self) -> Option<Instant> {
        let since = self.since?;
        if self.bytes >= SYNC_BYTES {
            Some(since)
        } else {
            since.checked_add(SYNC_AFTER)
        }
    }

    /// All of them; none are left.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        self.bytes = 0;
        self.since = None;
        std::mem::take(&mut self.pieces)
    }
}

/// The `fdatasync`s of one group commit. It is `Send` and owns all it needs.
#[derive(Debug)]
pub struct SyncJob {
    pub(crate) pieces: Vec<u32>,
    /// With their names for people.
    pub(crate) files: Vec<(Arc<File>, String)>,
    /// Instead of too many files: the folder on whose file system they all lie.
    pub(crate) whole: Option<Arc<File>>,
    /// Why some file could not even be opened.
    pub(crate) failed: Option<String>,
}

/// What became of a [`SyncJob`]; only [`super::Disk::finish_sync`] can read it.
#[derive(Debug)]
pub struct SyncOutcome {
    pub(crate) pieces: Vec<u32>,
    pub(crate) failed: Option<String>,
}

impl SyncJob {
    /// Does it. Blocks for as long as the device takes.
    pub fn run(self) -> SyncOutcome {
        let mut failed = self.failed;
        for (file, path) in &self.files {
            if let Err(error) = file.sync_data() {
                failed.get_or_insert_with(|| describe("sync", path, &error));
            }
        }
        if let Some(folder) = &self.whole
            && let Err(error) = rustix::fs::syncfs(&**folder)
        {
            failed.get_or_insert_with(|| describe("sync", "the file system", &error.into()));
        }
        SyncOutcome {
            pieces: self.pieces,
            failed,
        }
    }
}

/// Operation, path, reason: for people.
pub(crate) fn describe(operation: &str, path: &str, error: &io::Error) -> String {
    format!("cannot {operation} {path}: {error}")
}
