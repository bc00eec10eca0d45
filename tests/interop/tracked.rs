//! Our tracker with other people's clients: one seeder, five leechers, each of another kind, a host each, and nothing but
//! the tracker to find each other. Once over HTTP, once over UDP.
//!
//! DHT, peer exchange, local discovery and port mapping are off everywhere, so a transfer proves the tracker; its own
//! counts prove that clients announced their start and their completion. (aria2 speaks to UDP trackers only with its DHT
//! on; it is told of no node.)

use std::path::Path;

use crate::can_run;
use crate::clients::{Client, PORT, TRACKLESS, start_transmission, transmission_settings};
use crate::lab::{Host, Lab};
use crate::support::process::Process;
use crate::support::torrent::{Sample, string};
use crate::support::{seconds, wait_until};

/// Who downloads: four that the other tests know, and rtorrent.
const LEECHERS: [&str; 5] = [
    "libtorrent",
    "aria2",
    "transmission",
    "qbittorrent",
    "rtorrent",
];

/// A libtorrent peer that asks its tracker and nobody else: ADDRESS PORT TORRENT FOLDER.
const LIBTORRENT: &str = "
import libtorrent as lt, sys, time
address, port, torrent, folder = sys.argv[1:]
session = lt.session({
    'listen_interfaces': f'{address}:{port}', 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
    'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
    'alert_mask': lt.alert.category_t.tracker_notification | lt.alert.category_t.error_notification,
})
params = lt.add_torrent_params()
params.ti, params.save_path = lt.torrent_info(torrent), folder
params.flags |= lt.torrent_flags.disable_pex
session.add_torrent(params)
while True:
    for alert in session.pop_alerts():
        print(f'{alert.what()}: {alert.message()}', file=sys.stderr, flush=True)
    time.sleep(0.2)
";

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of this test is ASCII")
}

/// The torrent file of `sample` with one announce URL in front.
fn with_tracker(host: &Host, sample: &Sample, url: &str) -> String {
    let plain = std::fs::read(&sample.torrent).expect("the torrent file");
    let mut tracked = b"d8:announce".to_vec();
    tracked.extend(string(url.as_bytes()));
    tracked.extend(&plain[1..]);
    let file = host.folder().join("tracked.torrent");
    std::fs::write(&file, tracked).expect("a torrent file");
    path(&file).to_owned()
}

/// Starts a client that has `folder`, complete or empty.
fn start(name: &str, host: &Host, torrent: &str, folder: &Path) -> Process {
    match name {
        "libtorrent" => {
            let port = PORT.to_string();
            let arguments = [
                "-c",
                LIBTORRENT,
                host.address(),
                &port,
                torrent,
                path(folder),
            ];
            host.start("libtorrent", "python3", &arguments)
        }
        "aria2" => aria2(host, torrent, folder),
        "transmission" => transmission(host, torrent, folder),
        "qbittorrent" => qbittorrent(host, torrent, folder),
        _ => rtorrent(host, torrent, folder),
    }
}

fn aria2(host: &Host, torrent: &str, folder: &Path) -> Process {
    let options = [
        "--no-conf".to_owned(),
        "--enable-dht=true".to_owned(),
        "--enable-dht6=false".to_owned(),
        "--enable-peer-exchange=false".to_owned(),
        "--bt-enable-lpd=false".to_owned(),
        format!("--dht-file-path={}", path(&host.folder().join("dht.dat"))),
        format!("--dht-listen-port={PORT}"),
        format!("--listen-port={PORT}"),
        format!("--dir={}", path(folder)),
        "--seed-ratio=0.0".to_owned(),
        "--file-allocation=none".to_owned(),
        "--show-console-readout=false".to_owned(),
        torrent.to_owned(),
    ];
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    host.start("aria2", "aria2c", &options)
}

fn transmission(host: &Host, torrent: &str, folder: &Path) -> Process {
    let mut settings = transmission_settings(host, folder);
    settings["dht-enabled"] = false.into();
    settings["pex-enabled"] = false.into();
    start_transmission(host, &settings, folder, torrent)
}

fn qbittorrent(host: &Host, torrent: &str, folder: &Path) -> Process {
    let profile = host.new_folder("profile");
    let config = profile.join("qBittorrent/config");
    std::fs::create_dir_all(&config).expect("a configuration folder");
    let text = format!(
        "[LegalNotice]\nAccepted=true\n\
         [Preferences]\nWebUI\\LocalHostAuth=false\nWebUI\\Port=8080\nWebUI\\Address=127.0.0.1\n\
         [BitTorrent]\nSession\\Port={PORT}\nSession\\DHTEnabled=false\nSession\\LSDEnabled=false\n\
         Session\\PeXEnabled=false\nSession\\BTProtocol=TCP\nSession\\DefaultSavePath={}\n\
         Session\\QueueingSystemEnabled=false\n[Network]\nPortForwardingEnabled=false\n",
        path(folder)
    );
    std::fs::write(config.join("qBittorrent.conf"), text).expect("configuration");
    let profile = format!("--profile={}", path(&profile));
    let process = host.start(
        "qbittorrent",
        "qbittorrent-nox",
        &["--webui-port=8080", &profile],
    );
    let curl = |method: &str, form: &[&str]| {
        let url = format!("http://127.0.0.1:8080/api/v2/{method}");
        let mut arguments = vec!["--silent", "--show-error", "--fail", "--max-time", "5"];
        arguments.extend(form);
        arguments.push(&url);
        host.run("curl", &arguments)
    };
    let up = wait_until(seconds(60), || curl("app/version", &[]).is_some());
    assert!(up.is_some(), "no answer from the web API");
    let (file, place) = (
        format!("torrents=@{torrent}"),
        format!("savepath={}", path(folder)),
    );
    curl("torrents/add", &["-F", &file, "-F", &place]).expect("the torrent");
    process
}

