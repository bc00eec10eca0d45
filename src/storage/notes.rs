//! The journal as the storage machine uses it: what could not be recorded waits and is tried again.
//!
//! Invariant: records reach the journal in order. A state folder that is full or gone stops no
//! download; it only costs hashing at the next start. Knows no payload.

use super::journal::{Journal, Record};
use super::lock::Lock;

/// A journal, if one is kept, and what is not in it yet.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    journal: Option<Journal>,
    waiting: Vec<Record>,
    _lock: Option<Lock>,
}

impl Notes {
    /// With a journal.
    pub(crate) fn new(journal: Journal, lock: Lock) -> Notes {
        Notes {
            journal: Some(journal),
            waiting: Vec::new(),
            _lock: Some(lock),
        }
    }

    /// Without a journal, still alone.
    pub(crate) fn unkept(lock: Lock) -> Notes {
        Notes {
            journal: None,
            waiting: Vec::new(),
            _lock: Some(lock),
        }
    }

    /// Records, durably if possible. `false`: not now; the records wait.
    pub(crate) fn record(&mut self, records: impl IntoIterator<Item = Record>) -> bool {
        let Some(journal) = &mut self.journal else {
            return true;
        };
        self.waiting.extend(records);
        if self.waiting.is_empty() {
            return true;
        }
        match journal.append(&self.waiting) {
            Ok(()) => {
                self.waiting.clear();
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the torrent's state could not be saved");
                false
            }
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
