//! The addresses of a swarm: who is known, from where, what became of the attempts, whom to dial
//! next. No BEP; the bounds are those of reliability.md P11, P12 and §3.
//!
//! Invariant: at most [`MAX_KNOWN`] addresses, one attempt or connection per address and, outside
//! ranges that the user opened, per IP. A banned address is never offered. Knows no connections.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Cidr, Endpoint};

use super::PeerKey;
use super::contract::{PeerSource, SourceCounts};

/// Addresses kept per torrent (reliability.md P11).
pub const MAX_KNOWN: usize = 2_000;

/// Addresses that one peer may put in by peer exchange (P11).
const MAX_PER_TELLER: u32 = 100;

/// Tellers remembered; a teller that comes back after so many others starts anew.
const MAX_TELLERS: usize = 1_000;

/// Attempts to addresses that only peers vouched for: a burst, then so many a second (P11).
const PEX_BURST: u32 = 20;
const PEX_PAUSE: Duration = Duration::from_millis(500);

/// Wait after a failed attempt, times 4 for each further one…
const BACKOFF: Duration = Duration::from_secs(15);
/// … but times 2 if the user named the address, …
const MANUAL_BACKOFF: Duration = Duration::from_secs(2);
/// … at most this.
const MAX_BACKOFF: Duration = Duration::from_secs(3_600);

/// Wait before an address that hung up is dialled again.
const RECONNECT: Duration = Duration::from_secs(30);

/// What is going on with an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle {
        next_try: Instant,
    },
    Dialling,
    Connected,
    Banned,
    /// We are there: others name us to us.
    Ourself,
}

/// What is worth knowing of an address besides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Unknown,
    /// It was connected once.
    Proven,
    /// It is complete: of no use once we are.
    Seed,
}

#[derive(Debug)]
struct Known {
    state: State,
    standing: Standing,
    sources: u8,
    /// Attempts that failed since the last that did not.
    failures: u32,
}

/// What became of an attempt or a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The attempt failed.
    Failed,
    /// It was connected and ended.
    Ended,
    /// Ourselves, or a connection that exists under another address: not soon again.
    Useless,
}

/// What the owner needs of addresses now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// Anybody.
    Any,
    /// Peers that may lack something.
    Incomplete,
}

/// The address book of one torrent.
#[derive(Debug)]
pub struct AddressBook {
    known: BTreeMap<Endpoint, Known>,
    policy: AddressPolicy,
    tellers: BTreeMap<PeerKey, u32>,
    counts: SourceCounts,
    banned: u32,
    pex_tries: u32,
    pex_refill: Instant,
}

impl AddressBook {
    /// Nobody known.
    pub fn new(now: Instant, policy: AddressPolicy) -> AddressBook {
        AddressBook {
            known: BTreeMap::new(),
            policy,
            tellers: BTreeMap::new(),
            counts: SourceCounts::default(),
            banned: 0,
            pex_tries: PEX_BURST,
            pex_refill: now,
        }
    }

    /// The policy given at construction.
    pub fn policy(&self) -> &AddressPolicy {
        &self.policy
    }

    /// Sets the ranges on our own links: peers there may be known by what they say themselves (local
    /// discovery, a connection of theirs), never by what others say of them.
    pub fn set_neighbours(&mut self, ranges: Vec<Cidr>) {
        self.policy.set_neighbours(ranges);
    }

    /// Addresses kept.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    /// Distinct addresses so far, by source.
    pub fn counts(&self) -> SourceCounts {
        self.counts
    }

    /// Addresses banned.
    pub fn banned(&self) -> u32 {
        self.banned
    }

    /// Learns an address; a known one gains a source. `true` if it is new.
    pub fn add(&mut self, now: Instant, endpoint: Endpoint, source: PeerSource) -> bool {
        let admitted = match source {
            // Who spoke for himself.
            PeerSource::Lsd | PeerSource::Incoming => self.policy.admits_neighbour(endpoint),
            PeerSource::Dht | PeerSource::Pex | PeerSource::Tracker | PeerSource::Manual => {
                self.policy.admits(endpoint)
            }
        };
        if !admitted {
            return false;
        }
        let bit = 1 << (source as u8);
        if let Some(known) = self.known.get_mut(&endpoint) {
            if known.sources & bit == 0 {
                known.sources |= bit;
                count(&mut self.counts, source);
            }
            // The user says that it is there: believed at once.
            if source == PeerSource::Manual
                && let State::Idle { next_try } = &mut known.state
            {
                *next_try = now;
            }
            return false;
        }
        // Threat (P12): one victim named with many ports by strangers.
        let steered = source == PeerSource::Pex && !self.shares_ip(endpoint.ip);
        if (steered && self.of_ip(endpoint.ip).next().is_some()) || !self.make_room(source) {
            return false;
        }
        let (state, standing) = (State::Idle { next_try: now }, Standing::Unknown);
        self.known.insert(
            endpoint,
            Known {
                state,
                standing,
                sources: bit,
                failures: 0,
            },
        );
        count(&mut self.counts, source);
        true
    }

