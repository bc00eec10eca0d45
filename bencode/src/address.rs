//! Which addresses are worth a packet: RFC 6890's special ranges, our own address, port 0.
//!
//! Read RFC 6890 first; BEP 11 and BEP 5 only warn that anybody can name any address. Invariant:
//! an endpoint that a stranger told us leads into a private or otherwise special range only if the
//! user opened that range. Knows neither names nor routes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::Endpoint;

/// Own endpoints that are remembered; a host has a few addresses, the world may claim many.
const MAX_OWN: usize = 32;

/// Ranges of neighbours that are kept; a host has a few links.
const MAX_NEIGHBOURS: usize = 32;

/// A range of addresses: all that share the first `prefix` bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// The first address of the range: bits behind the prefix are zero.
    base: IpAddr,
    /// 0 to 32 or 0 to 128.
    prefix: u8,
}

impl Cidr {
    /// The range of `prefix` bits around `ip`; `None` if the prefix is longer than the address.
    pub fn new(ip: IpAddr, prefix: u8) -> Option<Cidr> {
        let base = match ip {
            IpAddr::V4(ip) if prefix <= 32 => {
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask_v4(prefix)))
            }
            IpAddr::V6(ip) if prefix <= 128 => {
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask_v6(prefix)))
            }
            _ => return None,
        };
        Some(Cidr { base, prefix })
    }

    /// Whether `ip` lies in the range. The families never mix, except that a mapped IPv4 address
    /// counts as IPv4.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                base.to_bits() == ip.to_bits() & mask_v4(self.prefix)
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                base.to_bits() == ip.to_bits() & mask_v6(self.prefix)
            }
            _ => false,
        }
    }
}

fn mask_v4(prefix: u8) -> u32 {
    u32::MAX
        .checked_shl(32u32.saturating_sub(u32::from(prefix)))
        .unwrap_or(0)
}

