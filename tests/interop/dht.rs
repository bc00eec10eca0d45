//! The DHT that the hosts join: sixteen nodes, each with an address in another /24.
//!
//! Sixteen because Transmission announces only when its table holds enough good nodes: with three it never does.

use std::process::Command;

use crate::lab::{Host, Lab};
use crate::support::process::Process;
use crate::support::{seconds, wait_until};

/// How many nodes there are.
const NODES: u8 = 16;

/// The UDP port of every node.
const PORT: u16 = 6881;

/// Running DHT nodes.
#[derive(Debug)]
pub struct Dht {
    addresses: Vec<String>,
    nodes: Vec<Process>,
}

impl Dht {
    /// Starts the nodes on a host of their own; the first one is the way in for the others.
    pub fn start(lab: &Lab) -> Self {
        let host = lab.host("dht", NODES);
        let nodes = host
            .addresses()
            .iter()
            .map(|address| start_node(&host, address))
            .collect();
        let mut dht = Self {
            addresses: host.addresses().to_vec(),
            nodes,
        };
        let up = wait_until(seconds(10), || dht.sockets(&host) >= usize::from(NODES));
        assert!(
            up.is_some(),
            "{} of {NODES} DHT nodes have a socket",
            dht.sockets(&host)
        );
        for node in &mut dht.nodes {
            assert!(node.ended().is_none(), "a DHT node ended");
        }
        dht
    }

    /// Addresses of the nodes, in the order of their start.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, u16)> {
        self.addresses
            .iter()
            .map(|address| (address.as_str(), PORT))
    }

    /// The first node as `HOST:PORT`.
    pub fn entry(&self) -> String {
        format!("{}:{PORT}", self.addresses[0])
    }

    /// UDP sockets on the host that are bound to the port.
    fn sockets(&self, host: &Host) -> usize {
        let table = host.run("cat", &["/proc/net/udp"]).unwrap_or_default();
        table
            .lines()
            .filter(|line| line.contains(&format!(":{PORT:04X} 00000000:0000")))
            .count()
    }
}

/// One node of ours, or of libtorrent when `TRACKLESS_TEST_DHT=libtorrent`: then a failure that stays is not our node's.
fn start_node(host: &Host, address: &str) -> Process {
    let first = host.address();
    let entry = format!("{first}:{PORT}");
    let port = PORT.to_string();
    let foreign = std::env::var("TRACKLESS_TEST_DHT").is_ok_and(|it| it == "libtorrent");
    let mut command: Command;
    if foreign {
        let way_in = if address == first { "none" } else { &entry };
        command = host.command("python3");
        command.args([crate::clients::LIBTORRENT_PEER, address, &port, way_in, "."]);
    } else {
        command = host.command(crate::clients::TRACKLESS);
        command.args(["dht", "node", "--bind", address, "--port", &port]);
        command
            .arg("--state-dir")
            .arg(host.new_folder(&format!("state-{address}")));
        // The first one names itself: an empty list would mean the built-in one.
        command.args(["--bootstrap", &entry]);
    }
    Process::start(&format!("node-{address}"), host.folder(), command)
}
