//! No network at the start, none in the middle, none that lets datagrams out (reliability.md N1, N17).

use std::time::Instant;

use crate::lab::Lab;
use crate::stage::{
    Nodes, arrives, by_dht, can_run, filter, get, have, host, ip, is_long, seed, settle, told,
};
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

/// How long the network is away, in seconds.
fn outage() -> u64 {
    if is_long() { 600 } else { 8 }
}

/// Rows N1: started without network: half a minute after it is there the DHT is usable, peers within a minute.
#[test]
fn without_network_at_the_start() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let sample = Sample::single(lab.folder(), "early", 1_000_000, 65_536);
    let [us, seeder] =
        [("us", "11.2.0.2"), ("seeder", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
    let _seeding = seed(&seeder, &sample, "10M", &by_dht(&nodes.entry()));
    nodes.learn(&sample, "11.3.0.2");
    ip(&us, &["link", "set", "eth0", "down"]);
    let mut getting = get(&us, &sample.magnet(), &by_dht(&nodes.entry()));
    let ended = wait_until(seconds(outage()), || getting.ended().is_some());
    assert!(ended.is_none(), "it waits for the network");
    assert!(!told(&getting, "joined"));
    settle(&us, "11.2.0.2");
    let start = Instant::now();
    let joined = wait_until(seconds(30), || told(&getting, "joined"));
    let joined = joined.expect("the DHT is usable in time");
    arrives(&mut getting, &us, &sample, 60);
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
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let sample = Sample::single(lab.folder(), "midway", 3_000_000, 65_536);
    let [us, seeder] =
        [("us", "11.2.0.2"), ("seeder", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
    let _seeding = seed(&seeder, &sample, "500k", &by_dht(&nodes.entry()));
    nodes.learn(&sample, "11.3.0.2");
    let mut getting = get(&us, &sample.magnet(), &by_dht(&nodes.entry()));
    assert!(
        wait_until(seconds(30), || have(&getting) > 500_000).is_some(),
        "it began"
    );
    ip(&us, &["link", "set", "eth0", "down"]);
    let ended = wait_until(seconds(outage()), || getting.ended().is_some());
    assert!(ended.is_none(), "it waits for the network");
    let before = have(&getting);
    settle(&us, "11.2.0.2");
    let again = wait_until(seconds(60), || {
        have(&getting) > before || getting.ended().is_some()
    });
    let again = again.expect("blocks again in time");
    let took = arrives(&mut getting, &us, &sample, 60);
    println!(
        "network in the middle: blocks {:.1} s after it, content {:.1} s later",
        again.as_secs_f64(),
        took.as_secs_f64()
    );
}

/// Rows N17: the kernel refuses every datagram (EPERM) and then does not: the socket lives on.
#[test]
fn datagrams_that_the_kernel_refuses() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let sample = Sample::single(lab.folder(), "refused", 300_000, 65_536);
    let [us, seeder] =
        [("us", "11.2.0.2"), ("seeder", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
    let _seeding = seed(&seeder, &sample, "10M", &by_dht(&nodes.entry()));
    nodes.learn(&sample, "11.3.0.2");
    filter(&us, &[("output", "meta l4proto udp drop")]);
    let mut getting = get(&us, &sample.magnet(), &by_dht(&nodes.entry()));
    assert!(wait_until(seconds(3), || getting.ended().is_some()).is_none());
    // Then answers come that nobody asked for: the ports of others are closed (ECONNREFUSED).
    filter(&us, &[("output", "meta l4proto udp reject")]);
    assert!(wait_until(seconds(2), || getting.ended().is_some()).is_none());
    filter(&us, &[]);
    let took = arrives(&mut getting, &us, &sample, 40);
    println!(
        "datagrams refused for 5 s: content {:.1} s after",
        took.as_secs_f64()
    );
}
