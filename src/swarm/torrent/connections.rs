//! Connections: whom to dial, whom to let in, who goes. BEP 3 leaves it open. Who gives up a place
//! when there are not enough stands in `places`. Invariant: a peer id has one connection; if two hosts dial each other at the same time,
//! both keep the one that the greater id opened.

use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::peer::{Opener, Peer};
use super::{Stage, Torrent};
use crate::swarm::PeerKey;
use crate::swarm::addresses::{Completeness, Failure, Need, Outcome, Welcome};
use crate::swarm::contract::{Action, ClosedBy, DialError, Event};
use crate::swarm::reasons::Reason;
use crate::swarm::reasons::{CloseReason, Refusal};
use crate::wire::{Handshake, PeerId};

/// Below so many connections, with no address left to try, the owner is asked for more.
const FEW: usize = 10;

/// Between two such requests. The first comes while the first search still runs; how often is searched, `search` decides.
const WANTED_PAUSE: Duration = Duration::from_secs(1);

/// Two connections with one peer id that are younger than this crossed each other.
const CROSSING: Duration = Duration::from_secs(20);

/// An attempt that ended without an error of the network, or a peer at fault.
const FAILED: Outcome = Outcome::Failed(Failure::Other);

impl Torrent {
    /// An attempt failed.
    pub fn handle_dial_failed(&mut self, now: Instant, key: PeerKey, error: DialError) {
        let Some(endpoint) = self.dials.remove(&key) else {
            return;
        };
        let counter = match error {
            DialError::Refused => &mut self.tally.counts.refused,
            DialError::TimedOut => &mut self.tally.counts.timed_out,
            DialError::Unreachable | DialError::NoDescriptor | DialError::Other => {
                &mut self.tally.counts.failed
            }
        };
        *counter += 1;
        let outcome = match error {
            DialError::NoDescriptor => {
                self.tally.reasons.count(Reason::NoDescriptor);
                Outcome::Ended
            }
            error => Outcome::Failed(error.into()),
        };
        self.book.ended(now, endpoint, outcome);
        self.dial(now);
    }

    /// The connection of an [`Action::Dial`] stands and the peer said this.
    pub fn handle_opened(&mut self, now: Instant, key: PeerKey, theirs: &Handshake) {
        let Some(endpoint) = self.dials.remove(&key) else {
            return;
        };
        let reason = if theirs.info_hash != self.info_hash {
            Some(CloseReason::WrongInfoHash)
        } else if theirs.peer_id == self.settings.our_id {
            Some(CloseReason::OurselfAtTheOtherEnd)
        } else if self.loses_to_another(now, theirs.peer_id, Opener::We) {
            Some(CloseReason::SamePeer)
        } else {
            None
        };
        if let Some(reason) = reason {
            self.book.ended(now, endpoint, Outcome::Useless);
            if reason == CloseReason::OurselfAtTheOtherEnd {
                self.book.ourself(endpoint);
            }
            self.tally.reasons.count(Reason::Closed(reason));
            self.out
                .actions
                .push_back(Action::Close { peer: key, reason });
            return self.dial(now);
        }
        self.book.establish(now, endpoint);
        self.admit(now, key, endpoint, theirs, Opener::We);
    }

    /// Somebody called us and named this torrent.
    ///
    /// # Errors
    /// Why it is not wanted; the driver closes without an answer.
    pub fn accept(
        &mut self,
        now: Instant,
        from: Endpoint,
        theirs: &Handshake,
    ) -> Result<PeerKey, Refusal> {
        let welcome = self.let_in(now, from, theirs);
        if let Err(refusal) = welcome {
            self.tally.reasons.count(Reason::Refused(refusal));
        }
        welcome
    }

