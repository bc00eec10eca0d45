//! A torrent as storage sees it: named files one behind the other in a byte stream that is cut into
//! hashed pieces (BEP 3 "info dictionary", BEP 47 padding files).
//!
//! Invariant: no two files, finished or not, have the same path. Knows nothing of what is on disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::metainfo::Info;
use crate::swarm::disk::Digest;
use crate::swarm::{Geometry, Span};

/// What a file's name ends in until all of it is there, durable and right.
const UNFINISHED: &str = ".part";

/// Whether a file exists on disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Content {
    /// Bytes of the payload.
    Data,
    /// Zeros that only move the next file to a piece boundary: never written, never looked for.
    Padding,
}

/// One file of a torrent.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Components below the output folder.
    pub(crate) path: Vec<String>,
    /// How often [`UNFINISHED`] stands behind the name while unfinished; more than once only if
    /// the torrent itself contains such a name.
    endings: usize,
    /// Where it begins in the torrent's byte stream.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
    /// Whether it exists on disk.
    pub(crate) content: Content,
}

impl Entry {
    /// Components while unfinished; [`below`] says where that is.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let mut path = self.path.clone();
        if let Some(last) = path.last_mut() {
            last.push_str(&UNFINISHED.repeat(self.endings));
        }
        path
    }
}

/// Where these components lie in an output folder.
pub(crate) fn below(output: &Path, components: &[String]) -> PathBuf {
    let mut path = output.to_owned();
    path.extend(components);
    path
}

/// Where the pieces' hashes are: 2,097,152 of them are 40 MiB, not to be kept twice.
#[derive(Clone, Debug)]
enum Hashes {
    Info(Arc<Info>),
    #[cfg(test)]
    Listed(Vec<Digest>),
}

/// One torrent: its files and how they are cut into pieces.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The top-level file or folder.
    pub(crate) name: String,
    /// Pieces and blocks.
    pub(crate) geometry: Geometry,
    /// In the order of the byte stream.
    pub(crate) files: Vec<Entry>,
    hashes: Hashes,
}

impl Layout {
    /// As the `info` dictionary says.
    pub(crate) fn of(info: Arc<Info>) -> Layout {
        let files = info.files().iter().map(|file| {
            let content = if file.is_data() {
                Content::Data
            } else {
                Content::Padding
            };
            (file.path.components().to_vec(), file.length, content)
        });
        let (files, length) = entries(files.collect());
        Layout {
            name: info.name().to_owned(),
            geometry: Geometry::new(info.piece_length(), length),
            files,
            hashes: Hashes::Info(info),
        }
    }

    /// Of files in order: path components, bytes, kind. `hashes` has one entry a piece.
    #[cfg(test)]
    pub(crate) fn new(
        name: String,
        piece_length: u32,
        files: Vec<(Vec<String>, u64, Content)>,
        hashes: Vec<Digest>,
    ) -> Layout {
        let (files, length) = entries(files);
        let geometry = Geometry::new(piece_length, length);
        Layout {
            name,
            geometry,
            files,
            hashes: Hashes::Listed(hashes),
        }
    }

    /// The SHA-1 a piece must have.
    pub(crate) fn hash(&self, piece: u32) -> Option<Digest> {
        match &self.hashes {
            Hashes::Info(info) => info.piece_hash(piece),
            #[cfg(test)]
            Hashes::Listed(hashes) => hashes.get(usize::try_from(piece).ok()?).copied(),
        }
    }

    /// Where `length` bytes at `begin` of a piece lie, in order; padding included. Looks the first
    /// file up by bisection, so that 100,000 files cost nothing.
    pub(crate) fn spans(
        &self,
        piece: u32,
        begin: u32,
        length: u32,
    ) -> impl Iterator<Item = Span> + use<'_> {
        let from = self
            .geometry
            .piece_offset(piece)
            .saturating_add(u64::from(begin));
        let to = from.saturating_add(u64::from(length));
        let first = self
            .files
            .partition_point(|file| file.offset + file.length <= from);
        self.files
            .iter()
            .enumerate()
            .skip(first)
            .take_while(move |(_, file)| file.offset < to)
            .filter_map(move |(index, file)| {
                let start = from.max(file.offset);
                let length = to.min(file.offset + file.length).saturating_sub(start);
                (length > 0).then(|| Span {
                    file: index,
                    offset: start - file.offset,
                    length,
                })
            })
    }

    /// All of a piece.
    pub(crate) fn piece_spans(&self, piece: u32) -> impl Iterator<Item = Span> + use<'_> {
        self.spans(piece, 0, self.geometry.piece_size(piece))
    }

    /// Pieces with at least one byte in the file; empty for an empty file.
    pub(crate) fn pieces_of(&self, file: usize) -> std::ops::Range<u32> {
        let Some(entry) = self.files.get(file) else {
            return 0..0;
        };
        if entry.length == 0 {
            return 0..0;
        }
        let size = u64::from(self.geometry.piece_length());
        let index = |offset: u64| u32::try_from(offset / size).unwrap_or(u32::MAX);
        index(entry.offset)..index(entry.offset + entry.length - 1).saturating_add(1)
    }

    /// Whether a file exists on disk.
    pub(crate) fn is_data(&self, file: usize) -> bool {
        self.files
            .get(file)
            .is_some_and(|entry| entry.content == Content::Data)
    }
}

/// Files one behind the other, and the bytes of all.
fn entries(files: Vec<(Vec<String>, u64, Content)>) -> (Vec<Entry>, u64) {
    let mut taken: BTreeSet<Vec<String>> = files.iter().map(|(path, _, _)| path.clone()).collect();
    let mut offset = 0u64;
    let mut entries = Vec::with_capacity(files.len());
    for (path, length, content) in files {
        let mut entry = Entry {
            path,
            endings: 1,
            offset,
            length,
            content,
        };
        // A torrent may itself contain `x` and `x.part`.
        while !taken.insert(entry.unfinished()) {
            entry.endings += 1;
        }
        entries.push(entry);
        offset = offset.saturating_add(length);
    }
    (entries, offset)
}
