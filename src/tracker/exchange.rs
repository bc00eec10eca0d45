//! One question to one UDP tracker (BEP 15): connect, ask, retransmit, give up.
//!
//! Four verbs. Invariant: only a datagram from the endpoint that was asked, with the transaction id of
//! the last question and the right action, changes anything; everything else is counted and dropped.
//! The machine knows one endpoint; resolving and sockets are its owner's.
//!
//! Threat: who cannot see our datagrams has to guess 32 random bits and our port to forge an answer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::announce::{Announce, Failure, Reply, ScrapeReply};
use super::udp::{Request, Response};
use crate::metainfo::InfoHash;

/// How long a client may use a connection id (BEP 15: one minute).
pub const CONNECTION_LIFE: Duration = Duration::from_secs(60);

/// Until the first retransmission; doubles each time.
///
/// Deviation: BEP 15 starts with 15 seconds, ends after an hour, and is obeyed by nobody: a lost
/// datagram would cost a quarter of a minute.
pub const FIRST_TIMEOUT: Duration = Duration::from_secs(1);

/// Datagrams sent for one question and for one connection id. With the doubling it is given up after 15 s.
pub const MAX_SENDS: u32 = 4;

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Question {
    /// An announce, and path and query of the tracker's URL (BEP 41).
    Announce(Announce, Vec<u8>),
    /// A scrape of at most [`super::udp::MAX_SCRAPE`] torrents.
    Scrape(Vec<InfoHash>),
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// To an announce.
    Announce(Reply),
    /// To a scrape, in the order of the question; may be shorter.
    Scrape(Vec<ScrapeReply>),
}

/// A tracker's proof that we receive at our address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionId {
    id: u64,
    since: Instant,
}

impl ConnectionId {
    /// Whether it may still be used.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < CONNECTION_LIFE
    }
}

/// What was sent last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Connecting,
    /// `reused`: the id is of an earlier question and may have been forgotten.
    Asking {
        reused: bool,
    },
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Exchange {
    tracker: Endpoint,
    question: Question,
    connection: Option<ConnectionId>,
    stage: Stage,
    /// Of the stage.
    transaction: u32,
    /// Datagrams of the stage.
    sends: u32,
    due: Instant,
    out: VecDeque<Vec<u8>>,
    outcome: Option<Result<Answer, Failure>>,
    strays: u32,
    rng: ChaCha8Rng,
}

impl Exchange {
    /// Asks at once: with `connection` if that is fresh, else for a new one first.
    pub fn new(
        tracker: Endpoint,
        question: Question,
        connection: Option<ConnectionId>,
        seed: [u8; 32],
        now: Instant,
    ) -> Exchange {
        let mut exchange = Exchange {
            tracker,
            question,
            connection: connection.filter(|connection| connection.is_fresh(now)),
            stage: Stage::Connecting,
            transaction: 0,
            sends: 0,
            due: now,
            out: VecDeque::new(),
            outcome: None,
            strays: 0,
            rng: ChaCha8Rng::from_seed(seed),
        };
        let stage = match exchange.connection {
            Some(_) => Stage::Asking { reused: true },
            None => Stage::Connecting,
        };
        exchange.enter(now, stage);
        exchange
    }

    /// Takes a datagram that came from `from`.
    pub fn handle_datagram(&mut self, now: Instant, from: Endpoint, datagram: &[u8]) {
        let response = Response::parse(datagram, self.tracker.family())
            .filter(|response| from == self.tracker && response.transaction() == self.transaction);
        match (self.stage, response) {
            (Stage::Over, _) => {}
            (Stage::Connecting, Some(Response::Connect { connection, .. })) => {
                self.connection = Some(ConnectionId {
                    id: connection,
                    since: now,
                });
                self.enter(now, Stage::Asking { reused: false });
            }
            (
                Stage::Asking { .. },
                Some(Response::Announce {
                    interval,
                    leechers,
                    seeders,
                    peers,
                    ..
                }),
            ) if matches!(self.question, Question::Announce(..)) => {
                self.end(Ok(Answer::Announce(Reply {
                    interval: Duration::from_secs(interval.into()),
                    seeders: Some(seeders),
                    leechers: Some(leechers),
                    peers,
                    ..Reply::default()
                })));
            }
            (Stage::Asking { .. }, Some(Response::Scrape { torrents, .. }))
                if matches!(self.question, Question::Scrape(_)) =>
            {
                self.end(Ok(Answer::Scrape(torrents)));
            }
            // A restarted tracker has forgotten the ids that it gave.
            (Stage::Asking { reused: true }, Some(Response::Error { .. })) => {
                self.enter(now, Stage::Connecting);
            }
            (_, Some(Response::Error { message, .. })) => self.end(Err(Failure::Reason(message))),
            _ => self.strays = self.strays.saturating_add(1),
        }
    }

    /// Retransmits or gives up.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.stage == Stage::Over || now < self.due {
            return;
        }
        let stale = self
            .connection
            .is_none_or(|connection| !connection.is_fresh(now));
        match self.stage {
            _ if self.sends >= MAX_SENDS => self.end(Err(Failure::Silent)),
            Stage::Asking { .. } if stale => self.enter(now, Stage::Connecting),
            // Some that have forgotten an id do not even say so.
            Stage::Asking { reused: true } if self.sends > 1 => self.enter(now, Stage::Connecting),
            _ => self.send(now),
        }
    }

    /// The next datagram for the tracker.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// What came of it; once.
    pub fn poll_outcome(&mut self) -> Option<Result<Answer, Failure>> {
        self.outcome.take()
    }

    /// When to call [`Exchange::handle_timeout`]; `None`: it is over.
    pub fn next_timeout(&self) -> Option<Instant> {
        (self.stage != Stage::Over).then_some(self.due)
    }

    /// For the next question to this tracker from the same socket.
    pub fn connection(&self) -> Option<ConnectionId> {
        self.connection
    }

    /// Datagrams that had nothing to do with the question.
    pub fn strays(&self) -> u32 {
        self.strays
    }

    fn enter(&mut self, now: Instant, stage: Stage) {
        self.stage = stage;
        self.sends = 0;
        self.transaction = self.rng.next_u32();
        self.send(now);
    }

    fn send(&mut self, now: Instant) {
        let transaction = self.transaction;
        let request = match (self.stage, self.connection, &self.question) {
            (Stage::Asking { .. }, Some(connection), Question::Announce(announce, url_data)) => {
                Request::Announce {
                    connection: connection.id,
                    transaction,
                    announce: announce.clone(),
                    url_data: url_data.clone(),
                }
            }
            (Stage::Asking { .. }, Some(connection), Question::Scrape(hashes)) => Request::Scrape {
                connection: connection.id,
                transaction,
                hashes: hashes.clone(),
            },
            _ => Request::Connect { transaction },
        };
        let mut datagram = Vec::with_capacity(128);
        request.write(&mut datagram);
        self.out.push_back(datagram);
        self.due = now + FIRST_TIMEOUT.saturating_mul(1 << self.sends.min(MAX_SENDS));
        self.sends += 1;
    }

    fn end(&mut self, outcome: Result<Answer, Failure>) {
        self.stage = Stage::Over;
        self.out.clear();
        self.outcome = Some(outcome);
    }
}
