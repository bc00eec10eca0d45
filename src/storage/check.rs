//! Which pieces of a torrent are on disk, when it is opened.
//!
//! A recorded piece is believed without reading it if every file it lies in still has the
//! fingerprint that was recorded when that file was last known to be right: at the end of a clean
//! run, or when the file got its final name. Every other piece that could be there is hashed,
//! recorded or not, with one exception. After a `kill -9` nobody can tell our last writes from
//! foreign ones. What was recorded then is believed for now, so that ten gigabytes do not keep a
//! download waiting; it is hashed in idle moments, before it is read out, and before its file gets
//! its final name. What was not recorded is hashed at once: the kernel still has it, and hashing
//! (1 GB/s) is cheaper than fetching.
//!
//! Invariant: a piece that was hashed and did not match is never reported. Knows no network.

use std::collections::BTreeMap;
use std::io;

use sha1::{Digest as _, Sha1};

use super::backing::{Fingerprint, Place, Storage};
use super::journal::Record;
use super::layout::Layout;
use crate::swarm::{Bitfield, Span};

/// Bytes read at once while hashing: more is not faster, and pieces can be large.
const CHUNK: usize = 256 << 10;

/// How far a check is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckProgress {
    /// Bytes hashed.
    pub done: u64,
    /// Bytes to hash in all.
    pub total: u64,
}

/// What to believe of existing files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// What is recorded and unchanged; hash the rest.
    Resume,
    /// Nothing: hash everything.
    Check,
    /// As `Resume`, and files that are something else may be overwritten.
    Force,
}

/// What was recorded.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    pub(crate) have: Bitfield,
    pub(crate) seen: BTreeMap<usize, Fingerprint>,
    /// What was recorded first of each file. A run begins by writing there, in place of the size,
    /// how many bytes of the file are not ours; see [`Recorded::claim`].
    claims: BTreeMap<usize, Fingerprint>,
    /// Where the output folder lay.
    device: Option<u64>,
    clean: bool,
}

impl Recorded {
    /// Sums a journal's records up.
    pub(crate) fn new(layout: &Layout, records: &[Record]) -> Recorded {
        let pieces = layout.geometry.piece_count();
        let mut recorded = Recorded {
            have: Bitfield::new(pieces),
            ..Recorded::default()
        };
        for record in records {
            match record {
                Record::Have { first, count } => {
                    for piece in *first..first.saturating_add(*count).min(pieces) {
                        recorded.have.set(piece);
                    }
                }
                Record::Lost(piece) => {
                    recorded.have.clear(*piece);
                }
                Record::Seen(file, print) => {
                    recorded.seen.insert(*file as usize, *print);
                    recorded.claims.entry(*file as usize).or_insert(*print);
                }
                Record::Device(device) => recorded.device = Some(*device),
                Record::Opened | Record::Closed => {}
            }
        }
        recorded.clean = records.last() == Some(&Record::Closed);
        recorded
    }

    /// Whether a file is as it was when it was last known to be right.
    fn trust(&self, file: usize, now: Option<Fingerprint>, place: Place) -> Trust {
        let unchanged = now.is_some() && self.seen.get(&file) == now.as_ref();
        // A tidy end leaves a fingerprint of what is right: one that differs means somebody else.
        let changed = self.clean && self.seen.contains_key(&file);
        if unchanged && (self.clean || place == Place::Final) {
            Trust::Whole
        } else if place == Place::Unfinished && !changed {
            Trust::ForNow
        } else {
            Trust::None
        }
    }

    /// Whether pieces were recorded on another device than this: if none of the files is there, that
    /// device is not mounted.
    pub(crate) fn lay_elsewhere(&self, device: u64) -> bool {
        self.have.count() > 0 && self.device.is_some_and(|known| known != device)
    }

    /// Whether a file is one we have written before, whatever became of it.
    pub(crate) fn knows(&self, file: usize, now: Fingerprint) -> bool {
        self.seen.get(&file).is_some_and(|seen| is_same(seen, &now))
    }

    /// How many bytes at the beginning of a file with its final name were somebody else's when it
    /// was first met: 0 or all of its length mean none, more than its length all of it.
    pub(crate) fn claim(&self, file: usize, now: Fingerprint) -> Option<u64> {
        let claim = self.claims.get(&file).filter(|seen| is_same(seen, &now))?;
        Some(claim.size)
    }
}

fn is_same(one: &Fingerprint, other: &Fingerprint) -> bool {
    (one.device, one.inode) == (other.device, other.inode)
}

/// How far what is recorded of a file is believed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Trust {
    /// Not at all.
    None,
    /// Until it can be hashed.
    ForNow,
    /// It is as it was.
    Whole,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Pieces that are there.
    pub(crate) have: Bitfield,
    /// Those of them that were hashed just now.
    pub(crate) hashed: Bitfield,
    /// Those that are believed for now: recorded, and not hashed since a run that ended by force.
    pub(crate) unsure: Bitfield,
    /// All of it could be read and has another hash.
    pub(crate) wrong: Bitfield,
    /// Each file as it was before the check.
    pub(crate) seen: Vec<Option<Fingerprint>>,
    /// Bytes at the beginning of each file that are not ours to change; see [`super::foreign`].
    pub(crate) protected: Vec<u64>,
}

