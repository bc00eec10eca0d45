//! Makes torrents (BEP 3) of version 1 in one pass over the files.
//!
//! Invariant: the result passed the same checks as a torrent from a stranger, because it is read
//! back by [`Info::from_bytes`]. This file is fed bytes; it does not know where they come from.

use std::sync::Arc;

use bencode::{Limits, Writer};
use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::clash;
use super::error::TorrentError;
use super::info::{
    Info, MAX_FILE_LENGTH, MAX_FILES, MAX_PIECE_LENGTH, MAX_PIECES, MAX_TOTAL_LENGTH,
};
use super::path::{FilePath, PathError};
use super::torrent::Torrent;

/// Smallest default piece: one block of the wire protocol.
const MIN_DEFAULT_PIECE: u32 = 16 << 10;
/// Largest default piece; clients of the field take more, but a bad block costs a whole piece.
const MAX_DEFAULT_PIECE: u32 = 16 << 20;
/// 1,500 hashes are 30 KB of metadata: two blocks of BEP 9.
const AIMED_PIECES: u64 = 1500;

/// What the maker of a torrent can choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a piece, 1 to 128 MiB; `None` chooses a power of two of 16 KiB to 16 MiB.
    pub piece_length: Option<u32>,
    /// BEP 27.
    pub private: bool,
    /// Tiers of tracker URLs.
    pub trackers: Vec<Vec<String>>,
    /// DHT nodes to start from.
    pub nodes: Vec<(String, u16)>,
    /// Free text.
    pub comment: Option<String>,
    /// The program's name and version.
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

/// Hashes the files of a torrent to be, in the order they were announced.
#[derive(Debug, Clone)]
pub struct Builder {
    name: String,
    files: Vec<(Vec<String>, u64)>,
    options: Options,
    total_length: u64,
    piece_length: u32,
    /// Hashes of whole pieces, 20 bytes each.
    pieces: Vec<u8>,
    open: Sha1,
    /// Bytes in `open`, below `piece_length`.
    open_length: u32,
    fed: u64,
}

/// The default piece length for a torrent of `total` bytes.
#[must_use]
pub(super) fn default_piece_length(total: u64) -> u32 {
    let wanted = (total / AIMED_PIECES)
        .max(1)
        .min(u64::from(MAX_DEFAULT_PIECE));
    let wanted = u32::try_from(wanted).unwrap_or(MAX_DEFAULT_PIECE);
    wanted
        .next_power_of_two()
        .clamp(MIN_DEFAULT_PIECE, MAX_DEFAULT_PIECE)
}

impl Builder {
    /// Starts a torrent. Each file is its path below `name` and its length in bytes; one file with
    /// an empty path is a torrent of that single file.
    ///
    /// # Errors
    /// Names and lengths that no reader would take, so that nothing is hashed in vain.
    pub fn new(
        name: &str,
        files: Vec<(Vec<String>, u64)>,
        options: Options,
    ) -> Result<Self, TorrentError> {
        FilePath::new(&[name])?;
        if files.len() > MAX_FILES {
            return Err(TorrentError::TooManyFiles);
        }
        let single = files.len() == 1;
        let mut total_length: u64 = 0;
        let mut paths = Vec::new();
        for (path, length) in &files {
            if path.is_empty() && !single {
                return Err(PathError::Empty.into());
            }
            let full: Vec<&str> = std::iter::once(name)
                .chain(path.iter().map(String::as_str))
                .collect();
            paths.push(FilePath::new(&full)?);
            if *length > MAX_FILE_LENGTH {
                return Err(TorrentError::FileLength);
            }
            total_length = total_length.saturating_add(*length);
        }
        if total_length > MAX_TOTAL_LENGTH {
            return Err(TorrentError::TotalLength);
        }
        // Readers would look for one of the two under another name.
        if clash::meet(&paths) {
            return Err(TorrentError::Clash);
        }
        if total_length == 0 {
            return Err(TorrentError::NothingInside);
        }
        let piece_length = options
            .piece_length
            .unwrap_or(default_piece_length(total_length));
        if !(1..=MAX_PIECE_LENGTH).contains(&i64::from(piece_length)) {
            return Err(TorrentError::PieceLength);
        }
        let count = usize::try_from(total_length.div_ceil(u64::from(piece_length)));
        if count.is_ok_and(|count| count > MAX_PIECES) {
            return Err(TorrentError::TooLarge);
        }
        Ok(Self {
            name: name.to_owned(),
            files,
            options,
            total_length,
            piece_length,
            pieces: Vec::new(),
            open: Sha1::new(),
            open_length: 0,
            fed: 0,
        })
    }

    /// Bytes of all files.
    #[must_use]
    pub fn total_length(&self) -> u64 {
        self.total_length
    }

    /// Bytes of a piece.
    #[must_use]
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Takes the next bytes; chunks may have any size and cross files.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        // Behind the announced end only the count matters: `finish` will refuse.
        while !bytes.is_empty() && self.fed < self.total_length {
            let room = self.piece_length.saturating_sub(self.open_length);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.open.update(now);
            self.fed = self.fed.saturating_add(now.len() as u64);
            self.open_length = self
                .open_length
                .saturating_add(u32::try_from(now.len()).unwrap_or(u32::MAX));
            if self.open_length >= self.piece_length {
                self.close_piece();
            }
            bytes = later;
        }
        self.fed = self.fed.saturating_add(bytes.len() as u64);
    }

    /// Writes the torrent and reads it back.
    ///
    /// # Errors
    /// Too few or too many bytes were fed, two paths clash, or the file gets too large.
    pub fn finish(mut self) -> Result<Torrent, TorrentError> {
        if self.fed != self.total_length {
            return Err(TorrentError::Fed {
                found: self.fed,
                expected: self.total_length,
            });
        }
        if self.open_length > 0 {
            self.close_piece();
        }
        let raw = self.info();
        let info = Arc::new(Info::from_bytes(Bytes::from(raw))?);
        let Options {
            trackers,
            nodes,
            comment,
            created_by,
            creation_date,
            ..
        } = self.options;
        let torrent = Torrent {
            info,
            trackers,
            nodes,
            comment,
            created_by,
            creation_date,
        };
        let file = torrent.to_bytes();
        if file.len() > Limits::TORRENT.bytes {
            return Err(TorrentError::TooLarge);
        }
        // Trackers and nodes that a reader would leave out are left out here too.
        Torrent::from_bytes(&file)
    }

    fn close_piece(&mut self) {
        self.pieces.extend_from_slice(&self.open.finalize_reset());
        self.open_length = 0;
    }

    /// The `info` dictionary.
    fn info(&self) -> Vec<u8> {
        let as_int = |length: u64| i64::try_from(length).unwrap_or(i64::MAX);
        let single = self.files.first().filter(|(path, _)| path.is_empty());
        let mut writer = Writer::new();
        writer.dict(|info| {
            match single {
                Some((_, length)) => info.int("length", as_int(*length)),
                None => info.list("files", |files| {
                    for (path, length) in &self.files {
                        files.dict(|file| {
                            file.int("length", as_int(*length));
                            file.list("path", |names| path.iter().for_each(|n| names.bytes(n)));
                        });
                    }
                }),
            }
            info.bytes("name", &self.name);
            info.int("piece length", i64::from(self.piece_length));
            info.bytes("pieces", &self.pieces);
            if self.options.private {
                info.int("private", 1);
            }
        });
        writer.into_bytes()
    }
}
