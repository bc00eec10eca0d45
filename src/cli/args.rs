//! The command line as it is typed: names, shapes and help of every option, and nothing about
//! what they mean. `meaning` turns these into plans, after the configuration file has been read.
//!
//! Invariant: no option has a default here. An absent option stays absent, so that the order
//! flag > environment > file > default can be decided in one place.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args as ClapArgs, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::format::{parse_bytes, parse_duration, parse_ratio};
use super::hosts::{Bind, HostPort};

mod dht;
mod tracker;

pub use tracker::{TRACKER_PORT, TrackerArgs, parse_listen};

pub use dht::{AnnounceArgs, DhtCommand, GetItemArgs, IdArgs, LookupArgs, NodeArgs, PutArgs};

/// What is printed below every `--help`.
const AFTER_HELP: &str = "Sizes and rates: 500k, 2.5M, 1GiB. Durations: 90s, 5m, 1h30m.\n\
    Every option --some-name can also be given as TRACKLESS_SOME_NAME in the environment,\n\
    and most of them in $XDG_CONFIG_HOME/trackless/config.toml.";

/// What the manual page and `--help` of the program itself add.
const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failure, 2 usage, 3 bad_input, 4 no_network, \
    5 no_peers, 6 disk_full, 7 io, 8 verify_failed, 9 daemon, 10 conflict, 11 stalled, \
    12 not_found, 130 and 143 interrupted.";

/// A BitTorrent client that needs no tracker.
#[derive(Parser, Debug)]
#[command(name = "trackless", version, about, max_term_width = 100)]
#[command(after_help = AFTER_HELP, after_long_help = format!("{AFTER_HELP}\n\n{EXIT_CODES}"))]
#[command(propagate_version = true, arg_required_else_help = true)]
pub struct Args {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(ClapArgs, Debug, Default)]
#[command(next_help_heading = "Every command")]
pub struct GlobalArgs {
    /// Only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// More detail (-v), everything (-vv)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Newline-delimited JSON on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN")]
    pub color: Option<clap::ColorChoice>,
    /// Read this configuration file instead of the usual one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Download, then exit
    #[command(visible_alias = "download")]
    Get(GetArgs),
    /// Seed what is there, until interrupted
    Seed(SeedArgs),
    /// Make a torrent of files, seed it, print the magnet link
    Share(ShareArgs),
    /// Show what is in a torrent; a magnet link asks the network
    Show(ShowArgs),
    /// Fetch the metadata only, save it as a torrent file
    Fetch(FetchArgs),
    /// Work with torrent files, without the network
    #[command(subcommand)]
    Torrent(TorrentCommand),
    /// Ask the DHT, or take part in it
    #[command(subcommand)]
    Dht(DhtCommand),
    /// Serve peers to others: a tracker, over HTTP and UDP
    Tracker(TrackerArgs),
    /// Check clock, names, UDP, bootstrap nodes, port, IPv6, disk and limits
    Doctor(DoctorArgs),
    /// The whole story on loopback: a private DHT, seeders, one magnet link, no tracker
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (or that of one command) as roff
    Man {
        /// Of this command, for example `get` or `torrent create`
        command: Vec<String>,
    },
    /// Print the version
    Version,
}

