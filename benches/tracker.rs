//! What `trackless tracker` carries: announces a second over UDP and over HTTP, beside opentracker in the same run, and
//! the memory of a million peers.
//!
//! `cargo bench -p trackless --bench tracker -- [SECONDS] [udp|http|memory]…`; opentracker is taken if it is there
//! (`apt-get install opentracker`). Both trackers run as processes of their own on loopback, one after the other, with
//! one generator on the same machine; nobody is pinned. 1,000 torrents of 64 peers each, so that every reply has 50.
//! "CPU" is the tracker's processor time by announce, which is worth more than the rate where the machine is shared. The
//! issue asks for 100,000 a second over UDP and 20,000 over HTTP on two cores, and 120 bytes a peer.
//!
//! Bytes a peer at a million peers: one torrent 22.6; 10,000 torrents of 100 peers 28.7 (46.3 with IPv6 only); 200,000 of
//! five 31.8; a million torrents of one peer each 114.5.
//!
//! Two shared cores (AMD EPYC, Linux 6.18) with ten other jobs, so that tracker and generator had 30 to 40 % of a core each;
//! processor time of the tracker by announce, and what a whole core would answer with it:
//!
//! | | trackless | with `--db` | opentracker |
//! |---|---|---|---|
//! | UDP, 50 peers (opentracker 63) | 7.9 µs, 126,000/s | 10.8 µs | 9.2 µs, 109,000/s |
//! | HTTP, a connection each | 36 µs, 28,000/s | 46 µs | 28 µs (39 peers) |
//! | HTTP, connections kept | 11.5 µs, 87,000/s | 17.5 µs | 29 µs, closes some |
//!
//! Three quarters of the time over UDP are the kernel's.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement over real sockets in real time"
)]
#![allow(missing_docs, reason = "a program")]

#[path = "tracker/memory.rs"]
mod memory;
#[path = "tracker/trackers.rs"]
mod trackers;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use trackers::Subject;

/// Torrents that are announced.
const TORRENTS: usize = 1000;
/// Peers of each; as many as one address may have.
const PEERS: usize = 64;
/// Sockets of the generator: the kernel spreads them over those of a tracker.
const SOCKETS: usize = 8;
/// Datagrams in flight on each.
const WINDOW: usize = 128;
/// After this silence, what is in flight counts as lost.
const SILENCE: Duration = Duration::from_millis(200);
/// HTTP connections at a time.
const CONNECTIONS: usize = 64;

/// The info hash of torrent number `torrent`.
fn hash(torrent: usize) -> [u8; 20] {
    let mut hash = [0x5a; 20];
    hash[..2].copy_from_slice(&(torrent as u16).to_be_bytes());
    hash
}

/// What one run counted.
struct Count {
    answered: u64,
    bytes: u64,
    lost: u64,
    took: Duration,
}

