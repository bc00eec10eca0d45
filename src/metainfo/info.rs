//! Stand-in until the parser arrives.
#![allow(missing_docs)]
use bytes::Bytes;

use super::InfoHash;

#[derive(Clone, Debug)]
pub struct Info {
    raw: Bytes,
    hash: InfoHash,
    piece_length: u32,
    total: u64,
    private: bool,
    hashes: Vec<[u8; 20]>,
}
#[derive(Clone, Copy, Debug)]
pub struct TorrentError;
impl Info {
    pub fn from_bytes(raw: Bytes) -> Result<Info, TorrentError> {
        use sha1::{Digest, Sha1};
        let hash = InfoHash(Sha1::digest(&raw).into());
        let v = bencode::parse(&raw, &bencode::Limits::TORRENT).map_err(|_| TorrentError)?;
        let pl = v
            .get("piece length")
            .and_then(|v| v.as_int())
            .ok_or(TorrentError)?;
        let total = v
            .get("length")
            .and_then(|v| v.as_int())
            .ok_or(TorrentError)?;
        let p = v
            .get("pieces")
            .and_then(|v| v.as_bytes())
            .ok_or(TorrentError)?;
        let private = v.get("private").and_then(|v| v.as_int()) == Some(1);
        let hashes = p
            .chunks_exact(20)
            .filter_map(|c| c.try_into().ok())
            .collect();
        let (piece_length, total) = (pl as u32, total as u64);
        Ok(Info {
            hash,
            piece_length,
            total,
            private,
            hashes,
            raw: raw.clone(),
        })
    }
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }
    pub fn info_hash(&self) -> InfoHash {
        self.hash
    }
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }
    pub fn total_length(&self) -> u64 {
        self.total
    }
    pub fn is_private(&self) -> bool {
        self.private
    }
    pub fn piece_hash(&self, i: u32) -> Option<[u8; 20]> {
        self.hashes.get(i as usize).copied()
    }
}
