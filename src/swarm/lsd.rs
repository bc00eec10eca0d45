//! Local service discovery (BEP 14): tells the neighbours which torrents we are in, and hears it of
//! them. Read the BEP's "Usage" first.
//!
//! Invariants: one datagram to everybody a minute, whatever happens; a torrent is in one of them at
//! most every five minutes, except that a network we just came to is told at once. Only who lives on one
//! of our own links is heard and answered. The machine knows links as ranges of addresses; sockets and
//! interfaces are its driver's. Which torrents may be told (not the private ones: BEP 27) its owner
//! decides, by what it adds.
//!
//! Threat: an address from here may be a private one, which no other source may name. It is safe to
//! dial because nobody can name somebody else: the address is the source of the datagram, and it lies on
//! the link that the datagram came from. What a neighbour can do is to have us connect to any port of
//! its own, or, with a forged source, to another neighbour's, a few times a minute.
//!
//! Threat: datagrams in masses. At most [`BURST`] at once and [`A_SECOND`] a second are read. Answers go
//! to one host, once a minute each, [`ANSWERS`] at once and one every [`ANSWER_PACE`] in all, and are
//! about as long as what caused them.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::{Cidr, Endpoint, Family};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::metainfo::InfoHash;

mod datagram;

pub use datagram::{Announce, MAX_HASHES, MAX_READ, MAX_WRITTEN, PORT, group};

/// Between two announces of a torrent (BEP 14: "every 5 minutes").
pub const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(300);

/// Between two datagrams to everybody (BEP 14: "no more than 1 announce per minute").
pub const PAUSE: Duration = Duration::from_secs(60);

/// Torrents added within this time travel together: the second one would wait for a minute.
const GATHER: Duration = Duration::from_millis(100);

/// Somebody is answered at most this often.
const ANSWER_PAUSE: Duration = Duration::from_secs(60);

/// What we told everybody so shortly before is no reason for an answer: it may be an answer itself.
const JUST_TOLD: Duration = Duration::from_secs(10);

/// Answers that may follow each other, …
pub const ANSWERS: u32 = 8;

/// … and the time in which one more is earned.
pub const ANSWER_PACE: Duration = Duration::from_secs(5);

/// Hosts whose answer is remembered; of more the one answered longest ago is forgotten.
const MAX_ASKERS: usize = 256;

/// Datagrams read at once: every host of a large office that just got its power back.
pub const BURST: u32 = 200;

/// Datagrams read a second thereafter.
pub const A_SECOND: u32 = 20;

/// Ranges of our links that are kept.
pub const MAX_RANGES: usize = 32;

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Whom it is for.
    pub to: To,
    /// At most 1,400 bytes.
    pub payload: Vec<u8>,
}

/// Whom a datagram is for; always at [`PORT`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// The group of this family, on every link.
    Everybody(Family),
    /// One host.
    One(IpAddr),
}

/// A neighbour that is in a torrent of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Found {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// Where the neighbour accepts connections.
    pub peer: Endpoint,
}

/// What became of datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Stats {
    /// Announces of others, whether or not we have their torrents.
    pub heard: u64,
    /// Our own, come back.
    pub own: u64,
    /// No announces, or malformed ones.
    pub malformed: u64,
    /// From somewhere that is no link of ours.
    pub distant: u64,
    /// Not read: too many.
    pub flood: u64,
    /// Sent to everybody; one for each family.
    pub announced: u64,
    /// Answers to one host.
    pub answered: u64,
}

/// Tokens that come back at a steady pace.
#[derive(Clone, Copy, Debug)]
struct Tokens {
    left: u32,
    most: u32,
    pace: Duration,
    since: Instant,
}

