//! KRPC messages: reading what came, writing what goes (BEP 5 "KRPC Protocol", BEP 32, 33, 42, 43, 44,
//! 51).
//!
//! Reading borrows from the datagram and is lenient: unknown keys, any transaction id of 1 to 32
//! bytes, a BEP 32 `want`, lists of a wrong length (ignored). Writing is strict: sorted keys, nothing
//! but what the BEPs name. A response does not say what it answers, so it is one struct with
//! optional fields; the purpose of the transaction gives them meaning. Invariant: an `Err` never
//! deserves an answer. Knows no tables and no times.

use bencode::Limits;

use crate::id::Id;

mod failure;
mod fields;
mod fit;
mod query;
mod response;

pub use failure::{Failure, write_failure};
pub use fit::Fit;
pub use query::{
    AnnouncePort, Announcement, Method, Part, Query, Signed, write_query, write_query_as,
};
pub use response::{
    Answer, Imprint, MAX_INTERVAL, MAX_NODES, MAX_SAMPLES, MAX_TOKEN, MAX_VALUES, Response,
    Samples, write_response,
};

use fields::{Root, bytes};

/// Longest transaction id that we echo (BEP 5 suggests 2 bytes; clients send up to 20).
pub const MAX_TRANSACTION: usize = 32;
/// Shortest datagram worth parsing: `d1:t1:a1:y1:ee` and less say nothing.
pub const MIN_DATAGRAM: usize = 15;

/// Why a datagram is no KRPC message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Shorter than any message, or not a dictionary.
    NotKrpc,
    /// Bencode broken, or beyond `Limits::KRPC`.
    Bencode,
    /// No `t`, an empty or an overlong one.
    Transaction,
    /// `y` missing or none of `q`, `r`, `e`.
    Kind,
    /// The node id missing or not 20 bytes.
    Id,
}

/// A message, borrowed from its datagram.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// `t`: 1 to 32 bytes.
    pub transaction: &'a [u8],
    /// What it says.
    pub body: Body<'a>,
}

/// The three kinds of message.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// Someone asks.
    Query(Query<'a>),
    /// Someone answers.
    Response(Response<'a>),
    /// Someone refuses, with this code (0 if it names none).
    Failure(u16),
}

/// Whether a querier can be a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It answers queries.
    Full,
    /// BEP 43: it does not; never to be added to a table.
    ReadOnly,
}

/// BEP 32's `want` list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// `n4` was in it.
    pub v4: bool,
    /// `n6` was in it.
    pub v6: bool,
}

/// What goes around the body of each message of ours.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// `t`.
    pub transaction: &'a [u8],
    /// `v`: who wrote the software.
    pub version: [u8; 4],
    /// Our id.
    pub id: Id,
}

/// Reads a datagram.
///
/// # Errors
/// `Malformed` says which rule it breaks; such a datagram is dropped without an answer.
pub fn parse(datagram: &[u8]) -> Result<Message<'_>, Malformed> {
    if datagram.len() < MIN_DATAGRAM || datagram.first() != Some(&b'd') {
        return Err(Malformed::NotKrpc);
    }
    // Some clients pad; what follows the dictionary is none of our business.
    let (root, _) =
        bencode::parse_prefix(datagram, &Limits::KRPC).map_err(|_| Malformed::Bencode)?;
    let root = Root::of(root);
    let transaction = bytes(root.transaction)
        .filter(|t| (1..=MAX_TRANSACTION).contains(&t.len()))
        .ok_or(Malformed::Transaction)?;
    let body = match bytes(root.kind) {
        Some(b"q") => Body::Query(query::read(&root)?),
        Some(b"r") => Body::Response(response::read(&root)?),
        Some(b"e") => Body::Failure(failure::read(&root)),
        _ => return Err(Malformed::Kind),
    };
    Ok(Message { transaction, body })
}

#[cfg(test)]
mod tests;
