//! BEP 27 over real sockets on loopback: a private torrent is told to nobody but its trackers. Beside each private torrent
//! a public one takes the same way a moment later: when it has arrived, the private one would have.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real sockets, real clock"
)]

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha1::{Digest, Sha1};
use socket2::{Domain, InterfaceIndexOrAddress, SockAddr, Socket, Type};
use trackless::io::{
    Bind, Client, ClientConfig, Destination, LocalDiscovery, Port, Privacy, Source, TorrentHandle,
    TorrentSpec,
};
use trackless::metainfo::{Info, InfoHash};
use trackless::storage::{Location, OpenMode};
use trackless::swarm::Settings;

#[path = "support/mod.rs"]
mod support;

use support::peer::{Conduct, Peer};
use support::torrent::Sample;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
const PORT: u16 = 6771;
const LIMIT: Duration = Duration::from_secs(20);

/// A neighbour: hears what is told to the group, tells it things, and sees which torrents it is called for.
struct Neighbour {
    socket: Socket,
    heard: Arc<Mutex<String>>,
    called: Arc<Mutex<BTreeSet<Vec<u8>>>>,
    port: u16,
}

impl Neighbour {
    fn start() -> Neighbour {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        socket.set_reuse_address(true).expect("an option");
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT));
        socket.bind(&any.into()).expect("the port of BEP 14");
        let loopback = InterfaceIndexOrAddress::Address(Ipv4Addr::LOCALHOST);
        let joined = socket.join_multicast_v4_n(&GROUP, &loopback);
        joined.expect("the group");
        let heard = Arc::new(Mutex::new(String::new()));
        let ears = UdpSocket::from(socket.try_clone().expect("a copy"));
        let text = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 2_048];
            while let Ok(length) = ears.recv(&mut buffer) {
                let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
                text.lock().expect("no panic").push_str(&said);
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let called = Arc::new(Mutex::new(BTreeSet::new()));
        let hashes = Arc::clone(&called);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut hello = [0; 68];
                if stream.is_ok_and(|mut stream| stream.read_exact(&mut hello).is_ok()) {
                    hashes
                        .lock()
                        .expect("no panic")
                        .insert(hello[28..48].to_vec());
                }
            }
        });
        let speaker = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
        speaker
            .set_multicast_if_v4(&Ipv4Addr::LOCALHOST)
            .expect("an option");
        Neighbour {
            socket: speaker,
            heard,
            called,
            port,
        }
    }

    fn tell(&self, torrent: InfoHash) {
        let text = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: {GROUP}:{PORT}\r\nPort: {}\r\nInfohash: {torrent}\r\n\r\n\r\n",
            self.port
        );
        let group = SockAddr::from(SocketAddr::from((GROUP, PORT)));
        self.socket.send_to(text.as_bytes(), &group).expect("sent");
    }

    fn heard(&self, torrent: InfoHash) -> bool {
        self.heard
            .lock()
            .expect("no panic")
            .contains(&torrent.to_string())
    }

    fn was_called_for(&self, torrent: InfoHash) -> bool {
        self.called
            .lock()
            .expect("no panic")
            .contains(&torrent.0.to_vec())
    }
}

async fn client(bootstrap: Vec<String>, lsd: LocalDiscovery) -> Client {
    let config = ClientConfig {
        bind: Bind::Address(Ipv4Addr::LOCALHOST.into()),
        port: Port::Any,
        bootstrap,
        lsd,
        ..ClientConfig::default()
    };
    Client::start(config).await.expect("loopback")
}

/// Adds a torrent whose data goes below `folder`: without a place for it nobody would be called.
async fn add(client: &Client, folder: &Path, source: Source, peers: Vec<String>) -> TorrentHandle {
    let location = Location {
        output: folder.join("out"),
        state: None,
    };
    let spec = TorrentSpec {
        source,
        destination: Destination::Files(location, OpenMode::Resume),
        select: None,
        peers,
        trackers: Vec::new(),
        settings: Settings::default(),
    };
    client.add(spec).await.expect("a torrent")
}