/// Options of every command that opens a network.
#[derive(ClapArgs, Debug, Default)]
#[command(next_help_heading = "Network")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub struct NetworkArgs {
    /// Node to join the DHT through (repeatable; replaces the built-in list)
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub bootstrap: Vec<HostPort>,
    /// Address or interface that every socket uses
    #[arg(long, value_name = "ADDR")]
    pub bind: Option<Bind>,
    /// Port, TCP and UDP; 0 takes any
    #[arg(short, long, value_name = "N")]
    pub port: Option<u16>,
    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long)]
    pub ipv6: bool,
    /// Do not use the DHT
    #[arg(long)]
    pub no_dht: bool,
    /// Do not exchange peers with peers
    #[arg(long)]
    pub no_pex: bool,
    /// Do not look for peers in the local network
    #[arg(long)]
    pub no_lsd: bool,
    /// Do not ask the trackers that a torrent names
    #[arg(long)]
    pub no_trackers: bool,
    /// Do not give up the right to touch files outside the folders in use
    #[arg(long)]
    pub no_confine: bool,
    /// A peer to try first (repeatable)
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    pub peer: Vec<HostPort>,
    /// Accept peers and nodes of this private or special range (repeatable)
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub allow_net: Vec<String>,
    /// Where resume data and DHT contacts are kept
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Speed limits.
#[derive(ClapArgs, Debug, Default)]
pub struct LimitArgs {
    /// Download at most this many bytes a second, each torrent
    #[arg(long, value_name = "RATE", value_parser = parse_bytes)]
    pub limit_down: Option<u64>,
    /// Upload at most this many bytes a second, each torrent
    #[arg(long, value_name = "RATE", value_parser = parse_bytes)]
    pub limit_up: Option<u64>,
}

/// When seeding ends.
#[derive(ClapArgs, Debug, Default)]
pub struct SeedStopArgs {
    /// Seed until this share ratio is reached
    #[arg(long, value_name = "R", value_parser = parse_ratio)]
    pub seed_ratio: Option<f64>,
    /// Seed for this long
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub seed_time: Option<Duration>,
}

