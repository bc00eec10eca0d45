//! The client's dialler: connections of all torrents leave here, from the bound address, and those that
//! are still opening are counted together.
//!
//! Home routers keep a table of them, and half a hundred a torrent, as a machine may ask for, times ten
//! torrents fills it. Invariant: at most [`HALF_OPEN`](crate::budget::HALF_OPEN) connections are opening,
//! fewer where descriptors are few; torrents that wait take turns, so that one with a thousand addresses
//! does not keep another from its first.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::descriptors::{Descriptors, Permit, Share};
use super::network::Network;
use super::sockets::{self, Bind};

/// One torrent's place at the dialler.
#[derive(Clone)]
pub(super) struct Dialler {
    bind: Bind,
    network: Arc<Network>,
    /// Shared by all torrents; those who wait are served in the order of their coming.
    descriptors: Descriptors,
    /// One permit: who has it waits at the half-open share for its torrent, the others of the torrent wait for him.
    turn: Arc<Semaphore>,
}

impl Dialler {
    /// The client's.
    pub(super) fn new(bind: Bind, network: Network, descriptors: Descriptors) -> Dialler {
        Dialler {
            bind,
            network: Arc::new(network),
            descriptors,
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// For one more torrent.
    pub(super) fn for_torrent(&self) -> Dialler {
        Dialler {
            turn: Arc::new(Semaphore::new(1)),
            ..self.clone()
        }
    }

    /// A view on the way out that connections take.
    pub(super) fn network(&self) -> Network {
        self.network.view()
    }

    /// Waits until one more connection may be opening; it counts until the permit is dropped.
    pub(super) async fn permit(&self) -> Permit {
        let _turn = self.turn.acquire().await.expect("never closed");
        self.descriptors.half_open.take().await
    }

    /// The share of connections that stand.
    pub(super) fn connections(&self) -> &Share {
        &self.descriptors.connections
    }

    /// Connects, which needs a permit.
    ///
    /// # Errors
    /// As `connect(2)`; also when the binding rules the peer's family out.
    pub(super) async fn connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        sockets::connect(&self.bind, to).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio::task::yield_now;

    use super::*;

    /// Lets every task run as far as it can.
    async fn settle() {
        for _ in 0..1_000 {
            yield_now().await;
        }
    }

    /// Rows N7: connections that are opening are counted, and nobody waits for ever.
    #[tokio::test(flavor = "current_thread")]
    async fn torrents_that_wait_take_turns() {
        let descriptors = Descriptors {
            unfinished: Share::of(2),
            half_open: Share::of(2),
            connections: Share::of(2),
        };
        let client = Dialler::new(Bind::Everywhere, Network::still(), descriptors);
        let (big, small) = (client.for_torrent(), client.for_torrent());
        let (granted, mut order) = mpsc::unbounded_channel();
        let wait = |dialler: &Dialler, name: &'static str| {
            let (dialler, granted) = (dialler.clone(), granted.clone());
            tokio::spawn(async move {
                let permit = dialler.permit().await;
                granted.send((name, permit)).expect("the test listens");
            });
        };
        for _ in 0..50 {
            wait(&big, "big");
        }
        settle().await;
        wait(&small, "small");
        settle().await;
        let mut held = Vec::new();
        while let Ok(permit) = order.try_recv() {
            held.push(permit);
        }
        assert_eq!(held.len(), 2, "no more than the budget");
        let mut next = Vec::new();
        for _ in 0..3 {
            drop(held.remove(0));
            settle().await;
            let granted = order.try_recv().expect("one ended, one begins");
            next.push(granted.0);
            held.push(granted);
        }
        assert_eq!(
            next,
            ["big", "small", "big"],
            "who came later is not last of all"
        );
    }
}
