//! Bencode with limits (BEP 3), and the endpoints that BitTorrent packs into it.
//!
//! Everything that arrives from the network passes here first. The way through the files:
//!
//! - [`Limits`] says how much is accepted, one preset a protocol;
//! - `token` reads one token; `reader` validates a whole input in one pass with a stack of fixed
//!   size ([`parse`], [`parse_prefix`]) and hands out [`Value`]s that borrow from it;
//! - [`from_bytes`] puts the same pass in front of `serde_bencode`;
//! - [`Writer`] writes what the strict reader accepts;
//! - [`Endpoint`] is an address and a port, [`compact()`] a packed list of them,
//!   [`AddressPolicy`] says which of them may be talked to.
//!
//! Invariant: no input makes anything here panic, recurse or allocate before it was validated.
//! The crate knows no message of any protocol, no clock and no socket.
//!
//! ```
//! let reply = bencode::parse(b"d1:ad2:id3:abce1:y1:qe", &bencode::Limits::KRPC)?;
//! let id = reply.get("a").and_then(|a| a.get("id")).and_then(|id| id.as_bytes());
//! assert_eq!(id, Some(b"abc".as_slice()));
//! # Ok::<(), bencode::Error>(())
//! ```
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod address;
mod endpoint;
mod error;
mod guard;
mod limits;
mod reader;
mod token;
mod writer;

pub use address::{AddressPolicy, Cidr, CidrError};
pub use endpoint::{Endpoint, Family, compact};
pub use error::{Error, ErrorKind};
pub use guard::{DecodeError, from_bytes};
pub use limits::{Keys, Limits, MAX_DEPTH};
pub use reader::{Dict, List, Value, parse, parse_prefix};
pub use writer::{DictWriter, ListWriter, Writer};