    /// Like [`AddressBook::add`] for what a peer told us; each may tell a hundred new ones.
    pub fn add_told(&mut self, now: Instant, endpoint: Endpoint, teller: PeerKey) -> bool {
        if self.tellers.len() >= MAX_TELLERS && !self.tellers.contains_key(&teller) {
            self.tellers.pop_first();
        }
        if self
            .tellers
            .get(&teller)
            .is_some_and(|told| *told >= MAX_PER_TELLER)
        {
            return false;
        }
        let new = self.add(now, endpoint, PeerSource::Pex);
        if new {
            *self.tellers.entry(teller).or_default() += 1;
        }
        new
    }

    /// The best address to dial now; it counts as being dialled from here on. Proven ones first,
    /// then those with fewer failures, then those with more sources.
    pub fn next(&mut self, now: Instant, need: Need) -> Option<Endpoint> {
        self.refill(now);
        let only_told = 1 << (PeerSource::Pex as u8);
        let mut best: Option<((bool, u32, u32), Endpoint)> = None;
        for (endpoint, known) in &self.known {
            let due = matches!(known.state, State::Idle { next_try } if next_try <= now);
            let useless = need == Need::Incomplete && known.standing == Standing::Seed;
            let paced = known.sources == only_told && self.pex_tries == 0;
            let unproven = known.standing == Standing::Unknown;
            let rank = (unproven, known.failures, 8 - known.sources.count_ones());
            if due && !useless && !paced && best.is_none_or(|(least, _)| rank < least) {
                if self.is_busy(endpoint.ip) || self.is_banned(*endpoint) {
                    continue;
                }
                best = Some((rank, *endpoint));
            }
        }
        let (_, endpoint) = best?;
        if let Some(known) = self.known.get_mut(&endpoint) {
            known.state = State::Dialling;
            self.pex_tries -= u32::from(known.sources == only_told);
        }
        Some(endpoint)
    }

    /// When [`AddressBook::next`] may have something again. Linear.
    pub fn next_due(&self, now: Instant, need: Need) -> Option<Instant> {
        let tries = self.known.values().filter_map(|known| match known.state {
            State::Idle { next_try } if need == Need::Any || known.standing != Standing::Seed => {
                Some(next_try)
            }
            State::Idle { .. }
            | State::Dialling
            | State::Connected
            | State::Banned
            | State::Ourself => None,
        });
        // One that is due and was not offered waits for its IP or for the pace of exchange.
        tries.min().map(|at| at.max(now + PEX_PAUSE))
    }

    /// Whether a connection from this address is welcome: not banned, in an allowed range, and
    /// outside ranges that the user opened the only one of its IP.
    pub fn welcomes(&self, from: Endpoint) -> Welcome {
        if !self.policy.admits_neighbour(from) {
            Welcome::OutOfRange
        } else if self.is_banned(from) {
            Welcome::Banned
        } else if !self.shares_ip(from.ip)
            && self
                .of_ip(from.ip)
                .any(|(_, known)| known.state == State::Connected)
        {
            // An attempt of ours under way is no reason: both sides would refuse each other.
            Welcome::Duplicate
        } else {
            Welcome::Yes
        }
    }

    /// A connection with this address stands, dialled or accepted.
    pub fn connected(&mut self, now: Instant, endpoint: Endpoint) {
        self.add(now, endpoint, PeerSource::Incoming);
        self.establish(endpoint);
    }

    /// The attempt that [`AddressBook::next`] started succeeded.
    pub fn establish(&mut self, endpoint: Endpoint) {
        if let Some(known) = self.known.get_mut(&endpoint)
            && known.state != State::Banned
        {
            known.state = State::Connected;
            known.failures = 0;
            if known.standing == Standing::Unknown {
                known.standing = Standing::Proven;
            }
        }
    }

    /// The peer there has everything.
    pub fn is_seed(&mut self, endpoint: Endpoint) {
        if let Some(known) = self.known.get_mut(&endpoint) {
            known.standing = Standing::Seed;
        }
    }

