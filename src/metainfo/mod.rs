//! What a torrent is: info hash, magnet link, torrent file.

mod info;
mod info_hash;

pub use info::{Info, TorrentError};
pub use info_hash::InfoHash;
