//! `serde_bencode` behind the reader's limits: bencode (BEP 3) straight into a Rust type.
//!
//! Invariant: nothing reaches serde that [`parse`] did not accept under the same limits.
//! Alone it recurses as deep as the input says and ignores what follows the value. For torrent
//! files, tracker replies and state; not for datagrams, which are read in place.

use std::fmt;

use serde::de::DeserializeOwned;

use crate::{Error, Limits, parse};

/// Decodes one value of type `T`, with nothing behind it.
///
/// Unknown keys are skipped, as serde does by default. A key that `T` knows and that appears twice
/// is an error even under lenient limits.
///
/// # Errors
/// [`DecodeError::Malformed`] if `input` breaks the syntax or `limits`; [`DecodeError::Shape`] if
/// it is bencode, but not a `T`.
pub fn from_bytes<T: DeserializeOwned>(input: &[u8], limits: &Limits) -> Result<T, DecodeError> {
    parse(input, limits).map_err(DecodeError::Malformed)?;
    serde_bencode::from_bytes(input).map_err(DecodeError::Shape)
}

/// Why [`from_bytes`] gave no value.
#[derive(Debug)]
pub enum DecodeError {
    /// Not bencode, or beyond the limits.
    Malformed(Error),
    /// Bencode of another shape: a key is missing, or a value is of the wrong kind.
    Shape(serde_bencode::Error),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Malformed(error) => error.fmt(f),
            DecodeError::Shape(error) => write!(f, "unexpected content: {error}"),
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DecodeError::Malformed(error) => Some(error),
            DecodeError::Shape(error) => Some(error),
        }
    }
}
