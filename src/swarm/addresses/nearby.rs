//! Which addresses are one network: a /24 of IPv4, a /48 of IPv6, as they are given out at least.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use bencode::Endpoint;

/// A network: a /24 of IPv4, a /48 of IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Network(IpAddr);

impl Network {
    /// That of an address.
    pub fn of(ip: IpAddr) -> Network {
        Network(neighbourhood(ip).start().ip)
    }
}

/// Every endpoint in the network around `ip`.
pub(super) fn neighbourhood(ip: IpAddr) -> RangeInclusive<Endpoint> {
    let (first, last): (IpAddr, IpAddr) = match ip {
        IpAddr::V4(ip) => {
            let first = ip.to_bits() & !0xff;
            let last = Ipv4Addr::from_bits(first | 0xff);
            (Ipv4Addr::from_bits(first).into(), last.into())
        }
        IpAddr::V6(ip) => {
            let hosts = u128::MAX >> 48;
            let first = ip.to_bits() & !hosts;
            let last = Ipv6Addr::from_bits(first | hosts);
            (Ipv6Addr::from_bits(first).into(), last.into())
        }
    };
    let last = Endpoint {
        ip: last,
        port: u16::MAX,
    };
    Endpoint { ip: first, port: 0 }..=last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_and_nothing_beside_it() {
        let holds = |around: &str, other: &str| {
            let other: Endpoint = other.parse().unwrap();
            neighbourhood(around.parse().unwrap()).contains(&other)
        };
        assert!(holds("11.0.5.9", "11.0.5.0:1") && holds("11.0.5.9", "11.0.5.255:65535"));
        assert!(!holds("11.0.5.9", "11.0.4.255:65535") && !holds("11.0.5.9", "11.0.6.0:1"));
        assert!(holds("2001:db8:5::1", "[2001:db8:5:ffff::]:7"));
        assert!(!holds("2001:db8:5::1", "[2001:db8:6::]:7"));
    }
}
