//! Whose bytes lie in a file: ours, or somebody's who did not ask us to change them.
//!
//! Only the journal can tell: a file with its final name that it does not know belongs to somebody
//! else, as far as it reaches. Such bytes may be read, shared and completed behind their end; they
//! are never changed. Opening refuses at once what certainly cannot be completed so; the rest is
//! decided when a piece comes to be written.
//!
//! Invariant: nothing here changes a file. Knows no peers.

use std::path::PathBuf;

use super::backing::{Fingerprint, Place, Storage};
use super::check::{Findings, OpenMode, Recorded};
use super::layout::Layout;

/// All of a file is somebody else's, and what would come behind its end too.
pub(crate) const WHOLE: u64 = u64::MAX;

/// Finds out how many bytes at the beginning of each file are not ours, and puts that into the
/// findings; then the file that makes opening pointless, if there is one.
pub(crate) fn judge(
    layout: &Layout,
    storage: &dyn Storage,
    recorded: &Recorded,
    mode: OpenMode,
    findings: &mut Findings,
) -> Option<PathBuf> {
    if mode == OpenMode::Force {
        return None;
    }
    for file in 0..layout.files.len() {
        let print = findings.seen.get(file).copied().flatten();
        let protected = print.map_or(0, |print| {
            claimed(layout, recorded, (file, storage.place(file)), print)
        });
        if let Some(entry) = findings.protected.get_mut(file) {
            *entry = protected;
        }
    }
    let clashing = clashing(layout, findings);
    for file in 0..layout.files.len() {
        if let Some(size) = half(layout, recorded, findings, file)
            && clashing.get(file) == Some(&false)
            && let Some(entry) = findings.protected.get_mut(file)
        {
            *entry = size;
        }
    }
    let refused = |file: &usize| {
        let too_long = too_long(layout, storage, recorded, findings, *file);
        let wrong = clashing.get(*file) == Some(&true) || is_stub(layout, findings, *file);
        too_long || mode == OpenMode::Resume && wrong
    };
    // A piece can lie in a right file and a wrong one: one of which nothing is right is named first.
    (0..layout.files.len())
        .filter(refused)
        .min_by_key(|file| has_right_piece(layout, findings, *file))
        .map(|file| storage.path(file))
}

/// Bytes that are not ours, as far as the journal can tell.
fn claimed(
    layout: &Layout,
    recorded: &Recorded,
    (file, place): (usize, Place),
    print: Fingerprint,
) -> u64 {
    if place != Place::Final || print.size == 0 {
        return 0;
    }
    let length = layout.files.get(file).map_or(0, |entry| entry.length);
    match recorded.claim(file, print) {
        Some(claim) if claim > length => WHOLE,
        Some(claim) if claim < length => claim,
        Some(_) => 0,
        None if recorded.knows(file, print) => 0,
        None => WHOLE,
    }
}

/// For each file whether it lies below a wrong piece of which no byte may be changed.
fn clashing(layout: &Layout, findings: &Findings) -> Vec<bool> {
    let mut clashing = vec![false; layout.files.len()];
    for piece in findings.wrong.iter_set() {
        let data = || {
            layout
                .piece_spans(piece)
                .filter(|span| layout.is_data(span.file))
        };
        if data().all(|span| findings.protects(span.file) >= span.offset + span.length) {
            for span in data() {
                if let Some(entry) = clashing.get_mut(span.file) {
                    *entry = true;
                }
            }
        }
    }
    clashing
}

/// The size of somebody's half copy that the journal does not know yet: too short, and some of it is
/// right.
fn half(layout: &Layout, recorded: &Recorded, findings: &Findings, file: usize) -> Option<u64> {
    let print = findings.seen.get(file).copied().flatten()?;
    let short = print.size < layout.files.get(file)?.length;
    let unknown = findings.protects(file) == WHOLE && recorded.claim(file, print).is_none();
    (short && unknown && has_right_piece(layout, findings, file)).then_some(print.size)
}

fn has_right_piece(layout: &Layout, findings: &Findings, file: usize) -> bool {
    layout.pieces_of(file).any(|piece| findings.have.has(piece))
}

/// Whether a file is too short, and nothing shows that it is a part of this torrent.
fn is_stub(layout: &Layout, findings: &Findings, file: usize) -> bool {
    let size = findings.seen.get(file).copied().flatten();
    let length = layout.files.get(file).map_or(0, |entry| entry.length);
    findings.protects(file) == WHOLE && size.is_some_and(|print| print.size < length)
}

/// Whether somebody's file, finished or not, has bytes behind the end that it should have: giving it
/// its length would destroy them.
fn too_long(
    layout: &Layout,
    storage: &dyn Storage,
    recorded: &Recorded,
    findings: &Findings,
    file: usize,
) -> bool {
    let Some(print) = findings.seen.get(file).copied().flatten() else {
        return false;
    };
    let length = layout.files.get(file).map_or(0, |entry| entry.length);
    let part = storage.place(file) == Place::Unfinished && !recorded.knows(file, print);
    print.size > length && (part || findings.protects(file) > 0)
}