/// Polls until it holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + LIMIT;
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The same torrent, with `private` set.
fn made_private(mut sample: Sample) -> Sample {
    sample.info.pop();
    sample.info.extend_from_slice(b"7:privatei1ee");
    sample.info_hash = hex::encode(Sha1::digest(&sample.info));
    sample
}

fn info(sample: &Sample) -> Arc<Info> {
    Arc::new(Info::from_bytes(sample.info.clone().into()).expect("a torrent"))
}

async fn stored(client: &Client) -> usize {
    let view = client.dht().expect("a node").view().await;
    view.expect("it runs").stored.0
}

/// A node that others find, and a client that is joined to it.
async fn network() -> (Client, Client) {
    let node = client(vec!["127.0.0.1:9".to_owned()], LocalDiscovery::Off).await;
    let entry = format!("127.0.0.1:{}", node.port());
    let ours = client(vec![entry], LocalDiscovery::On).await;
    let mut status = ours.dht().expect("a node").status();
    let joined = tokio::time::timeout(LIMIT, status.wait_for(|it| it.nodes > 0)).await;
    joined.expect("in time").expect("it runs");
    (node, ours)
}

/// Rows N18, A16: neither the DHT nor the neighbours hear of a private torrent file.
#[tokio::test]
async fn a_private_torrent_file_is_told_to_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = made_private(Sample::single(folder.path(), "secret", 40_000, 16_384));
    let open = Sample::single(folder.path(), "open", 40_000, 16_384);
    let (secret, open) = (info(&secret), info(&open));
    let names = (secret.info_hash(), open.info_hash());
    let neighbour = Neighbour::start();
    let (node, ours) = network().await;

    let private = add(&ours, folder.path(), Source::Info(secret), Vec::new()).await;
    assert_eq!(private.status().privacy, Privacy::Private);
    let public = add(&ours, folder.path(), Source::Info(open), Vec::new()).await;
    assert_eq!(public.status().privacy, Privacy::Public);

    until("the public one is heard", async || neighbour.heard(names.1)).await;
    until("the public one is stored", async || stored(&node).await > 0).await;
    // Before it is told there itself.
    assert!(!neighbour.heard(names.0), "told to the neighbours");
    neighbour.tell(names.0);
    neighbour.tell(names.1);
    until("called for the public one", async || {
        neighbour.was_called_for(names.1)
    })
    .await;

    assert!(
        !neighbour.was_called_for(names.0),
        "learned from a neighbour"
    );
    assert_eq!(stored(&node).await, 1, "announced in the DHT");
    let search = private.status().search;
    assert!(search.running.is_none() && search.last.is_none() && search.next.is_none());
}

/// Rows N18, A16: as soon as a magnet link proves private, nobody hears of it.
#[tokio::test]
async fn a_magnet_link_that_turns_out_to_be_private_is_told_to_nobody_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = made_private(Sample::single(folder.path(), "hidden", 40_000, 16_384));
    let open = Sample::single(folder.path(), "shown", 40_000, 16_384);
    let names = (info(&secret).info_hash(), info(&open).info_hash());
    let peer = Peer::start(77, &secret, Conduct::HONEST);
    let neighbour = Neighbour::start();
    let (_node, ours) = network().await;

    let private = add(
        &ours,
        folder.path(),
        Source::Hash(names.0),
        vec![peer.endpoint()],
    )
    .await;
    // Nobody can know before the files are there.
    assert_eq!(private.status().privacy, Privacy::Unknown);
    until("the files are known", async || {
        private.status().privacy == Privacy::Private
    })
    .await;
    let public = add(&ours, folder.path(), Source::Info(info(&open)), Vec::new()).await;
    neighbour.tell(names.0);
    until("called for the public one", async || {
        neighbour.tell(names.1);
        neighbour.was_called_for(names.1)
    })
    .await;

    assert!(
        !neighbour.was_called_for(names.0),
        "learned from a neighbour"
    );
    let search = private.status().search;
    assert!(
        search.running.is_none() && search.next.is_none(),
        "still searching"
    );
    public.stop().await;
    private.stop().await;
}
