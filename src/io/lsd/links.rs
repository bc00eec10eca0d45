//! The links of this machine, as local discovery needs them: which interfaces to join and to send on,
//! and which addresses live there.
//!
//! Knows nothing of datagrams. Links come and go; who wants to know asks again.

use std::net::{IpAddr, Ipv4Addr};

use bencode::{Cidr, Family};
use if_addrs::{IfAddr, IfOperStatus, Interface};

use crate::io::sockets::Bind;

/// Interfaces used of each family; a host with more is a router or a server full of containers.
const MAX_LINKS: usize = 16;

/// The links that may be used.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Links {
    /// IPv4: an address of ours each, and the index of its interface.
    pub(super) v4: Vec<(Ipv4Addr, u32)>,
    /// IPv6: indices of interfaces.
    pub(super) v6: Vec<u32>,
    /// The addresses that live there.
    pub(super) ranges: Vec<Cidr>,
}

impl Links {
    /// Those of this machine that `bind` and `families` leave.
    ///
    /// Left out: tunnels, where nobody is a neighbour; loopback, unless bound to it; IPv6 interfaces with
    /// nothing but a link-local address, since an endpoint has no scope and could not be dialled.
    pub(super) fn of_machine(bind: &Bind, families: &[Family]) -> Links {
        // No list means no neighbours, for now.
        let all = if_addrs::get_if_addrs().unwrap_or_default();
        Links::among(&all, bind, families)
    }

    fn among(all: &[Interface], bind: &Bind, families: &[Family]) -> Links {
        let mut links = Links::default();
        for interface in all.iter().filter(|interface| is_usable(interface, bind)) {
            let Some(index) = interface.index else {
                continue;
            };
            let (range, family) = match &interface.addr {
                IfAddr::V4(addr) => (Cidr::new(addr.ip.into(), addr.prefixlen), Family::V4),
                IfAddr::V6(addr) => (Cidr::new(addr.ip.into(), addr.prefixlen), Family::V6),
            };
            if !families.contains(&family) {
                continue;
            }
            match interface.ip() {
                IpAddr::V4(ip) if links.v4.len() < MAX_LINKS => links.v4.push((ip, index)),
                IpAddr::V6(_) if links.v6.contains(&index) => {}
                IpAddr::V6(_) if links.v6.len() < MAX_LINKS => links.v6.push(index),
                _ => continue,
            }
            links.ranges.extend(range);
        }
        links
    }

    /// The families that have a link.
    pub(super) fn families(&self) -> Vec<Family> {
        let v4 = (!self.v4.is_empty()).then_some(Family::V4);
        let v6 = (!self.v6.is_empty()).then_some(Family::V6);
        v4.into_iter().chain(v6).collect()
    }
}

fn is_usable(interface: &Interface, bind: &Bind) -> bool {
    let up = matches!(
        interface.oper_status,
        IfOperStatus::Up | IfOperStatus::Unknown
    );
    let ip = interface.ip();
    let scoped = matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let chosen = match bind {
        Bind::Everywhere => !ip.is_loopback(),
        // All of 127.0.0.0/8 is ours, whichever address the interface says.
        Bind::Address(bound) if bound.is_loopback() => {
            ip.is_loopback() && ip.is_ipv4() == bound.is_ipv4()
        }
        Bind::Address(bound) => ip == *bound,
        Bind::Interface(name) => interface.name == *name,
    };
    up && chosen && !scoped && !interface.is_p2p()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use if_addrs::{Ifv4Addr, Ifv6Addr};

    use super::*;

    const BOTH: [Family; 2] = [Family::V4, Family::V6];

    fn interface(name: &str, index: u32, ip: &str, prefixlen: u8) -> Interface {
        let addr = match ip.parse().unwrap() {
            IpAddr::V4(ip) => IfAddr::V4(Ifv4Addr {
                ip,
                netmask: Ipv4Addr::UNSPECIFIED,
                prefixlen,
                broadcast: None,
            }),
            IpAddr::V6(ip) => IfAddr::V6(Ifv6Addr {
                ip,
                netmask: Ipv6Addr::UNSPECIFIED,
                prefixlen,
                broadcast: None,
            }),
        };
        Interface {
            name: name.to_owned(),
            addr,
            index: Some(index),
            oper_status: IfOperStatus::Up,
            is_p2p: name.starts_with("tun"),
        }
    }

    fn machine() -> Vec<Interface> {
        vec![
            interface("lo", 1, "127.0.0.1", 8),
            interface("lo", 1, "::1", 128),
            interface("eth0", 2, "192.168.1.2", 24),
            interface("eth0", 2, "fe80::2", 64),
            interface("eth0", 2, "fd00:1::2", 64),
            interface("eth0", 2, "2003:1::2", 64),
            interface("wlan0", 3, "10.9.8.7", 16),
            interface("wlan0", 3, "fe80::3", 64),
            interface("tun0", 4, "10.0.0.2", 30),
        ]
    }

    fn ranges(links: &Links) -> Vec<String> {
        links.ranges.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn everywhere_is_every_link_with_neighbours() {
        let links = Links::among(&machine(), &Bind::Everywhere, &BOTH);
        assert_eq!(
            links.v4.iter().map(|(_, index)| *index).collect::<Vec<_>>(),
            [2, 3]
        );
        assert_eq!(
            links.v6,
            [2],
            "once, and not where there is a link-local address alone"
        );
        let expected = [
            "192.168.1.0/24",
            "fd00:1::/64",
            "2003:1::/64",
            "10.9.0.0/16",
        ];
        assert_eq!(ranges(&links), expected);
        let v6 = Links::among(&machine(), &Bind::Everywhere, &[Family::V6]);
        assert_eq!(v6.families(), [Family::V6]);
    }

    #[test]
    fn a_bound_client_uses_that_link_only() {
        let at = |ip: &str| Bind::Address(ip.parse().unwrap());
        let links = Links::among(&machine(), &at("10.9.8.7"), &BOTH);
        assert_eq!(
            (ranges(&links), links.families()),
            (vec!["10.9.0.0/16".to_owned()], vec![Family::V4])
        );
        let links = Links::among(&machine(), &at("127.0.0.9"), &BOTH);
        assert_eq!(ranges(&links), ["127.0.0.0/8"]);
        let links = Links::among(&machine(), &Bind::Interface("eth0".to_owned()), &BOTH);
        assert_eq!(links.ranges.len(), 3);
        assert_eq!(
            Links::among(&machine(), &at("10.0.0.2"), &BOTH),
            Links::default()
        );
        let tunnel = Bind::Interface("tun0".to_owned());
        assert_eq!(Links::among(&machine(), &tunnel, &BOTH), Links::default());
    }

    #[test]
    fn links_that_are_down_are_none_and_links_are_bounded() {
        let mut down = interface("eth0", 2, "192.168.1.2", 24);
        down.oper_status = IfOperStatus::Down;
        assert_eq!(
            Links::among(&[down], &Bind::Everywhere, &BOTH),
            Links::default()
        );
        let many: Vec<Interface> = (0..100)
            .map(|n| interface("veth", n, &format!("10.{n}.0.1"), 16))
            .collect();
        let links = Links::among(&many, &Bind::Everywhere, &BOTH);
        assert_eq!((links.v4.len(), links.ranges.len()), (MAX_LINKS, MAX_LINKS));
    }
}