/// Without a terminal it needs to be told that it is a daemon.
fn rtorrent(host: &Host, torrent: &str, folder: &Path) -> Process {
    let session = host.new_folder("session");
    let file = host.folder().join("rtorrent.rc");
    let text = format!(
        "system.daemon.set = true\ndirectory.default.set = {}\nsession.path.set = {}\n\
         network.port_range.set = {PORT}-{PORT}\nnetwork.port_random.set = no\n\
         network.bind_address.set = {}\ndht.mode.set = disable\nprotocol.pex.set = no\n\
         trackers.use_udp.set = yes\nprotocol.encryption.set = none\n\
         schedule2 = load, 1, 0, ((load.start_verbose, {torrent}))\n",
        path(folder),
        path(&session),
        host.address(),
    );
    std::fs::write(&file, text).expect("configuration");
    let import = format!("import={}", path(&file));
    host.start("rtorrent", "rtorrent", &["-n", "-o", &import])
}

/// Whether everything that takes part is there.
fn ready() -> bool {
    use Client::{Aria2, Libtorrent, Qbittorrent, Transmission};
    if !can_run(&[Libtorrent, Aria2, Transmission, Qbittorrent]) {
        return false;
    }
    let there = std::process::Command::new("rtorrent")
        .arg("-h")
        .output()
        .is_ok();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "rtorrent is missing: apt-get install rtorrent"
    );
    if !there {
        eprintln!("skipped: rtorrent is missing; install with: apt-get install rtorrent");
    }
    there
}

/// The value of a metric of the tracker on `host`.
fn metric(host: &Host, name: &str) -> Option<u64> {
    let url = format!("http://{}:6969/metrics", host.address());
    let text = host.run("curl", &["--silent", "--max-time", "5", &url])?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("trackless_tracker_{name} ")));
    line?.parse().ok()
}

/// Who has not told that it is complete, as the tracker tells a seeder.
fn leechers(host: &Host, sample: &Sample) -> Option<String> {
    let bytes: Vec<&str> = (0..20)
        .map(|byte| &sample.info_hash[2 * byte..2 * byte + 2])
        .collect();
    let url = format!(
        "http://{}:6969/announce?info_hash=%{}&peer_id=-XX0000-aaaaaaaaaaaa&port=1&left=0&compact=0",
        host.address(),
        bytes.join("%")
    );
    host.run("curl", &["--silent", "--max-time", "5", &url])
}

fn serves_everybody(scheme: &str) {
    if !ready() {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::multi(
        lab.folder(),
        &format!("tracked-{scheme}"),
        &[("a.bin", 1_500_001), ("b/c.bin", 300_000)],
        65_536,
    );
    let host = lab.host("tracker", 1);
    let at = format!("{}:6969", host.address());
    let mut tracker = host.start(
        "tracker",
        TRACKLESS,
        &["tracker", "--http", &at, "--udp", &at],
    );
    tracker.line("udp://", seconds(20));
    let url = format!("{scheme}://{at}/announce");
    let from = lab.host("seeder", 1);
    let _seeder = start(
        "libtorrent",
        &from,
        &with_tracker(&from, &sample, &url),
        &sample.data,
    );
    std::thread::scope(|scope| {
        for name in LEECHERS {
            let (to, sample, url) = (lab.host(name, 1), &sample, &url);
            let tracker = &host;
            scope.spawn(move || {
                let folder = to.new_folder("downloads");
                let _leecher = start(name, &to, &with_tracker(&to, sample, url), &folder);
                let took = wait_until(seconds(150), || sample.is_complete_in(&folder));
                let took = took.unwrap_or_else(|| panic!("{name} over {scheme}: nothing complete"));
                println!("{name} over {scheme}: {:.1} s", took.as_secs_f64());
                // It stays until everybody's completion is known. (rtorrent 0.9.8 tells a completion that follows
                // its start within seconds with its next announce, which is half an hour away.)
                let enough = |completed: u64| completed >= LEECHERS.len() as u64 - 1;
                let told = wait_until(seconds(60), || {
                    metric(tracker, "completed_total").is_some_and(enough)
                });
                assert!(
                    told.is_some(),
                    "{name}: {:?} are no seeders",
                    leechers(tracker, sample)
                );
            });
        }
    });
    // The other transport was not needed by anybody.
    let other = if scheme == "http" { "udp" } else { "http" };
    let stray = metric(
        &host,
        &format!("announces_total{{via=\"{other}\",family=\"v4\"}}"),
    );
    assert_eq!(stray, Some(0));
}

#[test]
fn our_tracker_serves_everybody_over_http() {
    serves_everybody("http");
}

#[test]
fn our_tracker_serves_everybody_over_udp() {
    serves_everybody("udp");
}
