//! A connection between two hosts: two ends, each with the shipping `Connection`, and the packets that
//! are on their way to each end.
//!
//! Invariant: the packets to one end arrive in the order in which they were sent, and what is taken from
//! the outbox of one end is exactly what the other reads. It knows no lines and no torrents.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use trackless::swarm::PeerKey;
use trackless::wire::{Connection, Outbox};

use super::link::{Path, QUANTUM, SEND_BUFFER};
use super::names::PeerIndex;
use crate::time::Time;

/// The torrent hears of bytes gone out when this many have, or all: as in `io`.
const SENT_REPORT: u64 = 128 << 10;

/// What travels.
#[derive(Debug)]
pub(super) enum Packet {
    Data(BytesMut),
    /// The sender has closed.
    Fin,
}

/// Where an end stands in its host's uplink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// Nothing to send.
    Idle,
    /// In the queue.
    Waiting,
    /// A window of bytes is under way.
    Blocked,
}

/// How far an end is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// In use, or being opened.
    Alive,
    /// Its program or its host is gone, and the other side has not been told.
    Lost,
    /// Closed, and the other side has been told.
    Closed,
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) host: PeerIndex,
    /// What the host's torrent calls it; none before it let the caller in.
    pub(super) key: Option<PeerKey>,
    /// None before the connection stands and after this side has closed.
    pub(super) connection: Option<Connection>,
    /// The visit of its host that it belongs to.
    pub(super) visit: u32,
    pub(super) stage: Stage,
    pub(super) turn: Turn,
    /// On their way to this end.
    pub(super) coming: VecDeque<Packet>,
    /// Received, but not a whole message yet.
    pub(super) input: BytesMut,
    /// Sent by this end and not arrived.
    pub(super) under_way: usize,
    /// Something of it arrived nowhere.
    pub(super) unanswered: bool,
    /// Loss allows the next packet then.
    pub(super) next_at: Time,
    /// When the last packet is at the other's line.
    pub(super) last_at: Time,
    /// Bytes of blocks that the torrent gave for this end.
    pub(super) accepted: u64,
    reported: u64,
}

impl End {
    pub(super) fn new(host: PeerIndex, visit: u32, key: Option<PeerKey>) -> End {
        End {
            host,
            key,
            connection: None,
            visit,
            stage: Stage::Alive,
            turn: Turn::Idle,
            coming: VecDeque::new(),
            input: BytesMut::new(),
            under_way: 0,
            unanswered: false,
            next_at: Time::ZERO,
            last_at: Time::ZERO,
            accepted: 0,
            reported: 0,
        }
    }

    /// Whether there is something to send.
    pub(super) fn has_output(&mut self) -> bool {
        let connection = self.connection.as_mut();
        connection.is_some_and(|connection| connection.output().has_remaining())
    }

    /// Takes the next packet out of the outbox.
    pub(super) fn take_packet(&mut self) -> Option<BytesMut> {
        take(self.connection.as_mut()?.output())
    }

    /// Bytes of blocks that the socket has not taken yet, if that is worth telling the torrent.
    pub(super) fn report(&mut self) -> Option<usize> {
        let queued = self.connection.as_mut()?.output().remaining();
        let outside = queued.saturating_sub(SEND_BUFFER) as u64;
        let sent = self.accepted.saturating_sub(outside);
        let worth = outside == 0 || sent.saturating_sub(self.reported) >= SENT_REPORT;
        if sent <= self.reported || !worth {
            return None;
        }
        self.reported = sent;
        Some((self.accepted - sent) as usize)
    }

    /// Appends what arrived. A packet is a whole message as a rule, then nothing is copied.
    pub(super) fn receive(&mut self, packet: BytesMut) {
        if self.input.is_empty() {
            self.input = packet;
        } else {
            self.input.extend_from_slice(&packet);
        }
    }
}

/// Whole chunks up to a packet's size, so that packets begin and end with messages where possible.
fn take(outbox: &mut Outbox) -> Option<BytesMut> {
    let mut slices = [IoSlice::new(&[]); 4];
    let count = outbox.chunks_vectored(&mut slices);
    let first = slices[..count].first()?.len().min(QUANTUM);
    let mut packet = BytesMut::with_capacity(QUANTUM.min(outbox.remaining()));
    packet.extend_from_slice(&slices[0][..first]);
    for slice in &slices[1..count.max(1)] {
        if packet.len() + slice.len() > QUANTUM {
            break;
        }
        packet.extend_from_slice(slice);
    }
    outbox.advance(packet.len());
    (!packet.is_empty()).then_some(packet)
}

/// A connection, or an attempt.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) ends: [End; 2],
    pub(super) path: Path,
}

impl Stream {
    pub(super) fn end(&mut self, side: u8) -> &mut End {
        &mut self.ends[usize::from(side)]
    }

    pub(super) fn delay(&self) -> Duration {
        self.path.delay
    }

    /// Whether nothing can happen on it any more.
    pub(super) fn is_over(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.stage != Stage::Alive && end.coming.is_empty())
    }

    /// Whether both torrents know it.
    pub(super) fn is_established(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.stage == Stage::Alive && end.key.is_some() && end.connection.is_some())
    }
}
