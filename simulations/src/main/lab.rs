//! `trackless-sim lab`: its arguments, and where its report goes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use trackless_simulations::lab::{
    self, Plan,
    clients::{Program, Task},
    ground::Ground,
};
use trackless_simulations::model::nat::HostClass;
use trackless_simulations::report::{self, Json, Outcome, Outputs};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Nodes of the background network.
    #[arg(long, default_value_t = 1_000)]
    nodes: u32,
    /// Share of them that dies once the clients have joined.
    #[arg(long, default_value_t = 0.4)]
    dead: f64,
    /// Lookups of each client.
    #[arg(long, default_value_t = 20)]
    lookups: usize,
    /// Seconds between two lookups of a client.
    #[arg(long, default_value_t = 20)]
    pause: u64,
    /// Seconds for the clients to join.
    #[arg(long, default_value_t = 60)]
    joining: u64,
    /// Seconds without lookups at the end, for what upkeep costs.
    #[arg(long, default_value_t = 180)]
    idle: u64,
    /// Who takes part.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "trackless,libtorrent,transmission,aria2,mainline"
    )]
    clients: Vec<Program>,
    /// What each lookup is; transmission and aria2 always announce.
    #[arg(long, default_value = "announce")]
    task: Task,
    /// What stands before each client.
    #[arg(long, default_value = "open")]
    nat: Nat,
    /// Of the background network.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write tables and charts here as lab.csv, lab.svg, …
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// The clients' logs and states; removed at the end unless it is named.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Nat {
    /// None.
    Open,
    /// Lets everybody in while a mapping lives.
    FullCone,
    /// Lets those in to whom the client spoke.
    Restricted,
}

impl Nat {
    fn class(self) -> HostClass {
        match self {
            Nat::Open => HostClass::Open,
            Nat::FullCone => HostClass::FullCone,
            Nat::Restricted => HostClass::Restricted,
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> io::Result<()> {
    if let Some(obstacle) = lab::namespace::obstacle() {
        return Err(io::Error::other(format!("no lab here: {obstacle}")));
    }
    let scratch = std::env::temp_dir().join(format!("trackless-lab-{}", std::process::id()));
    let folder = arguments.keep.as_ref().unwrap_or(&scratch).clone();
    let own = std::env::current_exe()?;
    let outcome = lab::run(Plan {
        ground: Ground {
            nodes: arguments.nodes,
            seed: arguments.seed,
            dead: arguments.dead,
            growth: Duration::from_secs(900),
            hashes: 0,
        },
        programs: arguments.clients,
        class: arguments.nat.class(),
        joining: Duration::from_secs(arguments.joining),
        task: arguments.task,
        lookups: arguments.lookups,
        pause: Duration::from_secs(arguments.pause),
        idle: Duration::from_secs(arguments.idle),
        folder,
        binaries: own.parent().map(PathBuf::from).unwrap_or_default(),
    });
    // Whatever became of it; it may not even be there.
    let _ = std::fs::remove_dir_all(scratch);
    let report = outcome?.report();
    let file = |ending: &str| {
        arguments
            .out
            .as_ref()
            .map(|dir| dir.join(format!("lab.{ending}")))
    };
    if let Some(dir) = &arguments.out {
        std::fs::create_dir_all(dir)?;
    }
    let json = if arguments.json { Json::Yes } else { Json::No };
    report::write(
        &report,
        &Outputs {
            svg: file("svg"),
            csv: file("csv"),
            json,
        },
    )
}
