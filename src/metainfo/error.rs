//! Why a torrent file or an `info` dictionary (BEP 3) is refused, in sentences for people.
//!
//! Invariant: no text of the torrent is repeated here, so nothing hostile reaches a terminal.

use super::path::PathError;

/// The first rule that a torrent breaks. Shown behind "this is no usable torrent: ".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TorrentError {
    /// Not bencode, or beyond the limits of the parser.
    #[error("{0}")]
    Bencode(#[from] bencode::Error),
    /// A name of a file or of the torrent is refused.
    #[error("{0}")]
    Path(#[from] PathError),
    /// A key that has to be there is not; holds the key.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A key holds the wrong kind of value; holds the key.
    #[error("`{0}` has the wrong type")]
    WrongType(&'static str),
    /// The torrent has a file tree of BEP 52 only.
    #[error("this torrent is version 2 only, which is not supported")]
    VersionTwoOnly,
    /// Neither or both of `length` and `files`.
    #[error("a torrent has either `length` or `files`, this one has both or neither")]
    LengthOrFiles,
    /// Outside of 1 to 128 MiB.
    #[error("the piece length has to be between 1 byte and 128 MiB")]
    PieceLength,
    /// `pieces` is no whole number of 20-byte hashes, or too many.
    #[error("the list of piece hashes has a bad length")]
    Pieces,
    /// The number of hashes is not what the lengths of the files ask for.
    #[error("there are {found} piece hashes, the files need {expected}")]
    PieceCount {
        /// Hashes in `pieces`.
        found: u64,
        /// Total length divided by piece length, rounded up.
        expected: u64,
    },
    /// A file with a negative length or one above 2^48 bytes.
    #[error("a file has an impossible length")]
    FileLength,
    /// All files together above 2^50 bytes.
    #[error("the files are larger than 1 PiB together")]
    TotalLength,
    /// More than 100,000 files.
    #[error("there are more than 100000 files")]
    TooManyFiles,
    /// Not one byte to download.
    #[error("all files are empty")]
    NothingInside,
    /// A maker's two files with one path (also if only upper and lower case differ), or one inside another. Read from
    /// a torrent, the later one gets another name.
    #[error("two files have the same path, or one lies inside of the other")]
    Clash,
    /// A symbolic link that claims content.
    #[error("a symbolic link has content")]
    LinkWithContent,
    /// A builder was fed more or fewer bytes than it was announced.
    #[error("the files changed while they were read: {found} bytes instead of {expected}")]
    Fed {
        /// Bytes fed.
        found: u64,
        /// Sum of the announced lengths.
        expected: u64,
    },
    /// A builder made a torrent above 16 MiB.
    #[error("the torrent gets larger than 16 MiB: choose larger pieces")]
    TooLarge,
}
