//! The world of one torrent: its peers, the clock, and what is going to happen.
//!
//! Invariant: happenings are handled in the order of their time, ties in the order of scheduling; every
//! peer has at most one timer that counts. So a run is determined by seed and plan, and a step costs
//! the same however many peers there are. It does not know what the machines decide: see `drive`.

use std::time::{Duration, Instant};

use bencode::Endpoint;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trackless::swarm::{Bitfield, DialError, PeerKey, PeerSource, Progress, Snapshot};
use trackless::tracker::{AskId, Failure, Reply};

use super::disk::{Content, MemoryDisk};
use super::link::Path;
use super::names::EndRef;
use super::names::PeerIndex;
use super::peer::{Departure, Memory, Peer, PeerPlan, Presence, Start, Totals, address};
use super::stream::Stream;
use super::tracker::{Tracker, TrackerPlan};
use crate::agenda::Agenda;
use crate::model::regions::Geography;
use crate::time::{Clock, Time};

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Bytes of the torrent.
    pub length: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// The tracker, if there is one.
    pub tracker: Option<TrackerPlan>,
    /// Where peers are and how far that is. Its jitter is left out: streams hide it.
    pub geography: Geography,
    /// Share of segments lost on every path.
    pub loss: f64,
    /// How long a disk takes for a job.
    pub disk: Duration,
}

impl Default for Plan {
    /// 32 MiB in pieces of 256 KiB, a tracker, one segment of 20,000 lost, an SSD.
    fn default() -> Plan {
        Plan {
            length: 32 << 20,
            piece_length: 256 << 10,
            tracker: Some(TrackerPlan::default()),
            geography: Geography::default(),
            loss: 5e-5,
            disk: Duration::from_millis(1),
        }
    }
}

/// What happens.
#[derive(Debug)]
pub(super) enum Happening {
    Arrive(PeerIndex),
    Return(PeerIndex, Memory),
    /// In this visit; in any, if none is named.
    Depart(PeerIndex, Departure, Option<u32>),
    /// A torrent's timer.
    Timer(PeerIndex),
    /// A connection's timer.
    Watch(EndRef),
    /// The uplink has time for a packet.
    Uplink(PeerIndex),
    /// A call arrives.
    Call(u32),
    /// It was answered.
    Answer(u32),
    /// It was not.
    Unanswered(u32, DialError),
    /// A packet of so many bytes arrives at the line of an end's host…
    Reach(EndRef, usize),
    /// … and is through.
    Deliver(EndRef),
    /// What an end sent is sent again, for this time.
    Retransmit(EndRef, u32),
    /// The disk did the oldest job.
    Disk(PeerIndex, u32),
    /// An announcer's timer.
    Announce(PeerIndex),
    /// The tracker's answer to a question of this visit.
    Told(PeerIndex, u32, AskId, Box<Result<Reply, Failure>>),
}

/// Peers in virtual time.
#[derive(Debug)]
pub struct SwarmWorld {
    pub(super) plan: Plan,
    pub(super) seed: u64,
    pub(super) clock: Clock,
    pub(super) now: Time,
    pub(super) agenda: Agenda<Happening>,
    pub(super) content: Content,
    pub(super) peers: Vec<Peer>,
    /// Never used twice; none once a connection is over.
    pub(super) streams: Vec<Option<Box<Stream>>>,
    pub(super) tracker: Option<Tracker>,
    pub(super) wanted: Vec<(Time, PeerIndex)>,
    events: u64,
    digest: u64,
}

impl SwarmWorld {
    /// A world without peers.
    #[must_use]
    pub fn new(seed: u64, plan: Plan) -> SwarmWorld {
        let clock = Clock::default();
        let start = clock.instant(Time::ZERO);
        let tracker = |plan| Tracker::new(plan, self::seed(!mix(seed)), start);
        SwarmWorld {
            content: Content::new(seed, plan.length, plan.piece_length),
            tracker: plan.tracker.map(tracker),
            plan,
            seed,
            clock,
            now: Time::ZERO,
            agenda: Agenda::new(),
            peers: Vec::new(),
            streams: Vec::new(),
            wanted: Vec::new(),
            events: 0,
            digest: seed,
        }
    }

