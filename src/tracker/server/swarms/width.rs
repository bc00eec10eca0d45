//! Where the two families part and meet: endpoints as the 6 or 18 bytes that are kept (BEP 23, BEP 7).

use std::net::IpAddr;

use bencode::Endpoint;

use super::super::crowd::{Entered, Part};

/// [`Entered`] without its width.
#[derive(Clone, Copy)]
pub(super) enum Told {
    New(Option<(Endpoint, Part)>),
    Again(Part, u32),
    NoRoom,
}

pub(super) fn told<const N: usize>(entered: Entered<N>) -> Told {
    match entered {
        Entered::New { instead_of } => {
            Told::New(instead_of.and_then(|(at, part)| Some((Endpoint::from_compact(&at)?, part))))
        }
        Entered::Again { was, seen } => Told::Again(was, seen),
        Entered::NoRoom => Told::NoRoom,
    }
}

pub(super) enum Compact {
    V4([u8; 6]),
    V6([u8; 18]),
}

/// BEP 23 and BEP 7: the address, then the port, in network order.
pub(super) fn compact(at: Endpoint) -> Compact {
    let [high, low] = at.port.to_be_bytes();
    match at.ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            Compact::V4([a, b, c, d, high, low])
        }
        IpAddr::V6(ip) => {
            let mut bytes = [0; 18];
            bytes[..16].copy_from_slice(&ip.octets());
            bytes[16..].copy_from_slice(&[high, low]);
            Compact::V6(bytes)
        }
    }
}
