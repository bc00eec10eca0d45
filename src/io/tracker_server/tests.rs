//! The tracker over real sockets on loopback: HTTP as it stands on the wire, BEP 15, both families.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::metainfo::InfoHash;
use crate::tracker::announce::{Announce, AnnounceEvent};
use crate::tracker::http::{parse_reply, parse_scrape, query, scrape_query};
use crate::tracker::udp::{Request, Response};
use crate::wire::PeerId;

const SOON: Duration = Duration::from_secs(10);

fn on(ip: &str) -> TrackerConfig {
    let at = Listen::At(SocketAddr::new(ip.parse().expect("an address"), 0));
    TrackerConfig {
        http: vec![at],
        udp: vec![at],
        ..TrackerConfig::default()
    }
}

async fn start(config: TrackerConfig) -> TrackerServer {
    TrackerServer::start(config).await.expect("loopback")
}

fn announce(port: u16, left: u64) -> Announce {
    Announce {
        info_hash: InfoHash(*b"&?=%+ \0aaaaaaaaaaaaa"),
        peer_id: PeerId([b'x'; 20]),
        port,
        uploaded: 0,
        downloaded: 0,
        left,
        event: AnnounceEvent::Started,
        numwant: None,
        key: 1,
        tracker_id: None,
        ip: None,
    }
}

/// Sends `request` and reads to the end; head and body.
async fn raw(at: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(at).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("written");
    let mut said = Vec::new();
    timeout(SOON, stream.read_to_end(&mut said))
        .await
        .expect("in time")
        .expect("read");
    let end = said
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .expect("a head");
    let body = said.split_off(end + 4);
    (String::from_utf8(said).expect("text"), body)
}

async fn fetch(at: SocketAddr, path: &str) -> (String, Vec<u8>) {
    raw(
        at,
        &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    )
    .await
}

async fn http(tracker: &TrackerServer, announce: &Announce) -> Vec<u8> {
    let (head, body) = fetch(tracker.http()[0], &format!("/announce?{}", query(announce))).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    body
}

#[tokio::test]
async fn http_in_both_families_compact_and_not() {
    for ip in ["127.0.0.1", "::1"] {
        let tracker = start(on(ip)).await;
        http(&tracker, &announce(1001, 0)).await;
        let reply = parse_reply(&http(&tracker, &announce(1002, 5)).await).expect("a reply");
        let ip: IpAddr = ip.parse().expect("an address");
        assert_eq!(reply.peers, [SocketAddr::new(ip, 1001).into()]);
        assert_eq!((reply.seeders, reply.leechers), (Some(1), Some(1)));
        assert_eq!(reply.external_ip, Some(ip));
        let plain = query(&announce(1002, 5)).replace("compact=1", "compact=0");
        let (_, body) = fetch(tracker.http()[0], &format!("/announce?{plain}")).await;
        assert!(
            body.windows(9).any(|part| part == b"4:porti10"),
            "dictionaries"
        );
        assert_eq!(parse_reply(&body).expect("a reply").peers, reply.peers);
        let hash = announce(1, 1).info_hash;
        let (_, body) = fetch(
            tracker.http()[0],
            &format!("/scrape?{}", scrape_query(&[hash])),
        )
        .await;
        let scrape = parse_scrape(&body).expect("a reply");
        assert_eq!(
            (scrape[0].0, scrape[0].1.seeders, scrape[0].1.leechers),
            (hash, 1, 1)
        );
        tracker.stop().await.expect("ended");
    }
}

