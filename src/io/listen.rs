//! Accepting peers: each new connection must finish its handshake in time, then goes to the torrent
//! that it asks for. Unknown info hashes are closed without an answer, so nobody can ask what we
//! have.
//!
//! Threat: connections that open and stay silent (reliability.md P1): `lobby` says who goes when there are
//! too many, each has 10 s (the [`Connection`]'s own limit). Running out of descriptors (S16) is met
//! with a pause, never with a loop. Whom we turn away, and why, is counted.

mod lobby;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::descriptors::{Counters, Permit, Share};
use super::input::{Input, Opened};
use crate::metainfo::InfoHash;
use crate::swarm::{Reason, Refusal};
use crate::wire::{Connection, Event, Handshake};
use lobby::{Caller, Host, Lobby};

/// Callers that were ended and have not gone yet; while there are more nobody is let in, so that sockets
/// are closed as fast as they are opened.
const LEAVING: usize = 16;

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

/// What a caller came to.
type Outcome = Result<Greeted, Reason>;

/// The open door.
struct Door {
    torrents: BTreeMap<InfoHash, mpsc::Sender<Input>>,
    lobby: Lobby,
    share: Share,
    greeting: JoinSet<(Caller, Outcome)>,
    turned_away: Counters,
    /// Which listener is asked first: a flood on one family must not close the other.
    turn: usize,
}

/// Runs until every sender of `registrations` is gone. Callers are counted in `share`, those turned away
/// in `turned_away`.
pub(super) async fn run(
    listeners: Vec<TcpListener>,
    mut registrations: mpsc::Receiver<Registration>,
    share: Share,
    turned_away: Counters,
) {
    let mut door = Door {
        torrents: BTreeMap::new(),
        lobby: Lobby::new(share.size()),
        greeting: JoinSet::new(),
        share,
        turned_away,
        turn: 0,
    };
    loop {
        let room = door.greeting.len() < door.share.size() + LEAVING;
        let opens = door.lobby.opens(Instant::now());
        tokio::select! {
            registration = registrations.recv() => match registration {
                Some(Registration::Add(info_hash, torrent)) => {
                    door.torrents.insert(info_hash, torrent);
                }
                Some(Registration::Remove(info_hash)) => {
                    door.torrents.remove(&info_hash);
                }
                None => return,
            },
            (stream, from) = accept_any(&listeners, door.turn), if room && opens.is_none() => {
                door.turn = door.turn.wrapping_add(1);
                door.enter(stream, from);
            }
            () = sleep_until(opens.unwrap_or_else(Instant::now).into()), if opens.is_some() => {}
            Some(greeted) = door.greeting.join_next() => {
                // An error is a caller that was ended.
                if let Ok((caller, outcome)) = greeted && door.lobby.leave(caller) {
                    door.pass(outcome);
                }
            },
        }
    }
}

impl Door {
    fn enter(&mut self, stream: TcpStream, from: Endpoint) {
        let host = Host::of(from.ip);
        if let Some(why) = self.lobby.make_room(host) {
            self.turned_away.count(Reason::Refused(why));
        }
        let (caller, share) = (self.lobby.number(), self.share.clone());
        let task = self.greeting.spawn(async move {
            // The one that was ended for this one may still hold its place.
            let permit = share.take().await;
            (caller, greet(stream, from, permit).await)
        });
        self.lobby.enter(Instant::now(), caller, host, task);
    }

    /// To the torrent that it asks for.
    fn pass(&self, outcome: Outcome) {
        let why = match outcome {
            Ok(Greeted {
                opened,
                theirs,
                from,
            }) => match self.torrents.get(&theirs.info_hash) {
                None => Reason::Refused(Refusal::WrongInfoHash),
                Some(torrent) => {
                    let opened = Box::new(opened);
                    let input = Input::Incoming {
                        opened,
                        theirs,
                        from,
                    };
                    if torrent.try_send(input).is_ok() {
                        return;
                    }
                    // A torrent that cannot follow has enough peers for now.
                    Reason::Refused(Refusal::Busy)
                }
            },
            Err(reason) => reason,
        };
        self.turned_away.count(why);
    }
}

/// The next connection on any of the listeners, `first` of them asked first; never ends without one.
async fn accept_any(listeners: &[TcpListener], first: usize) -> (TcpStream, Endpoint) {
    loop {
        let accepted = poll_fn(|context| {
            let (before, after) = listeners.split_at(first % listeners.len().max(1));
            let mut ready = after
                .iter()
                .chain(before)
                .map(|listener| listener.poll_accept(context));
            ready.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        match accepted.await {
            Ok((stream, from)) => return (stream, Endpoint::from(from)),
            // EMFILE and friends: descriptors come back when peers leave.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn greet(mut stream: TcpStream, from: Endpoint, permit: Permit) -> Outcome {
    // Requests are small and must not wait for each other; failing to say so costs latency only.
    let _ = stream.set_nodelay(true);
    let mut connection = Connection::incoming(Instant::now());
    let mut input = BytesMut::new();
    loop {
        let due = connection.next_timeout();
        let framed = tokio::select! {
            read = stream.read_buf(&mut input) => {
                if read.map_err(|_| Reason::Lost)? == 0 {
                    return Err(Reason::Left);
                }
                connection.handle_bytes(Instant::now(), &mut input)
            }
            () = sleep_until(due.into()) => connection.handle_timeout(Instant::now()),
        };
        framed.map_err(Reason::Broke)?;
        if let Some(Event::Handshake(theirs)) = connection.poll_event() {
            let opened = Opened {
                stream,
                connection,
                input,
                permit,
            };
            return Ok(Greeted {
                opened,
                theirs,
                from,
            });
        }
    }
}
