//! The readers of saved state, on bytes instead of files: what the fuzz targets `journal` and `saved` feed.
//!
//! Invariant: the same code that reads the files. Nothing else uses it.

use bytes::Bytes;

use super::journal::Journal;
use super::{DhtState, SavedPeer, dht_state, journal, peers};
use crate::metainfo::InfoHash;

/// A torrent's journal: how many records count, and the bytes that a journal with just these has. `None` for what
/// is no journal of this torrent.
pub fn journal(bytes: Bytes, hash: InfoHash) -> Option<(usize, Vec<u8>)> {
    let contents = journal::parse(bytes, hash).ok()?;
    let again = Journal::bytes(hash, &contents.info, &contents.records).ok()?;
    Some((contents.records.len(), again))
}

/// The file of a DHT node, and what would be written for it.
pub fn dht_state(bytes: &[u8]) -> Option<(DhtState, Vec<u8>)> {
    let state = dht_state::parse(bytes)?;
    let again = dht_state::encode(&state);
    Some((state, again))
}

/// The file of a torrent's peers, and what would be written for them.
pub fn peers(bytes: &[u8], hash: InfoHash) -> Option<(Vec<SavedPeer>, Vec<u8>)> {
    let found = peers::parse(bytes, hash)?;
    let again = peers::encode(&found, hash);
    Some((found, again))
}
