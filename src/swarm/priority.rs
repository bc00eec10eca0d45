//! Canonical peer priority (BEP 40): an order of the pairs of a swarm that both ends of a connection
//! compute alike and nobody can choose.
//!
//! It decides whom to dial first among equals and who goes when all places are taken, so that the
//! swarm becomes a random graph and an attacker gets no more places than its share of addresses.
//! Invariant: `priority(a, b) == priority(b, a)`. Knows nobody's own address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bencode::Endpoint;

/// The priority of a connection between two endpoints; greater is better. `None` between families:
/// there is no such connection.
pub fn priority(one: Endpoint, other: Endpoint) -> Option<u32> {
    let bytes = match (one.ip, other.ip) {
        (a, b) if a == b => {
            let [low, high] = sorted(one.port, other.port);
            [low.to_be_bytes(), high.to_be_bytes()].concat()
        }
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            let mask = mask_v4(a, b);
            let [low, high] = sorted(a.to_bits() & mask, b.to_bits() & mask);
            [low.to_be_bytes(), high.to_be_bytes()].concat()
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            let mask = mask_v6(a, b);
            let [low, high] = sorted(a.to_bits() & mask, b.to_bits() & mask);
            [low.to_be_bytes(), high.to_be_bytes()].concat()
        }
        _ => return None,
    };
    Some(crc32c(&bytes))
}

fn sorted<T: Ord>(a: T, b: T) -> [T; 2] {
    if a <= b { [a, b] } else { [b, a] }
}

/// `FF.FF.55.55`, `FF.FF.FF.55` within a /16, all of it within a /24.
fn mask_v4(a: Ipv4Addr, b: Ipv4Addr) -> u32 {
    match (a.to_bits() ^ b.to_bits()).leading_zeros() {
        24.. => u32::MAX,
        16.. => 0xffff_ff55,
        _ => 0xffff_5555,
    }
}

/// "In the same way": 48 whole bits, and from a common prefix of 48 bits on one byte more for each
/// byte in common.
fn mask_v6(a: Ipv6Addr, b: Ipv6Addr) -> u128 {
    const HALF: u128 = 0x5555_5555_5555_5555_5555_5555_5555_5555;
    let common = (a.to_bits() ^ b.to_bits()).leading_zeros();
    let whole = if common < 48 { 48 } else { common / 8 * 8 + 8 };
    // 128 whole bits leave nothing to halve.
    HALF | !u128::MAX.checked_shr(whole).unwrap_or(0)
}

/// CRC-32C (Castagnoli), bit by bit: some 32 bytes once an address.
fn crc32c(bytes: &[u8]) -> u32 {
    const REFLECTED_POLYNOMIAL: u32 = 0x82f6_3b78;
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= REFLECTED_POLYNOMIAL;
            }
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn the_vectors_of_the_bep() {
        let client = at("123.213.32.10:6881");
        let far = at("98.76.54.32:6881");
        assert_eq!(priority(client, far), Some(0xec2d_7224));
        let near = at("123.213.32.234:6881");
        assert_eq!(priority(client, near), Some(0x9956_8189));
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn what_is_masked_follows_from_what_is_common() {
        let v4 = |a: [u8; 4], b: [u8; 4]| mask_v4(a.into(), b.into());
        assert_eq!(v4([1, 2, 3, 4], [2, 2, 3, 4]), 0xffff_5555);
        assert_eq!(v4([1, 2, 3, 4], [1, 2, 4, 4]), 0xffff_ff55);
        assert_eq!(v4([1, 2, 3, 4], [1, 2, 3, 5]), 0xffff_ffff);
        let v6 = |a: &str, b: &str| mask_v6(a.parse().unwrap(), b.parse().unwrap());
        let low = 0x5555_5555_5555_5555_u128;
        let high = |bits: u128| bits << 64 | low;
        assert_eq!(v6("2001::1", "2002::1"), high(0xffff_ffff_ffff_5555));
        assert_eq!(
            v6("2001:1:2:300::1", "2001:1:2:400::1"),
            high(0xffff_ffff_ffff_ff55)
        );
        assert_eq!(
            v6("2001:1:2:301::1", "2001:1:2:302::1"),
            high(0xffff_ffff_ffff_ffff)
        );
        assert_eq!(v6("2001::1", "2001::2"), u128::MAX);
    }

    #[test]
    fn one_host_is_told_apart_by_ports_and_families_never_meet() {
        let (a, b, c) = (at("1.2.3.4:5"), at("1.2.3.4:6"), at("1.2.3.4:7"));
        assert_ne!(priority(a, b), priority(a, c));
        assert_eq!(priority(a, b), Some(crc32c(&[0, 5, 0, 6])));
        assert_eq!(priority(a, at("[2001:db8::1]:5")), None);
    }

    proptest! {
        #[test]
        fn both_ends_agree(a: (IpAddr, u16), b: (IpAddr, u16)) {
            let (a, b) = (Endpoint::new(a.0, a.1), Endpoint::new(b.0, b.1));
            prop_assert_eq!(priority(a, b), priority(b, a));
        }
    }
}
