//! Accepting peers: each new connection must finish its handshake in time, then goes to the torrent
//! that it asks for. Unknown info hashes are closed without an answer, so nobody can ask what we
//! have.
//!
//! Threat: connections that open and stay silent (reliability.md P1). At most
//! [`MAX_UNFINISHED`] handshakes wait, at most [`MAX_UNFINISHED_PER_IP`] from one address, each 10 s
//! (the [`Connection`]'s own limit).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::task::Poll;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::input::{Input, Opened};
use crate::metainfo::InfoHash;
use crate::wire::{Connection, Event, Handshake};

/// Handshakes under way at once; beyond it new connections are closed at once.
const MAX_UNFINISHED: usize = 256;

/// The same for one address; 16 rather than 3 because several torrents share the port and
/// address translation puts many people behind one address.
const MAX_UNFINISHED_PER_IP: usize = 16;

/// Pause after `accept` failed for want of file descriptors: spinning would help nobody.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// Which torrents exist.
pub(super) enum Registration {
    /// From now on connections for this info hash go there.
    Add(InfoHash, mpsc::Sender<Input>),
    /// The torrent is gone.
    Remove(InfoHash),
}

/// A connection whose first 68 bytes have arrived.
struct Greeted {
    opened: Opened,
    theirs: Handshake,
    from: Endpoint,
}

/// Runs until every sender of `registrations` is gone.
pub(super) async fn run(
    listeners: Vec<TcpListener>,
    mut registrations: mpsc::Receiver<Registration>,
) {
    let mut torrents: BTreeMap<InfoHash, mpsc::Sender<Input>> = BTreeMap::new();
    let mut greeting: JoinSet<(IpAddr, Option<Greeted>)> = JoinSet::new();
    let mut unfinished: BTreeMap<IpAddr, usize> = BTreeMap::new();
    loop {
        tokio::select! {
            registration = registrations.recv() => match registration {
                Some(Registration::Add(info_hash, torrent)) => {
                    torrents.insert(info_hash, torrent);
                }
                Some(Registration::Remove(info_hash)) => {
                    torrents.remove(&info_hash);
                }
                None => return,
            },
            (stream, from) = accept_any(&listeners) => {
                let of_this_ip = unfinished.get(&from.ip).copied().unwrap_or(0);
                if greeting.len() < MAX_UNFINISHED && of_this_ip < MAX_UNFINISHED_PER_IP {
                    unfinished.insert(from.ip, of_this_ip + 1);
                    greeting.spawn(async move { (from.ip, greet(stream, from).await) });
                }
            },
            Some(greeted) = greeting.join_next() => {
                let Ok((ip, greeted)) = greeted else { continue };
                if let Some(count) = unfinished.get_mut(&ip) {
                    *count -= 1;
                    if *count == 0 {
                        unfinished.remove(&ip);
                    }
                }
                if let Some(Greeted { opened, theirs, from }) = greeted
                    && let Some(torrent) = torrents.get(&theirs.info_hash)
                {
                    // A torrent that cannot follow has enough peers for now.
                    let opened = Box::new(opened);
                    let _ = torrent.try_send(Input::Incoming { opened, theirs, from });
                }
            },
        }
    }
}

/// The next connection on any of the listeners; never ends without one.
async fn accept_any(listeners: &[TcpListener]) -> (TcpStream, Endpoint) {
    loop {
        let accepted = poll_fn(|context| {
            let ready = listeners
                .iter()
                .map(|listener| listener.poll_accept(context));
            ready
                .into_iter()
                .find(Poll::is_ready)
                .unwrap_or(Poll::Pending)
        });
        match accepted.await {
            Ok((stream, from)) => return (stream, Endpoint::from(from)),
            // EMFILE and friends: descriptors come back when peers leave.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn greet(mut stream: TcpStream, from: Endpoint) -> Option<Greeted> {
    // Requests are small and must not wait for each other; failing to say so costs latency only.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::incoming(Instant::now());
    let mut input = BytesMut::new();
    loop {
        tokio::select! {
            read = stream.read_buf(&mut input) => {
                if read.ok()? == 0 {
                    return None;
                }
                connection.handle_bytes(Instant::now(), &mut input).ok()?;
                if let Some(Event::Handshake(theirs)) = connection.poll_event() {
                    let opened = Opened { stream, connection, input };
                    return Some(Greeted { opened, theirs, from });
                }
            }
            () = sleep_until(connection.next_timeout().into()) => {
                connection.handle_timeout(Instant::now()).ok()?;
            }
        }
    }
}
