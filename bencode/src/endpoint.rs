//! An address and a port, and their compact form: BEP 5 "contact encoding", BEP 7, BEP 23, BEP 32.
//!
//! Invariant: one host has one [`Endpoint`]. An IPv4 address mapped into IPv6 is unmapped and scope
//! and flow label are dropped at the door, otherwise the same peer would be two in a ban list.
//! Knows nothing of which addresses are welcome; that is `address`.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The two versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Bytes of a compact endpoint: the address, then the port in big endian. 6 or 18.
    pub const fn compact_length(self) -> usize {
        match self {
            Family::V4 => 6,
            Family::V6 => 18,
        }
    }
}

/// Where a peer or a node listens. Port 0 is representable; who dials refuses it.
///
/// Ordered by address (all IPv4 before all IPv6), then by port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Never an IPv4 address in IPv6 clothes, if made by [`Endpoint::new`] or a conversion.
    pub ip: IpAddr,
    /// TCP or UDP, as the context says.
    pub port: u16,
}

impl Endpoint {
    /// The endpoint of `ip` and `port`, unmapped.
    pub fn new(ip: IpAddr, port: u16) -> Endpoint {
        Endpoint {
            ip: ip.to_canonical(),
            port,
        }
    }

    /// Which IP it needs.
    pub fn family(&self) -> Family {
        match self.ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// Appends 6 or 18 bytes: address, then port, both in big endian.
    pub fn write_compact(&self, out: &mut Vec<u8>) {
        match self.ip {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
        out.extend_from_slice(&self.port.to_be_bytes());
    }

    /// Reads exactly 6 or exactly 18 bytes; `None` for any other length.
    ///
    /// 18 bytes with a mapped IPv4 address inside become an IPv4 endpoint.
    pub fn from_compact(bytes: &[u8]) -> Option<Endpoint> {
        let (ip, port) = bytes.split_last_chunk::<2>()?;
        let ip = if let Ok(octets) = <[u8; 4]>::try_from(ip) {
            IpAddr::V4(Ipv4Addr::from(octets))
        } else {
            IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?))
        };
        Some(Endpoint::new(ip, u16::from_be_bytes(*port)))
    }
}

/// The endpoints of a compact list of one family; `None` unless it is an exact multiple of 6 or 18.
///
/// Nothing is filtered: port 0 and addresses of any kind come through.
pub fn compact(list: &[u8], family: Family) -> Option<impl Iterator<Item = Endpoint>> {
    let chunks = list.chunks_exact(family.compact_length());
    chunks
        .remainder()
        .is_empty()
        .then(|| chunks.filter_map(Endpoint::from_compact))
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Endpoint {
        Endpoint::new(address.ip(), address.port())
    }
}

impl From<Endpoint> for SocketAddr {
    fn from(endpoint: Endpoint) -> SocketAddr {
        SocketAddr::new(endpoint.ip, endpoint.port)
    }
}

impl FromStr for Endpoint {
    type Err = AddrParseError;

    /// `192.0.2.1:6881` or `[2001:db8::1]:6881`; no host names.
    fn from_str(text: &str) -> Result<Endpoint, AddrParseError> {
        text.parse::<SocketAddr>().map(Endpoint::from)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
