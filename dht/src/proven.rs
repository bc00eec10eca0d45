//! Whose address is its own: who answered a question of ours, or used a token that we gave it.
//!
//! The source of a datagram can be forged; an answer to a random transaction id, or a token, cannot be
//! made without reading what we sent there. Invariant: at most `MAX_PROVEN` addresses, the least recently
//! proven forgotten first, none for longer than `LIFETIME`. Knows no messages.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long a proof counts (dht.md 4.5).
pub const LIFETIME: Duration = Duration::from_secs(600);
/// Addresses remembered (16 bytes each).
pub const MAX_PROVEN: usize = 256;

/// When an address, or a v6 /64, proved itself: small, for there are networks of a million nodes in one
/// simulation.
#[derive(Clone, Copy, Debug)]
struct Proof {
    who: u64,
    /// Seconds since birth.
    at: u32,
}

/// The proven addresses.
#[derive(Debug)]
pub struct Proven {
    /// Sorted by `who`.
    proofs: Vec<Proof>,
    birth: Instant,
}

/// A v4 address, or the network of a v6 one; public ones of both are never equal.
fn number(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(ip.to_bits()),
        IpAddr::V6(ip) => (ip.to_bits() >> 64) as u64,
    }
}

impl Proven {
    /// Nobody is proven yet; times are counted from `birth`.
    #[must_use]
    pub fn new(birth: Instant) -> Proven {
        Proven {
            proofs: Vec::new(),
            birth,
        }
    }

    /// `ip` proved that what is sent to it arrives there.
    pub fn proved(&mut self, now: Instant, ip: IpAddr) {
        let (who, at) = (number(ip), self.seconds(now));
        match self.proofs.binary_search_by_key(&who, |proof| proof.who) {
            Ok(index) => {
                if let Some(proof) = self.proofs.get_mut(index) {
                    proof.at = at;
                }
            }
            Err(_) => {
                if self.proofs.len() >= MAX_PROVEN {
                    self.forget(at);
                }
                let index = self.proofs.partition_point(|proof| proof.who < who);
                self.proofs.insert(index, Proof { who, at });
            }
        }
    }

    /// Whether it did so of late.
    #[must_use]
    pub fn has(&self, now: Instant, ip: IpAddr) -> bool {
        let who = number(ip);
        let found = self.proofs.binary_search_by_key(&who, |proof| proof.who);
        let proof = found.ok().and_then(|index| self.proofs.get(index));
        proof.is_some_and(|proof| counts(proof, self.seconds(now)))
    }

    /// Forgets what no longer counts, or the oldest.
    fn forget(&mut self, now: u32) {
        self.proofs.retain(|proof| counts(proof, now));
        let all = self.proofs.iter().enumerate();
        let oldest = all
            .min_by_key(|(_, proof)| proof.at)
            .map(|(index, _)| index);
        if let Some(index) = oldest
            && self.proofs.len() >= MAX_PROVEN
        {
            self.proofs.remove(index);
        }
    }

    fn seconds(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.birth);
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
    }
}

fn counts(proof: &Proof, now: u32) -> bool {
    u64::from(now.saturating_sub(proof.at)) < LIFETIME.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_counts_for_ten_minutes_since_the_last() {
        let now = Instant::now();
        let ip = IpAddr::from([9, 9, 9, 9]);
        let mut proven = Proven::new(now);
        assert!(!proven.has(now, ip));
        proven.proved(now, ip);
        proven.proved(now + LIFETIME / 2, ip);
        assert!(proven.has(now + LIFETIME, ip));
        assert!(!proven.has(now + LIFETIME / 2 + LIFETIME, ip));
        assert!(!proven.has(now, IpAddr::from([9, 9, 9, 8])));
    }

    #[test]
    fn a_v6_network_proves_itself_once() {
        let now = Instant::now();
        let host = |n| IpAddr::from([0x2600, 1, 2, 3, 0, 0, 0, n]);
        let mut proven = Proven::new(now);
        proven.proved(now, host(1));
        assert!(proven.has(now, host(2)));
        assert!(!proven.has(now, IpAddr::from([0x2600, 1, 2, 4, 0, 0, 0, 1])));
    }

    #[test]
    fn few_are_remembered_and_only_while_it_counts() {
        let mut now = Instant::now();
        let mut proven = Proven::new(now);
        for n in 0..5_000_u32 {
            now += Duration::from_millis(20);
            proven.proved(now, IpAddr::from(n.to_be_bytes()));
            assert!(proven.proofs.len() <= MAX_PROVEN);
        }
        assert!(proven.has(now, IpAddr::from(4_999_u32.to_be_bytes())));
        assert!(!proven.has(now, IpAddr::from([0, 0, 0, 1])));
        now += LIFETIME;
        proven.proved(now, IpAddr::from([1, 1, 1, 1]));
        assert_eq!(proven.proofs.len(), 1);
    }
}
