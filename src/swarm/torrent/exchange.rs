//! Peer exchange with every peer (BEP 11): what is told of whom, who is believed, and what falls away
//! when a torrent turns out to be private (BEP 27).
//!
//! Invariant: a private torrent neither sends nor takes peer exchange, and once it is known to be
//! private it has no connection to whom only strangers named. The exchange itself, its pace and its
//! limits, is the `pex` crate's; how much a teller is worth is the address book's.

use std::time::Instant;

use pex::{Exchange, Flags};

use super::Torrent;
use super::peer::{Opener, Peer};
use crate::swarm::PeerKey;
use crate::swarm::contract::Pex;
use crate::swarm::reasons::CloseReason;
use crate::swarm::reasons::{Dropped, Reason};
use crate::wire::Message;

impl Torrent {
    /// The peer offered peer exchange.
    pub(super) fn start_exchange(&mut self, now: Instant, key: PeerKey) {
        let gossips = self.gossips();
        if let Some(peer) = self.peers.get_mut(&key)
            && gossips
            && peer.facts.pex_id != 0
            && peer.gossip.exchange.is_none()
        {
            peer.gossip.exchange = Some(Exchange::new(now));
        }
    }

    pub(super) fn handle_pex(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        // Somebody may tell without wanting to be told.
        let exchange = peer
            .gossip
            .exchange
            .get_or_insert_with(|| Exchange::new(now));
        let before = ignored(exchange);
        let told = exchange.handle_message(now, payload, self.book.policy());
        let after = ignored(exchange);
        for (reason, count) in [
            (Dropped::Exchange, after.0 - before.0),
            (Dropped::Address, after.1 - before.1),
        ] {
            let reasons = &mut self.tally.reasons;
            reasons.count_many(Reason::Dropped(reason), count);
        }
        let told = told.map_err(|_| CloseReason::BadPex)?;
        let teller = peer.facts.listens.unwrap_or(peer.endpoint);
        for (endpoint, flags) in told {
            if !self.book.add_told(now, endpoint, flags, teller) && !self.book.knows(endpoint) {
                self.dropped(Dropped::Address);
            }
        }
        self.dial(now);
        Ok(())
    }

    /// Tells the peer about others, if it is time.
    pub(super) fn gossip(&mut self, now: Instant, key: PeerKey) {
        let Some(mut exchange) = self
            .peers
            .get_mut(&key)
            .and_then(|peer| peer.gossip.exchange.take())
        else {
            return;
        };
        let id = self.peers.get(&key).map_or(0, |peer| peer.facts.pex_id);
        // Without a number of its own the peer is not told, and nothing counts as told.
        let payload = (id != 0 && exchange.next_timeout() <= now).then(|| {
            let others = self.peers.iter().filter(|(other, _)| **other != key);
            let policy = self.book.policy();
            // Threat: our neighbours' addresses are nothing for strangers.
            let public = |peer: &Peer| peer.facts.listens.filter(|it| policy.admits(*it));
            let others = others.filter_map(|(_, peer)| Some((public(peer)?, flags_of(peer))));
            exchange.update(now, others, &self.recent)
        });
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.gossip.exchange = Some(exchange);
        }
        if let Some(payload) = payload.flatten() {
            let payload = payload.into();
            self.out.send(key, Message::Extended { id, payload });
        }
    }

    /// Whom we leave for this reason others may still want to hear of (BEP 11, "Filling
    /// underpopulated lists"): it is not at fault.
    pub(super) fn remember_parting(&mut self, key: PeerKey, reason: CloseReason) {
        let blameless = matches!(
            reason,
            CloseReason::BothSeeds | CloseReason::Outranked | CloseReason::Idle
        );
        if let Some(peer) = self.peers.get(&key).filter(|_| blameless)
            && let Some(listens) = peer.facts.listens
            && self.book.policy().admits(listens)
        {
            self.recent.push(listens, flags_of(peer));
        }
    }

    /// The torrent turned out to be private: strangers' peers go, exchange ends.
    pub(super) fn part_with_strangers(&mut self, now: Instant) {
        for peer in self.peers.values_mut() {
            peer.gossip.exchange = None;
        }
        let strangers = self.book.forget_strangers();
        let dialled = self.dials.iter().map(|(key, endpoint)| (*key, *endpoint));
        let connected = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.opener == Opener::We);
        let connected = connected.map(|(key, peer)| (*key, peer.endpoint));
        let gone: Vec<PeerKey> = dialled
            .chain(connected)
            .filter(|(_, endpoint)| strangers.contains(endpoint))
            .map(|(key, _)| key)
            .collect();
        for key in gone {
            self.close(now, key, CloseReason::Private);
        }
    }

    pub(super) fn gossips(&self) -> bool {
        self.settings.pex == Pex::On && self.may_search()
    }
}

/// Messages and contacts that had no effect so far; they only grow.
fn ignored(exchange: &Exchange) -> (u64, u64) {
    let stats = exchange.stats();
    let sum = |a: u32, b: u32| u64::from(a) + u64::from(b);
    (
        sum(stats.surplus, stats.malformed),
        sum(stats.refused, stats.excess),
    )
}

/// What we tell others of a peer. Never [`Flags::UTP`]: we do not speak it, and what others say of a
/// peer is not passed on.
fn flags_of(peer: &Peer) -> Flags {
    let mut flags = peer.facts.flags;
    if peer.is_seed() {
        flags = flags | Flags::SEED;
    }
    if peer.opener == Opener::We {
        flags = flags | Flags::REACHABLE;
    }
    flags
}
