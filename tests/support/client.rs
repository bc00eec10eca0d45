//! `trackless get` on loopback, against scripted peers: no DHT, nothing but the peers it is told.
//!
//! Invariant: every run has its own folders for results and state, so that no two tests meet.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::line::{Has, Line};
use super::peer::Peer;
use super::process::Process;
use super::torrent::Sample;
use super::wait_until;

/// The binary under test.
pub const TRACKLESS: &str = env!("CARGO_BIN_EXE_trackless");

/// How long a run on loopback may take before it counts as stuck.
pub const STUCK: Duration = Duration::from_secs(60);

/// Where one download lives: its folders, and how many runs it has had.
#[derive(Debug)]
pub struct Bench {
    folder: TempDir,
    output: PathBuf,
    runs: usize,
}

impl Bench {
    /// Empty folders.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("trackless-test-")
            .tempdir()
            .expect("a folder");
        let output = folder.path().join("out");
        std::fs::create_dir(&output).expect("a folder for results");
        Self {
            folder,
            output,
            runs: 0,
        }
    }

    /// Everything of this download; a place for the test's own files too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where results go.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Results go to, and what is seeded lies in, this folder.
    pub fn use_output(&mut self, folder: &Path) {
        self.output = folder.to_owned();
    }

    /// Results go to a folder below, which is not made; "" changes nothing.
    pub fn put_below(&mut self, name: &str) {
        self.output.push(name);
    }

    /// `trackless get --json SOURCE` with the peers, ready to be started.
    pub fn get(&self, source: &str, peers: &[&Peer]) -> Command {
        let mut command = self.plain(source, peers);
        command.arg("--json");
        command
    }

    /// `trackless get SOURCE` with the peers, as a person would read it.
    pub fn plain(&self, source: &str, peers: &[&Peer]) -> Command {
        let mut command = Command::new(TRACKLESS);
        command.args(["get", source, "--output"]).arg(&self.output);
        command.arg("--state-dir").arg(self.folder().join("state"));
        command.args(["--bind", "127.0.0.1", "--port", "0"]);
        command.args(["--allow-net", "127.0.0.0/8"]);
        command.args(["--no-dht", "--no-pex", "--no-lsd", "--no-trackers"]);
        for peer in peers {
            command.args(["--peer", &peer.endpoint()]);
        }
        // Nothing of the user who runs the tests, and nothing for him.
        for key in [
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
        ] {
            command.env(key, self.folder());
        }
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("TRACKLESS_") {
                command.env_remove(key);
            }
        }
        command
    }

    /// Starts `command`.
    pub fn start(&mut self, command: Command) -> Process {
        self.runs += 1;
        Process::start(&format!("get-{}", self.runs), self.folder.path(), command)
    }

    /// Runs `trackless get` on the torrent file of `sample` until it ends.
    ///
    /// # Panics
    /// When it does not end with 0 and the right files.
    pub fn finish(&mut self, sample: &Sample, peers: &[&Peer]) -> Process {
        let command = self.get(sample.torrent.to_str().expect("ASCII"), peers);
        let mut process = self.start(command);
        let status = process.wait(STUCK);
        assert_eq!(status.code(), Some(0), "trackless get");
        assert!(
            sample.is_complete_in(&self.output),
            "ended with 0, but the files differ"
        );
        process
    }
}

/// The `--json` events of a type.
pub fn events(process: &Process, kind: &str) -> Vec<Value> {
    let text = process.stdout();
    let values = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.filter(|event| event["type"] == kind).collect()
}

/// Waits until `peer` has sent `count` blocks or the process has ended; whether it was the former.
pub fn served(peer: &Peer, count: usize, process: &mut Process) -> bool {
    wait_until(STUCK, || {
        peer.seen().blocks.len() >= count || process.ended().is_some()
    });
    peer.seen().blocks.len() >= count
}

/// A seed of what lies in the bench's output, with more arguments, and the port it listens on.
///
/// # Panics
/// When it does not say its port.
pub fn seed(bench: &mut Bench, torrent: &Path, arguments: &[&str]) -> (Process, u16) {
    let mut command = Command::new(TRACKLESS);
    command.arg("seed").arg(torrent);
    command.arg("--data").arg(bench.output());
    command.arg("--state-dir").arg(bench.folder().join("state"));
    command.args(["--json", "--bind", "127.0.0.1", "--port", "0"]);
    command.args(["--allow-net", "127.0.0.0/8"]);
    command.args(["--no-dht", "--no-pex", "--no-lsd", "--no-trackers"]);
    command.args(arguments).env("HOME", bench.folder());
    let process = bench.start(command);
    let mut port = None;
    wait_until(STUCK, || {
        let notes = events(&process, "note");
        let words = notes.iter().filter_map(|note| note["message"].as_str());
        port = words
            .filter_map(|text| text.strip_prefix("listening on port "))
            .find_map(|port| port.parse().ok());
        port.is_some()
    });
    (process, port.expect("it says its port"))
}

/// A connection to a seed that may ask at once. Whoever comes while the data is still being looked at is turned away, so
/// it is tried again.
///
/// # Panics
/// When it is not answered.
pub fn leech(port: u16, info_hash: &str) -> Line {
    let mut line = None;
    wait_until(STUCK, || {
        let stream = TcpStream::connect(("127.0.0.1", port));
        let greeted = stream.and_then(|stream| Line::greet(stream, info_hash, Has::None));
        line = greeted.ok();
        line.is_some()
    });
    let mut line = line.expect("it answers");
    line.send(2, &[]).expect("interested");
    line.wait_for(1).expect("unchoked");
    line
}
