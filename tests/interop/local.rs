//! Local discovery (BEP 14) and nothing else: no DHT, no peer exchange, no trackers, no peers given. The hosts' addresses
//! lie in a range that trackless refuses from anybody but a neighbour, and it is not opened here, so that each transfer
//! proves that a neighbour's own word is enough, for dialling and for being called.

use std::path::{Path, PathBuf};

use crate::clients::{
    Client, LIBTORRENT_PEER, TRACKLESS, start_transmission, transmission_settings,
};
use crate::lab::{Host, Lab};
use crate::support::process::Process;
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};
use crate::{FILES, LIMIT, can_run};

/// TCP port of the other clients.
const PORT: &str = "6900";

/// Joins both groups and prints each datagram, its line ends as `|`.
const LISTENER: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('', 6771))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
             socket.inet_aton('239.192.152.143') + socket.inet_aton(sys.argv[1]))
print('listening', flush=True)
while True:
    data, source = s.recvfrom(2048)
    print(source[0], data.decode().replace('\\r\\n', '|'), flush=True)
";

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of this test is ASCII")
}

fn trackless(host: &Host, name: &str, arguments: &[&str]) -> Process {
    let state = host.new_folder(&format!("{name}-state"));
    let mut all = arguments.to_vec();
    all.extend([
        "--no-dht",
        "--no-pex",
        "--no-trackers",
        "--state-dir",
        text(&state),
    ]);
    host.start(name, TRACKLESS, &all)
}

fn seed(host: &Host, sample: &Sample, more: &[&str]) -> Process {
    let mut arguments = vec!["seed", text(&sample.torrent), "--data", text(&sample.data)];
    arguments.extend(more);
    trackless(host, "seed", &arguments)
}

/// A download by magnet link, and where it arrives.
fn get(host: &Host, sample: &Sample, more: &[&str]) -> (Process, PathBuf) {
    let (folder, magnet) = (host.new_folder("downloads"), sample.magnet());
    let mut arguments = vec!["get", &magnet, "-o", text(&folder), "--json"];
    arguments.extend(more);
    (trackless(host, "get", &arguments), folder)
}

fn libtorrent(host: &Host, folder: &Path, what: &str) -> Process {
    let arguments = [
        LIBTORRENT_PEER,
        host.address(),
        PORT,
        "lsd",
        text(folder),
        what,
    ];
    host.start("libtorrent", "python3", &arguments)
}

fn transmission(host: &Host, folder: &Path, what: &str) -> Process {
    let mut settings = transmission_settings(host, folder);
    settings["dht-enabled"] = false.into();
    settings["pex-enabled"] = false.into();
    settings["lpd-enabled"] = true.into();
    start_transmission(host, &settings, folder, what)
}

fn finishes(getting: &mut Process, folder: &Path, sample: &Sample) {
    assert_eq!(getting.wait(LIMIT).code(), Some(0), "trackless get");
    assert!(
        sample.is_complete_in(folder),
        "ended with 0, but the files differ"
    );
    for line in getting
        .stdout()
        .lines()
        .filter(|line| line.contains("\"peers\""))
    {
        let neighbour = line.contains("\"lsd\"") || !line.contains("\"type\":\"peers\"");
        assert!(neighbour, "a peer from elsewhere: {line}");
    }
}

/// Gives a host an IPv6 address on the lab's link.
fn with_v6(host: &Host, number: u8) {
    let address = format!("fd00:7::{number}/64");
    for arguments in [
        &["link", "set", "eth0", "addrgenmode", "none"][..],
        &["addr", "add", &address, "dev", "eth0", "nodad"],
    ] {
        host.run("ip", arguments).expect("an address");
    }
}

#[test]
fn two_of_ours_on_one_link() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::multi(lab.folder(), "link", &FILES, 65_536);
    let (from, to) = (lab.host("from", 1), lab.host("to", 1));
    let _seeding = seed(&from, &sample, &[]);
    let (mut getting, folder) = get(&to, &sample, &[]);
    finishes(&mut getting, &folder, &sample);
}

