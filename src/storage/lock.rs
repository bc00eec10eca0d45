//! One process a torrent and output folder: a lock that the kernel drops when its holder dies.
//!
//! Invariant: a lock file is never removed (a third process could then lock another file of the same
//! name). Knows nothing of what it protects.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use rustix::fs::FlockOperation;

/// Holds until dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Only held.
    _held: Vec<File>,
}

impl Lock {
    /// Of a file that is locked.
    pub(crate) fn of(file: File) -> Lock {
        Lock { _held: vec![file] }
    }

    /// Both, as one.
    pub(crate) fn and(mut self, other: Lock) -> Lock {
        self._held.extend(other._held);
        self
    }
}

/// What came of trying.
#[derive(Debug)]
pub(crate) enum Tried {
    /// It is ours.
    Locked(Lock),
    /// It is somebody's, who left this process id in it.
    Taken(Option<u32>),
}

/// Takes the lock if it is free; never waits.
pub(crate) fn lock(path: &Path) -> io::Result<Tried> {
    match try_flock(path, FlockOperation::NonBlockingLockExclusive)? {
        Flock::Ours(mut file) => {
            // A full state folder keeps nobody from being alone: the id is for people only.
            let _ = file
                .set_len(0)
                .and_then(|()| write!(file, "{}", std::process::id()));
            Ok(Tried::Locked(Lock::of(file)))
        }
        Flock::Others(file) => {
            let mut text = String::new();
            // Ten digits are the longest process id; the rest would be somebody else's file.
            let _ = file.take(10).read_to_string(&mut text);
            Ok(Tried::Taken(text.parse().ok()))
        }
    }
}

/// The file with the lock on it, or without: then somebody else has one.
#[derive(Debug)]
pub(super) enum Flock {
    Ours(File),
    Others(File),
}

/// Opens the file, made if it is not there; never touches its content.
fn open(path: &Path) -> io::Result<File> {
    let mut how = OpenOptions::new();
    how.read(true).write(true).create(true).truncate(false);
    how.open(path)
}

/// Opens the file as above and tries an operation that does not block.
pub(super) fn try_flock(path: &Path, operation: FlockOperation) -> io::Result<Flock> {
    let file = open(path)?;
    match rustix::fs::flock(&file, operation) {
        Ok(()) => Ok(Flock::Ours(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Flock::Others(file)),
        Err(error) => Err(error.into()),
    }
}

/// Whether somebody holds the lock at this moment. For a moment it is held here: not for those that could be about to
/// take it, unless something else keeps them away.
pub(crate) fn is_taken(path: &Path) -> io::Result<bool> {
    let tried = try_flock(path, FlockOperation::NonBlockingLockShared)?;
    Ok(matches!(tried, Flock::Others(_)))
}

/// Takes the lock, after whoever has it: for what takes no longer than reading some notes.
pub(crate) fn wait(path: &Path) -> io::Result<Lock> {
    let file = open(path)?;
    rustix::io::retry_on_intr(|| rustix::fs::flock(&file, FlockOperation::LockExclusive))?;
    Ok(Lock::of(file))
}