/// `trackless get`.
#[derive(ClapArgs, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of the command line"
)]
pub struct GetArgs {
    /// Magnet link, info hash, torrent file, URL of a torrent file, or - for a list on stdin
    #[arg(required = true, value_name = "MAGNET|HASH|FILE|URL|-")]
    pub input: Vec<String>,
    /// Folder that the files go to
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Only these files: numbers as `--list` shows them (1,3-5) or a pattern (*.mkv)
    #[arg(short, long, value_name = "1,3-5|GLOB")]
    pub files: Vec<String>,
    /// Show the files and download nothing
    #[arg(short, long)]
    pub list: bool,
    /// Go on seeding when complete
    #[arg(long)]
    pub seed: bool,
    /// When seeding ends.
    #[command(flatten)]
    pub stop: SeedStopArgs,
    /// Speed limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
    /// Run this shell command when complete
    #[arg(long, value_name = "CMD")]
    pub on_complete: Option<String>,
    /// What to do with what is on disk already.
    #[command(flatten)]
    pub disk: DiskArgs,
    /// Fetch the pieces in order
    #[arg(long)]
    pub sequential: bool,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// How long `get` and `fetch` wait.
#[derive(ClapArgs, Debug, Default)]
pub struct PatienceArgs {
    /// Give up if there is no metadata and no peer after this time
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Give up if nothing arrived for this time
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub stall_timeout: Option<Duration>,
}

/// What `get` and `seed` do with data on disk.
#[derive(ClapArgs, Debug, Default)]
pub struct DiskArgs {
    /// Hash everything on disk again, whatever the resume data says
    #[arg(long)]
    pub check: bool,
    /// Overwrite files that hold other data
    #[arg(long)]
    pub force: bool,
}

/// `trackless seed`.
#[derive(ClapArgs, Debug)]
pub struct SeedArgs {
    /// Torrent files
    #[arg(required = true)]
    pub torrent: Vec<PathBuf>,
    /// Folder that holds the torrents' files or folders (default: that of each torrent file)
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Hash everything on disk again, whatever the resume data says
    #[arg(long)]
    pub check: bool,
    /// When seeding ends.
    #[command(flatten)]
    pub stop: SeedStopArgs,
    /// Speed limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless share`.
#[derive(ClapArgs, Debug)]
pub struct ShareArgs {
    /// Files and folders; each becomes a torrent of its own
    #[arg(required = true)]
    pub path: Vec<PathBuf>,
    /// Announce URL (repeatable; each is a tier of its own)
    #[arg(long, value_name = "URL")]
    pub tracker: Vec<String>,
    /// Peers from its trackers only (BEP 27): no DHT, no peer exchange
    #[arg(long, requires = "tracker")]
    pub private: bool,
    /// When seeding ends.
    #[command(flatten)]
    pub stop: SeedStopArgs,
    /// Speed limits.
    #[command(flatten)]
    pub limits: LimitArgs,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless show`.
#[derive(ClapArgs, Debug)]
pub struct ShowArgs {
    /// Torrent file, magnet link or info hash
    #[arg(value_name = "TORRENT|MAGNET|HASH")]
    pub input: String,
    /// List the files
    #[arg(long)]
    pub files: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless fetch`.
#[derive(ClapArgs, Debug)]
pub struct FetchArgs {
    /// Magnet link or info hash
    #[arg(value_name = "MAGNET|HASH")]
    pub input: String,
    /// Where to write the torrent file (default: NAME.torrent here)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
    /// How long to wait.
    #[command(flatten)]
    pub patience: PatienceArgs,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless torrent …`.
#[derive(Subcommand, Debug)]
pub enum TorrentCommand {
    /// Make a torrent file; prints the magnet link
    Create(CreateArgs),
    /// Hash files and compare them with a torrent
    Verify {
        /// The torrent file
        torrent: PathBuf,
        /// The file or folder, or the folder it lies in (default: that of the torrent file)
        path: Option<PathBuf>,
    },
    /// Print the magnet link of a torrent file
    Magnet {
        /// The torrent file
        torrent: PathBuf,
    },
}

/// `trackless torrent create`.
#[derive(ClapArgs, Debug)]
pub struct CreateArgs {
    /// The file or folder
    pub path: PathBuf,
    /// Where to write the torrent file (default: NAME.torrent here)
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Bytes a piece, a power of two (default: by size)
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub piece_length: Option<u64>,
    /// Peers from its trackers only (BEP 27): no DHT, no peer exchange
    #[arg(long, requires = "tracker")]
    pub private: bool,
    /// Announce URL (repeatable; each is a tier of its own)
    #[arg(long, value_name = "URL")]
    pub tracker: Vec<String>,
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}

/// `trackless doctor`.
#[derive(ClapArgs, Debug, Default)]
pub struct DoctorArgs {
    /// Folder for downloads whose disk is checked
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How long to wait for the network and for a stranger at the port
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// The network.
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// `trackless demo`.
#[derive(ClapArgs, Debug, Default)]
pub struct DemoArgs {
    /// DHT nodes in the private network
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(4..=500))]
    pub nodes: Option<u16>,
    /// Bytes to download
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub size: Option<u64>,
}

/// The whole command tree, with an environment variable for every option.
///
/// Done by rule instead of by hand, so that no option can be forgotten: `--some-name` is
/// `TRACKLESS_SOME_NAME`. A flag is set by anything but ``, `0`, `n`, `no`, `f`, `false`, `off`.
pub fn command() -> clap::Command {
    with_environment(Args::command())
}

/// Parses the process's arguments.
///
/// # Errors
/// Whatever clap has to say, `--help` and `--version` included.
pub fn parse<I, T>(arguments: I) -> Result<Args, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<std::ffi::OsString> + Clone,
{
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Args::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

fn with_environment(command: clap::Command) -> clap::Command {
    command
        .mut_args(|arg| {
            let Some(long) = arg.get_long() else {
                return arg;
            };
            let variable = format!("TRACKLESS_{}", long.replace('-', "_").to_uppercase());
            let arg = match arg.get_action() {
                ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
                _ => arg,
            };
            // Said once below the help instead of at each option.
            arg.env(variable).hide_env(true)
        })
        .mut_subcommands(|command| with_environment(command.after_help(AFTER_HELP)))
}

#[cfg(test)]
mod tests;
