//! How each program is started and told: lines on its standard input, a remote control, or a process
//! for each hash. Only the port, the bootstrap nodes and the folder are set; what a namespace without
//! the internet cannot have (an RPC port of its own) is no deviation from the defaults.

use std::fs::{self, File};
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use dht::Id;

use super::{Program, Start, Task};

/// The driver of the Python binding.
const LIBTORRENT: &str = include_str!("../libtorrent_client.py");
/// Where the announcements say that the client is.
const TCP_PORT: u16 = 6_881;
/// Between two tries to reach a remote control, and how many there are.
const PATIENCE: (Duration, u32) = (Duration::from_millis(250), 40);

/// A process that ends with its value.
#[derive(Debug)]
pub(super) struct Process(Child);

/// A running client and how to tell it something.
#[derive(Debug)]
pub(super) enum Driver {
    /// A line a task.
    Lines {
        input: ChildStdin,
        /// Held, so that it ends with this.
        _process: Process,
    },
    /// A daemon and its remote control.
    Remote {
        /// What it was told last, by its 16 digits: it is dropped before the next.
        last: String,
        /// Held, so that it ends with this.
        _process: Process,
    },
    /// A process a task.
    Each(Option<Process>),
}

impl Process {
    fn spawn(mut command: Command, start: &Start) -> io::Result<Process> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(start.folder.join("log"))?;
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

/// Starts the program of `start`.
pub(super) fn open(start: &Start) -> io::Result<Driver> {
    match start.program {
        Program::TracklessCold => Ok(Driver::Each(None)),
        Program::Trackless => lines(start, &example(start, "lab-trackless"), None),
        Program::Mainline => lines(start, &example(start, "lab-mainline"), None),
        Program::Libtorrent => lines(start, "python3", Some(LIBTORRENT)),
        Program::Transmission => transmission(start).map(remote),
        Program::Aria2 => aria2(start).map(remote),
    }
}

fn remote(process: Process) -> Driver {
    Driver::Remote {
        last: String::new(),
        _process: process,
    }
}

fn example(start: &Start, name: &str) -> String {
    let path = start.programs.join("examples").join(name);
    path.to_string_lossy().into_owned()
}

fn lines(start: &Start, program: &str, script: Option<&str>) -> io::Result<Driver> {
    let mut command = start.place.command(program, &start.folder);
    if let Some(script) = script {
        command.args(["-c", script]);
    }
    command.arg(start.port.to_string());
    command.args(start.bootstrap.iter().map(ToString::to_string));
    command.stdin(Stdio::piped());
    let mut process = Process::spawn(command, start)?;
    let input = process.0.stdin.take();
    let input = input.ok_or_else(|| io::Error::other("no standard input"))?;
    Ok(Driver::Lines {
        input,
        _process: process,
    })
}

fn transmission(start: &Start) -> io::Result<Process> {
    let home = start.folder.join("transmission");
    fs::create_dir_all(&home)?;
    let settings = serde_json::json!({
        "peer-port": start.port,
        "download-dir": start.folder,
    });
    fs::write(home.join("settings.json"), settings.to_string())?;
    let doors = start.bootstrap.iter();
    let doors: String = doors
        .map(|at| format!("{} {}\n", at.ip(), at.port()))
        .collect();
    fs::write(home.join("dht.bootstrap"), doors)?;
    let mut command = start.place.command("transmission-daemon", &start.folder);
    command.arg("-f").arg("-g").arg(&home).stdin(Stdio::null());
    Process::spawn(command, start)
}

fn aria2(start: &Start) -> io::Result<Process> {
    let mut command = start.place.command("aria2c", &start.folder);
    command.args(["--no-conf", "--enable-rpc", "--console-log-level=notice"]);
    command.arg(format!("--dht-listen-port={}", start.port));
    command.arg(format!("--listen-port={TCP_PORT}"));
    command.arg(format!("--dir={}", start.folder.display()));
    let file = start.folder.join("dht.dat");
    command.arg(format!("--dht-file-path={}", file.display()));
    if let Some(door) = start.bootstrap.first() {
        command.arg(format!("--dht-entry-point={door}"));
    }
    command.stdin(Stdio::null());
    Process::spawn(command, start)
}

impl Driver {
    /// Tells the client what to do.
    pub(super) fn tell(&mut self, start: &Start, task: Task, hash: Id) -> io::Result<()> {
        match self {
            Driver::Lines { input, .. } => match task {
                Task::Lookup => writeln!(input, "lookup {hash}"),
                Task::Announce => writeln!(input, "announce {hash} {TCP_PORT}"),
            },
            Driver::Remote { last, .. } => {
                let name: String = hash.to_string().chars().take(16).collect();
                let before = std::mem::replace(last, name);
                let magnet = format!("magnet:?xt=urn:btih:{hash}");
                for step in steps(start.program, &magnet, [&before, last]) {
                    insist(start, &step)?;
                }
                Ok(())
            }
            Driver::Each(running) => {
                // Another process would find the port taken.
                running.take();
                *running = Some(cold(start, task, hash)?);
                Ok(())
            }
        }
    }
}

fn cold(start: &Start, task: Task, hash: Id) -> io::Result<Process> {
    let program = start.programs.join("trackless");
    let mut command = start
        .place
        .command(&program.to_string_lossy(), &start.folder);
    let verb = match task {
        Task::Lookup => "lookup",
        Task::Announce => "announce",
    };
    command.args(["dht", verb, &hash.to_string()]);
    command.args(["--port", &start.port.to_string()]);
    for node in &start.bootstrap {
        command.args(["--bootstrap", &node.to_string()]);
    }
    command.stdin(Stdio::null());
    Process::spawn(command, start)
}

/// What to call so that a client drops its torrents, which would fill its queue, and takes a new one.
fn steps(program: Program, magnet: &str, [before, name]: [&str; 2]) -> Vec<Vec<String>> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    if program == Program::Transmission {
        let remote = ["transmission-remote", "127.0.0.1:9091"];
        return vec![
            words(&[&remote[..], &["-t", "all", "-r"]].concat()),
            words(&[&remote[..], &["-a", magnet]].concat()),
        ];
    }
    let call = |method: &str, parameters: serde_json::Value| {
        let body = serde_json::json!({
            "jsonrpc": "2.0", "id": "lab", "method": method, "params": parameters,
        });
        let body = body.to_string();
        words(&["curl", "-sfS", "-d", &body, "http://127.0.0.1:6800/jsonrpc"])
    };
    vec![
        call("aria2.forceRemove", serde_json::json!([before])),
        call("aria2.addUri", serde_json::json!([[magnet], {"gid": name}])),
    ]
}

/// Runs a remote control until it succeeds; a daemon that starts does not listen at once. What drops a
/// torrent may fail, when there is none.
fn insist(start: &Start, words: &[String]) -> io::Result<()> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let dropping = words
        .iter()
        .any(|word| word == "-r" || word.contains("forceRemove"));
    let tries = if dropping { 1 } else { PATIENCE.1 };
    for number in 0..tries {
        if number > 0 {
            std::thread::sleep(PATIENCE.0);
        }
        let mut command = start.place.command(program, &start.folder);
        let output = command.args(arguments).stdin(Stdio::null()).output()?;
        if output.status.success() || dropping {
            return Ok(());
        }
    }
    Err(io::Error::other(format!(
        "{program} does not reach its daemon"
    )))
}
