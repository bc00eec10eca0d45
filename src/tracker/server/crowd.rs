//! The peers of one torrent in one address family: who is here, who is silent for too long, and a
//! random choice of them for whoever asks (BEP 3 "trackers", BEP 7).
//!
//! Invariant: leechers stand before seeders in one dense list, every peer once, and from
//! [`FEW`] peers on an index finds each by its address. A peer takes 12 bytes (IPv4) or 24 (IPv6)
//! and about 6 in the index. Knows nothing of torrents, messages and totals.
#![allow(clippy::indexing_slicing, reason = "places are those of its own list")]

use std::hash::{DefaultHasher, Hasher};

use hashbrown::HashTable;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A list of at most so many is searched from end to end; a longer one has an index.
const FEW: usize = 32;

/// Threat: peers of one IPv4 address, or of one IPv6 /64, in one torrent. A client that takes another
/// port at each start, or somebody who invents ports, pushes out himself and nobody else.
pub const MAX_OF_ONE_ADDRESS: usize = 64;

/// Most peers of one torrent in one family; who comes later is served but not kept.
pub const MAX_CROWD: usize = 1 << 20;

/// What a peer does in a torrent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// It lacks something.
    Leecher,
    /// It has everything.
    Seeder,
}

/// What became of a peer that said to be here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entered<const N: usize> {
    /// It was not known.
    New {
        /// The one that it pushed out, and what that was.
        instead_of: Option<([u8; N], Part)>,
    },
    /// It was known.
    Again {
        /// As what.
        was: Part,
        /// When it was heard of last.
        seen: u32,
    },
    /// The list is full.
    NoRoom,
}

/// Address and port in network order (BEP 23), and the second in which it was heard of last.
#[derive(Clone, Copy, Debug)]
struct Peer<const N: usize> {
    at: [u8; N],
    seen: u32,
}

/// A secret that decides where peers stand in an index, so that nobody can choose colliding addresses.
#[derive(Clone, Copy)]
pub(super) struct Key(pub(super) [u8; 16]);

impl Key {
    pub(super) fn hash(self, bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.0);
        hasher.write(bytes);
        hasher.finish()
    }

    /// One hash for all ports of an address (IPv6: of a /64), so that its peers can be counted.
    fn of<const N: usize>(self, at: &[u8; N]) -> u64 {
        self.hash(address(at))
    }
}

/// What belongs to one host: the IPv4 address, or the /64 that one IPv6 customer has to himself.
fn address<const N: usize>(at: &[u8; N]) -> &[u8] {
    let length = if N == 6 { 4 } else { 8 };
    at.get(..length).unwrap_or(at)
}

/// The peers. `N` is 6 for IPv4 and 18 for IPv6.
#[derive(Debug, Default)]
pub(super) struct Crowd<const N: usize> {
    /// Leechers, then seeders.
    peers: Vec<Peer<N>>,
    /// Places in `peers` by [`Key::of`].
    index: Option<Box<HashTable<u32>>>,
    leechers: u32,
}

/// Whom to choose.
pub(super) struct Choice<const N: usize> {
    /// Who asks, and is not told of himself.
    pub(super) asker: [u8; N],
    /// Seeders are told of leechers only: seeders do not talk to each other.
    pub(super) part: Part,
    /// How many at most.
    pub(super) want: usize,
    /// Whoever was heard of before this second counts as gone.
    pub(super) since: u32,
}

impl<const N: usize> Crowd<N> {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    pub(super) fn leechers(&self) -> usize {
        self.leechers as usize
    }

    /// A peer said to be here, as `part`, in the second `seen`.
    pub(super) fn enter(&mut self, key: Key, at: [u8; N], part: Part, seen: u32) -> Entered<N> {
        match self.place(key, &at) {
            Place::Known(place) => {
                let was = self.part_of(place);
                let before = std::mem::replace(&mut self.peers[place].seen, seen);
                if was != part {
                    self.change_part(key, place, part);
                }
                Entered::Again { was, seen: before }
            }
            Place::Unknown { crowded: None } if self.peers.len() >= MAX_CROWD => Entered::NoRoom,
            Place::Unknown { crowded } => {
                let instead_of = crowded.map(|place| self.remove(key, place));
                self.append(key, Peer { at, seen }, part);
                Entered::New { instead_of }
            }
        }
    }

