//! Peers that are not there, not there any more, or never were (reliability.md N7, N8, A27).

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use crate::lab::{Host, Lab};
use crate::stage::{
    arrives, by_peers, can_run, endpoint, filter, get, have, host, ip, seed, settle, tcp,
};
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

/// Connections of the host that are opening: state 02 of its kernel's table.
fn half_open(host: &Host) -> usize {
    let table = host.run("cat", &["/proc/net/tcp"]).unwrap_or_default();
    let states = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3));
    states.filter(|state| *state == "02").count()
}

/// The kernel's list is read in parts, and calls that follow each other meanwhile may both stand in it: the fewer of two.
fn calls(host: &Host) -> usize {
    half_open(host).min(half_open(host))
}

/// Rows N7: of a hundred peers ninety-five swallow every call: data comes soon, few calls are open at a time.
#[test]
fn calls_into_a_black_hole() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "hole", 500_000, 65_536);
    let hosts = [
        ("us", "11.2.0.2"),
        ("seeder", "11.3.0.2"),
        ("hole", "11.7.0.1"),
    ];
    let [us, seeder, hole] = hosts.map(|(name, at)| host(&lab, name, at));
    filter(&hole, &[("input", "tcp dport 1-65535 drop")]);
    ip(
        &hole,
        &["route", "add", "local", "11.6.0.0/16", "dev", "lo"],
    );
    ip(&us, &["route", "add", "11.6.0.0/16", "via", "11.7.0.1"]);
    let mut peers: Vec<String> = (1..=95).map(|n| endpoint(&format!("11.6.{n}.2"))).collect();
    for n in 0..5 {
        let address = format!("11.3.{n}.2");
        settle(&seeder, &address);
        peers.insert(n * 20 + 19, endpoint(&address));
    }
    // Slow, so that others are called while it comes.
    let _seeding = seed(&seeder, &sample, "100k", &by_peers(&[]));
    let mut getting = get(&us, &sample.magnet(), &by_peers(&peers));
    let mut most = 0;
    let took = wait_until(seconds(15), || {
        most = most.max(calls(&us));
        have(&getting) > 0 || getting.ended().is_some()
    });
    let took = took.expect("first data within 15 s");
    wait_until(seconds(3), || {
        most = most.max(calls(&us));
        getting.ended().is_some()
    });
    arrives(&mut getting, &us, &sample, 30);
    println!(
        "95 of 100 in a black hole: first data {:.1} s, at most {most} calls open",
        took.as_secs_f64()
    );
    assert!(most <= 50, "{most} calls open at a time");
    assert!(most > 5, "the hole was tried");
}

/// Rows N8: a peer vanishes without a word in the middle of a transfer: what it owes comes from others within 20 s.
#[test]
fn a_peer_vanishes() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "vanish", 3_000_000, 65_536);
    let hosts = [
        ("us", "11.2.0.2"),
        ("gone", "11.3.0.2"),
        ("stays", "11.4.0.2"),
    ];
    let [us, gone, stays] = hosts.map(|(name, at)| host(&lab, name, at));
    let _one = seed(&gone, &sample, "500k", &by_peers(&[]));
    let _other = seed(&stays, &sample, "500k", &by_peers(&[]));
    let peers = ["11.3.0.2", "11.4.0.2"].map(endpoint);
    let mut getting = get(&us, &sample.magnet(), &by_peers(&peers));
    assert!(
        wait_until(seconds(30), || have(&getting) > 600_000).is_some(),
        "it began"
    );
    filter(&gone, &[("input", "drop"), ("output", "drop")]);
    // At half a megabyte a second the rest takes five seconds; the rest of the time is for noticing.
    let took = arrives(&mut getting, &us, &sample, 5 + 20);
    println!("a peer vanished: content {:.1} s after", took.as_secs_f64());
}

/// Rows A27: a tracker names one victim under four hundred ports: it gets few calls.
#[test]
fn a_tracker_that_names_a_victim() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "victim", 300_000, 65_536);
    let hosts = [
        ("us", "11.2.0.2"),
        ("tracker", "11.3.0.2"),
        ("victim", "11.9.9.9"),
    ];
    let [us, tracker, victim] = hosts.map(|(name, at)| host(&lab, name, at));
    let listener = tcp(&tracker, "11.3.0.2:6969");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let peers = (0..400_u16).flat_map(|n| {
                let port = 2_000 + n;
                [
                    &Ipv4Addr::new(11, 9, 9, 9).octets()[..],
                    &port.to_be_bytes(),
                ]
                .concat()
            });
            let peers: Vec<u8> = peers.collect();
            let mut body = format!("d8:intervali60e5:peers{}:", peers.len()).into_bytes();
            body.extend(peers);
            body.push(b'e');
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream
                .write_all(head.as_bytes())
                .and_then(|()| stream.write_all(&body));
        }
    });
    let magnet = format!(
        "{}&tr=http%3A%2F%2F11.3.0.2%3A6969%2Fannounce",
        sample.magnet()
    );
    let how = ["--no-dht", "--no-lsd"].map(str::to_owned);
    let mut getting = get(&us, &magnet, &how);
    let calls = || tcp_counter(&victim, "OutRsts");
    assert!(
        wait_until(seconds(10), || calls() > 0).is_some(),
        "the tracker is heard: {}",
        getting.stdout()
    );
    let more = wait_until(seconds(5), || getting.ended().is_some());
    assert!(more.is_none());
    println!("a victim under 400 ports: {} calls in 5 s", calls());
    assert!(calls() <= 4, "{} calls to one victim", calls());
}

/// A counter of TCP in the host's own kernel tables.
fn tcp_counter(host: &Host, counter: &str) -> u64 {
    let text = host.run("cat", &["/proc/net/snmp"]).unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let found = pairs.find(|(name, _)| *name == counter);
    found
        .and_then(|(_, value)| value.parse().ok())
        .expect("a counter")
}
