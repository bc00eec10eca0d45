//! The `info` dictionary of BEP 3: what the files are and what their pieces hash to.
//!
//! Read BEP 3 ("info dictionary"), BEP 27 (private), BEP 47 (padding and links). Invariant: an
//! [`Info`] is consistent. The files lie back to back, the pieces cover them exactly, no path leaves
//! the download directory and no two data files meet. Its bytes are kept as they came, since the
//! hash is over them. It comes from a file or, hash-checked, from peers (BEP 9); this file does not
//! know which.

use bencode::{Limits, Value};
use bytes::Bytes;

use super::clash;
use super::error::TorrentError;
use super::file::{FileEntry, FileKind};
use super::info_hash::InfoHash;
use super::path::{FilePath, PathError};

/// Longest piece in bytes (reliability, bad-input table).
pub(super) const MAX_PIECE_LENGTH: i64 = 128 << 20;
/// Most pieces of one torrent.
pub(super) const MAX_PIECES: usize = 1 << 21;
/// Most files of one torrent, padding and links included.
pub(super) const MAX_FILES: usize = 100_000;
/// Longest file in bytes.
pub(super) const MAX_FILE_LENGTH: u64 = 1 << 48;
/// Longest torrent in bytes.
pub(super) const MAX_TOTAL_LENGTH: u64 = 1 << 50;
/// Bytes of one SHA-1.
const HASH_LENGTH: usize = 20;

/// A checked `info` dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    info_hash: InfoHash,
    name: String,
    piece_length: u32,
    /// A slice of `raw`.
    pieces: Bytes,
    files: Vec<FileEntry>,
    total_length: u64,
    private: bool,
    raw: Bytes,
}

impl Info {
    /// Checks the bytes of an `info` dictionary; nothing may stand behind it.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn from_bytes(raw: Bytes) -> Result<Self, TorrentError> {
        let info = bencode::parse(&raw, &Limits::INFO)?;
        if info.as_dict().is_none() {
            return Err(TorrentError::WrongType("info"));
        }
        let pieces = match info.get("pieces") {
            Some(pieces) => pieces.as_bytes().ok_or(TorrentError::WrongType("pieces"))?,
            None if info.get("meta version").is_some() => return Err(TorrentError::VersionTwoOnly),
            None => return Err(TorrentError::Missing("pieces")),
        };
        let name = text(&info, "name.utf-8", "name")?.ok_or(TorrentError::Missing("name"))?;
        let root = FilePath::new(&[name])?;
        let mut files = files(&info, &root)?;
        let total_length = files
            .last()
            .map_or(0, |file| file.offset.saturating_add(file.length));
        if !files.iter().any(|file| file.is_data() && file.length > 0) {
            return Err(TorrentError::NothingInside);
        }
        clash::settle(&mut files);
        let piece_length = piece_length(&info)?;
        check_pieces(pieces.len(), total_length, piece_length)?;
        Ok(Self {
            info_hash: InfoHash::of_info(&raw),
            name: root.file_name().to_owned(),
            piece_length,
            pieces: raw.slice_ref(pieces),
            files,
            total_length,
            private: info.get("private").and_then(|flag| flag.as_int()) == Some(1),
            raw: raw.clone(),
        })
    }

    /// SHA-1 of [`Info::raw`].
    #[must_use]
    pub fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The tidied name: the file, or the directory that holds all files.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of every piece but the last, 1 to 128 MiB.
    #[must_use]
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Number of pieces, 1 to 2^21.
    #[must_use]
    pub fn piece_count(&self) -> u32 {
        u32::try_from(self.pieces.len() / HASH_LENGTH).unwrap_or(u32::MAX)
    }

    /// SHA-1 of a piece; `None` behind the last.
    #[must_use]
    pub fn piece_hash(&self, piece: u32) -> Option<[u8; 20]> {
        let start = usize::try_from(piece).ok()?.checked_mul(HASH_LENGTH)?;
        self.pieces
            .get(start..start.checked_add(HASH_LENGTH)?)?
            .try_into()
            .ok()
    }

    /// Bytes of all files, padding included; 1 to 2^50.
    #[must_use]
    pub fn total_length(&self) -> u64 {
        self.total_length
    }

    /// The files in the order of their bytes, padding included, links left out.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// BEP 27: peers may come from the torrent's trackers only.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.private
    }

    /// The dictionary as it came, for peers that ask for it (BEP 9).
    #[must_use]
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }
}

fn piece_length(info: &Value<'_>) -> Result<u32, TorrentError> {
    let value = info
        .get("piece length")
        .ok_or(TorrentError::Missing("piece length"))?;
    let length = value
        .as_int()
        .ok_or(TorrentError::WrongType("piece length"))?;
    if !(1..=MAX_PIECE_LENGTH).contains(&length) {
        return Err(TorrentError::PieceLength);
    }
    u32::try_from(length).map_err(|_| TorrentError::PieceLength)
}

