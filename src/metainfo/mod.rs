//! What a torrent is: info hash, magnet link, torrent file.

mod info_hash;

pub use info_hash::InfoHash;
