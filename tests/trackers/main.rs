//! The tracker client over real sockets: failover, silence, redirects, hostile trackers, whole downloads.
//!
//! Everything is on loopback, which the clients of these tests open with their `bind`; those that do not
//! prove that a torrent's trackers lead nowhere the user did not allow.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]
#![allow(unreachable_pub, reason = "a test binary has no outside")]

mod certificates;
mod downloads;
mod failover;
mod hostile;
mod real;
mod scripted;
#[path = "../support/mod.rs"]
mod support;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bencode::Family;
use trackless::io::{
    Bind, Client, ClientConfig, Destination, Dht, LocalDiscovery, Port, Source, TorrentHandle,
    TorrentSpec,
};
use trackless::metainfo::InfoHash;
use trackless::swarm::Settings;
use trackless::tracker::{Failure, TrackerStatus};

/// Long enough for anything here on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A peer that trackers name; nobody listens there.
fn peer() -> SocketAddr {
    "127.0.0.77:9".parse().expect("an address")
}

/// A client without a DHT.
async fn client(bind: Bind) -> Client {
    let family = match bind {
        Bind::Address(IpAddr::V6(_)) => Family::V6,
        _ => Family::V4,
    };
    let config = ClientConfig {
        bind,
        port: Port::Any,
        families: vec![family],
        dht: Dht::Off,
        lsd: LocalDiscovery::Off,
        bootstrap: Vec::new(),
        ..ClientConfig::default()
    };
    Client::start(config).await.expect("a client")
}

/// A torrent that is known by its hash only, with these tiers.
async fn add(client: &Client, tiers: &[&[String]]) -> TorrentHandle {
    let spec = TorrentSpec {
        source: Source::Hash(InfoHash([7; 20])),
        destination: Destination::MetadataOnly,
        select: None,
        peers: Vec::new(),
        trackers: tiers.iter().map(|tier| tier.to_vec()).collect(),
        settings: Settings::default(),
    };
    client.add(spec).await.expect("a torrent")
}

/// Waits until the trackers are as wanted; after how long they were.
async fn until(handle: &TorrentHandle, wanted: impl Fn(&[TrackerStatus]) -> bool) -> Duration {
    let start = Instant::now();
    while !wanted(&handle.trackers()) {
        assert!(start.elapsed() < LIMIT, "{:#?}", handle.trackers());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

/// Waits for the only tracker's failure.
async fn failure(tracker: &str) -> Failure {
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[tracker.to_owned()]]).await;
    until(&handle, |trackers| matches!(trackers[0].last, Some(Err(_)))).await;
    match handle.trackers().remove(0).last {
        Some(Err(failure)) => failure,
        other => panic!("{other:?}"),
    }
}

/// Whether a tracker's last answer was good, by URL.
fn works(trackers: &[TrackerStatus], url: &str) -> bool {
    trackers
        .iter()
        .any(|tracker| tracker.url == url && matches!(tracker.last, Some(Ok(_))))
}
