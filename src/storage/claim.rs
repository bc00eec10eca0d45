//! One torrent at a time under a name (reliability.md C16): two different ones that would write the same file.
//!
//! Beside the journals lies a file for each name in each output folder, locked as long as a torrent of that name is
//! open there: by one torrent of a single file, or by any number of those that share a folder. It holds the info hash
//! of the last single file, or those of all that share the folder: `neighbours` compares their files. Invariant: the
//! unfinished file of one torrent is not taken over by another as long as the first one's journal is there.

use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::FlockOperation;

use super::check::OpenMode;
use super::layout::{Layout, below};
use super::lock::{Flock, Lock, try_flock};
use crate::metainfo::InfoHash;

/// Bytes of an info hash in hex.
const HEX: u64 = 40;

/// What came of it.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// The name is ours.
    Ours(Lock),
    /// Another torrent has it, or has left an unfinished file under it.
    Others,
}

/// Claims the name of a torrent below `output`, whose file for claims is `path`. `has_journal` says whether a torrent
/// of that hash has one for this folder.
pub(crate) fn claim(
    path: &Path,
    output: &Path,
    layout: &Layout,
    hash: InfoHash,
    mode: OpenMode,
    has_journal: impl Fn(&str) -> bool,
) -> io::Result<Claimed> {
    let single = layout.files.first().filter(|entry| entry.path.len() == 1);
    let operation = match single {
        Some(_) => FlockOperation::NonBlockingLockExclusive,
        None => FlockOperation::NonBlockingLockShared,
    };
    let Flock::Ours(mut file) = try_flock(path, operation)? else {
        return Ok(Claimed::Others);
    };
    let Some(entry) = single else {
        return Ok(Claimed::Ours(Lock::of(file)));
    };
    let mut last = Vec::new();
    file.by_ref().take(HEX).read_to_end(&mut last)?;
    // Whatever damage has made of it: then it names nobody.
    let last = String::from_utf8_lossy(&last);
    let ours = hash.to_string();
    let part = below(output, &entry.unfinished());
    if last != ours && mode != OpenMode::Force && has_journal(&last) && part.exists() {
        return Ok(Claimed::Others);
    }
    // A full state folder keeps nobody from being alone; only the next one knows less.
    let _ = file.write_all_at(ours.as_bytes(), 0);
    Ok(Claimed::Ours(Lock::of(file)))
}
