//! Who lives in the world: arrivals, departures, returns, and what people do with their clients.
//!
//! Nodes join naturally: they know the bootstrap nodes, or what they saved when they left, and
//! nothing else. Life follows the internet's model of sessions: a network starts with the residual
//! lives of a stationary one, whoever leaves returns after an absence (perhaps with a new id or
//! address), and newcomers keep the number up. Each node also asks for and announces torrents.
//! Invariant: all that happens here happens by a cue of the world, so a run stays determined.

use std::collections::BTreeSet;
use std::time::Duration;

use dht::{AnnouncePort, Config, Endpoint, Families, Id, Node, Role, Tuning};
use rand::RngExt;

use crate::machine::Machine;
use crate::model::Internet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::model::sessions::{Habit, Kept};
use crate::neighbours::{Mix, Neighbour};
use crate::random;
use crate::time::Time;
use crate::watch::{Ask, Client, Measured, Ticket, Watch};
use crate::wire::Ledger;
use crate::world::{HostId, Step, World};

/// Bootstrap nodes of every network: open, permanent, run by shipping nodes.
pub const BOOTSTRAP: u32 = 3;
/// Contacts that a node saves when it leaves.
const SAVED: usize = 16;
/// How often newcomers fill up the number.
const TOP_UP: Duration = Duration::from_secs(10);
/// Newcomers make up for the missing within this time.
const CATCH_UP: Duration = Duration::from_secs(120);

/// Cues of the population. Scenarios use numbers from `SCENARIO` on.
mod cue {
    pub(super) const LEAVE: u32 = 0;
    pub(super) const RETURN: u32 = 1;
    pub(super) const ASK: u32 = 2;
    pub(super) const ARRIVE: u32 = 3;
    pub(super) const TOP_UP: u32 = 4;
}
/// The first cue that the population does not use itself.
pub const SCENARIO: u32 = 100;

/// What people do with their clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Workload {
    /// Lookups of peers a node and hour (dht.md §5.2: 1).
    pub lookups: f64,
}

/// A population to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nodes alive at once, bootstrap nodes included.
    pub nodes: u32,
    /// The time over which they arrive, evenly.
    pub arrival: Duration,
    /// Shipping nodes among them, 0 to 1; the rest is drawn from `mix`.
    pub ours: f64,
    /// Other people's clients.
    pub mix: Mix,
    /// How the network behaves.
    pub internet: Internet,
    /// What they do.
    pub workload: Workload,
    /// That of the other shipping nodes.
    pub tuning: Tuning,
    /// The tunings of those shipping nodes that are placed as `Client::Tuned`.
    pub variants: Vec<Tuning>,
    /// Of everything random.
    pub seed: u64,
}

impl Plan {
    /// Shipping nodes alone on a calm network, where nobody leaves or asks.
    #[must_use]
    pub fn calm(nodes: u32, seed: u64) -> Plan {
        Plan {
            nodes,
            arrival: Duration::from_secs(600),
            ours: 1.0,
            mix: Mix::default(),
            internet: Internet::calm(),
            workload: Workload { lookups: 0.0 },
            tuning: Tuning::default(),
            variants: Vec::new(),
            seed,
        }
    }

    /// The reference network of dht.md §5.2: everybody's clients, NATs, churn, a lookup an hour.
    #[must_use]
    pub fn reference(nodes: u32, seed: u64) -> Plan {
        Plan {
            ours: 0.1,
            internet: Internet::default(),
            workload: Workload { lookups: 1.0 },
            ..Plan::calm(nodes, seed)
        }
    }
}

/// Somebody with a host.
#[derive(Debug)]
struct Resident {
    habit: Habit,
    client: Client,
    id: Option<Id>,
    saved: Box<[Endpoint]>,
    standing: Role,
}

/// A world with people in it.
#[derive(Debug)]
pub struct Population {
    /// The world they live in.
    pub world: World,
    plan: Plan,
    residents: Vec<Option<Resident>>,
    bootstrap: Vec<Endpoint>,
    alive: u32,
    /// Those whose residents look for nothing of their own accord.
    idle: BTreeSet<HostId>,
    pub(crate) watch: Watch,
}

