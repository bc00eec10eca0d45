//! Which addresses a tracker may be asked at, and the asking itself.
//!
//! Threat: a torrent's author chooses its tracker URLs and what their names resolve to. A name is
//! resolved here, once; only addresses that the policy admits remain, and sockets connect to exactly
//! those. So neither a name of the local network, nor a redirect, nor a resolver that answers
//! differently the second time leads where the user did not allow it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use bencode::{AddressPolicy, Endpoint, Family};
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;

use super::http;
use super::udp;
use crate::io::resolve::resolve;
use crate::io::sockets::Bind;
use crate::metainfo::InfoHash;
use crate::tracker::exchange::{Answer, ConnectionId, Question};
use crate::tracker::{Announce, Failure, Reply, Scheme, ScrapeReply, TrackerUrl};

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

    /// Starts an announce over each family that the tracker and we have.
    pub(super) async fn announce(
        self: &Arc<Self>,
        url: &TrackerUrl,
        announce: &Announce,
    ) -> Result<JoinSet<Result<Reply, Failure>>, Failure> {
        let mut tries = JoinSet::new();
        for addresses in self.by_family(self.addresses(url).await?) {
            let (asker, url, announce) = (Arc::clone(self), url.clone(), announce.clone());
            tries.spawn(async move { asker.announce_at(&url, announce, addresses).await });
        }
        Ok(tries)
    }

    async fn announce_at(
        &self,
        url: &TrackerUrl,
        announce: Announce,
        addresses: Vec<SocketAddr>,
    ) -> Result<Reply, Failure> {
        if url.scheme() != Scheme::Udp {
            let query = crate::tracker::http::query(&announce);
            let body = http::fetch(self, url, &query, addresses).await?;
            return crate::tracker::http::parse_reply(&body);
        }
        let question = Question::Announce(announce, url.url_data());
        match udp::ask(self, addresses, question).await? {
            Answer::Announce(reply) => Ok(reply),
            Answer::Scrape(_) => Err(Failure::NotBencode),
        }
    }

    /// What a tracker knows about some torrents (BEP 48), each with its hash.
    pub(in crate::io) async fn scrape(
        &self,
        url: &TrackerUrl,
        hashes: &[InfoHash],
    ) -> Result<Vec<(InfoHash, ScrapeReply)>, Failure> {
        let url = url
            .scrape()
            .ok_or(Failure::Url("its scrapes have no known address"))?;
        let addresses = self
            .by_family(self.addresses(&url).await?)
            .into_iter()
            .next();
        let addresses = addresses.ok_or(Failure::Unreachable)?;
        if url.scheme() != Scheme::Udp {
            let query = crate::tracker::http::scrape_query(hashes);
            let body = http::fetch(self, &url, &query, addresses).await?;
            return crate::tracker::http::parse_scrape(&body);
        }
        match udp::ask(self, addresses, Question::Scrape(hashes.to_vec())).await? {
            Answer::Scrape(torrents) => Ok(hashes.iter().copied().zip(torrents).collect()),
            Answer::Announce(_) => Err(Failure::NotBencode),
        }
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
    fn by_family(&self, addresses: Vec<SocketAddr>) -> Vec<Vec<SocketAddr>> {
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv4);
        [v4, v6]
            .into_iter()
            .filter(|addresses| !addresses.is_empty())
            .collect()
    }
}
