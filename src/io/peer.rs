//! One peer connection's task: bytes between a socket and a [`Connection`], batches of messages
//! between the [`Connection`] and the torrent.
//!
//! All messages of one read travel to the torrent in one batch. The queue to the torrent is
//! bounded and awaited: a torrent that cannot follow slows the socket. The queue from the torrent
//! is bounded and never awaited by the torrent, so the two cannot wait for each other.
//!
//! Invariant: unless the torrent ended it, the torrent hears of a connection's end from here, even if that is a panic.

use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use super::dialler::Dialler;
use super::input::{Input, Opened};
use super::network::Network;
use crate::swarm::{ClosedBy, DialError, PeerKey};
use crate::wire::{Connection, Event, Handshake, Message, Violation};

/// Room offered to each read. 256 KiB hold 15 blocks: on a fast link one wake-up, one batch.
const READ_CHUNK: usize = 128 << 10;

/// Room offered while a connection is slow: idle peers should cost little memory.
const READ_CHUNK_IDLE: usize = 4 << 10;

/// Batches from the torrent that may wait for a peer that does not read.
pub(super) const MAILBOX: usize = 512;

/// How long a TCP connection may take to open; a dead address must not hold a half-open slot.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// How long a caller waits for the place of one that was closed for it.
const PLACE_TIMEOUT: Duration = Duration::from_secs(2);

/// The torrent hears of bytes gone out when this many have, or all.
const SENT_REPORT: usize = 128 << 10;

/// Starts a connection's task. Should it panic, the torrent hears of it at once, and not when it next has something to
/// send there.
pub(super) fn spawn(
    peer: PeerKey,
    torrent: mpsc::Sender<Input>,
    connection: impl Future<Output = ()> + Send + 'static,
) {
    let connection = tokio::spawn(connection);
    tokio::spawn(async move {
        if connection.await.is_err() {
            let by = ClosedBy::Bug;
            let _ = torrent.send(Input::Closed { peer, by }).await;
        }
    });
}

/// Connects when its turn has come, shakes hands, then serves the connection until it ends. Failures go to the torrent.
pub(super) async fn dial(
    dialler: Dialler,
    to: std::net::SocketAddr,
    hello: Handshake,
    peer: PeerKey,
    torrent: mpsc::Sender<Input>,
    mailbox: mpsc::Receiver<Vec<Message>>,
) {
    let permit = dialler.permit().await;
    if mailbox.is_closed() {
        // The torrent has changed its mind meanwhile.
        return;
    }
    let stream = match timeout(CONNECT_TIMEOUT, dialler.connect(to)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let error = match error.kind() {
                std::io::ErrorKind::ConnectionRefused => DialError::Refused,
                std::io::ErrorKind::TimedOut => DialError::TimedOut,
                std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable => {
                    DialError::Unreachable
                }
                _ if is_want_of_descriptors(&error) => DialError::NoDescriptor,
                _ => DialError::Other,
            };
            let _ = torrent.send(Input::DialFailed { peer, error }).await;
            return;
        }
        Err(_) => {
            let error = DialError::TimedOut;
            let _ = torrent.send(Input::DialFailed { peer, error }).await;
            return;
        }
    };
    let Some(place) = dialler.connections().try_take() else {
        // Callers took the last places meanwhile.
        let error = DialError::NoDescriptor;
        let _ = torrent.send(Input::DialFailed { peer, error }).await;
        return;
    };
    drop(permit);
    let connection = Connection::outgoing(hello, Instant::now());
    let opened = Opened {
        stream,
        connection,
        input: BytesMut::new(),
        permit: place,
    };
    serve(opened, peer, torrent, mailbox, dialler.network()).await;
}

/// Whether the process or the system has no descriptor left: the address is not at fault.
fn is_want_of_descriptors(error: &std::io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(
        errno,
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
    )
}

/// Serves a caller that was let in, once it has a place: the one that gave way for it may still be
/// leaving.
pub(super) async fn serve_caller(
    mut opened: Opened,
    dialler: Dialler,
    peer: PeerKey,
    torrent: mpsc::Sender<Input>,
    mailbox: mpsc::Receiver<Vec<Message>>,
) {
    match timeout(PLACE_TIMEOUT, dialler.connections().take()).await {
        Ok(place) => opened.permit = place,
        Err(_) => {
            let by = ClosedBy::NoDescriptor;
            let _ = torrent.send(Input::Closed { peer, by }).await;
            return;
        }
    }
    serve(opened, peer, torrent, mailbox, dialler.network()).await;
}

