//! Why connections ended, callers were turned away, addresses were banned and messages dropped: one
//! reason for each, and how often it came (reliability.md §7 rule 5, rows P1-P25).
//!
//! Invariant: whatever a torrent or the listener ends, refuses, bans or drops is counted here exactly
//! once; a name never changes its meaning. It decides nothing. It does not know who it was.

use std::collections::BTreeMap;

use crate::wire::Violation;

/// Why we end a connection or an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CloseReason {
    /// The torrent ends.
    Shutdown,
    /// We are at both ends.
    OurselfAtTheOtherEnd,
    /// A connection to the same peer id exists.
    SamePeer,
    /// Both are complete.
    BothSeeds,
    /// Its handshake was for another torrent.
    WrongInfoHash,
    /// A bitfield of the wrong size, or with spare bits, or twice.
    BadBitfield,
    /// A piece index beyond the torrent.
    BadIndex,
    /// A request outside the torrent or longer than a block.
    BadRequest,
    /// Blocks that nobody asked for, again and again.
    Unrequested,
    /// A reject for what was never asked.
    BadReject,
    /// Metadata that contradicts the peer's own handshake, or an unreadable extension handshake.
    BadMetadata,
    /// Peer exchange against its rules.
    BadPex,
    /// It sent data with a wrong hash.
    CorruptData,
    /// It does not read what it asked for.
    SlowReader,
    /// Nothing useful for long, and others wait.
    Idle,
    /// All places are taken, and the newcomer's priority is higher (BEP 40).
    Outranked,
    /// The torrent is private (BEP 27), and a stranger named this peer.
    Private,
    /// Fast extension messages without the extension.
    BadFast,
    /// All places are taken, too many of them by its network (reliability.md A13).
    CrowdedNetwork,
}

impl CloseReason {
    /// In snake case, for counters.
    pub fn name(self) -> &'static str {
        match self {
            CloseReason::Shutdown => "shutdown",
            CloseReason::OurselfAtTheOtherEnd => "ourself",
            CloseReason::SamePeer => "same_peer",
            CloseReason::BothSeeds => "both_seeds",
            CloseReason::WrongInfoHash => "wrong_info_hash",
            CloseReason::BadBitfield => "bad_bitfield",
            CloseReason::BadIndex => "bad_index",
            CloseReason::BadRequest => "bad_request",
            CloseReason::Unrequested => "unrequested",
            CloseReason::BadReject => "bad_reject",
            CloseReason::BadMetadata => "bad_metadata",
            CloseReason::BadPex => "bad_pex",
            CloseReason::CorruptData => "corrupt_data",
            CloseReason::SlowReader => "slow_reader",
            CloseReason::Idle => "idle",
            CloseReason::Outranked => "outranked",
            CloseReason::Private => "private",
            CloseReason::BadFast => "bad_fast",
            CloseReason::CrowdedNetwork => "crowded_network",
        }
    }
}

/// Why an incoming connection is not wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Refusal {
    /// The torrent is shutting down.
    Ended,
    /// The storage is not open yet.
    NotReady,
    /// As many connections as allowed.
    Full,
    /// The address proved hostile before.
    Banned,
    /// The address lies in a range that is not allowed.
    Address,
    /// A connection to that address or peer id exists.
    Duplicate,
    /// We called ourselves.
    Ourself,
    /// The handshake is for another torrent.
    WrongInfoHash,
    /// As many of its network as may be while all places are taken (reliability.md A13).
    CrowdedNetwork,
    /// The oldest of too many that have not said which torrent they want (P1).
    Crowded,
    /// The oldest of too many of one host that have not said so (P1).
    CrowdedHost,
    /// No file descriptor is left for it (S16).
    NoDescriptor,
    /// The torrent has more to do than it can follow.
    Busy,
}

impl Refusal {
    /// In snake case, for counters.
    pub fn name(self) -> &'static str {
        match self {
            Refusal::Ended => "ended",
            Refusal::NotReady => "not_ready",
            Refusal::Full => "full",
            Refusal::Banned => "banned",
            Refusal::Address => "address",
            Refusal::Duplicate => "duplicate",
            Refusal::Ourself => "ourself",
            Refusal::WrongInfoHash => "wrong_info_hash",
            Refusal::CrowdedNetwork => "crowded_network",
            Refusal::Crowded => "crowded",
            Refusal::CrowdedHost => "crowded_host",
            Refusal::NoDescriptor => "no_descriptor",
            Refusal::Busy => "busy",
        }
    }
}

/// What happened, and why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// We ended a connection or an attempt.
    Closed(CloseReason),
    /// The peer broke a rule of the wire protocol, which ended its connection.
    Broke(Violation),
    /// The peer ended the connection.
    Left,
    /// The socket failed.
    Lost,
    /// No file descriptor was left for it (S16).
    NoDescriptor,
    /// A fault of ours ended the connection.
    Bug,
    /// A caller was turned away.
    Refused(Refusal),
    /// An address was banned.
    Banned(CloseReason),
    /// A message or an address had no effect; the connection goes on.
    Dropped(Dropped),
}

