//! Hosts with public addresses, bare nodes of a DHT, one that seeds, one that gets.

use std::fs::File;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

use crate::lab::{Host, Lab};
use crate::support::network::said;
use crate::support::process::Process;
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

/// The binary under test.
pub const TRACKLESS: &str = env!("CARGO_BIN_EXE_trackless");

/// TCP and UDP port of all.
pub const PORT: u16 = 6881;

/// Whether this run may take as long as the report asks for.
pub fn is_long() -> bool {
    std::env::var("TRACKLESS_FAULTS").is_ok_and(|it| it == "long")
}

/// Whether namespaces and packet filters can be had here; in CI they must.
pub fn can_run() -> bool {
    let has = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).output();
        output.is_ok_and(|it| it.status.success())
    };
    let able =
        rustix::process::geteuid().is_root() && has("ip", "netns") && has("nft", "--version");
    assert!(
        able || std::env::var_os("CI").is_none(),
        "needs root, iproute2 and nftables"
    );
    if !able {
        eprintln!("skipped: needs root, iproute2 and nftables");
    }
    able
}

/// A host whose only address is this one; everything is on its link.
pub fn host(lab: &Lab, name: &str, address: &str) -> Host {
    let host = lab.host(name, 1);
    let lab_address = format!("{}/15", host.address());
    ip(&host, &["addr", "del", &lab_address, "dev", "eth0"]);
    settle(&host, address);
    host
}

/// Gives the host this address on a link that is up, and a way to everywhere.
pub fn settle(host: &Host, address: &str) {
    ip(host, &["link", "set", "eth0", "up"]);
    let prefix = if address.contains(':') { 32 } else { 8 };
    let whole = format!("{address}/{prefix}");
    let family = if address.contains(':') { "-6" } else { "-4" };
    let mut add = vec!["addr", "replace", &whole, "dev", "eth0"];
    if family == "-6" {
        // The lab knows that nobody else has it.
        add.push("nodad");
    }
    ip(host, &add);
    ip(
        host,
        &[family, "route", "replace", "default", "dev", "eth0"],
    );
}

pub fn ip(host: &Host, arguments: &[&str]) {
    assert!(host.run("ip", arguments).is_some(), "ip {arguments:?}");
}

/// Replaces the host's packet filter by these rules of an `input` and an `output` chain.
pub fn filter(host: &Host, rules: &[(&str, &str)]) {
    let mut script = "flush ruleset\ntable inet t {\n".to_owned();
    for chain in ["input", "output"] {
        script +=
            &format!("chain {chain} {{ type filter hook {chain} priority 0; policy accept;\n");
        for (_, rule) in rules.iter().filter(|(of, _)| *of == chain) {
            script += &format!("{rule}\n");
        }
        script += "}\n";
    }
    script += "}\n";
    let file = host.folder().join("rules.nft");
    std::fs::write(&file, script).expect("written");
    let done = host.run("nft", &["-f", &file.display().to_string()]);
    assert!(done.is_some(), "nft {rules:?}");
}

/// Puts the host behind a NAT that gives each of its UDP mappings another port once it was silent for a second.
pub fn forgetful_nat(host: &Host) {
    for name in ["udp_timeout", "udp_timeout_stream"] {
        let word = format!("net.netfilter.nf_conntrack_{name}=1");
        assert!(host.run("sysctl", &["-w", &word]).is_some(), "{word}");
    }
    let file = host.folder().join("nat.nft");
    let rules = "table ip nat {
        chain out { type nat hook postrouting priority 100; policy accept;
            udp sport 6881 counter masquerade to :20000-60000 random
        }
    }
    ";
    std::fs::write(&file, rules).expect("written");
    let done = host.run("nft", &["-f", &file.display().to_string()]);
    assert!(done.is_some(), "nft {rules}");
}

/// How many mappings that NAT has made.
pub fn mappings(host: &Host) -> u64 {
    let listed = host.run("nft", &["list", "table", "ip", "nat"]);
    let listed = listed.expect("the table is there");
    let (_, rest) = listed.split_once("counter packets ").expect("it counts");
    let count = rest.split_whitespace().next().expect("a number");
    count.parse().expect("a number")
}

