//! The lab: real clients, each in a network namespace of its own, meet a simulated network.
//!
//! - [`namespace`] gives a client a public-looking address and a TUN link to this process;
//! - [`ground`] grows the background network, [`gate`] is a client's place in it;
//! - [`router`] lets both worlds' clocks advance together and carries datagrams between them;
//! - [`clients`] starts the programs with their defaults, [`meter`] reads their wires;
//! - [`show`] makes the report; [`packet`] is IPv4 with UDP inside.
//!
//! It is the one part of the simulator that knows real time, threads and processes: real clients do
//! as they like, so no two runs are equal, and a digest would say nothing. Linux and root only.

#![expect(clippy::disallowed_methods, reason = "real clients live in real time")]

use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub mod clients;
pub mod gate;
pub mod ground;
pub mod meter;
pub mod namespace;
pub mod packet;
pub mod router;
pub mod show;

use clients::{Client, Program, Start, Task};
use ground::{Ground, Network};
use meter::Meter;
use router::Router;

use crate::model::nat::HostClass;
use crate::report::Distribution;

/// What a lab is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The background network.
    pub ground: Ground,
    /// Who takes part.
    pub programs: Vec<Program>,
    /// What stands before each of them.
    pub class: HostClass,
    /// Time to join before the deaths.
    pub joining: Duration,
    /// What each lookup is.
    pub task: Task,
    /// Lookups of each client.
    pub lookups: usize,
    /// Between two lookups of a client.
    pub pause: Duration,
    /// Time without lookups after all of them, for the upkeep; zero: it is not measured.
    pub idle: Duration,
    /// Logs and states of the clients.
    pub folder: PathBuf,
    /// The folder with the programs of this workspace.
    pub binaries: PathBuf,
}

/// One client's figures.
#[derive(Debug)]
pub struct Row {
    /// Which one.
    pub program: Program,
    /// Its wire.
    pub meter: Meter,
    /// What it sent while idle, and what it got.
    pub idle: [meter::Load; 2],
}

/// What was measured.
#[derive(Debug)]
pub struct Outcome {
    /// How.
    pub plan: Plan,
    /// By client.
    pub rows: Vec<Row>,
    /// Nodes that died.
    pub died: usize,
    /// Seconds by which the router was late with each datagram to a client.
    pub lag: Distribution,
    /// What it took to grow the network, and all of it.
    pub wall: [Duration; 2],
    /// Happenings of the simulated network.
    pub events: u64,
    /// Its virtual time.
    pub virtual_time: Duration,
}

/// Grows a network, lets the clients join, lets a share of the nodes die, and has every client look for
/// hashes of its own, side by side.
///
/// # Errors
/// No namespace can be made, or a program cannot be started. Nothing is left behind.
pub fn run(plan: Plan) -> io::Result<Outcome> {
    let began = std::time::Instant::now();
    namespace::sweep();
    let network = Network::grow(&Ground {
        hashes: plan.lookups * plan.programs.len(),
        ..plan.ground.clone()
    });
    let mut router = Router::new(network);
    let grown = began.elapsed();
    let bootstrap = router.network.bootstrap();
    for _ in &plan.programs {
        router.connect(plan.class)?;
    }
    router.begin();
    let mut clients = Vec::new();
    for (number, program) in plan.programs.iter().enumerate() {
        let (place, port) = router.place(number);
        clients.push(Client::start(Start {
            program: *program,
            place: place.clone(),
            port,
            bootstrap: bootstrap.clone(),
            folder: plan.folder.join(program.to_string()),
            programs: plan.binaries.clone(),
        })?);
    }
    // Some join only when they have something to look for: a hash that nobody has.
    for client in &clients {
        let nothing = dht::Id::random(router.network.people.world.rng());
        client.tell(Task::Lookup, nothing);
    }
    router.run(plan.joining);
    let died = router.network.die();
    let share = plan.pause / u32::try_from(clients.len().max(1)).unwrap_or(1);
    for _ in 0..plan.lookups {
        for (number, client) in clients.iter().enumerate() {
            if let Some(hash) = router.network.next_hash() {
                router.order(number, hash);
                client.tell(plan.task, hash);
            }
            router.run(share);
        }
    }
    // The last lookups end.
    router.run(plan.pause);
    let before: Vec<[meter::Load; 2]> = loads(&router, clients.len());
    router.run(plan.idle);
    let after = loads(&router, clients.len());
    drop(clients);
    let lag = router.lag();
    let world = &router.network.people.world;
    let (events, virtual_time) = (world.events(), world.now().elapsed());
    let meters = router.into_meters();
    let idle = before
        .iter()
        .zip(&after)
        .map(|(before, after)| [0, 1].map(|way| after[way].less(before[way])));
    let rows = plan.programs.iter().zip(meters).zip(idle);
    let rows = rows.map(|((program, meter), idle)| Row {
        program: *program,
        meter,
        idle,
    });
    Ok(Outcome {
        rows: rows.collect(),
        died,
        lag,
        wall: [grown, began.elapsed()],
        events,
        virtual_time,
        plan,
    })
}

fn loads(router: &Router, clients: usize) -> Vec<[meter::Load; 2]> {
    let of = |client| {
        let meter = router.meter(client);
        [meter.sent, meter.got]
    };
    (0..clients).map(of).collect()
}