    /// A peer said to leave; what it was, if it was here.
    pub(super) fn leave(&mut self, key: Key, at: &[u8; N]) -> Option<Part> {
        match self.place(key, at) {
            Place::Known(place) => Some(self.remove(key, place).1),
            Place::Unknown { .. } => None,
        }
    }

    /// What this peer is, and when it was heard of last.
    pub(super) fn find(&self, key: Key, at: &[u8; N]) -> Option<(Part, u32)> {
        match self.place(key, at) {
            Place::Known(place) => Some((self.part_of(place), self.peers[place].seen)),
            Place::Unknown { .. } => None,
        }
    }

    /// Calls `tell` with a random choice, nobody twice. Every peer is as likely as every other.
    pub(super) fn choose(
        &self,
        choice: &Choice<N>,
        rng: &mut ChaCha8Rng,
        mut tell: impl FnMut(&[u8; N]),
    ) {
        let pool = match choice.part {
            Part::Leecher => self.peers.len(),
            Part::Seeder => self.leechers(),
        };
        if pool == 0 || choice.want == 0 {
            return;
        }
        // Steps of a random width that shares no divisor with the number of peers come by everybody
        // once, so that no list of those already chosen is needed.
        let pool32 = u32::try_from(pool).unwrap_or(u32::MAX);
        let step = if pool <= choice.want {
            1
        } else {
            coprime(pool32, rng) as usize
        };
        let mut place = (rng.next_u32() % pool32) as usize;
        let mut wanted = choice.want;
        // Silent peers are swept away within seconds, so few are met here.
        for _ in 0..pool.min(2 * choice.want + 16) {
            let peer = &self.peers[place];
            if peer.seen >= choice.since && peer.at != choice.asker {
                tell(&peer.at);
                wanted -= 1;
                if wanted == 0 {
                    return;
                }
            }
            place += step;
            if place >= pool {
                place -= pool;
            }
        }
    }

    /// Looks at up to `budget` peers from `place` on and removes those heard of before `since`; calls
    /// `gone` for each. The place to go on from, and how many were looked at; `None` at the end.
    pub(super) fn sweep(
        &mut self,
        key: Key,
        mut place: usize,
        since: u32,
        budget: usize,
        mut gone: impl FnMut(Part),
    ) -> (Option<usize>, usize) {
        let mut looked = 0;
        while place < self.peers.len() {
            if looked == budget {
                return (Some(place), looked);
            }
            looked += 1;
            if self.peers[place].seen < since {
                // Another one comes to stand here and is looked at next.
                gone(self.remove(key, place).1);
            } else {
                place += 1;
            }
        }
        self.shrink(key);
        (None, looked)
    }

