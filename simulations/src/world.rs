//! Hosts, what runs on them, one virtual clock, and every datagram that is on its way.
//!
//! Invariant: happenings are handled one by one in the order of the agenda, and all randomness comes
//! from one generator; so a run is determined by its seed, and [`World::digest`] proves it. The
//! world knows when datagrams arrive and whose they are; who arrives, leaves and asks is decided by
//! [`population`](crate::population) and the scenarios, which leave cues in the agenda.

use std::net::{SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use dht::{Id, Node};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::agenda::Agenda;
use crate::dwellings::Dwellings;
use crate::host::{Host, Presence, Wire};
pub use crate::host::{HostId, Side};
use crate::machine::{Machine, Told};
use crate::model::Internet;
use crate::model::loss::Fate;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::time::{Clock, Time};
use crate::wire::{Overheard, Way};

/// What happens at a time.
#[derive(Debug)]
enum Happening {
    Datagram {
        from: SocketAddrV4,
        to: SocketAddrV4,
        payload: Box<[u8]>,
    },
    Timer(HostId),
    Cue(HostId, u32),
}

/// What one step of the world was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A datagram or a timer was handled.
    Handled,
    /// What was left with [`World::cue`]: for whom, and which.
    Cue(HostId, u32),
    /// Nothing happens before the time asked for.
    Still,
}

/// Datagrams by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Put on the wire.
    pub sent: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Handed to a machine.
    pub delivered: u64,
    /// Lost on the way.
    pub lost: u64,
    /// Stopped by a NAT or firewall.
    pub filtered: u64,
    /// Sent to nobody: the host has left, moved, or never was.
    pub vain: u64,
}