/// Runs `make` inside the host: sockets that it makes stay there, whoever uses them.
pub fn inside<T: Send + 'static>(host: &Host, make: impl FnOnce() -> T + Send + 'static) -> T {
    let path = format!("/run/netns/{}", host.namespace());
    let thread = std::thread::spawn(move || {
        let space = File::open(path).expect("a namespace");
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).expect("root");
        make()
    });
    thread.join().expect("no panic")
}

/// A datagram socket on the host.
pub fn udp(host: &Host, address: &str) -> UdpSocket {
    let (address, shown) = (address.to_owned(), address.to_owned());
    let socket = inside(host, move || UdpSocket::bind(address));
    socket.unwrap_or_else(|error| panic!("{shown}: {error}"))
}

/// A listener on the host.
pub fn tcp(host: &Host, address: &str) -> TcpListener {
    let (address, shown) = (address.to_owned(), address.to_owned());
    let socket = inside(host, move || TcpListener::bind(address));
    socket.unwrap_or_else(|error| panic!("{shown}: {error}"))
}

/// Bare nodes that know each other.
pub struct Nodes {
    pub host: Host,
    pub running: Vec<Process>,
    pub addresses: Vec<String>,
}

impl Nodes {
    /// Six of them, each in a network of its own, with both families.
    pub fn start(lab: &Lab) -> Nodes {
        let host = host(lab, "dht", "11.1.1.2");
        let addresses: Vec<String> = (1..=6).map(|n| format!("11.1.{n}.2")).collect();
        Nodes::at(host, addresses)
    }

    /// One at each of these addresses; the first is everybody's way in.
    pub fn at(host: Host, addresses: Vec<String>) -> Nodes {
        for address in &addresses {
            settle(&host, address);
        }
        let entry = endpoint(&addresses[0]);
        let running: Vec<Process> = addresses
            .iter()
            .enumerate()
            .map(|(number, address)| {
                let arguments = ["dht", "node", "--bind", address, "--port", "6881"];
                let state = host
                    .new_folder(&format!("state-{number}"))
                    .display()
                    .to_string();
                let mut all = arguments.to_vec();
                all.extend(["--bootstrap", &entry, "--state-dir", &state]);
                host.start(&format!("node-{number}"), TRACKLESS, &all)
            })
            .collect();
        for node in &running {
            let up = wait_until(seconds(20), || said(node, "UDP port ").is_some());
            assert!(up.is_some(), "a node listens");
        }
        Nodes {
            host,
            running,
            addresses,
        }
    }

    /// Waits until whoever comes finds a peer of the torrent at this address.
    pub fn learn(&self, sample: &Sample, address: &str) {
        let (entry, state) = (self.entry(), self.host.new_folder("state-asker"));
        let state = state.display().to_string();
        let asking = ["dht", "lookup", &sample.info_hash, "--bootstrap", &entry];
        let mut asking = asking.to_vec();
        asking.extend(["--port", "0", "--state-dir", &state]);
        let found = wait_until(seconds(20), || {
            let said = self.host.run(TRACKLESS, &asking).unwrap_or_default();
            said.contains(&endpoint(address))
        });
        assert!(found.is_some(), "{address} is announced");
    }

    /// Ends all but one, who is everybody's way in from then on.
    pub fn leave(&mut self, one: usize) {
        self.running = vec![self.running.swap_remove(one)];
        self.addresses = vec![self.addresses.swap_remove(one)];
    }

    /// The first one.
    pub fn entry(&self) -> String {
        endpoint(&self.addresses[0])
    }
}

/// `HOST:PORT` with the port that all use.
pub fn endpoint(address: &str) -> String {
    match address.contains(':') {
        true => format!("[{address}]:{PORT}"),
        false => format!("{address}:{PORT}"),
    }
}

/// Options that leave the DHT as the only way to others.
pub fn by_dht(entry: &str) -> Vec<String> {
    ["--bootstrap", entry, "--no-lsd", "--no-trackers"]
        .map(str::to_owned)
        .into()
}

/// Options that leave these peers as the only ones.
pub fn by_peers(peers: &[String]) -> Vec<String> {
    let mut all: Vec<String> = ["--no-dht", "--no-lsd", "--no-trackers"]
        .map(str::to_owned)
        .into();
    for peer in peers {
        all.extend(["--peer".to_owned(), peer.clone()]);
    }
    all
}

