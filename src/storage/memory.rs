//! Files that are only in memory, and fail on demand: for tests of what a full or broken disk does.
//!
//! Invariant: behaves as [`super::files::Files`] does on a file system with holes. Knows no disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::backing::{Fingerprint, Place, Storage};

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// Counts changes, as a file's times do.
    version: i128,
    finished: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<usize, Content>,
    written: u64,
    writes: u64,
    room: Option<u64>,
    broken: Option<u64>,
    unreadable: u64,
}

/// Files in memory. Clones share them, so that a test can change what a disk works on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

impl Memory {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device is full after this many bytes in all; `None`: never.
    pub(crate) fn full_after(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// The `nth` write, from 1, gives EIO; once.
    pub(crate) fn break_write(&self, nth: u64) {
        self.state().broken = Some(nth);
    }

    /// So many reads from now on give EIO.
    pub(crate) fn break_reads(&self, count: u64) {
        self.state().unreadable = count;
    }

    /// Changes a file behind everybody's back.
    pub(crate) fn change(&self, file: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let content = state.files.entry(file).or_default();
        change(&mut content.bytes);
        content.version += 1;
    }

    /// What is in a file; empty if it is missing.
    pub(crate) fn bytes(&self, file: usize) -> Vec<u8> {
        self.state()
            .files
            .get(&file)
            .map(|content| content.bytes.clone())
            .unwrap_or_default()
    }
}

impl Storage for Memory {
    fn write(&mut self, file: usize, offset: u64, data: &mut [IoSlice<'_>]) -> io::Result<()> {
        let mut state = self.state();
        state.writes += 1;
        if state.broken == Some(state.writes) {
            return Err(rustix::io::Errno::IO.into());
        }
        let mut at = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        for slice in data {
            let after = state.written.saturating_add(slice.len() as u64);
            if state.room.is_some_and(|room| after > room) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            state.written = after;
            let content = state.files.entry(file).or_default();
            let end = at.saturating_add(slice.len());
            if content.bytes.len() < end {
                content.bytes.resize(end, 0);
            }
            if let Some(target) = content.bytes.get_mut(at..end) {
                target.copy_from_slice(slice);
            }
            content.version += 1;
            at = end;
        }
        Ok(())
    }

    fn read(&mut self, file: usize, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state();
        if let Some(left) = state.unreadable.checked_sub(1) {
            state.unreadable = left;
            return Err(rustix::io::Errno::IO.into());
        }
        let content = state.files.get(&file).ok_or(io::ErrorKind::NotFound)?;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(content.bytes.len());
        let found = content.bytes.get(start..).unwrap_or_default();
        let length = found.len().min(into.len());
        for (to, from) in into.iter_mut().zip(found) {
            *to = *from;
        }
        Ok(length)
    }

    fn fingerprint(&mut self, file: usize) -> Option<Fingerprint> {
        let state = self.state();
        let content = state.files.get(&file)?;
        Some(Fingerprint {
            device: 1,
            inode: file as u64,
            size: content.bytes.len() as u64,
            modified: content.version,
            changed: content.version,
        })
    }

    fn place(&self, file: usize) -> Place {
        match self.state().files.get(&file) {
            None => Place::Missing,
            Some(content) if content.finished => Place::Final,
            Some(_) => Place::Unfinished,
        }
    }

    fn handle(&mut self, _: usize) -> io::Result<Option<Arc<File>>> {
        Ok(None)
    }

    fn file_system(&mut self, _: &[usize]) -> Option<Arc<File>> {
        None
    }

    fn finish(&mut self, file: usize) -> io::Result<()> {
        self.state().files.entry(file).or_default().finished = true;
        Ok(())
    }

    fn sync_names(&mut self, _: &[usize]) -> io::Result<()> {
        Ok(())
    }

    fn next_data(&mut self, file: usize, offset: u64) -> Option<u64> {
        let length = self.state().files.get(&file)?.bytes.len() as u64;
        Some(offset).filter(|offset| *offset < length)
    }

    fn path(&self, file: usize) -> PathBuf {
        PathBuf::from(format!("memory/{file}"))
    }
}
