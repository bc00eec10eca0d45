//! A swarm whose peers also run DHT nodes: two worlds in one order of time.
//!
//! Each peer of the swarm has a host in the network, with the shipping node on it from the peer's
//! arrival to its departure. When it searches is decided by the shipping `SearchClock`, as in `io`:
//! every search announces too. A peer has two public addresses, one in each world; what the DHT says
//! of the one reaches the torrent as the other.
//!
//! Invariant: whichever world has the earlier happening is stepped, at ties the DHT first; so a run is
//! determined by both seeds. What the DHT found is handed over behind everything that the swarm does
//! in the same microsecond. Arrivals, departures and searches are noticed at the next [`LOOK`]. It does
//! not know why peers come and go, and lets them be reached by everybody in both worlds.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use bencode::Endpoint;
use dht::{AnnouncePort, Event, Id, LookupId, Stats};
use trackless::swarm::{PeerSource, SearchClock};

use crate::machine::Told;
use crate::model::nat::HostClass;
use crate::population::{Population, SCENARIO};
use crate::swarm::{PeerIndex, SwarmWorld, peer};
use crate::time::{Clock, Time};
use crate::watch::Client;
use crate::world::{HostId, Step};

/// How often it is noticed who came, who went and who is to search.
pub const LOOK: Duration = Duration::from_millis(100);
/// The TCP port that peers announce.
const PORT: u16 = 6_881;

/// What peers spent on the DHT: datagrams and their payload, both directions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Datagrams sent and received.
    pub datagrams: u64,
    /// Their bytes, without headers.
    pub bytes: u64,
    /// Searches that ended.
    pub searches: u64,
}

impl Spent {
    fn add(&mut self, stats: &Stats) {
        self.datagrams += stats.datagrams_in + stats.datagrams_out;
        self.bytes += stats.bytes_in + stats.bytes_out;
    }
}

/// A peer's place in the network while it is there.
#[derive(Debug)]
struct Seat {
    host: HostId,
    clock: SearchClock,
    lookup: Option<LookupId>,
    /// Peers that the running search has found; as `io` counts, so our own announcement is one.
    found: usize,
}

/// Both worlds.
#[derive(Debug)]
pub struct Coupled {
    /// The swarm.
    pub swarm: SwarmWorld,
    network: Population,
    info_hash: Id,
    clock: Clock,
    look_at: Time,
    seats: Vec<Option<Seat>>,
    /// Whose a host is or was.
    peer_at: BTreeMap<HostId, PeerIndex>,
    spent: Spent,
}

impl Coupled {
    /// Couples a swarm that has not begun to a network that runs; its first peer comes later.
    #[must_use]
    pub fn new(swarm: SwarmWorld, network: Population) -> Coupled {
        Coupled {
            info_hash: Id::new(swarm.content().info.info_hash().0),
            look_at: network.world.now(),
            swarm,
            network,
            clock: Clock::default(),
            seats: Vec::new(),
            peer_at: BTreeMap::new(),
            spent: Spent::default(),
        }
    }

    /// Handles everything up to and including `at`; that is the time afterwards.
    pub fn run_until(&mut self, at: Time) {
        loop {
            let network = self.network.world.next_at().unwrap_or(Time(u64::MAX));
            let swarm = self.swarm.next_at().unwrap_or(Time(u64::MAX));
            let next = network.min(swarm).min(self.look_at);
            if next > at {
                break;
            }
            if network == next {
                self.step_network(next);
            } else if swarm == next {
                self.swarm.step();
            } else {
                self.look();
            }
        }
        self.swarm.run_until(at);
        // Nothing happens any more: this moves the time only.
        self.network.world.step(at);
    }

    fn step_network(&mut self, at: Time) {
        if let Step::Cue(host, what) = self.network.world.step(at)
            && what < SCENARIO
        {
            self.network.follow(host, what);
        }
        self.hear();
    }

    /// Who came, who went, who wants to search?
    fn look(&mut self) {
        let now = self.look_at;
        self.look_at = now + LOOK;
        self.network.world.step(now);
        self.swarm.run_until(now);
        self.seats.resize_with(self.swarm.len() as usize, || None);
        for (_, peer) in self.swarm.take_wanted() {
            if let Some(seat) = &mut self.seats[peer as usize] {
                seat.clock.handle_wanted();
            }
        }
        for peer in 0..self.swarm.len() {
            match (&self.seats[peer as usize], self.swarm.is_up(peer)) {
                (None, true) => self.sit_down(peer),
                (Some(_), false) => self.rise(peer),
                _ => {}
            }
            self.search(peer);
        }
    }

    fn sit_down(&mut self, peer: PeerIndex) {
        let world = &mut self.network.world;
        let geography = world.internet().geography.clone();
        let region = geography.region(world.rng());
        let host = self.network.place(Client::Ours, HostClass::Open, region);
        self.peer_at.insert(host, peer);
        self.seats[peer as usize] = Some(Seat {
            host,
            clock: SearchClock::new(self.clock.instant(self.swarm.now())),
            lookup: None,
            found: 0,
        });
        self.hear();
    }

