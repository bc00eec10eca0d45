//! A torrent's bytes on disk, and what is remembered between runs.
//!
//! The way through: `layout` says which files there are, `beneath` opens them without leaving their
//! folder, `backing` is what storage can do, `files` and `memory` do it, `journal` (under `lock`
//! and `claim`) remembers, `peers` whom to call first, `check` decides what to believe, `foreign` what is not ours to change, `open` puts a `disk` together, `settle` is its slow
//! half. Blocking throughout; whoever drives it brings threads and the time. Read `disk` first.

mod backing;
mod beneath;
mod check;
mod claim;
mod collect;
mod dht_state;
mod disk;
mod error;
mod files;
mod foreign;
mod hash;
mod journal;
mod layout;
mod lock;
#[cfg(test)]
mod memory;
mod neighbours;
mod notes;
mod open;
mod peers;
#[doc(hidden)]
pub mod raw;
mod settle;
mod sync;
#[cfg(test)]
mod tests;

pub use check::{CheckProgress, OpenMode};
pub use collect::collect;
pub use dht_state::{DhtState, load_dht_state, save_dht_state};
pub use disk::Disk;
pub use error::OpenError;
pub use notes::StateNews;
pub use open::{Location, Opened, free_space, saved_info, verify};
pub use peers::{SavedPeer, load_peers, save_peers};
pub use sync::{SyncJob, SyncOutcome};
