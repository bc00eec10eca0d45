//! No network at the start, none in the middle, none that lets datagrams out (reliability.md N1, N17).

use std::time::Instant;

use crate::stage::{Pair, filter, have, ip, is_long, settle, told};
use crate::support::{seconds, wait_until};

/// How long the network is away, in seconds.
fn outage() -> u64 {
    if is_long() { 600 } else { 8 }
}

/// Rows N1: started without network: half a minute after it is there the DHT is usable, peers within a minute.
#[test]
fn without_network_at_the_start() {
    let Some(pair) = Pair::start("early", 1_000_000, "10M") else {
        return;
    };
    ip(&pair.us, &["link", "set", "eth0", "down"]);
    let mut getting = pair.get();
    let ended = wait_until(seconds(outage()), || getting.ended().is_some());
    assert!(ended.is_none(), "it waits for the network");
    assert!(!told(&getting, "joined"));
    settle(&pair.us, "11.2.0.2");
    let start = Instant::now();
    let joined = wait_until(seconds(30), || told(&getting, "joined"));
    let joined = joined.expect("the DHT is usable in time");
    pair.arrives(&mut getting, 60);
    let all = start.elapsed();
    println!(
        "network at the start: DHT {:.1} s after it, content {:.1} s",
        joined.as_secs_f64(),
        all.as_secs_f64()
    );
    // At once, and not when some pause has passed: the next look is at most 3 s away.
    assert!(is_long() || joined < seconds(6), "{joined:?}");
}

/// Rows N1: the link goes away in the middle and comes back: the same command carries on.
#[test]
fn without_network_in_the_middle() {
    let Some(pair) = Pair::start("midway", 3_000_000, "500k") else {
        return;
    };
    let mut getting = pair.begin();
    ip(&pair.us, &["link", "set", "eth0", "down"]);
    let ended = wait_until(seconds(outage()), || getting.ended().is_some());
    assert!(ended.is_none(), "it waits for the network");
    let before = have(&getting);
    settle(&pair.us, "11.2.0.2");
    let again = wait_until(seconds(60), || {
        have(&getting) > before || getting.ended().is_some()
    });
    let again = again.expect("blocks again in time");
    let took = pair.arrives(&mut getting, 60);
    println!(
        "network in the middle: blocks {:.1} s after it, content {:.1} s later",
        again.as_secs_f64(),
        took.as_secs_f64()
    );
}

/// Rows N17: the kernel refuses every datagram (EPERM) and then does not: the socket lives on.
#[test]
fn datagrams_that_the_kernel_refuses() {
    let Some(pair) = Pair::start("refused", 300_000, "10M") else {
        return;
    };
    filter(&pair.us, &[("output", "meta l4proto udp drop")]);
    let mut getting = pair.get();
    assert!(wait_until(seconds(3), || getting.ended().is_some()).is_none());
    // Then answers come that nobody asked for: the ports of others are closed (ECONNREFUSED).
    filter(&pair.us, &[("output", "meta l4proto udp reject")]);
    assert!(wait_until(seconds(2), || getting.ended().is_some()).is_none());
    filter(&pair.us, &[]);
    let took = pair.arrives(&mut getting, 40);
    println!(
        "datagrams refused for 5 s: content {:.1} s after",
        took.as_secs_f64()
    );
}
