//! A private DHT of bare nodes on the loopback interface, and commands that join it.
//!
//! Invariant: nothing leaves the machine, and every run has its own folder.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::{seconds, wait_until};

/// Enough for a lookup to have someone to choose from.
pub const NODES: usize = 6;

/// `trackless` in an environment of its own.
pub fn trackless(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .current_dir(home);
    command
}

/// What a node says about itself before a character that is none of it.
pub fn said(node: &Process, before: &str) -> Option<String> {
    let text = node.stderr();
    let (_, rest) = text.split_once(before)?;
    let end = rest.find(|c: char| c.is_whitespace() || c == '/')?;
    Some(rest[..end].to_owned())
}

/// Bare nodes that know each other; they end with the test.
#[derive(Debug)]
pub struct Network {
    pub folder: TempDir,
    pub nodes: Vec<Process>,
    /// `127.0.0.1:PORT` of the first.
    pub entry: String,
}

impl Network {
    /// Starts them and waits until a newcomer finds all.
    pub fn start() -> Network {
        let folder = tempfile::tempdir().expect("a folder");
        let mut network = Network {
            folder,
            nodes: Vec::new(),
            entry: "127.0.0.1:9".to_owned(),
        };
        for number in 0..NODES {
            let node = network.node(number);
            if number == 0 {
                network.entry = format!("127.0.0.1:{}", port_of(&node));
            }
            network.nodes.push(node);
        }
        network.nodes.iter().for_each(|node| {
            port_of(node);
        });
        let table = || network.count(&["dht", "table"], "contacts");
        let up = wait_until(seconds(30), || table() >= NODES);
        assert!(up.is_some(), "{} of {NODES} nodes found", table());
        network
    }

    fn node(&self, number: usize) -> Process {
        let home = self.home();
        let address = format!("127.0.0.{}", number + 1);
        let bootstrap = ["--bootstrap", &self.entry, "--bind", &address];
        let mut command = trackless(&home, &["dht", "node", "--metrics", "127.0.0.1:0"]);
        command.args(bootstrap).args(["--port", "0"]);
        Process::start(&format!("node-{number}"), self.folder.path(), command)
    }

    /// A folder that nobody has used.
    pub fn home(&self) -> std::path::PathBuf {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a folder");
        folder.keep()
    }

    /// `trackless` with this network, from an address of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = trackless(&self.home(), arguments);
        command.args(["--bootstrap", &self.entry, "--bind", "127.0.0.9"]);
        // What is found here is found in the DHT.
        command.arg("--no-lsd");
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("it runs")
    }

    /// The lines of stdout of a run that ends with 0.
    pub fn lines(&self, arguments: &[&str]) -> Vec<String> {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.lines().map(str::to_owned).collect()
    }

    /// The event of this type of a run with `--json`, and its exit code.
    pub fn event(&self, arguments: &[&str], kind: &str) -> (Option<i32>, Value) {
        let output = self.command(arguments).arg("--json").output();
        let output = output.expect("it runs");
        let text = String::from_utf8(output.stdout.clone()).expect("text");
        let mut events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON only"));
        let found = events.rfind(|event| event["type"] == kind);
        let found = found.unwrap_or_else(|| panic!("{arguments:?}: no {kind} in {output:?}"));
        assert_eq!(found["v"], 1);
        (output.status.code(), found)
    }

    fn count(&self, arguments: &[&str], list: &str) -> usize {
        let (_, event) = self.event(arguments, "table");
        event[list].as_array().map_or(0, Vec::len)
    }
}

fn port_of(node: &Process) -> String {
    let found = wait_until(seconds(20), || said(node, "UDP port ").is_some());
    assert!(found.is_some(), "the node tells its port");
    said(node, "UDP port ").expect("just seen")
}

/// What it wrote, to both.
pub fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}