#[test]
fn two_of_ours_on_one_host() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::multi(lab.folder(), "host", &FILES, 65_536);
    let host = lab.host("both", 1);
    let _seeding = seed(&host, &sample, &[]);
    let (mut getting, folder) = get(&host, &sample, &[]);
    finishes(&mut getting, &folder, &sample);
}

#[test]
fn two_of_ours_over_ipv6() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::multi(lab.folder(), "v6", &FILES, 65_536);
    let (from, to) = (lab.host("from", 1), lab.host("to", 1));
    with_v6(&from, 1);
    with_v6(&to, 2);
    let _seeding = seed(&from, &sample, &["-6"]);
    let (mut getting, folder) = get(&to, &sample, &["-6"]);
    finishes(&mut getting, &folder, &sample);
}

/// The getter comes first and waits; whoever comes later announces himself, and that is enough.
#[test]
fn a_seeder_that_comes_later_is_found() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::multi(lab.folder(), "later", &FILES, 65_536);
    let (from, to) = (lab.host("from", 1), lab.host("to", 1));
    let (mut getting, folder) = get(&to, &sample, &[]);
    let waits = wait_until(seconds(20), || getting.stdout().contains("\"connecting\""));
    assert!(waits.is_some());
    let _seeding = seed(&from, &sample, &[]);
    finishes(&mut getting, &folder, &sample);
}

/// Another client seeds to us, we seed to it; `start` starts it with a folder and what it is to fetch or seed.
fn both_ways(client: Client, start: fn(&Host, &Path, &str) -> Process) {
    if !can_run(&[client]) {
        return;
    }
    let lab = Lab::new();
    let theirs = Sample::multi(lab.folder(), "theirs", &FILES, 65_536);
    let ours = Sample::multi(lab.folder(), "ours", &FILES, 65_536);
    let (a, b, c, d) = (
        lab.host("a", 1),
        lab.host("b", 1),
        lab.host("c", 1),
        lab.host("d", 1),
    );
    let _seeding = start(&a, &theirs.data, text(&theirs.torrent));
    let (mut getting, folder) = get(&b, &theirs, &[]);
    let _giving = seed(&c, &ours, &[]);
    let downloads = d.new_folder("downloads");
    let _getting = start(&d, &downloads, &ours.magnet());
    let took = wait_until(LIMIT, || ours.is_complete_in(&downloads));
    assert!(took.is_some(), "{client:?} got nothing");
    finishes(&mut getting, &folder, &theirs);
}

#[test]
fn libtorrent_seeds_to_us_and_we_to_it_by_local_discovery() {
    both_ways(Client::Libtorrent, libtorrent);
}

#[test]
fn transmission_seeds_to_us_and_we_to_it_by_local_discovery() {
    both_ways(Client::Transmission, transmission);
}

/// What goes over the link, read by somebody else: one datagram to the group, its time to live, its words.
#[test]
fn an_announce_as_others_hear_it() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::multi(lab.folder(), "heard", &FILES, 65_536);
    let (from, ear) = (lab.host("from", 1), lab.host("ear", 1));
    let mut listener = ear.start("listener", "python3", &["-c", LISTENER, ear.address()]);
    listener.line("listening", seconds(20));
    let _seeding = seed(&from, &sample, &["--port", "7001"]);
    let line = listener.line(from.address(), seconds(20));
    let start = format!(
        "{} BT-SEARCH * HTTP/1.1|Host: 239.192.152.143:6771|Port: 7001|Infohash: {}|cookie: ",
        from.address(),
        sample.info_hash
    );
    assert!(line.starts_with(&start) && line.ends_with("|||"), "{line}");
    let count = || listener.stdout().lines().count();
    assert_eq!(count(), 2, "told once:\n{}", listener.stdout());
}