fn mask_v6(prefix: u8) -> u128 {
    u128::MAX
        .checked_shl(128u32.saturating_sub(u32::from(prefix)))
        .unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// `198.18.0.0/15`, `fc00::/7`; a lone address is a range of one. Host bits are cleared.
    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| CidrError)?;
        let prefix = match (prefix, ip) {
            // `u8::from_str` would take a sign.
            (Some(digits), _) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| CidrError)?
            }
            (Some(_), _) => return Err(CidrError),
            (None, IpAddr::V4(_)) => 32,
            (None, IpAddr::V6(_)) => 128,
        };
        Cidr::new(ip, prefix).ok_or(CidrError)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not `ADDRESS/PREFIX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CidrError;

impl fmt::Display for CidrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an address range such as 198.18.0.0/15")
    }
}

impl std::error::Error for CidrError {}

/// Ranges where no single host answers, whatever the user allows.
const NEVER: [Cidr; 5] = [
    v4([0, 0, 0, 0], 8),                  // this network
    v4([224, 0, 0, 0], 4),                // multicast
    v4([240, 0, 0, 0], 4),                // reserved; the broadcast address
    v6([0; 8], 128),                      // unspecified
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), // multicast
];

/// Ranges that lead somewhere for some: only when the user allows them.
///
/// Threat: a stranger's list that points at the user's own network, or, by an address that embeds
/// an IPv4 address (NAT64, 6to4, Teredo), at one of these ranges in disguise.
const SPECIAL: [Cidr; 27] = [
    v4([10, 0, 0, 0], 8),                      // private
    v4([100, 64, 0, 0], 10),                   // carrier-grade NAT
    v4([127, 0, 0, 0], 8),                     // loopback
    v4([169, 254, 0, 0], 16),                  // link-local; cloud metadata services
    v4([172, 16, 0, 0], 12),                   // private
    v4([192, 0, 0, 0], 24),                    // IETF protocol assignments
    v4([192, 0, 2, 0], 24),                    // documentation
    v4([192, 88, 99, 0], 24),                  // 6to4 relays
    v4([192, 168, 0, 0], 16),                  // private
    v4([198, 18, 0, 0], 15),                   // benchmarks
    v4([198, 51, 100, 0], 24),                 // documentation
    v4([203, 0, 113, 0], 24),                  // documentation
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),         // loopback
    v6([0; 8], 96),                            // IPv4-compatible, deprecated
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96),  // NAT64
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48),  // NAT64, local use
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64),      // discard
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32),     // Teredo
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48),     // benchmarks
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28),  // ORCHID
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28),  // ORCHID 2
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),     // 6to4
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),     // documentation
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7),      // unique local
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10),     // link-local
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10),     // site-local, deprecated
];

const fn v4(octets: [u8; 4], prefix: u8) -> Cidr {
    let [a, b, c, d] = octets;
    Cidr {
        base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        prefix,
    }
}

const fn v6(segments: [u16; 8], prefix: u8) -> Cidr {
    let [a, b, c, d, e, f, g, h] = segments;
    Cidr {
        base: IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)),
        prefix,
    }
}

/// Decides which endpoints that others told us may be talked to.
///
/// The default allows the public internet only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allowed: Vec<Cidr>,
    /// At most [`MAX_OWN`], the newest at the end.
    own: Vec<Endpoint>,
    /// At most [`MAX_NEIGHBOURS`].
    neighbours: Vec<Cidr>,
}

impl AddressPolicy {
    /// The public internet, and of the special ranges what lies in `allowed` (`--allow-net`).
    pub fn new(allowed: Vec<Cidr>) -> AddressPolicy {
        AddressPolicy {
            allowed,
            own: Vec::new(),
            neighbours: Vec::new(),
        }
    }

    /// Opens the special range that `bound` lies in: who binds to 127.0.0.1 means loopback.
    /// Nothing changes for a public or unspecified address.
    pub fn allow_range_of(&mut self, bound: IpAddr) {
        let bound = bound.to_canonical();
        // `::`, "any address", lies in the IPv4-compatible range as well.
        if NEVER.iter().any(|range| range.contains(bound)) {
            return;
        }
        let range = SPECIAL.iter().find(|range| range.contains(bound)).copied();
        if let Some(range) = range.filter(|range| !self.allowed.contains(range)) {
            self.allowed.push(range);
        }
    }

    /// Remembers an endpoint of ours, so that we do not call ourselves. Of more than 32 the
    /// oldest is forgotten.
    pub fn add_own(&mut self, own: Endpoint) {
        let own = Endpoint::new(own.ip, own.port);
        if self.own.contains(&own) {
            return;
        }
        if self.own.len() >= MAX_OWN {
            self.own.remove(0);
        }
        self.own.push(own);
    }

    /// Sets the ranges that live on our own links; of more than 32 the first are kept. They matter to
    /// `admits_neighbour` alone.
    pub fn set_neighbours(&mut self, mut ranges: Vec<Cidr>) {
        ranges.truncate(MAX_NEIGHBOURS);
        self.neighbours = ranges;
    }

    /// Whether packets may go to `endpoint` if it spoke for itself, by a datagram or a connection of
    /// its own: beside what `admits` allows, hosts on our own links.
    ///
    /// Threat: never to be asked for an address that somebody else named. A stranger would have us
    /// knock at the router.
    pub fn admits_neighbour(&self, endpoint: Endpoint) -> bool {
        let endpoint = Endpoint::new(endpoint.ip, endpoint.port);
        let within = |ranges: &[Cidr]| ranges.iter().any(|range| range.contains(endpoint.ip));
        let near = !within(&NEVER) && within(&self.neighbours);
        endpoint.port != 0 && !self.own.contains(&endpoint) && (near || self.admits_ip(endpoint.ip))
    }

    /// Whether packets may go to `endpoint`.
    pub fn admits(&self, endpoint: Endpoint) -> bool {
        let endpoint = Endpoint::new(endpoint.ip, endpoint.port);
        endpoint.port != 0 && !self.own.contains(&endpoint) && self.admits_ip(endpoint.ip)
    }

    /// Whether packets may go to `ip` at all, whatever the port.
    pub fn admits_ip(&self, ip: IpAddr) -> bool {
        let within = |ranges: &[Cidr]| ranges.iter().any(|range| range.contains(ip));
        !within(&NEVER) && (!within(&SPECIAL) || within(&self.allowed))
    }
}
