//! The library as an embedder uses it: several torrents in one client, one of which goes wrong.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use support::seconds;
use support::torrent::Sample;
use tokio::time::timeout;
use trackless::io::{
    Bind, Client, ClientConfig, Destination, Dht, Failed, LocalDiscovery, Select, Source,
    TorrentEvent, TorrentHandle, TorrentSpec,
};
use trackless::metainfo::Torrent;
use trackless::storage::{Location, OpenMode};
use trackless::swarm::Settings;

fn spec(sample: &Sample, state: &std::path::Path, select: Option<Select>) -> TorrentSpec {
    let file = std::fs::read(&sample.torrent).expect("a torrent file");
    let torrent = Torrent::from_bytes(&file).expect("a good torrent file");
    let location = Location {
        output: sample.data.clone(),
        state: Some(state.to_owned()),
    };
    TorrentSpec {
        source: Source::Info(Arc::clone(&torrent.info)),
        destination: Destination::Files(location, OpenMode::Resume),
        select,
        peers: Vec::new(),
        trackers: Vec::new(),
        settings: Settings::default(),
    }
}

/// How it ends: the first event of a kind that ends it.
async fn ended(handle: &mut TorrentHandle) -> Result<(), Failed> {
    loop {
        let event = timeout(seconds(20), handle.event())
            .await
            .expect("an event in time");
        match event.expect("it says how it ends") {
            TorrentEvent::Complete(_) => return Ok(()),
            TorrentEvent::Failed(why) => return Err(why),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_torrent_that_panics_says_so_and_the_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state");
    let [bad, good] =
        ["bad", "good"].map(|name| Sample::single(folder.path(), name, 300_000, 16_384));
    let client = Client::start(ClientConfig {
        bind: Bind::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        dht: Dht::Off,
        lsd: LocalDiscovery::Off,
        ..ClientConfig::default()
    });
    let client = client.await.expect("a client on loopback");
    let select: Select = Box::new(|_| panic!("the embedder's own fault"));
    let mut first = client
        .add(spec(&bad, &state, Some(select)))
        .await
        .expect("added");
    let ended_badly = ended(&mut first).await;
    assert!(
        matches!(&ended_badly, Err(Failed::Bug(words)) if words.contains("own fault")),
        "{ended_badly:?}"
    );
    assert!(
        first.event().await.is_none(),
        "after its last words it is silent"
    );
    let mut second = client.add(spec(&good, &state, None)).await.expect("added");
    ended(&mut second).await.expect("its data is there");
    // The one that has ended can be added again.
    first.stop().await;
    let mut again = client.add(spec(&bad, &state, None)).await.expect("added");
    ended(&mut again).await.expect("its data is there");
    again.stop().await;
    second.stop().await;
    client.shutdown().await;
}
