//! Peers that others announced to us (BEP 5 "announce_peer", BEP 33 "Changed announce accounting").
//!
//! Invariant: `Caps` holds after each call, and no peer older than `LIFETIME` is handed out. Space is shared
//! by networks (a v4 /24, a v6 /48): who has more than others makes room for those who have less, and among
//! the hashes of one network those farthest from our id go first, since they are looked for elsewhere.
//! Private addresses share without bounds. Knows no tokens.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Endpoint, Family};
use rand::{Rng, RngExt};

use crate::bloom::Bloom;
use crate::contact::network_of;
use crate::id::Id;
use crate::message::Part;

mod room;

/// Hashes stored (dht.md §3.3).
pub const MAX_HASHES: usize = 4_000;
/// Peers stored of one hash.
pub const MAX_PEERS_PER_HASH: usize = 500;
/// Peers stored in all (56 bytes each).
pub const MAX_PEERS: usize = 100_000;
/// Peers of one hash in one public network.
///
/// Deviation: BEP 33 wants one an address; several homes may share one behind a carrier's NAT.
pub const MAX_NEIGHBOURS: usize = 4;
/// How long an announce counts: clients repeat it every 15 to 30 minutes.
pub const LIFETIME: Duration = Duration::from_secs(45 * 60);

/// How much is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Hashes.
    pub hashes: usize,
    /// Peers of one hash.
    pub peers_per_hash: usize,
    /// Peers in all.
    pub peers: usize,
    /// Peers of one hash in one public network.
    pub neighbours: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            hashes: MAX_HASHES,
            peers_per_hash: MAX_PEERS_PER_HASH,
            peers: MAX_PEERS,
            neighbours: MAX_NEIGHBOURS,
        }
    }
}

/// There is no room for this announcement: no harm to its torrent, other nodes are as near.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Clone, Copy, Debug)]
struct Peer {
    endpoint: Endpoint,
    at: Instant,
    part: Part,
}

/// Whose space a hash takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nobody's: first announced from a private network.
    Nobody,
    /// That of the network which announced it first, and alone.
    Alone(IpAddr),
    /// Of the network which announced it first; others did so too.
    First(IpAddr),
}

impl Owner {
    fn network(self) -> Option<IpAddr> {
        match self {
            Owner::Nobody => None,
            Owner::Alone(network) | Owner::First(network) => Some(network),
        }
    }
}

#[derive(Debug)]
struct Torrent {
    /// In the order of their announcements, oldest first. Not empty.
    peers: Vec<Peer>,
    owner: Owner,
}

/// What one network has in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    hashes: usize,
    peers: usize,
}

/// The store.
#[derive(Debug, Default)]
pub struct Peers {
    torrents: BTreeMap<Id, Torrent>,
    shares: BTreeMap<IpAddr, Share>,
    total: usize,
    caps: Caps,
}

/// The public network of an address; `None`: a private one, where many peers on one address are normal.
fn network(ip: IpAddr) -> Option<IpAddr> {
    AddressPolicy::default()
        .admits_ip(ip)
        .then(|| network_of(ip))
}

fn lives(peer: &Peer, now: Instant) -> bool {
    now.saturating_duration_since(peer.at) < LIFETIME
}

impl Peers {
    /// A store of another size.
    #[must_use]
    pub fn with_caps(caps: Caps) -> Peers {
        Peers {
            caps,
            ..Peers::default()
        }
    }

    /// Stores that a peer has `info_hash`, or part of it; `own` is our id.
    ///
    /// # Errors
    /// `Full`; the store is then as before.
    pub fn announced(
        &mut self,
        now: Instant,
        own: &Id,
        info_hash: Id,
        (endpoint, part): (Endpoint, Part),
    ) -> Result<(), Full> {
        let network = network(endpoint.ip);
        if !self.admits_peer(&info_hash, endpoint) {
            return Err(Full);
        }
        self.make_room(own, &info_hash, network)?;
        self.displace_peer(&info_hash, endpoint);
        let torrent = self.torrents.entry(info_hash).or_insert_with(|| {
            if let Some(network) = network {
                self.shares.entry(network).or_default().hashes += 1;
            }
            Torrent {
                peers: Vec::new(),
                owner: network.map_or(Owner::Nobody, Owner::Alone),
            }
        });
        if let Owner::Alone(first) = torrent.owner
            && network != Some(first)
        {
            torrent.owner = Owner::First(first);
        }
        torrent.peers.push(Peer {
            endpoint,
            at: now,
            part,
        });
        self.total += 1;
        if let Some(network) = network {
            self.shares.entry(network).or_default().peers += 1;
        }
        Ok(())
    }

