//! What can be wrong with bencode (BEP 3), and where.
//!
//! Invariant: an [`Error`] is `Copy`, allocates nothing and holds no text of the input, so a flood
//! of bad datagrams costs nothing to refuse and nothing hostile reaches a log. It does not know
//! which protocol the input belonged to.

use std::fmt;

/// The first fault of an input, found in one pass from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Which rule was broken.
    pub kind: ErrorKind,
    /// Bytes from the start of the input to the token at fault.
    pub offset: usize,
}

/// The rules of bencode and of [`Limits`](crate::Limits), one variant each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input ends inside a value, or a string is longer than what is left.
    UnexpectedEnd,
    /// A byte that starts no token, or an end mark where a value has to stand.
    UnexpectedByte,
    /// Not `0` and not `-?[1-9][0-9]*`: empty, leading zero, `-0`, a sign too many.
    MalformedInt,
    /// An integer outside of `i64`.
    IntOutOfRange,
    /// A string length with a leading zero, more than 10 digits, or no `:` behind it.
    MalformedLength,
    /// A dictionary key that is not a string.
    KeyNotString,
    /// Under [`Keys::Strict`](crate::Keys::Strict): a key not above the one before it.
    KeyOrder,
    /// Nested deeper than the limit.
    TooDeep,
    /// More tokens than the limit.
    TooManyTokens,
    /// Longer than the limit; nothing was read.
    TooLarge,
    /// Bytes behind the value.
    TrailingBytes,
}

impl ErrorKind {
    fn text(self) -> &'static str {
        match self {
            ErrorKind::UnexpectedEnd => "ends in the middle of a value",
            ErrorKind::UnexpectedByte => "no value starts like this",
            ErrorKind::MalformedInt => "malformed integer",
            ErrorKind::IntOutOfRange => "integer does not fit 64 bits",
            ErrorKind::MalformedLength => "malformed string length",
            ErrorKind::KeyNotString => "dictionary key is not a string",
            ErrorKind::KeyOrder => "dictionary keys are not in order",
            ErrorKind::TooDeep => "nested too deeply",
            ErrorKind::TooManyTokens => "too many values",
            ErrorKind::TooLarge => "too large",
            ErrorKind::TrailingBytes => "bytes behind the end of the value",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "bad bencode at byte {}: {}",
            self.offset,
            self.kind.text()
        )
    }
}

impl std::error::Error for Error {}
