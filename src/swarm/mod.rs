//! One torrent's swarm: geometry, picker, choker, addresses, the torrent machine.

pub mod bitfield;
pub mod disk;
pub mod geometry;

pub use bitfield::Bitfield;
pub use geometry::{BLOCK_LENGTH, Geometry, Span, spans};

/// One connection (or attempt) of one torrent; never used again after it ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub u32);
