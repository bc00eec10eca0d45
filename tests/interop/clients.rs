//! The five clients: how each one is told to use the lab's DHT and nothing else.
//!
//! Every recipe switches trackers, local discovery and port mapping off, so that a transfer proves the DHT. uTP is off
//! where it can be, since the partner speaks TCP only.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dht::Dht;
use crate::lab::{Host, RANGE};
use crate::support::process::Process;
use crate::support::torrent::{self, Sample};
use crate::support::{seconds, wait_until};

/// The binary under test.
pub const TRACKLESS: &str = env!("CARGO_BIN_EXE_trackless");

/// A libtorrent peer; see its head for the arguments.
pub const LIBTORRENT_PEER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/interop/libtorrent_peer.py"
);

/// TCP and UDP port of every client, all on hosts of their own.
pub const PORT: u16 = 6900;

/// A client that the tests know how to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Ours.
    Trackless,
    /// libtorrent 2, from Python.
    Libtorrent,
    /// aria2.
    Aria2,
    /// Transmission's daemon.
    Transmission,
    /// qBittorrent without a window; libtorrent inside, with a session of its own making.
    Qbittorrent,
}

/// A client at work on a host.
#[derive(Debug)]
pub struct Running {
    /// Its process.
    pub process: Process,
    /// Where a download arrives.
    pub folder: PathBuf,
}

/// The line that installs what `client` needs, if it is not there; also for the lab itself.
pub fn missing(client: Client) -> Option<&'static str> {
    let has = |program: &str, arguments: &[&str]| {
        Command::new(program)
            .args(arguments)
            .output()
            .is_ok_and(|it| it.status.success())
    };
    if !has("ip", &["netns", "list"]) || !has("curl", &["--version"]) {
        return Some("apt-get install iproute2 curl");
    }
    if !nix_root() {
        return Some("(run as root: the test makes network namespaces)");
    }
    match client {
        Client::Trackless => None,
        Client::Libtorrent => {
            (!has("python3", &["-c", "import libtorrent"])).then_some("pip install libtorrent")
        }
        Client::Aria2 => (!has("aria2c", &["--version"])).then_some("apt-get install aria2"),
        Client::Transmission => (!has("transmission-daemon", &["--version"])
            || !has("transmission-remote", &["--version"]))
        .then_some("apt-get install transmission-daemon transmission-cli"),
        Client::Qbittorrent => {
            (!has("qbittorrent-nox", &["--version"])).then_some("apt-get install qbittorrent-nox")
        }
    }
}

/// Whether this process may make namespaces.
fn nix_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("id");
    output.stdout.trim_ascii() == b"0"
}

impl Client {
    /// Starts it on `host` as a seeder of `sample`.
    pub fn seed(self, host: &Host, dht: &Dht, sample: &Sample) -> Running {
        let folder = sample.data.clone();
        let torrent = path(&sample.torrent);
        let process = match self {
            Self::Trackless => trackless(host, dht, &["seed", torrent, "--data", path(&folder)]),
            Self::Libtorrent => libtorrent(host, dht, &folder, torrent),
            Self::Aria2 => aria2(host, dht, &folder, &["--check-integrity=true", torrent]),
            Self::Transmission => transmission(host, dht, &folder, torrent),
            Self::Qbittorrent => qbittorrent(host, dht, &folder, torrent),
        };
        Running { process, folder }
    }

    /// Starts it on `host` with the magnet link of `sample`, and no data.
    pub fn get(self, host: &Host, dht: &Dht, sample: &Sample) -> Running {
        self.get_magnet(host, dht, &sample.magnet())
    }

    /// Starts it on `host` with a magnet link, and no data.
    pub fn get_magnet(self, host: &Host, dht: &Dht, magnet: &str) -> Running {
        let folder = host.new_folder("downloads");
        let process = match self {
            Self::Trackless => {
                trackless(host, dht, &["get", magnet, "-o", path(&folder), "--json"])
            }
            Self::Libtorrent => libtorrent(host, dht, &folder, magnet),
            Self::Aria2 => aria2(host, dht, &folder, &[magnet]),
            Self::Transmission => transmission(host, dht, &folder, magnet),
            Self::Qbittorrent => qbittorrent(host, dht, &folder, magnet),
        };
        Running { process, folder }
    }
}

