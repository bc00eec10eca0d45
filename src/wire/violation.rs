//! The rules of the wire protocol that end a connection when they are broken.

use std::fmt;

/// What a peer did wrong. Never an error of ours, never a string from the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Violation {
    /// The first bytes are no BitTorrent handshake (BEP 3).
    Protocol,
    /// No complete handshake in time.
    Slow,
    /// Nothing heard for three minutes.
    Idle,
    /// A message's length does not fit its kind.
    Length,
    /// Have-all or have-none after other messages (BEP 6).
    LateBitfield,
    /// Too many small messages.
    Flood,
    /// Too many messages of unknown kinds.
    Unknown,
    /// Much is sent to it and it does not read.
    Backlog,
}

impl Violation {
    /// In snake case, for counters.
    pub fn name(self) -> &'static str {
        match self {
            Violation::Protocol => "protocol",
            Violation::Slow => "slow",
            Violation::Idle => "idle",
            Violation::Length => "length",
            Violation::LateBitfield => "late_bitfield",
            Violation::Flood => "flood",
            Violation::Unknown => "unknown",
            Violation::Backlog => "backlog",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::Protocol => "does not speak BitTorrent",
            Violation::Slow => "no handshake in time",
            Violation::Idle => "silent for three minutes",
            Violation::Length => "a message of impossible length",
            Violation::LateBitfield => "have-all or have-none after other messages",
            Violation::Flood => "a flood of messages",
            Violation::Unknown => "too many unknown messages",
            Violation::Backlog => "does not read what it is sent",
        })
    }
}

impl std::error::Error for Violation {}