/// BEP 15 announces of every peer of every torrent, in an order that visits torrents in turn.
fn announces(connection: [u8; 8]) -> Vec<Vec<u8>> {
    let announce = |number: usize| {
        let mut datagram = connection.to_vec();
        datagram.extend([0, 0, 0, 1, 1, 2, 3, 4]);
        datagram.extend(hash(number % TORRENTS));
        datagram.extend([b'x'; 20]);
        // downloaded, left (7), uploaded, event, ip, key, numwant (-1), port
        datagram.extend([
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        datagram.extend([0; 12]);
        datagram.extend([0xff; 4]);
        datagram.extend((1000 + (number / TORRENTS) as u16).to_be_bytes());
        datagram
    };
    (0..TORRENTS * PEERS).map(announce).collect()
}

/// A socket of the generator.
struct Line {
    socket: UdpSocket,
    flying: usize,
    heard: Instant,
}

fn udp(at: SocketAddr, span: Duration) -> Count {
    let mut lines: Vec<Line> = (0..SOCKETS).map(|_| Line::open(at)).collect();
    let mut buffer = [0; 2048];
    let mut connect = 0x417_2710_1980_u64.to_be_bytes().to_vec();
    connect.extend([0, 0, 0, 0, 1, 2, 3, 4]);
    // Connection ids are bound to the address: one is good for all.
    lines[0].socket.send(&connect).expect("sent");
    lines[0].socket.recv(&mut buffer).expect("a connection id");
    let announces = announces(<[u8; 8]>::try_from(&buffer[8..16]).expect("eight bytes"));
    lines
        .iter()
        .for_each(|line| line.socket.set_nonblocking(true).expect("an option"));
    // A while to enter everybody; the rest counts.
    let mut turn = announces.iter().map(Vec::as_slice).cycle();
    flood(&mut lines, &mut turn, Duration::from_secs(2));
    flood(&mut lines, &mut turn, span)
}

impl Line {
    fn open(at: SocketAddr) -> Line {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        socket.connect(at).expect("loopback");
        Line {
            socket,
            flying: 0,
            heard: Instant::now(),
        }
    }

    /// Fills up what is in flight once half has come back, so that the tracker does not wake for each; then
    /// reads what is there. How much was read.
    fn turn<'a>(&mut self, turn: &mut impl Iterator<Item = &'a [u8]>, count: &mut Count) -> u64 {
        if self.flying <= WINDOW / 2 {
            for datagram in turn.take(WINDOW - self.flying) {
                let _ = self.socket.send(datagram);
                self.flying += 1;
            }
        }
        let (mut buffer, mut read) = ([0; 2048], 0);
        while let Ok(length) = self.socket.recv(&mut buffer) {
            assert_eq!(
                buffer[3],
                1,
                "{}",
                String::from_utf8_lossy(&buffer[8..length])
            );
            count.bytes += length as u64;
            read += 1;
            self.flying = self.flying.saturating_sub(1);
        }
        if read > 0 {
            self.heard = Instant::now();
        } else if self.heard.elapsed() > SILENCE {
            count.lost += self.flying as u64;
            self.flying = 0;
            self.heard = Instant::now();
        }
        count.answered += read;
        read
    }
}

/// Keeps up to [`WINDOW`] announces in flight on each socket for `span`.
fn flood<'a>(
    lines: &mut [Line],
    turn: &mut impl Iterator<Item = &'a [u8]>,
    span: Duration,
) -> Count {
    let mut count = Count {
        answered: 0,
        bytes: 0,
        lost: 0,
        took: span,
    };
    let begun = Instant::now();
    lines.iter_mut().for_each(|line| line.heard = begun);
    while begun.elapsed() < span {
        let read: u64 = lines
            .iter_mut()
            .map(|line| line.turn(turn, &mut count))
            .sum();
        if read == 0 {
            // Where cores are shared, the tracker may need this one.
            std::thread::yield_now();
        }
    }
    count.took = begun.elapsed();
    count
}

/// How a generator treats connections.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Habit {
    /// One announce each, as clients do.
    Close,
    /// Many, as clients with many torrents may.
    Keep,
}

fn http(at: SocketAddr, span: Duration, habit: Habit) -> Count {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let begun = Instant::now();
    let counts = runtime.expect("a runtime").block_on(async {
        let workers = (0..CONNECTIONS)
            .map(|worker| tokio::spawn(announce_http(at, worker, begun + span, habit)));
        let workers: Vec<_> = workers.collect();
        let mut counts = Vec::new();
        for worker in workers {
            counts.push(worker.await.expect("a worker"));
        }
        counts
    });
    let sum = |of: fn(&Count) -> u64| counts.iter().map(of).sum();
    Count {
        answered: sum(|count| count.answered),
        bytes: sum(|count| count.bytes),
        lost: sum(|count| count.lost),
        took: begun.elapsed(),
    }
}

