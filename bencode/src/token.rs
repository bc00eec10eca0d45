//! The four kinds of token of bencode (BEP 3) and their end mark, read one at a time.
//!
//! Invariant: a token never reaches beyond the input, and a length is compared with what is left
//! before anything is done with it. Knows nothing of nesting; that is `reader`'s part.

use crate::error::{Error, ErrorKind};

/// Digits of the longest string length: 9,999,999,999 is above every limit there is.
const MAX_LENGTH_DIGITS: usize = 10;

/// Digits of the longest integer: `i64::MIN` has 19.
const MAX_INT_DIGITS: usize = 19;

/// One token. Lists and dictionaries are their opening byte only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    Int(i64),
    Bytes(&'a [u8]),
    List,
    Dict,
    End,
}

/// Reads the token at `at`; returns it with the offset behind it.
pub(crate) fn read(input: &[u8], at: usize) -> Result<(Token<'_>, usize), Error> {
    match input.get(at) {
        None => fault(ErrorKind::UnexpectedEnd, at),
        Some(b'i') => int(input, at),
        Some(b'l') => Ok((Token::List, at + 1)),
        Some(b'd') => Ok((Token::Dict, at + 1)),
        Some(b'e') => Ok((Token::End, at + 1)),
        Some(b'0'..=b'9') => bytes(input, at),
        Some(_) => fault(ErrorKind::UnexpectedByte, at),
    }
}

pub(crate) fn fault<T>(kind: ErrorKind, offset: usize) -> Result<T, Error> {
    Err(Error { kind, offset })
}

/// `i` digits `e`. At most one digit more than fits is looked at, so the work is constant.
fn int(input: &[u8], start: usize) -> Result<(Token<'_>, usize), Error> {
    let mut at = start + 1;
    let negative = input.get(at) == Some(&b'-');
    if negative {
        at += 1;
    }
    let first = at;
    // Summed up below zero: `i64::MIN` has no positive counterpart.
    let mut value = 0i64;
    while let Some(digit @ b'0'..=b'9') = input.get(at) {
        if at - first == MAX_INT_DIGITS {
            return fault(ErrorKind::IntOutOfRange, start);
        }
        let Some(sum) = value
            .checked_mul(10)
            .and_then(|v| v.checked_sub(i64::from(digit - b'0')))
        else {
            return fault(ErrorKind::IntOutOfRange, start);
        };
        value = sum;
        at += 1;
    }
    match input.get(at) {
        None => return fault(ErrorKind::UnexpectedEnd, start),
        Some(b'e') => {}
        Some(_) => return fault(ErrorKind::MalformedInt, start),
    }
    let digits = at - first;
    let leading_zero = digits > 0 && input.get(first) == Some(&b'0');
    if digits == 0 || (leading_zero && (digits > 1 || negative)) {
        return fault(ErrorKind::MalformedInt, start);
    }
    let value = if negative {
        Some(value)
    } else {
        value.checked_neg()
    };
    match value {
        Some(value) => Ok((Token::Int(value), at + 1)),
        None => fault(ErrorKind::IntOutOfRange, start),
    }
}

/// length `:` bytes.
fn bytes(input: &[u8], start: usize) -> Result<(Token<'_>, usize), Error> {
    let mut at = start;
    let mut length = 0u64;
    while let Some(digit @ b'0'..=b'9') = input.get(at) {
        if at - start == MAX_LENGTH_DIGITS {
            return fault(ErrorKind::MalformedLength, start);
        }
        length = length * 10 + u64::from(digit - b'0');
        at += 1;
    }
    if at - start > 1 && input.get(start) == Some(&b'0') {
        return fault(ErrorKind::MalformedLength, start);
    }
    match input.get(at) {
        None => return fault(ErrorKind::UnexpectedEnd, start),
        Some(b':') => at += 1,
        Some(_) => return fault(ErrorKind::MalformedLength, start),
    }
    // Threat: a length of gigabytes in a short message. Compared before it is used; nothing is
    // ever allocated by it.
    let end = usize::try_from(length)
        .ok()
        .and_then(|length| at.checked_add(length));
    match end.and_then(|end| Some((input.get(at..end)?, end))) {
        Some((content, end)) => Ok((Token::Bytes(content), end)),
        None => fault(ErrorKind::UnexpectedEnd, start),
    }
}
