//! Who has what: BEP 3 "bitfield" and "have", BEP 6 "have all" and "have none", BEP 54 "don't have",
//! and our interest that follows from it. Invariant: `useful` of a peer is the number of pieces it has that we want
//! and lack; we are interested exactly while it is not 0.

use std::time::Instant;

use bytes::Bytes;

use super::peer::{Counted, Early, Holdings, Peer};
use super::{Content, Outputs, Stage, Torrent};
use crate::swarm::PeerKey;
use crate::swarm::addresses::Completeness;
use crate::swarm::bitfield::Bitfield;
use crate::swarm::reasons::CloseReason;
use crate::wire::Message;

/// Haves kept before the number of pieces is known: 512 KiB (reliability.md P20).
const MAX_EARLY: usize = 131_072;

/// What a peer has that has said nothing.
pub(super) fn nothing(content: &Content) -> Holdings {
    let field = Bitfield::new(content.geometry.piece_count());
    Holdings::Known {
        field,
        useful: 0,
        counted: Counted::PieceByPiece,
    }
}

/// A peer leaves: its pieces are rarer.
pub(super) fn leave(content: &mut Content, holdings: &Holdings) {
    if let Holdings::Known { field, counted, .. } = holdings {
        match counted {
            Counted::Once => content.picker.rarity().everything_left(),
            Counted::PieceByPiece => {
                field
                    .iter_set()
                    .for_each(|piece| content.picker.rarity().left(piece));
            }
        }
    }
}

/// A peer has these pieces from now on.
fn arrive(content: &mut Content, field: Bitfield) -> Holdings {
    let whole = field.is_full();
    if whole {
        content.picker.rarity().everything_came();
    } else {
        field
            .iter_set()
            .for_each(|piece| content.picker.rarity().came(piece));
    }
    let useful = count_useful(content, &field);
    let counted = if whole {
        Counted::Once
    } else {
        Counted::PieceByPiece
    };
    Holdings::Known {
        field,
        useful,
        counted,
    }
}

fn count_useful(content: &Content, field: &Bitfield) -> u32 {
    if content.picker.lacking() == 0 {
        return 0;
    }
    field
        .iter_set()
        .fold(0, |sum, piece| sum + u32::from(content.picker.lacks(piece)))
}

/// Tells the peer what our interest is now, if that is news.
pub(super) fn tell_interest(out: &mut Outputs, key: PeerKey, peer: &mut Peer) {
    let interested = peer.useful() > 0;
    if interested != peer.ours.interested {
        peer.ours.interested = interested;
        let message = if interested {
            Message::Interested
        } else {
            Message::NotInterested
        };
        out.send(key, message);
    }
}

impl Torrent {
    pub(super) fn handle_bitfield(
        &mut self,
        now: Instant,
        key: PeerKey,
        bits: Bytes,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        match &mut self.stage {
            Stage::Known(content) => {
                let count = content.geometry.piece_count();
                let field = Bitfield::from_bytes(&bits, count).ok_or(CloseReason::BadBitfield)?;
                leave(content, &peer.holdings);
                peer.holdings = arrive(content, field);
            }
            Stage::Nameless => {
                peer.holdings = Holdings::Early(Early::Bits(bits), Vec::new());
            }
            Stage::Ended(_) => {}
        }
        self.holdings_changed(now, key);
        Ok(())
    }

    pub(super) fn handle_have_all(
        &mut self,
        now: Instant,
        key: PeerKey,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        match &mut self.stage {
            Stage::Known(content) => {
                leave(content, &peer.holdings);
                peer.holdings = arrive(content, Bitfield::full(content.geometry.piece_count()));
            }
            Stage::Nameless => peer.holdings = Holdings::Early(Early::Everything, Vec::new()),
            Stage::Ended(_) => {}
        }
        self.holdings_changed(now, key);
        Ok(())
    }

    pub(super) fn handle_have(
        &mut self,
        now: Instant,
        key: PeerKey,
        piece: u32,
    ) -> Result<(), CloseReason> {
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        match (&mut peer.holdings, &mut self.stage) {
            (
                Holdings::Known {
                    field,
                    useful,
                    counted,
                },
                Stage::Known(content),
            ) => {
                if piece >= field.len() {
                    return Err(CloseReason::BadIndex);
                }
                if field.set(piece) {
                    if *counted == Counted::PieceByPiece {
                        content.picker.rarity().came(piece);
                    }
                    *useful += u32::from(content.picker.lacks(piece));
                    let full = field.is_full();
                    tell_interest(&mut self.out, key, peer);
                    if full {
                        self.holdings_changed(now, key);
                    }
                }
            }
            (Holdings::Early(_, haves), _) if haves.len() < MAX_EARLY => haves.push(piece),
            (Holdings::Early(..) | Holdings::Known { .. }, _) => {}
        }
        Ok(())
    }

