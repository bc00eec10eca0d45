//! The journal as the storage machine uses it: what could not be recorded waits and is tried again.
//!
//! Invariant: records reach the journal in order. A state folder that is full or gone stops no
//! download; it only costs hashing at the next start. Knows no payload.

use std::path::PathBuf;

use bytes::Bytes;

use super::journal::{Journal, Record};
use super::lock::Lock;
use crate::metainfo::InfoHash;

/// A journal, if one is kept, and what is not in it yet.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Kept,
    waiting: Vec<Record>,
    _lock: Option<Lock>,
}

#[derive(Debug, Default)]
enum Kept {
    /// Nothing is.
    #[default]
    Nowhere,
    /// It could not be begun yet. The old one stays; it claims nothing that is not there.
    Later(Beginning),
    /// In this one.
    In(Journal),
}

/// How a journal begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Of which torrent.
    pub(crate) hash: InfoHash,
    /// The raw `info` dictionary.
    pub(crate) info: Bytes,
}

impl Notes {
    /// Begins a journal with these records, now or, if the state folder is full, when there is room.
    pub(crate) fn new(beginning: Beginning, records: Vec<Record>, lock: Lock) -> Notes {
        let mut notes = Notes {
            kept: Kept::Later(beginning),
            waiting: Vec::new(),
            _lock: Some(lock),
        };
        notes.record(records);
        notes
    }

    /// Records, durably if possible. `false`: not now; the records wait.
    pub(crate) fn record(&mut self, records: impl IntoIterator<Item = Record>) -> bool {
        if matches!(self.kept, Kept::Nowhere) {
            return true;
        }
        self.waiting.extend(records);
        if self.waiting.is_empty() {
            return true;
        }
        let recorded = match &mut self.kept {
            Kept::Nowhere => Ok(()),
            Kept::In(journal) => journal.append(&self.waiting),
            Kept::Later(Beginning { path, hash, info }) => {
                let begun = Journal::create(path, *hash, info, &self.waiting);
                begun.map(|journal| self.kept = Kept::In(journal))
            }
        };
        match recorded {
            Ok(()) => self.waiting.clear(),
            Err(error) => tracing::warn!(%error, "the torrent's state could not be saved"),
        }
        self.waiting.is_empty()
    }
}

/// Pieces, ascending, as the fewest records.
pub(crate) fn ranges(pieces: impl IntoIterator<Item = u32>) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for piece in pieces {
        match records.last_mut() {
            Some(Record::Have { first, count }) if first.checked_add(*count) == Some(piece) => {
                *count += 1;
            }
            _ => records.push(Record::Have {
                first: piece,
                count: 1,
            }),
        }
    }
    records
}
