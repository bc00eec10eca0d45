//! One connection's peer exchange (BEP 11): what to tell the peer, and what to believe.
//!
//! Outgoing it is set algebra. `told` is what the peer thinks we are connected to; a message adds
//! `connected - told` and drops `told - connected`. Every rule of the BEP follows: no duplicates,
//! nobody added and dropped at once, transient peers left out, each added peer dropped some day.
//! Where few are connected, those of [`Recent`] fill up: they are in no connected set, so the next
//! message drops them.
//!
//! Incoming it is a door: rate, size, number, addresses and ports are limited, and what passes are
//! candidates. Invariants: at most one message a minute goes out; `told` never exceeds the
//! largest connected set there was and the recent ones, because with 50 or more to drop a message
//! adds no more than it drops. It knows no socket, no extension ids and no other peer's exchange; who dials how often
//! is the owner's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Endpoint, Family};

use crate::message::{Flags, Message};
use crate::recent::{RECENT_MAX, Recent};

/// Between two messages of ours. BEP 11: "no more than 1 PEX message per minute".
pub const INTERVAL: Duration = Duration::from_secs(60);

/// From the handshake to our first message: long enough for a burst of handshakes at start to
/// share one message, short enough that a new peer's swarm grows at once.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);

/// When there was nothing to tell: the next look. Nothing was sent, so no minute has to pass.
const QUIET_DELAY: Duration = Duration::from_secs(5);

/// Added contacts of the first message, either direction. BEP 11 exempts it from the 50; 200
/// is more than the connections a client usually has.
pub const FIRST_ADDED_MAX: usize = 200;

/// Added contacts of each later message, either direction (BEP 11), both families together.
pub const LATER_ADDED_MAX: usize = 50;

/// Dropped contacts of any message of ours (BEP 11), both families together.
const DROPPED_MAX: usize = 50;

/// A peer may send this often on average. BEP 11 says a minute; the rest is for jitter.
const INCOMING_INTERVAL: Duration = Duration::from_secs(45);

/// How far a peer may be ahead of that average: one interval makes a burst of two messages.
const INCOMING_AHEAD: Duration = INCOMING_INTERVAL;

/// Messages in a row beyond the rate until it is a flood; libtorrent closes after 6 a minute.
const SURPLUS_MAX: u32 = 6;

/// Malformed messages on one connection until it is closed.
const MALFORMED_MAX: u32 = 3;

/// The first port that a candidate may have. Threat: the ports below belong to mail, names, the web
/// and remote shells; a list of those asks a swarm to knock at somebody's servers. Who really listens
/// there is found by other means (reliability.md P11).
const FIRST_PORT: u16 = 1_024;

/// Both directions of peer exchange with one peer.
///
/// `now` never goes back. Every call ends in time proportional to its input.
#[derive(Clone, Debug)]
pub struct Exchange {
    told: BTreeSet<Endpoint>,
    /// How many contacts the next message of ours may add.
    added_max: usize,
    next_at: Instant,
    /// The latest parting that was told, or passed over, to this peer.
    heard_of: u64,
    incoming: Incoming,
    stats: Stats,
}

/// What is remembered of the peer's messages.
#[derive(Clone, Copy, Debug)]
struct Incoming {
    /// When the next message is due if the peer keeps exactly to the average rate.
    due: Instant,
    /// Messages in a row that came too early.
    surplus: u32,
    /// How many contacts the next message may add.
    added_max: usize,
}

/// Counters since the connection began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages written.
    pub sent: u32,
    /// Messages read and believed.
    pub received: u32,
    /// Messages ignored because they came too soon.
    pub surplus: u32,
    /// Messages that were not peer exchange.
    pub malformed: u32,
    /// Contacts that the address policy refused, with a system port, or a second port of one
    /// address.
    pub refused: u32,
    /// Contacts beyond what one message may add.
    pub excess: u32,
}

/// A reason to close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// The peer keeps sending far faster than once a minute.
    Flood,
    /// The third message that is not peer exchange.
    Malformed,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Violation::Flood => "too many peer exchange messages",
            Violation::Malformed => "malformed peer exchange messages",
        })
    }
}

impl std::error::Error for Violation {}

impl Exchange {
    /// Begins when the peer's extension handshake offered `ut_pex`.
    pub fn new(now: Instant) -> Exchange {
        Exchange {
            told: BTreeSet::new(),
            added_max: FIRST_ADDED_MAX,
            next_at: now + FIRST_DELAY,
            heard_of: 0,
            incoming: Incoming {
                due: now,
                surplus: 0,
                added_max: FIRST_ADDED_MAX,
            },
            stats: Stats::default(),
        }
    }