impl Population {
    /// Bootstrap nodes run; the others are about to arrive.
    #[must_use]
    pub fn new(plan: Plan) -> Population {
        let world = World::new(plan.seed, plan.internet.clone());
        let mut population = Population {
            world,
            plan,
            residents: Vec::new(),
            bootstrap: Vec::new(),
            alive: 0,
            idle: BTreeSet::new(),
            watch: Watch::default(),
        };
        for _ in 0..BOOTSTRAP.min(population.plan.nodes) {
            let region = population.region();
            let host = population.world.settle_in(HostClass::Open, region);
            population.move_in(host, Client::Ours, Habit::permanent());
            population.open(host);
            let endpoint = population.world.host(host).endpoint();
            population
                .bootstrap
                .push(Endpoint::from(std::net::SocketAddr::V4(endpoint)));
        }
        let others = population.plan.nodes - population.alive;
        for number in 0..others {
            let at = population
                .plan
                .arrival
                .mul_f64(f64::from(number + 1) / f64::from(others));
            population.world.cue(Time::ZERO + at, 0, cue::ARRIVE);
        }
        let settled = Time::ZERO + population.plan.arrival + TOP_UP;
        population.world.cue(settled, 0, cue::TOP_UP);
        population
    }

    fn region(&mut self) -> Region {
        let geography = self.world.internet().geography.clone();
        geography.region(self.world.rng())
    }

    /// Lets time pass until `until`; returns a scenario's cue if one comes up before.
    pub fn run_until(&mut self, until: Time) -> Option<(HostId, u32)> {
        loop {
            let step = self.world.step(until);
            self.listen();
            match step {
                Step::Handled => {}
                Step::Still => return None,
                Step::Cue(host, what) if what >= SCENARIO => return Some((host, what)),
                Step::Cue(host, what) => self.follow(host, what),
            }
        }
    }

    /// Hands on what was heard and told.
    fn listen(&mut self) {
        // What came by the wire is what machines tell of afterwards.
        for heard in self.world.take_overheard() {
            self.watch.overheard(&heard);
        }
        let now = self.world.now();
        for (host, told) in self.world.take_told() {
            self.watch.told(now, host, told);
        }
    }

    /// Lets `time` pass; cues of scenarios are dropped.
    pub fn run(&mut self, time: Duration) {
        let until = self.world.now() + time;
        while self.run_until(until).is_some() {}
    }

    /// Lets everybody arrive, and `rest` pass.
    pub fn grow(&mut self, rest: Duration) {
        let until = Time::ZERO + self.plan.arrival + rest;
        while self.run_until(until).is_some() {}
    }

    /// Does what a cue of the population asks for; for those who step the world themselves.
    pub(crate) fn follow(&mut self, host: HostId, what: u32) {
        match what {
            cue::LEAVE => self.leave(host),
            cue::RETURN => self.come_back(host),
            cue::ASK => self.ask(host),
            cue::ARRIVE => {
                // Met at a random moment of a life that began long ago: the long-lived are more likely.
                let sessions = self.world.internet().sessions.clone();
                let mut habit = sessions.habit_met(self.world.rng());
                let left = sessions.residual(&mut habit, self.world.rng());
                let host = self.settle(habit);
                self.leave_after(host, left);
            }
            cue::TOP_UP => self.top_up(),
            _ => {}
        }
    }

    fn leave_after(&mut self, host: HostId, session: Option<Duration>) {
        if let Some(session) = session {
            self.world.cue(self.world.now() + session, host, cue::LEAVE);
        }
    }

    /// Somebody new settles and starts a client; returns its host. How long it stays is not decided.
    pub fn arrive(&mut self) -> HostId {
        let sessions = self.world.internet().sessions.clone();
        let habit = sessions.habit(self.world.rng());
        self.settle(habit)
    }

    fn settle(&mut self, habit: Habit) -> HostId {
        let ours = self.plan.ours;
        let client = if random::happens(ours, self.world.rng()) {
            Client::Ours
        } else {
            Client::Theirs(self.plan.mix.draw(self.world.rng()))
        };
        let host = self.world.settle();
        self.move_in(host, client, habit);
        self.open(host);
        host
    }

