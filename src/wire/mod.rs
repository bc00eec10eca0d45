//! The peer wire protocol, without sockets.

pub mod handshake;
pub mod message;
mod stand_in;

pub use handshake::{Handshake, PeerId, Reserved};
pub use message::{Block, Message};
pub use stand_in::Violation;