impl Tokens {
    fn new(now: Instant, most: u32, pace: Duration) -> Tokens {
        Tokens {
            left: most,
            most,
            pace,
            since: now,
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_millis();
        let earned = u32::try_from(passed / self.pace.as_millis()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(self.most);
            self.since = now;
        }
        let taken = self.left > 0;
        self.left -= u32::from(taken);
        taken
    }
}

/// A torrent of ours.
#[derive(Clone, Copy, Debug)]
struct Presence {
    /// When it is to be announced next.
    due: Instant,
    /// When it was.
    told: Option<Instant>,
}

/// The machine. After any call drain [`Lsd::poll_transmit`] and [`Lsd::poll_event`], then sleep until a
/// datagram or [`Lsd::next_timeout`]. `now` never goes back.
#[derive(Debug)]
pub struct Lsd {
    port: u16,
    cookie: String,
    torrents: BTreeMap<InfoHash, Presence>,
    ranges: Vec<Cidr>,
    families: Vec<Family>,
    /// Not before this is everybody told anything.
    quiet_until: Instant,
    /// Which torrent comes first in a datagram: old clients read no further.
    turn: usize,
    askers: BTreeMap<IpAddr, Instant>,
    answers: Tokens,
    arrivals: Tokens,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Found>,
    stats: Stats,
}

impl Lsd {
    /// In no torrent and on no link. `port` is our TCP port.
    pub fn new(port: u16, seed: [u8; 32], now: Instant) -> Lsd {
        let cookie = ChaCha8Rng::from_seed(seed).next_u32();
        Lsd {
            port,
            cookie: format!("{cookie:08x}"),
            torrents: BTreeMap::new(),
            ranges: Vec::new(),
            families: Vec::new(),
            quiet_until: now,
            turn: 0,
            askers: BTreeMap::new(),
            answers: Tokens::new(now, ANSWERS, ANSWER_PACE),
            arrivals: Tokens::new(now, BURST, Duration::from_secs(1) / A_SECOND),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// From now on we are in this torrent.
    pub fn add(&mut self, now: Instant, info_hash: InfoHash) {
        let presence = Presence {
            due: now + GATHER,
            told: None,
        };
        self.torrents.entry(info_hash).or_insert(presence);
    }

    /// From now on we are not; nothing is told of it any more.
    pub fn remove(&mut self, info_hash: &InfoHash) {
        self.torrents.remove(info_hash);
    }

    /// Our links have changed: the ranges of addresses that live on them, at most [`MAX_RANGES`]. Who is
    /// on a new one is told at once, as far as the pace allows.
    pub fn set_links(&mut self, now: Instant, mut ranges: Vec<Cidr>, families: Vec<Family>) {
        ranges.truncate(MAX_RANGES);
        if ranges.iter().any(|range| !self.ranges.contains(range)) {
            for presence in self.torrents.values_mut() {
                presence.due = presence.due.min(now + GATHER);
            }
        }
        self.ranges = ranges;
        self.families = families;
    }

    /// The ranges on our links.
    pub fn ranges(&self) -> &[Cidr] {
        &self.ranges
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// A datagram from `from`.
    pub fn handle_datagram(&mut self, now: Instant, from: IpAddr, datagram: &[u8]) {
        if !self.arrivals.take(now) {
            self.stats.flood += 1;
            return;
        }
        let from = from.to_canonical();
        if !self.ranges.iter().any(|range| range.contains(from)) {
            self.stats.distant += 1;
            return;
        }
        let Some(announce) = Announce::parse(datagram) else {
            self.stats.malformed += 1;
            return;
        };
        if announce.cookie.as_deref() == Some(&self.cookie) {
            self.stats.own += 1;
            return;
        }
        self.stats.heard += 1;
        let peer = Endpoint::new(from, announce.port);
        let mut shared = announce.torrents;
        shared.retain(|info_hash| self.torrents.contains_key(info_hash));
        let found = |info_hash: &InfoHash| Found {
            info_hash: *info_hash,
            peer,
        };
        self.events.extend(shared.iter().map(found));
        self.answer(now, from, shared);
    }

    /// [`Lsd::next_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_none_or(|due| now < due) {
            return;
        }
        let mut due: Vec<(Instant, InfoHash)> = self
            .torrents
            .iter()
            .filter(|(_, presence)| presence.due <= now)
            .map(|(info_hash, presence)| (presence.due, *info_hash))
            .collect();
        due.sort_unstable();
        due.truncate(MAX_HASHES);
        let mut torrents: Vec<InfoHash> = due.into_iter().map(|(_, info_hash)| info_hash).collect();
        for info_hash in &torrents {
            if let Some(presence) = self.torrents.get_mut(info_hash) {
                presence.due = now + ANNOUNCE_INTERVAL;
                presence.told = Some(now);
            }
        }
        let first = self.turn % torrents.len().max(1);
        torrents.rotate_left(first);
        self.turn = self.turn.wrapping_add(1);
        self.quiet_until = now + PAUSE;
        let announce = self.announce(torrents);
        for family in &self.families {
            self.stats.announced += 1;
            self.transmits.push_back(Transmit {
                to: To::Everybody(*family),
                payload: announce.write(*family),
            });
        }
    }

    /// When [`Lsd::handle_timeout`] is due; `None`: there is nobody to tell anything.
    pub fn next_timeout(&self) -> Option<Instant> {
        let due = self.torrents.values().map(|presence| presence.due).min();
        due.filter(|_| !self.families.is_empty())
            .map(|due| due.max(self.quiet_until))
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next neighbour found.
    pub fn poll_event(&mut self) -> Option<Found> {
        self.events.pop_front()
    }

    fn announce(&self, torrents: Vec<InfoHash>) -> Announce {
        Announce {
            port: self.port,
            torrents,
            cookie: Some(self.cookie.clone()),
        }
    }

    /// Tells a neighbour that we share its torrents: it came after our last announce, and the next one
    /// may be minutes away.
    fn answer(&mut self, now: Instant, from: IpAddr, mut shared: Vec<InfoHash>) {
        let since = |then: Instant| now.saturating_duration_since(then);
        shared.retain(|info_hash| {
            let told = self.torrents.get(info_hash).and_then(|it| it.told);
            told.is_none_or(|told| since(told) >= JUST_TOLD)
        });
        let lately = |answered: &Instant| since(*answered) < ANSWER_PAUSE;
        if shared.is_empty() || self.askers.get(&from).is_some_and(lately) {
            return;
        }
        if !self.answers.take(now) {
            return;
        }
        if self.askers.len() >= MAX_ASKERS {
            let oldest = self.askers.iter().min_by_key(|(_, answered)| **answered);
            if let Some(oldest) = oldest.map(|(ip, _)| *ip) {
                self.askers.remove(&oldest);
            }
        }
        self.askers.insert(from, now);
        self.stats.answered += 1;
        let payload = self
            .announce(shared)
            .write(Endpoint::new(from, PORT).family());
        self.transmits.push_back(Transmit {
            to: To::One(from),
            payload,
        });
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests;
