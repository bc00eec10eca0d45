//! Every `trackless dht` command and `doctor` against bare nodes on the loopback interface, with and
//! without `--json`.
//!
//! Invariant: nothing leaves the machine, and every run has its own folder.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes and sockets run on the real clock"
)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

use serde_json::Value;
use support::network::{NODES, Network, said, text, trackless};
use support::process::Process;
use support::{seconds, wait_until};

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn lookups_and_announcements() {
    let network = Network::start();
    // Nobody has it yet.
    assert_eq!(network.run(&["dht", "lookup", HASH]).status.code(), Some(5));

    let told = network.lines(&["dht", "announce", HASH, "--port", "7000"]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("port 7000 acknowledged by "),
        "{told:?}"
    );
    let (code, event) = network.event(&["dht", "announce", HASH, "--port", "7001"], "announced");
    assert_eq!((code, &event["port"]), (Some(0), &7001.into()));
    assert!(
        event["acknowledged"]
            .as_u64()
            .is_some_and(|nodes| nodes > 0)
    );

    let found = network.lines(&["dht", "lookup", HASH]);
    assert!(found.contains(&"127.0.0.9:7001".to_owned()), "{found:?}");

    let nodes = network.lines(&["dht", "find", HASH]);
    assert_eq!(nodes.len(), NODES, "{nodes:?}");
    let (code, event) = network.event(&["dht", "find", HASH], "nodes");
    let list = event["nodes"].as_array().expect("a list");
    let bits: Vec<_> = list.iter().map(|node| node["bits"].as_u64()).collect();
    assert!(bits.is_sorted_by(|a, b| a >= b), "closest first: {bits:?}");
    assert_eq!((code, list.len()), (Some(0), NODES), "{event}");
    let traced = network.lines(&["dht", "find", HASH, "--trace"]);
    assert!(traced.len() > nodes.len(), "{traced:?}");
}

#[test]
fn looks_inside() {
    let network = Network::start();
    let stats = network.lines(&["dht", "stats"]);
    let row = |name: &str| {
        let found = stats.iter().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("{name}: {stats:?}")).clone()
    };
    assert!(!row("responses ").ends_with(" 0"), "{stats:?}");
    let (_, event) = network.event(&["dht", "stats"], "stats");
    assert!(
        event["queries_out"]["find_node"].as_u64() > Some(0),
        "{event}"
    );
    assert!(event["contacts"]["v4"].as_u64() > Some(0), "{event}");

    let size = network.lines(&["dht", "size", "--lookups", "2"]);
    assert!(size[0].starts_with("IPv4  "), "{size:?}");
    let (code, event) = network.event(&["dht", "size", "--lookups", "2"], "size");
    // Fewer nodes than a lookup asks for are counted.
    assert_eq!((code, &event["v6"]), (Some(0), &Value::Null));
    assert!(
        event["v4"]["nodes"].as_f64() >= Some(NODES as f64),
        "{event}"
    );

    let ids = network.lines(&["dht", "id"]);
    assert!(ids.iter().any(|line| line.starts_with("IPv4  ")), "{ids:?}");
    let (_, event) = network.event(&["dht", "id"], "id");
    assert_eq!(event["ids"][0]["id"].as_str().map(str::len), Some(40));

    let pong = network.lines(&["dht", "ping", &network.entry]);
    assert!(pong[0].contains(" ms"), "{pong:?}");
    let (_, event) = network.event(&["dht", "ping", &network.entry], "pong");
    assert!(event["rtt"].as_f64() > Some(0.0));
}

#[test]
fn an_id_for_an_address_suits_it_and_needs_no_network() {
    let home = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| trackless(home.path(), arguments).output().expect("it runs");
    for address in ["124.31.75.21", "2001:db8::1"] {
        let output = run(&["dht", "id", address]);
        let id = String::from_utf8(output.stdout).expect("text");
        let check = ["dht", "id", address, "--check", id.trim()];
        assert_eq!(run(&check).status.code(), Some(0), "{check:?}");
        let other = ["dht", "id", "9.9.9.9", "--check", id.trim(), "--json"];
        assert_eq!(run(&other).status.code(), Some(8), "{other:?}");
    }
    // BEP 42's example.
    let known = "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401";
    let output = run(&["dht", "id", "124.31.75.21", "--check", known]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn a_node_serves_its_counters() {
    let network = Network::start();
    let node = &network.nodes[1];
    let address = said(node, "metrics at http://").expect("it tells where");
    let mut stream = TcpStream::connect(address).expect("a listener");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let name = "\ntrackless_dht_queries_out_total{method=\"find_node\"} ";
    let (_, value) = answer.split_once(name).expect("the counter");
    let value = value
        .lines()
        .next()
        .and_then(|line| line.parse::<u64>().ok());
    assert!(value > Some(0), "{answer}");
    node.signal("INT");
    let mut network = network;
    let ended = network.nodes[1].wait(seconds(5));
    assert_eq!(ended.code(), Some(130));
    // A taken port is told before anything is started.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken
        .local_addr()
        .map(|at| (taken, at.to_string()))
        .expect("an address");
    let output = network.run(&["dht", "node", "--metrics", &taken.1]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output));
}

#[test]
fn the_doctor_finds_everything_well_or_nobody() {
    let network = Network::start();
    let visitor = UdpSocket::bind("127.0.0.99:0").expect("a port");
    let port = {
        let probe = UdpSocket::bind("127.0.0.9:0").expect("a port");
        probe.local_addr().expect("an address").port()
    };
    let port_text = port.to_string();
    let arguments = ["doctor", "--timeout", "20s", "--json", "--port", &port_text];
    let mut doctor = Process::start("doctor", network.folder.path(), network.command(&arguments));
    // Someone to whom the doctor never wrote comes by until it has seen him.
    let ended = wait_until(seconds(30), || {
        let _ = visitor.send_to(b"d1:q4:pinge", ("127.0.0.9", port));
        doctor.ended().is_some()
    });
    assert!(ended.is_some(), "the doctor ends");
    assert_eq!(doctor.wait(seconds(1)).code(), Some(0));
    let told = doctor.stdout();
    for name in ["udp", "bootstrap", "port", "ipv6"] {
        let line = told
            .lines()
            .find(|line| line.contains(&format!("\"name\":\"{name}\"")));
        let line = line.unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(line.contains("\"verdict\":\"ok\""), "{line}");
    }

    // Nobody lives at the discard port.
    let home = network.home();
    let output = trackless(&home, &["doctor", "--timeout", "1s", "--bind", "127.0.0.9"])
        .args(["--bootstrap", "127.0.0.98:9"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("FAILURE  udp"), "{}", text(&output));
}