/// A network in virtual time.
#[derive(Debug)]
pub struct World {
    clock: Clock,
    now: Time,
    internet: Internet,
    hosts: Vec<Host>,
    dwellings: Dwellings,
    agenda: Agenda<Happening>,
    told: Vec<(HostId, Told)>,
    overheard: Vec<Overheard>,
    rng: ChaCha8Rng,
    traffic: Traffic,
    events: u64,
    digest: u64,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, internet: Internet) -> World {
        World {
            clock: Clock::default(),
            now: Time::ZERO,
            internet,
            hosts: Vec::new(),
            dwellings: Dwellings::default(),
            agenda: Agenda::new(),
            told: Vec::new(),
            overheard: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            traffic: Traffic::default(),
            events: 0,
            digest: 0,
        }
    }

    /// A host of a class, region and address drawn from the internet's shares. Nothing runs on it.
    pub fn settle(&mut self) -> HostId {
        let class = self.internet.classes.class(&mut self.rng);
        let shares = self.internet.classes.shares_address(class, &mut self.rng);
        let region = self.internet.geography.region(&mut self.rng);
        let host = self.settle_in(class, region);
        if shares && host > 0 {
            self.dwellings.move_in_with(&mut self.hosts, host, host - 1);
        }
        host
    }

    /// A host of this class and region with an address of its own.
    pub fn settle_in(&mut self, class: HostClass, region: Region) -> HostId {
        let id = HostId::try_from(self.hosts.len()).expect("fewer than 2^32 hosts");
        let host = Host::new(&self.internet, class, region, &mut self.rng);
        self.hosts.push(host);
        self.move_house(id);
        id
    }

    /// A host at the place and on the access line of `other`, with an address of its own.
    pub fn settle_beside(&mut self, other: HostId) -> HostId {
        let (class, site) = {
            let other = &self.hosts[other as usize];
            (other.class(), other.site)
        };
        let host = self.settle_in(class, site.region);
        self.hosts[host as usize].site = site;
        host
    }

    /// Gives `host` a new address of its own. Datagrams to the old one arrive nowhere.
    pub fn move_house(&mut self, host: HostId) {
        self.dwellings.move_house(&mut self.hosts, host);
    }

    /// Gives `host` this address for good; `None`: it is taken, or of a kind that no host has.
    pub fn move_to(&mut self, host: HostId, ip: std::net::Ipv4Addr) -> Option<()> {
        self.dwellings.move_to(&mut self.hosts, host, ip)
    }

    /// A seed for a machine.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        seed
    }

    /// Runs `machine` on `host` from now on, in place of what ran there.
    pub fn start(&mut self, host: HostId, machine: Machine) {
        self.hosts[host as usize].presence = Presence::Running(machine);
        self.drain(host);
    }

    /// Ends what runs on `host`, without a word to anybody, and returns it.
    pub fn stop(&mut self, host: HostId) -> Option<Machine> {
        let presence = &mut self.hosts[host as usize].presence;
        match std::mem::replace(presence, Presence::Absent) {
            Presence::Running(machine) | Presence::Suspended(machine) => Some(machine),
            Presence::Absent => None,
        }
    }

    /// The lid is closed: no datagram and no timer reaches the machine.
    pub fn suspend(&mut self, host: HostId) {
        if let Some(machine) = self.stop(host) {
            self.hosts[host as usize].presence = Presence::Suspended(machine);
        }
    }

    /// The lid is opened: timers that have passed ring at once.
    pub fn resume(&mut self, host: HostId) {
        if let Presence::Suspended(_) = self.hosts[host as usize].presence
            && let Some(machine) = self.stop(host)
        {
            self.start(host, machine);
        }
    }

    /// Puts `host` on a side. All start on side 0; datagrams do not cross.
    pub fn set_side(&mut self, host: HostId, side: Side) {
        self.hosts[host as usize].side = side;
    }

    /// Gives the machine on `host` a command; `None` if nothing runs there.
    pub fn command<T>(
        &mut self,
        host: HostId,
        command: impl FnOnce(&mut Machine, Instant) -> T,
    ) -> Option<T> {
        let now = self.clock.instant(self.now);
        let result = match &mut self.hosts[host as usize].presence {
            Presence::Running(machine) => command(machine, now),
            Presence::Suspended(_) | Presence::Absent => return None,
        };
        self.drain(host);
        Some(result)
    }

    /// Gives the shipping node on `host` a command; `None` if none runs there.
    pub fn with<T>(
        &mut self,
        host: HostId,
        command: impl FnOnce(&mut Node, Instant) -> T,
    ) -> Option<T> {
        self.command(host, |machine, now| match machine {
            Machine::Ours(node) => Some(command(node, now)),
            Machine::Theirs(_) | Machine::Actor(_) => None,
        })
        .flatten()
    }

    /// Reminds whoever steps the world of `what` about `host`, at `at`.
    pub fn cue(&mut self, at: Time, host: HostId, what: u32) {
        self.agenda.schedule(at, Happening::Cue(host, what));
    }

    /// When something happens next.
    pub fn next_at(&mut self) -> Option<Time> {
        self.agenda.next_at()
    }

    /// Handles the next happening that is not later than `until`; if there is none, `until` is now.
    pub fn step(&mut self, until: Time) -> Step {
        if self.agenda.next_at().is_none_or(|at| at > until) {
            self.now = self.now.max(until);
            return Step::Still;
        }
        let Some((at, happening)) = self.agenda.pop() else {
            return Step::Still;
        };
        self.now = self.now.max(at);
        self.events += 1;
        match happening {
            Happening::Datagram { from, to, payload } => self.deliver(from, to, &payload),
            Happening::Timer(host) => self.ring(host),
            Happening::Cue(host, what) => {
                self.note(u64::from(what), u64::from(host), &[]);
                return Step::Cue(host, what);
            }
        }
        Step::Handled
    }

    /// Lets `time` pass. Cues are dropped: who uses them steps.
    pub fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) != Step::Still {}
    }

    fn deliver(&mut self, from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) {
        let Some(host) = self.host_at(to) else {
            self.traffic.vain += 1;
            return;
        };
        let now = self.clock.instant(self.now);
        let there = &mut self.hosts[host as usize];
        if !there.admits(self.now, from, to.port()) {
            self.traffic.filtered += 1;
            return;
        }
        self.hear(host, Way::In, from, payload);
        let Presence::Running(machine) = &mut self.hosts[host as usize].presence else {
            self.traffic.vain += 1;
            return;
        };
        self.traffic.delivered += 1;
        machine.handle_datagram(now, SocketAddr::V4(from), payload);
        let way = u64::from(u32::from(*from.ip())) << 32 | u64::from(host);
        self.note(u64::from(from.port()), way, payload);
        self.drain(host);
    }

    fn ring(&mut self, host: HostId) {
        let now = self.clock.instant(self.now);
        let here = &mut self.hosts[host as usize];
        if !here.alarm.rings(self.now) {
            return;
        }
        if let Presence::Running(machine) = &mut here.presence {
            machine.handle_timeout(now);
            self.note(1, u64::from(host), &[]);
            self.drain(host);
        }
    }

    /// Takes what a machine queued, and schedules its next timer.
    fn drain(&mut self, host: HostId) {
        loop {
            let here = &mut self.hosts[host as usize];
            let Presence::Running(machine) = &mut here.presence else {
                return;
            };
            while let Some(told) = machine.poll_told() {
                self.told.push((host, told));
            }
            let Some(transmit) = machine.poll_transmit() else {
                break;
            };
            if let SocketAddr::V4(to) = transmit.to {
                let from = here.outbound(self.now, to);
                self.send(host, from, to, transmit.payload);
            }
        }
        self.arm(host);
    }

    fn arm(&mut self, host: HostId) {
        let here = &mut self.hosts[host as usize];
        let Presence::Running(machine) = &here.presence else {
            return;
        };
        let Some(due) = machine.next_timeout() else {
            return;
        };
        let due = self
            .clock
            .time(due)
            .max(self.now + Duration::from_micros(1));
        if here.alarm.set(due) {
            self.agenda.schedule(due, Happening::Timer(host));
        }
    }

    fn send(&mut self, host: HostId, from: SocketAddrV4, to: SocketAddrV4, payload: Vec<u8>) {
        self.traffic.sent += 1;
        self.traffic.bytes += payload.len() as u64;
        self.hear(host, Way::Out, to, &payload);
        let Some(there) = self.host_at(to) else {
            self.traffic.vain += 1;
            return;
        };
        if there == host || self.hosts[there as usize].side != self.hosts[host as usize].side {
            self.traffic.lost += 1;
            return;
        }
        let places = [host, there].map(|id| (id, self.hosts[id as usize].site));
        let way = self.internet.geography.one_way(places[0], places[1]);
        let mut links = [host, there].map(|id| self.hosts[id as usize].link);
        let [near, far] = &mut links;
        let fate = self.internet.loss.fate(self.now, near, far, &mut self.rng);
        for (id, link) in [host, there].into_iter().zip(links) {
            self.hosts[id as usize].link = link;
        }
        let copies = match fate {
            Fate::Lost => {
                self.traffic.lost += 1;
                return;
            }
            Fate::Once => 1,
            Fate::Twice => 2,
        };
        let payload = payload.into_boxed_slice();
        for _ in 1..copies {
            self.put(way, from, to, payload.clone());
        }
        self.put(way, from, to, payload);
    }

    fn put(&mut self, way: Duration, from: SocketAddrV4, to: SocketAddrV4, payload: Box<[u8]>) {
        let at = self.now + way + self.internet.geography.jitter(&mut self.rng);
        self.agenda
            .schedule(at, Happening::Datagram { from, to, payload });
    }

    /// Whose address that is.
    #[must_use]
    pub fn host_at(&self, address: SocketAddrV4) -> Option<HostId> {
        self.dwellings.host_at(&self.hosts, address)
    }

    /// Folds a happening into the digest.
    fn note(&mut self, what: u64, who: u64, payload: &[u8]) {
        // The odd constant is that of Fibonacci hashing: 2^64 divided by the golden ratio.
        let fold = |digest: u64, word: u64| {
            (digest.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        let mut digest = [self.now.0, what, who].into_iter().fold(self.digest, fold);
        let (words, rest) = payload.as_chunks::<8>();
        for word in words {
            digest = fold(digest, u64::from_le_bytes(*word));
        }
        self.digest = rest
            .iter()
            .fold(digest, |digest, byte| fold(digest, u64::from(*byte)));
    }

    /// What machines told since the last call, each with its host.
    pub fn take_told(&mut self) -> Vec<(HostId, Told)> {
        std::mem::take(&mut self.told)
    }

    /// From now on whatever passes the wire of `host` is overheard. It changes no run.
    pub fn tap(&mut self, host: HostId) {
        self.hosts[host as usize].wire = Wire::Tapped;
    }

    fn hear(&mut self, host: HostId, way: Way, peer: SocketAddrV4, payload: &[u8]) {
        if self.hosts[host as usize].wire == Wire::Tapped {
            self.overheard.push(Overheard {
                host,
                at: self.now,
                way,
                peer,
                payload: payload.into(),
            });
        }
    }

    /// What passed tapped wires since the last call, in its order.
    pub fn take_overheard(&mut self) -> Vec<Overheard> {
        std::mem::take(&mut self.overheard)
    }

    /// A host.
    #[must_use]
    pub fn host(&self, host: HostId) -> &Host {
        &self.hosts[host as usize]
    }

    /// How many hosts there are, running or not.
    #[must_use]
    pub fn hosts(&self) -> HostId {
        HostId::try_from(self.hosts.len()).expect("fewer than 2^32 hosts")
    }

    /// The hosts on which a machine runs, in order, with their machines.
    pub fn running(&self) -> impl Iterator<Item = (HostId, &Machine)> {
        (0..)
            .zip(&self.hosts)
            .filter_map(|(id, host)| match &host.presence {
                Presence::Running(machine) => Some((id, machine)),
                Presence::Suspended(_) | Presence::Absent => None,
            })
    }

    /// The shipping nodes that run, with their hosts.
    pub fn nodes(&self) -> impl Iterator<Item = (HostId, &Node)> {
        self.running().filter_map(|(id, machine)| match machine {
            Machine::Ours(node) => Some((id, &**node)),
            Machine::Theirs(_) | Machine::Actor(_) => None,
        })
    }

    /// The ids of those whom anybody may reach: what an oracle counts as the network.
    pub fn reachable_ids(&self) -> impl Iterator<Item = (HostId, Id)> {
        self.running()
            .filter(|(id, _)| self.hosts[*id as usize].class().is_reachable())
            .filter_map(|(id, machine)| Some((id, machine.id()?)))
    }

    /// Virtual now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// What machines call now.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.clock.instant(self.now)
    }

    /// The internet's parameters.
    #[must_use]
    pub fn internet(&self) -> &Internet {
        &self.internet
    }

    /// The world's generator, for choices of a scenario.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.rng
    }

    /// What became of all datagrams.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Happenings handled.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// A hash of every happening in its order: equal for equal runs.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }
}
