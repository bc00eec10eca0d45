//! Who takes part: how a peer behaves, when it comes and goes, what it keeps.
//!
//! Invariant: a behaviour is nothing but settings of the shipping torrent and, for liars, a disk that
//! reads wrong; so every peer follows the protocol as the client does. It does not know other peers.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bencode::Endpoint;
use trackless::swarm::disk::Reply;
use trackless::swarm::{Bitfield, Mode, Order, PeerKey, Pex, Settings, Snapshot, Torrent};
use trackless::tracker::Announcer;
use trackless::wire::PeerId;

use super::disk::MemoryDisk;
use super::link::{Downlink, Line, Uplink};
use super::names::{EndRef, PeerIndex};
use crate::model::regions::Site;
use crate::time::Time;

/// The first peer's address, an ordinary public one, followed by those of the others.
const FIRST: u32 = 0x1400_0000;
/// Everybody's listening port.
const PORT: u16 = 6_881;

/// Where peer `index` listens.
#[must_use]
pub fn address(index: PeerIndex) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::from_bits(FIRST + index)), PORT)
}

/// Who listens there.
#[must_use]
pub fn index_of(endpoint: Endpoint) -> Option<PeerIndex> {
    match endpoint.ip {
        IpAddr::V4(ip) if endpoint.port == PORT => ip.to_bits().checked_sub(FIRST),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

/// How a peer behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// As the client does: rarest first, tit for tat.
    Honest,
    /// Gives nobody anything: a client with no upload slots.
    FreeRider,
    /// Picks pieces by index.
    Sequential,
    /// Of a hundred blocks that it sends, so many are wrong.
    Liar(u32),
}

/// What a peer has when it comes first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// Everything.
    Seeder,
    /// Nothing.
    Empty,
    /// These pieces.
    Pieces(Bitfield),
}

/// What a peer knows of the torrent when it comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knows {
    /// The `info` dictionary.
    Info,
    /// The name only, as from a magnet link: the rest comes from peers.
    Magnet,
}

/// How long a peer stays once it has everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Linger {
    /// To the end.
    Forever,
    /// So long; then it closes.
    For(Duration),
}

/// How a peer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Departure {
    /// The program ends: its connections are closed, its port refuses.
    Closing,
    /// The host is gone without a word: nothing arrives, nothing answers.
    Silent,
}

/// What a returning peer still has of what it fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// All of it.
    Everything,
    /// What was written at least so long before it went: the rest had not been recorded.
    Recorded(Duration),
}

/// One peer.
#[derive(Clone, Debug)]
pub struct PeerPlan {
    /// Its access line.
    pub line: Line,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// What it has.
    pub start: Start,
    /// What it knows.
    pub knows: Knows,
    /// When it comes.
    pub arrives: Time,
    /// How long it stays when done. Seeders by `start` stay to the end.
    pub linger: Linger,
    /// Peers served at once; a free rider serves none whatever stands here.
    pub upload_slots: usize,
    /// Connections at once.
    pub max_peers: usize,
    /// Whether it tells peers of peers.
    pub pex: Pex,
}

impl Default for PeerPlan {
    fn default() -> PeerPlan {
        PeerPlan {
            line: Line::mbit(50, 10),
            behaviour: Behaviour::Honest,
            start: Start::Empty,
            knows: Knows::Info,
            arrives: Time::ZERO,
            linger: Linger::Forever,
            upload_slots: Settings::default().upload_slots,
            max_peers: 50,
            pex: Pex::On,
        }
    }
}

impl PeerPlan {
    /// The settings of the torrent in its `visit`th run.
    pub(super) fn settings(&self, index: PeerIndex, visit: u32) -> Settings {
        let mut id = *b"-TL0100-sim.........";
        id[12..16].copy_from_slice(&index.to_be_bytes());
        id[16..].copy_from_slice(&visit.to_be_bytes());
        Settings {
            our_id: PeerId(id),
            listen_port: Some(PORT),
            max_peers: self.max_peers,
            max_half_open: Settings::default().max_half_open.min(self.max_peers),
            upload_slots: match self.behaviour {
                Behaviour::FreeRider => 0,
                _ => self.upload_slots,
            },
            pex: self.pex,
            mode: Mode::Seed,
            picking: match self.behaviour {
                Behaviour::Sequential => Order::Sequential,
                _ => Order::Rarest,
            },
            ..Settings::default()
        }
    }
}

/// What a peer has moved, over all its visits, in bytes of blocks.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// Received.
    pub downloaded: u64,
    /// Handed to connections.
    pub uploaded: u64,
    /// Received in vain, as the torrent counts it.
    pub wasted: u64,
}

impl Totals {
    pub(super) fn add(&mut self, seen: &Snapshot) {
        self.downloaded += seen.downloaded;
        self.uploaded += seen.uploaded;
        self.wasted += seen.wasted;
    }
}

/// Whether a host answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Presence {
    /// The host is there and nothing listens: before it came, after it closed.
    Closed,
    /// It runs.
    Up,
    /// The host is gone.
    Vanished,
}

/// One peer as the world holds it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) plan: PeerPlan,
    pub(super) site: Site,
    pub(super) machine: Option<Box<Torrent>>,
    pub(super) presence: Presence,
    /// Counts its visits: what was scheduled for an earlier one is void.
    pub(super) visit: u32,
    pub(super) disk: MemoryDisk,
    /// Done by the disk, not yet told: in order.
    pub(super) replies: VecDeque<Reply>,
    /// Its connections and attempts.
    pub(super) ends: BTreeMap<PeerKey, EndRef>,
    pub(super) uplink: Uplink,
    pub(super) downlink: Downlink,
    /// The timer that is scheduled.
    pub(super) timer: Option<Time>,
    /// Asks the tracker; after a regular end it stays until its goodbyes are said.
    pub(super) announcer: Option<Announcer>,
    pub(super) announce_timer: Option<Time>,
    /// Of earlier visits.
    pub(super) past: Totals,
    pub(super) completed_at: Option<Time>,
    pub(super) left_at: Option<Time>,
}

impl Peer {
    pub(super) fn new(plan: PeerPlan, site: Site, disk: MemoryDisk) -> Peer {
        Peer {
            uplink: Uplink::new(plan.line.up),
            downlink: Downlink::new(plan.line.down),
            plan,
            site,
            machine: None,
            presence: Presence::Closed,
            visit: 0,
            disk,
            replies: VecDeque::new(),
            ends: BTreeMap::new(),
            timer: None,
            announcer: None,
            announce_timer: None,
            past: Totals::default(),
            completed_at: None,
            left_at: None,
        }
    }
}