    fn let_in(
        &mut self,
        now: Instant,
        from: Endpoint,
        theirs: &Handshake,
    ) -> Result<PeerKey, Refusal> {
        let from = Endpoint::new(from.ip, from.port);
        match &self.stage {
            Stage::Ended(_) => return Err(Refusal::Ended),
            Stage::Known(content) if matches!(content.disk, super::DiskState::Opening) => {
                // Only who began with the metadata has peers already.
                if self.peers.is_empty() {
                    return Err(Refusal::NotReady);
                }
            }
            Stage::Known(_) | Stage::Nameless => {}
        }
        if theirs.info_hash != self.info_hash {
            return Err(Refusal::WrongInfoHash);
        }
        if theirs.peer_id == self.settings.our_id {
            self.recognise(from);
            return Err(Refusal::Ourself);
        }
        if !matches!(
            self.book.welcomes(from),
            Welcome::Banned | Welcome::OutOfRange
        ) {
            self.make_way(now, from, theirs.peer_id);
        }
        match self.book.welcomes(from) {
            Welcome::Yes => {}
            Welcome::Banned => return Err(Refusal::Banned),
            Welcome::OutOfRange => return Err(Refusal::Address),
            Welcome::Duplicate => return Err(Refusal::Duplicate),
        }
        if self.loses_to_another(now, theirs.peer_id, Opener::They) {
            return Err(Refusal::Duplicate);
        }
        self.make_place(now, from)?;
        let key = self.next_key();
        self.admit(now, key, from, theirs, Opener::They);
        Ok(key)
    }

    /// Our own link came back, or has another address now: who could not be reached is tried again.
    pub fn network_changed(&mut self, now: Instant) {
        self.book.network_changed(now);
        self.dial(now);
    }

    /// A connection or an attempt ended without our doing. Unknown ones are ignored.
    pub fn handle_closed(&mut self, now: Instant, key: PeerKey, by: ClosedBy) {
        if !self.dials.contains_key(&key) && !self.peers.contains_key(&key) {
            return;
        }
        self.tally.reasons.count(match by {
            ClosedBy::Remote => Reason::Left,
            ClosedBy::Violation(violation) => Reason::Broke(violation),
            ClosedBy::Io => Reason::Lost,
            ClosedBy::NoDescriptor => Reason::NoDescriptor,
            ClosedBy::Bug => Reason::Bug,
        });
        if let Some(endpoint) = self.dials.remove(&key) {
            self.tally.counts.failed += 1;
            self.book.ended(now, endpoint, FAILED);
        }
        let outcome = match by {
            ClosedBy::Remote | ClosedBy::Io | ClosedBy::NoDescriptor => Outcome::Ended,
            // Whatever it said that we fail on, it would say again at once.
            ClosedBy::Violation(_) | ClosedBy::Bug => FAILED,
        };
        self.forget(now, key, outcome);
        self.dial(now);
    }

    /// Ends a connection or an attempt of ours.
    pub(super) fn close(&mut self, now: Instant, key: PeerKey, reason: CloseReason) {
        if let Some(endpoint) = self.dials.remove(&key) {
            self.book.ended(now, endpoint, Outcome::Ended);
        }
        let outcome = match reason {
            CloseReason::Shutdown | CloseReason::Idle => Outcome::Ended,
            CloseReason::SlowReader => FAILED,
            _ => Outcome::Useless,
        };
        self.tally.reasons.count(Reason::Closed(reason));
        self.remember_parting(key, reason);
        self.forget(now, key, outcome);
        self.out
            .actions
            .push_back(Action::Close { peer: key, reason });
        if !matches!(self.stage, Stage::Ended(_)) {
            self.dial(now);
        }
    }

