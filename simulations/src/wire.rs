//! What passes the wire of a host that is listened to, whatever runs there.
//!
//! Machines report about themselves in words of their own; the wire is the same for all. What is
//! counted here is what others notice: datagrams and payload bytes as they leave the host, also those
//! that are lost later, and as they reach it. Invariant: each datagram counts in one [`Flow`] at most.
//! It reads KRPC and knows no lookups; those are the [`watch`](crate::watch)'s.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use dht::Id;
use dht::message::{self, Body, Method};

use crate::host::HostId;
use crate::time::Time;

/// Which way a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the host.
    Out,
    /// To the host.
    In,
}

/// A datagram at a host that is listened to.
#[derive(Clone, Debug)]
pub struct Overheard {
    /// Whose wire it is.
    pub host: HostId,
    /// When.
    pub at: Time,
    /// Which way it goes.
    pub way: Way,
    /// Whom it goes to or comes from.
    pub peer: SocketAddrV4,
    /// What it says.
    pub payload: Box<[u8]>,
}

/// What a datagram is, as far as it is of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A question about this target.
    About(Id),
    /// An announcement for this info hash, with its transaction.
    Announcement(Id, Vec<u8>),
    /// A ping.
    Ping,
    /// Another question.
    Question,
    /// An answer by this node in this transaction.
    Answer(Id, Vec<u8>),
    /// A refusal.
    Refusal,
}

impl Overheard {
    /// What it is; `None` where that cannot be read.
    pub(crate) fn kind(&self) -> Option<Kind> {
        let message = message::parse(&self.payload).ok()?;
        let transaction = message.transaction.to_vec();
        Some(match message.body {
            Body::Query(query) => match query.method {
                Method::FindNode { target, .. } => Kind::About(target),
                Method::GetPeers { info_hash, .. } => Kind::About(info_hash),
                Method::AnnouncePeer { info_hash, .. } => {
                    Kind::Announcement(info_hash, transaction)
                }
                Method::Ping => Kind::Ping,
                _ => Kind::Question,
            },
            Body::Response(response) => Kind::Answer(response.id, transaction),
            _ => Kind::Refusal,
        })
    }
}

/// Datagrams and their payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Datagrams.
    pub datagrams: u64,
    /// Payload bytes, without IP and UDP.
    pub bytes: u64,
}

impl Flow {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.datagrams += 1;
        self.bytes += bytes as u64;
    }

    /// What came in addition since `earlier`.
    #[must_use]
    pub fn since(self, earlier: Flow) -> Flow {
        Flow {
            datagrams: self.datagrams.saturating_sub(earlier.datagrams),
            bytes: self.bytes.saturating_sub(earlier.bytes),
        }
    }
}

/// What passed the wire of one host, by who wanted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Its questions.
    pub asks: Flow,
    /// Answers and refusals that it got.
    pub hears: Flow,
    /// Questions of others.
    pub asked: Flow,
    /// Its answers and refusals.
    pub answers: Flow,
}

impl Ledger {
    pub(crate) fn count(&mut self, way: Way, kind: &Kind, bytes: usize) {
        let reply = matches!(kind, Kind::Answer(..) | Kind::Refusal);
        let flow = match (way, reply) {
            (Way::Out, false) => &mut self.asks,
            (Way::In, true) => &mut self.hears,
            (Way::In, false) => &mut self.asked,
            (Way::Out, true) => &mut self.answers,
        };
        flow.count(bytes);
    }

    /// What came in addition since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Ledger) -> Ledger {
        Ledger {
            asks: self.asks.since(earlier.asks),
            hears: self.hears.since(earlier.hears),
            asked: self.asked.since(earlier.asked),
            answers: self.answers.since(earlier.answers),
        }
    }
}

/// A destination to which nothing was sent for so long is a new one: a router has forgotten it by then
/// (dht.md §5.2: mappings live a minute in the median).
pub const FORGOTTEN: Duration = Duration::from_secs(60);

/// To how many new places a host sends: what a home router has to remember.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    last: BTreeMap<SocketAddrV4, Time>,
    /// New ones by second of virtual time.
    fresh: BTreeMap<u64, u64>,
}

impl Destinations {
    pub(crate) fn count(&mut self, at: Time, to: SocketAddrV4) {
        let before = self.last.insert(to, at);
        if before.is_none_or(|before| at - before > FORGOTTEN) {
            *self.fresh.entry(at.elapsed().as_secs()).or_default() += 1;
        }
    }

    /// All different ones.
    #[must_use]
    pub fn different(&self) -> usize {
        self.last.len()
    }

    /// New ones in each second from `begin` until before `end`.
    pub fn by_second(&self, begin: Time, end: Time) -> impl Iterator<Item = u64> {
        let seconds = begin.elapsed().as_secs()..end.elapsed().as_secs();
        seconds.map(|second| self.fresh.get(&second).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use dht::message::{Envelope, Standing, Want};

    use super::*;

    fn overheard(method: &Method<'_>) -> Overheard {
        let envelope = Envelope {
            transaction: b"xy",
            version: *b"TLtt",
            id: Id::new([1; 20]),
        };
        let payload = message::write_query(&envelope, Standing::Full, Want::default(), method);
        Overheard {
            host: 0,
            at: Time::ZERO,
            way: Way::Out,
            peer: SocketAddrV4::new([8, 8, 8, 8].into(), 1),
            payload: payload.into_boxed_slice(),
        }
    }

    #[test]
    fn questions_are_told_apart_and_counted_once() {
        let target = Id::new([7; 20]);
        let about = overheard(&Method::GetPeers { info_hash: target });
        let kind = about.kind().expect("readable");
        assert_eq!(kind, Kind::About(target));
        assert_eq!(overheard(&Method::Ping).kind(), Some(Kind::Ping));
        let mut ledger = Ledger::default();
        ledger.count(Way::Out, &kind, about.payload.len());
        let before = ledger;
        ledger.count(Way::In, &Kind::Refusal, 30);
        let grown = ledger.since(&before);
        assert_eq!((ledger.asks.datagrams, grown.asks.datagrams), (1, 0));
        assert_eq!(
            grown.hears,
            Flow {
                datagrams: 1,
                bytes: 30
            }
        );
        assert_eq!((grown.asked, grown.answers), Default::default());
        let mut noise = about;
        noise.payload = Box::from(*b"noise");
        assert_eq!(noise.kind(), None);
    }

    #[test]
    fn a_destination_is_new_again_when_routers_have_forgotten_it() {
        let [one, two] = [1, 2].map(|n| SocketAddrV4::new([8, 8, 8, n].into(), 1));
        let mut destinations = Destinations::default();
        for (second, to) in [(1, one), (1, two), (50, one), (90, two), (110, one)] {
            destinations.count(Time::from_secs(second), to);
        }
        let fresh = destinations.by_second(Time::from_secs(1), Time::from_secs(111));
        let fresh: Vec<u64> = fresh.collect();
        // One of them was spoken to in between, so that its router remembers.
        assert_eq!((fresh.len(), fresh[0], fresh[89]), (110, 2, 1));
        assert_eq!((fresh.iter().sum(), destinations.different()), (3_u64, 2));
    }
}
