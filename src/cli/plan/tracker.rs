//! The plan of `trackless tracker`.

use std::path::PathBuf;
use std::time::Duration;

use crate::io::Listen;
use crate::tracker::server::Allowed;

/// `trackless tracker`.
#[derive(Debug)]
pub struct TrackerPlan {
    /// Where HTTP is served. Not both lists are empty.
    pub http: Vec<Listen>,
    /// Where UDP is served.
    pub udp: Vec<Listen>,
    /// The file that outlives the process.
    pub db: Option<PathBuf>,
    /// The torrents that are served; `None`: all.
    pub allow_list: Option<AllowList>,
    /// Between announces, in whole seconds; 10 s to a day.
    pub interval: Duration,
    /// Peers in a reply, 1 to 200.
    pub reply_peers: usize,
}

/// A list of torrents, read once and again when asked.
#[derive(Debug)]
pub struct AllowList {
    /// Its file.
    pub path: PathBuf,
    /// What it said.
    pub allowed: Allowed,
}
