//! One torrent's task: the sole owner of its [`Torrent`] machine. Peers, disk, DHT searches and the
//! user speak to it through one bounded queue; what the machine decides goes out without waiting.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;

use super::dht::{DhtHandle, SearchEvent};
use super::dialler::Dialler;
use super::disk::DiskHandle;
use super::host_cache::HostCache;
use super::input::{Input, Opened};
use super::lsd::LsdHandle;
use super::peer;
use super::status::{
    Destination, Failed, Privacy, SearchStatus, Select, Status, Timeline, TorrentEvent,
};
use crate::metainfo::{Info, InfoHash};
use crate::storage::CheckProgress;
use crate::swarm::disk::{DiskError, Job, Reply};
use crate::swarm::{Action, ClosedBy, Event, PeerKey, Phase, SearchClock, Torrent};
use crate::wire::{Handshake, Message, Violation};

mod searching;

pub(super) use searching::Announcing;
use searching::next_event;

/// Inputs that may wait. A batch of messages holds up to 256 KiB of blocks; the machine's own
/// request budget keeps the sum below that of the memory it promises.
pub(super) const INPUTS: usize = 256;

/// Inputs handled before outputs are drained, so that one busy peer cannot delay the others.
const BATCH: usize = 16;

/// How often the status is renewed for whoever watches.
const STATUS_INTERVAL: Duration = Duration::from_millis(200);

/// How long a stop waits for the disk before it gives up (cli.md rule 6: flushed within 2 s).
const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// How often a download that turns out damaged at its end is repaired: whoever changes it again and
/// again, or a device that keeps nothing, must not make us fetch for ever.
const REPAIRS: u32 = 3;

/// The pieces of the client that a torrent's task uses.
pub(super) struct Surroundings {
    pub(super) dialler: Dialler,
    /// `None`: the DHT is off, or not for this torrent.
    pub(super) dht: Option<DhtHandle>,
    /// `None`: local discovery is off, or not for this torrent, which is then not registered there.
    pub(super) lsd: Option<LsdHandle>,
    /// How the DHT hears of us once everything is there.
    pub(super) announcing: Announcing,
    /// Our TCP port, to announce.
    pub(super) port: u16,
}

/// The task.
pub(super) struct Driver {
    pub(super) info_hash: InfoHash,
    pub(super) torrent: Torrent,
    /// `None`: nothing is kept.
    pub(super) cache: Option<HostCache>,
    pub(super) destination: Destination,
    pub(super) select: Option<Select>,
    pub(super) surroundings: Surroundings,
    pub(super) to_self: mpsc::Sender<Input>,
    pub(super) events: mpsc::Sender<TorrentEvent>,
    pub(super) status: watch::Sender<Status>,
    pub(super) started: Instant,
}

/// A connection's queue and the account of blocks given to it.
struct Mailbox {
    sender: mpsc::Sender<Vec<Message>>,
    /// Bytes of blocks and extended messages handed over.
    handed: u64,
}

/// What the task keeps besides the machine.
struct Desk {
    mailboxes: BTreeMap<PeerKey, Mailbox>,
    /// Messages decided since the last flush, by peer.
    outgoing: Vec<(PeerKey, Vec<Message>)>,
    disk: Option<DiskHandle>,
    clock: SearchClock,
    search: Option<mpsc::Receiver<SearchEvent>>,
    search_status: SearchStatus,
    /// Peers that the running search has found.
    found: usize,
    checking: Option<CheckProgress>,
    timeline: Timeline,
    storage: StorageState,
    privacy: Privacy,
    /// How the DHT hears of us now.
    announcing: Announcing,
    /// Times that the data was damaged when all of it had come.
    repairs: u32,
}

/// Whether peers can be served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StorageState {
    /// There is none yet, or none will be: the metadata is asked for.
    None,
    /// Existing data is being checked; whoever came now would be turned away.
    Opening,
    /// Open.
    Open,
}

impl Desk {
    fn new(started: Instant) -> Desk {
        Desk {
            mailboxes: BTreeMap::new(),
            outgoing: Vec::new(),
            disk: None,
            clock: SearchClock::new(started),
            search: None,
            search_status: SearchStatus::default(),
            found: 0,
            checking: None,
            timeline: Timeline::default(),
            storage: StorageState::None,
            privacy: Privacy::Unknown,
            announcing: Announcing::Lookups,
            repairs: 0,
        }
    }
}