/// `bytes` is the length of all hashes.
fn check_pieces(bytes: usize, total: u64, piece_length: u32) -> Result<(), TorrentError> {
    let found = bytes / HASH_LENGTH;
    if !bytes.is_multiple_of(HASH_LENGTH) || found > MAX_PIECES {
        return Err(TorrentError::Pieces);
    }
    let expected = total.div_ceil(u64::from(piece_length));
    match u64::try_from(found) {
        Ok(found) if found == expected => Ok(()),
        Ok(found) => Err(TorrentError::PieceCount { found, expected }),
        Err(_) => Err(TorrentError::Pieces),
    }
}

/// A string of a dictionary, the one marked as UTF-8 first.
///
/// Deviation: BEP 3 demands UTF-8; old torrents hold other encodings, which turn into U+FFFD.
fn text(
    dict: &Value<'_>,
    marked: &str,
    plain: &'static str,
) -> Result<Option<String>, TorrentError> {
    let Some(value) = dict.get(marked).or_else(|| dict.get(plain)) else {
        return Ok(None);
    };
    let bytes = value.as_bytes().ok_or(TorrentError::WrongType(plain))?;
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}

fn length(dict: &Value<'_>) -> Result<u64, TorrentError> {
    let value = dict.get("length").ok_or(TorrentError::Missing("length"))?;
    let length = value.as_int().ok_or(TorrentError::WrongType("length"))?;
    match u64::try_from(length) {
        Ok(length) if length <= MAX_FILE_LENGTH => Ok(length),
        _ => Err(TorrentError::FileLength),
    }
}

/// All files with their offsets.
fn files(info: &Value<'_>, root: &FilePath) -> Result<Vec<FileEntry>, TorrentError> {
    let list = match (info.get("length"), info.get("files")) {
        (Some(_), None) => {
            let (length, kind) = (length(info)?, FileKind::Data);
            return Ok(vec![FileEntry {
                path: root.clone(),
                offset: 0,
                length,
                kind,
            }]);
        }
        (None, Some(list)) => list.as_list().ok_or(TorrentError::WrongType("files"))?,
        _ => return Err(TorrentError::LengthOrFiles),
    };
    let mut files = Vec::new();
    let mut offset: u64 = 0;
    for (index, file) in list.enumerate() {
        if index >= MAX_FILES {
            return Err(TorrentError::TooManyFiles);
        }
        if let Some((path, length, kind)) = entry(&file, root)? {
            files.push(FileEntry {
                path,
                offset,
                length,
                kind,
            });
            offset = offset.saturating_add(length);
        }
        if offset > MAX_TOTAL_LENGTH {
            return Err(TorrentError::TotalLength);
        }
    }
    Ok(files)
}

/// One element of `files`; `None` for a symbolic link.
///
/// Threat: a link followed by a file "inside" of it writes anywhere. Links are never made.
fn entry(
    file: &Value<'_>,
    root: &FilePath,
) -> Result<Option<(FilePath, u64, FileKind)>, TorrentError> {
    if file.as_dict().is_none() {
        return Err(TorrentError::WrongType("files"));
    }
    let attributes = file
        .get("attr")
        .and_then(|attr| attr.as_bytes())
        .unwrap_or_default();
    if attributes.contains(&b'l') {
        return match file.get("length").map(|_| length(file)) {
            None | Some(Ok(0)) => Ok(None),
            Some(Ok(_)) => Err(TorrentError::LinkWithContent),
            Some(Err(error)) => Err(error),
        };
    }
    let length = length(file)?;
    let mut components = root.components().to_vec();
    let marked = attributes.contains(&b'p');
    match file.get("path.utf-8").or_else(|| file.get("path")) {
        // Padding is never written, so it may do without a name.
        None if marked => components.extend([".pad".to_owned(), length.to_string()]),
        None => return Err(TorrentError::Missing("path")),
        Some(path) => {
            for component in path.as_list().ok_or(TorrentError::WrongType("path"))? {
                let bytes = component
                    .as_bytes()
                    .ok_or(TorrentError::WrongType("path"))?;
                components.push(String::from_utf8_lossy(bytes).into_owned());
            }
        }
    }
    if components.len() <= root.components().len() {
        return Err(PathError::Empty.into());
    }
    // Older makers did not mark padding; BitComet and libtorrent names are known.
    let padding = marked
        || components.get(1).is_some_and(|first| first == ".pad")
        || components
            .last()
            .is_some_and(|last| last.starts_with("_____padding_file_"));
    let kind = if padding {
        FileKind::Padding
    } else {
        FileKind::Data
    };
    Ok(Some((FilePath::new(&components)?, length, kind)))
}
