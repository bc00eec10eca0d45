//! Pieces, blocks and files of one torrent as arithmetic (BEP 3 "piece length", "info dictionary").
//!
//! Invariant: every block that [`Geometry::block`] names is [`Geometry::valid`], and the blocks of
//! all pieces cover the torrent exactly once. Knows neither data nor files' names.

use crate::wire::{BLOCK, Block};

/// Bytes of a block, except for a piece's last one. BEP 3: "all current implementations use 2^14";
/// larger requests are answered by closing.
pub const BLOCK_LENGTH: u32 = BLOCK as u32;

/// How a torrent is cut into pieces and blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    piece_length: u32,
    total_length: u64,
    piece_count: u32,
}

impl Geometry {
    /// Of the `info` dictionary's figures, in bytes. A piece length of 0, which no valid `info`
    /// has, counts as 1; pieces beyond 2^32 are cut off.
    pub fn new(piece_length: u32, total_length: u64) -> Geometry {
        let piece_length = piece_length.max(1);
        let piece_count = total_length.div_ceil(u64::from(piece_length));
        Geometry {
            piece_length,
            total_length,
            piece_count: u32::try_from(piece_count).unwrap_or(u32::MAX),
        }
    }

    /// Bytes of every piece but the last.
    pub fn piece_length(&self) -> u32 {
        self.piece_length
    }

    /// Bytes of the whole torrent.
    pub fn total_length(&self) -> u64 {
        self.total_length
    }

    /// Pieces, the last of which may be shorter.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// Where a piece begins in the torrent's byte stream.
    pub fn piece_offset(&self, piece: u32) -> u64 {
        u64::from(piece) * u64::from(self.piece_length)
    }

    /// Bytes of a piece; 0 if there is no such piece.
    pub fn piece_size(&self, piece: u32) -> u32 {
        let rest = self.total_length.saturating_sub(self.piece_offset(piece));
        u32::try_from(rest)
            .unwrap_or(u32::MAX)
            .min(self.piece_length)
    }

    /// Blocks of a piece; 0 if there is no such piece.
    pub fn blocks_in(&self, piece: u32) -> u32 {
        self.piece_size(piece).div_ceil(BLOCK_LENGTH)
    }

    /// The `n`-th block of a piece; one of length 0 (never valid) if there is none.
    pub fn block(&self, piece: u32, n: u32) -> Block {
        let begin = n.saturating_mul(BLOCK_LENGTH);
        let length = self
            .piece_size(piece)
            .saturating_sub(begin)
            .min(BLOCK_LENGTH);
        Block {
            piece,
            begin,
            length,
        }
    }

    /// Which block of its piece this is: `Some` only if it is exactly one of our blocks.
    pub fn index_of(&self, block: Block) -> Option<u32> {
        let n = block.begin / BLOCK_LENGTH;
        (block.length > 0 && self.block(block.piece, n) == block).then_some(n)
    }

    /// Whether a peer may ask for this: not empty, inside a piece, at most [`BLOCK_LENGTH`] bytes.
    /// It need not be aligned.
    ///
    /// Threat: a begin near 2^32, whose end would wrap.
    pub fn valid(&self, block: Block) -> bool {
        let end = u64::from(block.begin) + u64::from(block.length);
        (1..=BLOCK_LENGTH).contains(&block.length) && end <= u64::from(self.piece_size(block.piece))
    }
}

/// A part of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Index into the torrent's files.
    pub file: usize,
    /// Byte offset inside the file.
    pub offset: u64,
    /// Bytes; never 0.
    pub length: u64,
}

/// Where `length` bytes at `offset` of the torrent's byte stream lie, in order. Files of length 0
/// never appear; what is beyond the last file is left out.
pub fn spans(
    lengths: impl IntoIterator<Item = u64>,
    offset: u64,
    length: u64,
) -> impl Iterator<Item = Span> {
    let end = offset.saturating_add(length);
    let mut start = 0u64;
    lengths
        .into_iter()
        .enumerate()
        .map(move |(file, length)| {
            let here = start;
            start = start.saturating_add(length);
            (file, here, start)
        })
        .skip_while(move |(_, _, stop)| *stop <= offset)
        .take_while(move |(_, here, _)| *here < end)
        .filter_map(move |(file, here, stop)| {
            let from = here.max(offset);
            let length = stop.min(end).saturating_sub(from);
            (length > 0).then(|| Span {
                file,
                offset: from - here,
                length,
            })
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_torrent_of_two_and_a_half_blocks() {
        let geometry = Geometry::new(32_768, 40_000);
        assert_eq!(geometry.piece_count(), 2);
        assert_eq!(geometry.piece_size(1), 7_232);
        assert_eq!(geometry.blocks_in(0), 2);
        assert_eq!(
            geometry.block(1, 0),
            Block {
                piece: 1,
                begin: 0,
                length: 7_232
            }
        );
        assert_eq!(geometry.piece_size(2), 0);
        assert_eq!(geometry.block(u32::MAX, u32::MAX).length, 0);
    }

    #[test]
    fn hostile_requests_are_invalid() {
        let geometry = Geometry::new(32_768, 40_000);
        let ask = |piece, begin, length| {
            geometry.valid(Block {
                piece,
                begin,
                length,
            })
        };
        assert!(ask(0, 16_384, 16_384) && ask(0, 5, 100) && ask(1, 7_231, 1));
        assert!(!ask(0, 0, 0) && !ask(0, 16_385, 16_384) && !ask(0, 0, 16_385));
        assert!(!ask(2, 0, 1) && !ask(0, u32::MAX, 2) && !ask(1, 0, 1 << 31));
    }

    #[test]
    fn spans_skip_empty_files() {
        let found: Vec<Span> = spans([0, 3, 0, 0, 5, 0], 1, 4).collect();
        let expected = [
            Span {
                file: 1,
                offset: 1,
                length: 2,
            },
            Span {
                file: 4,
                offset: 0,
                length: 2,
            },
        ];
        assert_eq!(found, expected);
        assert_eq!(spans([3], 3, 10).count(), 0);
        assert_eq!(spans([3], 0, 0).count(), 0);
        assert_eq!(spans([3, u64::MAX, 9], 2, u64::MAX).count(), 2);
    }

    proptest! {
        #[test]
        fn blocks_cover_the_torrent_once(piece_length in 1u32..100_000, total in 0u64..400_000) {
            let geometry = Geometry::new(piece_length, total);
            let mut next = 0u64;
            for piece in 0..geometry.piece_count() {
                for n in 0..geometry.blocks_in(piece) {
                    let block = geometry.block(piece, n);
                    prop_assert!(geometry.valid(block));
                    prop_assert_eq!(geometry.index_of(block), Some(n));
                    prop_assert_eq!(geometry.piece_offset(piece) + u64::from(block.begin), next);
                    next += u64::from(block.length);
                }
            }
            prop_assert_eq!(next, total);
        }

        #[test]
        fn spans_are_what_walking_byte_by_byte_finds(
            lengths in prop::collection::vec(0u64..20, 0..12), offset in 0u64..100, length in 0u64..60,
        ) {
            let bytes: Vec<(usize, u64)> = lengths.iter().enumerate()
                .flat_map(|(file, length)| (0..*length).map(move |at| (file, at))).collect();
            let wanted: Vec<_> =
                bytes.into_iter().skip(offset as usize).take(length as usize).collect();
            let found: Vec<_> = spans(lengths, offset, length)
                .flat_map(|s| (s.offset..s.offset + s.length).map(move |at| (s.file, at))).collect();
            prop_assert_eq!(found, wanted);
        }
    }
}