    /// The payload to send now, if it is time and there is something to tell.
    ///
    /// `connected` is whom we have completed a handshake with, under the endpoint they listen
    /// on, without the peer of this exchange. It is not read before [`Exchange::next_timeout`].
    /// What does not fit stays in the difference and goes out a minute later. `recent` fills a family
    /// of which fewer than 25 are connected; what is told of it is told once.
    pub fn update(
        &mut self,
        now: Instant,
        connected: impl IntoIterator<Item = (Endpoint, Flags)>,
        recent: &Recent,
    ) -> Option<Vec<u8>> {
        if now < self.next_at {
            return None;
        }
        let connected: BTreeMap<Endpoint, Flags> = connected
            .into_iter()
            .filter(|(endpoint, _)| endpoint.port != 0)
            .collect();
        let new = connected
            .iter()
            .filter(|(endpoint, _)| !self.told.contains(endpoint));
        let mut added: Vec<(Endpoint, Flags)> = new
            .take(self.added_max)
            .map(|(endpoint, flags)| (*endpoint, *flags))
            .collect();
        added.extend(self.fill(&connected, recent, self.added_max - added.len()));
        self.heard_of = recent.latest();
        let gone = self
            .told
            .iter()
            .filter(|endpoint| !connected.contains_key(endpoint));
        let dropped = gone.take(DROPPED_MAX).copied().collect();
        let message = Message { added, dropped };
        if message.added.is_empty() && message.dropped.is_empty() {
            self.next_at = now + QUIET_DELAY;
            return None;
        }
        for endpoint in &message.dropped {
            self.told.remove(endpoint);
        }
        self.told
            .extend(message.added.iter().map(|(endpoint, _)| *endpoint));
        self.added_max = LATER_ADDED_MAX;
        self.next_at = now + INTERVAL;
        self.stats.sent = self.stats.sent.saturating_add(1);
        Some(message.encode())
    }

    /// Recent partings for families with few connections. Whom the peer still believes connected is
    /// left out: it is dropped by this message.
    fn fill(
        &self,
        connected: &BTreeMap<Endpoint, Flags>,
        recent: &Recent,
        room: usize,
    ) -> Vec<(Endpoint, Flags)> {
        let few = [Family::V4, Family::V6].into_iter().filter(|family| {
            let alive = connected.keys().filter(|one| one.family() == *family);
            alive.count() < RECENT_MAX
        });
        few.flat_map(|family| recent.since(family, self.heard_of))
            .filter(|(one, _)| !connected.contains_key(one) && !self.told.contains(one))
            .take(room)
            .collect()
    }

    /// When [`Exchange::update`] is worth calling again.
    pub fn next_timeout(&self) -> Instant {
        self.next_at
    }

    /// Takes a payload from the peer; returns the candidates in it that `policy` admits.
    ///
    /// At most 200 of the first message, 50 of each later one. Whom the peer dropped is not
    /// returned: that one connection ended says nothing of ours. A message that comes too soon
    /// or is malformed gives no candidates.
    ///
    /// # Errors
    /// [`Violation`] when the connection has to be closed.
    pub fn handle_message(
        &mut self,
        now: Instant,
        payload: &[u8],
        policy: &AddressPolicy,
    ) -> Result<Vec<(Endpoint, Flags)>, Violation> {
        // Threat: a message every second. Counted before it is parsed, so it costs nothing.
        if !self.in_time(now) {
            self.stats.surplus = self.stats.surplus.saturating_add(1);
            let flood = self.incoming.surplus >= SURPLUS_MAX;
            return if flood {
                Err(Violation::Flood)
            } else {
                Ok(Vec::new())
            };
        }
        let Ok(message) = Message::parse(payload) else {
            self.stats.malformed = self.stats.malformed.saturating_add(1);
            let too_many = self.stats.malformed >= MALFORMED_MAX;
            return if too_many {
                Err(Violation::Malformed)
            } else {
                Ok(Vec::new())
            };
        };
        self.stats.received = self.stats.received.saturating_add(1);
        Ok(self.candidates(message.added, policy))
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether a message may come now; accounts for it.
    fn in_time(&mut self, now: Instant) -> bool {
        if self.incoming.due > now + INCOMING_AHEAD {
            self.incoming.surplus = self.incoming.surplus.saturating_add(1);
            return false;
        }
        self.incoming.due = self.incoming.due.max(now) + INCOMING_INTERVAL;
        // An occasional early message is jitter; only an unbroken run of them is a flood.
        self.incoming.surplus = 0;
        true
    }

    /// What is left of an `added` list.
    fn candidates(
        &mut self,
        mut added: Vec<(Endpoint, Flags)>,
        policy: &AddressPolicy,
    ) -> Vec<(Endpoint, Flags)> {
        let max = std::mem::replace(&mut self.incoming.added_max, LATER_ADDED_MAX);
        let sent = added.len();
        // Cut before filtering: what lies behind the bound is not worth a look.
        added.truncate(max);
        let kept = added.len();
        // Threat: many ports of one victim. BEP 11: "Duplicate IP addresses (e.g. with different
        // ports) should be ignored".
        let mut seen: BTreeSet<(IpAddr, u16)> = BTreeSet::new();
        added.retain(|(endpoint, _)| {
            let usual = endpoint.port >= FIRST_PORT;
            usual && policy.admits(*endpoint) && seen.insert(identity(*endpoint))
        });
        let refused = u32::try_from(kept - added.len()).unwrap_or(u32::MAX);
        self.stats.refused = self.stats.refused.saturating_add(refused);
        let excess = u32::try_from(sent - kept).unwrap_or(u32::MAX);
        self.stats.excess = self.stats.excess.saturating_add(excess);
        added
    }
}

/// What makes two contacts the same host.
///
/// Deviation: on loopback, which only a user's own permission opens, the port is all that tells
/// peers apart; there every port is somebody else.
fn identity(endpoint: Endpoint) -> (IpAddr, u16) {
    let port = if endpoint.ip.is_loopback() {
        endpoint.port
    } else {
        0
    };
    (endpoint.ip, port)
}
