//! The torrent machine: everything that one swarm decides, without sockets, files or a clock. Read
//! BEP 3 first, then BEP 6, 9, 10, 11, 21, 40 and 54.
//!
//! It wires the leaves together (`picker`, `choker`, `addresses`, `blame`, `pipeline`, `serving`,
//! `fetch`, `rate`) by topic: `connections` (dial, accept, close), `places` (who makes room), `metadata` (BEP 9), `holdings`
//! (who has what), `transfer` (blocks in), `upload` (blocks out), `storing` (the disk's replies),
//! `gossip` (extension handshake), `exchange` (peer exchange), `view` (what can be seen).
//!
//! Contract: `now` never goes back; every call ends in bounded time; nothing a peer sends is an
//! error or a panic, it closes that peer at most. After any call drain [`Torrent::poll_action`] and
//! [`Torrent::poll_event`], then sleep until an input or [`Torrent::next_timeout`].

mod connections;
mod exchange;
mod gossip;
mod holdings;
mod metadata;
mod peer;
mod places;
mod storing;
mod transfer;
mod upload;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::{Cidr, Endpoint};
use bytes::Bytes;
use pex::Recent;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::PeerKey;
use super::addresses::AddressBook;
use super::bitfield::Bitfield;
use super::blame::Blame;
use super::choker::Choker;
use super::contract::{Action, Event, Milestones, Mode, PeerCounts, PeerSource, Settings};
use super::disk::Reply;
use super::geometry::Geometry;
use super::given::Given;
use super::outside::Outside;
use super::picker::Picker;
use super::rate::{Allowance, Meter};
use super::reasons::CloseReason;
use super::reasons::{Dropped, Reason, Reasons};
use crate::metainfo::{Info, InfoHash};
use crate::wire::{Block, Handshake, Message, Reserved};
use peer::Peer;

/// How often timeouts of peers are looked at.
const TICK: Duration = Duration::from_secs(1);

/// The same while a rate limit holds requests back.
const LIMITED_TICK: Duration = Duration::from_millis(50);

/// One torrent's swarm.
#[derive(Debug)]
pub struct Torrent {
    settings: Settings,
    info_hash: InfoHash,
    stage: Stage,
    peers: BTreeMap<PeerKey, Peer>,
    dials: BTreeMap<PeerKey, Endpoint>,
    /// Connections that there may be.
    places: usize,
    book: AddressBook,
    /// Whom we left without blame, for peer exchange.
    recent: Recent,
    outside: Outside,
    choker: Choker,
    given: Given,
    rng: ChaCha8Rng,
    flow: Flow,
    out: Outputs,
    clock: Clock,
    tally: Tally,
}

/// How far the torrent is.
#[derive(Debug)]
enum Stage {
    /// The `info` dictionary is not known.
    Nameless,
    /// It is.
    Known(Box<Content>),
    /// Shut down; what it was is kept to be looked at.
    Ended(Option<Box<Content>>),
}

/// What is known with the `info` dictionary.
#[derive(Debug)]
struct Content {
    info: Arc<Info>,
    geometry: Geometry,
    picker: Picker,
    have: Bitfield,
    blame: Blame,
    /// Who sent each block of the pieces that the storage has in hand.
    storing: BTreeMap<u32, Vec<Endpoint>>,
    disk: DiskState,
    goal: Goal,
}

/// Whether the storage takes pieces.
#[derive(Debug)]
enum DiskState {
    /// Not open yet.
    Opening,
    /// It does.
    Ready,
    /// It failed; the pieces wait here. At `retry_at` the first is tried again.
    Paused {
        retry_at: Instant,
        waiting: Vec<(u32, Vec<Bytes>)>,
    },
    /// The first of the waiting pieces is being tried.
    Trying { waiting: Vec<(u32, Vec<Bytes>)> },
}

/// Whether everything wanted is there, as the owner was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Goal {
    Open,
    Reached,
}

/// Rates: limits and measurements.
#[derive(Debug)]
struct Flow {
    down: Allowance,
    up: Allowance,
    received: Meter,
    sent: Meter,
}

#[derive(Debug, Default)]
struct Outputs {
    actions: VecDeque<Action>,
    events: VecDeque<Event>,
    /// Reused from one refill to the next.
    blocks: Vec<Block>,
}

impl Outputs {
    fn send(&mut self, peer: PeerKey, message: Message) {
        self.actions.push_back(Action::Send { peer, message });
    }
}

/// When what is due.
#[derive(Debug)]
struct Clock {
    tick_at: Instant,
    /// When an address may be dialled again.
    dial_at: Option<Instant>,
    /// Not before this is the owner asked for peers again.
    wanted_at: Instant,
    next_key: u32,
}

#[derive(Debug, Default)]
struct Tally {
    counts: PeerCounts,
    reasons: Reasons,
    wasted: u64,
    /// Pieces that came wrong.
    wrong: u32,
    milestones: Milestones,
}