impl Driver {
    /// Runs until [`Input::Stop`] or until nobody holds the other end.
    pub(super) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut desk = Desk::new(self.started);
        let mut network = self.surroundings.dialler.network();
        let mut status_due = self.started;
        loop {
            self.drain(&mut desk).await;
            let now = Instant::now();
            if now >= status_due {
                let free = self.surroundings.dialler.connections().free();
                self.torrent.set_places(free);
                self.publish(&mut desk, now);
                status_due = now + STATUS_INTERVAL;
                if let Some(cache) = self.cache.as_mut().filter(|cache| cache.is_due(now)) {
                    drop(cache.save(now, self.torrent.worked()));
                }
            }
            let searching = self.surroundings.dht.is_some()
                && desk.storage != StorageState::Opening
                && desk.announcing == Announcing::Lookups;
            let search_at = desk.clock.next_timeout().filter(|_| searching);
            let timeout = [
                Some(self.torrent.next_timeout()),
                Some(status_due),
                search_at,
            ];
            let timeout = timeout.into_iter().flatten().min().unwrap_or(status_due);
            tokio::select! {
                input = inputs.recv() => {
                    let mut next = input;
                    if next.is_none() {
                        return;
                    }
                    let mut handled = 0;
                    while let Some(input) = next {
                        if let Some(done) = self.handle(&mut desk, input) {
                            return self.stop(desk, done).await;
                        }
                        handled += 1;
                        next = if handled < BATCH { inputs.try_recv().ok() } else { None };
                    }
                }
                () = network.changed() => self.network_changed(&mut desk),
                event = next_event(&mut desk.search) => self.handle_search(&mut desk, event),
                () = sleep_until(timeout.into()) => {
                    let now = Instant::now();
                    self.torrent.handle_timeout(now);
                    if search_at.is_some_and(|due| due <= now) {
                        self.search(&mut desk).await;
                    }
                }
            }
        }
    }

    /// There is another way out: whoever could not be reached is tried, others hear where we are.
    fn network_changed(&mut self, desk: &mut Desk) {
        let now = Instant::now();
        self.torrent.network_changed(now);
        desk.clock.handle_network_changed(now);
    }

    /// Feeds one input to the machine; returns the answer that a stop waits for.
    fn handle(&mut self, desk: &mut Desk, input: Input) -> Option<oneshot::Sender<()>> {
        let now = Instant::now();
        match input {
            Input::Messages { peer, batch } => self.torrent.handle_messages(now, peer, batch),
            Input::Disk(reply) => self.torrent.handle_disk(now, reply),
            Input::Sent { peer, block_bytes } => {
                if let Some(mailbox) = desk.mailboxes.get(&peer) {
                    let unsent = mailbox.handed.saturating_sub(block_bytes);
                    let unsent = usize::try_from(unsent).unwrap_or(usize::MAX);
                    self.torrent.handle_sent(now, peer, unsent);
                }
            }
            Input::Opened { peer, theirs } => {
                tracing::debug!(?peer, "an attempt was answered");
                self.reached(&mut desk.timeline.first_handshake, now);
                self.torrent.handle_opened(now, peer, &theirs);
            }
            Input::Incoming {
                opened,
                theirs,
                from,
            } => {
                self.handle_incoming(desk, *opened, theirs, from);
            }
            Input::Closed { peer, by } => {
                tracing::debug!(?peer, ?by, "a connection has ended");
                desk.mailboxes.remove(&peer);
                self.torrent.handle_closed(now, peer, by);
            }
            Input::DialFailed { peer, error } => {
                tracing::debug!(?peer, ?error, "an attempt failed");
                desk.mailboxes.remove(&peer);
                self.torrent.handle_dial_failed(now, peer, error);
            }
            Input::Checking(progress) => desk.checking = Some(progress),
            Input::StorageReady(have) => {
                desk.checking = None;
                desk.storage = StorageState::Open;
                self.tell(TorrentEvent::Opened { have: have.count() });
                self.torrent.storage_ready(now, have);
            }
            Input::StorageFailed(error) => {
                desk.disk = None;
                self.tell(TorrentEvent::Failed(Failed::Storage(error)));
            }
            Input::Flushed(Ok(paths)) => {
                self.reached(&mut desk.timeline.done, now);
                self.publish(desk, now);
                self.tell(TorrentEvent::Complete(paths));
            }
            // What was damaged is being fetched again; once it is there all is flushed again.
            Input::Flushed(Err(DiskError::Damaged))
                if desk.repairs < REPAIRS
                    && self.torrent.snapshot(now).phase != Phase::Complete =>
            {
                desk.repairs += 1;
            }
            Input::Flushed(Err(error)) => self.tell(TorrentEvent::Failed(Failed::Disk(error))),
            Input::State(news) => self.tell(TorrentEvent::State(news)),
            Input::Add(source, peers) => {
                self.torrent.add_peers(now, source, peers);
            }
            Input::Neighbours(ranges) => self.torrent.set_neighbours(ranges),
            Input::Stop(done) => return Some(done),
        }
        None
    }

    fn handle_incoming(
        &mut self,
        desk: &mut Desk,
        mut opened: Opened,
        theirs: Handshake,
        from: Endpoint,
    ) {
        let now = Instant::now();
        let dialler = self.surroundings.dialler.clone();
        self.torrent.set_places(dialler.connections().free());
        let peer = match self.torrent.accept(now, from, &theirs) {
            Ok(peer) => peer,
            Err(refusal) => {
                tracing::debug!(%from, ?refusal, "a caller was turned away");
                return;
            }
        };
        tracing::debug!(%from, ?peer, "a caller was let in");
        self.reached(&mut desk.timeline.first_handshake, now);
        opened.connection.accept(now, self.torrent.handshake());
        let mailbox = self.mailbox(desk, peer);
        let torrent = self.to_self.clone();
        let serving = peer::serve_caller(opened, dialler, peer, torrent.clone(), mailbox);
        peer::spawn(peer, torrent, serving);
    }

    fn mailbox(&self, desk: &mut Desk, peer: PeerKey) -> mpsc::Receiver<Vec<Message>> {
        let (sender, receiver) = mpsc::channel(peer::MAILBOX);
        desk.mailboxes.insert(peer, Mailbox { sender, handed: 0 });
        receiver
    }

    /// Carries out what the machine has decided.
    async fn drain(&mut self, desk: &mut Desk) {
        while let Some(action) = self.torrent.poll_action() {
            match action {
                Action::Send { peer, message } => match desk.outgoing.last_mut() {
                    Some((last, messages)) if *last == peer => messages.push(message),
                    _ => desk.outgoing.push((peer, vec![message])),
                },
                Action::Disk(job) => self.submit(desk, job),
                Action::Dial { peer, endpoint } => {
                    tracing::debug!(?peer, %endpoint, "calling");
                    let mailbox = self.mailbox(desk, peer);
                    let dialling = peer::dial(
                        self.surroundings.dialler.clone(),
                        SocketAddr::from(endpoint),
                        self.torrent.handshake(),
                        peer,
                        self.to_self.clone(),
                        mailbox,
                    );
                    peer::spawn(peer, self.to_self.clone(), dialling);
                }
                Action::Close { peer, reason } => {
                    tracing::debug!(?peer, ?reason, "closing a connection");
                    self.flush(desk);
                    desk.mailboxes.remove(&peer);
                }
            }
        }
        self.flush(desk);
        while let Some(event) = self.torrent.poll_event() {
            self.announce_as(desk, &event).await;
            self.deliver(desk, event);
        }
    }

    /// Hands the collected messages to the connections' tasks. One whose queue is full does not
    /// read what it asked for, and is let go.
    fn flush(&mut self, desk: &mut Desk) {
        for (peer, messages) in desk.outgoing.drain(..) {
            let Some(mailbox) = desk.mailboxes.get_mut(&peer) else {
                continue;
            };
            for message in &messages {
                mailbox.handed += message.weight();
            }
            match mailbox.sender.try_send(messages) {
                // Its task has ended: the reason is on its way.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => {
                    desk.mailboxes.remove(&peer);
                    let by = ClosedBy::Violation(Violation::Backlog);
                    self.torrent.handle_closed(Instant::now(), peer, by);
                }
            }
        }
    }

    fn submit(&mut self, desk: &Desk, job: Job) {
        let refused = match &desk.disk {
            Some(disk) => disk.submit(job),
            None => Err(job),
        };
        if let Err(job) = refused {
            let error = DiskError::Io("the disk thread has ended".into());
            let reply = match job {
                Job::Store { piece, blocks, .. } => Reply::StoreFailed {
                    piece,
                    blocks,
                    error,
                },
                Job::Read { peer, block } => Reply::ReadFailed { peer, block, error },
            };
            self.torrent.handle_disk(Instant::now(), reply);
        }
    }

    fn deliver(&mut self, desk: &mut Desk, event: Event) {
        let now = Instant::now();
        match event {
            Event::Metadata(info) => self.handle_metadata(desk, info),
            Event::PieceStored(_) => self.reached(&mut desk.timeline.first_piece, now),
            Event::Complete => match &desk.disk {
                Some(disk) => disk.flush(),
                None => self.tell(TorrentEvent::Complete(Vec::new())),
            },
            Event::PeersWanted => desk.clock.handle_wanted(),
            Event::DhtPort(endpoint) => {
                if let Some(dht) = &self.surroundings.dht {
                    dht.heard_of(endpoint);
                }
            }
            other => self.tell(TorrentEvent::Notice(other)),
        }
    }

    /// The files are known: choose among them, open the storage.
    fn handle_metadata(&mut self, desk: &mut Desk, info: Arc<Info>) {
        let now = Instant::now();
        self.reached(&mut desk.timeline.metadata, now);
        desk.privacy = Privacy::of(&info);
        if desk.privacy == Privacy::Private {
            // BEP 27: peers from its trackers only. What a magnet link's search has told until here
            // nobody can take back; the DHT's part of it ends with the search.
            self.surroundings.dht = None;
            desk.search = None;
            desk.search_status.running = None;
            if let Some(lsd) = self.surroundings.lsd.take() {
                lsd.remove(self.info_hash);
            }
        }
        self.tell(TorrentEvent::Metadata(Arc::clone(&info)));
        let Destination::Files(location, mode) =
            std::mem::replace(&mut self.destination, Destination::MetadataOnly)
        else {
            return;
        };
        if let Some(select) = self.select.take() {
            match select(&info) {
                Ok(Some(wanted)) => self.torrent.select(now, wanted),
                Ok(None) => {}
                Err(why) => return self.tell(TorrentEvent::Failed(Failed::Selection(why))),
            }
        }
        match DiskHandle::open(info, location, mode, self.to_self.clone()) {
            Ok(disk) => {
                desk.disk = Some(disk);
                desk.storage = StorageState::Opening;
            }
            Err(error) => {
                let error = DiskError::Io(format!("no thread for the disk: {error}"));
                self.tell(TorrentEvent::Failed(Failed::Disk(error)));
            }
        }
    }

    fn publish(&mut self, desk: &mut Desk, now: Instant) {
        if desk.timeline.first_node.is_none()
            && let Some(dht) = &self.surroundings.dht
        {
            let first = dht.status().borrow().first_node;
            desk.timeline.first_node =
                first.map(|first| first.saturating_duration_since(self.started));
        }
        let searches = self.surroundings.dht.is_some();
        desk.search_status.next = desk.clock.next_timeout().filter(|_| searches);
        // Nobody watching is no reason to stop.
        let _ = self.status.send(Status {
            snapshot: self.torrent.snapshot(now),
            checking: desk.checking,
            search: desk.search_status.clone(),
            privacy: desk.privacy,
            timeline: desk.timeline,
        });
    }

    /// Ends everything: peers first, so that nothing more is written; then the disk.
    async fn stop(mut self, mut desk: Desk, done: oneshot::Sender<()>) {
        let worked = self.torrent.worked();
        let cache = self.cache.as_mut();
        let saving = cache.map(|cache| cache.save(Instant::now(), worked));
        self.torrent.shutdown(Instant::now());
        if let (Some(dht), Announcing::Rounds) = (&self.surroundings.dht, desk.announcing) {
            dht.withdraw(self.info_hash).await;
        }
        self.drain(&mut desk).await;
        self.publish(&mut desk, Instant::now());
        desk.mailboxes.clear();
        if let Some(disk) = desk.disk.take() {
            // A disk that hangs must not keep the user waiting.
            let _ = tokio::time::timeout(STOP_TIMEOUT, disk.stop()).await;
        }
        if let Some(saving) = saving {
            let _ = tokio::time::timeout(STOP_TIMEOUT, saving).await;
        }
        let _ = done.send(());
    }

    fn reached(&self, milestone: &mut Option<Duration>, now: Instant) {
        milestone.get_or_insert(now.saturating_duration_since(self.started));
    }

    /// Events are few; a listener that does not listen must not stop the torrent.
    fn tell(&self, event: TorrentEvent) {
        if let Err(error) = self.events.try_send(event) {
            tracing::warn!(%error, "an event was lost");
        }
    }
}

#[cfg(test)]
mod tests;
