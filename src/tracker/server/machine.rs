//! A tracker without sockets: answers announces and scrapes (BEP 3, 7, 15, 24, 48), whichever way they
//! came, and forgets who is silent.
//!
//! Invariant: nothing that arrives makes an error or a panic; a reply is sent only to where a request
//! came from, and before an address has proved itself (BEP 15 "connect") none is longer than its
//! request. Every call ends in bounded time. Knows no sockets, no files, no HTTP.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};

use super::super::announce::{Announce, AnnounceEvent, Reply, ScrapeReply};
use super::super::udp::{Request, Response};
use super::allowed::Allowed;
use super::connection::Connections;
use super::crowd::Part;
use super::stats::{Refusal, Stats, Via};
use super::swarms::Swarms;
use super::words::{Bounds, Entry, Others, Totals, Wish};
use crate::metainfo::InfoHash;

/// Most peers in a reply over HTTP, and over UDP with IPv4: 1,220 bytes, which no path has to cut.
pub const MAX_REPLY_PEERS: usize = 200;

/// Most peers in a datagram with IPv6, where a packet of 1,280 bytes is sure to arrive (RFC 8200).
const MAX_REPLY_PEERS_V6: usize = 66;

/// Peers looked at in one call, so that a sweep holds nobody up: about 0.1 ms.
const SWEEP_BUDGET: usize = 4096;

/// Between two parts of a sweep.
const SWEEP_STEP: Duration = Duration::from_millis(25);

/// Between two sweeps.
const SWEEP_PAUSE: Duration = Duration::from_secs(10);

/// Silence that is no absence, beyond two intervals: clients are late, too.
const LATENESS: Duration = Duration::from_secs(60);

/// Replies that wait to be sent; the driver takes them after every batch.
const MAX_TRANSMITS: usize = 1024;

/// A peer that goes on announcing is written down again after this part of its lifetime.
const REFRESH_PART: u32 = 8;

/// How a tracker serves.
#[derive(Clone, Debug)]
pub struct Config {
    /// What clients are told to wait between announces, in whole seconds. Who is silent for two of them is gone.
    pub interval: Duration,
    /// Peers in a reply to a client that names no number.
    pub reply_peers: usize,
    /// Torrents that are served.
    pub allowed: Allowed,
    /// Whether changes are told, for a database.
    pub record: Record,
    /// Most torrents that are kept.
    pub torrents: usize,
    /// Most peers that are kept.
    pub peers: usize,
}

impl Default for Config {
    fn default() -> Config {
        let Bounds {
            torrents, peers, ..
        } = Bounds::default();
        Config {
            interval: Duration::from_secs(1800),
            reply_peers: 50,
            allowed: Allowed::All,
            record: Record::Off,
            torrents,
            peers,
        }
    }
}

impl Config {
    /// How long a peer may be silent.
    pub fn lifetime(&self) -> Duration {
        2 * self.interval + LATENESS
    }
}

/// Whether [`Server::poll_change`] has anything to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// Nobody asks.
    Off,
    /// The owner takes them after every call.
    On,
}

/// What somebody who keeps a copy has to write down. The time is that of the call that made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// A peer is here. Told for a new one, a new part, and from time to time again.
    Here(InfoHash, Endpoint, Part),
    /// A peer has left or was pushed out. Not told of those that became silent.
    Gone(InfoHash, Endpoint),
    /// So many downloads of a torrent were completed.
    Completed(InfoHash, u32),
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where its question came from.
    pub to: SocketAddr,
    /// At most 1,232 bytes.
    pub payload: Vec<u8>,
}

/// What a peer brings along of an earlier run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Saved {
    /// In which torrent.
    pub hash: InfoHash,
    /// Where it listens.
    pub at: Endpoint,
    /// What it was.
    pub part: Part,
    /// For how long it had been silent.
    pub silent: Duration,
}

/// The machine. `now` never goes back.
#[derive(Debug)]
pub struct Server {
    config: Config,
    swarms: Swarms,
    connections: Connections,
    stats: Stats,
    transmits: VecDeque<Transmit>,
    changes: VecDeque<Change>,
    next_sweep: Instant,
}