/// Serves a connection until either side ends it; dropping the mailbox's sender ends it from here.
pub(super) async fn serve(
    opened: Opened,
    peer: PeerKey,
    torrent: mpsc::Sender<Input>,
    mailbox: mpsc::Receiver<Vec<Message>>,
    network: Network,
) {
    let Opened {
        stream,
        connection,
        input,
        permit: _permit,
    } = opened;
    let mut task = Task {
        peer,
        connection,
        input,
        torrent,
        accepted: 0,
        reported: 0,
    };
    let local = stream.local_addr().ok().map(|local| local.ip());
    let by = tokio::select! {
        by = task.run(stream, mailbox) => by,
        // Nobody would tell: what is sent from an address that is gone goes nowhere.
        () = network.lost(local) => Some(ClosedBy::Io),
    };
    if let Some(by) = by {
        let _ = task.torrent.send(Input::Closed { peer, by }).await;
    }
}

struct Task {
    peer: PeerKey,
    connection: Connection,
    input: BytesMut,
    torrent: mpsc::Sender<Input>,
    /// Bytes of blocks and extended messages taken from the mailbox so far.
    accepted: u64,
    /// How many of them the torrent knows to be on their way.
    reported: u64,
}

/// What woke the task.
enum Wake {
    Read(std::io::Result<usize>),
    Written(std::io::Result<usize>),
    Mail(Option<Vec<Message>>),
    Timeout,
}

impl Task {
    /// Returns who ended it; `None` if the torrent did and knows.
    async fn run(
        &mut self,
        mut stream: TcpStream,
        mut mailbox: mpsc::Receiver<Vec<Message>>,
    ) -> Option<ClosedBy> {
        let (mut reader, mut writer) = stream.split();
        // What an incoming connection sent behind its handshake.
        if let Err(by) = self.handle_input().await {
            return by;
        }
        let mut chunk = READ_CHUNK_IDLE;
        loop {
            let due = self.connection.next_timeout();
            let output = self.connection.output();
            let more = output.has_remaining();
            self.input.reserve(chunk);
            let wake = tokio::select! {
                read = reader.read_buf(&mut self.input) => Wake::Read(read),
                written = writer.write_buf(output), if more => Wake::Written(written),
                mail = mailbox.recv() => Wake::Mail(mail),
                () = sleep_until(due.into()) => Wake::Timeout,
            };
            let now = Instant::now();
            let outcome = match wake {
                Wake::Read(Ok(0)) => return Some(ClosedBy::Remote),
                Wake::Read(Ok(read)) => {
                    chunk = if read >= READ_CHUNK_IDLE {
                        READ_CHUNK
                    } else {
                        READ_CHUNK_IDLE
                    };
                    self.handle_input().await
                }
                Wake::Written(Ok(_)) => self.report_sent().await,
                Wake::Mail(Some(messages)) => {
                    self.queue(now, messages);
                    Ok(())
                }
                Wake::Mail(None) => return None,
                Wake::Timeout => self
                    .connection
                    .handle_timeout(now)
                    .map_err(|violation| Some(ClosedBy::Violation(violation))),
                Wake::Read(Err(_)) | Wake::Written(Err(_)) => return Some(ClosedBy::Io),
            };
            if let Err(by) = outcome {
                return by;
            }
        }
    }

    fn queue(&mut self, now: Instant, messages: Vec<Message>) {
        for message in messages {
            self.accepted += message.weight();
            self.connection.send(now, message);
        }
    }

    /// Frames what was read and hands it to the torrent, even if the last frame broke a rule: the
    /// good ones before it count.
    async fn handle_input(&mut self) -> Result<(), Option<ClosedBy>> {
        let framed: Result<(), Violation> = self
            .connection
            .handle_bytes(Instant::now(), &mut self.input);
        let mut batch = Vec::new();
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Handshake(theirs) => {
                    self.tell(Input::Opened {
                        peer: self.peer,
                        theirs,
                    })
                    .await?;
                }
                Event::Message(message) => batch.push(message),
            }
        }
        if !batch.is_empty() {
            self.tell(Input::Messages {
                peer: self.peer,
                batch,
            })
            .await?;
        }
        framed.map_err(|violation| Some(ClosedBy::Violation(violation)))
    }

    /// Tells the torrent how many bytes of blocks have left, so that it reads more from disk.
    async fn report_sent(&mut self) -> Result<(), Option<ClosedBy>> {
        let queued = self.connection.output().remaining() as u64;
        let sent = self.accepted.saturating_sub(queued);
        if sent > self.reported && (queued == 0 || sent - self.reported >= SENT_REPORT as u64) {
            self.reported = sent;
            self.tell(Input::Sent {
                peer: self.peer,
                block_bytes: sent,
            })
            .await?;
        }
        Ok(())
    }

    async fn tell(&self, input: Input) -> Result<(), Option<ClosedBy>> {
        // A torrent that is gone needs no farewell.
        self.torrent.send(input).await.map_err(|_| None)
    }
}

#[cfg(test)]
mod tests;