/// One of many: from an address of its own, since a pair of addresses has 28,000 connections a minute only.
async fn announce_http(at: SocketAddr, worker: usize, end: Instant, habit: Habit) -> Count {
    let from = Ipv4Addr::new(127, 0, 1, 1 + worker as u8);
    let mut count = Count {
        answered: 0,
        bytes: 0,
        lost: 0,
        took: Duration::ZERO,
    };
    let mut buffer = vec![0; 4096];
    let (mut stream, mut number) = (None, worker);
    while Instant::now() < end {
        let escaped: String = hash(number % TORRENTS)
            .iter()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let connection = if habit == Habit::Close {
            "close"
        } else {
            "keep-alive"
        };
        let request = format!(
            "GET /announce?info_hash={escaped}&peer_id=-XX0000-aaaaaaaaaaaa&port={}&uploaded=0&downloaded=0&left=7\
             &compact=1 HTTP/1.1\r\nHost: tracker\r\nConnection: {connection}\r\nUser-Agent: bench\r\n\r\n",
            1000 + number % PEERS
        );
        number += CONNECTIONS + 1;
        match exchange(at, from, &mut stream, request.as_bytes(), &mut buffer).await {
            Some(length) => {
                count.answered += 1;
                count.bytes += length as u64;
            }
            None => {
                count.lost += 1;
                stream = None;
            }
        }
        if habit == Habit::Close {
            stream = None;
        }
    }
    count
}

/// One request and its whole reply; its length.
async fn exchange(
    at: SocketAddr,
    from: Ipv4Addr,
    stream: &mut Option<TcpStream>,
    request: &[u8],
    buffer: &mut [u8],
) -> Option<usize> {
    if stream.is_none() {
        let socket = TcpSocket::new_v4().ok()?;
        socket.set_reuseaddr(true).ok()?;
        socket.bind((from, 0).into()).ok()?;
        *stream = Some(socket.connect(at).await.ok()?);
    }
    let stream = stream.as_mut()?;
    stream.write_all(request).await.ok()?;
    let mut have = 0;
    loop {
        let got = stream.read(buffer.get_mut(have..)?).await.ok()?;
        have += got;
        let said = &buffer[..have];
        if let Some(end) = said.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&said[..end]).to_ascii_lowercase();
            let length: Option<usize> = head
                .split("content-length: ")
                .nth(1)
                .and_then(|rest| rest.lines().next()?.trim().parse().ok());
            match length {
                Some(length) if have >= end + 4 + length => return Some(have),
                None if got == 0 => return Some(have),
                _ => {}
            }
        }
        if got == 0 {
            return None;
        }
    }
}

fn report(subject: &Subject, kind: &str, before: Duration, count: &Count) {
    let used = subject.cpu() - before;
    println!(
        "{:<12} {kind:<18} {:>9.0} {:>7.2} {:>6.0}% {:>9} {:>6}",
        subject.name,
        count.answered as f64 / count.took.as_secs_f64(),
        used.as_secs_f64() * 1e6 / count.answered.max(1) as f64,
        100.0 * used.as_secs_f64() / count.took.as_secs_f64(),
        count.bytes / count.answered.max(1),
        count.lost,
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with("--"))
        .collect();
    if let [what, kind] = &arguments[..]
        && what == "fill"
    {
        return memory::fill(kind);
    }
    let span = arguments.iter().find_map(|it| it.parse().ok()).unwrap_or(5);
    let span = Duration::from_secs(span);
    let kinds: Vec<&String> = arguments
        .iter()
        .filter(|it| it.parse::<u64>().is_err())
        .collect();
    let wanted = |kind: &str| kinds.is_empty() || kinds.iter().any(|it| *it == kind);
    if wanted("udp") || wanted("http") {
        println!("tracker      announces           answered/s  CPU µs   CPU   bytes/reply  lost");
        for start in [Subject::ours, Subject::ours_with_db, Subject::opentracker] {
            let Some(subject) = start() else { continue };
            if wanted("udp") {
                let before = subject.cpu();
                report(&subject, "udp", before, &udp(subject.at, span));
            }
            for habit in [Habit::Close, Habit::Keep] {
                if wanted("http") {
                    let before = subject.cpu();
                    let kind = format!("http {habit:?}").to_lowercase();
                    report(&subject, &kind, before, &http(subject.at, span, habit));
                }
            }
            println!(
                "{:<12} {} MiB resident",
                subject.name,
                subject.resident() >> 20
            );
        }
    }
    if wanted("memory") {
        memory::measure();
    }
}
