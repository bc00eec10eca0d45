//! `trackless tracker` as a process on loopback: its words, its events, its end, and what is left after `kill -9`.
//!
//! The announces are written here from BEP 3 and BEP 15 alone: they share no line with `trackless::tracker`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]

#[path = "support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;

use serde_json::Value;
use support::http::{escaped, page};
use support::network::trackless;
use support::process::Process;
use support::{seconds, wait_until};
use tempfile::TempDir;

const HASH: [u8; 20] = [0x5a; 20];

/// A running tracker and where it listens.
struct Tracker {
    process: Process,
    http: SocketAddr,
    udp: SocketAddr,
}

impl Tracker {
    /// Starts it with any ports and waits until it serves.
    fn start(home: &TempDir, name: &str, more: &[&str]) -> Tracker {
        let mut arguments = vec!["tracker", "--http", "127.0.0.1:0", "--udp", "127.0.0.1:0"];
        arguments.extend(more);
        let command = trackless(home.path(), &arguments);
        let mut process = Process::start(name, home.path(), command);
        let mut url = |scheme: &str| {
            let line = process.line(scheme, seconds(20));
            let rest = line
                .strip_prefix(scheme)
                .and_then(|rest| rest.strip_suffix("/announce"));
            rest.expect("an announce URL").parse().expect("an address")
        };
        let (http, udp) = (url("http://"), url("udp://"));
        Tracker { process, http, udp }
    }

    fn metric(&self, name: &str) -> u64 {
        let text = get(self.http, "/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("trackless_tracker_{name} ")));
        line.unwrap_or_else(|| panic!("{name} in {text}"))
            .parse()
            .expect("a number")
    }

    /// Ends it and returns its exit code.
    fn end(&mut self, signal: &str) -> Option<i32> {
        self.process.signal(signal);
        self.process.wait(seconds(20)).code()
    }
}

/// The body of a page.
fn get(at: SocketAddr, path: &str) -> String {
    page(at, path).expect("a page")
}

/// An announce over HTTP: how many peers came back.
fn announce_http(at: SocketAddr, port: u16, left: u64) -> usize {
    let hash = escaped(HASH);
    let path = format!(
        "/announce?info_hash={hash}&peer_id=-XX0000-aaaaaaaaaaaa&port={port}&uploaded=0&downloaded=0\
         &left={left}&compact=1&numwant=200&event=started"
    );
    let body = get(at, &path);
    let (_, rest) = body
        .split_once("5:peers")
        .unwrap_or_else(|| panic!("refused: {body}"));
    let (length, _) = rest.split_once(':').expect("a string");
    length.parse::<usize>().expect("a length") / 6
}

/// A client of BEP 15 with an address of its own.
struct Client {
    socket: UdpSocket,
    at: SocketAddr,
    connection: [u8; 8],
}

impl Client {
    fn connect(ip: Ipv4Addr, at: SocketAddr) -> Client {
        let socket = UdpSocket::bind((ip, 0)).expect("loopback");
        socket
            .set_read_timeout(Some(seconds(10)))
            .expect("an option");
        let mut client = Client {
            socket,
            at,
            connection: 0x417_2710_1980_u64.to_be_bytes(),
        };
        let reply = client.ask(0, &[]);
        client.connection.copy_from_slice(&reply[8..16]);
        client
    }

    fn ask(&self, action: u8, rest: &[u8]) -> Vec<u8> {
        let mut datagram = self.connection.to_vec();
        datagram.extend([0, 0, 0, action, 1, 2, 3, 4]);
        datagram.extend(rest);
        self.socket.send_to(&datagram, self.at).expect("sent");
        let mut buffer = [0; 2048];
        let length = self.socket.recv(&mut buffer).expect("a reply");
        assert_eq!(buffer[4..8], [1, 2, 3, 4], "the transaction");
        buffer[..length].to_vec()
    }