    fn rise(&mut self, peer: PeerIndex) {
        if let Some(seat) = self.seats[peer as usize].take() {
            let stats = self.network.world.with(seat.host, |node, _| *node.stats());
            self.spent.add(&stats.unwrap_or_default());
            self.network.close(seat.host);
        }
    }

    /// Starts a search if one is due.
    fn search(&mut self, peer: PeerIndex) {
        let now = self.clock.instant(self.swarm.now());
        let Some(seat) = &mut self.seats[peer as usize] else {
            return;
        };
        if seat.clock.next_timeout().is_none_or(|due| due > now) {
            return;
        }
        seat.clock.handle_started();
        seat.found = 0;
        let hash = self.info_hash;
        seat.lookup = self.network.world.with(seat.host, |node, now| {
            node.announce(now, hash, AnnouncePort::Explicit(PORT))
        });
        self.hear();
    }

    /// Takes what the nodes told and hands on what concerns the swarm.
    fn hear(&mut self) {
        let time = self.network.world.now();
        for (host, told) in self.network.world.take_told() {
            let Some(peer) = self.peer_at.get(&host).copied() else {
                continue;
            };
            let Some(seat) = &mut self.seats[peer as usize] else {
                continue;
            };
            match told {
                Told::Ours(Event::Peers { lookup, peers, .. }) if seat.lookup == Some(lookup) => {
                    let them = peers.iter().filter_map(|found| self.translate(*found));
                    let them: Vec<Endpoint> = them.collect();
                    self.swarm.run_until(time);
                    let somebody = self.swarm.add_peers(peer, PeerSource::Dht, &them);
                    if let Some(seat) = &mut self.seats[peer as usize] {
                        seat.found += somebody;
                    }
                }
                Told::Ours(Event::LookupDone { lookup, .. }) if seat.lookup == Some(lookup) => {
                    seat.lookup = None;
                    seat.clock.handle_done(self.clock.instant(time), seat.found);
                    self.spent.searches += 1;
                }
                _ => {}
            }
        }
    }

    /// Where the peer listens in the swarm whom the DHT knows at `found`.
    fn translate(&self, found: Endpoint) -> Option<Endpoint> {
        let IpAddr::V4(ip) = found.ip else {
            return None;
        };
        let host = self
            .network
            .world
            .host_at(SocketAddrV4::new(ip, found.port))?;
        Some(peer::address(*self.peer_at.get(&host)?))
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Population {
        &self.network
    }

    /// What all peers of the swarm spent on the DHT so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        let mut spent = self.spent;
        for (host, node) in self.network.world.nodes() {
            if self.peer_at.contains_key(&host) {
                spent.add(node.stats());
            }
        }
        spent
    }

    /// Happenings in both worlds.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.swarm.events() + self.network.world.events()
    }

    /// Equal for equal runs of both worlds.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.swarm.digest().rotate_left(1) ^ self.network.world.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population;
    use crate::swarm::{self, PeerPlan, Start};

    fn coupled(seed: u64) -> Coupled {
        let plan = swarm::Plan {
            length: 1 << 20,
            tracker: None,
            ..swarm::Plan::default()
        };
        let mut network = Population::new(population::Plan {
            arrival: Duration::from_secs(60),
            ..population::Plan::calm(30, seed)
        });
        network.run(Duration::from_secs(120));
        Coupled::new(SwarmWorld::new(seed, plan), network)
    }

    fn arriving(start: Start, seconds: u64) -> PeerPlan {
        PeerPlan {
            start,
            arrives: Time::from_secs(seconds),
            ..PeerPlan::default()
        }
    }

    #[test]
    fn peers_find_each_other_through_the_dht_alone() {
        let run = |seed| {
            let mut both = coupled(seed);
            both.swarm.add_peer(arriving(Start::Seeder, 121));
            both.swarm.add_peer(arriving(Start::Empty, 150));
            both.run_until(Time::from_secs(170));
            both
        };
        let both = run(1);
        assert!(both.swarm.completed_at(1).is_some());
        assert!(both.spent().searches >= 2 && both.spent().datagrams > 20);
        assert_eq!(both.network().alive(), 32);
        assert_eq!(both.digest(), run(1).digest());
        assert_ne!(both.digest(), run(2).digest());
    }

    #[test]
    fn a_peer_that_leaves_takes_its_node_along() {
        let mut both = coupled(3);
        both.swarm.add_peer(arriving(Start::Seeder, 121));
        let gone = Time::from_secs(180);
        both.swarm.depart_at(gone, 0, swarm::Departure::Closing);
        both.run_until(Time::from_secs(181));
        assert_eq!(both.network().alive(), 30);
        let spent = both.spent();
        assert!(spent.datagrams > 20);
        // It is found for a while yet, and does not answer.
        both.swarm.add_peer(arriving(Start::Empty, 200));
        both.run_until(Time::from_secs(260));
        let seen = both.swarm.snapshot(1).expect("it is there");
        assert!(
            seen.peers.refused > 0 && seen.peers.connected == 0,
            "{seen:?}"
        );
    }
}
