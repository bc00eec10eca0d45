//! Whether this machine's way out has changed: link up or down, another address (reliability.md N1, N2).
//!
//! Invariant: looking sends nothing. The kernel is asked which address packets to the internet would
//! leave from; who cares waits for the answer to change. What this does not see: trouble behind the
//! first router, which only silence tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bencode::Family;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::sockets::{self, Bind};

/// How often the kernel is asked; half of the time that a user takes to notice.
const LOOK: Duration = Duration::from_secs(3);

/// Addresses out there, of ranges kept for documentation: routes to them are those to everywhere.
const OUTSIDE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// Where packets leave from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct WayOut {
    /// IPv4 and IPv6; `None`: there is no way.
    from: [Option<IpAddr>; 2],
}

impl WayOut {
    fn of_machine(bind: &Bind) -> WayOut {
        let from = |to| sockets::source_towards(bind, SocketAddr::new(to, 9)).ok();
        WayOut {
            from: OUTSIDE.map(from),
        }
    }
}

/// A view on the machine's way out.
pub(super) struct Network {
    bind: Bind,
    way: watch::Receiver<WayOut>,
    /// The last way that its owner knows of.
    seen: WayOut,
}

impl Network {
    /// Starts to look, until `background` ends.
    pub(super) fn watch(bind: Bind, background: &mut JoinSet<()>) -> Network {
        let seen = WayOut::of_machine(&bind);
        let (publish, way) = watch::channel(seen);
        let watched = bind.clone();
        background.spawn(async move {
            loop {
                sleep(LOOK).await;
                let now = WayOut::of_machine(&watched);
                let changed = publish.send_if_modified(|way| std::mem::replace(way, now) != now);
                if changed {
                    let [v4, v6] = now.from;
                    tracing::info!(?v4, ?v6, "the network has changed");
                }
            }
        });
        Network { bind, way, seen }
    }

    /// A way out that never changes.
    #[cfg(test)]
    pub(super) fn still() -> Network {
        let (_, way) = watch::channel(WayOut::default());
        let (bind, seen) = (Bind::Everywhere, WayOut::default());
        Network { bind, way, seen }
    }

    /// Another view, for which the way of this moment is nothing new.
    pub(super) fn view(&self) -> Network {
        let seen = *self.way.borrow();
        let (bind, way) = (self.bind.clone(), self.way.clone());
        Network { bind, way, seen }
    }

    /// Waits for a way out that the owner of this view does not know: one that came, came back or begins
    /// at another address. One that is lost is nothing to do anything about. Never ends once nobody looks
    /// any more; may be dropped and called again without missing anything.
    pub(super) async fn changed(&mut self) {
        loop {
            let now = *self.way.borrow_and_update();
            let mut pairs = now.from.iter().zip(&self.seen.from);
            if pairs.any(|(now, seen)| now.is_some() && now != seen) {
                self.seen = now;
                return;
            }
            if now == WayOut::default() {
                self.seen = now;
            }
            if self.way.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until `local`, an address of ours, is not ours any more: whoever is connected from there
    /// hears nobody, and nobody will tell him.
    pub(super) async fn lost(mut self, local: Option<IpAddr>) {
        let Some(local) = local.filter(|ip| !ip.is_loopback()) else {
            return std::future::pending().await;
        };
        let family = if local.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        };
        loop {
            self.changed().await;
            if sockets::is_gone(&self.bind, family, local) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(11, 0, 0, 1)));
    const B: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(11, 0, 0, 2)));

    /// Whether `changed` ends for these ways, one after the other, the first of them known before.
    async fn ends(ways: &[[Option<IpAddr>; 2]]) -> bool {
        let (publish, way) = watch::channel(WayOut { from: ways[0] });
        let bind = Bind::Everywhere;
        let seen = WayOut { from: ways[0] };
        let mut network = Network { bind, way, seen };
        let task = tokio::spawn(async move { network.changed().await });
        for from in &ways[1..] {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            let _ = publish.send(WayOut { from: *from });
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        task.is_finished()
    }

    /// Rows N1, N2: a way that comes, comes back or begins elsewhere is a change; one that is lost is none.
    #[tokio::test]
    async fn what_counts_as_a_change() {
        assert!(ends(&[[None, None], [A, None]]).await, "it comes");
        assert!(ends(&[[A, None], [B, None]]).await, "another address");
        assert!(
            ends(&[[A, None], [None, None], [A, None]]).await,
            "back again"
        );
        assert!(ends(&[[A, None], [A, A]]).await, "one more family");
        assert!(!ends(&[[A, None], [None, None]]).await, "lost");
        assert!(!ends(&[[A, A], [A, None]]).await, "one family less");
        assert!(!ends(&[[A, None], [A, None]]).await, "the same");
    }
}