    /// An attempt or a connection ended.
    pub fn ended(&mut self, now: Instant, endpoint: Endpoint, outcome: Outcome) {
        let Some(known) = self.known.get_mut(&endpoint) else {
            return;
        };
        if matches!(known.state, State::Banned | State::Ourself) {
            return;
        }
        let manual = known.sources & (1 << (PeerSource::Manual as u8)) != 0;
        let wait = match outcome {
            Outcome::Failed => {
                known.failures = known.failures.saturating_add(1);
                let step = known.failures.min(10) - 1;
                let (first, factor) = if manual {
                    (MANUAL_BACKOFF, 2)
                } else {
                    (BACKOFF, 4u32)
                };
                first.saturating_mul(factor.pow(step))
            }
            Outcome::Ended if manual => MANUAL_BACKOFF,
            Outcome::Ended => RECONNECT,
            Outcome::Useless => MAX_BACKOFF,
        };
        known.state = State::Idle {
            next_try: now + wait.min(MAX_BACKOFF),
        };
    }

    /// We are there ourselves: never to be dialled.
    pub fn ourself(&mut self, endpoint: Endpoint) {
        if let Some(known) = self.known.get_mut(&endpoint) {
            known.state = State::Ourself;
        }
    }

    /// Whether somebody may live there: not we, and nobody who was banned.
    pub fn is_somebody(&self, endpoint: Endpoint) -> bool {
        let known = self.known.get(&endpoint).map(|known| known.state);
        self.policy.admits(endpoint) && known != Some(State::Ourself) && !self.is_banned(endpoint)
    }

    /// Never again. `true` if it was not banned before.
    pub fn ban(&mut self, now: Instant, endpoint: Endpoint) -> bool {
        self.add(now, endpoint, PeerSource::Incoming);
        let Some(known) = self.known.get_mut(&endpoint) else {
            return false;
        };
        let new = known.state != State::Banned;
        known.state = State::Banned;
        self.banned += u32::from(new);
        new
    }

    /// Whether many peers may live at this IP: it lies in a range that only the user opened
    /// (loopback, a lab, a private network), where a demo or a test puts a whole swarm.
    pub fn shares_ip(&self, ip: IpAddr) -> bool {
        !AddressPolicy::default().admits_ip(ip)
    }

    /// Whether this address proved hostile: on loopback the port counts, elsewhere the whole IP,
    /// since a caller's port is one of the moment.
    fn is_banned(&self, endpoint: Endpoint) -> bool {
        let banned = |known: &Known| known.state == State::Banned;
        if endpoint.ip.is_loopback() {
            self.known.get(&endpoint).is_some_and(banned)
        } else {
            self.of_ip(endpoint.ip).any(|(_, known)| banned(known))
        }
    }

    fn of_ip(&self, ip: IpAddr) -> impl Iterator<Item = (&Endpoint, &Known)> {
        self.known
            .range(Endpoint { ip, port: 0 }..=Endpoint { ip, port: u16::MAX })
    }

    fn is_busy(&self, ip: IpAddr) -> bool {
        !self.shares_ip(ip)
            && self
                .of_ip(ip)
                .any(|(_, known)| matches!(known.state, State::Dialling | State::Connected))
    }

    /// Makes room for one more by dropping the idle address with the most failures; an address
    /// from a stranger displaces only one that failed.
    fn make_room(&mut self, source: PeerSource) -> bool {
        if self.known.len() < MAX_KNOWN {
            return true;
        }
        let idle = self
            .known
            .iter()
            .filter(|(_, k)| matches!(k.state, State::Idle { .. }));
        let worst = idle.max_by_key(|(_, known)| (known.failures, 8 - known.sources.count_ones()));
        let worst = worst.map(|(endpoint, known)| (*endpoint, known.failures));
        match worst {
            Some((endpoint, failures)) if failures > 0 || source != PeerSource::Pex => {
                self.known.remove(&endpoint).is_some()
            }
            _ => false,
        }
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.pex_refill).as_millis();
        let earned = u32::try_from(passed / PEX_PAUSE.as_millis()).unwrap_or(u32::MAX);
        if earned > 0 {
            self.pex_tries = self.pex_tries.saturating_add(earned).min(PEX_BURST);
            self.pex_refill = now;
        }
    }
}

/// Whether a connection from outside is wanted, as far as its address goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Welcome {
    /// It is.
    Yes,
    /// The address proved hostile.
    Banned,
    /// The address lies in a range that is not allowed.
    OutOfRange,
    /// There is a connection with that IP.
    Duplicate,
}

fn count(counts: &mut SourceCounts, source: PeerSource) {
    let counter = match source {
        PeerSource::Dht => &mut counts.dht,
        PeerSource::Pex => &mut counts.pex,
        PeerSource::Tracker => &mut counts.tracker,
        PeerSource::Lsd => &mut counts.lsd,
        PeerSource::Manual => &mut counts.manual,
        PeerSource::Incoming => &mut counts.incoming,
    };
    *counter = counter.saturating_add(1);
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests;
