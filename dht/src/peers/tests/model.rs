//! A second store, as simple and slow as can be: a list of announcements, and everything else counted
//! anew each time. It must say the same as the real one, whatever is announced.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::peers::network;

const CAPS: Caps = Caps {
    hashes: 20,
    peers_per_hash: 6,
    peers: 60,
    neighbours: 2,
};

#[derive(Clone, Debug)]
struct Entry {
    hash: u32,
    peer: Endpoint,
    at: Instant,
}

/// Announcements, oldest first, and for each hash who announced it first.
#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
    /// Hash, first network, whether others came.
    owners: Vec<(u32, Option<IpAddr>, bool)>,
}

impl Model {
    fn of(&self, hash: u32) -> Vec<&Entry> {
        self.entries.iter().filter(|it| it.hash == hash).collect()
    }

    fn expire(&mut self, now: Instant) {
        self.entries
            .retain(|it| now.duration_since(it.at) < LIFETIME);
        let alive: BTreeSet<u32> = self.entries.iter().map(|it| it.hash).collect();
        self.owners.retain(|(hash, ..)| alive.contains(hash));
    }

    fn hashes_of(&self, of: IpAddr) -> usize {
        self.owners
            .iter()
            .filter(|(_, owner, _)| *owner == Some(of))
            .count()
    }

    /// Numbers are distances.
    fn farthest(&self, of: Option<IpAddr>) -> Option<u32> {
        let mine = self.owners.iter().filter(|it| of.is_none() || it.1 == of);
        mine.max_by_key(|(hash, _, others)| (of.is_some() && !others, *hash))
            .map(|it| it.0)
    }

    /// Which hash must go; `None`: it does not fit.
    fn price(&self, hash: u32, from: Option<IpAddr>) -> Option<Option<u32>> {
        if self.owners.iter().any(|it| it.0 == hash) {
            return Some(None);
        }
        let has = from.map_or(0, |from| self.hashes_of(from));
        let nearer = |victim: Option<u32>| victim.filter(|victim| hash < *victim).map(Some);
        if from.is_some() && has >= 2 {
            return nearer(self.farthest(from));
        }
        if self.owners.len() < CAPS.hashes {
            return Some(None);
        }
        let networks: BTreeSet<IpAddr> = self
            .entries
            .iter()
            .filter_map(|it| network(it.peer.ip))
            .chain(self.owners.iter().filter_map(|it| it.1))
            .collect();
        let greedy = networks.iter().max_by_key(|it| self.hashes_of(**it));
        if let Some(greedy) = greedy
            && from.is_some()
            && has + 1 < self.hashes_of(*greedy)
        {
            return self.farthest(Some(*greedy)).map(Some);
        }
        nearer(self.farthest(if has > 0 { from } else { None }))
    }

    fn announced(&mut self, now: Instant, hash: u32, peer: Endpoint) -> bool {
        let from = network(peer.ip);
        let same = |it: &&&Entry| network(it.peer.ip) == from;
        let list = self.of(hash);
        let neighbours = list.iter().filter(same).count();
        let renews = list.iter().any(|it| it.peer == peer);
        let used = self
            .entries
            .iter()
            .filter(|it| network(it.peer.ip) == from)
            .count();
        if from.is_some() && used >= 6 && !renews && neighbours < CAPS.neighbours {
            return false;
        }
        let Some(victim) = self.price(hash, from) else {
            return false;
        };
        if let Some(victim) = victim {
            self.entries.retain(|it| it.hash != victim);
            self.owners.retain(|it| it.0 != victim);
        }
        self.displace(hash, peer, neighbours);
        let known = self.owners.iter_mut().find(|it| it.0 == hash);
        match known {
            Some((_, owner, others)) => *others |= owner.is_none() || *owner != from,
            None => self.owners.push((hash, from, from.is_none())),
        }
        self.entries.push(Entry {
            hash,
            peer,
            at: now,
        });
        true
    }

    fn displace(&mut self, hash: u32, peer: Endpoint, neighbours: usize) {
        let from = network(peer.ip);
        let count = self.of(hash).len();
        let first = |keep: &dyn Fn(&Entry) -> bool| self.entries.iter().position(keep);
        let mut gone = first(&|it| it.hash == hash && it.peer == peer);
        if gone.is_none() && from.is_some() && neighbours >= CAPS.neighbours {
            gone = first(&|it| it.hash == hash && network(it.peer.ip) == from);
        }
        if gone.is_none() && count >= CAPS.peers_per_hash {
            gone = first(&|it| it.hash == hash);
        }
        if gone.is_none() && self.entries.len() >= CAPS.peers {
            let hashes: BTreeSet<u32> = self.entries.iter().map(|it| it.hash).collect();
            let largest = hashes.into_iter().max_by_key(|hash| self.of(*hash).len());
            gone = first(&|it| Some(it.hash) == largest);
        }
        if let Some(gone) = gone {
            let gone = self.entries.remove(gone);
            if self.of(gone.hash).is_empty() && gone.hash != hash {
                self.owners.retain(|it| it.0 != gone.hash);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Few networks and hashes, so that all rules meet; sometimes a wait.
    #[test]
    fn the_store_does_as_the_model(
        steps in prop::collection::vec((0_u32..60, 0_u8..40, 0_u8..4, 0_u64..200), 1..400),
    ) {
        let mut now = Instant::now();
        let mut peers = Peers::with_caps(CAPS);
        let mut model = Model::default();
        for (of, subnet, host, wait) in steps {
            now += Duration::from_secs(wait / 4);
            if wait % 8 == 0 {
                peers.sweep(now);
                model.expire(now);
            }
            // The first subnets are private ones.
            let ip = if subnet < 3 { [10, 0, subnet, host] } else { [8, 8, subnet, host] };
            let peer = Endpoint::new(ip.into(), 6881);
            let room = peers.has_room(&OWN, &hash(of), peer.ip);
            let renews = model.of(of).iter().any(|it| it.peer == peer);
            let stored = store(&mut peers, now, of, peer).is_ok();
            prop_assert_eq!(stored, model.announced(now, of, peer));
            prop_assert!(room == stored || renews);
            prop_assert!(peers.hashes() <= CAPS.hashes && peers.len() <= CAPS.peers);
            prop_assert_eq!(peers.len(), model.entries.len());
            prop_assert_eq!(peers.hashes(), model.owners.len());
            let mut expected: Vec<Endpoint> = model
                .of(of)
                .iter()
                .filter(|it| now.duration_since(it.at) < LIFETIME)
                .map(|it| it.peer)
                .collect();
            expected.sort();
            prop_assert_eq!(all(&peers, now, of), expected);
        }
        peers.sweep(now + LIFETIME);
        prop_assert_eq!((peers.len(), peers.hashes(), peers.shares.len()), (0, 0, 0));
    }
}
