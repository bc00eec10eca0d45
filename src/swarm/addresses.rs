//! The addresses of a swarm: who is known, from where, what became of the attempts, whom to dial
//! next. BEP 11 "Security Considerations" and BEP 40; the bounds are those of reliability.md P11, P12.
//!
//! `known` is one address, `tellers` the peers that named some, `order` whom to dial first, `pace` how
//! fast hearsay is tried, `why` the account of it. Invariant: at most [`MAX_KNOWN`] addresses, one
//! attempt or connection per address and, outside ranges that the user opened, per IP. A banned
//! address is never offered. Knows no connections.

mod known;
mod nearby;
mod order;
mod outage;
mod pace;
mod tellers;
mod why;
mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use bencode::{AddressPolicy, Cidr, Endpoint};
use pex::Flags;

use super::contract::{PeerSource, SourceCounts, Why};
use super::priority::priority;
use crate::budget::HALF_OPEN_PER_NETWORK;
pub use known::{Completeness, Failure, Outcome};
use known::{Known, Proof, State};
pub use nearby::Network;
use nearby::neighbourhood;
use order::{Crowd, Rank, rank};
use pace::Pace;
use tellers::{Teller, Tellers};
pub use words::{Need, Welcome};

/// Addresses kept per torrent (reliability.md P11).
pub const MAX_KNOWN: usize = 2_000;

/// Ports of one public IP that others may name; several peers may live behind one NAT.
const MAX_PORTS: usize = 4;

/// Addresses of one /24 (IPv6: /48) that may be in the book on the word of peers alone (P11).
const MAX_NEIGHBOURS: usize = 4;

/// Addresses worth saving for the next time.
pub const MAX_WORKED: usize = 100;

/// The address book of one torrent.
#[derive(Debug)]
pub struct AddressBook {
    known: BTreeMap<Endpoint, Known>,
    policy: AddressPolicy,
    tellers: Tellers,
    counts: SourceCounts,
    banned: u32,
    pace: Pace,
    /// Our address of each family as the world sees it, as far as we know.
    own: [Option<Endpoint>; 2],
}

