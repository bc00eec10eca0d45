//! The peer wire protocol, without sockets.

pub mod handshake;
pub mod message;

pub use handshake::{Handshake, PeerId, Reserved};
pub use message::{Block, Message};
