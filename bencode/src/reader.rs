//! Bencode (BEP 3), read in place: one validating pass, then lazy access without allocation.
//!
//! Invariant: a [`Value`] is a span that passed [`parse`], so its accessors cannot fail halfway;
//! they answer `None` only when the value is of another kind. Spans are the bytes as they came:
//! [`Value::raw`] of `info` is what an info hash is made of. Knows no protocol.

use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::limits::{Keys, Limits, MAX_DEPTH};
use crate::token::{self, Token, fault};

/// Bytes of a value that `Debug` shows.
const DEBUG_BYTES: usize = 64;

/// Validates `input` as exactly one value with nothing behind it.
///
/// One pass, no recursion, no allocation; the work is proportional to the input's length.
///
/// # Errors
/// The first fault from the left, see [`ErrorKind`].
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Result<Value<'a>, Error> {
    let (value, end) = parse_prefix(input, limits)?;
    if end == input.len() {
        Ok(value)
    } else {
        fault(ErrorKind::TrailingBytes, end)
    }
}

/// Validates the value at the start of `input`; returns it with the offset behind it.
///
/// For `ut_metadata` (BEP 9), where a block of data follows the dictionary.
///
/// # Errors
/// As [`parse`], except for [`ErrorKind::TrailingBytes`].
pub fn parse_prefix<'a>(input: &'a [u8], limits: &Limits) -> Result<(Value<'a>, usize), Error> {
    if input.len() > limits.bytes {
        return fault(ErrorKind::TooLarge, 0);
    }
    let end = validate(input, limits)?;
    match input.get(..end) {
        Some(raw) => Ok((Value { raw }, end)),
        None => fault(ErrorKind::UnexpectedEnd, end),
    }
}

/// An open container, and what it expects next.
#[derive(Clone, Copy)]
enum Frame<'a> {
    List,
    /// A key or the end. The previous key, if there was one.
    Key(Option<&'a [u8]>),
    /// The value of this key.
    Entry(&'a [u8]),
}

/// The one pass. Returns the offset behind the first value.
fn validate(input: &[u8], limits: &Limits) -> Result<usize, Error> {
    // Threat: 16 kB of `l` overflow the stack of a recursive reader. This stack is an array.
    let mut stack = [Frame::List; MAX_DEPTH];
    let max_depth = limits.depth.min(MAX_DEPTH);
    let mut depth = 0usize;
    let mut tokens = 0usize;
    let mut at = 0usize;
    loop {
        let (token, next) = token::read(input, at)?;
        if token != Token::End {
            tokens += 1;
            if tokens > limits.tokens {
                return fault(ErrorKind::TooManyTokens, at);
            }
        }
        let top = depth.checked_sub(1).and_then(|index| stack.get_mut(index));
        let closes = match top {
            None => false,
            Some(frame) => accept(frame, token, at, limits.keys)?,
        };
        match token {
            Token::List | Token::Dict => {
                if depth >= max_depth {
                    return fault(ErrorKind::TooDeep, at);
                }
                if let Some(frame) = stack.get_mut(depth) {
                    *frame = if token == Token::List {
                        Frame::List
                    } else {
                        Frame::Key(None)
                    };
                }
                depth += 1;
            }
            Token::End if closes => depth -= 1,
            Token::End => return fault(ErrorKind::UnexpectedByte, at),
            Token::Int(_) | Token::Bytes(_) => {}
        }
        at = next;
        if depth == 0 {
            return Ok(at);
        }
    }
}

/// Tells the innermost container of its next token; true if the token ends the container.
fn accept<'a>(
    frame: &mut Frame<'a>,
    token: Token<'a>,
    at: usize,
    keys: Keys,
) -> Result<bool, Error> {
    match (*frame, token) {
        (Frame::List | Frame::Key(_), Token::End) => Ok(true),
        (Frame::List, _) => Ok(false),
        (Frame::Key(previous), Token::Bytes(key)) => {
            if keys == Keys::Strict && previous.is_some_and(|previous| key <= previous) {
                return fault(ErrorKind::KeyOrder, at);
            }
            *frame = Frame::Entry(key);
            Ok(false)
        }
        (Frame::Key(_), _) => fault(ErrorKind::KeyNotString, at),
        (Frame::Entry(_), Token::End) => fault(ErrorKind::UnexpectedByte, at),
        (Frame::Entry(key), _) => {
            *frame = Frame::Key(Some(key));
            Ok(false)
        }
    }
}

/// A validated value, borrowed from the input and decoded when asked.
///
/// Two values are equal when their bytes are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// The bytes of this value as they stand in the input, with their delimiters.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The integer, if this is one.
    pub fn as_int(&self) -> Option<i64> {
        match token::read(self.raw, 0).ok()?.0 {
            Token::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The content of the string, if this is one. Any bytes, not necessarily text.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match token::read(self.raw, 0).ok()?.0 {
            Token::Bytes(content) => Some(content),
            _ => None,
        }
    }

    /// The string as text, if this is a string and valid UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// The elements, if this is a list.
    pub fn as_list(&self) -> Option<List<'a>> {
        let rest = self.raw.strip_prefix(b"l")?;
        Some(List { rest })
    }

    /// The entries in the order of the input, if this is a dictionary. Equal keys of a lenient
    /// parse all appear; the first is the one that counts.
    pub fn as_dict(&self) -> Option<Dict<'a>> {
        let rest = self.raw.strip_prefix(b"d")?;
        Some(Dict { rest })
    }

    /// The value of `key`, the first one of several, if this is a dictionary that has it.
    ///
    /// Walks the dictionary from its start: for a handful of keys, not for a lookup table.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value<'a>> {
        let key = key.as_ref();
        self.as_dict()?
            .find(|(candidate, _)| *candidate == key)
            .map(|(_, value)| value)
    }
}

impl fmt::Debug for Value<'_> {
    /// Escaped and cut: what peers send must not steer a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.raw.get(..DEBUG_BYTES).unwrap_or(self.raw);
        let more = if shown.len() < self.raw.len() {
            "…"
        } else {
            ""
        };
        write!(f, "{}{more}", shown.escape_ascii())
    }
}

/// The elements of a list, see [`Value::as_list`].
#[derive(Clone, Debug)]
pub struct List<'a> {
    /// Elements to come, then the end mark.
    rest: &'a [u8],
}

impl<'a> Iterator for List<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        take(&mut self.rest)
    }
}

/// The entries of a dictionary, see [`Value::as_dict`].
#[derive(Clone, Debug)]
pub struct Dict<'a> {
    /// Keys and values to come, then the end mark.
    rest: &'a [u8],
}

impl<'a> Iterator for Dict<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let key = take(&mut self.rest)?.as_bytes()?;
        Some((key, take(&mut self.rest)?))
    }
}

/// Splits the next value off a validated span; `None` at the end mark.
///
/// Depth is only counted here: order and limits were checked by `validate`.
fn take<'a>(rest: &mut &'a [u8]) -> Option<Value<'a>> {
    let span = *rest;
    let mut depth = 0usize;
    let mut at = 0usize;
    loop {
        let (token, next) = token::read(span, at).ok()?;
        match token {
            Token::List | Token::Dict => depth += 1,
            Token::End => depth = depth.checked_sub(1)?,
            Token::Int(_) | Token::Bytes(_) => {}
        }
        at = next;
        if depth == 0 {
            let (raw, behind) = span.split_at_checked(at)?;
            *rest = behind;
            return Some(Value { raw });
        }
    }
}
