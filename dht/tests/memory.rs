//! What a client's node weighs once its table and its pool are full. A test binary of its own, because it
//! looks at the whole process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trackless_dht::message::{self, Answer, Envelope};
use trackless_dht::{Config, Endpoint, Families, Family, Id, Node, Tuning};

/// Nodes of which this is the mean.
const NODES: u64 = 20;
/// Others that each meets: enough to fill everything.
const MET: u32 = 5_000;
/// The target of the design: 250 KiB (dht.md §6.1); measured: 157 KiB.
const MOST: u64 = 250 * 1024;

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = pages.split(' ').nth(1).and_then(|word| word.parse().ok());
    let pages: u64 = pages.expect("the second number");
    pages * 4096
}

/// A node that has met many others.
fn full(now: Instant, rng: &mut ChaCha8Rng) -> Node {
    let config = Config {
        families: Families::V4,
        ..Config::default()
    };
    let mut node = Node::new(config, [1; 32], now);
    for n in 0..MET {
        let from: SocketAddr =
            Endpoint::new((0x0800_0000 + n * 257).to_be_bytes().into(), 6881).into();
        node.ping(now, from.into());
        while let Some(sent) = node.poll_transmit() {
            let asked = message::parse(&sent.payload).expect("our own query");
            let envelope = Envelope {
                transaction: asked.transaction,
                version: *b"XX\x00\x01",
                id: Id::random(rng),
            };
            let answer = message::write_response(&envelope, from.into(), &Answer::default());
            node.handle_datagram(now + Duration::from_millis(40), from, &answer);
        }
        while node.poll_event().is_some() {}
    }
    node
}

#[test]
fn a_node_with_a_full_table_and_pool_stays_below_250_kib() {
    let now = Instant::now();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // The first one makes the allocator take what it takes anyway.
    let first = full(now, &mut rng);
    let before = resident();
    let nodes: Vec<Node> = (0..NODES).map(|_| full(now, &mut rng)).collect();
    let each = (resident() - before) / NODES;
    println!("{} KiB a node", each / 1024);
    assert!(each < MOST, "{each} bytes");
    for node in nodes.iter().chain([&first]) {
        assert!(node.pool_len() > Tuning::default().pool * 9 / 10);
        assert!(node.table_len(Family::V4) > 200);
    }
}
