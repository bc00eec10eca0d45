//! Callers that have not said which torrent they want: who they are, who goes when there are too many.
//!
//! Invariant: at most `size` callers wait, at most [`UNFINISHED_PER_HOST`] of one host; beyond, the oldest
//! is ended, of the host or of all, so that whoever stays silent cannot keep others out
//! (reliability.md P1). Among all nobody goes in its first moment, in which whoever has something to say
//! says it: a burst of honest callers waits in the kernel's queue instead. Knows no sockets.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;

use crate::budget::UNFINISHED_PER_HOST;
use crate::swarm::Refusal;

/// A caller's first moment. With the 32 places of 256 descriptors 400 silent ones are gone after 3 s.
const MOMENT: Duration = Duration::from_millis(200);

/// Whose callers count together: an address of IPv4, a /64 of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Host(IpAddr);

impl Host {
    pub(super) fn of(ip: IpAddr) -> Host {
        match ip {
            IpAddr::V4(_) => Host(ip),
            IpAddr::V6(ip) => Host(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into()),
        }
    }
}

/// A caller's number; never used again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Caller(u64);

/// One who waits.
#[derive(Debug)]
struct Waiting {
    host: Host,
    since: Instant,
    task: AbortHandle,
}

/// Those who wait.
#[derive(Debug)]
pub(super) struct Lobby {
    size: usize,
    next: u64,
    waiting: BTreeMap<Caller, Waiting>,
    hosts: BTreeMap<Host, VecDeque<Caller>>,
}

impl Lobby {
    /// For so many.
    pub(super) fn new(size: usize) -> Lobby {
        Lobby {
            size,
            next: 0,
            waiting: BTreeMap::new(),
            hosts: BTreeMap::new(),
        }
    }

    /// When one more may come in; `None`: now.
    pub(super) fn opens(&self, now: Instant) -> Option<Instant> {
        let (_, oldest) = self.waiting.first_key_value()?;
        let opens = oldest.since + MOMENT;
        (self.waiting.len() >= self.size && opens > now).then_some(opens)
    }

    /// Makes room for one more of `host`; says why somebody was ended for it.
    pub(super) fn make_room(&mut self, host: Host) -> Option<Refusal> {
        let of_host = self.hosts.get(&host);
        let (oldest, why) = if of_host.is_some_and(|all| all.len() >= UNFINISHED_PER_HOST) {
            (of_host?.front().copied()?, Refusal::CrowdedHost)
        } else if self.waiting.len() >= self.size {
            (*self.waiting.first_key_value()?.0, Refusal::Crowded)
        } else {
            return None;
        };
        if let Some(waiting) = self.waiting.get(&oldest) {
            waiting.task.abort();
        }
        self.leave(oldest);
        Some(why)
    }

    /// The number of the next caller.
    pub(super) fn number(&mut self) -> Caller {
        self.next += 1;
        Caller(self.next)
    }

    /// A caller waits, in this task.
    pub(super) fn enter(&mut self, since: Instant, caller: Caller, host: Host, task: AbortHandle) {
        let waiting = Waiting { host, since, task };
        self.waiting.insert(caller, waiting);
        self.hosts.entry(host).or_default().push_back(caller);
    }

    /// It has said what it wants, or is gone. `false` if it was ended before.
    pub(super) fn leave(&mut self, caller: Caller) -> bool {
        let Some(Waiting { host, .. }) = self.waiting.remove(&caller) else {
            return false;
        };
        if let Some(all) = self.hosts.get_mut(&host) {
            all.retain(|other| *other != caller);
            if all.is_empty() {
                self.hosts.remove(&host);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(lobby: &mut Lobby, ip: &str) -> (Option<Refusal>, Caller) {
        let host = Host::of(ip.parse().expect("an address"));
        let why = lobby.make_room(host);
        let caller = lobby.number();
        let task = tokio::spawn(std::future::pending::<()>());
        lobby.enter(Instant::now(), caller, host, task.abort_handle());
        (why, caller)
    }

    /// Rows P1: the oldest caller goes, of its host or of all; nobody is kept out.
    #[tokio::test(flavor = "current_thread")]
    async fn the_oldest_goes() {
        let mut lobby = Lobby::new(40);
        let (_, first) = enter(&mut lobby, "198.18.0.1");
        for _ in 1..UNFINISHED_PER_HOST {
            assert_eq!(enter(&mut lobby, "198.18.0.1").0, None);
        }
        let (why, _) = enter(&mut lobby, "198.18.0.1");
        assert_eq!(why, Some(Refusal::CrowdedHost));
        assert!(!lobby.leave(first), "the oldest of the host is gone");
        for n in 0..24 {
            assert_eq!(enter(&mut lobby, &format!("198.18.1.{n}")).0, None);
        }
        let now = Instant::now();
        assert!(lobby.opens(now - MOMENT).is_some() && lobby.opens(now + MOMENT).is_none());
        let (why, last) = enter(&mut lobby, "198.18.2.1");
        assert_eq!(why, Some(Refusal::Crowded));
        assert_eq!(lobby.waiting.len(), 40);
        assert!(lobby.leave(last) && !lobby.leave(last));
        for n in 0..10_000 {
            enter(&mut lobby, &format!("198.19.{}.{}", n / 250, n % 250));
            assert!(lobby.waiting.len() <= 40 && lobby.hosts.len() <= 40);
        }
    }

    #[test]
    fn a_customer_of_ipv6_is_one_host() {
        let of = |ip: &str| Host::of(ip.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
    }
}