impl Server {
    /// A tracker that knows nobody.
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Server {
        let bounds = Bounds {
            torrents: config.torrents,
            peers: config.peers,
            lifetime: config.lifetime(),
        };
        let mut key = [0; 16];
        key.copy_from_slice(&seed[16..]);
        Server {
            config,
            swarms: Swarms::new(bounds, seed, now),
            connections: Connections::new(key, now),
            stats: Stats::default(),
            transmits: VecDeque::new(),
            changes: VecDeque::new(),
            next_sweep: now + SWEEP_PAUSE,
        }
    }

    /// An announce that came from `from`.
    ///
    /// Threat: the address is the one that it came from; `ip` in the announce is not believed, or
    /// anybody could send a swarm's connections to a third party.
    ///
    /// # Errors
    /// Why it is not served.
    pub fn handle_announce(
        &mut self,
        now: Instant,
        from: IpAddr,
        announce: &Announce,
        via: Via,
    ) -> Result<Reply, Refusal> {
        let at = Endpoint::new(from, announce.port);
        self.stats.count_announce(via, at.family());
        let refusal = if !self.config.allowed.admits(&announce.info_hash) {
            Some(Refusal::Torrent)
        } else if announce.port == 0 {
            Some(Refusal::Port)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(self.refuse(refusal));
        }
        let part = if announce.left == 0 {
            Part::Seeder
        } else {
            Part::Leecher
        };
        let hash = announce.info_hash;
        let want = match announce.event {
            AnnounceEvent::Stopped => {
                if self.swarms.leave(hash, at).is_some() {
                    self.record(Change::Gone(hash, at));
                }
                0
            }
            event => {
                self.enter(now, hash, at, part, event);
                self.wanted(announce.numwant, via, at.family())
            }
        };
        let wish = Wish {
            asker: at,
            part,
            want,
        };
        let others = match via {
            Via::Http => Others::Too,
            Via::Udp => Others::None,
        };
        let peers = self.swarms.choose(now, hash, &wish, others);
        let counts = self.swarms.counts(hash);
        Ok(Reply {
            interval: self.config.interval,
            min_interval: Some(self.config.interval / 10),
            seeders: Some(counts.seeders),
            leechers: Some(counts.leechers),
            peers,
            external_ip: Some(at.ip),
            warning: None,
            tracker_id: None,
        })
    }

    /// A scrape: what is known of each of these, in their order.
    pub fn handle_scrape(&mut self, hashes: &[InfoHash], via: Via) -> Vec<ScrapeReply> {
        self.stats.count_scrape(via);
        let count = |hash: &InfoHash| {
            let counts = self.swarms.counts(*hash);
            ScrapeReply {
                seeders: counts.seeders,
                completed: counts.completed,
                leechers: counts.leechers,
            }
        };
        hashes.iter().map(count).collect()
    }

