//! Several torrents in one `get` or `seed`, on loopback: one port, one node, one exit code; each ends for itself.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use trackless::io::{
    Bind, Client, ClientConfig, Destination, LocalDiscovery, Port, Source, TorrentSpec,
};
use trackless::metainfo::Info;
use trackless::storage::{Location, OpenMode};
use trackless::swarm::{Mode, Settings};

mod support;

use support::client::{Bench, STUCK, TRACKLESS, events};
use support::peer::{Conduct, Peer};
use support::process::Process;
use support::torrent::Sample;
use support::{seconds, wait_until};

/// Torrents called `NAME-0` and so on.
fn samples(folder: &Path, name: &str, count: usize) -> Vec<Sample> {
    let one = |number| Sample::single(folder, &format!("{name}-{number}"), 300_000, 32_768);
    (0..count).map(one).collect()
}

/// `get`s all of them from scripted peers, each named by its own magnet link only.
fn get(bench: &Bench, samples: &[Sample], peers: &[Peer]) -> Command {
    let magnets = samples.iter().zip(peers);
    let magnets =
        magnets.map(|(sample, peer)| format!("{}&x.pe={}", sample.magnet(), peer.endpoint()));
    let magnets: Vec<String> = magnets.collect();
    let mut command = bench.get(&magnets[0], &[]);
    command.args(&magnets[1..]);
    command
}

fn peers(first: u8, samples: &[Sample], conduct: Conduct) -> Vec<Peer> {
    let hosts = (first..).zip(samples);
    hosts
        .map(|(host, sample)| Peer::start(host, sample, conduct))
        .collect()
}