impl Torrent {
    /// A torrent whose files are known. [`Event::Metadata`] comes at once; nobody is dialled before
    /// [`Torrent::storage_ready`].
    pub fn from_info(info: Arc<Info>, settings: Settings, seed: [u8; 32], now: Instant) -> Torrent {
        let mut torrent = Torrent::from_hash(info.info_hash(), settings, seed, now);
        torrent.know(now, info);
        torrent
    }

    /// A torrent of which only the name is known: its peers are asked for the rest (BEP 9).
    pub fn from_hash(
        info_hash: InfoHash,
        settings: Settings,
        seed: [u8; 32],
        now: Instant,
    ) -> Torrent {
        Torrent {
            info_hash,
            stage: Stage::Nameless,
            peers: BTreeMap::new(),
            dials: BTreeMap::new(),
            places: settings.max_peers,
            book: AddressBook::new(now, settings.policy.clone()),
            recent: Recent::default(),
            outside: Outside::default(),
            choker: Choker::new(now, settings.upload_slots),
            given: Given::default(),
            rng: ChaCha8Rng::from_seed(seed),
            flow: Flow {
                down: Allowance::new(now, settings.limit_down),
                up: Allowance::new(now, settings.limit_up),
                received: Meter::new(now),
                sent: Meter::new(now),
            },
            out: Outputs::default(),
            clock: Clock {
                tick_at: now + TICK,
                dial_at: None,
                wanted_at: now,
                next_key: 0,
            },
            tally: Tally::default(),
            settings,
        }
    }

    /// Addresses to try. Those not allowed are dropped, for private torrents also all that a
    /// tracker or the user did not name (BEP 27). Returns behind how many of them somebody may live:
    /// who announces himself is named to himself.
    pub fn add_peers(
        &mut self,
        now: Instant,
        source: PeerSource,
        endpoints: impl IntoIterator<Item = Endpoint>,
    ) -> usize {
        let certain = matches!(source, PeerSource::Tracker | PeerSource::Manual);
        if !certain && !self.may_search() {
            return 0;
        }
        let mut somebody = 0;
        for endpoint in endpoints {
            if !self.book.add(now, endpoint, source) && !self.book.knows(endpoint) {
                self.dropped(Dropped::Address);
            }
            somebody += usize::from(self.book.is_somebody(endpoint));
        }
        self.dial(now);
        somebody
    }

    /// Peers worth trying first the next time, best first: they shook hands and listen there. None for
    /// a private torrent, whose peers its tracker names anew.
    pub fn worked(&self) -> Vec<Endpoint> {
        if self.may_search() {
            self.book.worked()
        } else {
            Vec::new()
        }
    }

    /// The ranges of addresses on our own links, for a torrent that neighbours may know of: whoever calls
    /// from there is let in, whoever announces itself there may be dialled. Empty at first.
    pub fn set_neighbours(&mut self, ranges: Vec<Cidr>) {
        self.book.set_neighbours(ranges);
    }

