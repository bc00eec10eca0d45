//! A lookup that spares nobody: it asks everybody it hears of, at once.
//!
//! What it needs until the first peer is the least that any policy can need with the same contacts
//! in the same network: the floor of a table of latencies (gate C8, dht.md §5.3). It is no client:
//! it says that it is read-only (BEP 43), so that nobody remembers it. Invariant: nobody is asked
//! twice, and at most [`MOST`] are asked. It does not repeat a question that was lost.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use dht::message::{self, Body, Envelope, Method, Standing, Want};
use dht::{Endpoint, Id, Transmit};

use crate::machine::Actor;

/// Nodes asked by one flood: as many as the floor of dht.md §3.1 asks at ten million nodes.
pub const MOST: usize = 3_000;
/// The transaction of all questions: answers are told apart by who answers.
const TRANSACTION: &[u8] = b"fl";

/// How far a flood came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// When the first peer was heard of.
    pub first_peer: Option<Instant>,
    /// Nodes asked until then.
    pub asked: u32,
}

/// A lookup of one hash by asking everybody.
#[derive(Debug)]
pub struct Flood {
    id: Id,
    target: Id,
    asked: BTreeSet<Endpoint>,
    out: VecDeque<Transmit>,
    progress: Rc<Cell<Progress>>,
}

impl Flood {
    /// Asks all `contacts` for peers of `target`. The second value follows how it goes.
    #[must_use]
    pub fn new(
        id: Id,
        target: Id,
        contacts: impl IntoIterator<Item = Endpoint>,
    ) -> (Flood, Rc<Cell<Progress>>) {
        let progress = Rc::new(Cell::new(Progress::default()));
        let mut flood = Flood {
            id,
            target,
            asked: BTreeSet::new(),
            out: VecDeque::new(),
            progress: Rc::clone(&progress),
        };
        contacts.into_iter().for_each(|contact| flood.ask(contact));
        (flood, progress)
    }

    fn ask(&mut self, whom: Endpoint) {
        let mut progress = self.progress.get();
        let over = progress.first_peer.is_some() || self.asked.len() >= MOST;
        if over || !self.asked.insert(whom) {
            return;
        }
        progress.asked += 1;
        self.progress.set(progress);
        let envelope = Envelope {
            transaction: TRANSACTION,
            version: *b"TLfl",
            id: self.id,
        };
        let want = Want {
            v4: true,
            v6: false,
        };
        let info_hash = self.target;
        let method = Method::GetPeers { info_hash };
        self.out.push_back(Transmit {
            to: SocketAddr::from(whom),
            payload: message::write_query(&envelope, Standing::ReadOnly, want, &method),
        });
    }
}

impl Actor for Flood {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Ok(message) = message::parse(datagram) else {
            return;
        };
        let Body::Response(response) = message.body else {
            return;
        };
        if message.transaction != TRANSACTION || !self.asked.contains(&Endpoint::from(from)) {
            return;
        }
        let mut progress = self.progress.get();
        if progress.first_peer.is_none() && response.values().next().is_some() {
            progress.first_peer = Some(now);
            self.progress.set(progress);
        }
        response.nodes().for_each(|node| self.ask(node.endpoint));
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
    use dht::Contact;
    use dht::message::Answer;

    use super::*;
    use crate::time::{Clock, Time};

    fn endpoint(n: u8) -> Endpoint {
        Endpoint::new([8, 8, 8, n].into(), 1)
    }

    fn answer(nodes: &[u8], values: &[u8]) -> Vec<u8> {
        let envelope = Envelope {
            transaction: TRANSACTION,
            version: *b"test",
            id: Id::new([9; 20]),
        };
        let contact = |n: &u8| Contact {
            id: Id::new([*n; 20]),
            endpoint: endpoint(*n),
        };
        let answer = Answer {
            nodes: Some(nodes.iter().map(contact).collect()),
            values: values.iter().map(|n| endpoint(*n)).collect(),
            ..Answer::default()
        };
        message::write_response(&envelope, endpoint(99), &answer)
    }

    fn asked(flood: &mut Flood) -> Vec<SocketAddr> {
        std::iter::from_fn(|| flood.poll_transmit().map(|transmit| transmit.to)).collect()
    }

    #[test]
    fn everybody_is_asked_once_until_a_peer_is_heard_of() {
        let now = Clock::default().instant(Time::ZERO);
        let first = [endpoint(1), endpoint(2), endpoint(1)];
        let (mut flood, progress) = Flood::new(Id::new([0; 20]), Id::new([5; 20]), first);
        let all = |numbers: &[u8]| -> Vec<SocketAddr> {
            let known = numbers.iter().map(|n| SocketAddr::from(endpoint(*n)));
            known.collect()
        };
        assert_eq!(asked(&mut flood), all(&[1, 2]));
        flood.handle_datagram(now, endpoint(1).into(), &answer(&[2, 3, 4], &[]));
        assert_eq!(asked(&mut flood), all(&[3, 4]));
        // Nobody who was not asked is listened to.
        flood.handle_datagram(now, endpoint(7).into(), &answer(&[8], &[6]));
        assert_eq!(
            (asked(&mut flood), progress.get().first_peer),
            (vec![], None)
        );
        flood.handle_datagram(now, endpoint(3).into(), &answer(&[5], &[6]));
        assert_eq!(asked(&mut flood), vec![]);
        assert_eq!(
            (progress.get().first_peer, progress.get().asked),
            (Some(now), 4)
        );
    }

    #[test]
    fn a_flood_is_bounded() {
        let many = (0..4_000_u16).map(|port| Endpoint::new([8, 8, 8, 8].into(), port + 1));
        let (mut flood, progress) = Flood::new(Id::new([0; 20]), Id::new([5; 20]), many);
        assert_eq!(asked(&mut flood).len(), MOST);
        assert_eq!(progress.get().asked as usize, MOST);
    }
}
