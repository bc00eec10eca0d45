//! The router between real clients and a simulated network, in real time.
//!
//! One thread holds the world and steps it so that virtual and real time advance together; what the
//! clients send is handed to it as it comes, and what arrives for them is put on their links at the
//! moment at which it arrives. The delays are the world's alone: how much later than that the router
//! acted is measured as its lag. Invariant: the world never runs ahead of the clock.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use dht::Id;

use super::gate::Gate;
use super::ground::Network;
use super::meter::Meter;
use super::namespace::{Namespace, Place, Sent};
use super::packet;
use crate::model::nat::HostClass;
use crate::model::regions::Region;
use crate::report::Distribution;
use crate::time::Time;

/// The world is stepped so far before the router looks what came from the clients.
const SLICE: Duration = Duration::from_millis(2);

/// A client's line.
#[derive(Debug)]
struct Line {
    namespace: Namespace,
    gate: Gate,
    meter: Meter,
    /// The port that the world knows; what comes from another one is no business of it.
    port: u16,
}

/// The router.
#[derive(Debug)]
pub struct Router {
    /// The network behind it.
    pub network: Network,
    lines: Vec<Line>,
    sent: (Sender<Sent>, Receiver<Sent>),
    /// When real time began, and what the world called that moment.
    start: (Instant, Time, Instant),
    lag: Vec<f64>,
    foreign: u64,
}

impl Router {
    /// A router without clients. Time stands still until [`Router::begin`].
    #[must_use]
    pub fn new(network: Network) -> Router {
        let world = &network.people.world;
        let start = (Instant::now(), world.now(), world.instant());
        Router {
            network,
            lines: Vec::new(),
            sent: mpsc::channel(),
            start,
            lag: Vec::new(),
            foreign: 0,
        }
    }

    /// Connects a client behind a NAT of this class: a European line, as all the clients have, with a
    /// /8 of its own. Returns its number.
    ///
    /// # Errors
    /// No namespace can be made.
    pub fn connect(&mut self, class: HostClass) -> io::Result<usize> {
        let number = self.lines.len();
        let world = &mut self.network.people.world;
        let host = match self.lines.first() {
            None => world.settle_in(class, Region::EUROPE),
            // The same line for everybody: a slow one would be charged to the client.
            Some(first) => world.settle_beside(first.gate.host()),
        };
        let gate = Gate::open(world, host);
        let endpoint = world.host(host).endpoint();
        let namespace = Namespace::new(*endpoint.ip(), number, self.sent.0.clone())?;
        self.lines.push(Line {
            namespace,
            gate,
            meter: Meter::default(),
            port: endpoint.port(),
        });
        Ok(number)
    }

    /// Where a client runs, and the port that it has to use.
    #[must_use]
    pub fn place(&self, client: usize) -> (&Place, u16) {
        let line = &self.lines[client];
        (line.namespace.place(), line.port)
    }

    /// What is known about a client.
    #[must_use]
    pub fn meter(&self, client: usize) -> &Meter {
        &self.lines[client].meter
    }

    /// What is known about all of them; their namespaces end.
    #[must_use]
    pub fn into_meters(self) -> Vec<Meter> {
        self.lines.into_iter().map(|line| line.meter).collect()
    }

    /// A client is going to be told to look for `hash`.
    pub fn order(&mut self, client: usize, hash: Id) {
        self.lines[client].meter.order(Instant::now(), hash);
    }

    /// Time starts to pass.
    pub fn begin(&mut self) {
        let world = &self.network.people.world;
        self.start = (Instant::now(), world.now(), world.instant());
    }

    /// Seconds by which the router was late, for every datagram to a client.
    #[must_use]
    pub fn lag(&self) -> Distribution {
        self.lag.iter().copied().collect()
    }

    /// Datagrams that clients sent from another port than theirs: to name servers, multicast, …
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Lets real time pass.
    pub fn run(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.catch_up();
            let now = Instant::now();
            if now >= until {
                return;
            }
            let next = self.network.people.world.next_at();
            let next = next.map_or(until, |at| self.start.0 + (at - self.start.1));
            let wait = next.min(until).saturating_duration_since(now);
            match self.sent.1.recv_timeout(wait) {
                Ok(sent) => self.forward(sent),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("this router holds a sender"),
            }
        }
    }

    /// Steps the world up to now.
    fn catch_up(&mut self) {
        loop {
            let target = self.start.1 + self.start.0.elapsed();
            let world_now = self.network.people.world.now();
            let until = target.min(world_now + SLICE);
            while self.network.people.run_until(until).is_some() {}
            self.deliver();
            if until == target {
                return;
            }
            while let Ok(sent) = self.sent.1.try_recv() {
                self.forward(sent);
            }
        }
    }

    /// What a client sent goes into the world.
    fn forward(&mut self, (client, at, datagram): Sent) {
        let line = &mut self.lines[client];
        if datagram.from.port() != line.port || datagram.from.ip() != &line.namespace.place().ip {
            self.foreign += 1;
            return;
        }
        line.meter.sent(at, datagram.to, &datagram.payload);
        let world = &mut self.network.people.world;
        line.gate.send(world, datagram.to, datagram.payload);
    }

    /// What arrived for the clients goes onto their links.
    fn deliver(&mut self) {
        for line in &mut self.lines {
            while let Some((from, payload, arrived)) = line.gate.take() {
                let to = std::net::SocketAddrV4::new(line.namespace.place().ip, line.port);
                let Some(packet) = packet::write(from, to, &payload) else {
                    continue;
                };
                // A full link drops it, as links do.
                let _ = line.namespace.deliver(&packet);
                let now = Instant::now();
                line.meter.delivered(now, from, &payload);
                let due = self.start.0 + arrived.saturating_duration_since(self.start.2);
                let late = now.saturating_duration_since(due);
                self.lag.push(late.as_secs_f64());
            }
        }
    }
}
