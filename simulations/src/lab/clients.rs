//! Other people's clients, and ours: how each is started with its defaults and told to look.
//!
//! A client has a thread of its own, since telling it may take as long as starting a process, and the
//! router must not wait. Invariant: what was started ends with its [`Client`]. Whether a client did
//! what it was told is not known here: that is measured on its wire.

use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;

use dht::Id;

use super::namespace::Place;

mod drive;

/// A program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Program {
    /// Our client, one process for all hashes (`examples/lab-trackless.rs`).
    Trackless,
    /// Ours as it starts: `trackless dht lookup`, a process for each hash, which joins first.
    TracklessCold,
    /// libtorrent through its Python binding.
    Libtorrent,
    /// transmission-daemon, with a magnet link for each hash.
    Transmission,
    /// aria2c, with a magnet link for each hash.
    Aria2,
    /// The `mainline` crate (`examples/lab-mainline.rs`).
    Mainline,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 6] = [
        Program::Trackless,
        Program::TracklessCold,
        Program::Libtorrent,
        Program::Transmission,
        Program::Aria2,
        Program::Mainline,
    ];
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Program::Trackless => "trackless",
            Program::TracklessCold => "trackless-cold",
            Program::Libtorrent => "libtorrent",
            Program::Transmission => "transmission",
            Program::Aria2 => "aria2",
            Program::Mainline => "mainline",
        })
    }
}

/// What a client is told to do with a hash. Transmission and aria2 always announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Task {
    /// Look for peers.
    Lookup,
    /// Look for peers, and announce itself to the closest nodes.
    Announce,
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
    orders: Option<Sender<(Task, Id)>>,
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

    /// Gives it something to do.
    pub fn tell(&self, task: Task, hash: Id) {
        if let Some(orders) = &self.orders {
            // It is gone, or it will be told.
            let _ = orders.send((task, hash));
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

/// Does what a client is told, until it is told no more.
fn obey(start: &Start, orders: &Receiver<(Task, Id)>) {
    let mut driver = match drive::open(start) {
        Ok(driver) => driver,
        Err(error) => return eprintln!("{}: {error}", start.program),
    };
    while let Ok((task, hash)) = orders.recv() {
        if let Err(error) = driver.tell(start, task, hash) {
            eprintln!("{}: {error}", start.program);
        }
    }
}
