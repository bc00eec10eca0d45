//! The commands' plans: plain values, every one checked, with every default filled in. This is
//! what the commands read; they never see an option, a variable or the file.

use std::path::PathBuf;
use std::time::Duration;

use bencode::Cidr;

use super::hosts::{Bind, HostPort};
use super::input::Input;
use super::selection::Selection;

mod dht;
mod tracker;

pub use tracker::{AllowList, TrackerPlan};

pub use dht::{
    AnnouncePlan, DhtPlan, FindPlan, GetItemPlan, IdPlan, KeySource, LookupPlan, NodePlan, PutPlan,
    Secret, Stored, Trace, Wanted,
};

/// Which address families to use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Families {
    /// Whatever the machine has.
    Both,
    /// `-4`
    V4,
    /// `-6`
    V6,
}

/// One source of peers, used or not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    /// Used.
    On,
    /// Not used.
    Off,
}

impl Switch {
    /// Whether it is used.
    pub fn is_on(self) -> bool {
        self == Self::On
    }
}

/// Everything that a command with a network has to know about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkPlan {
    /// TCP and UDP; 0 takes any.
    pub port: u16,
    /// `None`: every address.
    pub bind: Option<Bind>,
    /// IPv4, IPv6 or both.
    pub families: Families,
    /// Nodes to join through; never empty.
    pub bootstrap: Vec<HostPort>,
    /// Peers to try first.
    pub peers: Vec<HostPort>,
    /// Special ranges that are acceptable.
    pub allowed: Vec<Cidr>,
    /// Kademlia.
    pub dht: Switch,
    /// Peer exchange.
    pub pex: Switch,
    /// Local discovery.
    pub lsd: Switch,
    /// Trackers.
    pub trackers: Switch,
    /// Giving up the right to touch files outside the folders in use.
    pub confine: Switch,
    /// Where resume data and DHT contacts are kept; may not exist yet.
    pub state_dir: PathBuf,
}

/// Bytes a second; 0 is no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Received.
    pub down: u64,
    /// Sent.
    pub up: u64,
}

/// When seeding ends, whichever comes first; both `None`: not by itself.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct SeedStop {
    /// Uploaded ÷ size.
    pub ratio: Option<f64>,
    /// Since it was complete.
    pub time: Option<Duration>,
}

/// How long to wait; `None` is for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Patience {
    /// Without metadata and without a peer.
    pub start: Option<Duration>,
    /// Without a new byte.
    pub stall: Option<Duration>,
}

/// Whether resume data is believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Check {
    /// After its fingerprints fit.
    Resume,
    /// `--check`: everything is hashed.
    Rehash,
}

/// What happens to files that are in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Existing {
    /// Kept: exit code 10.
    Keep,
    /// `--force`
    Overwrite,
}

/// Order of pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceOrder {
    /// Rarest first.
    Rarest,
    /// `--sequential`
    Sequential,
}

/// What to do when a download is complete.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum After {
    /// End.
    Leave,
    /// Seed on.
    Seed(SeedStop),
}

/// A command to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hook {
    /// From the command line: for `sh -c`.
    Shell(String),
    /// From the file: program and arguments, never empty.
    Program(Vec<String>),
}

impl Hook {
    /// The process to start; the caller sets its environment.
    pub fn process(&self) -> std::process::Command {
        match self {
            Hook::Shell(line) => {
                let mut process = std::process::Command::new("sh");
                process.arg("-c").arg(line);
                process
            }
            Hook::Program(words) => {
                let mut words = words.iter();
                let program = words.next().map_or("true", String::as_str);
                let mut process = std::process::Command::new(program);
                process.args(words);
                process
            }
        }
    }
}

/// `trackless get`.
#[derive(Debug)]
pub struct GetPlan {
    /// What to download; never empty.
    pub inputs: Vec<Input>,
    /// Where to; checked to be, or to be creatable as, a writable folder.
    pub output: PathBuf,
    /// Which files.
    pub selection: Selection,
    /// Download, or only list.
    pub task: GetTask,
    /// End or seed.
    pub after: After,
    /// Rates.
    pub limits: Limits,
    /// Waiting.
    pub patience: Patience,
    /// A command to run.
    pub on_complete: Option<Hook>,
    /// Resume data.
    pub check: Check,
    /// Files in the way.
    pub existing: Existing,
    /// Order of pieces.
    pub order: PieceOrder,
    /// The network.
    pub network: NetworkPlan,
}

/// What `get` does once it knows the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GetTask {
    /// Downloads them.
    Download,
    /// `--list`: shows them.
    List,
}

/// `trackless seed`.
#[derive(Debug)]
pub struct SeedPlan {
    /// What to seed; never empty.
    pub tasks: Vec<SeedTask>,
    /// Resume data.
    pub check: Check,
    /// When to end.
    pub stop: SeedStop,
    /// Rates.
    pub limits: Limits,
    /// The network.
    pub network: NetworkPlan,
}

/// One torrent of `trackless seed`.
#[derive(Debug)]
pub struct SeedTask {
    /// The torrent file.
    pub torrent: PathBuf,
    /// Folder that holds the torrent's file or folder.
    pub data: PathBuf,
}

/// `trackless share`.
#[derive(Debug)]
pub struct SharePlan {
    /// Files and folders, each existing; never empty.
    pub paths: Vec<PathBuf>,
    /// Announce URLs, each a tier of its own.
    pub trackers: Vec<String>,
    /// Peers from everywhere; off: from the trackers only (BEP 27).
    pub everywhere: Switch,
    /// When to end.
    pub stop: SeedStop,
    /// Rates.
    pub limits: Limits,
    /// The network.
    pub network: NetworkPlan,
}

/// `trackless show`.
#[derive(Debug)]
pub struct ShowPlan {
    /// Torrent file, magnet link or hash.
    pub input: Input,
    /// Whether to list the files.
    pub files: FileList,
    /// Waiting.
    pub patience: Patience,
    /// The network, for magnets.
    pub network: NetworkPlan,
}

/// Whether `show` lists files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileList {
    /// Only how many.
    Count,
    /// `--files`
    All,
}

/// `trackless fetch`.
#[derive(Debug)]
pub struct FetchPlan {
    /// Magnet link or hash.
    pub input: Input,
    /// Where to; `None`: NAME.torrent here.
    pub output: Option<PathBuf>,
    /// A file in the way.
    pub existing: Existing,
    /// Waiting.
    pub patience: Patience,
    /// The network.
    pub network: NetworkPlan,
}

/// `trackless doctor`.
#[derive(Debug)]
pub struct DoctorPlan {
    /// Where downloads would go; may not exist yet.
    pub output: PathBuf,
    /// The longest wait of any check.
    pub patience: Duration,
    /// The network.
    pub network: NetworkPlan,
}

/// `trackless demo`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DemoPlan {
    /// DHT nodes, 4 to 500.
    pub nodes: u16,
    /// Bytes to download.
    pub size: u64,
}