impl Findings {
    /// Bytes at the beginning of a file that are not ours to change.
    pub(crate) fn protects(&self, file: usize) -> u64 {
        self.protected.get(file).copied().unwrap_or(0)
    }
}

/// Finds out which pieces are there.
pub(crate) fn examine(
    layout: &Layout,
    storage: &mut dyn Storage,
    recorded: &Recorded,
    mode: OpenMode,
    progress: &mut dyn FnMut(CheckProgress),
) -> Findings {
    let pieces = layout.geometry.piece_count();
    let mut seen = Vec::with_capacity(layout.files.len());
    let mut trusted = Vec::with_capacity(layout.files.len());
    for file in 0..layout.files.len() {
        let print = if layout.is_data(file) {
            storage.fingerprint(file)
        } else {
            None
        };
        trusted.push(match mode {
            _ if !layout.is_data(file) => Trust::Whole,
            OpenMode::Check => Trust::None,
            OpenMode::Resume | OpenMode::Force => recorded.trust(file, print, storage.place(file)),
        });
        // Taken before anything is read: a change during the check is noticed afterwards.
        seen.push(print);
    }
    let mut findings = Findings {
        have: Bitfield::new(pieces),
        hashed: Bitfield::new(pieces),
        unsure: Bitfield::new(pieces),
        wrong: Bitfield::new(pieces),
        seen,
        protected: vec![0; layout.files.len()],
    };
    let mut candidates = Vec::new();
    for piece in 0..pieces {
        let spans = layout.piece_spans(piece);
        let trust = spans.filter_map(|span| trusted.get(span.file)).min();
        if trust == Some(&Trust::Whole) {
            if recorded.have.has(piece) {
                findings.have.set(piece);
            }
        } else if could_be_there(layout, storage, &findings, recorded, piece) {
            if trust == Some(&Trust::ForNow) && recorded.have.has(piece) {
                findings.have.set(piece);
                findings.unsure.set(piece);
            } else {
                candidates.push(piece);
            }
        }
    }
    let size = |piece: &u32| u64::from(layout.geometry.piece_size(*piece));
    let total = candidates.iter().map(size).sum();
    let mut done = 0;
    let mut buffer = vec![0; CHUNK];
    for piece in candidates {
        progress(CheckProgress { done, total });
        // What cannot be read is not there; the first write to it will say why.
        match is_right(layout, storage, piece, &mut buffer) {
            Ok(true) => {
                findings.have.set(piece);
                findings.hashed.set(piece);
            }
            Ok(false) => {
                findings.wrong.set(piece);
            }
            Err(_) => {}
        }
        done += size(&piece);
    }
    progress(CheckProgress { done, total });
    findings
}

/// Whether no part of the piece is missing. A hole in an unfinished file was never written, unless
/// the piece is recorded: some file systems make holes of zeros.
fn could_be_there(
    layout: &Layout,
    storage: &mut dyn Storage,
    findings: &Findings,
    recorded: &Recorded,
    piece: u32,
) -> bool {
    layout.piece_spans(piece).all(|span| {
        if !layout.is_data(span.file) {
            return true;
        }
        let end = span.offset + span.length;
        let size = findings
            .seen
            .get(span.file)
            .copied()
            .flatten()
            .map_or(0, |print| print.size);
        size >= end
            && (storage.place(span.file) == Place::Final
                || recorded.have.has(piece)
                || storage
                    .next_data(span.file, span.offset)
                    .is_some_and(|data| data < end))
    })
}

/// Whether a piece has its hash. `buffer` is for reuse; any length but 0 does.
///
/// # Errors
/// It cannot be read; a missing or short file is no error.
pub(crate) fn is_right(
    layout: &Layout,
    storage: &mut dyn Storage,
    piece: u32,
    buffer: &mut [u8],
) -> io::Result<bool> {
    let mut sha = Sha1::new();
    for span in layout.piece_spans(piece) {
        if !feed(layout, storage, span, buffer, &mut sha)? {
            return Ok(false);
        }
    }
    let digest: [u8; 20] = sha.finalize().into();
    Ok(layout.hash(piece) == Some(digest))
}

fn feed(
    layout: &Layout,
    storage: &mut dyn Storage,
    span: Span,
    buffer: &mut [u8],
    sha: &mut Sha1,
) -> io::Result<bool> {
    let end = span.offset + span.length;
    let mut at = span.offset;
    while at < end {
        let length = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let Some(part) = buffer.get_mut(..length).filter(|part| !part.is_empty()) else {
            return Ok(false);
        };
        if layout.is_data(span.file) {
            match storage.read(span.file, at, part) {
                Ok(read) if read == length => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            }
        } else {
            part.fill(0);
        }
        sha.update(&*part);
        at += length as u64;
    }
    Ok(true)
}