    /// Settles and starts a client of a kind, class and region of the caller's choice, which stays.
    pub fn place(&mut self, client: Client, class: HostClass, region: Region) -> HostId {
        let host = self.world.settle_in(class, region);
        self.stay(host, client)
    }

    fn stay(&mut self, host: HostId, client: Client) -> HostId {
        self.move_in(host, client, Habit::permanent());
        self.open(host);
        host
    }

    /// The same at the place and on the access line of `other`, so that two clients can be compared.
    pub fn place_beside(&mut self, client: Client, other: HostId) -> HostId {
        let host = self.world.settle_beside(other);
        self.stay(host, client)
    }

    /// From now on the resident of `host` looks for nothing of its own accord.
    pub fn idle(&mut self, host: HostId) {
        self.idle.insert(host);
    }

    fn move_in(&mut self, host: HostId, client: Client, habit: Habit) {
        // dht.md §5.2: 70 % of those whom nobody can reach do not say so.
        let reachable = self.world.host(host).class().is_reachable();
        let honest = random::happens(0.3, self.world.rng());
        let standing = if !reachable && honest {
            Role::ReadOnly
        } else {
            Role::Full
        };
        self.residents
            .resize_with(self.world.hosts() as usize, || None);
        self.residents[host as usize] = Some(Resident {
            habit,
            client,
            id: None,
            saved: Box::default(),
            standing,
        });
    }

    /// Starts the client of `host`'s resident with what it saved and the bootstrap nodes.
    fn open(&mut self, host: HostId) {
        let seed = self.world.seed();
        let now = self.world.instant();
        let Some(resident) = &mut self.residents[host as usize] else {
            return;
        };
        let mut machine = match resident.client {
            Client::Ours | Client::Tuned(_) => {
                let variant = match resident.client {
                    Client::Tuned(number) => self.plan.variants.get(usize::from(number)),
                    _ => None,
                };
                let config = Config {
                    tuning: variant.copied().unwrap_or(self.plan.tuning),
                    id: resident.id,
                    families: Families::V4,
                    role: resident.standing,
                    ..Config::default()
                };
                Machine::Ours(Box::new(Node::new(config, seed, now)))
            }
            Client::Theirs(kind) => {
                let id = resident.id.unwrap_or_else(|| Id::random(self.world.rng()));
                Machine::Theirs(Box::new(Neighbour::new(kind, id, seed, now)))
            }
        };
        resident.id = machine.id();
        let doors = resident.saved.iter().chain(&self.bootstrap).copied();
        machine.join(now, doors.collect::<Vec<_>>());
        self.world.start(host, machine);
        self.alive += 1;
        self.ask_later(host);
    }

    fn ask_later(&mut self, host: HostId) {
        let hourly = self.plan.workload.lookups;
        if hourly > 0.0 {
            let mean = Duration::from_secs(3600).div_f64(hourly);
            let pause = random::exponential(mean, self.world.rng());
            self.world.cue(self.world.now() + pause, host, cue::ASK);
        }
    }

    /// The resident of `host` looks for a torrent that nobody measures.
    fn ask(&mut self, host: HostId) {
        let target = Id::random(self.world.rng());
        if !self.idle.contains(&host) && self.command(host, target, Ask::Peers).is_some() {
            self.ask_later(host);
        }
    }

    /// Ends the client on `host` without a word; it will return as its habit says.
    pub fn leave(&mut self, host: HostId) {
        let absence = {
            let sessions = self.world.internet().sessions.clone();
            let now = self.world.now();
            sessions.absence(now, self.world.rng())
        };
        if self.close(host) {
            self.world
                .cue(self.world.now() + absence, host, cue::RETURN);
        }
    }

    /// Ends the client on `host` for good. `false`: none runs there.
    pub fn close(&mut self, host: HostId) -> bool {
        let Some(machine) = self.world.stop(host) else {
            return false;
        };
        self.alive -= 1;
        self.watch.left(host);
        if let Some(resident) = &mut self.residents[host as usize] {
            resident.saved = machine.contacts().into_iter().take(SAVED).collect();
        }
        true
    }

