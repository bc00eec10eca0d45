//! One file of a torrent (BEP 3 `files`, BEP 47 padding): where it goes and which of the torrent's bytes it holds.

use super::path::FilePath;

/// Whether a file is written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Content.
    Data,
    /// Zeros that align the next file to a piece (BEP 47); hashed, never written.
    Padding,
}

/// One file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it goes, relative to the download directory; starts with the torrent's name.
    pub path: FilePath,
    /// Its first byte, counted from the start of the torrent.
    pub offset: u64,
    /// Its bytes, 0 to 2^48.
    pub length: u64,
    /// Whether it is content.
    pub kind: FileKind,
}

impl FileEntry {
    /// Whether this is content and not padding.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.kind == FileKind::Data
    }
}
