//! opentracker on loopback: what two clients learn of each other, and scrapes over HTTP and UDP (BEP 48).

use std::process::Command;

use trackless::io::Bind;
use trackless::metainfo::InfoHash;
use trackless::tracker::Failure;

use crate::scripted::closed_port;
use crate::support::http::{escaped, page};
use crate::support::process::Process;
use crate::support::{seconds, wait_until};
use crate::{LOOPBACK, add, client, failure, until, works};

/// The info hash of every torrent of these tests, and one that the tracker does not serve.
const HASHES: [InfoHash; 2] = [InfoHash([7; 20]), InfoHash([8; 20])];

/// opentracker for one torrent; its port. `None` where it is not installed.
///
/// # Panics
/// When it is missing and `CI` is set.
fn opentracker(folder: &std::path::Path, served: InfoHash) -> Option<(Process, u16)> {
    if Command::new("opentracker").arg("-h").output().is_err() {
        assert!(
            std::env::var_os("CI").is_none(),
            "apt-get install opentracker"
        );
        eprintln!("skipped: opentracker is missing");
        return None;
    }
    std::fs::write(folder.join("list"), format!("{served}\n")).expect("a list");
    let port = closed_port();
    let text = port.to_string();
    let mut command = Command::new("opentracker");
    command.args(["-i", "127.0.0.1", "-p", &text, "-P", &text, "-w", "list"]);
    // As root it changes into the folder; as anybody else it stays where it is.
    command
        .args(["-u", "nobody", "-d"])
        .arg(folder)
        .current_dir(folder);
    let tracker = Process::start("opentracker", folder, command);
    // It listens before it has read its list.
    let up = wait_until(seconds(10), || serves(port, served));
    assert!(up.is_some(), "opentracker serves what is in its list");
    Some((tracker, port))
}

/// Whether the tracker takes announces of this torrent, asked by one that leaves it.
fn serves(port: u16, hash: InfoHash) -> bool {
    let path = format!(
        "/announce?info_hash={}&peer_id=-XX0000-000000000000&port=9&uploaded=0&downloaded=0&left=0\
         &event=stopped",
        escaped(hash.0)
    );
    let answer = page(([127, 0, 0, 1], port).into(), &path);
    answer.is_ok_and(|body| !body.contains("failure reason"))
}

#[tokio::test(flavor = "multi_thread")]
async fn opentracker_counts_us_and_forgets_us() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((_tracker, port)) = opentracker(folder.path(), HASHES[0]) else {
        return;
    };
    for scheme in ["http", "udp"] {
        let url = format!("{scheme}://127.0.0.1:{port}/announce");
        let (first, second) = (
            client(Bind::Address(LOOPBACK)).await,
            client(Bind::Address(LOOPBACK)).await,
        );
        let one = add(&first, &[std::slice::from_ref(&url)]).await;
        until(&one, |trackers| works(trackers, &url)).await;
        let two = add(&second, &[std::slice::from_ref(&url)]).await;
        until(&two, |trackers| works(trackers, &url)).await;
        // Whoever comes second is told of the first.
        let met = wait_until(seconds(10), || two.status().snapshot.peers.connected == 1);
        assert!(met.is_some(), "{scheme}: {:?}", two.status().snapshot.peers);
        let counts = first.scrape(&url, &HASHES).await.expect("a scrape");
        let ours = counts
            .iter()
            .find(|(hash, _)| *hash == HASHES[0])
            .expect("our torrent")
            .1;
        assert_eq!((ours.seeders, ours.leechers), (0, 2), "{scheme}");
        assert!(
            counts
                .iter()
                .all(|(hash, counts)| *hash == HASHES[0] || counts.leechers == 0)
        );
        let status = two.trackers().remove(0);
        assert_eq!(
            (status.seeders, status.leechers),
            (Some(0), Some(2)),
            "{scheme}"
        );
        // Both say goodbye, and the tracker forgets them at once.
        one.stop().await;
        two.stop().await;
        first.shutdown().await;
        second.shutdown().await;
        let third = client(Bind::Address(LOOPBACK)).await;
        let counts = third.scrape(&url, &HASHES[..1]).await.expect("a scrape");
        assert!(
            counts.iter().all(|(_, counts)| counts.leechers == 0),
            "{scheme}: {counts:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opentracker_s_refusal_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((_tracker, port)) = opentracker(folder.path(), HASHES[1]) else {
        return;
    };
    match failure(&format!("http://127.0.0.1:{port}/announce")).await {
        Failure::Reason(reason) => assert!(reason.contains("not authorized"), "{reason}"),
        other => panic!("{other:?}"),
    }
}
