//! A model of a file system on a drive that may lose power, for rows S3, S8, S18-S20: what was not synced is kept apart
//! from what was, and a cut keeps a random part of it.
//!
//! Invariant: what a sync covered is there after a cut, byte for byte; of everything else any part may be. Written data
//! survives in pages of 4 KiB, some of them torn at a sector of 512 bytes; lengths and times go either way on their own;
//! names (files made, moved, removed, folders made) one by one, in any order, until the folder they are in is synced. That
//! is harsher than any journaling file system. Not modelled: rights, links, a drive that lies about a sync (but see
//! [`Honesty`], which proves that the model would notice).
#![allow(
    dead_code,
    unreachable_pub,
    reason = "one part for each test binary, which has no outside"
)]

mod cut;
mod mount;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use mount::Mounted;

/// Bytes of a page: what a kernel writes back at once.
pub const PAGE: usize = 4096;

/// The name whose owner makes the drive hang. It has to be a process of its own: the kernel lets nobody end whose request
/// is being answered, only those whose requests wait, as those of a dead server do.
pub const PLUG: &str = ".plug";

/// One page of a file.
pub type Page = Arc<[u8; PAGE]>;

/// Number of the topmost folder.
pub const ROOT: u64 = 1;

/// A file or folder, without its name.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Pages that were ever written; others are holes.
    pub pages: BTreeMap<u64, Page>,
    /// Bytes.
    pub size: u64,
    /// Ticks at which the content was changed last.
    pub modified: u64,
    /// Ticks at which anything was changed last.
    pub changed: u64,
    /// Names by which it is known.
    pub links: u32,
    /// What is in it, if it is a folder.
    pub names: Option<BTreeMap<OsString, u64>>,
}

/// A change of names that no sync covers yet.
#[derive(Clone, Debug)]
pub struct Change {
    /// Folder, name and what it leads to now; a move has two.
    pub steps: Vec<(u64, OsString, Option<u64>)>,
}

/// What a sync does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Honesty {
    /// Makes durable.
    #[default]
    Honest,
    /// Says so and does nothing: for proving that the tests notice.
    Liar,
}

/// Which names are one, and how the drive keeps them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Spelling {
    /// As they are given, each for itself.
    #[default]
    Given,
    /// Those that differ by case or Unicode normalisation alone are one, in lower case and taken apart.
    Folded,
}

/// What goes wrong besides power.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Each request takes so long.
    pub delay: Duration,
    /// Every so manieth write waits a further [`Faults::stall`].
    pub stall_every: u64,
    /// See there.
    pub stall: Duration,
    /// Whoever asks for [`PLUG`] waits for as long as this is true, and all others behind him.
    pub hangs: bool,
    /// Reads of this file from this byte on fail with EIO: part of its name, offset.
    pub bad_from: Option<(String, u64)>,
    /// Writes of files with this in their names fail with EIO.
    pub bad_writes: Option<String>,
    /// Writes beyond this byte fail with EFBIG.
    pub largest: Option<u64>,
    /// Writes fail with EROFS.
    pub read_only: bool,
    /// Which names are one.
    pub spelling: Spelling,
}

/// The drive's state.
#[derive(Debug, Default)]
pub struct State {
    /// As programs see it.
    pub live: BTreeMap<u64, Node>,
    /// As it would be after a cut that keeps nothing.
    pub durable: BTreeMap<u64, Node>,
    /// Not synced, in order.
    pub pending: Vec<Change>,
    /// Changes and syncs so far.
    pub operations: u64,
    /// The power goes off instead of doing this operation.
    pub cut_at: Option<u64>,
    /// Nothing works.
    pub off: bool,
    /// Writes so far.
    pub writes: u64,
    /// See there.
    pub honesty: Honesty,
    /// See there.
    pub faults: Faults,
    next: u64,
    ticks: u64,
}

/// A drive. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Drive(Arc<(Mutex<State>, Condvar)>);

impl Drive {
    /// An empty one.
    pub fn new(honesty: Honesty) -> Self {
        let drive = Self::default();
        let mut state = drive.state();
        let root = Node {
            names: Some(BTreeMap::new()),
            links: 2,
            ..Node::default()
        };
        state.live.insert(ROOT, root.clone());
        state.durable.insert(ROOT, root);
        state.next = ROOT + 1;
        state.honesty = honesty;
        drop(state);
        drive
    }

    /// Its state.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what goes wrong; whoever waits for an answer of a drive that hangs looks again.
    pub fn break_it(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.state().faults);
        self.0.1.notify_all();
    }

    /// Waits for as long as the drive hangs.
    pub(crate) fn wait_while_it_hangs(&self) {
        let hangs = |state: &mut State| state.faults.hangs;
        drop(self.0.1.wait_while(self.state(), hangs));
    }
}

impl State {
    /// Whether a file has a name that contains `part`.
    pub(crate) fn is_named(&self, number: u64, part: &str) -> bool {
        let folders = self.live.values().filter_map(|node| node.names.as_ref());
        folders
            .flatten()
            .any(|(name, node)| *node == number && name.to_string_lossy().contains(part))
    }

    /// What lies at a path, folder by folder from the root.
    pub fn at(&self, path: &str) -> Option<u64> {
        let parts = path.split('/').filter(|part| !part.is_empty());
        parts
            .into_iter()
            .try_fold(ROOT, |folder, name| self.lookup(folder, OsStr::new(name)))
    }

    /// The content of the file at a path.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let number = self.at(path)?;
        let size = usize::try_from(self.live.get(&number)?.size).ok()?;
        Some(self.read(number, 0, size))
    }
}
