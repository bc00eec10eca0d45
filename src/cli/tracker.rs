//! `tracker`: serves peers to others until a signal comes (BEP 3, 15, 48). Its announce URLs go to stdout,
//! how it does to stderr every 10 s while something changes.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::interval;

use super::exit::{ExitCode, Failure};
use super::json::Seconds;
use super::meaning::allowed;
use super::network;
use super::plan::{AllowList, TrackerPlan};
use super::report::{Reporter, Style};
use super::signals::Signals;
use crate::io::{
    Bind, DatabaseError, Grant, StartError, TrackerConfig, TrackerServer, TrackerView,
    source_towards,
};
use crate::tracker::server::{Allowed, Config};

/// Between two lines.
const REPORT: Duration = Duration::from_secs(10);

/// The `listening` event: once, when everything is bound and read.
#[derive(Serialize)]
struct Listening<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    /// URLs for torrents and magnet links.
    announce: &'a [String],
    /// Bound addresses.
    http: &'a [SocketAddr],
    udp: &'a [SocketAddr],
    /// Known from an earlier run.
    torrents: usize,
    peers: usize,
}

/// The `tracker` event: how it does, every 10 s.
#[derive(Serialize)]
struct Standing {
    #[serde(rename = "type")]
    kind: &'static str,
    uptime: Seconds,
    torrents: usize,
    seeders: usize,
    leechers: usize,
    announces: u64,
    scrapes: u64,
    completed: u64,
    refused: u64,
}

/// Runs it.
///
/// # Errors
/// Addresses that cannot be bound, a database that cannot be used, now or at the end.
pub(super) fn run(plan: TrackerPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let db = plan
        .db
        .iter()
        .map(|file| Grant::Write(network::folder_of(file)));
    let list = plan
        .allow_list
        .iter()
        .map(|list| Grant::Read(network::folder_of(&list.path)));
    network::confine_to(db.chain(list));
    // Unlike a client a tracker has work for every core.
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("the network cannot be used", &error))?
        .block_on(serve(plan, reporter))
}

async fn serve(plan: TrackerPlan, reporter: &mut Reporter) -> Result<ExitCode, Failure> {
    let mut signals = Signals::new()?;
    let mut reload = signal(SignalKind::hangup())
        .map_err(|error| Failure::io("signals cannot be caught", &error))?;
    let tracker = TrackerServer::start(config(&plan))
        .await
        .map_err(not_started)?;
    tell_start(&tracker, &plan, reporter);
    let mut ticks = interval(REPORT);
    let mut said = String::new();
    let code = loop {
        tokio::select! {
            code = signals.first() => break code,
            _ = reload.recv() => reread(plan.allow_list.as_ref(), &tracker, reporter),
            _ = ticks.tick() => tell(&tracker.view(), &mut said, reporter),
        }
    };
    tracker.stop().await.map_err(|error| {
        let path = plan.db.as_deref().unwrap_or(std::path::Path::new(""));
        database(path, &error)
    })?;
    Ok(code)
}

fn config(plan: &TrackerPlan) -> TrackerConfig {
    TrackerConfig {
        http: plan.http.clone(),
        udp: plan.udp.clone(),
        db: plan.db.clone(),
        server: Config {
            interval: plan.interval,
            reply_peers: plan.reply_peers,
            allowed: plan
                .allow_list
                .as_ref()
                .map_or(Allowed::All, |list| list.allowed.clone()),
            ..Config::default()
        },
    }
}

fn not_started(error: StartError) -> Failure {
    match error {
        StartError::Bind {
            transport,
            listen,
            error,
        } => {
            let doing = format!("cannot serve {transport} at {listen}");
            let failure = Failure::io(doing, &error);
            match error.kind() {
                ErrorKind::AddrInUse => failure
                    .hint("another tracker may be running; --http and --udp name other ports, 0 takes any"),
                ErrorKind::PermissionDenied => failure.hint("ports below 1024 need a privilege"),
                ErrorKind::AddrNotAvailable => failure.hint("this machine has no such address"),
                _ => failure,
            }
        }
        StartError::Database { path, error } => database(&path, &error),
        StartError::System(error) => Failure::io("the tracker cannot be started", &error),
    }
}

