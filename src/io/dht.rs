//! The DHT node's task: datagrams between two sockets and one [`dht::Node`], searches and questions
//! from the rest of the client, contacts saved for the next start.
//!
//! The loop is the one of every driver here: drain transmits, drain events, then wait for a
//! datagram, a command or the node's next timeout.

use std::collections::BTreeMap;
use std::io;
use std::time::Instant;

use bencode::{Endpoint, Family};
use dht::{AnnouncePort, Announcement, Event, Id, LookupId, Node, Part};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;

use crate::metainfo::InfoHash;

mod search;
mod strangers;

use super::burst;
pub use search::{Answer, DhtStatus, Pong, Sample, Search, SearchEvent, Trace, View};
use strangers::Strangers;

/// Largest datagram read; the node drops what is longer than its own limit.
const DATAGRAM: usize = 4096;

/// Datagrams taken per wake-up, so that a flood cannot starve commands and timers.
const BATCH: usize = 64;

/// Commands that may wait.
const COMMANDS: usize = 256;

/// Events of one search that may wait; more are dropped (peers come again, reports too).
const SEARCH_EVENTS: usize = 256;

enum Command {
    Search {
        search: Search,
        trace: Trace,
        events: mpsc::Sender<SearchEvent>,
    },
    Join(Vec<Endpoint>),
    Ping(Endpoint, Option<oneshot::Sender<Option<Pong>>>),
    View(oneshot::Sender<View>),
    Keep(InfoHash, u16),
    Withdraw(InfoHash),
    NetworkChanged,
}

/// The rest of the client's end of the DHT task. Dropping every copy ends the task.
#[derive(Clone)]
pub struct DhtHandle {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<DhtStatus>,
}

impl DhtHandle {
    /// Starts a lookup; its events come through the receiver, [`SearchEvent::Done`] last.
    pub async fn search(&self, search: Search, trace: Trace) -> mpsc::Receiver<SearchEvent> {
        let (events, receiver) = mpsc::channel(SEARCH_EVENTS);
        // A task that is gone drops the sender, which ends the receiver.
        let _ = self
            .commands
            .send(Command::Search {
                search,
                trace,
                events,
            })
            .await;
        receiver
    }

    /// Asks these endpoints for contacts, in addition to those known.
    pub async fn join(&self, contacts: Vec<Endpoint>) {
        let _ = self.commands.send(Command::Join(contacts)).await;
    }

    /// Pings a node and waits for its answer.
    pub async fn ping(&self, node: Endpoint) -> Option<Pong> {
        let (reply, pong) = oneshot::channel();
        self.commands
            .send(Command::Ping(node, Some(reply)))
            .await
            .ok()?;
        pong.await.ok()?
    }

    /// A node that a peer told us of (BEP 5 `port` message): pinged, kept if it answers.
    pub fn heard_of(&self, node: Endpoint) {
        let _ = self.commands.try_send(Command::Ping(node, None));
    }

    /// Announces us as a seed of `info_hash`, reachable at this TCP port, again and again until `withdraw`: one
    /// of many, in its turn, and without telling the peers that are met on the way.
    pub(super) async fn keep_announced(&self, info_hash: InfoHash, port: u16) {
        let _ = self.commands.send(Command::Keep(info_hash, port)).await;
    }

    /// Ends `keep_announced`.
    pub(super) async fn withdraw(&self, info_hash: InfoHash) {
        let _ = self.commands.send(Command::Withdraw(info_hash)).await;
    }

    /// The machine has another way out now: whoever was known is asked again at once.
    pub(super) async fn network_changed(&self) {
        let _ = self.commands.send(Command::NetworkChanged).await;
    }

    /// The node's inner state; `None` when the task has ended.
    pub async fn view(&self) -> Option<View> {
        let (reply, view) = oneshot::channel();
        self.commands.send(Command::View(reply)).await.ok()?;
        view.await.ok()
    }

    /// What is known of the network, updated as it changes.
    pub fn status(&self) -> watch::Receiver<DhtStatus> {
        self.status.clone()
    }
}

/// Starts the task.
pub(super) fn start(node: Node, v4: Option<UdpSocket>, v6: Option<UdpSocket>) -> DhtHandle {
    let (commands, queue) = mpsc::channel(COMMANDS);
    let (publish, status) = watch::channel(DhtStatus::default());
    let driver = Driver {
        node,
        v4,
        v6,
        publish,
        searches: BTreeMap::new(),
        pings: BTreeMap::new(),
        strangers: Strangers::default(),
    };
    tokio::spawn(driver.run(queue));
    DhtHandle { commands, status }
}