    /// A request of BEP 15; the reply is queued. What is no request is counted and dropped.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let ip = Endpoint::from(from).ip;
        let Some(request) = Request::parse(datagram) else {
            self.stats.malformed += 1;
            return;
        };
        let response = match request {
            Request::Connect { transaction } => {
                self.stats.connects += 1;
                Response::Connect {
                    transaction,
                    connection: self.connections.issue(now, ip),
                }
            }
            Request::Announce { connection, transaction, .. }
            | Request::Scrape { connection, transaction, .. }
                // Threat: without this proof anybody could enter others, and have long replies sent to them.
                if !self.connections.accepts(now, ip, connection) =>
            {
                error(transaction, self.refuse(Refusal::Connection))
            }
            Request::Announce { transaction, announce, .. } => {
                match self.handle_announce(now, ip, &announce, Via::Udp) {
                    Ok(reply) => Response::Announce {
                        transaction,
                        interval: u32::try_from(reply.interval.as_secs()).unwrap_or(u32::MAX),
                        leechers: reply.leechers.unwrap_or_default(),
                        seeders: reply.seeders.unwrap_or_default(),
                        peers: reply.peers,
                    },
                    Err(refusal) => error(transaction, refusal),
                }
            }
            Request::Scrape { transaction, hashes, .. } => Response::Scrape {
                transaction,
                torrents: self.handle_scrape(&hashes, Via::Udp),
            },
        };
        self.transmit(from, &response);
    }

    /// Forgets some of those who are silent.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now < self.next_sweep {
            return;
        }
        let looked = self.swarms.sweep(now, SWEEP_BUDGET);
        let pause = if looked < SWEEP_BUDGET {
            SWEEP_PAUSE
        } else {
            SWEEP_STEP
        };
        self.next_sweep = now + pause;
    }

    /// A request that could not be read at all.
    pub fn note_malformed(&mut self) {
        self.stats.malformed += 1;
    }

    /// Enters a peer of an earlier run; nothing is told of it.
    pub fn restore(&mut self, now: Instant, saved: &Saved) {
        let Saved {
            hash,
            at,
            part,
            silent,
        } = *saved;
        if silent < self.config.lifetime() && at.port != 0 && self.config.allowed.admits(&hash) {
            self.swarms.enter(now, hash, at, part, silent);
        }
    }

    /// Enters what an earlier run had counted.
    pub fn restore_completed(&mut self, hash: InfoHash, completed: u32) {
        if completed > 0 && self.config.allowed.admits(&hash) {
            self.swarms.set_completed(hash, completed);
        }
    }

    /// Serves other torrents from now on; the peers of those that are no longer served become silent.
    pub fn set_allowed(&mut self, allowed: Allowed) {
        self.config.allowed = allowed;
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next change to write down; nothing without [`Record::On`].
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    /// When to call [`Server::handle_timeout`].
    pub fn next_timeout(&self) -> Instant {
        self.next_sweep
    }

    /// How much is kept.
    pub fn totals(&self) -> Totals {
        self.swarms.totals()
    }

    /// What has happened so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Everybody.
    pub fn peers(&self, now: Instant) -> impl Iterator<Item = Saved> {
        let peers = self.swarms.iter(now);
        peers.map(|(hash, at, part, silent)| Saved {
            hash,
            at,
            part,
            silent,
        })
    }

    fn enter(
        &mut self,
        now: Instant,
        hash: InfoHash,
        at: Endpoint,
        part: Part,
        event: AnnounceEvent,
    ) {
        let entry = self.swarms.enter(now, hash, at, part, Duration::ZERO);
        let (worth_writing, was) = match entry {
            Entry::New { instead_of } => {
                if let Some(other) = instead_of {
                    self.record(Change::Gone(hash, other));
                }
                (true, None)
            }
            Entry::Again { was, silent } => {
                (was != part || self.is_refresh(now, silent), Some(was))
            }
            Entry::NoRoom => {
                self.stats.not_kept += 1;
                (false, None)
            }
        };
        if worth_writing {
            self.record(Change::Here(hash, at, part));
        }
        if event == AnnounceEvent::Completed && was != Some(Part::Seeder) {
            let count = self.swarms.complete(hash);
            self.stats.completed += 1;
            // 0: the torrent is not kept.
            if count > 0 {
                self.record(Change::Completed(hash, count));
            }
        }
    }

    /// Whether a part of a lifetime ended since a peer was heard of last: so it is written down again a
    /// few times in its life and not at every announce, and no memory is needed to know.
    fn is_refresh(&self, now: Instant, silent: Duration) -> bool {
        let part = (self.config.lifetime() / REFRESH_PART).as_secs().max(1);
        let clock = self.swarms.age(now).as_secs();
        clock / part != clock.saturating_sub(silent.as_secs()) / part
    }

    fn wanted(&self, numwant: Option<u32>, via: Via, family: Family) -> usize {
        let most = match (via, family) {
            (Via::Udp, Family::V6) => MAX_REPLY_PEERS_V6,
            _ => MAX_REPLY_PEERS,
        };
        let wanted = numwant.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        wanted.unwrap_or(self.config.reply_peers).min(most)
    }

    fn refuse(&mut self, refusal: Refusal) -> Refusal {
        self.stats.count_refusal(refusal);
        refusal
    }

    fn record(&mut self, change: Change) {
        if self.config.record == Record::On {
            self.changes.push_back(change);
        }
    }

    fn transmit(&mut self, to: SocketAddr, response: &Response) {
        if self.transmits.len() >= MAX_TRANSMITS {
            return;
        }
        let mut payload = Vec::new();
        response.write(&mut payload);
        self.transmits.push_back(Transmit { to, payload });
    }
}

/// Shorter than any announce or scrape, so that nobody is hit with it.
fn error(transaction: u32, refusal: Refusal) -> Response {
    Response::Error {
        transaction,
        message: refusal.to_string(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests;
