//! What passes between [`super::Announcer`] and its owner: who we are, what we have done, questions.
//!
//! Words only; the file decides nothing.

use super::announce::Announce;
use super::url::TrackerUrl;
use crate::metainfo::InfoHash;
use crate::wire::PeerId;

/// How many trackers are asked when all is well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reach {
    /// The first that works, as BEP 12 has it.
    #[default]
    First,
    /// The first that works of every tier.
    EveryTier,
}

/// What does not change while a torrent runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The torrent.
    pub info_hash: InfoHash,
    /// Us.
    pub peer_id: PeerId,
    /// Where we listen; not 0.
    pub port: u16,
    /// How many trackers are asked.
    pub reach: Reach,
}

/// What a torrent has done so far, as trackers count it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    /// Bytes of blocks sent.
    pub uploaded: u64,
    /// Bytes of blocks received.
    pub downloaded: u64,
    /// Bytes still missing.
    pub left: u64,
}

/// The name of one question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AskId(pub(super) u64);

/// A question to carry out. Its answer is one call of `Announcer::handle_answer`, however late.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Its name.
    pub id: AskId,
    /// Whom.
    pub url: TrackerUrl,
    /// What.
    pub announce: Announce,
}