    /// Refuses an address from now on and closes what is connected there.
    pub(super) fn ban(&mut self, now: Instant, endpoint: Endpoint, reason: CloseReason) {
        if self.book.ban(now, endpoint) {
            self.tally.reasons.count(Reason::Banned(reason));
            if let Stage::Known(content) = &mut self.stage {
                self.tally.wasted += content.picker.distrust(endpoint);
            }
            self.out
                .events
                .push_back(Event::Banned { endpoint, reason });
        }
        let there: Vec<(PeerKey, Option<Endpoint>)> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.endpoint == endpoint)
            .map(|(key, peer)| (*key, peer.facts.listens))
            .collect();
        self.recent.forget(endpoint);
        for (key, listens) in there {
            if let Some(listens) = listens {
                self.book.ban(now, listens);
                self.recent.forget(listens);
            }
            self.close(now, key, reason);
        }
    }

    /// Dials as many as are wanted; without anybody to dial and with few connections it asks for
    /// more addresses.
    pub(super) fn dial(&mut self, now: Instant) {
        self.clock.dial_at = None;
        match &self.stage {
            Stage::Ended(_) => return,
            Stage::Known(content)
                if matches!(content.disk, super::DiskState::Opening) && self.peers.is_empty() =>
            {
                return;
            }
            Stage::Known(_) | Stage::Nameless => {}
        }
        let need = if self.is_complete() {
            Need::Incomplete
        } else {
            Need::Any
        };
        while self.dials.len() < self.settings.max_half_open
            && self.peers.len() + self.dials.len() < self.places
        {
            let Some(endpoint) = self.book.next(now, need) else {
                self.clock.dial_at = self.book.next_due(now, need);
                self.want_peers(now);
                break;
            };
            let peer = self.next_key();
            self.dials.insert(peer, endpoint);
            self.tally.counts.tried += 1;
            self.out.actions.push_back(Action::Dial { peer, endpoint });
        }
    }

    fn want_peers(&mut self, now: Instant) {
        let few = self.peers.len() < FEW && self.dials.is_empty();
        if few && now >= self.clock.wanted_at && !self.is_complete() && self.may_search() {
            self.clock.wanted_at = now + WANTED_PAUSE;
            self.out.events.push_back(Event::PeersWanted);
        }
    }

    fn next_key(&mut self) -> PeerKey {
        let key = PeerKey(self.clock.next_key);
        self.clock.next_key = self.clock.next_key.wrapping_add(1);
        key
    }

    fn admit(
        &mut self,
        now: Instant,
        key: PeerKey,
        endpoint: Endpoint,
        theirs: &Handshake,
        opener: Opener,
    ) {
        self.tally.milestones.first_handshake.get_or_insert(now);
        let mut peer = Peer::new(now, endpoint, opener, theirs.peer_id, theirs.reserved);
        if let Stage::Known(content) = &self.stage {
            peer.holdings = super::holdings::nothing(content);
        }
        self.peers.insert(key, peer);
        self.greet(key);
    }

    /// Takes a peer out of everything that counts it.
    fn forget(&mut self, now: Instant, key: PeerKey, outcome: Outcome) {
        let Some(mut peer) = self.peers.remove(&key) else {
            return;
        };
        if let Stage::Known(content) = &mut self.stage {
            for block in peer.pipeline.drop_all() {
                content.picker.released(key, block);
            }
            super::holdings::leave(content, &peer.holdings);
        }
        if let Some(listens) = peer.facts.listens {
            let completeness = if peer.is_seed() {
                Completeness::Seed
            } else {
                Completeness::Open
            };
            self.book.set_completeness(listens, completeness);
            self.book.ended(now, listens, outcome);
        }
        if !matches!(self.stage, Stage::Ended(_)) {
            self.give_slot_on(now);
            self.ask_for_metadata(now);
            self.refill_all(now);
        }
    }

    /// Whether a new connection to this peer id has to go because of another. If it is the other
    /// that has to go, it is closed here.
    fn loses_to_another(&mut self, now: Instant, id: PeerId, opener: Opener) -> bool {
        let Some((key, other)) = self.peers.iter().find(|(_, peer)| peer.id == id) else {
            return false;
        };
        let young = now.saturating_duration_since(other.gossip.record.since) < CROSSING;
        let opened_by = if opener == Opener::We {
            self.settings.our_id
        } else {
            id
        };
        let stays = !young || other.opener == opener || opened_by != id.max(self.settings.our_id);
        if !stays {
            let key = *key;
            self.close(now, key, CloseReason::SamePeer);
        }
        stays
    }

    /// We called ourselves from `from`: the attempt that is under way to our own port there is the
    /// other end. It hears nothing from us, so this is where it is understood.
    fn recognise(&mut self, from: Endpoint) {
        let port = self.settings.listen_port;
        let ours = |there: &&Endpoint| there.ip == from.ip && Some(there.port) == port;
        if let Some(there) = self.dials.values().find(ours) {
            self.book.ourself(*there);
        }
    }
}