#[tokio::test]
async fn what_http_refuses() {
    let tracker = start(on("127.0.0.1")).await;
    let at = tracker.http()[0];
    for (path, said) in [
        ("/announce", "14:failure reason"),
        ("/announce?info_hash=abc", "14:failure reason"),
        ("/scrape", "14:failure reason"),
        ("/scrape?info_hash=x", "14:failure reason"),
    ] {
        let (head, body) = fetch(at, path).await;
        assert!(
            head.starts_with("HTTP/1.1 200 "),
            "BEP 3 has it in the body: {head}"
        );
        let body = String::from_utf8(body).expect("text");
        assert!(body.contains(said), "{path}: {body}");
    }
    assert_eq!(tracker.view().stats.malformed, 4);
    let (head, _) = fetch(at, "/other").await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    let (head, _) = raw(
        at,
        "POST /announce HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
    let (head, _) = fetch(at, &format!("/announce?{}", "a".repeat(15_000))).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // Longer than any head: an error, and the end.
    let (head, _) = fetch(at, &format!("/announce?{}", "a".repeat(60_000))).await;
    assert!(head.starts_with("HTTP/1.1 4"), "{head}");
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let tracker = start(on("127.0.0.1")).await;
    let one = "GET /stats HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3);
    let last = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let (_, rest) = raw(tracker.http()[0], &(one + last)).await;
    let text = String::from_utf8(rest).expect("text");
    assert_eq!(text.matches("<h1>trackless tracker</h1>").count(), 3);
    assert!(text.contains("\ntrackless_tracker_torrents 0\n"), "{text}");
}

/// Sends over one UDP socket and waits for the reply.
async fn udp(socket: &UdpSocket, at: SocketAddr, request: &Request) -> Response {
    let (mut datagram, mut buffer) = (Vec::new(), [0; 2048]);
    request.write(&mut datagram);
    socket.send_to(&datagram, at).await.expect("sent");
    let heard = timeout(SOON, socket.recv_from(&mut buffer)).await;
    let (length, from) = heard.expect("in time").expect("received");
    assert_eq!(from, at);
    let family = bencode::Endpoint::from(at).family();
    Response::parse(&buffer[..length], family).expect("a response")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn udp_and_http_serve_one_swarm() {
    for ip in ["127.0.0.1", "::1"] {
        let tracker = start(on(ip)).await;
        http(&tracker, &announce(1001, 0)).await;
        let at = tracker.udp()[0];
        let socket = UdpSocket::bind((ip, 0)).await.expect("loopback");
        let Response::Connect { connection, .. } =
            udp(&socket, at, &Request::Connect { transaction: 1 }).await
        else {
            panic!("no connection id")
        };
        // Runts and noise before it change nothing.
        for noise in [&[][..], &[0; 15], &[9; 97]] {
            socket.send_to(noise, at).await.expect("sent");
        }
        let (transaction, announce) = (2, announce(1002, 5));
        let request = Request::Announce {
            connection,
            transaction,
            announce,
            url_data: Vec::new(),
        };
        let Response::Announce {
            peers,
            seeders: 1,
            leechers: 1,
            ..
        } = udp(&socket, at, &request).await
        else {
            panic!("refused")
        };
        assert_eq!(peers, [SocketAddr::new(at.ip(), 1001).into()]);
    }
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let first = start(on("127.0.0.1")).await;
    let udp = TrackerConfig {
        udp: vec![Listen::At(first.udp()[0])],
        ..TrackerConfig::default()
    };
    let http = TrackerConfig {
        http: vec![Listen::At(first.http()[0])],
        ..TrackerConfig::default()
    };
    for (config, name) in [(udp, "UDP"), (http, "HTTP")] {
        let refused = TrackerServer::start(config).await.err().expect("taken");
        let StartError::Bind {
            transport, error, ..
        } = refused
        else {
            panic!("{refused}")
        };
        assert_eq!((transport, error.kind()), (name, io::ErrorKind::AddrInUse));
    }
}

#[tokio::test]
async fn everywhere_is_one_port_of_both_families() {
    let everywhere = vec![Listen::Everywhere(0)];
    let config = TrackerConfig {
        http: everywhere.clone(),
        udp: everywhere,
        ..TrackerConfig::default()
    };
    let tracker = start(config).await;
    for bound in [tracker.http(), tracker.udp()] {
        assert!(
            bound
                .iter()
                .all(|at| at.port() == bound[0].port() && at.ip().is_unspecified())
        );
        assert!(bound[0].is_ipv4());
    }
}

#[tokio::test]
async fn a_restart_loses_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = || TrackerConfig {
        db: Some(folder.path().join("t.db")),
        ..on("127.0.0.1")
    };
    let tracker = start(config()).await;
    for port in 1..=60 {
        http(&tracker, &announce(port, u64::from(port % 2))).await;
    }
    let left = Announce {
        event: AnnounceEvent::Stopped,
        ..announce(60, 0)
    };
    http(&tracker, &left).await;
    let before = tracker.view().totals;
    let taken = TrackerServer::start(config())
        .await
        .err()
        .expect("one at a time");
    assert!(
        matches!(
            taken,
            StartError::Database {
                error: DatabaseError::Taken,
                ..
            }
        ),
        "{taken}"
    );
    tracker.stop().await.expect("written");
    let tracker = start(config()).await;
    assert_eq!((tracker.view().totals, before.peers()), (before, 59));
    let reply = parse_reply(&http(&tracker, &announce(1, 1)).await).expect("a reply");
    assert_eq!(reply.peers.len(), 50);
}