    /// The storage is open and has these pieces. A set of the wrong length counts as empty.
    pub fn storage_ready(&mut self, now: Instant, have: Bitfield) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        if !matches!(content.disk, DiskState::Opening) {
            return;
        }
        content.disk = DiskState::Ready;
        if have.len() == content.geometry.piece_count() {
            content.picker.found(&have);
            content.have = have;
        }
        let found: Vec<u32> = content.have.iter_set().collect();
        for (key, peer) in &self.peers {
            for piece in found.iter().filter(|piece| !peer.has(**piece)) {
                self.out.send(*key, Message::Have(*piece));
            }
        }
        self.recount();
        self.check_goal(now);
        self.refill_all(now);
        self.dial(now);
    }

    /// Chooses the wanted pieces; all are at first. Ignored before the metadata is known and for a
    /// set of the wrong length.
    pub fn select(&mut self, now: Instant, wanted: Bitfield) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        if wanted.len() != content.geometry.piece_count() {
            return;
        }
        content.picker.select(wanted);
        content.goal = Goal::Open;
        self.recount();
        self.check_goal(now);
        self.refill_all(now);
    }

    /// Ends every connection. Nothing happens afterwards.
    pub fn shutdown(&mut self, now: Instant) {
        let all: Vec<PeerKey> = self
            .peers
            .keys()
            .chain(self.dials.keys())
            .copied()
            .collect();
        let stage = std::mem::replace(&mut self.stage, Stage::Ended(None));
        self.stage = match stage {
            Stage::Known(content) => Stage::Ended(Some(content)),
            Stage::Nameless => Stage::Ended(None),
            ended @ Stage::Ended(_) => ended,
        };
        for key in all {
            self.close(now, key, CloseReason::Shutdown);
        }
    }

    /// All messages of one read, in order.
    pub fn handle_messages(&mut self, now: Instant, key: PeerKey, batch: Vec<Message>) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.gossip.record.heard = now;
        }
        for message in batch {
            if !self.peers.contains_key(&key) {
                return;
            }
            if let Err(reason) = self.handle_message(now, key, message) {
                return self.close(now, key, reason);
            }
        }
        self.refill(now, key);
    }

    /// The storage did something.
    pub fn handle_disk(&mut self, now: Instant, reply: Reply) {
        self.handle_reply(now, reply);
    }

    /// [`Torrent::next_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Ended(_)) {
            return;
        }
        if self.clock.tick_at <= now {
            let limited = self.flow.down.is_limited() || self.flow.up.is_limited();
            self.clock.tick_at = now + if limited { LIMITED_TICK } else { TICK };
            self.tick(now);
        }
        if self.choker.next_timeout() <= now {
            self.rechoke(now);
        }
        self.retry_disk(now);
        self.dial(now);
    }

    /// When [`Torrent::handle_timeout`] is due.
    pub fn next_timeout(&self) -> Instant {
        if matches!(self.stage, Stage::Ended(_)) {
            return self.clock.tick_at + Duration::from_secs(3_600);
        }
        let round = self.choker.next_timeout();
        self.clock
            .dial_at
            .map_or(round, |dial| dial.min(round))
            .min(self.clock.tick_at)
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.out.actions.pop_front()
    }

    /// The next thing to tell.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// What we say first on every connection.
    pub fn handshake(&self) -> Handshake {
        Handshake {
            info_hash: self.info_hash,
            peer_id: self.settings.our_id,
            reserved: Reserved::ours(),
        }
    }

    /// Whether strangers may be asked for peers: not for private torrents (BEP 27).
    pub fn may_search(&self) -> bool {
        !self
            .content()
            .is_some_and(|content| content.info.is_private())
    }

    fn content(&self) -> Option<&Content> {
        match &self.stage {
            Stage::Known(content) => Some(content),
            Stage::Nameless | Stage::Ended(_) => None,
        }
    }

    fn is_complete(&self) -> bool {
        self.content()
            .is_some_and(|content| content.goal == Goal::Reached)
    }

    /// Something had no effect.
    fn dropped(&mut self, what: Dropped) {
        self.tally.reasons.count(Reason::Dropped(what));
    }

    fn handle_message(
        &mut self,
        now: Instant,
        key: PeerKey,
        message: Message,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let fast = peer.reserved.fast();
        match message {
            Message::Piece { piece, begin, data } => {
                return self.handle_block(now, key, piece, begin, data);
            }
            Message::Request(block) => return self.handle_request(now, key, block),
            Message::Have(piece) => return self.handle_have(now, key, piece),
            Message::Cancel(block) => self.handle_cancel(key, block),
            Message::Bitfield(bits) => return self.handle_bitfield(now, key, bits),
            Message::KeepAlive => {}
            Message::Choke => self.handle_choke(key),
            Message::Unchoke => peer.theirs.choking = false,
            Message::Interested => {
                peer.theirs.interested = true;
                self.unchoke_if_free(now, key);
            }
            Message::NotInterested => {
                peer.theirs.interested = false;
                self.give_slot_on(now);
            }
            Message::Port(port) => {
                let endpoint = Endpoint {
                    ip: peer.endpoint.ip,
                    port,
                };
                if self.book.policy().admits(endpoint) {
                    self.out.events.push_back(Event::DhtPort(endpoint));
                }
            }
            Message::Extended { id, payload } => {
                return self.handle_extended(now, key, id, payload);
            }
            // Everything below is BEP 6: an error without it.
            _ if !fast => return Err(CloseReason::BadFast),
            Message::HaveAll => return self.handle_have_all(now, key),
            Message::HaveNone => {}
            Message::Reject(block) => return self.handle_reject(now, key, block),
            Message::AllowedFast(piece) => self.handle_allowed_fast(key, piece),
            // Advice that the picker has no use for (P16).
            Message::Suggest(_) => self.dropped(Dropped::Suggestion),
        }
        Ok(())
    }

    /// Everything that depends on the passing of time, once a second.
    fn tick(&mut self, now: Instant) {
        if let Stage::Known(content) = &mut self.stage {
            content.picker.wake(now);
        }
        let keys: Vec<PeerKey> = self.peers.keys().copied().collect();
        for key in keys {
            self.tick_peer(now, key);
        }
        self.ask_for_metadata(now);
        self.refill_all(now);
    }

    fn tick_peer(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        if peer.serving.is_stuck(now) {
            return self.close(now, key, CloseReason::SlowReader);
        }
        if peer.pipeline.tick(now) {
            self.give_up_requests(key);
        }
        self.serve(now, key);
        self.gossip(now, key);
    }

    /// Whether two complete peers part: only where we stay on.
    fn parts_with_seeds(&self) -> bool {
        self.settings.mode == Mode::Seed && self.is_complete()
    }
}

#[cfg(test)]
mod tests;