    /// The resident of `host` starts its client again.
    pub fn come_back(&mut self, host: HostId) {
        let sessions = self.world.internet().sessions.clone();
        let returns = sessions.returns(self.world.rng());
        if returns.address == Kept::New {
            self.world.move_house(host);
        }
        let session = self.residents[host as usize].as_mut().and_then(|resident| {
            if returns.identity == Kept::New {
                resident.id = None;
            }
            sessions.session(&mut resident.habit, self.world.rng())
        });
        self.open(host);
        self.leave_after(host, session);
    }

    /// Newcomers make up for those who left and are not back.
    fn top_up(&mut self) {
        let now = self.world.now();
        let wanted = f64::from(self.plan.nodes) * self.world.internet().sessions.day.activity(now);
        let missing = (wanted - f64::from(self.alive)).max(0.0);
        let share = TOP_UP.as_secs_f64() / CATCH_UP.as_secs_f64();
        let sessions = self.world.internet().sessions.clone();
        for _ in 0..(missing * share) as u32 {
            let host = self.arrive();
            let session = self.residents[host as usize]
                .as_mut()
                .and_then(|resident| sessions.session(&mut resident.habit, self.world.rng()));
            self.leave_after(host, session);
        }
        self.world.cue(now + TOP_UP, 0, cue::TOP_UP);
    }

    fn command(&mut self, host: HostId, target: Id, ask: Ask) -> Option<Ticket> {
        self.world.command(host, |machine, now| match machine {
            Machine::Ours(node) => Some(Ticket::Ours(match ask {
                Ask::Nodes => node.find_node(now, target),
                Ask::Peers => node.get_peers(now, target),
                Ask::Announce(port) => node.announce(now, target, AnnouncePort::Explicit(port)),
            })),
            Machine::Theirs(neighbour) => Some(Ticket::Theirs(match ask {
                Ask::Nodes => neighbour.find_node(now, target),
                Ask::Peers => neighbour.get_peers(now, target),
                Ask::Announce(port) => neighbour.announce(now, target, port),
            })),
            Machine::Actor(_) => None,
        })?
    }

    /// Starts a lookup that is measured; `false`: nobody is there to do it.
    pub fn look_up(&mut self, host: HostId, target: Id, ask: Ask) -> bool {
        let Some(client) = self.client(host) else {
            return false;
        };
        let now = self.world.now();
        let Some(ticket) = self.command(host, target, ask) else {
            return false;
        };
        self.watch.begin((host, ticket), client, target, now);
        self.listen();
        true
    }

    /// What passed the wire of `host` since [`World::tap`].
    #[must_use]
    pub fn ledger(&self, host: HostId) -> Ledger {
        self.watch.ledger(host)
    }

    /// The measured lookups that ended since the last call, in the order of their end.
    pub fn take_measured(&mut self) -> Vec<Measured> {
        std::mem::take(&mut self.watch.done)
    }

    /// Measured lookups under way.
    #[must_use]
    pub fn open_lookups(&self) -> usize {
        self.watch.open()
    }

    /// What the resident of `host` runs.
    #[must_use]
    pub fn client(&self, host: HostId) -> Option<Client> {
        let resident = self.residents.get(host as usize)?.as_ref()?;
        Some(resident.client)
    }

    /// Clients that run.
    #[must_use]
    pub fn alive(&self) -> u32 {
        self.alive
    }

    /// What it was made from.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Newcomers fill up to this number from now on.
    pub fn expect(&mut self, nodes: u32) {
        self.plan.nodes = nodes;
    }

    /// The hosts of the bootstrap nodes.
    pub fn bootstrap(&self) -> impl Iterator<Item = HostId> + use<> {
        0..BOOTSTRAP.min(self.plan.nodes)
    }

    /// A running host of this client, drawn fairly; `None` if there is none.
    pub fn any(&mut self, client: Client) -> Option<HostId> {
        let hosts: Vec<HostId> = self
            .world
            .running()
            .map(|(host, _)| host)
            .filter(|host| self.client(*host) == Some(client))
            .collect();
        (!hosts.is_empty()).then(|| hosts[self.world.rng().random_range(0..hosts.len())])
    }
}
