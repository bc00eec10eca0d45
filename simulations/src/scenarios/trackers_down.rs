//! All trackers down: does a swarm survive its trackers, and at what cost?
//!
//! Peers come one after the other for an hour; the only tracker dies after ten minutes, for good. The
//! same swarm is played with other sources of peers beside the tracker: none, peer exchange, the DHT,
//! both; the seeder's address, as a magnet link can name it, without and with peer exchange; and for
//! comparison with a tracker that lives. With the DHT every peer runs a shipping node in a
//! network of other people's clients (see [`crate::coupled`]). One seeder stays, everybody else leaves
//! ten minutes after completing. A part of the swarm that does not have every piece between its
//! members and no seeder beside it cannot complete: how many there are is counted.
//!
//! The tracker is the shipping server and every peer asks it by the shipping announcer; once it is dead,
//! connections to it are refused.
//!
//! Peers have home lines but give the torrent only a small upload, so that a download takes longer than
//! the tracker lives. In both worlds everybody can be reached by everybody: NATs concern the others in
//! the DHT only. Full: 80 peers, 64 MiB, 250 other nodes, below a minute. Small: 14 peers, 3 MiB, 60 calm nodes.

mod show;

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trackless::swarm::Pex;

use super::{Options, Scale};
use crate::coupled::{Coupled, Spent};
use crate::population::{Plan as Settlement, Population};
use crate::report::Report;
use crate::swarm::{self, Line, Linger, PeerIndex, PeerPlan, Start, SwarmWorld, TrackerPlan, link};
use crate::time::Time;

/// Who has everything from the start.
const SEEDER: PeerIndex = 0;

/// What is played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Peers that come with nothing.
    pub peers: u32,
    /// The time over which they come, evenly.
    pub arrival: Duration,
    /// Bytes of the torrent.
    pub length: u64,
    /// Bytes/s that a peer gives at most.
    pub upload: u64,
    /// The seeder's line.
    pub seeder: Line,
    /// After the seeder came the tracker dies.
    pub dies: Duration,
    /// Peers stay so long when they are done.
    pub linger: Duration,
    /// How long after its arrival a peer is asked whom it knows.
    pub asked: Duration,
    /// When parts are counted, after the seeder came.
    pub splits: Vec<Duration>,
    /// The other nodes of the DHT.
    pub network: Settlement,
    /// The network is that old when the seeder comes.
    pub settled: Duration,
    /// A run ends that long after the seeder came at the latest.
    pub limit: Duration,
    /// Of everything random.
    pub seed: u64,
}

impl Plan {
    /// The plan for these options; `nodes` counts peers.
    #[must_use]
    pub fn of(options: &Options) -> Plan {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let seed = options.seed;
        match options.scale {
            Scale::Small => Plan {
                peers: options.nodes.unwrap_or(14),
                arrival: minutes(7),
                length: 3 << 20,
                upload: 32 << 10,
                seeder: Line {
                    down: 1 << 20,
                    up: 64 << 10,
                },
                dies: minutes(2),
                linger: minutes(2),
                asked: minutes(1),
                splits: vec![minutes(4), minutes(6)],
                network: Settlement {
                    arrival: minutes(2),
                    ..Settlement::calm(60, seed)
                },
                settled: minutes(4),
                limit: minutes(30),
                seed,
            },
            Scale::Full => Plan {
                peers: options.nodes.unwrap_or(80),
                arrival: minutes(60),
                length: 64 << 20,
                upload: 48 << 10,
                seeder: Line {
                    down: 1 << 20,
                    up: 128 << 10,
                },
                dies: minutes(10),
                linger: minutes(10),
                asked: minutes(5),
                splits: [15, 30, 45, 60].map(minutes).to_vec(),
                network: Settlement::reference(250, seed),
                settled: minutes(20),
                limit: minutes(150),
                seed,
            },
        }
    }
}

/// Where peers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// The tracker that dies, nothing else.
    Tracker,
    /// And peer exchange.
    Pex,
    /// And the DHT.
    Dht,
    /// And both.
    Both,
    /// And the seeder's address, as a magnet link can name it.
    Address,
    /// And that address and peer exchange.
    AddressPex,
    /// A tracker that lives, nothing else.
    Alive,
}

impl Sources {
    /// All variants, in the order of rows.
    pub const ALL: [Sources; 7] = [
        Sources::Tracker,
        Sources::Pex,
        Sources::Dht,
        Sources::Both,
        Sources::Address,
        Sources::AddressPex,
        Sources::Alive,
    ];

    fn pex(self) -> Pex {
        match self {
            Sources::Pex | Sources::Both | Sources::AddressPex => Pex::On,
            Sources::Tracker | Sources::Dht | Sources::Address | Sources::Alive => Pex::Off,
        }
    }

