//! Public addresses by number: host `n` lives at an address from which `n` can be read back.
//!
//! Clients refuse private and reserved ranges, count hosts by /24 and /16 and compare first octets;
//! so simulated addresses are public and neighbours in number lie in different /8s. Invariant: a
//! bijection between numbers and the addresses of the /8s that hold nothing but ordinary space.

use std::net::Ipv4Addr;

/// First octets whose /8 has no reserved, private or shared part.
const fn is_ordinary(octet: u8) -> bool {
    !matches!(
        octet,
        0 | 10 | 100 | 127 | 169 | 172 | 192 | 198 | 203 | 224..
    )
}

const ORDINARY: usize = {
    let mut count = 0;
    let mut octet = 0;
    while octet < 224 {
        count += is_ordinary(octet) as usize;
        octet += 1;
    }
    count
};

const OCTETS: [u8; ORDINARY] = {
    let mut octets = [0; ORDINARY];
    let (mut octet, mut at) = (0, 0);
    while octet < 224 {
        if is_ordinary(octet) {
            octets[at] = octet;
            at += 1;
        }
        octet += 1;
    }
    octets
};

/// Spreads numbers over the lower 24 bits: odd, so that it has an inverse.
const SPREAD: u32 = 0x9e_3779;
const MASK: u32 = 0xff_ffff;

/// The inverse of `SPREAD` modulo 2^24: each step of Newton's method doubles the bits that are right.
const GATHER: u32 = {
    let mut inverse = SPREAD;
    let mut step = 0;
    while step < 5 {
        let error = 2_u32.wrapping_sub(SPREAD.wrapping_mul(inverse));
        inverse = inverse.wrapping_mul(error);
        step += 1;
    }
    inverse & MASK
};

/// Host numbers that have an address.
pub const COUNT: u32 = (ORDINARY as u32) << 24;

/// The address of number `serial`, which is below `COUNT`.
#[must_use]
pub fn address(serial: u32) -> Ipv4Addr {
    let count = ORDINARY as u32;
    let octet = OCTETS[(serial % count) as usize];
    let low = (serial / count).wrapping_add(1).wrapping_mul(SPREAD) & MASK;
    Ipv4Addr::from(u32::from(octet) << 24 | low)
}

/// The number of an address; `None` if no number has it.
#[must_use]
pub fn serial(address: Ipv4Addr) -> Option<u32> {
    let bits = u32::from(address);
    let place = OCTETS.binary_search(&((bits >> 24) as u8)).ok()?;
    let high = (bits & MASK).wrapping_mul(GATHER).wrapping_sub(1) & MASK;
    (high * ORDINARY as u32).checked_add(place as u32)
}

#[cfg(test)]
mod tests {
    use bencode::{AddressPolicy, Endpoint};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_and_addresses_are_the_same_thing(number in 0..COUNT) {
            prop_assert_eq!(serial(address(number)), Some(number));
        }

        #[test]
        fn every_client_admits_them(number in 0..COUNT) {
            let endpoint = Endpoint::new(address(number).into(), 6881);
            prop_assert!(AddressPolicy::new(Vec::new()).admits(endpoint));
        }
    }

    #[test]
    fn reserved_space_is_nobodys() {
        for ip in [
            [10, 0, 0, 1],
            [127, 0, 0, 1],
            [192, 168, 0, 1],
            [0, 0, 0, 0],
            [255; 4],
        ] {
            assert_eq!(serial(ip.into()), None);
        }
    }

    #[test]
    fn the_first_hosts_share_no_slash_16() {
        let prefixes: std::collections::BTreeSet<u32> =
            (0..10_000).map(|n| u32::from(address(n)) >> 16).collect();
        assert!(prefixes.len() > 9_000, "{}", prefixes.len());
    }
}
