//! Attackers that answer: with their friends only, never with peers.
//!
//! `Threat:` a node is believed because it answers, so these do, correctly and at once, also to
//! announcements, which they drop. Those of a [`Ring`] know each other and name the ring's members
//! that are closest to what is asked for. Some also talk first, to be put into tables. They never
//! lie about their own id or address.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::{Duration, Instant};

use dht::message::{self, Answer, Body, Envelope, Method, Standing, Want};
use dht::{Contact, Endpoint, Id, Transmit};

use crate::machine::Actor;
use crate::scenarios::newcomer::endpoint;

/// Friends named in an answer: BEP 5's K.
const NAMED: usize = 8;
/// How often one that talks first talks to its next acquaintance.
const GREETING: Duration = Duration::from_secs(2);

/// Who belongs together.
#[derive(Clone, Debug, Default)]
pub struct Ring(Rc<RefCell<BTreeMap<Id, Contact>>>);

impl Ring {
    /// Another member.
    pub fn add(&self, id: Id, at: SocketAddrV4) {
        let endpoint = endpoint(at);
        self.0.borrow_mut().insert(id, Contact { id, endpoint });
    }

    /// Whether somebody with this id belongs to it.
    #[must_use]
    pub fn has(&self, id: &Id) -> bool {
        self.0.borrow().contains_key(id)
    }

    /// Where some member lives.
    #[must_use]
    pub fn somebody(&self) -> Option<Endpoint> {
        self.0
            .borrow()
            .values()
            .next()
            .map(|member| member.endpoint)
    }

    fn near(&self, target: &Id) -> Vec<Contact> {
        let mut all: Vec<Contact> = self.0.borrow().values().copied().collect();
        if all.len() > NAMED {
            all.select_nth_unstable_by_key(NAMED, |member| member.id.distance(target));
            all.truncate(NAMED);
        }
        all
    }
}

/// One of them.
#[derive(Debug)]
pub struct Liar {
    id: Id,
    ring: Ring,
    /// Whom it talks to, in turn.
    victims: VecDeque<SocketAddr>,
    greet_at: Option<Instant>,
    asked: u32,
    out: VecDeque<Transmit>,
}

impl Liar {
    /// One that talks to these first, from `now` on; to nobody if there are none.
    #[must_use]
    pub fn new(id: Id, ring: Ring, victims: Vec<SocketAddr>, now: Instant) -> Liar {
        Liar {
            id,
            ring,
            greet_at: (!victims.is_empty()).then_some(now),
            victims: victims.into(),
            asked: 0,
            out: VecDeque::new(),
        }
    }

    fn greet(&mut self) {
        let Some(victim) = self.victims.pop_front() else {
            return;
        };
        self.victims.push_back(victim);
        self.asked += 1;
        let target = self.id;
        let payload = message::write_query(
            &Envelope {
                transaction: &self.asked.to_be_bytes(),
                version: *b"LT\x02\x00",
                id: self.id,
            },
            Standing::Full,
            Want::default(),
            &Method::FindNode { target },
        );
        self.out.push_back(Transmit {
            to: victim,
            payload,
        });
    }
}

impl Actor for Liar {
    fn handle_datagram(&mut self, _now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Ok(message) = message::parse(datagram) else {
            return;
        };
        let Body::Query(query) = message.body else {
            return;
        };
        let answer = match query.method {
            Method::FindNode { target } => Answer {
                nodes: Some(self.ring.near(&target)),
                ..Answer::default()
            },
            Method::GetPeers { info_hash } => Answer {
                nodes: Some(self.ring.near(&info_hash)),
                token: Some(b"any"),
                ..Answer::default()
            },
            _ => Answer::default(),
        };
        let envelope = Envelope {
            transaction: message.transaction,
            version: *b"LT\x02\x00",
            id: self.id,
        };
        let payload = message::write_response(&envelope, from.into(), &answer);
        self.out.push_back(Transmit { to: from, payload });
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.greet_at.is_some_and(|at| at <= now) {
            self.greet();
            self.greet_at = Some(now + GREETING);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.greet_at
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop_front()
    }

    fn id(&self) -> Option<Id> {
        Some(self.id)
    }
}
