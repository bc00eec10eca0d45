//! Two tiers, the first dead in every way that trackers die: how long until the second has answered.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use trackless::io::{Bind, Client, ClientConfig, Dht, LocalDiscovery, Port};
use trackless::tracker::Failure;

use crate::scripted::{self, Tracker, closed_port, reply, udp_reply};
use crate::support::process::Process;
use crate::support::{seconds, wait_until};
use crate::{LOOPBACK, add, client, peer, until, works};

/// For a tracker whose death is known at once.
const REFUSED: Duration = Duration::from_secs(2);

/// For one that just says nothing.
const SILENT: Duration = Duration::from_secs(6);

/// Fails over from `dead` to a good tracker within `limit`, and returns why the dead one failed so far.
async fn fails_over(name: &str, dead: &str, limit: Duration) -> Option<Failure> {
    let good = Tracker::good(&[peer()]);
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[dead.to_owned()], &[good.url()]]).await;
    let took = until(&handle, |trackers| works(trackers, &good.url())).await;
    println!("failover from {name}: {:.3} s", took.as_secs_f64());
    assert!(took <= limit, "{name}: {took:?}");
    let trackers = handle.trackers();
    assert_eq!(trackers[0].url, dead, "the order of tiers stays");
    assert_eq!(trackers[1].last, Some(Ok(1)));
    // The peer arrives with its source.
    let found = wait_until(seconds(5), || {
        handle.status().snapshot.peers.by_source.tracker == 1
    });
    assert!(found.is_some(), "{:?}", handle.status().snapshot.peers);
    trackers[0].last.clone().and_then(Result::err)
}

/// Rows N3: closed ports are passed over.
#[tokio::test(flavor = "multi_thread")]
async fn closed_ports() {
    let dead = format!("http://127.0.0.1:{}/announce", closed_port());
    let why = fails_over("a closed TCP port", &dead, REFUSED).await;
    assert_eq!(why, Some(Failure::Refused));
    let dead = format!("udp://127.0.0.1:{}/announce", closed_port());
    let why = fails_over("a closed UDP port", &dead, REFUSED).await;
    assert_eq!(why, Some(Failure::Refused));
}

/// Rows N3, N14: errors and pages of HTML are passed over.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none() {
    let dead = Tracker::saying("500 Internal Server Error", b"oops".to_vec());
    let why = fails_over("HTTP 500", &dead.url(), REFUSED).await;
    assert_eq!(why, Some(Failure::Status(500)));
    let dead = Tracker::saying("404 Not Found", b"<html>no</html>".to_vec());
    let why = fails_over("HTTP 404", &dead.url(), REFUSED).await;
    assert_eq!(why, Some(Failure::Status(404)));
    let dead = Tracker::saying("200 OK", b"<!DOCTYPE html><title>Sign in</title>".to_vec());
    let why = fails_over("HTML", &dead.url(), REFUSED).await;
    assert_eq!(why, Some(Failure::NotBencode));
    let page = b"<!DOCTYPE html><title>Sign in</title>".to_vec();
    let portal = Tracker::typed("text/html; charset=utf-8", page);
    let why = fails_over("a captive portal", &portal.url(), REFUSED).await;
    assert_eq!(why, Some(Failure::Page("text/html".into())));
    let dead = Tracker::saying("200 OK", b"d14:failure reason12:unregisterede".to_vec());
    let why = fails_over("a failure reason", &dead.url(), REFUSED).await;
    assert_eq!(why, Some(Failure::Reason("unregistered".into())));
    let dead = Tracker::saying(
        "403 Forbidden",
        b"d14:failure reason12:unregisterede".to_vec(),
    );
    let why = fails_over("a failure reason with HTTP 403", &dead.url(), REFUSED).await;
    assert_eq!(why, Some(Failure::Reason("unregistered".into())));
}

/// Rows N3, N13: a name without address is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_address() {
    // RFC 6761: never resolves. Resolvers may take their time to say so.
    let dead = "http://tracker.invalid/announce";
    let why = fails_over("DNS failure", dead, SILENT).await;
    assert!(matches!(why, None | Some(Failure::Name)), "{why:?}");
}

/// Rows N3: a silent tracker is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn silent_over_http_and_its_late_answer() {
    let late = peer();
    let other = "127.0.0.78:9".parse().expect("an address");
    let dead = Tracker::http(move |_, stream| {
        std::thread::sleep(seconds(7));
        scripted::respond(stream, "200 OK", "", &reply(&[late, other]));
    });
    let good = Tracker::good(&[late]);
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[dead.url()], &[good.url()]]).await;
    let took = until(&handle, |trackers| works(trackers, &good.url())).await;
    println!(
        "failover from a silent HTTP tracker: {:.3} s",
        took.as_secs_f64()
    );
    assert!(took <= SILENT, "{took:?}");
    until(&handle, |trackers| works(trackers, &dead.url())).await;
    let found = wait_until(seconds(5), || {
        handle.status().snapshot.peers.by_source.tracker == 2
    });
    assert!(found.is_some(), "the late answer's peers count");
    assert_eq!(
        (dead.seen().len(), good.seen().len()),
        (1, 1),
        "nobody is asked twice"
    );
}