    fn knows_seeder(self) -> bool {
        matches!(self, Sources::Address | Sources::AddressPex)
    }

    fn has_dht(self) -> bool {
        matches!(self, Sources::Dht | Sources::Both)
    }
}

/// Peers that came before or after the tracker died.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// How many.
    pub peers: u32,
    /// From arrival to completion, of those who completed, by arrival.
    pub took: Vec<Duration>,
    /// Addresses in a peer's book when it is asked, of those still there.
    pub known: Vec<u32>,
    /// Open connections at that time.
    pub connected: Vec<u32>,
    /// Its calls that nobody had answered by then.
    pub in_vain: Vec<u32>,
}

/// The parts of a swarm at a time: incomplete peers that reach each other through incomplete peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// After the seeder came.
    pub at: Duration,
    /// Parts.
    pub parts: u32,
    /// Parts with every piece between their members, or a seeder beside them.
    pub able: u32,
    /// Incomplete peers.
    pub peers: u32,
    /// Those of them in parts that are not able to complete.
    pub cut_off: u32,
}

/// One swarm.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Where its peers came from.
    pub sources: Sources,
    /// Who came while the tracker lived.
    pub before: Group,
    /// Who came later.
    pub after: Group,
    /// The parts.
    pub splits: Vec<Split>,
    /// When peers completed, after the seeder came, ascending.
    pub completions: Vec<Duration>,
    /// What all peers spent on the DHT together.
    pub spent: Spent,
    /// When the run ended, after the seeder came.
    pub ended: Duration,
}

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// One a variant.
    pub rows: Vec<Row>,
    /// Of all worlds.
    pub digest: u64,
    /// Of all worlds.
    pub events: u64,
    /// Of all worlds, added up.
    pub virtual_time: Duration,
}

/// A swarm with or without a DHT.
#[derive(Debug)]
enum Stage {
    Alone(Box<SwarmWorld>),
    Coupled(Box<Coupled>),
}

impl Stage {
    fn run_until(&mut self, at: Time) {
        match self {
            Stage::Alone(swarm) => swarm.run_until(at),
            Stage::Coupled(both) => both.run_until(at),
        }
    }

    fn swarm(&self) -> &SwarmWorld {
        match self {
            Stage::Alone(swarm) => swarm,
            Stage::Coupled(both) => &both.swarm,
        }
    }

    fn swarm_mut(&mut self) -> &mut SwarmWorld {
        match self {
            Stage::Alone(swarm) => swarm,
            Stage::Coupled(both) => &mut both.swarm,
        }
    }

    fn trail(&self) -> (u64, u64) {
        match self {
            Stage::Alone(swarm) => (swarm.digest(), swarm.events()),
            Stage::Coupled(both) => (both.digest(), both.events()),
        }
    }

    fn spent(&self) -> Spent {
        match self {
            Stage::Alone(_) => Spent::default(),
            Stage::Coupled(both) => both.spent(),
        }
    }
}

/// Plays the plan.
#[must_use]
pub fn play(plan: &Plan) -> Outcome {
    let mut outcome = Outcome {
        rows: Vec::new(),
        digest: 0,
        events: 0,
        virtual_time: Duration::ZERO,
    };
    for sources in Sources::ALL {
        let mut stage = set(plan, sources);
        outcome.rows.push(perform(plan, sources, &mut stage));
        let (digest, events) = stage.trail();
        outcome.digest = outcome.digest.rotate_left(1) ^ digest;
        outcome.events += events;
        outcome.virtual_time += stage.swarm().now().elapsed();
    }
    outcome
}

/// When the seeder comes: the network runs already, whether it is used or not.
fn begin(plan: &Plan) -> Time {
    Time::ZERO + plan.settled
}

/// The same lines, places and arrivals for all variants.
fn set(plan: &Plan, sources: Sources) -> Stage {
    let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
    let dies = match sources {
        Sources::Alive => None,
        _ => Some(begin(plan) + plan.dies),
    };
    let of = swarm::Plan {
        length: plan.length,
        tracker: Some(TrackerPlan {
            dies,
            ..TrackerPlan::default()
        }),
        ..swarm::Plan::default()
    };
    let mut world = SwarmWorld::new(plan.seed, of);
    world.add_peer(PeerPlan {
        line: plan.seeder,
        start: Start::Seeder,
        arrives: begin(plan),
        pex: sources.pex(),
        ..PeerPlan::default()
    });
    for n in 0..plan.peers {
        let line = link::home_line(&mut rng);
        world.add_peer(PeerPlan {
            line: Line {
                up: line.up.min(plan.upload),
                ..line
            },
            // In the middle of their time, so that none comes when others are counted.
            arrives: begin(plan) + plan.arrival * (2 * n + 1) / (2 * plan.peers),
            linger: Linger::For(plan.linger),
            pex: sources.pex(),
            ..PeerPlan::default()
        });
    }
    if sources.has_dht() {
        let mut network = Population::new(plan.network.clone());
        // A little early, so that nothing of the swarm lies behind.
        network.run(plan.settled.saturating_sub(Duration::from_secs(1)));
        Stage::Coupled(Box::new(Coupled::new(world, network)))
    } else {
        Stage::Alone(Box::new(world))
    }
}

