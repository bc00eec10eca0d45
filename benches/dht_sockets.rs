//! How many queries a node answers through its UDP socket: the driver of `io::dht` on one core, one
//! generator on another that keeps a fixed number of queries in flight.
//!
//! `cargo bench -p trackless --bench dht_sockets -- [SECONDS] [WINDOW]`; the program pins its two
//! threads to cores 0 and 1 itself. "per core/s" is what the node's processor time would give in a
//! second of a core of its own: compare that where the machine is shared. The issue asks for 150,000.
//!
//! Two shared cores (AMD EPYC, Linux 6.18), 256 in flight, 64 contacts, a quiet moment; answered a
//! second with the node's core fully used, and processor time of the node for each:
//!
//! | query | a system call a reply | `sendmmsg` after up to 64 queries |
//! |---|---|---|
//! | ping | 210,000 (4.74 µs) | 256,000 (3.87 µs) |
//! | find_node, 289 bytes | 183,000 (5.45 µs) | 205,000 (4.82 µs) |
//! | get_peers, 306 bytes | 174,000 (5.71 µs) | 204,000 (4.85 µs) |
//!
//! While others use the cores, both take up to a quarter longer and the difference is a tenth. Over loopback
//! the sender also pays for delivery: four fifths of the time were the kernel's before, 64 % sending
//! and 15 % receiving. GSO sends one destination's datagrams together, and a node's replies have many.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement over real sockets in real time"
)]
#![allow(missing_docs, reason = "a program")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use dht::message::{self, Answer, Body, Envelope, Method, Standing, Want};
use dht::{Allowance, Family, Id};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc as wakeful;
use trackless::io::{Bind, Client, ClientConfig, Port};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Nodes that the node meets before the measurement, so that its replies are full.
const NEIGHBOURS: u8 = 64;
/// How long they answer it.
const ACQUAINTANCE: Duration = Duration::from_secs(3);
/// Different queries sent in turn.
const QUERIES: usize = 256;
/// After this silence, what is in flight counts as lost.
const SILENCE: Duration = Duration::from_millis(50);

/// Processor time that this thread has used.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("not negative"),
        u32::try_from(time.tv_nsec).expect("below a second"),
    )
}

fn pin(core: usize) {
    let mut cores = CpuSet::new();
    cores.set(core);
    if sched_setaffinity(None, &cores).is_err() {
        println!("core {core} is not to be had: threads share what there is");
    }
}

/// The node's thread, asked for its processor time.
struct Subject {
    address: SocketAddr,
    ask: wakeful::UnboundedSender<mpsc::Sender<(Duration, usize)>>,
}

impl Subject {
    fn start() -> Subject {
        let (ready, started) = mpsc::channel();
        let (ask, mut asked) = wakeful::unbounded_channel::<mpsc::Sender<(Duration, usize)>>();
        thread::spawn(move || {
            pin(1);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let config = ClientConfig {
                    bind: Bind::Address(LOOPBACK),
                    port: Port::Any,
                    families: vec![Family::V4],
                    bootstrap: Vec::new(),
                    allowance: Allowance {
                        burst: f64::from(u32::MAX),
                        rate: f64::from(u32::MAX),
                    },
                    ..ClientConfig::default()
                };
                let client = Client::start(config).await.expect("loopback");
                let _ = ready.send(client.port());
                while let Some(reply) = asked.recv().await {
                    let used = cpu();
                    let status = client.dht().map(|dht| dht.status().borrow().nodes);
                    let _ = reply.send((used, status.unwrap_or_default()));
                }
            });
        });
        let port = started.recv().expect("the node has started");
        Subject {
            address: SocketAddr::new(LOOPBACK, port),
            ask,
        }
    }

    /// Processor time used so far and contacts in the table.
    fn state(&self) -> (Duration, usize) {
        let (reply, state) = mpsc::channel();
        self.ask.send(reply).expect("the node's thread lives");
        state.recv().expect("and answers")
    }
}

fn query(id: Id, standing: Standing, method: &Method<'_>) -> Vec<u8> {
    let envelope = Envelope {
        transaction: b"abcd",
        version: *b"XX\x00\x01",
        id,
    };
    let want = Want {
        v4: true,
        v6: false,
    };
    message::write_query(&envelope, standing, want, method)
}