    /// A peer lost a piece (BEP 54). Without the fast extension its requests are given up as if it had
    /// choked us; with it they will be rejected one by one.
    pub(super) fn handle_dont_have(
        &mut self,
        now: Instant,
        key: PeerKey,
        payload: &[u8],
    ) -> Result<(), CloseReason> {
        let piece = <[u8; 4]>::try_from(payload).map_err(|_| CloseReason::BadIndex)?;
        let piece = u32::from_be_bytes(piece);
        let Some(peer) = self.peers.get_mut(&key) else {
            return Ok(());
        };
        match (&mut peer.holdings, &mut self.stage) {
            (
                Holdings::Known {
                    field,
                    useful,
                    counted,
                },
                Stage::Known(content),
            ) => {
                if piece >= field.len() {
                    return Err(CloseReason::BadIndex);
                }
                if !field.clear(piece) {
                    return Ok(());
                }
                match counted {
                    Counted::PieceByPiece => content.picker.rarity().left(piece),
                    Counted::Once => {
                        content.picker.rarity().everything_left();
                        field
                            .iter_set()
                            .for_each(|piece| content.picker.rarity().came(piece));
                        *counted = Counted::PieceByPiece;
                    }
                }
                *useful = useful.saturating_sub(u32::from(content.picker.lacks(piece)));
                tell_interest(&mut self.out, key, peer);
            }
            // Before the number of pieces is known only single haves can be taken back. What else is
            // claimed wrongly costs a rejected request.
            (Holdings::Early(_, haves), _) => haves.retain(|have| *have != piece),
            (Holdings::Known { .. }, _) => {}
        }
        let is_seed = peer.is_seed();
        if let Some(listens) = peer.facts.listens.filter(|_| !is_seed) {
            self.book.set_completeness(listens, Completeness::Open);
        }
        if !peer.reserved.fast() {
            self.give_up_requests(key);
        }
        self.refill_all(now);
        Ok(())
    }

    /// Tells everybody who understands it that we no longer have a piece (BEP 54).
    pub(super) fn take_back(&mut self, piece: u32) {
        for (key, peer) in &self.peers {
            let id = peer.facts.donthave_id;
            if id != 0 {
                let payload = Bytes::copy_from_slice(&piece.to_be_bytes());
                self.out.send(*key, Message::Extended { id, payload });
            }
        }
    }

    /// The number of pieces is known: what peers said before is checked now. Those that said what
    /// cannot be are returned.
    pub(super) fn check_early(&mut self) -> Vec<PeerKey> {
        let Stage::Known(content) = &mut self.stage else {
            return Vec::new();
        };
        let count = content.geometry.piece_count();
        let mut wrong = Vec::new();
        for (key, peer) in &mut self.peers {
            let Holdings::Early(early, haves) = &peer.holdings else {
                continue;
            };
            let field = match early {
                Early::Nothing => Some(Bitfield::new(count)),
                Early::Everything => Some(Bitfield::full(count)),
                Early::Bits(bits) => Bitfield::from_bytes(bits, count),
            };
            let in_range = haves.iter().all(|piece| *piece < count);
            let Some(mut field) = field.filter(|_| in_range) else {
                peer.holdings = nothing(content);
                wrong.push(*key);
                continue;
            };
            haves.iter().for_each(|piece| {
                field.set(*piece);
            });
            peer.holdings = arrive(content, field);
        }
        wrong
    }

    /// Counts anew what is useful in every peer, after our own pieces or wishes changed at large.
    pub(super) fn recount(&mut self) {
        let Stage::Known(content) = &mut self.stage else {
            return;
        };
        for (key, peer) in &mut self.peers {
            if let Holdings::Known { field, useful, .. } = &mut peer.holdings {
                *useful = count_useful(content, field);
            }
            if !matches!(content.disk, super::DiskState::Opening) {
                tell_interest(&mut self.out, *key, peer);
            }
        }
    }

    /// A piece became ours: it makes no peer interesting any more, and who lacks it is told.
    pub(super) fn spread(&mut self, piece: u32) {
        let wanted = self
            .content()
            .is_some_and(|content| content.picker.wanted().has(piece));
        for (key, peer) in &mut self.peers {
            match &mut peer.holdings {
                Holdings::Known { field, useful, .. } if field.has(piece) => {
                    *useful = useful.saturating_sub(u32::from(wanted));
                    tell_interest(&mut self.out, *key, peer);
                }
                _ => self.out.send(*key, Message::Have(piece)),
            }
        }
    }

    fn holdings_changed(&mut self, now: Instant, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let ready = matches!(&self.stage, Stage::Known(content)
            if !matches!(content.disk, super::DiskState::Opening));
        if ready {
            tell_interest(&mut self.out, key, peer);
        }
        if peer.is_seed() {
            if let Some(listens) = peer.facts.listens {
                self.book.set_completeness(listens, Completeness::Seed);
            }
            if self.parts_with_seeds() {
                self.close(now, key, CloseReason::BothSeeds);
            }
        }
    }
}
