//! The 20 bytes that name a torrent (BEP 3): the SHA-1 of its bencoded `info` dictionary.
//!
//! Invariant: the hash is taken over the bytes as they stand in the file, never over a dictionary
//! that was decoded and written again. This file knows nothing about what the dictionary says.

use std::fmt;
use std::str::FromStr;

use sha1::{Digest, Sha1};

/// Characters of an info hash in hexadecimal, as BEP 9 links write it today.
pub(super) const HEX_LENGTH: usize = 40;
/// Characters of an info hash in base32 (RFC 4648), as links of 2008 wrote it.
pub(super) const BASE32_LENGTH: usize = 32;

/// SHA-1 of a torrent's `info` dictionary as it stands in the file, byte for byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// Why a text is not an info hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InfoHashError {
    /// Neither 40 nor 32 characters; holds how many there were.
    #[error("the info hash has {0} characters, expected 40 (hex) or 32 (base32)")]
    Length(usize),
    /// A character that the encoding does not have; `at` counts bytes from the start of the hash.
    #[error("character {} of the info hash is not {alphabet}", at.saturating_add(1))]
    Character {
        /// Zero-based byte position inside the hash.
        at: usize,
        /// Which encoding the length told us to expect.
        alphabet: Alphabet,
    },
}

/// The two ways links write an info hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// 40 characters of `0-9a-f`, either case.
    Hex,
    /// 32 characters of `a-z2-7`, either case.
    Base32,
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hex => "hexadecimal",
            Self::Base32 => "base32",
        })
    }
}

impl InfoHash {
    /// The hash of a bencoded `info` dictionary, given exactly its bytes.
    #[must_use]
    pub fn of_info(raw: &[u8]) -> Self {
        Self(Sha1::digest(raw).into())
    }
}

impl FromStr for InfoHash {
    type Err = InfoHashError;

    /// Reads 40 hexadecimal or 32 base32 characters, in either case.
    fn from_str(text: &str) -> Result<Self, InfoHashError> {
        let (encoding, alphabet) = match text.chars().count() {
            HEX_LENGTH => (&data_encoding::HEXLOWER_PERMISSIVE, Alphabet::Hex),
            BASE32_LENGTH => (&data_encoding::BASE32_NOPAD_NOCASE, Alphabet::Base32),
            count => return Err(InfoHashError::Length(count)),
        };
        // A character of two bytes would make the decoder complain about the length instead.
        if let Some(at) = text.find(|c: char| !c.is_ascii_alphanumeric()) {
            return Err(InfoHashError::Character { at, alphabet });
        }
        let bytes = encoding
            .decode(text.as_bytes())
            .map_err(|error| InfoHashError::Character {
                at: error.position,
                alphabet,
            })?;
        // 40 × 4 and 32 × 5 bits are both 160; so this holds always.
        let hash = bytes
            .try_into()
            .map_err(|_: Vec<u8>| InfoHashError::Length(text.chars().count()))?;
        Ok(Self(hash))
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHash({self})")
    }
}
