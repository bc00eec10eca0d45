//! A node of ours on a loopback socket, driven by a thread as the client drives it.
//!
//! Knows nothing of other implementations. Its thread ends with the value.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dht::{AddressPolicy, Config, Endpoint, Event, Families, Family, Id, LookupId, LookupReport};
use dht::{Item, Node, Stats};

/// How long anything may take before its test fails.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Longest wait of the thread before it looks for a command.
const PAUSE: Duration = Duration::from_millis(5);

type Command = Box<dyn FnOnce(&mut Node, Instant) + Send>;

/// A running node.
#[derive(Debug)]
pub struct Live {
    /// Where it listens.
    pub at: SocketAddr,
    /// Its id.
    pub id: Id,
    commands: Option<Sender<Command>>,
    events: Receiver<Event>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts a node with a seed of its own that knows nobody.
    pub fn start(seed: u8) -> Live {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let at = socket.local_addr().expect("bound");
        socket.set_read_timeout(Some(PAUSE)).expect("a timeout");
        let mut policy = AddressPolicy::new(Vec::new());
        policy.allow_range_of(at.ip());
        let config = Config {
            families: Families::V4,
            policy,
            ..Config::default()
        };
        let node = Node::new(config, [seed; 32], Instant::now());
        let id = node.id(Family::V4);
        let (commands, queue) = mpsc::channel();
        let (out, events) = mpsc::channel();
        let thread = std::thread::spawn(move || run(node, &socket, &queue, &out));
        Live {
            at,
            id,
            commands: Some(commands),
            events,
            thread: Some(thread),
        }
    }

    /// A node that joined through `door`.
    pub fn joined(seed: u8, door: SocketAddr) -> Live {
        let live = Live::start(seed);
        live.call(move |node, now| node.join(now, [Endpoint::from(door)]));
        live.event("the first node", |event| match event {
            Event::Joined { .. } => Some(()),
            _ => None,
        });
        live
    }

    /// Calls the node and returns what it says.
    pub fn call<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Node, Instant) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = mpsc::channel();
        let command: Command = Box::new(move |node, now| {
            let _ = reply.send(act(node, now));
        });
        let commands = self.commands.as_ref().expect("runs until it is dropped");
        commands.send(command).expect("the thread runs");
        answer.recv_timeout(LIMIT).expect("the thread answers")
    }

    /// The first event that `pick` takes; those before it are lost.
    pub fn event<T>(&self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(rest) {
                Ok(event) => {
                    if let Some(picked) = pick(event) {
                        return picked;
                    }
                }
                Err(_) => panic!("waited in vain for {what}; {:?}", self.stats()),
            }
        }
    }

    /// Waits for the end of a lookup; the peers that it found and its report.
    pub fn done(&self, lookup: LookupId) -> (Vec<Endpoint>, LookupReport) {
        let mut found = Vec::new();
        let report = self.event("the end of a lookup", |event| match event {
            Event::Peers {
                lookup: of, peers, ..
            } if of == lookup => {
                found.extend(peers);
                None
            }
            Event::LookupDone { lookup: of, report } if of == lookup => Some(report),
            _ => None,
        });
        (found, report)
    }

    /// Looks for an item; the newest that comes, if one comes at all.
    pub fn item(&self, target: Id, salt: &[u8]) -> Option<Item> {
        let salt = salt.to_vec();
        let lookup = self.call(move |node, now| node.item(now, target, salt));
        let mut found = None;
        self.event("the end of a search", |event| match event {
            Event::Item {
                lookup: of, item, ..
            } if of == lookup => {
                found = Some(item);
                None
            }
            Event::LookupDone { lookup: of, .. } if of == lookup => Some(()),
            _ => None,
        });
        found
    }

    /// Stores an item; at how many nodes, and with what code the others refused.
    pub fn put(&self, item: &Item, cas: Option<i64>) -> (u32, Vec<u16>) {
        let item = item.clone();
        let lookup = self.call(move |node, now| node.put(now, item, cas));
        let mut codes = Vec::new();
        let stored = self.event("the end of a put", |event| match event {
            Event::Refused {
                lookup: of, code, ..
            } if of == lookup => {
                codes.push(code);
                None
            }
            Event::LookupDone { lookup: of, report } if of == lookup => Some(report.announced),
            _ => None,
        });
        (stored, codes)
    }

    pub fn stats(&self) -> Stats {
        self.call(|node, _| *node.stats())
    }

    /// Waits until the node's state is as it should be.
    pub fn until(&self, what: &str, is: impl Fn(&Node) -> bool + Clone + Send + 'static) {
        let end = Instant::now() + LIMIT;
        loop {
            let is = is.clone();
            if self.call(move |node, _| is(node)) {
                return;
            }
            assert!(
                Instant::now() < end,
                "waited in vain until {what}; {:?}",
                self.stats()
            );
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(mut node: Node, socket: &UdpSocket, queue: &Receiver<Command>, out: &Sender<Event>) {
    let mut buffer = [0; 4096];
    loop {
        match queue.try_recv() {
            Ok(command) => command(&mut node, Instant::now()),
            Err(mpsc::TryRecvError::Disconnected) => return,
            Err(mpsc::TryRecvError::Empty) => {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    node.handle_datagram(Instant::now(), from, &buffer[..length]);
                }
            }
        }
        if node.next_timeout() <= Instant::now() {
            node.handle_timeout(Instant::now());
        }
        while let Some(transmit) = node.poll_transmit() {
            let _ = socket.send_to(&transmit.payload, transmit.to);
        }
        while let Some(event) = node.poll_event() {
            let _ = out.send(event);
        }
    }
}
