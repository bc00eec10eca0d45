//! Other people's clients, and ours: how each is started with its defaults and told to look.
//!
//! A client has a thread of its own, since telling it may take as long as starting a process, and the
//! router must not wait. Invariant: what was started ends with its [`Client`]. Whether a client did
//! what it was told is not known here: that is measured on its wire.

use std::io;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use dht::Id;

use super::namespace::Place;

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Program {
    /// `trackless dht lookup`, a process for each hash.
    Trackless,
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Program::Trackless => "trackless",
        })
    }
}

/// What a client is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// Which one.
    pub program: Program,
    /// Where.
    pub place: Place,
    /// Its UDP port.
    pub port: u16,
    /// Nodes to join through.
    pub bootstrap: Vec<SocketAddrV4>,
    /// Home, state and logs.
    pub folder: PathBuf,
    /// The programs of this workspace.
    pub programs: PathBuf,
}

/// A client that runs.
#[derive(Debug)]
pub struct Client {
    orders: Option<Sender<Id>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts one.
    ///
    /// # Errors
    /// Its folder cannot be made, or the program is not there.
    pub fn start(start: Start) -> io::Result<Client> {
        std::fs::create_dir_all(&start.folder)?;
        let (orders, listening) = mpsc::channel();
        let thread = std::thread::spawn(move || obey(&start, &listening));
        Ok(Client {
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Tells it to look for peers of `hash`.
    pub fn look_up(&self, hash: Id) {
        if let Some(orders) = &self.orders {
            // It is gone, or it will be told.
            let _ = orders.send(hash);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A process that ends with its value.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn spawn(mut command: Command, log: &Path) -> io::Result<Process> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        command.stdout(log.try_clone()?).stderr(log);
        command.spawn().map(Process)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It ended by itself, or it is ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Does what a client is told, until it is told no more.
fn obey(start: &Start, orders: &Receiver<Id>) {
    let mut running: Option<Process> = None;
    while let Ok(hash) = orders.recv() {
        // Another process would find the port taken.
        running.take();
        running = trackless(start, hash)
            .map_err(|error| eprintln!("{}: {error}", start.program))
            .ok();
    }
    drop(running);
}

fn trackless(start: &Start, hash: Id) -> io::Result<Process> {
    let program = start.programs.join("trackless");
    let mut command = start
        .place
        .command(&program.to_string_lossy(), &start.folder);
    command.args(["dht", "lookup", &hash.to_string(), "--trace"]);
    command.args(["--port", &start.port.to_string()]);
    for node in &start.bootstrap {
        command.args(["--bootstrap", &node.to_string()]);
    }
    command.stdin(Stdio::null());
    Process::spawn(command, &start.folder.join("log"))
}