    /// Adds a peer, which comes when its plan says, at once if that has passed.
    pub fn add_peer(&mut self, plan: PeerPlan) -> PeerIndex {
        let index = PeerIndex::try_from(self.peers.len()).expect("fewer than 2^32 peers");
        let pieces = self.content.info.piece_count();
        let have = match &plan.start {
            Start::Seeder => Bitfield::full(pieces),
            Start::Empty => Bitfield::new(pieces),
            Start::Pieces(have) => have.clone(),
        };
        let corrupt = match plan.behaviour {
            super::Behaviour::Liar(per_cent) => per_cent,
            _ => 0,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(mix(mix(self.seed) ^ u64::from(index)));
        let region = self.plan.geography.region(&mut rng);
        let site = self.plan.geography.site_in(region, &mut rng);
        let disk = MemoryDisk::new(self.content.clone(), have, corrupt);
        self.schedule(self.now.max(plan.arrives), Happening::Arrive(index));
        self.peers.push(Peer::new(plan, site, disk));
        index
    }

    /// Tells a peer of addresses, as a DHT or a user does. Ignored while it is not there. Returns
    /// behind how many of them somebody may live.
    pub fn add_peers(&mut self, peer: PeerIndex, source: PeerSource, them: &[Endpoint]) -> usize {
        let now = self.instant();
        let Some(machine) = &mut self.peers[peer as usize].machine else {
            return 0;
        };
        let somebody = machine.add_peers(now, source, them.iter().copied());
        self.drain(peer);
        somebody
    }

    /// Tells a peer where others listen.
    pub fn introduce(&mut self, peer: PeerIndex, others: &[PeerIndex]) {
        let them: Vec<Endpoint> = others.iter().map(|other| address(*other)).collect();
        self.add_peers(peer, PeerSource::Manual, &them);
    }

    /// The peer goes at `at`, if it is there then.
    pub fn depart_at(&mut self, at: Time, peer: PeerIndex, how: Departure) {
        self.schedule(at, Happening::Depart(peer, how, None));
    }

    /// The peer comes back at `at` with what it still has, if it is away then.
    pub fn return_at(&mut self, at: Time, peer: PeerIndex, memory: Memory) {
        self.schedule(at, Happening::Return(peer, memory));
    }

    /// Which peers wanted more addresses since the last call, and when.
    pub fn take_wanted(&mut self) -> Vec<(Time, PeerIndex)> {
        std::mem::take(&mut self.wanted)
    }

    /// Handles everything up to and including `at`; that is the time afterwards.
    pub fn run_until(&mut self, at: Time) {
        while self.agenda.next_at().is_some_and(|next| next <= at) {
            self.step();
        }
        self.now = self.now.max(at);
    }

    /// Runs until every peer that is to complete has, or nothing happens, or `limit`.
    pub fn run_to_completion(&mut self, limit: Time) {
        let mut open: Vec<PeerIndex> = (0..self.len()).collect();
        while self.now < limit && !open.is_empty() {
            self.run_until(limit.min(self.now + Duration::from_secs(1)));
            open.retain(|peer| {
                let peer = &self.peers[*peer as usize];
                peer.completed_at.is_none() && peer.plan.start != Start::Seeder
            });
        }
    }

    /// Handles the next happening. False: nothing is going to happen.
    pub fn step(&mut self) -> bool {
        let Some((at, what)) = self.agenda.pop() else {
            return false;
        };
        self.now = self.now.max(at);
        self.events += 1;
        self.note(&what);
        self.handle(what);
        true
    }
}

/// Looking at it.
impl SwarmWorld {
    /// When the next thing happens.
    pub fn next_at(&mut self) -> Option<Time> {
        self.agenda.next_at()
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// A number that another run has only if everything happened in it at the same times.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Happenings so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many peers were added.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.peers.len() as u32
    }

    /// Whether no peer was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// What the torrent consists of.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The plan of a peer.
    #[must_use]
    pub fn plan_of(&self, peer: PeerIndex) -> &PeerPlan {
        &self.peers[peer as usize].plan
    }

    /// What a peer has on its disk.
    #[must_use]
    pub fn pieces(&self, peer: PeerIndex) -> &Bitfield {
        self.peers[peer as usize].disk.have()
    }

    /// The same as numbers.
    #[must_use]
    pub fn progress(&self, peer: PeerIndex) -> Progress {
        let have = self.pieces(peer);
        Progress {
            have: have.count(),
            total: have.len(),
        }
    }

    /// Whether a peer is there.
    #[must_use]
    pub fn is_up(&self, peer: PeerIndex) -> bool {
        self.peers[peer as usize].presence == Presence::Up
    }

    /// When a peer first had everything; never said of those who brought it.
    #[must_use]
    pub fn completed_at(&self, peer: PeerIndex) -> Option<Time> {
        self.peers[peer as usize].completed_at
    }

