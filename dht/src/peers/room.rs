//! Who makes room in a full store.
//!
//! `Threat:` squatting and flooding (dht.md 4.7). A network that announces without end displaces itself;
//! others displace it too, until all have equally much. Only where nobody has more than another does the
//! distance to our id decide. Invariant: a network that has a hash displaces no hash of a network that
//! has fewer.

use std::net::IpAddr;

use bencode::Endpoint;

use super::{Full, Owner, Peer, Peers, Share, Torrent, network, release};
use crate::contact::network_of;
use crate::id::Id;

/// A network has at most one in so many of all hashes and of all peers.
const SHARES: usize = 10;

/// What a new hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Price {
    Nothing,
    /// This hash goes.
    Hash(Id),
}

impl Peers {
    /// Whether `info_hash` from this address would be stored: whoever cannot announce needs no token, and
    /// goes on to other nodes.
    #[must_use]
    pub fn has_room(&self, own: &Id, info_hash: &Id, ip: IpAddr) -> bool {
        let admitted = self.admits_peer(info_hash, Endpoint::new(ip, 0));
        admitted && self.price(own, info_hash, network(ip)).is_ok()
    }

    /// Whether the network of `peer` may have one more, or has one to replace.
    pub(super) fn admits_peer(&self, info_hash: &Id, peer: Endpoint) -> bool {
        let Some(from) = network(peer.ip) else {
            return true;
        };
        let used = self.shares.get(&from).map_or(0, |share| share.peers);
        if used < self.caps.peers / SHARES {
            return true;
        }
        let torrent = self.torrents.get(info_hash);
        let same = |other: &Peer| network_of(other.endpoint.ip) == from;
        torrent.is_some_and(|torrent| {
            let neighbours = torrent.peers.iter().filter(|other| same(other)).count();
            let renews = torrent.peers.iter().any(|other| other.endpoint == peer);
            renews || neighbours >= self.caps.neighbours
        })
    }

    /// Makes room for a new hash.
    pub(super) fn make_room(
        &mut self,
        own: &Id,
        info_hash: &Id,
        from: Option<IpAddr>,
    ) -> Result<(), Full> {
        match self.price(own, info_hash, from)? {
            Price::Nothing => {}
            Price::Hash(victim) => self.forget(&victim),
        }
        Ok(())
    }

    fn price(&self, own: &Id, info_hash: &Id, from: Option<IpAddr>) -> Result<Price, Full> {
        if self.torrents.contains_key(info_hash) {
            return Ok(Price::Nothing);
        }
        let has = from
            .and_then(|from| self.shares.get(&from))
            .map_or(0, |share| share.hashes);
        let nearer_than = |victim: Option<Id>| {
            let victim = victim.filter(|it| own.distance(info_hash) < own.distance(it));
            victim.map(Price::Hash).ok_or(Full)
        };
        if from.is_some() && has >= self.caps.hashes / SHARES {
            return nearer_than(self.farthest(own, from));
        }
        if self.torrents.len() < self.caps.hashes {
            return Ok(Price::Nothing);
        }
        let greediest = self.shares.iter().max_by_key(|(_, share)| share.hashes);
        match greediest {
            Some((greedy, share)) if from.is_some() && has + 1 < share.hashes => {
                let victim = self.farthest(own, Some(*greedy));
                victim.map(Price::Hash).ok_or(Full)
            }
            _ if has > 0 => nearer_than(self.farthest(own, from)),
            _ => nearer_than(self.farthest(own, None)),
        }
    }

    /// The farthest hash, of one network or of all; one that nobody else announced before others.
    fn farthest(&self, own: &Id, of: Option<IpAddr>) -> Option<Id> {
        let of_it = |torrent: &Torrent| of.is_none() || torrent.owner.network() == of;
        let rank = |hash: &Id, torrent: &Torrent| {
            let alone = of.is_some() && matches!(torrent.owner, Owner::Alone(_));
            (alone, own.distance(hash))
        };
        self.torrents
            .iter()
            .filter(|(_, torrent)| of_it(torrent))
            .max_by_key(|(hash, torrent)| rank(hash, torrent))
            .map(|(hash, _)| *hash)
    }

    fn forget(&mut self, info_hash: &Id) {
        let Some(torrent) = self.torrents.remove(info_hash) else {
            return;
        };
        self.total -= torrent.peers.len();
        for peer in &torrent.peers {
            let one = Share {
                hashes: 0,
                peers: 1,
            };
            release(&mut self.shares, network(peer.endpoint.ip), one);
        }
        let one = Share {
            hashes: 1,
            peers: 0,
        };
        release(&mut self.shares, torrent.owner.network(), one);
    }

    /// Makes room for a peer: it replaces itself, else the oldest of its network if that has its share of
    /// the hash, else the oldest of a full hash, else the oldest of the largest hash.
    pub(super) fn displace_peer(&mut self, info_hash: &Id, peer: Endpoint) {
        let from = network(peer.ip);
        let (mut hash, mut place) = (*info_hash, None);
        if let Some(torrent) = self.torrents.get(info_hash) {
            let same = |other: &Peer| Some(network_of(other.endpoint.ip)) == from;
            let neighbours = torrent.peers.iter().filter(|other| same(other)).count();
            let itself = |other: &Peer| other.endpoint == peer;
            place = torrent.peers.iter().position(itself);
            if place.is_none() && from.is_some() && neighbours >= self.caps.neighbours {
                place = torrent.peers.iter().position(same);
            }
            if place.is_none() && torrent.peers.len() >= self.caps.peers_per_hash {
                place = Some(0);
            }
        }
        if place.is_none() && self.total >= self.caps.peers {
            let largest = self.torrents.iter().max_by_key(|(_, it)| it.peers.len());
            (hash, place) = largest.map_or((hash, None), |(hash, _)| (*hash, Some(0)));
        }
        let Some(place) = place else { return };
        let Some(torrent) = self.torrents.get_mut(&hash) else {
            return;
        };
        let gone = torrent.peers.remove(place);
        self.total -= 1;
        let one = Share {
            hashes: 0,
            peers: 1,
        };
        release(&mut self.shares, network(gone.endpoint.ip), one);
        // A hash of one peer that is not this one's: the store is smaller than the number of hashes.
        if torrent.peers.is_empty() && hash != *info_hash {
            self.forget(&hash);
        }
    }
}
