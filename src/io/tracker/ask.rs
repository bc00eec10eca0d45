//! One question to one tracker, over HTTP or UDP, in each family that it has.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::asker::Asker;
use super::{http, udp};
use crate::metainfo::InfoHash;
use crate::tracker::exchange::{Answer, Question};
use crate::tracker::http::{parse_reply, parse_scrape};
use crate::tracker::{Announce, Failure, Reply, Scheme, ScrapeReply, TrackerUrl};

impl Asker {
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
            return http::fetch(self, url, &query, addresses, parse_reply).await;
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
            return http::fetch(self, &url, &query, addresses, parse_scrape).await;
        }
        match udp::ask(self, addresses, Question::Scrape(hashes.to_vec())).await? {
            Answer::Scrape(torrents) => Ok(hashes.iter().copied().zip(torrents).collect()),
            Answer::Announce(_) => Err(Failure::NotBencode),
        }
    }
}