/// Starts libtorrent on `host` as a seeder of `sample` that uploads at most `rate` bytes a second.
pub fn slow_seeder(host: &Host, dht: &Dht, sample: &Sample, rate: &str) -> Running {
    let (entry, port) = (dht.entry(), PORT.to_string());
    let (folder, torrent) = (sample.data.clone(), path(&sample.torrent));
    let arguments = [
        LIBTORRENT_PEER,
        host.address(),
        &port,
        &entry,
        path(&folder),
        torrent,
        rate,
    ];
    let process = host.start("libtorrent", "python3", &arguments);
    Running { process, folder }
}

/// Starts `trackless share` of the content of `sample`; the torrent it makes is its own.
pub fn share(host: &Host, dht: &Dht, sample: &Sample) -> Running {
    let folder = sample.data.clone();
    let process = trackless(host, dht, &["share", path(&folder.join(&sample.name))]);
    Running { process, folder }
}

/// Starts libtorrent on `host` without a DHT, as a downloader of `sample` that takes and gives `rate` bytes a second.
pub fn crawling_libtorrent(host: &Host, sample: &Sample, rate: &str) -> Process {
    let (port, folder) = (PORT.to_string(), host.new_folder("downloads"));
    let arguments = [
        LIBTORRENT_PEER,
        host.address(),
        &port,
        "off",
        path(&folder),
        path(&sample.torrent),
        rate,
        rate,
    ];
    host.start("libtorrent", "python3", &arguments)
}

/// Starts Transmission on `host` without a DHT, as a downloader of `sample` that takes and gives 10 kB a second.
pub fn crawling_transmission(host: &Host, sample: &Sample) -> Process {
    let folder = host.new_folder("downloads");
    let mut settings = transmission_settings(host, &folder);
    for (key, value) in [
        ("dht-enabled", false.into()),
        ("speed-limit-down-enabled", true.into()),
        ("speed-limit-down", 10.into()),
        ("speed-limit-up-enabled", true.into()),
        ("speed-limit-up", 10.into()),
    ] {
        settings[key] = value;
    }
    start_transmission(host, &settings, &folder, path(&sample.torrent))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of this test is ASCII")
}

fn trackless(host: &Host, dht: &Dht, arguments: &[&str]) -> Process {
    let (entry, state) = (dht.entry(), host.new_folder("state"));
    let mut all = arguments.to_vec();
    let port = PORT.to_string();
    all.extend([
        "--bootstrap",
        &entry,
        "--bind",
        host.address(),
        "--port",
        &port,
    ]);
    all.extend([
        "--allow-net",
        RANGE,
        "--state-dir",
        path(&state),
        "--no-lsd",
        "--no-trackers",
    ]);
    host.start("trackless", TRACKLESS, &all)
}

fn libtorrent(host: &Host, dht: &Dht, folder: &Path, what: &str) -> Process {
    let (entry, port) = (dht.entry(), PORT.to_string());
    let arguments = [
        LIBTORRENT_PEER,
        host.address(),
        &port,
        &entry,
        path(folder),
        what,
    ];
    host.start("libtorrent", "python3", &arguments)
}

fn aria2(host: &Host, dht: &Dht, folder: &Path, what: &[&str]) -> Process {
    let options = [
        "--no-conf".to_owned(),
        "--enable-dht=true".to_owned(),
        "--enable-dht6=false".to_owned(),
        "--bt-enable-lpd=false".to_owned(),
        format!("--dht-entry-point={}", dht.entry()),
        format!("--dht-file-path={}", path(&host.folder().join("dht.dat"))),
        format!("--dht-listen-port={PORT}"),
        format!("--listen-port={PORT}"),
        format!("--dir={}", path(folder)),
        // For ever: the test ends it.
        "--seed-ratio=0.0".to_owned(),
        "--file-allocation=none".to_owned(),
        "--console-log-level=info".to_owned(),
        "--show-console-readout=false".to_owned(),
    ];
    let mut all: Vec<&str> = options.iter().map(String::as_str).collect();
    all.extend(what);
    host.start("aria2", "aria2c", &all)
}

/// Transmission reads `host port` lines from `dht.bootstrap` in its configuration folder.
fn transmission(host: &Host, dht: &Dht, folder: &Path, what: &str) -> Process {
    let home = host.new_folder("transmission");
    let lines: String = dht
        .nodes()
        .map(|(host, port)| format!("{host} {port}\n"))
        .collect();
    std::fs::write(home.join("dht.bootstrap"), lines).expect("bootstrap nodes");
    start_transmission(host, &transmission_settings(host, folder), folder, what)
}

