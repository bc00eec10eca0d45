//! `trackless-sim`: plays scenarios and shows what came out.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use trackless_simulations::portrait;
use trackless_simulations::report::{self, Json, Outputs, Report};
use trackless_simulations::scenarios::{self, Options, Scale, Scenario};

#[cfg(target_os = "linux")]
#[path = "main/lab.rs"]
mod lab;

/// Networks and swarms of the shipping machines, in virtual time.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play one scenario and print its tables.
    Run {
        /// Which one; `list` shows them.
        #[arg(value_parser = scenario)]
        name: &'static Scenario,
        #[command(flatten)]
        size: Size,
        /// Write the first chart here, further ones beside it as FILE-2, FILE-3, ….
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Write all tables here.
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
        /// Print one JSON object a line; the last one is the run with its digest.
        #[arg(long)]
        json: bool,
    },
    /// Play all scenarios and write a report of one page, with every chart and table beside it.
    All {
        /// The folder; it is made if need be.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        size: Size,
    },
    /// Draw a lookup or a routing table of one node in the reference network.
    Picture {
        /// Of what.
        what: Subject,
        /// The file, SVG.
        file: PathBuf,
        /// Determines the run.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Nodes of the network.
        #[arg(long, default_value_t = 2_000)]
        nodes: u32,
    },
    /// Let real clients meet a simulated network, in real time. Needs root and /dev/net/tun.
    #[cfg(target_os = "linux")]
    Lab(lab::Arguments),
    /// Name the scenarios.
    List,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Subject {
    /// A lookup as it closes in on its target.
    Lookup,
    /// A routing table as seats.
    Table,
}

#[derive(Debug, Args)]
struct Size {
    /// Determines the run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nodes or peers of the largest world, instead of the scenario's own number.
    #[arg(long)]
    nodes: Option<u32>,
    /// Worlds of each kind, with other seeds, whose results count together: lookups, sweeps, announcements.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// The variant that the tests play: seconds instead of minutes.
    #[arg(long)]
    small: bool,
}

impl Size {
    fn options(&self) -> Options {
        Options {
            seed: self.seed,
            nodes: self.nodes,
            seeds: self.seeds,
            scale: if self.small {
                Scale::Small
            } else {
                Scale::Full
            },
        }
    }
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    scenarios::named(name).ok_or_else(|| {
        let names: Vec<&str> = scenarios::ALL
            .iter()
            .map(|scenario| scenario.name)
            .collect();
        format!("one of {}", names.join(", "))
    })
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run {
            name,
            size,
            svg,
            csv,
            json,
        } => {
            let json = if json { Json::Yes } else { Json::No };
            let report = name.report(&size.options());
            report::write(&report, &Outputs { svg, csv, json })
        }
        Command::All { out, size } => play_all(&out, &size.options()),
        Command::Picture {
            what,
            file,
            seed,
            nodes,
        } => std::fs::write(
            file,
            match what {
                Subject::Lookup => portrait::lookup(nodes, seed),
                Subject::Table => portrait::table(nodes, seed),
            },
        ),
        #[cfg(target_os = "linux")]
        Command::Lab(arguments) => lab::run(arguments),
        Command::List => list(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trackless-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for scenario in scenarios::ALL {
        writeln!(out, "{:14} {}", scenario.name, scenario.about)?;
    }
    Ok(())
}

fn play_all(folder: &Path, options: &Options) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut reports: Vec<Report> = Vec::new();
    // The last one, scaling, measures this process's memory: it has to come first.
    for scenario in scenarios::ALL.iter().rev() {
        eprintln!("{} …", scenario.name);
        let report = scenario.report(options);
        let file = |ending: &str| Some(folder.join(format!("{}.{ending}", scenario.name)));
        let outputs = Outputs {
            svg: file("svg"),
            csv: file("csv"),
            json: Json::No,
        };
        report::write(&report, &outputs)?;
        reports.insert(0, report);
        // After each scenario, so that a report that is cut short is there as far as it came.
        let page = report::page("trackless in simulation", &reports);
        std::fs::write(folder.join("index.html"), page)?;
    }
    Ok(())
}
