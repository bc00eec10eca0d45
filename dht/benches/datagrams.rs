//! The datagram path: reading a message, and answering queries of many sources with a full table.
//!
//! `cargo bench -p trackless-dht`. Issue: ≥ 400,000 queries answered a second and core.

#![allow(clippy::disallowed_methods, reason = "virtual time begins somewhere")]
#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use trackless_dht::message::{self, Answer, Envelope, Method, Standing, Want};
use trackless_dht::{Config, Endpoint, Families, Id, Node};

/// Queries of one measurement: fewer than the limiter's burst for everybody.
const QUERIES: u32 = 500;

fn query(rng: &mut ChaCha8Rng, method: &Method<'_>) -> Vec<u8> {
    let envelope = Envelope {
        transaction: b"abcd",
        version: *b"XX\x00\x01",
        id: Id::random(rng),
    };
    message::write_query(
        &envelope,
        Standing::Full,
        Want {
            v4: true,
            v6: false,
        },
        method,
    )
}

/// A node that has met 2,000 others: its first buckets are full.
fn node(now: Instant, rng: &mut ChaCha8Rng) -> Node {
    let config = Config {
        families: Families::V4,
        ..Config::default()
    };
    let mut node = Node::new(config, [1; 32], now);
    for n in 0..2_000_u32 {
        let from: SocketAddr =
            Endpoint::new((0x0800_0000 + n * 257).to_be_bytes().into(), 6881).into();
        node.ping(now, from.into());
        let Some(sent) = std::iter::from_fn(|| node.poll_transmit()).last() else {
            continue;
        };
        let transaction = match message::parse(&sent.payload) {
            Ok(asked) => asked.transaction.to_vec(),
            Err(why) => panic!("our own query: {why:?}"),
        };
        let envelope = Envelope {
            transaction: &transaction,
            version: *b"XX\x00\x01",
            id: Id::random(rng),
        };
        let pong = message::write_response(&envelope, from.into(), &Answer::default());
        node.handle_datagram(now, from, &pong);
        while node.poll_event().is_some() {}
    }
    node
}

fn answering(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let now = Instant::now();
    let mut node = node(now, &mut rng);
    println!(
        "{} contacts in the table",
        node.table_len(bencode::Family::V4)
    );
    let mut group = criterion.benchmark_group("answer");
    group.throughput(Throughput::Elements(u64::from(QUERIES)));
    let target = Id::random(&mut rng);
    // One clock for all three: a node's time never goes back.
    let mut later = now + Duration::from_secs(400);
    for (name, method) in [
        ("ping", Method::Ping),
        ("find_node", Method::FindNode { target }),
        ("get_peers", Method::GetPeers { info_hash: target }),
    ] {
        let queries: Vec<(SocketAddr, Vec<u8>)> = (0..QUERIES)
            .map(|n| {
                let ip = (0x2000_0000 + n * 65_537).to_be_bytes();
                (
                    Endpoint::new(ip.into(), 6881).into(),
                    query(&mut rng, &method),
                )
            })
            .collect();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    // The limiter's buckets are full again.
                    later += Duration::from_secs(10);
                    later
                },
                |later| {
                    for (from, datagram) in &queries {
                        node.handle_datagram(later, *from, datagram);
                        while let Some(reply) = node.poll_transmit() {
                            black_box(reply);
                        }
                    }
                },
                BatchSize::PerIteration,
            );
        });
        assert_eq!(node.stats().dropped.limited, 0);
    }
    group.finish();
}

fn reading(criterion: &mut Criterion) {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let target = Id::random(&mut rng);
    let datagram = query(&mut rng, &Method::GetPeers { info_hash: target });
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(1));
    group.bench_function("get_peers", |bencher| {
        bencher.iter(|| black_box(message::parse(black_box(&datagram)).is_ok()));
    });
    group.finish();
}

criterion_group!(benches, answering, reading);
criterion_main!(benches);