    /// Every peer, for tests and for a first copy into a database.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8; N], Part, u32)> {
        let peers = self.peers.iter().enumerate();
        peers.map(|(place, peer)| (&peer.at, self.part_of(place), peer.seen))
    }

    /// Places that are allocated, for tests.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.peers.capacity()
    }

    fn part_of(&self, place: usize) -> Part {
        if place < self.leechers() {
            Part::Leecher
        } else {
            Part::Seeder
        }
    }

    /// Where this peer stands, or who would have to go for it.
    fn place(&self, key: Key, at: &[u8; N]) -> Place {
        let mut neighbours = 0;
        let mut oldest: Option<(u32, usize)> = None;
        let mut same = |place: usize| {
            let peer = &self.peers[place];
            if peer.at == *at {
                return true;
            }
            if address(&peer.at) == address(at) {
                neighbours += 1;
                oldest = oldest
                    .min(Some((peer.seen, place)))
                    .or(Some((peer.seen, place)));
            }
            false
        };
        let found = match &self.index {
            None => (0..self.peers.len()).find(|place| same(*place)),
            Some(index) => index
                .iter_hash(key.of(at))
                .map(|place| *place as usize)
                .find(|place| same(*place)),
        };
        match found {
            Some(place) => Place::Known(place),
            None => Place::Unknown {
                crowded: oldest
                    .map(|(_, place)| place)
                    .filter(|_| neighbours >= MAX_OF_ONE_ADDRESS),
            },
        }
    }

    fn append(&mut self, key: Key, peer: Peer<N>, part: Part) {
        let place = self.peers.len();
        if place == self.peers.capacity() {
            // By a half and not to the double: most torrents have a handful of peers.
            self.peers.reserve_exact((place / 2).max(1));
        }
        self.peers.push(peer);
        match &mut self.index {
            Some(index) => {
                let peers = &self.peers;
                let hash = |place: &u32| key.of(&peers[*place as usize].at);
                index.insert_unique(key.of(&peer.at), small(place), hash);
            }
            None if place >= FEW => self.build_index(key),
            None => {}
        }
        if part == Part::Leecher {
            self.change_part(key, place, part);
        }
    }

    /// Moves the peer at `place` over the border between leechers and seeders.
    fn change_part(&mut self, key: Key, place: usize, part: Part) {
        let border = match part {
            Part::Leecher => self.leechers(),
            Part::Seeder => self.leechers() - 1,
        };
        self.swap(key, place, border);
        match part {
            Part::Leecher => self.leechers += 1,
            Part::Seeder => self.leechers -= 1,
        }
    }

    /// Removes the peer at `place`; whoever stands last takes the free place.
    fn remove(&mut self, key: Key, mut place: usize) -> ([u8; N], Part) {
        let part = self.part_of(place);
        if part == Part::Leecher {
            let border = self.leechers() - 1;
            self.change_part(key, place, Part::Seeder);
            place = border;
        }
        let last = self.peers.len() - 1;
        self.swap(key, place, last);
        let at = self.peers[last].at;
        if let Some(index) = &mut self.index {
            let here = |place: &u32| *place == small(last);
            if let Ok(entry) = index.find_entry(key.of(&at), here) {
                entry.remove();
            }
        }
        self.peers.pop();
        (at, part)
    }

    fn swap(&mut self, key: Key, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.peers.swap(a, b);
        let Some(index) = &mut self.index else { return };
        // What stands at b now is still listed at a, and the other way round. Both are looked up before
        // either changes: they may have the same hash.
        let (at_a, at_b) = (key.of(&self.peers[a].at), key.of(&self.peers[b].at));
        let mark = u32::MAX;
        if let Some(listed) = index.find_mut(at_a, |place| *place == small(b)) {
            *listed = mark;
        }
        if let Some(listed) = index.find_mut(at_b, |place| *place == small(a)) {
            *listed = small(b);
        }
        if let Some(listed) = index.find_mut(at_a, |place| *place == mark) {
            *listed = small(a);
        }
    }

    fn build_index(&mut self, key: Key) {
        let peers = &self.peers;
        let hash = |place: &u32| key.of(&peers[*place as usize].at);
        let mut index = Box::new(HashTable::with_capacity(peers.len()));
        for place in 0..small(peers.len()) {
            index.insert_unique(hash(&place), place, hash);
        }
        self.index = Some(index);
    }

    /// Gives memory back after many have gone.
    fn shrink(&mut self, key: Key) {
        if self.peers.capacity() < 4 * self.peers.len().max(1) {
            return;
        }
        self.peers
            .shrink_to(self.peers.len() + self.peers.len() / 2);
        if self.peers.len() <= FEW / 2 {
            self.index = None;
        } else if self.index.is_some() {
            self.build_index(key);
        }
    }
}

/// Where a peer stands.
enum Place {
    Known(usize),
    Unknown {
        /// Its address has [`MAX_OF_ONE_ADDRESS`] peers already; the one that was silent for longest.
        crowded: Option<usize>,
    },
}

/// A place as the index keeps it; [`MAX_CROWD`] is far below what fits.
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// A random number below `pool` that shares no divisor with it; at least 6 in 100 numbers are such.
fn coprime(pool: u32, rng: &mut ChaCha8Rng) -> u32 {
    for _ in 0..16 {
        let candidate = rng.next_u32() % pool;
        if gcd(candidate, pool) == 1 {
            return candidate;
        }
    }
    1
}

fn gcd(mut a: u32, mut b: u32) -> u32 {
    while a != 0 {
        (a, b) = (b % a, a);
    }
    b
}
