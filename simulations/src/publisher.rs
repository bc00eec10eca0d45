//! A peer that announces itself to the nodes that it is told, without a lookup of its own.
//!
//! So a scenario decides who stores what, and no client's way to find the closest nodes favours
//! that client's lookups. The words are those of BEP 5: `get_peers` for a token, then
//! `announce_peer`. Invariant: each node is asked at most [`TRIES`] times for each of the two. It
//! answers nobody and says so (BEP 43).

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use dht::message::{self, Body, Envelope, Method, Standing, Want};
use dht::{AnnouncePort, Endpoint, Id, Transmit};

use crate::machine::Actor;

/// Questions of a kind to one node.
pub const TRIES: u32 = 6;
/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// One node that is to store the announcement.
#[derive(Debug)]
struct Holder {
    at: Endpoint,
    token: Option<Vec<u8>>,
    tries: u32,
    stored: bool,
}

/// A peer of one torrent.
#[derive(Debug)]
pub struct Publisher {
    id: Id,
    info_hash: Id,
    port: u16,
    holders: Vec<Holder>,
    due: Option<Instant>,
    out: VecDeque<Transmit>,
    stored: Rc<Cell<u32>>,
}

impl Publisher {
    /// Announces port `port` as a peer of `info_hash` to `holders`, at most 256 of them. The second
    /// value counts those that said that they stored it.
    #[must_use]
    pub fn new(
        now: Instant,
        id: Id,
        (info_hash, port): (Id, u16),
        holders: &[Endpoint],
    ) -> (Publisher, Rc<Cell<u32>>) {
        let stored = Rc::new(Cell::new(0));
        let holder = |at: &Endpoint| Holder {
            at: *at,
            token: None,
            tries: 0,
            stored: false,
        };
        let mut publisher = Publisher {
            id,
            info_hash,
            port,
            holders: holders.iter().take(256).map(holder).collect(),
            due: None,
            out: VecDeque::new(),
            stored: Rc::clone(&stored),
        };
        publisher.handle_timeout(now);
        (publisher, stored)
    }

    /// Puts the question that comes next to a holder. The transaction says which holder it is, and
    /// which of the two questions.
    fn put(&mut self, index: usize) {
        let holder = &mut self.holders[index];
        holder.tries += 1;
        let method = match &holder.token {
            None => Method::GetPeers {
                info_hash: self.info_hash,
            },
            Some(token) => Method::AnnouncePeer {
                info_hash: self.info_hash,
                port: AnnouncePort::Explicit(self.port),
                token,
            },
        };
        let number = u8::try_from(index).expect("at most 256 holders");
        let envelope = Envelope {
            transaction: &[number, u8::from(holder.token.is_some())],
            version: *b"TLpu",
            id: self.id,
        };
        let want = Want {
            v4: true,
            v6: false,
        };
        self.out.push_back(Transmit {
            to: SocketAddr::from(holder.at),
            payload: message::write_query(&envelope, Standing::ReadOnly, want, &method),
        });
    }
}

impl Actor for Publisher {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Ok(message) = message::parse(datagram) else {
            return;
        };
        let (Body::Response(response), &[number, step]) = (message.body, message.transaction)
        else {
            return;
        };
        let index = usize::from(number);
        let Some(holder) = self.holders.get_mut(index) else {
            return;
        };
        if holder.at != Endpoint::from(from) {
            return;
        }
        match (step, &holder.token, response.token) {
            (0, None, Some(token)) => {
                holder.token = Some(token.to_vec());
                holder.tries = 0;
                self.put(index);
                self.due = Some(now + PATIENCE);
            }
            (1, Some(_), _) if !holder.stored => {
                holder.stored = true;
                self.stored.set(self.stored.get() + 1);
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.due.is_some_and(|due| now < due) {
            return;
        }
        for index in 0..self.holders.len() {
            let holder = &self.holders[index];
            if !holder.stored && holder.tries < TRIES {
                self.put(index);
            }
        }
        let asking = |holder: &Holder| !holder.stored && holder.tries < TRIES;
        self.due = self.holders.iter().any(asking).then(|| now + PATIENCE);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn id(&self) -> Option<Id> {
        None
    }
}

#[cfg(test)]
mod tests {
    use dht::{Config, Families, Node};

    use super::*;
    use crate::machine::Machine;
    use crate::model::Internet;
    use crate::model::loss::Loss;
    use crate::model::nat::HostClass;
    use crate::model::regions::Region;
    use crate::world::World;

    #[test]
    fn holders_store_what_they_are_told_although_half_is_lost() {
        let lossy = Internet {
            loss: Loss::of(0.3),
            ..Internet::calm()
        };
        let mut world = World::new(1, lossy);
        let nodes: Vec<u32> = (0..8)
            .map(|_| {
                let host = world.settle_in(HostClass::Open, Region::EUROPE);
                let config = Config {
                    families: Families::V4,
                    ..Config::default()
                };
                let node = Node::new(config, world.seed(), world.instant());
                world.start(host, Machine::Ours(Box::new(node)));
                host
            })
            .collect();
        let holders: Vec<Endpoint> = nodes
            .iter()
            .map(|host| Endpoint::from(SocketAddr::V4(world.host(*host).endpoint())))
            .collect();
        let host = world.settle_in(HostClass::Open, Region::EUROPE);
        let torrent = (Id::new([7; 20]), 5000);
        let (publisher, stored) =
            Publisher::new(world.instant(), Id::new([1; 20]), torrent, &holders);
        world.start(host, Machine::Actor(Box::new(publisher)));
        world.run(Duration::from_secs(60));
        let holding = world.nodes().filter(|(_, node)| node.stored() == (1, 1));
        let holding = holding.count();
        assert!(holding >= 7, "{holding} of 8 store it");
        assert!(stored.get() as usize <= holding, "an answer may be lost");
    }
}
