//! What is said beside the data: the first words of a connection, the extension handshake (BEP 10,
//! BEP 21 `upload_only`), the DHT port (BEP 5, not in private torrents: BEP 27). Peer exchange stands
//! in `exchange`.

use std::time::Instant;

use bencode::Endpoint;
use bytes::Bytes;
use pex::Flags;

use super::peer::Offer;
use super::{DiskState, Stage, Torrent};
use crate::swarm::PeerKey;
use crate::swarm::reasons::CloseReason;
use crate::swarm::reasons::Dropped;
use crate::wire::{ExtensionHandshake, LT_DONTHAVE, Message, UT_METADATA, UT_PEX};

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
        let gossips = self.gossips();
        let ut_pex = self.peers.get_mut(&key).and_then(|peer| {
            let before = peer.gossip.offer;
            match (gossips, before) {
                (true, _) => {
                    peer.gossip.offer = Offer::Given;
                    Some(UT_PEX)
                }
                // The torrent turned out to be private: the number is taken back (BEP 10).
                (false, Offer::Given) => Some(0),
                (false, Offer::Never) => None,
            }
        });
        let facts = ExtensionHandshake {
            ut_metadata: Some(UT_METADATA),
            ut_pex,
            lt_donthave: Some(LT_DONTHAVE),
            metadata_size: size,
            // Said either way: a piece may turn out damaged after all was complete.
            upload_only: Some(self.is_complete()),
            request_queue: Some(REQUEST_QUEUE),
            port: self.settings.listen_port,
            version: Some(VERSION.into()),
            your_ip: self.peers.get(&key).map(|peer| peer.endpoint.ip),
            ..ExtensionHandshake::default()
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
            LT_DONTHAVE => self.handle_dont_have(now, key, &payload),
            // A number we never gave out: BEP 10 wants it ignored.
            _ => {
                self.dropped(Dropped::UnknownExtension);
                Ok(())
            }
        }
    }

    fn handle_facts(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let told = ExtensionHandshake::parse(payload).ok_or(CloseReason::BadMetadata)?;
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        let facts = &mut peer.facts;
        for (said, flag) in [
            (told.encryption, Flags::ENCRYPTION),
            (told.ut_holepunch.map(|id| id != 0), Flags::HOLEPUNCH),
        ] {
            facts.flags = match said {
                Some(true) => facts.flags | flag,
                Some(false) => Flags::from_bits(facts.flags.bits() & !flag.bits()),
                None => facts.flags,
            };
        }
        facts.donthave_id = told.lt_donthave.unwrap_or(facts.donthave_id);
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
        let (witness, seed) = (peer.endpoint.ip, peer.is_seed());
        self.start_exchange(now, key);
        if let Some(us) = told.your_ip.filter(|us| self.book.policy().admits_ip(*us))
            && let Some(us) = self.outside.handle_vote(witness, us)
        {
            let port = self.settings.listen_port.unwrap_or(0);
            self.book.set_own(Endpoint::new(us, port));
        }
        if seed && self.parts_with_seeds() {
            return Err(CloseReason::BothSeeds);
        }
        self.ask_for_metadata(now);
        Ok(())
    }
}
