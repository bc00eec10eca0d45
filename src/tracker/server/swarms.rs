//! Which peers are in which torrents: the memory of a tracker (BEP 3 "trackers", BEP 7, BEP 48).
//!
//! Invariant: the totals are those of the lists, no list outgrows its bound, and who was silent for a
//! lifetime is told to nobody at once and forgotten by a sweep soon after. At a million peers less than
//! 120 bytes a peer, however they are spread over torrents.
//! Knows no messages and no intervals; an endpoint is who it says to be, because `io` and the
//! connection ids have proved it.
#![allow(clippy::indexing_slicing, reason = "places are those of its own list")]

use std::time::{Duration, Instant};

use bencode::{Endpoint, Family};
use hashbrown::HashTable;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::crowd::{Choice, Crowd, Key, Part};
use super::words::{Bounds, Counts, Entry, Others, Totals, Wish};
use crate::metainfo::InfoHash;

mod width;

use width::{Compact, Told, compact, told};

/// One torrent.
#[derive(Debug)]
struct Torrent {
    hash: InfoHash,
    completed: u32,
    v4: Crowd<6>,
    /// Most torrents have no peer with IPv6, and should not pay for one.
    v6: Option<Box<Crowd<18>>>,
}

impl Torrent {
    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.as_ref().is_none_or(|v6| v6.is_empty())
    }
}

/// Where the sweep goes on: the torrent, the family within, the peer within.
#[derive(Clone, Copy, Debug)]
struct Broom {
    torrent: usize,
    family: Family,
    peer: usize,
}

const START: Broom = Broom {
    torrent: 0,
    family: Family::V4,
    peer: 0,
};

/// The torrents and their peers.
#[derive(Debug)]
pub struct Swarms {
    bounds: Bounds,
    torrents: Vec<Torrent>,
    /// Places in `torrents`.
    index: HashTable<u32>,
    key: Key,
    rng: ChaCha8Rng,
    birth: Instant,
    totals: Totals,
    broom: Broom,
}

impl std::fmt::Debug for Key {
    /// Without the key: it must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Swarms {
    /// Nobody yet. The same seed and the same calls choose the same peers.
    pub fn new(bounds: Bounds, seed: [u8; 32], now: Instant) -> Swarms {
        let mut key = [0; 16];
        key.copy_from_slice(&seed[..16]);
        Swarms {
            bounds,
            torrents: Vec::new(),
            index: HashTable::new(),
            key: Key(key),
            rng: ChaCha8Rng::from_seed(seed),
            birth: now,
            totals: Totals::default(),
            broom: START,
        }
    }

    /// How much is kept.
    pub fn totals(&self) -> Totals {
        Totals {
            torrents: self.torrents.len(),
            ..self.totals
        }
    }

    /// A peer is here, as `part`, and was heard of `ago`.
    pub fn enter(
        &mut self,
        now: Instant,
        hash: InfoHash,
        at: Endpoint,
        part: Part,
        ago: Duration,
    ) -> Entry {
        let seen = self.second(now, ago);
        let full = self.totals.peers() >= self.bounds.peers;
        if full && self.find(hash, at).is_none() {
            return Entry::NoRoom;
        }
        let Some(place) = self.place_or_new(hash) else {
            return Entry::NoRoom;
        };
        let (key, torrent) = (self.key, &mut self.torrents[place]);
        let entered = match compact(at) {
            Compact::V4(at) => told(torrent.v4.enter(key, at, part, seen)),
            Compact::V6(at) => {
                let v6 = torrent.v6.get_or_insert_default();
                told(v6.enter(key, at, part, seen))
            }
        };
        self.count_entry(entered, at.family(), part);
        match entered {
            Told::New(pushed) => Entry::New {
                instead_of: pushed.map(|(at, _)| at),
            },
            Told::Again(was, seen) => Entry::Again {
                was,
                silent: Duration::from_secs(self.clock(now).saturating_sub(seen).into()),
            },
            Told::NoRoom => {
                self.tidy(place);
                Entry::NoRoom
            }
        }
    }

    /// A peer leaves; what it was.
    pub fn leave(&mut self, hash: InfoHash, at: Endpoint) -> Option<Part> {
        let place = self.place(hash)?;
        let (key, torrent) = (self.key, &mut self.torrents[place]);
        let left = match compact(at) {
            Compact::V4(at) => torrent.v4.leave(key, &at),
            Compact::V6(at) => torrent.v6.as_mut().and_then(|v6| v6.leave(key, &at)),
        }?;
        discount(&mut self.totals, at.family(), left);
        self.tidy(place);
        Some(left)
    }

    /// One more download of this torrent is complete. Nothing happens for a torrent that is not kept.
    pub fn complete(&mut self, hash: InfoHash) -> u32 {
        self.place(hash).map_or(0, |place| {
            let torrent = &mut self.torrents[place];
            torrent.completed = torrent.completed.saturating_add(1);
            torrent.completed
        })
    }

