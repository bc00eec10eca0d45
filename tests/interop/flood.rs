//! Peer exchange as a weapon (BEP 11, "Security Considerations"): a peer names 10,000 addresses, one victim with many ports,
//! us to ourselves. Counted are the calls that leave the host and those that reach the victim, by its kernel.
//!
//! The addresses are public ones, since for those that a user opened other rules hold; they exist inside the namespaces only.

use crate::can_run;
use crate::clients::{Client, PORT, TRACKLESS};
use crate::lab::{Host, Lab};
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

const FLOOD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/pex_flood.py");

/// How long the calls are watched.
const WATCHED: u64 = 12;

/// Twenty at once and two a second (reliability.md P11), the attacker itself, and some for a second that has begun.
const MOST_CALLS: u64 = 20 + 2 * WATCHED + 1 + 4;

/// Gives the host a public address.
fn public(host: &Host, address: &str) {
    let whole = format!("{address}/8");
    host.run("ip", &["addr", "add", &whole, "dev", "eth0"])
        .expect("an address");
}

/// A counter of TCP in the host's own kernel tables.
fn tcp(host: &Host, counter: &str) -> u64 {
    let text = host.run("cat", &["/proc/net/snmp"]).unwrap_or_default();
    let mut lines = text.lines().filter(|line| line.starts_with("Tcp:"));
    let (names, values) = (lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let mut pairs = names.split_whitespace().zip(values.split_whitespace());
    let found = pairs.find(|(name, _)| *name == counter);
    found
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or_else(|| panic!("no {counter} in {text:?}"))
}

/// Rows A7: of ten thousand addresses few are called, and a victim gets one call.
#[test]
fn ten_thousand_addresses_are_a_few_calls_and_a_victim_gets_one() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "flood", 1_000_000, 65_536);
    let [us, attacker, victim] = ["us", "attacker", "victim"].map(|name| lab.host(name, 1));
    for (host, address) in [
        (&us, "11.0.0.1"),
        (&attacker, "11.0.0.2"),
        (&victim, "11.99.9.9"),
    ] {
        public(host, address);
    }
    let port = PORT.to_string();
    let arguments = [
        FLOOD,
        "11.0.0.2",
        &port,
        &sample.info_hash,
        "11.0.0.1",
        "11.99.9.9",
    ];
    let mut flood = attacker.start("flood", "python3", &arguments);
    let listens = wait_until(seconds(10), || {
        let table = attacker.run("cat", &["/proc/net/tcp"]).unwrap_or_default();
        table.contains(&format!(":{PORT:04X} 00000000:0000 0A"))
    });
    assert!(listens.is_some());
    let (state, folder) = (us.new_folder("state"), us.new_folder("downloads"));
    let magnet = format!("{}&x.pe=11.0.0.2:{PORT}", sample.magnet());
    let (state, folder) = (state.display().to_string(), folder.display().to_string());
    let arguments = [
        "get",
        &magnet,
        "-o",
        &folder,
        "--json",
        "--no-dht",
        "--no-lsd",
        "--no-trackers",
        "--bind",
        "11.0.0.1",
        "--port",
        &port,
        "--state-dir",
        &state,
    ];
    let getting = us.start("trackless", TRACKLESS, &arguments);
    flood.line("sent", seconds(20));
    let broken = wait_until(seconds(WATCHED), || {
        tcp(&us, "ActiveOpens") > MOST_CALLS || tcp(&victim, "OutRsts") > 1
    });
    let (calls, hits) = (tcp(&us, "ActiveOpens"), tcp(&victim, "OutRsts"));
    println!("{calls} calls, {hits} of them to the victim");
    assert!(
        broken.is_none(),
        "{calls} calls, {hits} of them to the victim"
    );
    // The list was heard: otherwise this proves nothing.
    assert!(calls > 10, "{}", getting.stdout());
}