fn database(path: &std::path::Path, error: &DatabaseError) -> Failure {
    let (code, hint) = match error {
        DatabaseError::Taken => (ExitCode::Conflict, "every tracker needs a file of its own"),
        DatabaseError::Foreign => (
            ExitCode::Conflict,
            "--db makes the file; name one that does not exist",
        ),
        DatabaseError::Newer(_) => (ExitCode::Conflict, "use the newer program, or another file"),
        DatabaseError::Sqlite(_) => (ExitCode::Io, "without --db everything stays in memory"),
    };
    Failure::new(code, format!("cannot use {}: {error}", path.display())).hint(hint)
}

fn tell_start(tracker: &TrackerServer, plan: &TrackerPlan, reporter: &mut Reporter) {
    let http = tracker.http().iter().filter_map(|at| url("http", *at));
    let udp = tracker.udp().iter().filter_map(|at| url("udp", *at));
    let announce: Vec<String> = http.chain(udp).collect();
    let totals = tracker.view().totals;
    if reporter.style() == Style::Json {
        return reporter.print_json(&Listening {
            kind: "listening",
            announce: &announce,
            http: tracker.http(),
            udp: tracker.udp(),
            torrents: totals.torrents,
            peers: totals.peers(),
        });
    }
    reporter.print(
        &announce
            .iter()
            .map(|url| format!("{url}\n"))
            .collect::<String>(),
    );
    let now = Instant::now();
    if let Some(at) = tracker.http().first().copied().and_then(reachable) {
        reporter.note(
            now,
            format!("statistics at http://{at}/stats, metrics at http://{at}/metrics"),
        );
    }
    if let Some(list) = &plan.allow_list {
        let text = format!(
            "serving {} torrents of {}",
            listed(&list.allowed),
            list.path.display()
        );
        reporter.note(now, text);
    }
    if plan.db.is_some() {
        let (peers, torrents) = (totals.peers(), totals.torrents);
        reporter.note(
            now,
            format!("{peers} peers of {torrents} torrents known from an earlier run"),
        );
    }
}

/// A line when something has changed; with `--json` an event in any case.
fn tell(view: &TrackerView, said: &mut String, reporter: &mut Reporter) {
    let TrackerView {
        totals,
        stats,
        uptime,
    } = view;
    if reporter.style() == Style::Json {
        return reporter.print_json(&Standing {
            kind: "tracker",
            uptime: Seconds(*uptime),
            torrents: totals.torrents,
            seeders: totals.seeders,
            leechers: totals.leechers,
            announces: stats.announces(),
            scrapes: stats.scrapes(),
            completed: stats.completed,
            refused: stats.refused(),
        });
    }
    let line = format!(
        "{} seeders and {} leechers in {} torrents · {} announces, {} scrapes, {} refused",
        totals.seeders,
        totals.leechers,
        totals.torrents,
        stats.announces(),
        stats.scrapes(),
        stats.refused(),
    );
    if line != *said {
        reporter.note(Instant::now(), line.clone());
        *said = line;
    }
}

fn reread(list: Option<&AllowList>, tracker: &TrackerServer, reporter: &mut Reporter) {
    let Some(list) = list else {
        return;
    };
    let text = match allowed(&list.path) {
        Ok(allowed) => {
            let count = listed(&allowed);
            tracker.set_allowed(allowed);
            format!(
                "read again: serving {count} torrents of {}",
                list.path.display()
            )
        }
        Err(failure) => format!("the list stays as it was: {failure}"),
    };
    reporter.note(Instant::now(), text);
}

fn listed(allowed: &Allowed) -> usize {
    match allowed {
        Allowed::All => 0,
        Allowed::Listed(hashes) => hashes.len(),
    }
}

/// The announce URL of a bound address.
fn url(scheme: &str, at: SocketAddr) -> Option<String> {
    reachable(at).map(|at| format!("{scheme}://{at}/announce"))
}

/// An address that can be given to others: for a socket bound to all of them, the one that packets to
/// the world leave from, else the loopback. Nothing is sent. `None` for IPv6 without an address.
fn reachable(at: SocketAddr) -> Option<SocketAddr> {
    if !at.ip().is_unspecified() {
        return Some(at);
    }
    // Documentation addresses (RFC 5737, RFC 3849): nobody has them, and they are routed as any.
    let world: SocketAddr = match at.ip() {
        IpAddr::V4(_) => ([192, 0, 2, 1], 9).into(),
        IpAddr::V6(_) => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9).into(),
    };
    match (source_towards(&Bind::Everywhere, world), at.ip()) {
        (Ok(ip), _) if !ip.is_unspecified() => Some(SocketAddr::new(ip, at.port())),
        (_, IpAddr::V4(_)) => Some((Ipv4Addr::LOCALHOST, at.port()).into()),
        _ => None,
    }
}
