//! A seeding program and those who call it: raw connections from chosen addresses of 127.0.0.0/8, the bytes of the
//! wire protocol written out, and what the process costs as the kernel counts it.
//!
//! It shares no line with `trackless::wire`. It knows no downloads.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::client::{STUCK, TRACKLESS, events};
use super::process::Process;
use super::torrent::Sample;
use super::wait_until;

/// `trackless seed --json` on loopback.
#[derive(Debug)]
pub struct Seeder {
    /// The program.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Seeder {
    /// Starts it with these torrents, all data in one folder, and waits until it listens and serves. `files` limits its
    /// descriptors; the program and its arguments go behind `prlimit` then.
    pub fn start(samples: &[&Sample], files: Option<u32>) -> Self {
        let port = free_port();
        let folder = samples[0].torrent.parent().expect("a folder");
        let mut command = Command::new(TRACKLESS);
        command
            .arg("seed")
            .args(samples.iter().map(|it| &it.torrent));
        command.arg("--data").arg(&samples[0].data);
        command.arg("--state-dir").arg(folder.join("state"));
        command.args(["--bind", "127.0.0.1", "--allow-net", "127.0.0.0/8"]);
        command.args(["--port", &port.to_string(), "--json"]);
        command.args(["--no-dht", "--no-pex", "--no-lsd", "--no-trackers"]);
        command.env("HOME", folder);
        let command = match files {
            Some(files) => limited(&command, files),
            None => command,
        };
        let mut process = Process::start("seeder", folder, command);
        let up = wait_until(STUCK, || {
            let told = events(&process, "progress");
            let seeding = told.iter().filter(|event| event["state"] == "seeding");
            let seeding: BTreeSet<_> = seeding.map(|it| it["info_hash"].to_string()).collect();
            seeding.len() >= samples.len() || process.ended().is_some()
        });
        assert!(up.is_some() && process.ended().is_none(), "no seeder");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { process, address }
    }

    /// What the process costs now.
    pub fn cost(&self) -> Cost {
        Cost::of(self.process.id())
    }

    /// The last count of `place` (`torrent`, `listener`), `kind` and `reason` that it told.
    pub fn count(&self, place: &str, kind: &str, reason: &str) -> u64 {
        let told = events(&self.process, "reasons");
        let last = told
            .last()
            .map_or(&Value::Null, |event| &event[place][kind][reason]);
        last.as_u64().unwrap_or(0)
    }
}

/// The same command with so many descriptors at most.
pub fn limited(command: &Command, files: u32) -> Command {
    within(command, &format!("--nofile={files}:{files}"))
}

/// The same command under a limit of the kernel, as `prlimit` takes it.
pub fn within(command: &Command, limit: &str) -> Command {
    let mut limited = Command::new("prlimit");
    limited.arg(limit);
    limited.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(key, value),
            None => limited.env_remove(key),
        };
    }
    limited
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// What the kernel says of a process.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Resident bytes that are no file's: what the program has taken.
    pub anonymous: u64,
    /// All resident bytes.
    pub resident: u64,
    /// Processor time so far.
    pub processor: Duration,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Cost {
    /// Of this process.
    pub fn of(id: u32) -> Self {
        let read =
            |what: &str| std::fs::read_to_string(format!("/proc/{id}/{what}")).expect("/proc");
        let status = read("status");
        let bytes = |key: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(key))
                .expect("a line");
            let number = line
                .split_whitespace()
                .nth(1)
                .and_then(|it| it.parse::<u64>().ok());
            number.expect("a number") * 1024
        };
        let stat = read("stat");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .expect("a name")
            .split_whitespace()
            .collect();
        // Fields 14 and 15, in hundredths of a second.
        let ticks: u64 = fields[11..13]
            .iter()
            .map(|it| it.parse::<u64>().expect("ticks"))
            .sum();
        let open = std::fs::read_dir(format!("/proc/{id}/fd")).expect("/proc");
        Self {
            anonymous: bytes("RssAnon:"),
            resident: bytes("VmRSS:"),
            processor: Duration::from_millis(ticks * 10),
            descriptors: open.count(),
        }
    }
}

/// Opens a connection to `to` from this address.
pub fn call(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), Duration::from_secs(5))?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// The handshake for a torrent, without extensions, from the peer with this number.
pub fn handshake(info_hash: &str, number: u32) -> Vec<u8> {
    let mut hello = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    hello.extend_from_slice(&hex::decode(info_hash).expect("hex"));
    hello.extend_from_slice(format!("-XX0001-{number:012}").as_bytes());
    hello
}

/// Whether the other side has closed, waiting for at most `limit`.
pub fn is_closed(stream: &mut TcpStream, limit: Duration) -> bool {
    let _ = stream.set_read_timeout(Some(limit));
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                let waited = [io::ErrorKind::WouldBlock, io::ErrorKind::TimedOut];
                return !waited.contains(&error.kind());
            }
        }
    }
}

/// Asks for the first block of a torrent as an honest peer would, from this address; the block's bytes.
///
/// # Errors
/// When it is turned away or not answered.
pub fn fetch_block(from: Ipv4Addr, to: SocketAddr, sample: &Sample) -> io::Result<Vec<u8>> {
    let mut stream = call(from, to)?;
    stream.write_all(&handshake(&sample.info_hash, u32::from(from)))?;
    let mut theirs = [0; 68];
    stream.read_exact(&mut theirs)?;
    stream.write_all(&[0, 0, 0, 1, 2])?;
    let length = u32::try_from(sample.content.len().min(16_384)).expect("small");
    loop {
        let mut head = [0; 4];
        stream.read_exact(&mut head)?;
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(head)).expect("64 bit")];
        stream.read_exact(&mut message)?;
        match message.first() {
            Some(1) => {
                let mut ask = vec![0, 0, 0, 13, 6, 0, 0, 0, 0, 0, 0, 0, 0];
                ask.extend_from_slice(&length.to_be_bytes());
                stream.write_all(&ask)?;
            }
            Some(7) => return Ok(message[9..].to_vec()),
            _ => {}
        }
    }
}