/// Rows N3: a silent UDP tracker is passed over.
#[tokio::test(flavor = "multi_thread")]
async fn silent_over_udp() {
    let dead = Tracker::udp(|_| Vec::new());
    fails_over("a silent UDP tracker", &dead.udp_url(), SILENT).await;
    let sent = dead.seen();
    assert!(sent.len() >= 2, "a lost datagram is sent again: {sent:?}");
    // It connects, and then says nothing more.
    let dead = Tracker::udp(|request| match request[11] {
        0 => vec![udp_reply(request, &[])],
        _ => Vec::new(),
    });
    fails_over("a UDP tracker that only connects", &dead.udp_url(), SILENT).await;
}

/// Rows A24: a certificate that nobody signed is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((_server, port)) = tls_server(folder.path()) else {
        assert!(std::env::var_os("CI").is_none(), "openssl is missing");
        return;
    };
    let dead = format!("https://127.0.0.1:{port}/announce");
    let why = fails_over("a wrong certificate", &dead, REFUSED).await;
    assert!(matches!(why, Some(Failure::Certificate(_))), "{why:?}");
}

/// An HTTPS server with a certificate that nobody has signed.
fn tls_server(folder: &std::path::Path) -> Option<(Process, u16)> {
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out",
            "cert.pem",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .current_dir(folder)
        .output()
        .ok()?;
    assert!(made.status.success(), "{made:?}");
    let port = closed_port();
    let mut command = Command::new("openssl");
    command.args([
        "s_server",
        "-accept",
        &format!("127.0.0.1:{port}"),
        "-www",
        "-cert",
        "cert.pem",
        "-key",
        "key.pem",
    ]);
    command.current_dir(folder);
    let server = Process::start("openssl", folder, command);
    let up = wait_until(seconds(10), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(up.is_some(), "openssl listens");
    Some((server, port))
}

#[tokio::test(flavor = "multi_thread")]
async fn over_ipv6_and_in_chunks() {
    let loopback = std::net::Ipv6Addr::LOCALHOST;
    let named = std::net::SocketAddr::new(loopback.into(), 9);
    let web = Tracker::http_at("[::1]:0", |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
        let peers = "5:peers0:6:peers618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\u{1}\0\u{9}e";
        let (first, second) = ("d8:intervali1800e", peers);
        let chunks = format!(
            "{:x}\r\n{first}\r\n{:x};x=y\r\n{second}\r\n0\r\n\r\n",
            first.len(),
            second.len()
        );
        let _ = stream.write_all(format!("{head}{chunks}").as_bytes());
    });
    let udp = Tracker::udp_at("[::1]:0", move |request| vec![udp_reply(request, &[named])]);
    for url in [web.url(), udp.udp_url()] {
        let client = client(Bind::Address(loopback.into())).await;
        let handle = add(&client, &[std::slice::from_ref(&url)]).await;
        until(&handle, |trackers| works(trackers, &url)).await;
        assert_eq!(handle.trackers()[0].last, Some(Ok(1)), "{url}");
        let found = wait_until(seconds(5), || {
            handle.status().snapshot.peers.by_source.tracker == 1
        });
        assert!(found.is_some(), "{:?}", handle.status().snapshot.peers);
    }
}

/// A tracker with addresses of both families hears of us in both (BEP 7): each shows it another address
/// of ours, and has other peers.
#[tokio::test(flavor = "multi_thread")]
async fn both_families_of_one_name() {
    let found = trackless::io::resolve("localhost:1").await;
    let both = found.iter().any(|it| it.ip.is_ipv4()) && found.iter().any(|it| it.ip.is_ipv6());
    let four = Tracker::good(&[peer()]);
    let port = four.address.port();
    let free = std::net::TcpListener::bind(("::1", port)).is_ok();
    if !both || !free {
        eprintln!("skipped: localhost has one family only");
        return;
    }
    let six = Tracker::http_at(&format!("[::1]:{port}"), |_, stream| {
        scripted::respond(
            stream,
            "200 OK",
            "",
            &reply(&["127.0.0.78:9".parse().expect("an address")]),
        );
    });
    let ranges = ["127.0.0.0/8", "::1"].map(|range| range.parse().expect("a range"));
    let config = ClientConfig {
        port: Port::Any,
        dht: Dht::Off,
        lsd: LocalDiscovery::Off,
        allowed: ranges.to_vec(),
        ..ClientConfig::default()
    };
    let client = Client::start(config).await.expect("a client");
    let url = format!("http://localhost:{port}/announce");
    let handle = add(&client, &[&[url]]).await;
    let found = wait_until(seconds(10), || {
        handle.status().snapshot.peers.by_source.tracker == 2
    });
    assert!(found.is_some(), "{:?}", handle.status().snapshot.peers);
    assert_eq!((four.seen().len(), six.seen().len()), (1, 1));
    assert_eq!(four.seen(), six.seen(), "the same words to both");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_udp_tracker_takes_over_from_an_http_one() {
    let dead = format!("http://127.0.0.1:{}/announce", closed_port());
    let good = Tracker::udp(|request| vec![udp_reply(request, &[peer()])]);
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[dead], &[good.udp_url()]]).await;
    let took = until(&handle, |trackers| works(trackers, &good.udp_url())).await;
    assert!(took <= REFUSED, "{took:?}");
    // BEP 41: the path goes with it, 2 + 9 bytes behind the 98.
    assert_eq!(good.seen(), ["action 0, 16 bytes", "action 1, 109 bytes"]);
    // The goodbye reuses the connection id.
    handle.stop().await;
    client.shutdown().await;
    assert_eq!(
        good.seen().last().map(String::as_str),
        Some("action 1, 109 bytes")
    );
    assert_eq!(good.seen().len(), 3);
}
