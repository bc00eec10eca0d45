//! Write tokens (BEP 5 "get_peers" and "announce_peer"): proof that an announcer owns its endpoint.
//!
//! No state and no timer: a token is a keyed hash of the five-minute epoch, the address, the port and
//! the info hash, valid in its own epoch and the next, hence for five to ten minutes. Invariant: who
//! does not know the key cannot turn a token for one endpoint or hash into one for another. Knows
//! no messages.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use sha1::{Digest, Sha1};

use crate::id::Id;

/// How long an epoch lasts (BEP 5: the reference rotates its secret every five minutes).
pub const EPOCH: Duration = Duration::from_secs(300);

/// Bytes in a token: 64 bits of hash, too many to guess within an epoch.
pub const TOKEN_LENGTH: usize = 8;

/// Makes and checks tokens. The port is in them as well: behind a carrier's NAT an address is many
/// customers', and one socket keeps its port there between a question and the announcement that
/// follows it.
#[derive(Clone)]
pub struct Tokens {
    key: [u8; 32],
    birth: Instant,
}

impl std::fmt::Debug for Tokens {
    /// Without the key: it must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// A maker with a secret `key`; epochs are counted from `birth`.
    #[must_use]
    pub fn new(key: [u8; 32], birth: Instant) -> Tokens {
        Tokens { key, birth }
    }

    /// The token that lets `whom` announce `info_hash`.
    #[must_use]
    pub fn issue(&self, now: Instant, whom: Endpoint, info_hash: &Id) -> [u8; TOKEN_LENGTH] {
        self.of_epoch(self.epoch(now), whom, info_hash)
    }

    /// Whether `token` was issued to `whom` for `info_hash` in this epoch or the one before.
    #[must_use]
    pub fn accepts(&self, now: Instant, whom: Endpoint, info_hash: &Id, token: &[u8]) -> bool {
        let epoch = self.epoch(now);
        let current = self.of_epoch(epoch, whom, info_hash);
        let before = epoch
            .checked_sub(1)
            .map(|epoch| self.of_epoch(epoch, whom, info_hash));
        equal(&current, token) || before.is_some_and(|before| equal(&before, token))
    }

    fn epoch(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.birth).as_secs() / EPOCH.as_secs()
    }

    fn of_epoch(&self, epoch: u64, whom: Endpoint, info_hash: &Id) -> [u8; TOKEN_LENGTH] {
        // Every field has a fixed length (an address is told apart by its leading length byte), so
        // no two inputs run together. The key goes first and last: SHA-1 alone can be extended.
        let mut hash = Sha1::new();
        hash.update(self.key);
        hash.update(epoch.to_be_bytes());
        match whom.ip {
            IpAddr::V4(ip) => {
                hash.update([4]);
                hash.update(ip.octets());
            }
            IpAddr::V6(ip) => {
                hash.update([16]);
                hash.update(ip.octets());
            }
        }
        hash.update(whom.port.to_be_bytes());
        hash.update(info_hash.as_bytes());
        hash.update(self.key);
        let digest = hash.finalize();
        let mut token = [0; TOKEN_LENGTH];
        for (byte, hashed) in token.iter_mut().zip(digest) {
            *byte = hashed;
        }
        token
    }
}

/// Compares in a time that does not tell how many leading bytes were right.
fn equal(ours: &[u8; TOKEN_LENGTH], theirs: &[u8]) -> bool {
    theirs.len() == TOKEN_LENGTH
        && ours
            .iter()
            .zip(theirs)
            .fold(0, |differing, (a, b)| differing | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> (Tokens, Instant, Endpoint, Id) {
        let now = Instant::now();
        (
            Tokens::new([7; 32], now),
            now,
            Endpoint::new([1, 2, 3, 4].into(), 6881),
            Id::new([9; 20]),
        )
    }

    #[test]
    fn a_token_lives_for_five_to_ten_minutes() {
        let (tokens, now, ip, hash) = setting();
        let token = tokens.issue(now, ip, &hash);
        assert!(tokens.accepts(now, ip, &hash, &token));
        assert!(tokens.accepts(now + Duration::from_secs(599), ip, &hash, &token));
        assert!(!tokens.accepts(now + Duration::from_secs(600), ip, &hash, &token));
        let late = tokens.issue(now + Duration::from_secs(299), ip, &hash);
        assert!(tokens.accepts(now + Duration::from_secs(599), ip, &hash, &late));
    }

    #[test]
    fn a_token_is_bound_to_address_port_and_hash() {
        let (tokens, now, ip, hash) = setting();
        let token = tokens.issue(now, ip, &hash);
        assert!(!tokens.accepts(now, Endpoint::new([1, 2, 3, 5].into(), 6881), &hash, &token));
        assert!(!tokens.accepts(now, Endpoint::new(ip.ip, 6882), &hash, &token));
        assert!(!tokens.accepts(now, ip, &Id::new([8; 20]), &token));
    }

    #[test]
    fn keys_make_different_tokens() {
        let (tokens, now, ip, hash) = setting();
        let other = Tokens::new([8; 32], now);
        assert_ne!(tokens.issue(now, ip, &hash), other.issue(now, ip, &hash));
    }

    #[test]
    fn wrong_lengths_and_every_flipped_bit_are_refused() {
        let (tokens, now, ip, hash) = setting();
        let token = tokens.issue(now, ip, &hash);
        assert!(!tokens.accepts(now, ip, &hash, b""));
        assert!(!tokens.accepts(now, ip, &hash, &token[..7]));
        for bit in 0..64 {
            let mut forged = token;
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(!tokens.accepts(now, ip, &hash, &forged));
        }
    }

    #[test]
    fn families_do_not_collide() {
        let (tokens, now, ip, hash) = setting();
        let v6 = Endpoint::new([0x2600, 0, 0, 0, 0, 0, 0, 0].into(), 6881);
        assert_ne!(tokens.issue(now, ip, &hash), tokens.issue(now, v6, &hash));
    }
}
