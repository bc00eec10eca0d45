//! Which addresses a tracker may be asked at, and what all questions share.
//!
//! Threat: a torrent's author chooses its tracker URLs and what their names resolve to. A name is
//! resolved here, once; only addresses that the policy admits remain, and sockets connect to exactly
//! those. So neither a name of the local network, nor a redirect, nor a resolver that answers
//! differently the second time leads where the user did not allow it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, OnceLock};

use bencode::{AddressPolicy, Endpoint, Family};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::io::resolve::resolve;
use crate::io::sockets::Bind;
use crate::tracker::exchange::ConnectionId;
use crate::tracker::{Failure, TrackerUrl};

/// UDP trackers whose socket and connection id are kept for the next question.
pub(super) const MAX_LINES: usize = 32;

/// Questions on their way at once, of all torrents: many torrents of one tracker come one after the
/// other.
const MAX_QUESTIONS: usize = 100;

/// What it takes to ask trackers; one for the whole client.
pub(in crate::io) struct Asker {
    pub(super) bind: Bind,
    families: Vec<Family>,
    policy: AddressPolicy,
    places: Semaphore,
    /// Made when the first https tracker is asked: reading the system's certificates takes a while.
    pub(super) tls: OnceLock<Result<rustls::ClientConfig, Failure>>,
    /// Sockets with a connection id that is still good, each used by one question at a time.
    pub(super) lines: Mutex<BTreeMap<Endpoint, (UdpSocket, ConnectionId)>>,
}

impl Asker {
    pub(in crate::io) fn new(bind: Bind, families: Vec<Family>, policy: AddressPolicy) -> Asker {
        Asker {
            bind,
            families,
            policy,
            places: Semaphore::new(MAX_QUESTIONS),
            tls: OnceLock::new(),
            lines: Mutex::default(),
        }
    }

    /// Waits until one more question may be on its way; it counts until the permit is dropped.
    pub(super) async fn place(&self) -> SemaphorePermit<'_> {
        self.places.acquire().await.expect("never closed")
    }

    /// The addresses behind a URL that may be asked; never empty.
    pub(super) async fn addresses(&self, url: &TrackerUrl) -> Result<Vec<SocketAddr>, Failure> {
        let found = match url.ip() {
            Some(ip) => vec![Endpoint::new(ip, url.port())],
            None => resolve(&format!("{}:{}", url.host(), url.port())).await,
        };
        if found.is_empty() {
            return Err(Failure::Name);
        }
        let admitted: Vec<Endpoint> = found
            .into_iter()
            .filter(|endpoint| self.policy.admits(*endpoint))
            .collect();
        if admitted.is_empty() {
            return Err(Failure::Special);
        }
        let usable = |endpoint: &Endpoint| {
            let family = endpoint.family();
            self.families.contains(&family) && self.bind.address(family).is_some()
        };
        let usable: Vec<SocketAddr> = admitted
            .into_iter()
            .filter(usable)
            .map(SocketAddr::from)
            .collect();
        if usable.is_empty() {
            Err(Failure::Unreachable)
        } else {
            Ok(usable)
        }
    }

    /// One list for each family that has any.
    pub(super) fn by_family(&self, addresses: Vec<SocketAddr>) -> Vec<Vec<SocketAddr>> {
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv4);
        [v4, v6]
            .into_iter()
            .filter(|addresses| !addresses.is_empty())
            .collect()
    }
}

/// What the operating system's error says about the tracker.
pub(super) fn of_io(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::AddrNotAvailable => Failure::Unreachable,
        io::ErrorKind::TimedOut => Failure::Silent,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => Failure::BrokenOff,
        _ => Failure::System(error.to_string()),
    }
}