    /// How many peers came back, and how many leechers there are.
    fn announce(&self, hash: [u8; 20], port: u16) -> (usize, u32) {
        let mut rest = hash.to_vec();
        rest.extend([b'x'; 20]);
        rest.extend([
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        rest.extend([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        rest.extend(port.to_be_bytes());
        let reply = self.ask(1, &rest);
        assert_eq!(reply[..4], [0, 0, 0, 1], "{reply:?}");
        let leechers = u32::from_be_bytes(reply[12..16].try_into().expect("four bytes"));
        ((reply.len() - 20) / 6, leechers)
    }
}

fn home() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn it_serves_both_ways_and_ends_by_signal() {
    let home = home();
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let mut tracker = Tracker::start(&home, signal, &["--interval", "10m"]);
        assert_eq!(announce_http(tracker.http, 1001, 0), 0);
        let client = Client::connect(Ipv4Addr::LOCALHOST, tracker.udp);
        assert_eq!(client.announce(HASH, 1002), (1, 1));
        assert_eq!(
            announce_http(tracker.http, 1001, 0),
            1,
            "the seeder hears of the leecher"
        );
        assert_eq!(tracker.metric("torrents"), 1);
        assert!(get(tracker.http, "/stats").contains("<td>torrents"));
        assert_eq!(tracker.end(signal), Some(code));
        let said = tracker.process.stderr();
        assert!(said.contains("statistics at http://127.0.0.1:"), "{said}");
    }
}

#[test]
fn kill_and_restart_lose_nobody() {
    let home = home();
    let db = ["--db", "swarms.db"];
    let mut tracker = Tracker::start(&home, "first", &db);
    for port in 1..=40 {
        announce_http(tracker.http, port, u64::from(port));
    }
    let client = Client::connect(Ipv4Addr::new(127, 0, 0, 2), tracker.udp);
    client.announce([1; 20], 7);
    let peers = |tracker: &Tracker| {
        tracker.metric("peers{part=\"seeder\"}") + tracker.metric("peers{part=\"leecher\"}")
    };
    assert_eq!(peers(&tracker), 41);
    // What was announced a moment ago is on its way to the file for 50 ms at most: the file says when.
    let written = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    let wal = home.path().join("swarms.db-wal");
    let mut before = 0;
    let still = wait_until(seconds(10), || {
        std::mem::replace(&mut before, written(&wal)) == written(&wal)
    });
    assert!(still.is_some());
    tracker.process.kill();

    let mut tracker = Tracker::start(&home, "second", &db);
    assert_eq!(peers(&tracker), 41);
    assert!(
        tracker.process.stderr().contains("41 peers of 2 torrents"),
        "{}",
        tracker.process.stderr()
    );
    assert_eq!(announce_http(tracker.http, 1, 1), 39);
    announce_http(tracker.http, 99, 1);
    // An end in order writes what came in the last moment.
    assert_eq!(tracker.end("TERM"), Some(143));
    let tracker = Tracker::start(&home, "third", &db);
    assert_eq!(peers(&tracker), 42);
}

#[test]
fn only_listed_torrents_and_the_list_can_be_read_again() {
    let home = home();
    let list = home.path().join("list");
    std::fs::write(&list, format!("{}\n", "01".repeat(20))).expect("a file");
    let tracker = Tracker::start(&home, "listed", &["--allow-list", "list"]);
    let hash = escaped(HASH);
    let path = format!("/announce?info_hash={hash}&peer_id=-XX0000-aaaaaaaaaaaa&port=1&left=1");
    let refused = get(tracker.http, &path);
    assert_eq!(
        refused,
        "d14:failure reason31:this torrent is not served heree"
    );
    std::fs::write(&list, format!("{}\n", "5a".repeat(20))).expect("a file");
    tracker.process.signal("HUP");
    let served = wait_until(seconds(10), || {
        get(tracker.http, &path).contains("8:intervali1800e")
    });
    assert!(served.is_some(), "{}", tracker.process.stderr());
    std::fs::write(&list, "nonsense\n").expect("a file");
    tracker.process.signal("HUP");
    let told = wait_until(seconds(10), || {
        tracker
            .process
            .stderr()
            .contains("the list stays as it was")
    });
    assert!(told.is_some(), "{}", tracker.process.stderr());
    assert!(get(tracker.http, &path).contains("8:intervali1800e"));
}

#[test]
fn what_is_wrong_is_said_and_nothing_runs() {
    let home = home();
    let running = Tracker::start(&home, "running", &["--db", "x.db"]);
    let (http, udp) = (running.http.to_string(), running.udp.to_string());
    std::fs::write(home.path().join("text"), "x".repeat(5000)).expect("a file");
    for (arguments, code, word) in [
        (&["--http", &http][..], 7, "cannot serve HTTP at 127.0.0.1:"),
        (&["--udp", &udp], 7, "cannot serve UDP at 127.0.0.1:"),
        (
            &["--udp", "127.0.0.1:0", "--db", "x.db"],
            10,
            "another process uses it",
        ),
        (
            &["--udp", "127.0.0.1:0", "--db", "text"],
            10,
            "it is no tracker's database",
        ),
        (&["--udp", "127.0.0.1:0", "--db", "none/x.db"], 7, "none"),
        (&["--udp", "localhost:1"], 2, "is no port, address"),
        (&["--interval", "1s"], 2, "between 10 seconds and a day"),
        (&["--allow-list", "none"], 7, "cannot read none"),
        (&["--allow-list", "text"], 3, "line 1"),
        (&["--reply-peers", "0"], 2, "0"),
    ] {
        let output = trackless(home.path(), &["tracker"])
            .args(arguments)
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(word), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn events_variables_and_the_file() {
    let home = home();
    let config = home.path().join("config.toml");
    std::fs::write(
        &config,
        "[tracker]\ninterval = \"10m\"\nudp = [\"127.0.0.1:0\"]\n",
    )
    .expect("a file");
    let mut command = trackless(
        home.path(),
        &["tracker", "--json", "--config", "config.toml"],
    );
    command
        .env("TRACKLESS_HTTP", "127.0.0.1:0")
        .env("TRACKLESS_REPLY_PEERS", "1");
    let mut process = Process::start("json", home.path(), command);
    let line = process.line("{", seconds(20));
    let event: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(
        (&event["v"], &event["type"]),
        (&1.into(), &"listening".into())
    );
    assert_eq!(
        event["announce"].as_array().map(Vec::len),
        Some(2),
        "{event}"
    );
    let http: SocketAddr = event["http"][0]
        .as_str()
        .expect("text")
        .parse()
        .expect("an address");
    announce_http(http, 1, 1);
    announce_http(http, 2, 1);
    let hash = escaped(HASH);
    let path = format!("/announce?info_hash={hash}&peer_id=-XX0000-aaaaaaaaaaaa&port=3&left=1");
    let body = get(http, &path);
    assert!(
        body.contains("8:intervali600e") && body.contains("5:peers6:"),
        "{body}"
    );
    let figures = wait_until(seconds(30), || {
        process
            .stdout()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .any(|event| {
                event["type"] == "tracker" && event["announces"] == 3 && event["leechers"] == 3
            })
    });
    assert!(figures.is_some(), "{}", process.stdout());
}

/// A generator announces 10,000 peers in 100 torrents; real ones are served meanwhile, and hear of them after.
#[test]
fn ten_thousand_peers_while_real_ones_are_served() {
    const TORRENTS: u16 = 100;
    let home = home();
    let tracker = Tracker::start(&home, "crowd", &["--db", "crowd.db"]);
    let (http, udp) = (tracker.http, tracker.udp);
    let crowd = std::thread::spawn(move || {
        for host in 0..200_u16 {
            let [high, low] = host.to_be_bytes();
            let client = Client::connect(Ipv4Addr::new(127, 1, high, low + 1), udp);
            for peer in 0..50_u16 {
                let torrent = (host * 50 + peer) % TORRENTS;
                client.announce([torrent as u8; 20], 1000 + peer);
            }
        }
    });
    let mut served = 0_u32;
    while !crowd.is_finished() || served < 20 {
        announce_http(http, 2001, 0);
        served += 1;
    }
    crowd.join().expect("every announce was answered");
    assert_eq!(tracker.metric("peers{part=\"leecher\"}"), 10_000);
    assert_eq!(tracker.metric("peers{part=\"seeder\"}"), 1);
    assert_eq!(tracker.metric("torrents"), u64::from(TORRENTS));
    let client = Client::connect(Ipv4Addr::LOCALHOST, udp);
    assert_eq!(client.announce([7; 20], 9), (50, 101));
    println!("{served} announces over HTTP meanwhile");
}

/// README's three lines: nothing but our own tracker brings them together, of a torrent that nobody else may hear of.
#[test]
fn a_private_swarm_from_nothing() {
    let home = home();
    let tracker = Tracker::start(&home, "private", &[]);
    let content = support::torrent::noise("private", 300_000);
    std::fs::write(home.path().join("secret.bin"), &content).expect("a file");
    for (scheme, at) in [("http", tracker.http), ("udp", tracker.udp)] {
        let url = format!("{scheme}://{at}/announce");
        let local = ["--bind", "127.0.0.1", "--port", "0", "--state-dir"];
        let mut share = trackless(
            home.path(),
            &["share", "--private", "--tracker", &url, "secret.bin"],
        );
        share.args(local).arg(format!("{scheme}-from"));
        let mut sharing = Process::start(&format!("{scheme}-share"), home.path(), share);
        let magnet = sharing.line("magnet:", seconds(20));
        let mut get = trackless(
            home.path(),
            &["get", &magnet, "--no-dht", "--timeout", "60s"],
        );
        get.args(local).args([
            &format!("{scheme}-to"),
            "--output",
            &format!("{scheme}-out"),
        ]);
        let mut getting = Process::start(&format!("{scheme}-get"), home.path(), get);
        assert_eq!(
            getting.wait(seconds(90)).code(),
            Some(0),
            "{}",
            getting.stderr()
        );
        let got =
            std::fs::read(home.path().join(format!("{scheme}-out/secret.bin"))).expect("the file");
        assert!(got == content, "over {scheme} something else arrived");
    }
}