struct Driver {
    node: Node,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    publish: watch::Sender<DhtStatus>,
    searches: BTreeMap<LookupId, mpsc::Sender<SearchEvent>>,
    pings: BTreeMap<Endpoint, Vec<oneshot::Sender<Option<Pong>>>>,
    strangers: Strangers,
}

impl Driver {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; DATAGRAM];
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            // Until the first wait, a socket counts as not writable, and the first queries would be
            // lost.
            let _ = socket.writable().await;
        }
        loop {
            self.drain();
            let timeout = self.node.next_timeout();
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.handle_command(command),
                    None => return,
                },
                () = readable(self.v4.as_ref()) => self.receive(Family::V4, &mut buffer),
                () = readable(self.v6.as_ref()) => self.receive(Family::V6, &mut buffer),
                () = sleep_until(timeout.into()) => {
                    self.cancel_abandoned();
                    self.node.handle_timeout(Instant::now());
                }
            }
        }
    }

    /// Ends searches whose asker is gone, before they go one step further: a torrent that turned out to
    /// be private is not announced any more (BEP 27).
    fn cancel_abandoned(&mut self) {
        let node = &mut self.node;
        self.searches.retain(|lookup, events| {
            if events.is_closed() {
                node.cancel(*lookup);
            }
            !events.is_closed()
        });
    }

    fn receive(&mut self, family: Family, buffer: &mut [u8]) {
        self.cancel_abandoned();
        for _ in 0..BATCH {
            let socket = match family {
                Family::V4 => self.v4.as_ref(),
                Family::V6 => self.v6.as_ref(),
            };
            match socket.map(|socket| socket.try_recv_from(buffer)) {
                Some(Ok((length, from))) => {
                    self.strangers.received(from.into());
                    let datagram = buffer.get(..length).unwrap_or_default();
                    self.node.handle_datagram(Instant::now(), from, datagram);
                }
                // ECONNREFUSED and the like speak of one datagram sent, not of the socket.
                Some(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {}
                _ => return,
            }
        }
    }

    /// Datagrams that the kernel cannot take are lost, as datagrams may be.
    fn transmit(&mut self) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        while let Some(transmit) = self.node.poll_transmit() {
            self.strangers.sent(transmit.to.into());
            let burst = if transmit.to.is_ipv6() {
                &mut v6
            } else {
                &mut v4
            };
            burst.push(transmit);
        }
        for (socket, burst) in [(&self.v4, &v4), (&self.v6, &v6)] {
            if let Some(socket) = socket {
                burst::send(socket, burst);
            }
        }
    }

    fn drain(&mut self) {
        self.transmit();
        while let Some(event) = self.node.poll_event() {
            self.deliver(event);
        }
        let node = &self.node;
        for (lookup, events) in &self.searches {
            // Half of the queue is kept for peers and the end.
            if events.capacity() > SEARCH_EVENTS / 2
                && let Some(report) = node.lookup_report(Instant::now(), *lookup)
            {
                let _ = events.try_send(SearchEvent::Progress(report));
            }
        }
        let stats = self.node.stats();
        let (received, sent) = (stats.datagrams_in, stats.datagrams_out);
        let nodes = self.node.table_len(Family::V4) + self.node.table_len(Family::V6);
        let stranger = self.strangers.first();
        self.publish.send_if_modified(|status| {
            let before = status.clone();
            status.nodes = nodes;
            status.received = received;
            status.sent = sent;
            status.stranger = stranger;
            if nodes > 0 && status.first_node.is_none() {
                status.first_node = Some(Instant::now());
            }
            *status != before
        });
    }

    fn deliver(&mut self, event: Event) {
        match event {
            Event::FirstNode { .. } => self.publish.send_modify(|status| {
                status.first_node.get_or_insert_with(Instant::now);
            }),
            Event::Joined { .. } => self.publish.send_modify(|status| status.joined = true),
            Event::Peers { lookup, peers, .. } => self.tell(lookup, SearchEvent::Peers(peers)),
            Event::Answered {
                lookup,
                from,
                bits,
                nodes,
                peers,
                rtt,
            } => {
                let answer = Answer {
                    from,
                    bits,
                    nodes,
                    peers,
                    rtt,
                };
                self.tell(lookup, SearchEvent::Answered(answer));
            }
            Event::LookupDone { lookup, report } => {
                if let Some(events) = self.searches.remove(&lookup) {
                    // The end must arrive even when the queue is full.
                    tokio::spawn(async move { events.send(SearchEvent::Done(report)).await });
                }
            }
            Event::Pong { endpoint, id, rtt } => self.answer_ping(endpoint, Some(Pong { id, rtt })),
            Event::PingFailed { endpoint } => self.answer_ping(endpoint, None),
            Event::ExternalAddress(ip) => tracing::debug!(%ip, "nodes agree on our address"),
            Event::IdChanged { id, .. } => tracing::debug!(%id, "our id follows our address now"),
            Event::LinkDown => {
                tracing::info!("the DHT hears nothing any more: the network is down")
            }
            Event::LinkUp => tracing::info!("the DHT hears others again"),
            Event::NeedBootstrap { .. } => self.publish.send_modify(|status| status.appeals += 1),
            Event::Scraped {
                lookup,
                seeds,
                peers,
                ..
            } => self.tell(lookup, SearchEvent::Scraped { seeds, peers }),
            Event::Samples {
                lookup,
                from,
                hashes,
                stored,
                interval,
            } => {
                let sample = Sample {
                    from,
                    hashes,
                    stored,
                    interval,
                };
                self.tell(lookup, SearchEvent::Samples(sample));
            }
            Event::Item { lookup, from, item } => {
                let from = from.endpoint;
                self.tell(lookup, SearchEvent::Item { from, item });
            }
            Event::Refused { lookup, code, .. } => self.tell(lookup, SearchEvent::Refused(code)),
        }
    }

    /// Tells whoever asked; one whose queue is full misses it.
    fn tell(&self, lookup: LookupId, event: SearchEvent) {
        if let Some(events) = self.searches.get(&lookup) {
            let _ = events.try_send(event);
        }
    }

    fn answer_ping(&mut self, endpoint: Endpoint, pong: Option<Pong>) {
        for asked in self.pings.remove(&endpoint).unwrap_or_default() {
            let _ = asked.send(pong);
        }
    }

    fn search(&mut self, now: Instant, search: Search, trace: Trace) -> LookupId {
        let node = &mut self.node;
        match (search, trace) {
            (Search::Peers(hash), Trace::Off) => node.get_peers(now, Id::from(hash.0)),
            (Search::Peers(hash), Trace::On) => node.get_peers_traced(now, Id::from(hash.0)),
            (Search::Announce(hash, port, part), _) => {
                let port = AnnouncePort::Explicit(port);
                node.announce(now, Id::from(hash.0), Announcement { port, part })
            }
            (Search::Nodes(target), Trace::Off) => node.find_node(now, target),
            (Search::Nodes(target), Trace::On) => node.find_node_traced(now, target),
            (Search::Scrape(hash), _) => node.scrape(now, Id::from(hash.0)),
            (Search::Sample(target), _) => node.sample(now, target),
            (Search::Item { target, salt }, _) => node.item(now, target, salt),
            (Search::Put { item, cas }, _) => node.put(now, item, cas),
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Search {
                search,
                trace,
                events,
            } => {
                let lookup = self.search(now, search, trace);
                self.searches.insert(lookup, events);
            }
            Command::Join(contacts) => self.node.join(now, contacts),
            Command::Keep(info_hash, port) => {
                let own = Announcement {
                    port: AnnouncePort::Explicit(port),
                    part: Part::Seed,
                };
                self.node.keep_announced(now, Id::from(info_hash.0), own);
            }
            Command::NetworkChanged => self.node.network_changed(now),
            Command::Withdraw(info_hash) => self.node.withdraw(&Id::from(info_hash.0)),
            Command::Ping(endpoint, reply) => {
                self.node.ping(now, endpoint);
                if let Some(reply) = reply {
                    self.pings.entry(endpoint).or_default().push(reply);
                }
            }
            Command::View(reply) => {
                let node = &self.node;
                let table = |family| (family, node.buckets(family).collect());
                let _ = reply.send(View {
                    id: node.id(Family::V4),
                    ids: [Family::V4, Family::V6].map(|family| (family, node.id(family))),
                    external: node.external_address(),
                    tables: [table(Family::V4), table(Family::V6)],
                    pool: node.pool_len(),
                    sizes: [Family::V4, Family::V6]
                        .map(|family| (family, node.size_estimate(family))),
                    stored: node.stored(),
                    items: node.stored_items(),
                    stats: *node.stats(),
                    contacts: node.contacts().map(|contact| contact.endpoint).collect(),
                });
            }
        }
    }
}

async fn readable(socket: Option<&UdpSocket>) {
    match socket {
        // An error here is read, and dropped, by the receive that follows.
        Some(socket) => drop(socket.readable().await),
        None => std::future::pending().await,
    }
}
