//! What is said beside the data: the first words of a connection, the extension handshake (BEP 10,
//! BEP 21 `upload_only`), the DHT port (BEP 5), peer exchange (BEP 11, not in private torrents:
//! BEP 27).

use std::time::Instant;

use bencode::Endpoint;
use bytes::Bytes;
use pex::{Exchange, Flags};

use super::peer::Opener;
use super::{DiskState, Stage, Torrent};
use crate::swarm::PeerKey;
use crate::swarm::contract::{CloseReason, Pex};
use crate::wire::{ExtensionHandshake, Message, UT_METADATA, UT_PEX};

/// Requests that we queue per peer, as told; a little more is in fact accepted.
const REQUEST_QUEUE: u16 = 500;

/// Number of the extension handshake (BEP 10).
const HANDSHAKE: u8 = 0;

/// What we call ourselves.
const VERSION: &str = concat!("trackless ", env!("CARGO_PKG_VERSION"));

impl Torrent {
    /// The first messages: what we have (BEP 3: before anything else), then who we are.
    pub(super) fn greet(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get(&key) else {
            return;
        };
        let (fast, extended, dht) = (
            peer.reserved.fast(),
            peer.reserved.extended(),
            peer.reserved.dht(),
        );
        let have = match &self.stage {
            Stage::Known(content) if !matches!(content.disk, DiskState::Opening) => {
                Some(&content.have)
            }
            Stage::Known(_) | Stage::Nameless | Stage::Ended(_) => None,
        };
        let opening = match have.filter(|have| !have.is_empty()) {
            None => fast.then_some(Message::HaveNone),
            Some(have) if fast && have.is_full() => Some(Message::HaveAll),
            Some(have) => Some(Message::Bitfield(Bytes::copy_from_slice(have.as_bytes()))),
        };
        if let Some(message) = opening {
            self.out.send(key, message);
        }
        if extended {
            self.tell_facts(key);
        }
        if let (true, Some(port), true) = (dht, self.settings.listen_port, self.may_search()) {
            self.out.send(key, Message::Port(port));
        }
    }

    /// Our extension handshake, also as an update.
    pub(super) fn tell_facts(&mut self, key: PeerKey) {
        if !self
            .peers
            .get(&key)
            .is_some_and(|peer| peer.reserved.extended())
        {
            return;
        }
        let size = self
            .content()
            .and_then(|content| u32::try_from(content.info.raw().len()).ok());
        let facts = ExtensionHandshake {
            ut_metadata: Some(UT_METADATA),
            ut_pex: self.gossips().then_some(UT_PEX),
            metadata_size: size,
            upload_only: self.is_complete().then_some(true),
            request_queue: Some(REQUEST_QUEUE),
            port: self.settings.listen_port,
            version: Some(VERSION.into()),
            your_ip: self.peers.get(&key).map(|peer| peer.endpoint.ip),
        };
        self.out.send(
            key,
            Message::Extended {
                id: HANDSHAKE,
                payload: facts.encode().into(),
            },
        );
    }

    pub(super) fn handle_extended(
        &mut self,
        now: Instant,
        key: PeerKey,
        id: u8,
        payload: Bytes,
    ) -> Result<(), CloseReason> {
        match id {
            HANDSHAKE => self.handle_facts(now, key, &payload),
            UT_METADATA => self.handle_metadata(now, key, &payload),
            UT_PEX if self.gossips() => self.handle_pex(now, key, &payload),
            // A number we never gave out: BEP 10 wants it ignored.
            _ => Ok(()),
        }
    }

    fn handle_facts(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let told = ExtensionHandshake::parse(payload).ok_or(CloseReason::BadMetadata)?;
        let gossips = self.gossips();
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let facts = &mut peer.facts;
        facts.metadata_id = told.ut_metadata.unwrap_or(facts.metadata_id);
        facts.pex_id = told.ut_pex.unwrap_or(facts.pex_id);
        facts.metadata_size = told.metadata_size.or(facts.metadata_size);
        facts.upload_only = told.upload_only.unwrap_or(facts.upload_only);
        if let Some(queue) = told.request_queue {
            peer.pipeline.set_limit(usize::from(queue));
        }
        if let (Some(port), None) = (told.port, facts.listens) {
            let listens = Endpoint {
                ip: peer.endpoint.ip,
                port,
            };
            if self.book.policy().admits_neighbour(listens) {
                facts.listens = Some(listens);
                self.book.connected(now, listens);
            }
        }
        if gossips && facts.pex_id != 0 && peer.gossip.exchange.is_none() {
            peer.gossip.exchange = Some(Exchange::new(now));
        }
        let seed = peer.is_seed();
        if seed && self.parts_with_seeds() {
            return Err(CloseReason::BothSeeds);
        }
        self.ask_for_metadata(now);
        Ok(())
    }

    fn handle_pex(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let exchange = peer
            .gossip
            .exchange
            .get_or_insert_with(|| Exchange::new(now));
        let told = exchange.handle_message(now, payload, self.book.policy());
        let told = told.map_err(|_| CloseReason::BadPex)?;
        for (endpoint, flags) in told {
            self.book.add_told(now, endpoint, key);
            if flags.contains(Flags::SEED) {
                self.book.is_seed(endpoint);
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
        let payload = (exchange.next_timeout() <= now).then(|| {
            let others = self.peers.iter().filter(|(other, _)| **other != key);
            let policy = self.book.policy();
            let others = others.filter_map(|(_, peer)| {
                let seed = if peer.is_seed() {
                    Flags::SEED.bits()
                } else {
                    0
                };
                let dialled = peer.opener == Opener::We;
                let reachable = if dialled { Flags::REACHABLE.bits() } else { 0 };
                // Threat: our neighbours' addresses are nothing for strangers.
                let listens = peer.facts.listens.filter(|it| policy.admits(*it))?;
                Some((listens, Flags::from_bits(seed | reachable)))
            });
            exchange.update(now, others)
        });
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        peer.gossip.exchange = Some(exchange);
        let id = peer.facts.pex_id;
        if let Some(payload) = payload.flatten()
            && id != 0
        {
            self.out.send(
                key,
                Message::Extended {
                    id,
                    payload: payload.into(),
                },
            );
        }
    }

    fn gossips(&self) -> bool {
        self.settings.pex == Pex::On && self.may_search()
    }
}
