//! Trackers that mean harm: too much, in circles, into networks that are none of theirs, by forgery.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use trackless::io::Bind;
use trackless::metainfo::InfoHash;
use trackless::tracker::Failure;

use crate::scripted::{Tracker, reply, respond, udp_reply};
use crate::{LOOPBACK, add, client, failure, peer, until, works};

/// What is read of a body that never ends may be this much, buffers of the sockets included.
const MOST: usize = 16 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&sent);
    let tracker = Tracker::http(move |_, stream| {
        let part = [b'd'; 1 << 16];
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while counter.load(Ordering::Relaxed) < 1 << 30 && stream.write_all(&part).is_ok() {
            counter.fetch_add(part.len(), Ordering::Relaxed);
        }
    });
    assert_eq!(failure(&tracker.url()).await, Failure::TooLong);
    let sent = sent.load(Ordering::Relaxed);
    assert!((1 << 20..MOST).contains(&sent), "{sent} bytes went out");
    // Announced, it is not even begun.
    let tracker = Tracker::http(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\nd");
        crate::scripted::say_nothing(stream);
    });
    assert_eq!(failure(&tracker.url()).await, Failure::TooLong);
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut stdin = child.stdin.take().expect("piped");
    let content = content.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&content));
    let output = child.wait_with_output().expect("gzip ends");
    writer.join().expect("no panic").expect("written");
    output.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn a_little_that_unpacks_to_much() {
    let serve = |body: Vec<u8>| {
        Tracker::http(move |_, stream| {
            respond(stream, "200 OK", "Content-Encoding: gzip\r\n", &body)
        })
    };
    let bomb = gzip(&vec![b'i'; 100 << 20]);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(failure(&serve(bomb).url()).await, Failure::TooLong);
    // An honest one is unpacked.
    let good = serve(gzip(&reply(&[peer()])));
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[good.url()]]).await;
    until(&handle, |trackers| works(trackers, &good.url())).await;
    assert_eq!(handle.trackers()[0].last, Some(Ok(1)));
}

/// Rows A20, A25: redirects are checked like the first address, and counted.
#[tokio::test(flavor = "multi_thread")]
async fn redirects() {
    let circle = Tracker::redirecting(|own| format!("http://{own}/again"));
    assert_eq!(
        failure(&circle.url()).await,
        Failure::Redirect("in circles")
    );
    assert_eq!(circle.seen().len(), 4, "the question and three redirects");
    for target in [
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.1.1/",
        "http://[::ffff:10.0.0.1]/",
    ] {
        let tracker = Tracker::redirecting(move |_| target.to_owned());
        assert_eq!(failure(&tracker.url()).await, Failure::Special, "{target}");
    }
    for target in [
        "http://127.0.0.1:0/",
        "http://127.0.0.1:25/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
    ] {
        let tracker = Tracker::redirecting(move |_| target.to_owned());
        assert!(
            matches!(failure(&tracker.url()).await, Failure::Url(_)),
            "{target}"
        );
    }
    let nowhere = Tracker::saying("302 Found", Vec::new());
    assert_eq!(failure(&nowhere.url()).await, Failure::Status(302));
    // A single one to where the client may go is followed.
    let good = Tracker::good(&[peer()]);
    let target = good.url();
    let tracker = Tracker::redirecting(move |_| target.clone());
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[tracker.url()]]).await;
    until(&handle, |trackers| works(trackers, &tracker.url())).await;
}

/// Rows A20: trackers in special ranges are not asked.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_led_into_the_user_s_own_network() {
    let web = Tracker::good(&[peer()]);
    let udp = Tracker::udp(|request| vec![udp_reply(request, &[peer()])]);
    let (port, udp_port) = (web.address.port(), udp.address.port());
    // Bound to nothing in particular: loopback was not opened.
    let client = client(Bind::Everywhere).await;
    let urls = [
        format!("http://127.0.0.1:{port}/announce"),
        format!("http://localhost:{port}/announce"),
        format!("http://2130706433:{port}/announce"),
        format!("http://0x7f.1:{port}/announce"),
        format!("http://[::1]:{port}/announce"),
        format!("http://[::ffff:127.0.0.1]:{port}/announce"),
        format!("https://127.0.0.1:{port}/announce"),
        format!("http://0.0.0.0:{port}/announce"),
        format!("udp://127.0.0.1:{udp_port}/announce"),
        format!("udp://localhost:{udp_port}"),
        format!("udp://[::ffff:127.0.0.1]:{udp_port}/announce"),
        "http://169.254.169.254/announce".to_owned(),
    ];
    let handle = add(&client, &[&urls]).await;
    until(&handle, |trackers| {
        trackers
            .iter()
            .all(|tracker| matches!(tracker.last, Some(Err(_))))
    })
    .await;
    for tracker in handle.trackers() {
        assert_eq!(tracker.last, Some(Err(Failure::Special)), "{}", tracker.url);
    }
    assert!(
        web.seen().is_empty() && udp.seen().is_empty(),
        "{:?} {:?}",
        web.seen(),
        udp.seen()
    );
    let scrape = client.scrape(&web.url(), &[InfoHash([7; 20])]).await;
    assert_eq!(scrape, Err(Failure::Special));
}

