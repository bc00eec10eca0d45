//! Who stored our announcement of a hash last time: the first to be asked next time (dht.md §3.2).
//!
//! Of eight holders seven are still there after half an hour, so a repetition begins where the last
//! one ended. Invariant: at most `MAX_HASHES` hashes, the longest unused forgotten first, `MAX_HOLDERS`
//! of each. Only what our owner announces enters. Knows no tokens: those are minutes old at best.

use lru::LruCache;

use crate::contact::Contact;
use crate::id::Id;

/// Hashes remembered (about 450 bytes each).
pub const MAX_HASHES: usize = 16_384;
/// Holders of one hash.
pub const MAX_HOLDERS: usize = 16;

/// Holders by hash.
#[derive(Debug)]
pub struct Holders {
    hashes: LruCache<Id, Vec<Contact>>,
}

impl Default for Holders {
    fn default() -> Holders {
        Holders {
            hashes: LruCache::unbounded(),
        }
    }
}

impl Holders {
    /// These have it now. Nobody: whoever had it before is forgotten.
    pub fn remember(&mut self, info_hash: Id, holders: impl IntoIterator<Item = Contact>) {
        let holders: Vec<Contact> = holders.into_iter().take(MAX_HOLDERS).collect();
        if holders.is_empty() {
            self.hashes.pop(&info_hash);
            return;
        }
        self.hashes.put(info_hash, holders);
        while self.hashes.len() > MAX_HASHES {
            self.hashes.pop_lru();
        }
    }

    /// Who had it.
    pub fn of(&mut self, info_hash: &Id) -> &[Contact] {
        self.hashes.get(info_hash).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use bencode::Endpoint;

    use super::*;

    fn contacts(count: u8) -> impl Iterator<Item = Contact> {
        (0..count).map(|n| Contact {
            id: Id::new([n; 20]),
            endpoint: Endpoint::new([30, n, 1, 1].into(), 6881),
        })
    }

    #[test]
    fn the_last_holders_count() {
        let mut holders = Holders::default();
        let hash = Id::new([1; 20]);
        assert!(holders.of(&hash).is_empty());
        holders.remember(hash, contacts(8));
        holders.remember(hash, contacts(3));
        assert_eq!(holders.of(&hash).len(), 3);
        holders.remember(hash, contacts(200));
        assert_eq!(holders.of(&hash).len(), MAX_HOLDERS);
        holders.remember(hash, []);
        assert!(holders.of(&hash).is_empty());
    }

    #[test]
    fn hashes_are_bounded() {
        let mut holders = Holders::default();
        for n in 0..=u16::try_from(MAX_HASHES).unwrap() {
            let mut hash = [0; 20];
            hash[..2].copy_from_slice(&n.to_be_bytes());
            holders.remember(Id::new(hash), contacts(1));
        }
        assert_eq!(holders.hashes.len(), MAX_HASHES);
    }
}
