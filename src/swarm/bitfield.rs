//! A set of pieces in BitTorrent's bit order (BEP 3 "bitfield": the high bit of the first byte is
//! piece 0, spare bits at the end are zero).
//!
//! Invariant: spare bits are zero and the count is the number of ones. Knows no torrent.

use std::fmt;

/// A set of piece indices below a fixed length.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bitfield {
    bytes: Vec<u8>,
    length: u32,
    count: u32,
}

impl Bitfield {
    /// The empty set of pieces below `length`.
    pub fn new(length: u32) -> Bitfield {
        Bitfield {
            bytes: vec![0; bytes_for(length)],
            length,
            count: 0,
        }
    }

    /// All pieces below `length`.
    pub fn full(length: u32) -> Bitfield {
        let mut bytes = vec![0xff; bytes_for(length)];
        if let Some(last) = bytes.last_mut() {
            *last &= last_mask(length);
        }
        Bitfield {
            bytes,
            length,
            count: length,
        }
    }

    /// As received. `None` if there are too few or too many bytes for `length` pieces, or a spare
    /// bit is set: BEP 3 wants the connection closed then.
    pub fn from_bytes(bytes: &[u8], length: u32) -> Option<Bitfield> {
        let last = bytes.last().copied().unwrap_or(0);
        if bytes.len() != bytes_for(length) || last & !last_mask(length) != 0 {
            return None;
        }
        let count = bytes.iter().map(|byte| byte.count_ones()).sum();
        Some(Bitfield {
            bytes: bytes.to_vec(),
            length,
            count,
        })
    }

    /// As the `bitfield` message carries it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Pieces that could be in the set.
    pub fn len(&self) -> u32 {
        self.length
    }

    /// Whether no piece is in the set.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether every piece is in the set.
    pub fn is_full(&self) -> bool {
        self.count == self.length
    }

    /// Pieces in the set. Constant time.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether the piece is in the set; `false` beyond its length.
    pub fn has(&self, piece: u32) -> bool {
        self.bytes
            .get(piece as usize / 8)
            .is_some_and(|byte| byte & bit(piece) != 0)
    }

    /// Puts a piece in. `true` if it is new; `false` if it was there or is beyond the length.
    pub fn set(&mut self, piece: u32) -> bool {
        if piece >= self.length || self.has(piece) {
            return false;
        }
        if let Some(byte) = self.bytes.get_mut(piece as usize / 8) {
            *byte |= bit(piece);
            self.count += 1;
        }
        true
    }

    /// Takes a piece out. `true` if it was there.
    pub fn clear(&mut self, piece: u32) -> bool {
        if !self.has(piece) {
            return false;
        }
        if let Some(byte) = self.bytes.get_mut(piece as usize / 8) {
            *byte &= !bit(piece);
            self.count -= 1;
        }
        true
    }

    /// The pieces in the set, ascending; bytes of zeros are passed eight pieces at a time.
    pub fn iter_set(&self) -> impl Iterator<Item = u32> + '_ {
        self.bytes
            .iter()
            .zip((0u32..).step_by(8))
            .flat_map(|(byte, base)| {
                let mut rest = *byte;
                std::iter::from_fn(move || {
                    (rest != 0).then(|| {
                        let place = rest.leading_zeros();
                        rest &= !(0x80 >> place);
                        base + place
                    })
                })
            })
    }

    /// Whether some piece is here that `other` lacks.
    pub fn exceeds(&self, other: &Bitfield) -> bool {
        let theirs = other.bytes.iter().copied().chain(std::iter::repeat(0));
        self.bytes
            .iter()
            .zip(theirs)
            .any(|(ours, theirs)| ours & !theirs != 0)
    }
}

/// Bytes that hold `length` bits.
fn bytes_for(length: u32) -> usize {
    length.div_ceil(8) as usize
}

fn bit(piece: u32) -> u8 {
    0x80 >> (piece % 8)
}

/// The bits of the last byte that stand for pieces.
fn last_mask(length: u32) -> u8 {
    match length % 8 {
        0 => 0xff,
        used => !(0xff >> used),
    }
}

impl fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({} of {})", self.count, self.length)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_high_bit_is_piece_zero() {
        let mut field = Bitfield::new(10);
        assert!(field.set(0) && field.set(9) && !field.set(9) && !field.set(10));
        assert_eq!(field.as_bytes(), [0x80, 0x40]);
        assert_eq!(Bitfield::full(10).as_bytes(), [0xff, 0xc0]);
        assert!(Bitfield::full(0).is_full() && Bitfield::full(8).is_full());
    }

    #[test]
    fn wrong_lengths_and_spare_bits_are_refused() {
        assert!(Bitfield::from_bytes(&[0xff, 0xc0], 10).is_some_and(|field| field.is_full()));
        assert_eq!(Bitfield::from_bytes(&[0xff, 0xe0], 10), None);
        assert_eq!(Bitfield::from_bytes(&[0xff], 10), None);
        assert_eq!(Bitfield::from_bytes(&[0xff, 0, 0], 10), None);
        assert_eq!(Bitfield::from_bytes(&[], 0), Some(Bitfield::new(0)));
    }

    proptest! {
        #[test]
        fn behaves_like_a_set(
            length in 0u32..70, steps in prop::collection::vec((any::<bool>(), 0u32..80), 0..200),
            other in prop::collection::btree_set(0u32..70, 0..70),
        ) {
            let mut field = Bitfield::new(length);
            let mut model = BTreeSet::new();
            for (put, piece) in steps {
                if put {
                    prop_assert_eq!(field.set(piece), piece < length && model.insert(piece));
                } else {
                    prop_assert_eq!(field.clear(piece), model.remove(&piece));
                }
            }
            prop_assert_eq!(field.count() as usize, model.len());
            prop_assert!(field.iter_set().eq(model.iter().copied()));
            prop_assert_eq!(Bitfield::from_bytes(field.as_bytes(), length), Some(field.clone()));
            let mut second = Bitfield::new(70);
            other.iter().for_each(|piece| { second.set(*piece); });
            prop_assert_eq!(field.exceeds(&second), model.difference(&other).next().is_some());
        }
    }
}
