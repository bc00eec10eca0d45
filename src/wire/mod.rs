//! The peer wire protocol without sockets: BEP 3's handshake and messages, the fast extension (BEP 6),
//! the extension protocol (BEP 10) and the metadata exchange's messages (BEP 9).
//!
//! `message`, `handshake`, `extension` and `metadata` are codecs; `outbox` is a queue of bytes;
//! [`Connection`] wires them into one machine; `violation` names the rules that end it.

pub mod connection;
pub mod extension;
pub mod handshake;
pub mod message;
pub mod metadata;
pub mod outbox;
pub mod violation;

pub use connection::{Connection, Event};
pub use extension::{ExtensionHandshake, LT_DONTHAVE, MAX_METADATA, UT_METADATA, UT_PEX};
pub use handshake::{HANDSHAKE_LEN, Handshake, PeerId, Reserved};
pub use message::{BLOCK, Block, Message};
pub use metadata::{METADATA_PIECE, MetadataMessage};
pub use outbox::Outbox;
pub use violation::Violation;

#[cfg(test)]
mod tests;
