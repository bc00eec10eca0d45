//! Connections whose tasks are gone, as the torrent sees it.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::io::descriptors::Descriptors;
use crate::io::network::Network;
use crate::io::sockets::Bind;
use crate::swarm::{Reason, Settings};
use crate::wire::PeerId;

/// The task of a torrent that only a hash is known of, not started.
fn driver(now: Instant) -> Driver {
    let info_hash = InfoHash([9; 20]);
    let torrent = Torrent::from_hash(info_hash, Settings::default(), [1; 32], now);
    let status = Status::initial(torrent.snapshot(now), Privacy::Unknown);
    let descriptors = Descriptors::of_process();
    Driver {
        info_hash,
        torrent,
        cache: None,
        destination: Destination::MetadataOnly,
        select: None,
        surroundings: Surroundings {
            dialler: Dialler::new(Bind::Everywhere, Network::still(), descriptors),
            dht: None,
            lsd: None,
            announcing: Announcing::Lookups,
            port: 6_881,
        },
        to_self: mpsc::channel(INPUTS).0,
        events: mpsc::channel(1).0,
        status: watch::channel(status).0,
        started: now,
    }
}

/// What is sent to a connection that has just ended, here by a panic, does not say how it ended: that is told next.
#[tokio::test]
async fn a_connection_that_has_gone_is_no_slow_reader() {
    let now = Instant::now();
    let (mut driver, mut desk) = (driver(now), Desk::new(now));
    let theirs = Handshake {
        peer_id: PeerId([7; 20]),
        ..driver.torrent.handshake()
    };
    let from = Endpoint::new(IpAddr::V4(Ipv4Addr::new(11, 2, 0, 2)), 50_000);
    let peer = driver.torrent.accept(now, from, &theirs);
    let peer = peer.expect("there is a place");
    drop(driver.mailbox(&mut desk, peer));
    // The first words.
    driver.drain(&mut desk).await;
    let by = ClosedBy::Bug;
    assert!(
        driver
            .handle(&mut desk, Input::Closed { peer, by })
            .is_none()
    );
    let after = driver.torrent.snapshot(now);
    let reasons: Vec<(Reason, u64)> = after.reasons.iter().collect();
    assert_eq!(reasons, [(Reason::Bug, 1)]);
    assert_eq!((after.peers.connected, desk.mailboxes.len()), (0, 0));
    let again = driver.torrent.accept(now, from, &theirs);
    again.expect("its place is free");
}
