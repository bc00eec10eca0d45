//! One torrent's swarm: geometry, picker, choker, addresses, the torrent machine.

pub mod addresses;
pub mod bitfield;
pub mod blame;
pub mod choker;
mod contract;
pub mod disk;
pub mod fetch;
pub mod geometry;
pub mod given;
pub mod lsd;
pub mod outside;
pub mod picker;
pub mod pipeline;
pub mod priority;
pub mod rarity;
pub mod rate;
mod reasons;
pub mod search;
pub mod serving;
mod torrent;

pub use bitfield::Bitfield;
pub use contract::{
    Action, ClosedBy, DialError, Event, Milestones, Mode, Order, PeerCounts, PeerSource, Pex,
    Phase, Progress, Settings, Snapshot, SourceCounts, Why,
};
pub use geometry::{BLOCK_LENGTH, Geometry, Span, spans};
pub use reasons::{CloseReason, Dropped, Reason, Reasons, Refusal};
pub use search::SearchClock;
pub use torrent::Torrent;

/// One connection (or attempt) of one torrent; never used again after it ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub u32);
