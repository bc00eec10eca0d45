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
    /// Why the last attempt failed.
    trouble: Option<String>,
    /// Whether that was told.
    told: Told,
    _lock: Option<Lock>,
}

/// Whether a torrent's state can be saved: told when it changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StateNews {
    /// Not now, for this reason. The torrent goes on; what cannot be recorded is hashed at the next start.
    NotSaved(String),
    /// It can be again, and everything is.
    SavedAgain,
}

/// The last news that were taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Told {
    #[default]
    Well,
    Trouble,
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
            trouble: None,
            told: Told::Well,
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
            Ok(()) => {
                self.waiting.clear();
                self.trouble = None;
            }
            Err(error) => {
                if self.trouble.is_none() {
                    tracing::warn!(%error, "the torrent's state could not be saved");
                }
                self.trouble = Some(error.to_string());
            }
        }
        self.waiting.is_empty()
    }

    /// Whether something waits to be recorded.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether saving has begun to fail, or to work again, since this was last asked.
    pub(crate) fn news(&mut self) -> Option<StateNews> {
        match (&self.trouble, self.told) {
            (Some(why), Told::Well) => {
                self.told = Told::Trouble;
                Some(StateNews::NotSaved(why.clone()))
            }
            (None, Told::Trouble) => {
                self.told = Told::Well;
                Some(StateNews::SavedAgain)
            }
            _ => None,
        }
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
