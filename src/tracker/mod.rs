//! Trackers without sockets: what is said to them (BEP 3, 7, 12, 15, 23, 24, 41, 48) and when.
//!
//! The way through the files:
//!
//! - `announce` has the words of both transports: [`Announce`], [`Reply`], [`Failure`], [`ScrapeReply`];
//! - `http` writes and reads them as query strings and bencode, `udp` as datagrams; both in both
//!   directions, because the tracker server answers what the client asks;
//! - `url` says which tracker URLs may be asked at all;
//! - [`Exchange`] is one question to one UDP tracker: connection id, retransmission, answer;
//! - [`Announcer`] is all trackers of one torrent: `tiers` has their order, `pace` their pauses, `lane`
//!   the state of each;
//! - `server` is a tracker: who is where, and what they are told.
//!
//! Invariant: whatever a tracker or a client sends, what comes out is bounded by the constants next
//! to it. Nothing here knows a socket, a clock or a torrent's pieces.

pub mod announce;
pub mod announcer;
mod ask;
pub mod exchange;
pub mod http;
mod lane;
pub mod pace;
pub mod server;
pub mod tiers;
pub mod udp;
pub mod url;

pub use announce::{Announce, AnnounceEvent, Failure, MAX_PEERS, Reply, ScrapeReply};
pub use announcer::Announcer;
pub use ask::{Ask, AskId, Reach, Settings, Totals};
pub use exchange::{Answer, ConnectionId, Exchange, Question};
pub use lane::{TrackerState, TrackerStatus};
pub use url::{Scheme, TrackerUrl};

#[cfg(test)]
mod tests;
