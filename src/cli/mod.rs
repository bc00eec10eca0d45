//! The command line: arguments → configuration → plan → command → exit code.
//!
//! ```text
//! args      what was typed (clap)          config    what the file says
//! meaning   both together, with defaults → plan      what a command gets
//! report    what a command tells on its way (update, json, format)
//! exit      how it ends
//! ```
//!
//! One file a command. It is the uppermost module: it knows everything below, nothing knows it.
//! It may use the clock and files; that is why the bans of the pure modules are lifted here.
#![allow(
    clippy::disallowed_methods,
    reason = "the command line is above io and owns a clock"
)]

mod about;
mod accounts;
pub mod args;
pub mod config;
mod demo;
mod dht;
mod diagnosis;
mod doctor;
mod drawing;
mod events;
pub mod exit;
mod fetch;
mod follow;
pub mod format;
mod get;
mod hook;
pub mod hosts;
pub mod input;
pub mod json;
pub mod meaning;
mod network;
pub mod plan;
mod publisher;
pub mod report;
mod scene;
mod seed;
pub mod selection;
mod share;
mod show;
mod signals;
mod together;
mod torrent;
mod torrents;
mod tracker;
mod trackers;
pub mod update;
mod verify;
pub mod walk;
pub mod wording;

use std::ffi::OsString;
use std::io::Write;

use args::{Args, Command, TorrentCommand};
use config::Config;
use exit::{ExitCode, Failure};
use meaning::Background;
use report::{Reporter, Style};
use wording::Paint;

/// Runs a whole command: parses, reads the configuration, does it, reports how it ended.
///
/// `arguments` start with the program's name; `variable` reads the environment. (Options from the
/// environment are read by clap itself.)
pub fn run(arguments: Vec<OsString>, variable: &dyn Fn(&str) -> Option<OsString>) -> ExitCode {
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let args = match args::parse(arguments) {
        Ok(args) => args,
        Err(error) if error.use_stderr() && wants_json => return not_understood_json(&error),
        Err(error) => {
            // Help that was asked for, or an error; `| head` may have closed the pipe.
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::Usage
            } else {
                ExitCode::Ok
            };
        }
    };
    let mut reporter = Reporter::new(style(&args, variable));
    let ended = config::load(args.global.config.as_deref(), variable)
        .and_then(|config| dispatch(args, &config, variable, &mut reporter));
    match ended {
        Ok(code) => code,
        Err(failure) => {
            reporter.fail(&failure);
            failure.code
        }
    }
}

/// What clap does not accept, as an event.
fn not_understood_json(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    let message = text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let failure = Failure::new(ExitCode::Usage, message);
    // Nobody to tell if stdout is closed; the exit code says it too.
    let _ = failure.write_json(&mut std::io::stdout().lock(), None);
    failure.code
}

fn dispatch(
    args: Args,
    config: &Config,
    variable: &dyn Fn(&str) -> Option<OsString>,
    reporter: &mut Reporter,
) -> Result<ExitCode, Failure> {
    let background = Background { config, variable };
    start_log(args.global.verbose, reporter);
    match args.command {
        Command::Get(mut args) => {
            args.input = input::expand(args.input, &mut std::io::stdin().lock())?;
            get::run(background.get(args)?, reporter)
        }
        Command::Seed(args) => seed::run(background.seed(args)?, reporter),
        Command::Share(args) => share::run(background.share(args)?, reporter),
        Command::Fetch(args) => fetch::run(background.fetch(args)?, reporter),
        Command::Dht(command) => dht::run(background.dht(command)?, reporter),
        Command::Tracker(args) => tracker::run(background.tracker(args)?, reporter),
        Command::Doctor(args) => doctor::run(background.doctor(args)?, reporter),
        Command::Demo(args) => demo::run(background.demo(&args), reporter),
        Command::Show(args) => show::run(background.show(args)?, reporter),
        Command::Torrent(TorrentCommand::Create(args)) => torrent::create(args, reporter),
        Command::Torrent(TorrentCommand::Verify { torrent, path }) => {
            verify::run(&torrent, path, reporter)
        }
        Command::Torrent(TorrentCommand::Magnet { torrent }) => torrent::magnet(&torrent, reporter),
        Command::Completions { shell } => Ok(about::completions(shell, reporter)),
        Command::Man { command } => about::man(&command, reporter),
        Command::Version => Ok(about::version(reporter)),
    }
}

/// How to report, from the flags and from what stderr is.
fn style(args: &Args, variable: &dyn Fn(&str) -> Option<OsString>) -> Style {
    let term = variable("TERM");
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let paint = match args.global.color {
        Some(clap::ColorChoice::Always) => Paint::Colour,
        Some(clap::ColorChoice::Never) => Paint::Plain,
        _ if set("NO_COLOR") => Paint::Plain,
        _ => Paint::Colour,
    };
    if args.global.json {
        Style::Json
    } else if args.global.quiet {
        Style::Quiet
    } else if report::is_live_terminal(term.as_ref().and_then(|term| term.to_str())) {
        Style::Terminal(paint)
    } else {
        Style::Lines
    }
}

/// `-v`: what `io` and `cli` log, on stderr. Without it nothing is logged.
fn start_log(verbose: u8, reporter: &Reporter) {
    let level = match verbose {
        0 => return,
        1 => tracing::Level::INFO,
        2 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    let writer = reporter.log_writer();
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false);
    // A second call in one process (tests) keeps the first log.
    let _ = log
        .with_writer(move || -> Box<dyn Write> { Box::new(writer.clone()) })
        .try_init();
}
