//! What keeps a torrent's bytes, as the storage machine needs it.
//!
//! Knows neither pieces nor hashes.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

/// What changes whenever somebody else changes a file. All of it comes from one `fstat`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fingerprint {
    /// Device and inode: another file under the same name differs here.
    pub(crate) device: u64,
    /// See `device`.
    pub(crate) inode: u64,
    /// Bytes.
    pub(crate) size: u64,
    /// Nanoseconds since 1970 of the last change of the content.
    pub(crate) modified: i128,
    /// Nanoseconds since 1970 of the last change of anything: cannot be set back by programs.
    pub(crate) changed: i128,
}

/// Under which name a file lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Under none.
    Missing,
    /// The unfinished one.
    Unfinished,
    /// Its own.
    Final,
}

/// The files of one torrent, by index. Padding files are never named.
pub(crate) trait Storage: Send {
    /// Writes all of `data` at a byte offset; makes the file if it is missing.
    ///
    /// # Errors
    /// The first that a write gave; an unknown part of `data` may have been written.
    fn write(&mut self, file: usize, offset: u64, data: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Fills `into`; how many bytes there were before the file ended.
    ///
    /// # Errors
    /// `NotFound` if the file is missing.
    fn read(&mut self, file: usize, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// As the file is now; `None` if it is missing, also if it was removed while open.
    fn fingerprint(&mut self, file: usize) -> Option<Fingerprint>;

    /// Under which name it was last found.
    fn place(&self, file: usize) -> Place;

    /// What another thread can sync; `None` if nothing is to be done.
    ///
    /// # Errors
    /// It cannot be opened.
    fn handle(&mut self, file: usize) -> io::Result<Option<Arc<File>>>;

    /// What another thread can sync with `syncfs` instead of these files one by one; `None` if they
    /// are not all on one file system.
    fn file_system(&mut self, files: &[usize]) -> Option<Arc<File>>;

    /// Gives a file whose content is right and durable its final length and name. The name is
    /// durable after [`Storage::sync_names`].
    ///
    /// # Errors
    /// `AlreadyExists` if something lies under the name.
    fn finish(&mut self, file: usize) -> io::Result<()>;

    /// Makes the names of these files durable.
    ///
    /// # Errors
    /// A folder cannot be synced.
    fn sync_names(&mut self, files: &[usize]) -> io::Result<()>;

    /// Offset of the first byte at or behind `offset` that is not in a hole; `None` if none is.
    fn next_data(&mut self, file: usize, offset: u64) -> Option<u64>;

    /// For people.
    fn path(&self, file: usize) -> PathBuf;
}