/// What had no effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Dropped {
    /// A block that was there already.
    DuplicateBlock,
    /// A block that nobody asked for (P6).
    UnrequestedBlock,
    /// A request while we choke the peer, or for a piece that we lack (P7).
    RequestChoked,
    /// A request beyond the queue (P7).
    RequestBeyondQueue,
    /// A request that waits already (P7).
    RequestTwice,
    /// Metadata that was not asked for, or came twice (P13).
    UnaskedMetadata,
    /// A metadata message that means nothing (P14).
    GarbledMetadata,
    /// A metadata request out of range, or more than a peer is given (P14).
    MetadataRequest,
    /// A metadata copy that came too slowly (P13).
    SlowMetadata,
    /// An extended message with a number that was never given out.
    UnknownExtension,
    /// Suggested pieces, which the picker has no use for (P16).
    Suggestion,
    /// Allowed-fast pieces beyond the bound or the torrent (P15).
    AllowedFast,
    /// A peer exchange message that came too soon, or was none (P11).
    Exchange,
    /// An address outside the allowed ranges, of a network or a teller that named too many (P11, P12).
    Address,
}

impl Reason {
    /// What happened: `closed`, `broke`, `ended`, `refused`, `banned` or `dropped`.
    pub fn kind(self) -> &'static str {
        match self {
            Reason::Closed(_) => "closed",
            Reason::Broke(_) => "broke",
            Reason::Left | Reason::Lost | Reason::NoDescriptor | Reason::Bug => "ended",
            Reason::Refused(_) => "refused",
            Reason::Banned(_) => "banned",
            Reason::Dropped(_) => "dropped",
        }
    }

    /// Why, in snake case; unique within its kind.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Closed(reason) | Reason::Banned(reason) => reason.name(),
            Reason::Broke(violation) => violation.name(),
            Reason::Left => "by_peer",
            Reason::Lost => "by_network",
            Reason::NoDescriptor => "no_descriptor",
            Reason::Bug => "by_bug",
            Reason::Refused(refusal) => refusal.name(),
            Reason::Dropped(dropped) => dropped.name(),
        }
    }
}

impl Dropped {
    /// In snake case.
    pub fn name(self) -> &'static str {
        match self {
            Dropped::DuplicateBlock => "duplicate_block",
            Dropped::UnrequestedBlock => "unrequested_block",
            Dropped::RequestChoked => "request_choked",
            Dropped::RequestBeyondQueue => "request_beyond_queue",
            Dropped::RequestTwice => "request_twice",
            Dropped::UnaskedMetadata => "unasked_metadata",
            Dropped::GarbledMetadata => "garbled_metadata",
            Dropped::MetadataRequest => "metadata_request",
            Dropped::SlowMetadata => "slow_metadata",
            Dropped::UnknownExtension => "unknown_extension",
            Dropped::Suggestion => "suggestion",
            Dropped::AllowedFast => "allowed_fast",
            Dropped::Exchange => "exchange",
            Dropped::Address => "address",
        }
    }
}

/// How often each reason came. Bounded by the number of reasons.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reasons {
    counts: BTreeMap<Reason, u64>,
}

impl Reasons {
    /// Once more.
    pub fn count(&mut self, reason: Reason) {
        self.count_many(reason, 1);
    }

    /// So many times more.
    pub fn count_many(&mut self, reason: Reason, times: u64) {
        if times > 0 {
            let count = self.counts.entry(reason).or_default();
            *count = count.saturating_add(times);
        }
    }

    /// How often so far.
    pub fn of(&self, reason: Reason) -> u64 {
        self.counts.get(&reason).copied().unwrap_or(0)
    }

    /// Those that came at least once.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }

    /// The sum over what `which` picks.
    pub fn sum(&self, which: impl Fn(Reason) -> bool) -> u64 {
        let picked = self.iter().filter(|(reason, _)| which(*reason));
        picked.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    /// Adds the counts of another place.
    pub fn add(&mut self, other: &Reasons) {
        for (reason, more) in other.iter() {
            self.count_many(reason, more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let (mut here, mut there) = (Reasons::default(), Reasons::default());
        here.count(Reason::Left);
        here.count(Reason::Dropped(Dropped::Suggestion));
        there.count(Reason::Left);
        there.count(Reason::Banned(CloseReason::CorruptData));
        here.add(&there);
        assert_eq!(here.of(Reason::Left), 2);
        assert_eq!(here.sum(|reason| reason.kind() == "banned"), 1);
        assert_eq!(here.iter().count(), 3);
        assert_eq!(here.of(Reason::Lost), 0);
    }
}