/// A seeder of `sample` that sends at most `rate` bytes a second.
pub fn seed(host: &Host, sample: &Sample, rate: &str, how: &[String]) -> Process {
    let (torrent, data) = (
        sample.torrent.display().to_string(),
        sample.data.display().to_string(),
    );
    let what = ["seed", &torrent, "--data", &data, "--limit-up", rate];
    run(host, "seed", &what, how)
}

/// A `get --json` of the magnet link, into the host's folder.
pub fn get(host: &Host, magnet: &str, how: &[String]) -> Process {
    let folder = host.new_folder("downloads").display().to_string();
    run(host, "get", &["get", magnet, "-o", &folder, "--json"], how)
}

/// `trackless` on the host, at the usual port, with a state folder there.
pub fn run(host: &Host, name: &str, what: &[&str], how: &[String]) -> Process {
    let state = host.new_folder("state").display().to_string();
    let mut all = what.to_vec();
    all.extend(how.iter().map(String::as_str));
    all.extend(["--port", "6881", "--state-dir", &state]);
    host.start(name, TRACKLESS, &all)
}

/// The bytes that a `get` has.
pub fn have(getting: &Process) -> u64 {
    let text = getting.stdout();
    let events = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let progress =
        events.filter(|event| event["type"] == "progress" && event["state"] == "downloading");
    progress
        .filter_map(|event| event["have"].as_u64())
        .max()
        .unwrap_or(0)
}

/// Whether a `get` has told an event of this type.
pub fn told(getting: &Process, kind: &str) -> bool {
    getting.stdout().contains(&format!("\"type\":\"{kind}\""))
}

/// One that has a torrent and one that is to get it, who meet in the DHT.
pub struct Pair {
    _seeding: Process,
    pub us: Host,
    _seeder: Host,
    sample: Sample,
    nodes: Nodes,
    _lab: Lab,
}

impl Pair {
    /// Nothing is got yet; the seeder can be found and sends at most `rate` bytes a second. `None` where no lab can be had.
    pub fn start(name: &str, bytes: usize, rate: &str) -> Option<Pair> {
        Pair::on_lines(name, bytes, rate, |_| ())
    }

    /// The same over lines made by `spoil`.
    pub fn on_lines(name: &str, bytes: usize, rate: &str, spoil: impl Fn(&Host)) -> Option<Pair> {
        if !can_run() {
            return None;
        }
        let lab = Lab::new();
        let nodes = Nodes::start(&lab);
        let sample = Sample::single(lab.folder(), name, bytes, 65_536);
        let [us, seeder] =
            [("us", "11.2.0.2"), ("seeder", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
        spoil(&us);
        spoil(&seeder);
        let seeding = seed(&seeder, &sample, rate, &by_dht(&nodes.entry()));
        nodes.learn(&sample, "11.3.0.2");
        Some(Pair {
            _seeding: seeding,
            us,
            _seeder: seeder,
            sample,
            nodes,
            _lab: lab,
        })
    }

    /// Starts to get it.
    pub fn get(&self) -> Process {
        get(
            &self.us,
            &self.sample.magnet(),
            &by_dht(&self.nodes.entry()),
        )
    }

    /// The same, and waits for the first half megabyte.
    pub fn begin(&self) -> Process {
        let getting = self.get();
        let began = wait_until(seconds(30), || have(&getting) > 500_000);
        assert!(began.is_some(), "it began");
        getting
    }

    /// As [`arrives`].
    pub fn arrives(&self, getting: &mut Process, limit: u64) -> std::time::Duration {
        arrives(getting, &self.us, &self.sample, limit)
    }
}

/// Waits until a `get` ends with 0 and the right content; after how long.
pub fn arrives(
    getting: &mut Process,
    host: &Host,
    sample: &Sample,
    limit: u64,
) -> std::time::Duration {
    let took = wait_until(seconds(limit), || getting.ended().is_some());
    let took = took.unwrap_or_else(|| panic!("no content after {limit} s"));
    assert_eq!(getting.wait(seconds(1)).code(), Some(0), "trackless get");
    assert!(sample.is_complete_in(&host.folder().join("downloads")));
    took
}