#[tokio::test(flavor = "multi_thread")]
async fn port_0_is_no_tracker_and_no_peer() {
    assert!(matches!(
        failure("http://127.0.0.1:0/announce").await,
        Failure::Url(_)
    ));
    assert!(matches!(
        failure("udp://127.0.0.1:0/announce").await,
        Failure::Url(_)
    ));
    let tracker = Tracker::good(&["127.0.0.77:0".parse().expect("an address")]);
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[tracker.url()]]).await;
    until(&handle, |trackers| works(trackers, &tracker.url())).await;
    assert_eq!(handle.trackers()[0].last, Some(Ok(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_address_is_nobody_to_call() {
    let client = client(Bind::Address(LOOPBACK)).await;
    let own = std::net::SocketAddr::new(LOOPBACK, client.port());
    let tracker = Tracker::good(&[own, peer()]);
    let handle = add(&client, &[&[tracker.url()]]).await;
    until(&handle, |trackers| works(trackers, &tracker.url())).await;
    let known =
        crate::support::wait_until(crate::LIMIT, || handle.status().snapshot.peers.known > 0);
    assert!(known.is_some());
    assert_eq!(
        handle.status().snapshot.peers.known,
        1,
        "only the other one"
    );
}

/// Rows A26: forged answers of UDP trackers change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn forged_datagrams_change_nothing() {
    // Every true answer comes behind a forged one: wrong transaction, wrong action, cut short.
    let tracker = Tracker::udp(|request| {
        let good = udp_reply(request, &[peer()]);
        let mut forged = udp_reply(request, &["127.0.0.66:6".parse().expect("an address")]);
        forged[4] ^= 0x80;
        let mut other = good.clone();
        other[3] = 2;
        vec![forged, other, good[..7].to_vec(), good]
    });
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[&[tracker.udp_url()]]).await;
    until(&handle, |trackers| works(trackers, &tracker.udp_url())).await;
    assert_eq!(handle.trackers()[0].last, Some(Ok(1)));
    // Nothing but wrong transaction ids is silence.
    let liar = Tracker::udp(|request| {
        let mut forged = udp_reply(request, &[peer()]);
        forged[7] ^= 1;
        vec![forged]
    });
    let good = Tracker::good(&[]);
    let handle = add(&client, &[&[liar.udp_url()], &[good.url()]]).await;
    until(&handle, |trackers| works(trackers, &good.url())).await;
    assert!(
        handle.trackers()[0].last.is_none(),
        "{:?}",
        handle.trackers()[0]
    );
    assert!(
        liar.seen()
            .iter()
            .all(|request| request.starts_with("action 0")),
        "{:?}",
        liar.seen()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_id_that_its_tracker_does_not_know() {
    let tracker = Tracker::udp(|request| {
        let transaction = &request[12..16];
        match request[11] {
            0 => vec![udp_reply(request, &[])],
            _ => vec![[&[0, 0, 0, 3], transaction, b"Connection ID mismatch"].concat()],
        }
    });
    let why = failure(&tracker.udp_url()).await;
    assert_eq!(why, Failure::Reason("Connection ID mismatch".into()));
    assert_eq!(
        tracker.seen().len(),
        2,
        "one that is new is not tried again: {:?}",
        tracker.seen()
    );
}

/// Rows A26: the right answer from another address is none, however early it comes.
#[tokio::test(flavor = "multi_thread")]
async fn answers_from_elsewhere_change_nothing() {
    let [tracker, other] =
        ["127.0.0.1:0", "127.0.0.66:0"].map(|at| std::net::UdpSocket::bind(at).expect("a port"));
    let url = format!("udp://{}/announce", tracker.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let mut request = [0; 2048];
        let forged: Vec<_> = ["127.0.0.66:6", "127.0.0.66:7"]
            .map(|it| it.parse().expect("an address"))
            .into();
        while let Ok((length, from)) = tracker.recv_from(&mut request) {
            let request = &request[..length];
            let _ = other.send_to(&udp_reply(request, &forged), from);
            let _ = tracker.send_to(&udp_reply(request, &[peer()]), from);
        }
    });
    let client = client(Bind::Address(LOOPBACK)).await;
    let handle = add(&client, &[std::slice::from_ref(&url)]).await;
    until(&handle, |trackers| works(trackers, &url)).await;
    assert_eq!(
        handle.trackers()[0].last,
        Some(Ok(1)),
        "the tracker's own answer"
    );
}