/// Fills the node's table: `NEIGHBOURS` nodes call on it and answer what it asks.
fn introduce(subject: &Subject, rng: &mut ChaCha8Rng) -> Vec<UdpSocket> {
    let neighbours: Vec<(Id, UdpSocket)> = (1..=NEIGHBOURS)
        .map(|host| {
            let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, host, 2), 0)).expect("loopback");
            socket.set_nonblocking(true).expect("a socket option");
            (Id::random(rng), socket)
        })
        .collect();
    let mut buffer = [0; 2048];
    let end = Instant::now() + ACQUAINTANCE;
    let mut calls = neighbours.iter();
    while Instant::now() < end {
        if let Some((id, socket)) = calls.next() {
            let _ = socket.send_to(&query(*id, Standing::Full, &Method::Ping), subject.address);
        }
        for (id, socket) in &neighbours {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let Ok(asked) = message::parse(&buffer[..length]) else {
                    continue;
                };
                if matches!(asked.body, Body::Query(_)) {
                    let envelope = Envelope {
                        transaction: asked.transaction,
                        version: *b"XX\x00\x01",
                        id: *id,
                    };
                    let reply = message::write_response(&envelope, from.into(), &Answer::default());
                    let _ = socket.send_to(&reply, from);
                }
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    neighbours.into_iter().map(|(_, socket)| socket).collect()
}

/// What one run counted.
#[derive(Default)]
struct Count {
    answered: u64,
    bytes: u64,
    lost: u64,
}

/// Keeps `window` queries in flight for `span`.
fn load(to: SocketAddr, queries: &[Vec<u8>], window: u64, span: Duration) -> Count {
    let socket = UdpSocket::bind((LOOPBACK, 0)).expect("loopback");
    socket.connect(to).expect("loopback");
    // It never sleeps: no reply pays for waking its receiver, as none does on a wire.
    socket.set_nonblocking(true).expect("an option");
    let (mut count, mut flying) = (Count::default(), 0_u64);
    let mut buffer = [0; 2048];
    let mut turn = queries.iter().cycle();
    let end = Instant::now() + span;
    let mut heard = Instant::now();
    while heard < end {
        // Sent in bursts of a quarter, so that the node does not wake for each.
        if flying <= window - window.div_ceil(4) {
            while flying < window {
                let _ = socket.send(turn.next().expect("endless"));
                flying += 1;
            }
        }
        match socket.recv(&mut buffer) {
            Ok(length) => {
                count.answered += 1;
                count.bytes += length as u64;
                flying = flying.saturating_sub(1);
                if count.answered % 64 == 0 {
                    heard = Instant::now();
                }
            }
            Err(_) if heard.elapsed() > SILENCE => {
                count.lost += flying;
                flying = 0;
                heard = Instant::now();
            }
            Err(_) => std::hint::spin_loop(),
        }
    }
    count
}

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let span = Duration::from_secs(numbers.next().unwrap_or(5));
    let window = numbers.next().unwrap_or(256).max(1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let subject = Subject::start();
    pin(0);
    let _neighbours = introduce(&subject, &mut rng);
    println!("{} contacts, {window} in flight", subject.state().1);
    println!("query       answered/s  of the node's core  ns/query  per core/s  bytes/reply  lost");
    for name in ["ping", "find_node", "get_peers"] {
        let queries: Vec<Vec<u8>> = (0..QUERIES)
            .map(|_| {
                let target = Id::random(&mut rng);
                let method = match name {
                    "ping" => Method::Ping,
                    "find_node" => Method::FindNode { target },
                    _ => Method::GetPeers { info_hash: target },
                };
                query(Id::random(&mut rng), Standing::ReadOnly, &method)
            })
            .collect();
        let (begun, before) = (Instant::now(), subject.state().0);
        let count = load(subject.address, &queries, window, span);
        let (wall, used) = (begun.elapsed(), subject.state().0 - before);
        let each = used.as_secs_f64() / count.answered as f64;
        println!(
            "{name:<10} {:>11.0} {:>18.0}% {:>9.0} {:>11.0} {:>12} {:>5}",
            count.answered as f64 / wall.as_secs_f64(),
            100.0 * used.as_secs_f64() / wall.as_secs_f64(),
            each * 1e9,
            1.0 / each,
            count.bytes / count.answered.max(1),
            count.lost,
        );
    }
}