    /// At most `limit` peers of `info_hash` in one family, a fair sample in random order. A seed is told of
    /// other seeds only if there is nobody else (BEP 33 `noseed`).
    pub fn sample(
        &self,
        now: Instant,
        info_hash: &Id,
        (family, asker, limit): (Family, Part, usize),
        rng: &mut impl Rng,
    ) -> Vec<Endpoint> {
        let list = self.torrents.get(info_hash).map_or(&[][..], |it| &it.peers);
        let wanted = |peer: &&Peer| peer.endpoint.family() == family && lives(peer, now);
        let useful = |peer: &&Peer| asker == Part::Peer || peer.part == Part::Peer;
        let live = list.iter().filter(wanted);
        let mut found: Vec<Endpoint> = live.filter(useful).map(|peer| peer.endpoint).collect();
        shuffle(&mut found, limit, rng);
        if found.len() < limit && asker == Part::Seed {
            let live = list.iter().filter(wanted);
            let seeds = live.filter(|peer| !useful(peer));
            let mut seeds: Vec<Endpoint> = seeds.map(|peer| peer.endpoint).collect();
            shuffle(&mut seeds, limit - found.len(), rng);
            found.append(&mut seeds);
        }
        found
    }

    /// The addresses of seeds and of others (BEP 33); `None` if nobody is known.
    #[must_use]
    pub fn filters(&self, now: Instant, info_hash: &Id) -> Option<(Bloom, Bloom)> {
        let (mut seeds, mut peers) = (Bloom::default(), Bloom::default());
        let torrent = self.torrents.get(info_hash)?;
        for peer in torrent.peers.iter().filter(|peer| lives(peer, now)) {
            match peer.part {
                Part::Seed => seeds.insert(peer.endpoint.ip),
                Part::Peer => peers.insert(peer.endpoint.ip),
            }
        }
        (!seeds.is_empty() || !peers.is_empty()).then_some((seeds, peers))
    }

    /// At most `limit` of the hashes, a fair sample in random order (BEP 51).
    pub fn some_hashes(&self, limit: usize, rng: &mut impl Rng) -> Vec<Id> {
        let mut all: Vec<Id> = self.torrents.keys().copied().collect();
        shuffle(&mut all, limit, rng);
        all
    }

    /// Forgets what is too old, to be called now and then: a look at each peer, 0.2 ms when full.
    pub fn sweep(&mut self, now: Instant) {
        let (shares, total) = (&mut self.shares, &mut self.total);
        self.torrents.retain(|_, torrent| {
            torrent.peers.retain(|peer| {
                let stays = lives(peer, now);
                if !stays {
                    *total -= 1;
                    release(
                        shares,
                        network(peer.endpoint.ip),
                        Share {
                            hashes: 0,
                            peers: 1,
                        },
                    );
                }
                stays
            });
            if torrent.peers.is_empty() {
                release(
                    shares,
                    torrent.owner.network(),
                    Share {
                        hashes: 1,
                        peers: 0,
                    },
                );
            }
            !torrent.peers.is_empty()
        });
    }

    /// Hashes stored.
    #[must_use]
    pub fn hashes(&self) -> usize {
        self.torrents.len()
    }

    /// Peers stored, of all hashes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.total
    }

    /// Whether nothing is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }
}

/// Takes `less` off what a network has.
fn release(shares: &mut BTreeMap<IpAddr, Share>, network: Option<IpAddr>, less: Share) {
    let Some(network) = network else { return };
    if let Some(share) = shares.get_mut(&network) {
        share.hashes = share.hashes.saturating_sub(less.hashes);
        share.peers = share.peers.saturating_sub(less.peers);
        if *share == Share::default() {
            shares.remove(&network);
        }
    }
}

/// Leaves a fair sample of at most `limit`, in random order: Fisher-Yates as far as needed.
fn shuffle<T>(all: &mut Vec<T>, limit: usize, rng: &mut impl Rng) {
    let wanted = limit.min(all.len());
    for index in 0..wanted {
        let other = rng.random_range(index..all.len());
        all.swap(index, other);
    }
    all.truncate(wanted);
}

#[cfg(test)]
mod tests;