/// Lines of `/proc/net/TABLE` that belong to sockets of the process, less the connected ones.
fn sockets(process: u32, table: &str) -> usize {
    let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return 0;
    };
    let links = files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok());
    let inodes: BTreeSet<String> = links
        .filter_map(|link| {
            let text = link.to_string_lossy().into_owned();
            Some(text.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = fs::read_to_string(format!("/proc/net/{table}")).expect("a table");
    let rows = table
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = rows.filter(|row| inodes.contains(row[9]) && row[2].ends_with(":0000"));
    ours.count()
}

#[test]
fn several_downloads_share_one_port_and_all_finish() {
    let mut bench = Bench::new();
    let samples = samples(bench.folder(), "shared", 3);
    let slow = Conduct {
        pause: std::time::Duration::from_millis(60),
        ..Conduct::HONEST
    };
    let peers = peers(30, &samples, slow);
    let mut command = get(&bench, &samples, &peers);
    // With a DHT, so that there is a node to share; nobody answers it.
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut with_dht = Command::new(TRACKLESS);
    with_dht.args(arguments.iter().filter(|it| *it != "--no-dht"));
    with_dht.args(["--bootstrap", "127.0.0.1:9"]);
    with_dht
        .env("HOME", bench.folder())
        .env_remove("XDG_CONFIG_HOME");
    command = with_dht;
    let mut process = bench.start(command);
    let at_work = wait_until(STUCK, || {
        peers.iter().all(|peer| !peer.seen().blocks.is_empty())
    });
    assert!(at_work.is_some(), "all at once");
    assert!(process.ended().is_none(), "too fast to look at");
    let (udp, tcp) = (sockets(process.id(), "udp"), sockets(process.id(), "tcp"));
    assert_eq!((udp, tcp), (1, 1), "UDP sockets, listening TCP sockets");
    assert_eq!(process.wait(STUCK).code(), Some(0));
    for sample in &samples {
        assert!(sample.is_complete_in(bench.output()), "{}", sample.name);
    }
    let hashes: BTreeSet<String> = samples.iter().map(|it| it.info_hash.clone()).collect();
    for kind in ["metadata", "progress", "done"] {
        let told = events(&process, kind);
        let told = told.iter().filter_map(|event| event["info_hash"].as_str());
        let told: BTreeSet<String> = told.map(str::to_owned).collect();
        assert_eq!(told, hashes, "{kind}");
    }
    assert!(peers.iter().all(|peer| peer.seen().breaches.is_empty()));
}

/// Rows C16: the same torrent twice is fetched once.
#[test]
fn a_list_on_stdin_where_one_has_no_peers() {
    let bench = Bench::new();
    let samples = samples(bench.folder(), "list", 2);
    let peers = peers(40, &samples, Conduct::HONEST);
    let list: Vec<String> = samples
        .iter()
        .zip(&peers)
        .map(|(sample, peer)| format!("{}&x.pe={}", sample.magnet(), peer.endpoint()))
        .collect();
    let nobody = "ab".repeat(20);
    let list_file = bench.folder().join("list");
    // The first one twice: it is fetched once.
    let text = format!(
        "{nobody}\n# a comment\n{}\n{}\n{}\n",
        list[0], list[1], list[0]
    );
    fs::write(&list_file, text).expect("a list");
    let mut command = bench.plain("-", &[]);
    command.args(["--timeout", "3s"]);
    command.stdin(fs::File::open(&list_file).expect("a list"));
    let output = command.output().expect("it runs");
    let (out, err) = (text_of(&output.stdout), text_of(&output.stderr));
    assert_eq!(output.status.code(), Some(5), "{err}");
    for sample in &samples {
        assert!(sample.is_complete_in(bench.output()), "{err}");
        let path = bench.output().join(&sample.name);
        assert!(out.lines().any(|line| Path::new(line) == path), "{out}");
        assert!(err.contains(&format!("{}: Done: ", sample.name)), "{err}");
    }
    assert_eq!(out.lines().count(), 2, "{out}");
    assert!(err.contains("is named twice"), "{err}");
    assert!(
        err.contains("error: abababab…: gave up after --timeout"),
        "{err}"
    );
    assert!(err.ends_with("3 torrents: 2 done, 1 failed\n"), "{err}");
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_interruption_ends_all_of_them_at_once() {
    let mut bench = Bench::new();
    let samples = samples(bench.folder(), "stopped", 7);
    let slow = Conduct {
        pause: seconds(1),
        ..Conduct::HONEST
    };
    let peers = peers(50, &samples, slow);
    let mut process = bench.start(get(&bench, &samples, &peers));
    let started = |peer: &Peer| usize::from(!peer.seen().blocks.is_empty());
    let five = || peers.iter().map(started).sum::<usize>() >= 5;
    assert!(wait_until(STUCK, five).is_some());
    assert_eq!(
        peers.iter().map(started).sum::<usize>(),
        5,
        "the others wait"
    );
    process.signal("INT");
    let took = wait_until(seconds(10), || process.ended().is_some()).expect("it ends");
    assert!(took <= seconds(2), "{took:?}");
    assert_eq!(process.ended().and_then(|it| it.code()), Some(130));
    let resume = events(&process, "note");
    let resume = resume.iter().filter(|note| {
        let text = note["message"].as_str().unwrap_or_default();
        text.contains("resumes") && note["info_hash"] != Value::Null
    });
    assert_eq!(resume.count(), 5, "each says how to go on");
}

#[test]
fn nine_seeds_on_one_port_give_to_one_get() {
    let (mut seeding, mut getting) = (Bench::new(), Bench::new());
    let samples = samples(seeding.folder(), "seed", 9);
    let data = seeding.folder().join("all");
    fs::create_dir(&data).expect("a folder");
    let mut command = Command::new(TRACKLESS);
    command
        .arg("seed")
        .args(samples.iter().map(|it| &it.torrent));
    for sample in &samples {
        fs::rename(sample.data.join(&sample.name), data.join(&sample.name)).expect("moved");
    }
    command
        .arg("--data")
        .arg(&data)
        .args(["--bind", "127.0.0.20", "--port", "0"]);
    command.args([
        "--no-dht",
        "--no-pex",
        "--no-lsd",
        "--no-trackers",
        "--state-dir",
    ]);
    command.arg(seeding.folder().join("state"));
    command
        .env("HOME", seeding.folder())
        .env_remove("XDG_CONFIG_HOME");
    let mut seeds = seeding.start(command);
    let port = port_of(&mut seeds);
    let torrents: Vec<_> = samples
        .iter()
        .map(|it| it.torrent.to_str().expect("ASCII"))
        .collect();
    let mut command = getting.get(torrents[0], &[]);
    command
        .args(&torrents[1..])
        .args(["--peer", &format!("127.0.0.20:{port}")]);
    let mut process = getting.start(command);
    assert_eq!(process.wait(STUCK).code(), Some(0));
    for sample in &samples {
        let arrived = fs::read(getting.output().join(&sample.name)).expect("a file");
        assert!(arrived == sample.content, "{}", sample.name);
    }
    assert_eq!(sockets(seeds.id(), "tcp"), 1, "listening TCP sockets");
    seeds.signal("TERM");
    assert_eq!(seeds.wait(seconds(10)).code(), Some(143));
}

/// A client in this process, which knows the node at `entry`.
async fn client(entry: &str) -> Client {
    let config = ClientConfig {
        bind: Bind::Address(std::net::Ipv4Addr::LOCALHOST.into()),
        port: Port::Any,
        bootstrap: vec![entry.to_owned()],
        lsd: LocalDiscovery::Off,
        ..ClientConfig::default()
    };
    Client::start(config).await.expect("loopback")
}

/// Five seeds look around by themselves; the sixth and those after it are announced all the same.
#[tokio::test]
async fn many_seeds_are_announced_in_rounds() {
    let folder = tempfile::tempdir().expect("a folder");
    let samples = samples(folder.path(), "round", 8);
    let node = client("127.0.0.1:9").await;
    let seeds = client(&format!("127.0.0.1:{}", node.port())).await;
    let mut handles = Vec::new();
    for sample in &samples {
        let info = Info::from_bytes(sample.info.clone().into()).expect("a torrent");
        let location = Location {
            output: sample.data.clone(),
            state: None,
        };
        let spec = TorrentSpec {
            source: Source::Info(Arc::new(info)),
            destination: Destination::Files(location, OpenMode::Check),
            select: None,
            peers: Vec::new(),
            trackers: Vec::new(),
            settings: Settings {
                mode: Mode::Seed,
                ..Settings::default()
            },
        };
        handles.push(seeds.add(spec).await.expect("a torrent"));
    }
    let deadline = tokio::time::Instant::now() + STUCK;
    let mut stored = 0;
    while stored < samples.len() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "{stored} of 8 announced"
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let view = node.dht().expect("a node").view().await;
        stored = view.expect("it runs").stored.0;
    }
    let looked = handles.iter().filter(|handle| {
        let search = handle.status().search;
        search.ended > 0 || search.running.is_some()
    });
    assert!(looked.count() <= 5);
}

fn port_of(process: &mut Process) -> u16 {
    let mut port = None;
    wait_until(seconds(20), || {
        let text = process.stderr();
        let said = text.split_once("listening on port ").map(|(_, rest)| rest);
        port = said.and_then(|rest| rest.lines().next()?.trim().parse().ok());
        port.is_some()
    });
    port.expect("it tells its port")
}
