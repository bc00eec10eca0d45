//! What a torrent knows of one connected peer. State only; decisions stand in the neighbours.

use std::time::Instant;

use bencode::Endpoint;
use bytes::Bytes;
use pex::{Exchange, Flags};

use crate::swarm::bitfield::Bitfield;
use crate::swarm::fetch::Fetch;
use crate::swarm::picker::Standing;
use crate::swarm::pipeline::Pipeline;
use crate::swarm::serving::Serving;
use crate::wire::{PeerId, Reserved};

/// The protocol's own vocabulary: what one side says of its choking and interest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) choking: bool,
    pub(super) interested: bool,
}

/// BEP 3: "connections start out choked and not interested".
const START: Side = Side {
    choking: true,
    interested: false,
};

/// What a peer has.
#[derive(Debug)]
pub(super) enum Holdings {
    /// Told before we knew how many pieces there are; checked later.
    Early(Early, Vec<u32>),
    /// Checked against the torrent.
    Known {
        field: Bitfield,
        /// Of these, those that we want and lack.
        useful: u32,
        counted: Counted,
    },
}

/// A bitfield not yet checked.
#[derive(Debug)]
pub(super) enum Early {
    Nothing,
    Everything,
    Bits(Bytes),
}

/// How the availability of a peer's pieces was counted, so that it leaves as it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counted {
    Once,
    PieceByPiece,
}

/// Who opened the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opener {
    We,
    They,
}

/// What the peer's extension handshake said.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Its number for `ut_metadata`; 0: not spoken.
    pub(super) metadata_id: u8,
    /// Its number for `ut_pex`; 0: not spoken.
    pub(super) pex_id: u8,
    /// Its number for `lt_donthave`; 0: not understood.
    pub(super) donthave_id: u8,
    pub(super) metadata_size: Option<u32>,
    /// What it said of itself that peer exchange passes on.
    pub(super) flags: Flags,
    /// It says that it only uploads (BEP 21).
    pub(super) upload_only: bool,
    /// Where it listens; for connections that we opened the address that we dialled.
    pub(super) listens: Option<Endpoint>,
    /// Pieces it lets us have although it chokes us (BEP 6), at most 64.
    pub(super) allowed_fast: Vec<u32>,
}

/// The metadata exchange with one peer, both ways.
#[derive(Debug, Default)]
pub(super) enum Metadata {
    /// Not asked.
    #[default]
    Idle,
    /// Being asked.
    Fetching(Fetch),
    /// It said no, or nothing; it may be asked again then.
    Refused(Instant),
}

/// Strikes and marks.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) since: Instant,
    /// When it last said anything but that it is alive.
    pub(super) heard: Instant,
    /// Whether it sent a whole right piece.
    pub(super) standing: Standing,
    /// Blocks sent that nobody asked for.
    pub(super) unrequested: u32,
    /// When we last changed our choking.
    pub(super) choke_changed: Option<Instant>,
    /// Metadata parts given in the minute that began then.
    pub(super) metadata_given: (Instant, u32),
}

/// One connected peer.
#[derive(Debug)]
pub(super) struct Peer {
    /// The other end of the connection; a port of the moment if it called us.
    pub(super) endpoint: Endpoint,
    pub(super) opener: Opener,
    pub(super) id: PeerId,
    pub(super) reserved: Reserved,
    /// What we told it.
    pub(super) ours: Side,
    /// What it told us.
    pub(super) theirs: Side,
    pub(super) holdings: Holdings,
    pub(super) facts: Facts,
    pub(super) pipeline: Pipeline,
    pub(super) serving: Serving,
    pub(super) metadata: Metadata,
    pub(super) gossip: Gossip,
}

/// Whether the peer was given our number for peer exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Offer {
    Never,
    Given,
}

/// What is exchanged beside the torrent's data, and the record kept of it.
#[derive(Debug)]
pub(super) struct Gossip {
    /// Peer exchange, once the peer offered it.
    pub(super) exchange: Option<Exchange>,
    /// Whether we did.
    pub(super) offer: Offer,
    pub(super) record: Record,
}

impl Peer {
    pub(super) fn new(
        now: Instant,
        endpoint: Endpoint,
        opener: Opener,
        id: PeerId,
        reserved: Reserved,
    ) -> Peer {
        let listens = (opener == Opener::We).then_some(endpoint);
        let record = Record {
            since: now,
            heard: now,
            standing: Standing::New,
            unrequested: 0,
            choke_changed: None,
            metadata_given: (now, 0),
        };
        Peer {
            endpoint,
            opener,
            id,
            reserved,
            ours: START,
            theirs: START,
            holdings: Holdings::Early(Early::Nothing, Vec::new()),
            facts: Facts {
                listens,
                ..Facts::default()
            },
            pipeline: Pipeline::new(now),
            serving: Serving::new(now),
            metadata: Metadata::Idle,
            gossip: Gossip {
                exchange: None,
                offer: Offer::Never,
                record,
            },
        }
    }

    pub(super) fn has(&self, piece: u32) -> bool {
        matches!(&self.holdings, Holdings::Known { field, .. } if field.has(piece))
    }

    /// Whether it has everything, or says that it wants nothing.
    pub(super) fn is_seed(&self) -> bool {
        self.facts.upload_only
            || matches!(&self.holdings, Holdings::Known { field, .. }
                if field.is_full() && !field.is_empty())
    }

    /// Pieces that we want from it.
    pub(super) fn useful(&self) -> u32 {
        match &self.holdings {
            Holdings::Known { useful, .. } => *useful,
            Holdings::Early(..) => 0,
        }
    }

    /// The pieces it has, once they are checked.
    pub(super) fn field(&self) -> Option<&Bitfield> {
        match &self.holdings {
            Holdings::Known { field, .. } => Some(field),
            Holdings::Early(..) => None,
        }
    }
}