    /// How long a peer took, from its first arrival to having everything.
    #[must_use]
    pub fn took(&self, peer: PeerIndex) -> Option<Duration> {
        let peer = &self.peers[peer as usize];
        Some(peer.completed_at? - peer.plan.arrives)
    }

    /// What a peer has moved so far.
    #[must_use]
    pub fn totals(&self, peer: PeerIndex) -> Totals {
        let mut totals = self.peers[peer as usize].past;
        if let Some(seen) = self.snapshot(peer) {
            totals.add(&seen);
        }
        totals
    }

    /// Bytes on a peer's line with all headers: sent, received.
    #[must_use]
    pub fn on_the_line(&self, peer: PeerIndex) -> (u64, u64) {
        let peer = &self.peers[peer as usize];
        (peer.uplink.sent, peer.downlink.received)
    }

    /// What the peer's torrent says of itself; none while it is away.
    #[must_use]
    pub fn snapshot(&self, peer: PeerIndex) -> Option<Snapshot> {
        let machine = self.peers[peer as usize].machine.as_ref()?;
        Some(machine.snapshot(self.instant()))
    }

    /// With whom a peer has connections that both sides use.
    #[must_use]
    pub fn neighbours(&self, peer: PeerIndex) -> Vec<PeerIndex> {
        let ends = self.peers[peer as usize].ends.values();
        let streams = ends.filter_map(|end| {
            let stream = self.streams[end.link as usize].as_ref()?;
            let other = &stream.ends[usize::from(end.other().side)];
            stream.is_established().then_some(other.host)
        });
        streams.collect()
    }

    /// What lies between two peers.
    #[must_use]
    pub fn path(&self, a: PeerIndex, b: PeerIndex) -> Path {
        let [from, to] = [a, b].map(|peer| (peer, self.peers[peer as usize].site));
        Path::new(self.plan.geography.one_way(from, to), self.plan.loss)
    }

    pub(super) fn instant(&self) -> Instant {
        self.clock.instant(self.now)
    }

    pub(super) fn schedule(&mut self, at: Time, what: Happening) {
        self.agenda.schedule(at, what);
    }

    /// A word for this visit of this peer.
    pub(super) fn visit_word(&self, index: PeerIndex) -> u64 {
        let visit = self.peers[index as usize].visit;
        mix(self.seed) ^ mix(u64::from(index) << 32 | u64::from(visit))
    }

    /// Whose connection `key` is.
    pub(super) fn end_of(&self, peer: PeerIndex, key: PeerKey) -> Option<EndRef> {
        self.peers[peer as usize].ends.get(&key).copied()
    }

    fn note(&mut self, what: &Happening) {
        let (kind, a, b) = match what {
            Happening::Arrive(peer) => (1, *peer, 0),
            Happening::Return(peer, _) => (2, *peer, 0),
            Happening::Depart(peer, ..) => (3, *peer, 0),
            Happening::Timer(peer) => (4, *peer, 0),
            Happening::Watch(end) => (5, end.link, usize::from(end.side)),
            Happening::Uplink(peer) => (6, *peer, 0),
            Happening::Call(link) => (7, *link, 0),
            Happening::Answer(link) => (8, *link, 0),
            Happening::Unanswered(link, _) => (9, *link, 0),
            Happening::Reach(end, size) => (10, end.link, size * 2 + usize::from(end.side)),
            Happening::Deliver(end) => (11, end.link, usize::from(end.side)),
            Happening::Retransmit(end, _) => (15, end.link, usize::from(end.side)),
            Happening::Disk(peer, _) => (12, *peer, 0),
            Happening::Announce(peer) => (13, *peer, 0),
            Happening::Told(peer, _, _, answer) => {
                let found = answer.as_ref().as_ref();
                (14, *peer, found.map_or(0, |reply| 1 + reply.peers.len()))
            }
        };
        for word in [self.now.0, kind << 32 | u64::from(a), b as u64] {
            self.digest = mix(self.digest ^ word);
        }
    }
}

/// The seed of a machine, from a word that no other machine has.
pub(super) fn seed(mut word: u64) -> [u8; 32] {
    let mut seed = [0; 32];
    for part in seed.chunks_exact_mut(8) {
        word = mix(word);
        part.copy_from_slice(&word.to_be_bytes());
    }
    seed
}

/// A bijection that spreads every bit (the finalizer of `SplitMix64`).
pub(super) fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
