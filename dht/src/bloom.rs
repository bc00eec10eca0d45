//! Sets of addresses that can be counted but not listed (BEP 33 "Bloom Filters").
//!
//! A torrent's peers are scattered over a dozen nodes, none of which has them all; filters of several
//! nodes unite without counting anybody twice. Invariant: 256 bytes, two bits set for each address.
//! A filter that came from the network may be anything: whoever sums up filters decides whom to
//! believe. Knows no torrents.

use std::fmt;
use std::net::IpAddr;

use sha1::{Digest, Sha1};

/// Bytes of a filter on the wire (BEP 33: `m` = 256 · 8 bits).
pub const BLOOM_LENGTH: usize = 256;
/// BEP 33's `m`.
const BITS: usize = BLOOM_LENGTH * 8;
/// BEP 33's `k`: bits that one address sets.
const HASHES: f64 = 2.0;
/// Addresses beyond which a filter tells nothing (BEP 33: storing nodes stop here).
pub const MAX_COUNTED: usize = 6_000;

/// A set of IP addresses.
#[derive(Clone, PartialEq, Eq)]
pub struct Bloom(Box<[u8; BLOOM_LENGTH]>);

impl Default for Bloom {
    fn default() -> Self {
        Bloom(Box::new([0; BLOOM_LENGTH]))
    }
}

impl fmt::Debug for Bloom {
    /// The estimate: 256 bytes tell a reader nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bloom(~{:.0})", self.estimate())
    }
}

impl Bloom {
    /// A filter as it came; `None` unless it has 256 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Bloom> {
        Some(Bloom(Box::new(bytes.try_into().ok()?)))
    }

    /// As it goes onto the wire.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; BLOOM_LENGTH] {
        &self.0
    }

    /// Adds an address.
    pub fn insert(&mut self, ip: IpAddr) {
        for bit in bits_of(ip) {
            if let Some(byte) = self.0.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
        }
    }

    /// Whether `ip` was perhaps added; if not, it certainly was not.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        bits_of(ip).into_iter().all(|bit| {
            let byte = self.0.get(bit / 8).copied().unwrap_or(0);
            byte & (1 << (bit % 8)) != 0
        })
    }

    /// The addresses of both.
    #[must_use]
    pub fn union(&self, other: &Bloom) -> Bloom {
        let mut all = self.clone();
        for (ours, theirs) in all.0.iter_mut().zip(other.0.iter()) {
            *ours |= theirs;
        }
        all
    }

    /// How many addresses were added, about: within 5 % up to 3,000, at most some 7,800.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        let bits = BITS as f64;
        // BEP 33 bounds the zeros from above; a full filter would give infinity, so also from below.
        let zeros = f64::from(zeros).clamp(1.0, bits - 1.0);
        if self.is_empty() {
            return 0.0;
        }
        (zeros / bits).ln() / (HASHES * (1.0 - 1.0 / bits).ln())
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }
}

/// The two bits of an address, below `BITS`.
fn bits_of(ip: IpAddr) -> [usize; 2] {
    let hash = match ip {
        IpAddr::V4(ip) => Sha1::digest(ip.octets()),
        IpAddr::V6(ip) => Sha1::digest(ip.octets()),
    };
    let index = |low: usize| {
        let bytes = [low, low + 1].map(|at| hash.get(at).copied().unwrap_or(0));
        usize::from(u16::from_le_bytes(bytes)) % BITS
    };
    [index(0), index(2)]
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// BEP 33 "Test Vectors".
    const GOLDEN: &str = "
        F6C3F5EAA07FFD91BDE89F777F26FB2BFF37BDB8FB2BBAA2FD3DDDE7BACFFF75EE7CCBAE
        FE5EEDB1FBFAFF67F6ABFF5E43DDBCA3FD9B9FFDF4FFD3E9DFF12D1BDF59DB53DBE9FA5B
        7FF3B8FDFCDE1AFB8BEDD7BE2F3EE71EBBBFE93BCDEEFE148246C2BC5DBFF7E7EFDCF24F
        D8DC7ADFFD8FFFDFDDFFF7A4BBEEDF5CB95CE81FC7FCFF1FF4FFFFDFE5F7FDCBB7FD79B3
        FA1FC77BFE07FFF905B7B7FFC7FEFEFFE0B8370BB0CD3F5B7F2BD93FEB4386CFDD6F7FD5
        BFAF2E9EBFFFFEECD67ADBF7C67F17EFD5D75EBA6FFEBA7FFF47A91EB1BFBB53E8ABFB57
        62ABE8FF237279BFEFBFEEF5FFC5FEBFDFE5ADFFADFEE1FB737FFFFBFD9F6AEFFEEE76B6
        FD8F72EF";

    fn golden() -> (Bloom, Bloom) {
        let (mut v4, mut v6) = (Bloom::default(), Bloom::default());
        for n in 0..=255 {
            v4.insert(Ipv4Addr::new(192, 0, 2, n).into());
        }
        for n in 0..=0x3E7 {
            v6.insert(Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, n).into());
        }
        (v4, v6)
    }

    #[test]
    fn the_vector_of_bep_33() {
        let (v4, v6) = golden();
        let all = v4.union(&v6);
        let expected: String = GOLDEN.split_whitespace().collect();
        assert_eq!(hex::encode_upper(all.as_bytes()), expected);
        assert!((all.estimate() - 1224.9308).abs() < 0.0001);
        assert_eq!(Bloom::from_slice(all.as_bytes()), Some(all));
    }

    #[test]
    fn a_union_counts_nobody_twice() {
        let (v4, v6) = golden();
        assert_eq!(v4.union(&v4), v4);
        assert!((v4.estimate() - 256.0).abs() < 15.0, "{}", v4.estimate());
        assert!((v6.estimate() - 1000.0).abs() < 50.0, "{}", v6.estimate());
        assert!(v4.contains([192, 0, 2, 7].into()));
        let strangers = (0..100).filter(|n| v4.contains([198, 51, 100, *n].into()));
        assert!(strangers.count() < 15);
    }

    #[test]
    fn the_extremes_are_numbers() {
        assert!(Bloom::default().estimate().abs() < f64::EPSILON);
        let full = Bloom::from_slice(&[0xFF; 256]).expect("256 bytes");
        assert!(full.estimate() < 8_000.0);
        assert!(full.estimate() > MAX_COUNTED as f64);
        assert_eq!(Bloom::from_slice(&[0; 255]), None);
        assert_eq!(Bloom::from_slice(&[0; 257]), None);
    }
}
