//! Connection ids of the UDP tracker protocol (BEP 15 "connect"): proof that whoever announces
//! receives what is sent to his address.
//!
//! No state and no timer: an id is a keyed hash of the address and the minute. Invariant: who does not
//! know the key cannot make an id, and one that was issued to another address is worth nothing.
//! Knows no messages.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};

/// How long an epoch lasts.
const EPOCH: Duration = Duration::from_secs(60);

/// Epochs in which an id is accepted after its own: BEP 15 lets a client use it for a minute and asks
/// the server for two. So it lives for two to three.
const GRACE: u64 = 2;

/// Bits of an id that tell its epoch, so that one hash decides.
const EPOCH_BITS: u64 = 0b11;

/// Makes and checks connection ids. Ports are not in them: BEP 15 binds an id to the address, and a NAT
/// may give the next datagram another port.
#[derive(Clone)]
pub struct Connections {
    key: [u8; 16],
    birth: Instant,
}

impl std::fmt::Debug for Connections {
    /// Without the key: it must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Connections {
    /// A maker with a secret `key`; epochs are counted from `birth`.
    #[must_use]
    pub fn new(key: [u8; 16], birth: Instant) -> Connections {
        Connections { key, birth }
    }

    /// The id with which `whom` may announce and scrape.
    #[must_use]
    pub fn issue(&self, now: Instant, whom: IpAddr) -> u64 {
        self.of_epoch(self.epoch(now), whom)
    }

    /// Whether `id` was issued to `whom` two or three minutes ago at most.
    #[must_use]
    pub fn accepts(&self, now: Instant, whom: IpAddr, id: u64) -> bool {
        let epoch = self.epoch(now);
        let age = epoch.wrapping_sub(id) & EPOCH_BITS;
        // In the first minutes there are no earlier epochs.
        age <= GRACE && age <= epoch && self.of_epoch(epoch - age, whom) == id
    }

    fn epoch(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.birth).as_secs() / EPOCH.as_secs()
    }

    fn of_epoch(&self, epoch: u64, whom: IpAddr) -> u64 {
        // Every field has a fixed length, families are told apart by their first byte, and the whole fits
        // into one block of SHA-1. The key goes first and last: SHA-1 alone can be extended.
        let mut hash = Sha1::new();
        hash.update(self.key);
        hash.update(u32::try_from(epoch).unwrap_or(u32::MAX).to_be_bytes());
        match whom.to_canonical() {
            IpAddr::V4(ip) => {
                hash.update([4]);
                hash.update(ip.octets());
            }
            IpAddr::V6(ip) => {
                hash.update([16]);
                hash.update(ip.octets());
            }
        }
        hash.update(self.key);
        let digest = hash.finalize();
        let mut id = [0; 8];
        for (byte, hashed) in id.iter_mut().zip(digest) {
            *byte = hashed;
        }
        u64::from_be_bytes(id) & !EPOCH_BITS | epoch & EPOCH_BITS
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn setting() -> (Connections, Instant, IpAddr) {
        let now = Instant::now();
        (Connections::new([7; 16], now), now, [1, 2, 3, 4].into())
    }

    #[test]
    fn an_id_lives_for_two_to_three_minutes() {
        let (connections, birth, ip) = setting();
        for late in [0, 1, 59] {
            let issued = birth + 300 * SECOND + late * SECOND;
            let id = connections.issue(issued, ip);
            assert!(connections.accepts(issued, ip, id));
            assert!(connections.accepts(issued + 120 * SECOND, ip, id));
            assert!(!connections.accepts(issued + 180 * SECOND, ip, id));
            // The bits of its epoch come round after four minutes; it does not live again.
            assert!(!connections.accepts(issued + 240 * SECOND, ip, id));
        }
    }

    #[test]
    fn an_id_is_bound_to_the_address() {
        let (connections, now, ip) = setting();
        let id = connections.issue(now, ip);
        assert!(!connections.accepts(now, [1, 2, 3, 5].into(), id));
        let mapped: IpAddr = "::ffff:1.2.3.4".parse().unwrap();
        assert!(connections.accepts(now, mapped, id));
        assert!(!connections.accepts(now, "::1.2.3.4".parse().unwrap(), id));
    }

    #[test]
    fn every_flipped_bit_and_other_keys_are_refused() {
        let (connections, birth, ip) = setting();
        for now in [birth, birth + 1000 * SECOND] {
            let id = connections.issue(now, ip);
            for bit in 0..64 {
                assert!(!connections.accepts(now, ip, id ^ (1 << bit)));
            }
            let other = Connections::new([8; 16], birth);
            assert!(!other.accepts(now, ip, id));
        }
    }
}