    /// Sets what an earlier run had counted.
    pub fn set_completed(&mut self, hash: InfoHash, completed: u32) {
        if let Some(place) = self.place_or_new(hash) {
            self.torrents[place].completed = completed;
        }
    }

    /// What this peer is in this torrent.
    pub fn find(&self, hash: InfoHash, at: Endpoint) -> Option<Part> {
        let torrent = &self.torrents[self.place(hash)?];
        let found = match compact(at) {
            Compact::V4(at) => torrent.v4.find(self.key, &at),
            Compact::V6(at) => torrent.v6.as_ref()?.find(self.key, &at),
        };
        found.map(|(part, _)| part)
    }

    /// How many there are; zeros for a torrent that is not known. Silent ones count until swept.
    pub fn counts(&self, hash: InfoHash) -> Counts {
        let Some(place) = self.place(hash) else {
            return Counts::default();
        };
        let torrent = &self.torrents[place];
        let (mut all, mut leechers) = (torrent.v4.len(), torrent.v4.leechers());
        if let Some(v6) = &torrent.v6 {
            all += v6.len();
            leechers += v6.leechers();
        }
        Counts {
            seeders: saturated(all - leechers),
            leechers: saturated(leechers),
            completed: torrent.completed,
        }
    }

    /// A random choice of the asker's family, and in the places that are left of the other one where
    /// `others` is [`Others::Too`] (BEP 7: over HTTP both fit into a reply; BEP 15: over UDP one does).
    pub fn choose(
        &mut self,
        now: Instant,
        hash: InfoHash,
        wish: &Wish,
        others: Others,
    ) -> Vec<Endpoint> {
        let since = self.since(now);
        let Some(place) = self.place(hash) else {
            return Vec::new();
        };
        let (torrent, rng) = (&self.torrents[place], &mut self.rng);
        let mut found = Vec::with_capacity(wish.want.min(torrent.v4.len() + 8));
        let own = wish.asker.family();
        let families = match (own, others) {
            (Family::V4, Others::None) => &[Family::V4][..],
            (Family::V6, Others::None) => &[Family::V6],
            (Family::V4, Others::Too) => &[Family::V4, Family::V6],
            (Family::V6, Others::Too) => &[Family::V6, Family::V4],
        };
        for family in families {
            let want = wish.want - found.len();
            match (family, &torrent.v6) {
                (Family::V4, _) => choose(&torrent.v4, wish, want, since, rng, &mut found),
                (Family::V6, Some(v6)) => choose(v6, wish, want, since, rng, &mut found),
                (Family::V6, None) => {}
            }
        }
        found
    }

    /// Looks at up to `budget` peers, going on where the last call ended, and forgets those who were
    /// silent for a lifetime. How many were looked at: less than `budget` at the end of the round.
    pub fn sweep(&mut self, now: Instant, budget: usize) -> usize {
        let since = self.since(now);
        let mut looked = 0;
        while looked < budget {
            let Broom {
                torrent: place,
                family,
                peer,
            } = self.broom;
            let Some(torrent) = self.torrents.get_mut(place) else {
                self.broom = START;
                return looked;
            };
            let (key, totals, rest) = (self.key, &mut self.totals, budget - looked);
            let gone = |part| discount(totals, family, part);
            let (next, seen) = match (family, &mut torrent.v6) {
                (Family::V4, _) => torrent.v4.sweep(key, peer, since, rest, gone),
                (Family::V6, Some(v6)) => v6.sweep(key, peer, since, rest, gone),
                (Family::V6, None) => (None, 0),
            };
            looked += seen;
            match (next, family) {
                (Some(peer), _) => self.broom.peer = peer,
                (None, Family::V4) => {
                    self.broom = Broom {
                        family: Family::V6,
                        peer: 0,
                        ..self.broom
                    };
                }
                (None, Family::V6) => {
                    // An empty torrent costs a look too: there may be many.
                    looked += 1;
                    let kept = self.tidy(place);
                    let torrent = if kept { place + 1 } else { place };
                    self.broom = Broom { torrent, ..START };
                }
            }
        }
        looked
    }

    /// Every peer, with how long it has been silent.
    pub fn iter(&self, now: Instant) -> impl Iterator<Item = (InfoHash, Endpoint, Part, Duration)> {
        let clock = self.clock(now);
        self.torrents.iter().flat_map(move |torrent| {
            let v4 = torrent
                .v4
                .iter()
                .map(|(at, part, seen)| (&at[..], part, seen));
            let v6 = torrent.v6.iter().flat_map(|v6| v6.iter());
            let v6 = v6.map(|(at, part, seen)| (&at[..], part, seen));
            v4.chain(v6).filter_map(move |(at, part, seen)| {
                let silent = Duration::from_secs(clock.saturating_sub(seen).into());
                Some((torrent.hash, Endpoint::from_compact(at)?, part, silent))
            })
        })
    }