impl AddressBook {
    /// Nobody known.
    pub fn new(now: Instant, policy: AddressPolicy) -> AddressBook {
        AddressBook {
            known: BTreeMap::new(),
            policy,
            tellers: Tellers::default(),
            counts: SourceCounts::default(),
            banned: 0,
            pace: Pace::new(now),
            own: [None; 2],
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

    /// Whether this address is kept.
    pub fn knows(&self, endpoint: Endpoint) -> bool {
        self.known.contains_key(&endpoint)
    }

    /// Distinct addresses so far, by source.
    pub fn counts(&self) -> SourceCounts {
        self.counts
    }

    /// Addresses banned.
    pub fn banned(&self) -> u32 {
        self.banned
    }

    /// What became of everybody, and when the next is tried. Linear.
    pub fn why(&self, now: Instant) -> Why {
        let mut why = Why::default();
        self.known.values().for_each(|known| why.count(now, known));
        why
    }

    /// Peers that shook hands under the address at which they listen, who answered us first, then the
    /// latest; at most [`MAX_WORKED`].
    pub fn worked(&self) -> Vec<Endpoint> {
        let mut worked: Vec<(Proof, Endpoint)> = self
            .known
            .iter()
            .filter(|(_, known)| known.proof != Proof::None)
            .filter(|(endpoint, _)| self.is_somebody(**endpoint))
            .map(|(endpoint, known)| (known.proof, *endpoint))
            .collect();
        worked.sort_by(|a, b| b.cmp(a));
        worked.truncate(MAX_WORKED);
        worked.into_iter().map(|(_, endpoint)| endpoint).collect()
    }

    /// Where the world sees us, for BEP 40. Linear.
    pub fn set_own(&mut self, own: Endpoint) {
        if let Some(place) = self.own.get_mut(usize::from(own.ip.is_ipv6())) {
            *place = Some(own);
        }
        for (endpoint, known) in &mut self.known {
            if let Some(priority) = priority(own, *endpoint) {
                known.priority = priority;
            }
        }
    }

    /// BEP 40 between us and `endpoint`; `None` while we do not know where we are.
    pub fn priority(&self, endpoint: Endpoint) -> Option<u32> {
        let own = self.own.get(usize::from(endpoint.ip.is_ipv6()))?;
        priority((*own)?, endpoint)
    }

    /// Learns an address; a known one gains a source. `true` if it is new.
    pub fn add(&mut self, now: Instant, endpoint: Endpoint, source: PeerSource) -> bool {
        let admitted = match source {
            // Who spoke for himself.
            PeerSource::Lsd | PeerSource::Incoming => self.policy.admits_neighbour(endpoint),
            PeerSource::Dht
            | PeerSource::Pex
            | PeerSource::Tracker
            | PeerSource::Manual
            | PeerSource::Saved => self.policy.admits(endpoint),
        };
        if !admitted {
            return false;
        }
        if let Some(known) = self.known.get_mut(&endpoint) {
            if known.sources.insert(source) {
                self.counts.count(source);
            }
            if !known.sources.is_hearsay() {
                release(&mut self.tellers, known);
            }
            // The user says that it is there: believed at once.
            if source == PeerSource::Manual
                && let State::Idle { next_try } = &mut known.state
            {
                *next_try = now;
            }
            return false;
        }
        if !self.is_plausible(endpoint, source) || !self.make_room(source) {
            return false;
        }
        let priority = self.priority(endpoint).unwrap_or(0);
        self.known
            .insert(endpoint, Known::new(now, source, priority));
        self.counts.count(source);
        true
    }

    /// Like [`AddressBook::add`] for what the peer at `from` told us (BEP 11). Flags are believed only
    /// of addresses that nobody else named.
    pub fn add_told(
        &mut self,
        now: Instant,
        endpoint: Endpoint,
        flags: Flags,
        from: Endpoint,
    ) -> bool {
        let teller = if self.shares_ip(from.ip) {
            Teller::endpoint(from.ip, from.port)
        } else {
            Teller::host(from.ip)
        };
        if self.known.contains_key(&endpoint) {
            return self.add(now, endpoint, PeerSource::Pex);
        }
        if !self.tellers.may_tell(teller) || !self.add(now, endpoint, PeerSource::Pex) {
            return false;
        }
        if let Some(known) = self.known.get_mut(&endpoint) {
            self.tellers.hold(teller);
            known.teller = Some(teller);
            known.flags = flags;
            if flags.contains(Flags::SEED) {
                known.completeness = Completeness::Seed;
            }
        }
        true
    }

    /// The best address to dial now; it counts as being dialled from here on. `order` says which.
    pub fn next(&mut self, now: Instant, need: Need) -> Option<Endpoint> {
        self.expire(now);
        let hearsay = self.pace.allows(now);
        let crowd = Crowd::of(self.known.values());
        let mut best: Option<(Rank, Endpoint)> = None;
        for (endpoint, known) in &self.known {
            let due = known.next_try().is_some_and(|at| at <= now);
            let useless = need == Need::Incomplete && known.completeness == Completeness::Seed;
            if !due || useless || (known.is_hearsay() && !hearsay) {
                continue;
            }
            let rank = rank(known, &crowd, &self.tellers);
            if best.is_none_or(|(least, _)| rank < least)
                && !self.is_busy(endpoint.ip)
                && !self.is_banned(*endpoint)
                && !self.is_crowded(endpoint.ip, known)
            {
                best = Some((rank, *endpoint));
            }
        }
        let (_, endpoint) = best?;
        if let Some(known) = self.known.get_mut(&endpoint) {
            known.state = State::Dialling;
            if known.is_hearsay() {
                self.pace.spend();
            }
        }
        Some(endpoint)
    }

    /// When [`AddressBook::next`] may have something again. Linear.
    pub fn next_due(&self, now: Instant, need: Need) -> Option<Instant> {
        let useful = self
            .known
            .values()
            .filter(|known| need == Need::Any || known.completeness != Completeness::Seed);
        let tries = useful.filter_map(Known::next_try);
        // One that is due and was not offered waits for its IP or for the pace of exchange.
        tries.min().map(|at| at.max(now + pace::PAUSE))
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

    /// A peer that called us says that it listens there.
    pub fn connected(&mut self, now: Instant, endpoint: Endpoint) {
        self.add(now, endpoint, PeerSource::Incoming);
        let proof = match self.known.get(&endpoint).map(|known| known.proof) {
            Some(Proof::Answered(_)) => Proof::Answered(now),
            _ => Proof::CalledUs(now),
        };
        self.stands(endpoint, proof);
    }

    /// The attempt that [`AddressBook::next`] started succeeded.
    pub fn establish(&mut self, now: Instant, endpoint: Endpoint) {
        let teller = self.known.get(&endpoint).and_then(|known| known.teller);
        if let Some(teller) = teller {
            self.tellers.worked(teller);
        }
        self.stands(endpoint, Proof::Answered(now));
    }

    fn stands(&mut self, endpoint: Endpoint, proof: Proof) {
        if let Some(known) = self.known.get_mut(&endpoint)
            && known.state != State::Banned
        {
            release(&mut self.tellers, known);
            known.state = State::Connected;
            known.failures = 0;
            known.last = None;
            known.proof = proof;
        }
    }

    /// What the peer there has, as it said itself.
    pub fn set_completeness(&mut self, endpoint: Endpoint, completeness: Completeness) {
        if let Some(known) = self.known.get_mut(&endpoint) {
            known.completeness = completeness;
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
        known.end(now, outcome);
        let failed = matches!(outcome, Outcome::Failed(_));
        // The first failure is the teller's; what is tried again after it is our own affair.
        if let Some(teller) = known.teller.take_if(|_| failed) {
            self.tellers.release(teller);
            if self.tellers.failed(teller) {
                self.forget_untried(teller);
            }
        }
    }

    /// Gives up what a teller named and nobody has tried. What was tried stays until its pause is over.
    fn forget_untried(&mut self, teller: Teller) {
        let tellers = &mut self.tellers;
        self.known.retain(|_, known| {
            let goes = known.next_try().is_some() && known.teller == Some(teller);
            if goes {
                tellers.release(teller);
            }
            !goes
        });
    }

    /// The torrent turned out to be private (BEP 27): who was named neither by its trackers nor by the
    /// user, and did not call by itself, is forgotten. Returns those who are connected or being dialled.
    pub fn forget_strangers(&mut self) -> Vec<Endpoint> {
        let ours = [
            PeerSource::Tracker,
            PeerSource::Manual,
            PeerSource::Incoming,
        ];
        let mut busy = Vec::new();
        self.known.retain(|endpoint, known| {
            let stranger = !ours.iter().any(|source| known.sources.contains(*source));
            if stranger && matches!(known.state, State::Dialling | State::Connected) {
                busy.push(*endpoint);
            }
            !stranger || matches!(known.state, State::Banned | State::Ourself)
        });
        busy
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

    /// Whose peer it is: the host's, where several share an address the peer's own.
    pub fn host_of(&self, endpoint: Endpoint) -> Endpoint {
        let port = if self.shares_ip(endpoint.ip) {
            endpoint.port
        } else {
            0
        };
        Endpoint { port, ..endpoint }
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

    /// Whether enough attempts into the network of `ip` are under way. Threat: a victim's hosts, named
    /// one by one by whoever may name some (P12).
    fn is_crowded(&self, ip: IpAddr, known: &Known) -> bool {
        if known.sources.contains(PeerSource::Manual) || self.shares_ip(ip) {
            return false;
        }
        let near = self.known.range(neighbourhood(ip));
        let opening = near.filter(|(_, known)| known.state == State::Dialling);
        opening.take(HALF_OPEN_PER_NETWORK).count() >= HALF_OPEN_PER_NETWORK
    }

    /// Whether a new address from `source` may be what it is said to be. Threat (P12): one victim named
    /// with many ports, one network named host by host, by strangers.
    fn is_plausible(&self, endpoint: Endpoint, source: PeerSource) -> bool {
        let certain = matches!(source, PeerSource::Manual | PeerSource::Incoming);
        if certain || self.shares_ip(endpoint.ip) {
            return true;
        }
        let ports = self.of_ip(endpoint.ip).count();
        if source != PeerSource::Pex {
            return ports < MAX_PORTS;
        }
        let near = self.known.range(neighbourhood(endpoint.ip));
        let near = near.filter(|(_, known)| known.is_hearsay());
        ports == 0 && near.count() < MAX_NEIGHBOURS
    }

    /// Gives up the dead.
    fn expire(&mut self, now: Instant) {
        let tellers = &mut self.tellers;
        self.known.retain(|_, known| {
            let dead = known.is_dead(now);
            if dead {
                release(tellers, known);
            }
            !dead
        });
    }

    /// Makes room for one more by dropping the idle address with the most failures; an address
    /// from a stranger displaces only one that failed.
    fn make_room(&mut self, source: PeerSource) -> bool {
        if self.known.len() < MAX_KNOWN {
            return true;
        }
        let idle = self.known.iter().filter(|(_, k)| k.next_try().is_some());
        let worst = idle.max_by_key(|(_, known)| (known.failures, 8 - known.sources.len()));
        let worst = worst.map(|(endpoint, known)| (*endpoint, known.failures));
        match worst {
            Some((endpoint, failures)) if failures > 0 || source != PeerSource::Pex => {
                if let Some(mut gone) = self.known.remove(&endpoint) {
                    release(&mut self.tellers, &mut gone);
                }
                true
            }
            _ => false,
        }
    }
}

/// The address is no longer its teller's.
fn release(tellers: &mut Tellers, known: &mut Known) {
    if let Some(teller) = known.teller.take() {
        tellers.release(teller);
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests;