/// What is looked at on the way.
#[derive(Clone, Copy, Debug)]
enum Sample {
    /// The peer has come.
    Come(PeerIndex),
    Ask(PeerIndex),
    Split(Duration),
    /// Whether there is anything left to wait for.
    End,
}

fn perform(plan: &Plan, sources: Sources, stage: &mut Stage) -> Row {
    let begin = begin(plan);
    let mut row = Row {
        sources,
        before: Group::default(),
        after: Group::default(),
        splits: Vec::new(),
        completions: Vec::new(),
        spent: Spent::default(),
        ended: plan.limit,
    };
    for (at, sample) in samples(plan, stage.swarm()) {
        stage.run_until(at);
        match sample {
            Sample::Come(peer) if sources.knows_seeder() => {
                stage.swarm_mut().introduce(peer, &[SEEDER]);
            }
            Sample::Come(_) => {}
            Sample::Ask(peer) => ask(plan, stage.swarm(), peer, &mut row),
            Sample::Split(after) => row.splits.push(split(stage.swarm(), after)),
            Sample::End => {
                let swarm = stage.swarm();
                if (SEEDER + 1..swarm.len()).all(|peer| swarm.completed_at(peer).is_some()) {
                    row.ended = at - begin;
                    break;
                }
            }
        }
    }
    row.spent = stage.spent();
    let swarm = stage.swarm();
    for peer in SEEDER + 1..swarm.len() {
        let arrives = swarm.plan_of(peer).arrives;
        let group = row.group(plan, arrives);
        group.peers += 1;
        if let Some(at) = swarm.completed_at(peer) {
            group.took.push(at - arrives);
            row.completions.push(at - begin);
        }
    }
    row.completions.sort_unstable();
    row
}

/// All samples in the order of time. The end is looked for once everybody has been asked.
fn samples(plan: &Plan, swarm: &SwarmWorld) -> Vec<(Time, Sample)> {
    let begin = begin(plan);
    let asks = (SEEDER + 1..swarm.len()).flat_map(|peer| {
        let at = swarm.plan_of(peer).arrives;
        [
            (at, Sample::Come(peer)),
            (at + plan.asked, Sample::Ask(peer)),
        ]
    });
    let splits = plan.splits.iter();
    let splits = splits.map(|after| (begin + *after, Sample::Split(*after)));
    let mut samples: Vec<(Time, Sample)> = asks.chain(splits).collect();
    samples.sort_by_key(|(at, _)| *at);
    let all = samples.last().map_or(begin, |(at, _)| *at);
    let limit = begin + plan.limit;
    let minutes = (0..).map(|minute| all + Duration::from_secs(60 * minute));
    samples.extend(
        minutes
            .take_while(|at| *at < limit)
            .map(|at| (at, Sample::End)),
    );
    samples.push((limit, Sample::End));
    samples
}

fn ask(plan: &Plan, swarm: &SwarmWorld, peer: PeerIndex, row: &mut Row) {
    if let Some(seen) = swarm.snapshot(peer) {
        let group = row.group(plan, swarm.plan_of(peer).arrives);
        group.known.push(seen.peers.known);
        group.connected.push(seen.peers.connected);
        let in_vain = seen.peers.refused + seen.peers.timed_out;
        group.in_vain.push(in_vain);
    }
}

fn split(swarm: &SwarmWorld, at: Duration) -> Split {
    let parts = swarm.components();
    let total = swarm.content().info.piece_count();
    let able = parts.iter().filter(|part| part.can_complete(total));
    let peers: usize = parts.iter().map(|part| part.members.len()).sum();
    let can: usize = able.clone().map(|part| part.members.len()).sum();
    Split {
        at,
        parts: parts.len() as u32,
        able: able.count() as u32,
        peers: peers as u32,
        cut_off: (peers - can) as u32,
    }
}

impl Row {
    fn group(&mut self, plan: &Plan, arrives: Time) -> &mut Group {
        if arrives < begin(plan) + plan.dies {
            &mut self.before
        } else {
            &mut self.after
        }
    }
}

/// Plays and shows.
#[must_use]
pub fn run(options: &Options) -> Report {
    let plan = Plan::of(options);
    play(&plan).report(&plan)
}
