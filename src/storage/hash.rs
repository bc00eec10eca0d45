//! SHA-1 of pieces and blocks in memory (BEP 3 "pieces").
//!
//! Knows neither files nor torrents.

use std::io::IoSlice;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use crate::swarm::disk::Digest;

/// Of all blocks, one behind the other.
pub(crate) fn digest(blocks: &[Bytes]) -> Digest {
    let mut sha = Sha1::new();
    for block in blocks {
        sha.update(block);
    }
    sha.finalize().into()
}

/// Of each block.
pub(crate) fn digests(blocks: &[Bytes]) -> Vec<Digest> {
    blocks
        .iter()
        .map(|block| Sha1::digest(block).into())
        .collect()
}

/// Blocks cut along other lines: those of files.
pub(crate) struct Slices<'a> {
    blocks: &'a [Bytes],
    /// Bytes of the first block that are taken.
    taken: usize,
}

impl<'a> Slices<'a> {
    /// From the first byte.
    pub(crate) fn new(blocks: &'a [Bytes]) -> Slices<'a> {
        Slices { blocks, taken: 0 }
    }

    /// The next `length` bytes, or as many as there are.
    pub(crate) fn take(&mut self, length: u64) -> Vec<IoSlice<'a>> {
        let mut length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut slices = Vec::new();
        while let Some((block, behind)) = self.blocks.split_first().filter(|_| length > 0) {
            let rest = block.get(self.taken..).unwrap_or_default();
            let part = rest.get(..length).unwrap_or(rest);
            slices.push(IoSlice::new(part));
            length -= part.len();
            self.taken += part.len();
            if part.len() == rest.len() {
                self.blocks = behind;
                self.taken = 0;
            }
        }
        slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_the_files_not_the_blocks() {
        let blocks = [
            Bytes::from_static(b"abcd"),
            Bytes::new(),
            Bytes::from_static(b"efgh"),
        ];
        let mut rest = Slices::new(&blocks);
        let mut take = |length| -> Vec<Vec<u8>> {
            rest.take(length)
                .iter()
                .map(|slice| slice.to_vec())
                .collect()
        };
        assert_eq!(take(3), [b"abc"]);
        assert_eq!(take(3).concat(), b"def");
        assert_eq!(take(99).concat(), b"gh");
        assert!(take(1).is_empty());
    }

    #[test]
    fn a_piece_is_its_blocks() {
        let blocks = [Bytes::from_static(b"a"), Bytes::from_static(b"bc")];
        assert_eq!(
            hex::encode(digest(&blocks)),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert_eq!(digests(&blocks)[1], digest(&blocks[1..]));
    }
}
