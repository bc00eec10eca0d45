//! `trackless dht` and `doctor` against libtorrent: every command to a network that is one libtorrent
//! node, and values (BEP 44) stored by one and fetched by the other.

use std::process::Output;

use serde_json::Value;

use crate::clients::{Client, LIBTORRENT_PEER, TRACKLESS};
use crate::dht::Dht;
use crate::lab::{Host, Lab};
use crate::support::process::Process;
use crate::support::{seconds, wait_until};

/// Stores and fetches values with libtorrent.
const LIBTORRENT_ITEMS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/interop/libtorrent_items.py"
);

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// A host whose commands join at `entry`.
struct Us {
    host: Host,
    entry: String,
}

impl Us {
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.host.command(TRACKLESS);
        command.args(arguments).args(["--bootstrap", &self.entry]);
        command.args(["--bind", self.host.address()]);
        // Contacts of an earlier command could answer in the place of the node.
        command.arg("--state-dir").arg(
            tempfile::tempdir_in(self.host.folder())
                .expect("a folder")
                .keep(),
        );
        command.output().expect("it runs")
    }

    /// Stdout of a command that ends with 0.
    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The last event of a command that ends with 0.
    fn event(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let text = self.text(&arguments);
        let line = text.lines().last().expect("an event");
        serde_json::from_str(line).expect("JSON")
    }
}

/// The rest of the line that begins with `name`.
fn field(text: &str, name: &str) -> String {
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    let found = found.unwrap_or_else(|| panic!("{name}: {text}"));
    found.trim().to_owned()
}

#[test]
fn every_dht_command_works_against_a_libtorrent_node() {
    if !super::can_run(&[Client::Libtorrent]) {
        return;
    }
    let lab = Lab::new();
    let node = lab.host("node", 1);
    let mut command = node.command("python3");
    command.args([LIBTORRENT_PEER, node.address(), "6881", "none", "."]);
    let _node = Process::start("libtorrent", node.folder(), command);
    let us = Us {
        host: lab.host("us", 1),
        entry: format!("{}:6881", node.address()),
    };
    let ping = ["dht", "ping", &us.entry];
    let up = wait_until(seconds(20), || us.run(&ping).status.success());
    assert!(up.is_some(), "libtorrent answers a ping");
    assert!(us.event(&ping)["rtt"].as_f64() > Some(0.0));

    lookups(&us);
    values(&us);
    let table = us.event(&["dht", "table"]);
    assert_eq!(table["contacts"][0]["node"], us.entry.as_str(), "{table}");
    assert!(us.event(&["dht", "stats"])["responses"].as_u64() > Some(0));
    let size = us.event(&["dht", "size", "--lookups", "2"]);
    assert_eq!(size["v4"]["nodes"].as_f64(), Some(1.0), "{size}");
    let id = us.event(&["dht", "id"]);
    assert_eq!(id["ids"][0]["family"], "v4", "{id}");
    let doctor = us.text(&["doctor", "--timeout", "2s", "-4"]);
    assert!(
        doctor.contains("1 of 1 bootstrap nodes answered"),
        "{doctor}"
    );
}

/// find, announce, lookup, scrape, sample.
fn lookups(us: &Us) {
    let found = us.event(&["dht", "find", HASH]);
    assert_eq!(found["nodes"][0]["node"], us.entry.as_str(), "{found}");
    assert_eq!(us.run(&["dht", "lookup", HASH]).status.code(), Some(5));
    let told = us.text(&["dht", "announce", HASH, "--port", "7000"]);
    assert_eq!(told, "port 7000 acknowledged by 1 node\n");
    let peer = format!("{}:7000", us.host.address());
    assert_eq!(us.text(&["dht", "lookup", HASH]).trim(), peer);
    let traced = us.text(&["dht", "lookup", HASH, "--trace"]);
    assert!(traced.contains(&us.entry), "{traced}");
    assert_eq!(
        us.text(&["dht", "scrape", HASH]),
        "0 seeds, 1 downloaders\n"
    );
    assert_eq!(us.text(&["dht", "sample", HASH]).trim(), HASH);
}

/// put and get, of both kinds, and what is refused.
fn values(us: &Us) {
    let told = us.text(&["dht", "put", "Hello World!"]);
    let target = field(&told, "target");
    assert_eq!(us.text(&["dht", "get", &target]), "Hello World!\n");
    let key = us.host.folder().join("key");
    let key = key.to_str().expect("text");
    let told = us.text(&["dht", "put", "one", "--generate-key", key, "--salt", "s"]);
    let public = field(&told, "key");
    let next = us.event(&["dht", "put", "two", "--key", key, "--salt", "s"]);
    assert_eq!((&next["seq"], &next["stored"]), (&2.into(), &1.into()));
    assert_eq!(us.text(&["dht", "get", &public, "--salt", "s"]), "two\n");
    for refused in [["--seq", "1"], ["--cas", "1"]] {
        let put = ["dht", "put", "x", "--key", key, "--salt", "s"];
        let output = us.run(&[&put[..], &refused].concat());
        assert_eq!(output.status.code(), Some(10), "{refused:?}: {output:?}");
    }
}

#[test]
fn values_of_libtorrent_are_ours_and_ours_are_libtorrents() {
    if !super::can_run(&[Client::Libtorrent]) {
        return;
    }
    let lab = Lab::new();
    let dht = Dht::start(&lab);
    let us = Us {
        host: lab.host("us", 1),
        entry: dht.entry(),
    };
    let them = lab.host("them", 1);
    let libtorrent = |arguments: &[&str]| {
        let mut command = them.command("python3");
        let place = [LIBTORRENT_ITEMS, them.address(), "6881", &us.entry];
        let output = command
            .args(place)
            .args(arguments)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    };
    let told = libtorrent(&["put", "from libtorrent"]);
    let target = told["target"].as_str().expect("a target");
    assert!(told["stored"].as_u64() > Some(0), "{told}");
    assert_eq!(us.text(&["dht", "get", target]), "from libtorrent\n");
    let target = field(&us.text(&["dht", "put", "from us"]), "target");
    assert_eq!(libtorrent(&["get", &target])["value"], "from us");

    // One key, both sign with it in turn.
    let file = us.host.folder().join("key");
    let name = file.to_str().expect("text");
    let told = us.text(&["dht", "put", "first", "--generate-key", name, "--salt", "s"]);
    let public = field(&told, "key");
    let told = libtorrent(&["get-key", &public, "s"]);
    assert_eq!((&told["value"], &told["seq"]), (&"first".into(), &1.into()));
    let seed = std::fs::read_to_string(&file).expect("the key");
    let told = libtorrent(&["put-key", seed.trim(), &public, "s", "second"]);
    assert!(told["stored"].as_u64() > Some(0), "{told}");
    let item = us.event(&["dht", "get", &public, "--salt", "s"]);
    assert_eq!(
        (&item["value"], &item["seq"]),
        (&"second".into(), &told["seq"])
    );
    let third = us.event(&["dht", "put", "third", "--key", name, "--salt", "s"]);
    assert!(third["seq"].as_i64() > told["seq"].as_i64(), "{third}");
    assert_eq!(libtorrent(&["get-key", &public, "s"])["value"], "third");
}
