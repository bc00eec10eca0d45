//! What a torrent is: info hash, magnet link (BEP 9, BEP 53), torrent file (BEP 3).
//!
//! The way through: `info_hash` names a torrent, `path` makes its file names safe, `file` is one file, `clash` keeps
//! their names apart, `info` checks the dictionary that is hashed, `torrent` the file around it, `magnet` the link to
//! it, `publisher` the link to whoever publishes ever new ones (BEP 46), `create` makes new ones. Invariant: what these
//! types hold passed the limits of the bad-input table.
//! Nothing here knows a socket, a clock or a file system.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod clash;
mod create;
mod error;
mod file;
mod info;
mod info_hash;
mod magnet;
mod path;
mod publisher;
mod torrent;

pub use create::{Builder, Options};
pub use error::TorrentError;
pub use file::{FileEntry, FileKind};
pub use info::Info;
pub use info_hash::{Alphabet, InfoHash, InfoHashError};
pub use magnet::{Magnet, MagnetError, MagnetErrorKind};
pub use path::{FilePath, PathError};
pub use publisher::{Publisher, published, published_value};
pub use torrent::Torrent;

#[cfg(test)]
mod tests;
