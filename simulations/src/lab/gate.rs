//! The place of a real client in the simulated world: a host on which nobody thinks.
//!
//! What arrives there is kept for the client, with the time of its arrival; what the client sent is
//! handed to the world as the host's own. So distance, loss and NAT are those of every other host.
//! Invariant: it says nothing of its own, and keeps at most `MAX_WAITING` datagrams each way.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{SocketAddr, SocketAddrV4};
use std::rc::Rc;
use std::time::Instant;

use dht::{Id, Transmit};

use crate::machine::{Actor, Machine};
use crate::world::{HostId, World};

/// Datagrams that wait each way; more are dropped, as by a router.
const MAX_WAITING: usize = 4_096;

/// What waits at a gate.
#[derive(Debug, Default)]
struct Waiting {
    /// For the client: who sent it, what it says, when it came (the world's instant).
    inside: VecDeque<(SocketAddrV4, Vec<u8>, Instant)>,
    outside: VecDeque<Transmit>,
}

/// The machine on the client's host.
#[derive(Debug)]
struct Door(Rc<RefCell<Waiting>>);

/// The router's end of it.
#[derive(Debug)]
pub struct Gate {
    host: HostId,
    waiting: Rc<RefCell<Waiting>>,
}

impl Gate {
    /// Opens one on `host`, in place of what ran there.
    #[must_use]
    pub fn open(world: &mut World, host: HostId) -> Gate {
        let waiting = Rc::default();
        let door = Door(Rc::clone(&waiting));
        world.start(host, Machine::Actor(Box::new(door)));
        Gate { host, waiting }
    }

    /// The host it is on.
    #[must_use]
    pub fn host(&self) -> HostId {
        self.host
    }

    /// The client sends a datagram, now.
    pub fn send(&self, world: &mut World, to: SocketAddrV4, payload: Vec<u8>) {
        self.waiting.borrow_mut().outside.push_back(Transmit {
            to: SocketAddr::V4(to),
            payload,
        });
        // Any command makes the world fetch what the machine has to send.
        world.command(self.host, |_, _| ());
    }

    /// The next datagram for the client: from whom, and when it came by the world's clock.
    #[must_use]
    pub fn take(&self) -> Option<(SocketAddrV4, Vec<u8>, Instant)> {
        self.waiting.borrow_mut().inside.pop_front()
    }
}

impl Actor for Door {
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let inside = &mut self.0.borrow_mut().inside;
        if let SocketAddr::V4(from) = from
            && inside.len() < MAX_WAITING
        {
            inside.push_back((from, datagram.to_vec(), now));
        }
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.0.borrow_mut().outside.pop_front()
    }

    fn id(&self) -> Option<Id> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Internet;
    use crate::model::loss::Loss;
    use crate::model::nat::HostClass;
    use crate::model::regions::{Geography, Region};

    /// Two clients in a world where a round trip takes 100 ms.
    fn two(class: HostClass) -> (World, [Gate; 2]) {
        let internet = Internet {
            geography: Geography::uniform(100, 100),
            loss: Loss::none(),
            ..Internet::calm()
        };
        let mut world = World::new(1, internet);
        let gates = [class, HostClass::Open].map(|class| {
            let host = world.settle_in(class, Region::EUROPE);
            Gate::open(&mut world, host)
        });
        (world, gates)
    }

    #[test]
    fn what_one_client_sends_the_other_gets_after_the_delay() {
        let (mut world, [a, b]) = two(HostClass::Open);
        let ends = [&a, &b].map(|gate| world.host(gate.host()).endpoint());
        let sent = world.instant();
        a.send(&mut world, ends[1], b"hello".to_vec());
        world.run(Duration::from_millis(49));
        assert!(b.take().is_none());
        world.run(Duration::from_millis(2));
        let (from, payload, at) = b.take().unwrap();
        assert_eq!((from, &payload[..]), (ends[0], &b"hello"[..]));
        assert_eq!(at - sent, Duration::from_millis(50));
        assert!(a.take().is_none() && b.take().is_none());
    }

    #[test]
    fn a_client_behind_a_nat_hears_only_whom_it_asked() {
        let (mut world, [a, b]) = two(HostClass::Restricted);
        let ends = [&a, &b].map(|gate| world.host(gate.host()).endpoint());
        b.send(&mut world, ends[0], b"stranger".to_vec());
        world.run(Duration::from_secs(1));
        assert!(a.take().is_none());
        a.send(&mut world, ends[1], b"ask".to_vec());
        b.send(&mut world, ends[0], b"answer".to_vec());
        world.run(Duration::from_secs(1));
        assert_eq!(a.take().unwrap().1, b"answer");
    }

    #[test]
    fn a_client_that_does_not_read_costs_bounded_memory() {
        let (mut world, [a, b]) = two(HostClass::Open);
        let to = world.host(b.host()).endpoint();
        for _ in 0..MAX_WAITING + 10 {
            a.send(&mut world, to, vec![1]);
        }
        world.run(Duration::from_secs(1));
        assert_eq!(b.waiting.borrow().inside.len(), MAX_WAITING);
    }
}