/// What every test sets; it then asks the DHT and other peers, and listens on [`PORT`].
pub fn transmission_settings(host: &Host, folder: &Path) -> serde_json::Value {
    serde_json::json!({
        "dht-enabled": true, "lpd-enabled": false, "utp-enabled": false, "pex-enabled": true,
        "encryption": 0, "port-forwarding-enabled": false, "peer-port": PORT,
        "peer-port-random-on-start": false, "bind-address-ipv4": host.address(),
        "rpc-enabled": true, "rpc-bind-address": "127.0.0.1", "rpc-port": 9091,
        "rpc-authentication-required": false, "rpc-whitelist-enabled": false,
        "download-dir": path(folder), "incomplete-dir-enabled": false, "rename-partial-files": true,
        "message-level": 3, "start-added-torrents": true, "preallocation": 0,
    })
}

/// A daemon with these settings, which has taken the torrent file or magnet link `what`.
pub fn start_transmission(
    host: &Host,
    settings: &serde_json::Value,
    folder: &Path,
    what: &str,
) -> Process {
    let home = host.new_folder("transmission");
    std::fs::write(home.join("settings.json"), settings.to_string()).expect("settings");
    let daemon = host.start(
        "transmission",
        "transmission-daemon",
        &["-f", "-g", path(&home)],
    );
    let add = ["127.0.0.1:9091", "-a", what, "-w", path(folder)];
    let added = wait_until(seconds(20), || {
        host.run("transmission-remote", &add)
            .is_some_and(|it| it.contains("success"))
    });
    assert!(added.is_some(), "transmission-remote {add:?}");
    daemon
}

/// qBittorrent 4.5 has no option for bootstrap nodes: they come from `nodes` of a torrent file, and it announces a torrent
/// only when that starts, so what is wanted is started once the DHT has nodes.
fn qbittorrent(host: &Host, dht: &Dht, folder: &Path, what: &str) -> Process {
    let profile = host.new_folder("profile");
    let config = profile.join("qBittorrent/config");
    std::fs::create_dir_all(&config).expect("a configuration folder");
    let text = format!(
        "[LegalNotice]\nAccepted=true\n\
         [Preferences]\nWebUI\\LocalHostAuth=false\nWebUI\\Port=8080\nWebUI\\Address=127.0.0.1\n\
         [BitTorrent]\nSession\\Port={PORT}\nSession\\DHTEnabled=true\nSession\\LSDEnabled=false\n\
         Session\\BTProtocol=TCP\nSession\\DefaultSavePath={}\nSession\\QueueingSystemEnabled=false\n\
         [Network]\nPortForwardingEnabled=false\n",
        path(folder)
    );
    std::fs::write(config.join("qBittorrent.conf"), text).expect("configuration");
    let mut arguments = vec!["--webui-port=8080".to_owned()];
    arguments.push(format!("--profile={}", path(&profile)));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let process = host.start("qbittorrent", "qbittorrent-nox", &arguments);
    let up = wait_until(seconds(30), || web(host, "app/version", &[]).is_some());
    assert!(up.is_some(), "no answer from the web API");

    let nodes: Vec<torrent::Node> = dht
        .nodes()
        .map(|(host, port)| (host.to_owned(), port))
        .collect();
    let bait = Sample::make(host.folder(), "bait", &[("", 1)], 16_384, &nodes);
    let file = format!("torrents=@{}", path(&bait.torrent));
    web(host, "torrents/add", &["-F", &file]).expect("the torrent with the nodes");
    let joined = wait_until(seconds(40), || {
        let info = web(host, "transfer/info", &[]).unwrap_or_default();
        let info: serde_json::Value = serde_json::from_str(&info).unwrap_or_default();
        info["dht_nodes"].as_u64() > Some(0)
    });
    assert!(joined.is_some(), "qBittorrent knows no DHT node");

    let what = if what.starts_with("magnet:") {
        format!("urls={what}")
    } else {
        format!("torrents=@{what}")
    };
    let place = format!("savepath={}", path(folder));
    web(host, "torrents/add", &["-F", &what, "-F", &place]).expect("the torrent");
    process
}

/// Calls qBittorrent's web API; the body of a good answer.
fn web(host: &Host, method: &str, form: &[&str]) -> Option<String> {
    let url = format!("http://127.0.0.1:8080/api/v2/{method}");
    let mut arguments = vec!["--silent", "--show-error", "--fail", "--max-time", "5"];
    arguments.extend(form);
    arguments.push(&url);
    host.run("curl", &arguments)
}