    /// Removes the torrent at `place` if it is not worth its memory; whether it stays.
    ///
    /// A count of completed downloads is worth it while half of the places are free.
    fn tidy(&mut self, place: usize) -> bool {
        let torrent = &mut self.torrents[place];
        if torrent.v6.as_ref().is_some_and(|v6| v6.is_empty()) {
            torrent.v6 = None;
        }
        let crowded = self.torrents.len() > self.bounds.torrents / 2;
        let torrent = &self.torrents[place];
        if !torrent.is_empty() || (torrent.completed > 0 && !crowded) {
            return true;
        }
        let last = self.torrents.len() - 1;
        self.forget_place(place);
        if place != last {
            let hash = self.key.hash(&self.torrents[last].hash.0);
            let here = |listed: &u32| *listed as usize == last;
            if let Some(listed) = self.index.find_mut(hash, here) {
                *listed = saturated(place);
            }
        }
        self.torrents.swap_remove(place);
        false
    }

    fn forget_place(&mut self, place: usize) {
        let hash = self.key.hash(&self.torrents[place].hash.0);
        let here = |listed: &u32| *listed as usize == place;
        if let Ok(entry) = self.index.find_entry(hash, here) {
            entry.remove();
        }
    }

    fn place(&self, hash: InfoHash) -> Option<usize> {
        let same = |place: &u32| self.torrents[*place as usize].hash == hash;
        let found = self.index.find(self.key.hash(&hash.0), same);
        found.map(|place| *place as usize)
    }

    fn place_or_new(&mut self, hash: InfoHash) -> Option<usize> {
        if let Some(place) = self.place(hash) {
            return Some(place);
        }
        let place = self.torrents.len();
        if place >= self.bounds.torrents {
            return None;
        }
        if place == self.torrents.capacity() {
            // By an eighth: with millions of torrents, empty places are most of what they cost.
            self.torrents.reserve_exact((place / 8).max(16));
        }
        self.torrents.push(Torrent {
            hash,
            completed: 0,
            v4: Crowd::default(),
            v6: None,
        });
        let (key, torrents) = (self.key, &self.torrents);
        let of = |place: &u32| key.hash(&torrents[*place as usize].hash.0);
        self.index
            .insert_unique(key.hash(&hash.0), saturated(place), of);
        Some(place)
    }

    fn count_entry(&mut self, entered: Told, family: Family, part: Part) {
        match entered {
            Told::New(pushed) => {
                if let Some((at, part)) = pushed {
                    discount(&mut self.totals, at.family(), part);
                }
            }
            Told::Again(was, _) => discount(&mut self.totals, family, was),
            Told::NoRoom => return,
        }
        match part {
            Part::Seeder => self.totals.seeders += 1,
            Part::Leecher => self.totals.leechers += 1,
        }
        if family == Family::V6 {
            self.totals.v6 += 1;
        }
    }

    /// Since its birth.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.birth)
    }

    /// Seconds since a lifetime before birth, so that what was saved has a place before it.
    fn clock(&self, now: Instant) -> u32 {
        let since = self.age(now) + self.bounds.lifetime;
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    }

    fn second(&self, now: Instant, ago: Duration) -> u32 {
        let ago = u32::try_from(ago.as_secs()).unwrap_or(u32::MAX);
        self.clock(now).saturating_sub(ago)
    }

    /// Who was heard of in this second or later is here.
    fn since(&self, now: Instant) -> u32 {
        let lifetime = u32::try_from(self.bounds.lifetime.as_secs()).unwrap_or(u32::MAX);
        self.clock(now).saturating_sub(lifetime)
    }
}

fn choose<const N: usize>(
    crowd: &Crowd<N>,
    wish: &Wish,
    want: usize,
    since: u32,
    rng: &mut ChaCha8Rng,
    found: &mut Vec<Endpoint>,
) {
    let mut asker = [0; N];
    match compact(wish.asker) {
        Compact::V4(at) if N == at.len() => asker.copy_from_slice(&at),
        Compact::V6(at) if N == at.len() => asker.copy_from_slice(&at),
        // Nobody is at 0.0.0.0:0 or [::]:0: the asker has no place in the other family.
        _ => {}
    }
    let choice = Choice {
        asker,
        part: wish.part,
        want,
        since,
    };
    crowd.choose(&choice, rng, |at| found.extend(Endpoint::from_compact(at)));
}

fn discount(totals: &mut Totals, family: Family, part: Part) {
    match part {
        Part::Seeder => totals.seeders -= 1,
        Part::Leecher => totals.leechers -= 1,
    }
    if family == Family::V6 {
        totals.v6 -= 1;
    }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests;
