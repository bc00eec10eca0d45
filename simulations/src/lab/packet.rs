//! IPv4 with UDP inside (RFC 791, 768): reading what a client sent, writing what it is to get.
//!
//! Invariant: what `write` made, `read` takes, and kernels too, since both checksums are right.
//! Everything else is nothing: other protocols, fragments, options of IPv4 are skipped over.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes of the two headers, which come on top of every payload.
pub const HEADERS: usize = IP + UDP;
const IP: usize = 20;
const UDP: usize = 8;
/// The protocol number of UDP.
const PROTOCOL: u8 = 17;
/// Longest payload that is carried: what an Ethernet frame has room for.
pub const MAX_PAYLOAD: usize = 1_500 - HEADERS;

/// A datagram of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// To whom.
    pub to: SocketAddrV4,
    /// What it says, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
}

/// The datagram in an IP packet; `None`: it is something else, or not whole. The checksums are not
/// looked at: the packet never was on a wire.
#[must_use]
pub fn read(packet: &[u8]) -> Option<Datagram> {
    let (&first, _) = packet.split_first()?;
    let header = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header < IP || packet.len() < header + UDP {
        return None;
    }
    let word = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    // More fragments to come, or one of them that is not the first.
    let fragment = word(6) & 0x3fff != 0;
    if packet[9] != PROTOCOL || fragment {
        return None;
    }
    let address = |at: usize| Ipv4Addr::from([0, 1, 2, 3].map(|byte| packet[at + byte]));
    let length = usize::from(word(header + 4));
    let payload = packet.get(header + UDP..header + length)?;
    (payload.len() <= MAX_PAYLOAD).then(|| Datagram {
        from: SocketAddrV4::new(address(12), word(header)),
        to: SocketAddrV4::new(address(16), word(header + 2)),
        payload: payload.to_vec(),
    })
}

/// The IP packet that carries a datagram; `None`: its payload is too long.
#[must_use]
pub fn write(from: SocketAddrV4, to: SocketAddrV4, payload: &[u8]) -> Option<Vec<u8>> {
    if payload.len() > MAX_PAYLOAD {
        return None;
    }
    let length = |headers: usize| u16::try_from(headers + payload.len()).ok();
    let (total, inner) = (length(HEADERS)?, length(UDP)?);
    let mut packet = Vec::with_capacity(usize::from(total));
    // Version 4, five words of header; no service, no name, "do not fragment", 64 hops.
    packet.extend([0x45, 0]);
    packet.extend(total.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, PROTOCOL, 0, 0]);
    packet.extend(from.ip().octets());
    packet.extend(to.ip().octets());
    let sum = checksum(&packet, 0);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(from.port().to_be_bytes());
    packet.extend(to.port().to_be_bytes());
    packet.extend(inner.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    // UDP sums over a pseudo header too: addresses, protocol, length.
    let pseudo = words(&packet[12..IP]) + u32::from(PROTOCOL) + u32::from(inner);
    let sum = match checksum(&packet[IP..], pseudo) {
        // Zero would say that there is none.
        0 => u16::MAX,
        sum => sum,
    };
    packet[IP + 6..IP + 8].copy_from_slice(&sum.to_be_bytes());
    Some(packet)
}

/// The sum of all 16-bit words; at most 2^15 of them fit.
fn words(bytes: &[u8]) -> u32 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    bytes.chunks(2).map(word).sum()
}

fn checksum(bytes: &[u8], start: u32) -> u16 {
    let mut sum = words(bytes) + start;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> [SocketAddrV4; 2] {
        [([81, 2, 3, 4], 6881), ([5, 6, 7, 8], 51_413)]
            .map(|(ip, p)| SocketAddrV4::new(ip.into(), p))
    }

    #[test]
    fn what_is_written_is_read() {
        let [from, to] = ends();
        for payload in [&b""[..], b"d1:y1:qe", &[7; MAX_PAYLOAD]] {
            let packet = write(from, to, payload).unwrap();
            let read = read(&packet).unwrap();
            assert_eq!((read.from, read.to), (from, to));
            assert_eq!(read.payload, payload);
            // A right checksum makes the sum of all words zero.
            assert_eq!(checksum(&packet[..IP], 0), 0);
        }
        assert_eq!(write(from, to, &[7; MAX_PAYLOAD + 1]), None);
    }

    #[test]
    fn a_receiver_finds_the_checksum_right() {
        // The sum over pseudo header, header and payload is zero, as a receiver checks it.
        let [from, to] = ends();
        let packet = write(from, to, b"ab").unwrap();
        let all = words(&packet[12..]) + u32::from(PROTOCOL) + 10;
        assert_eq!(checksum(&[], all), 0);
    }

    #[test]
    fn other_things_are_nothing() {
        let [from, to] = ends();
        let good = write(from, to, b"hello").unwrap();
        let change = |at: usize, byte: u8| {
            let mut packet = good.clone();
            packet[at] = byte;
            read(&packet)
        };
        assert!(change(0, 0x65).is_none(), "IPv6");
        assert!(change(0, 0x44).is_none(), "a header too short");
        assert!(change(9, 6).is_none(), "TCP");
        assert!(change(6, 0x20).is_none(), "the first fragment");
        assert!(change(7, 9).is_none(), "a later fragment");
        assert!(change(25, 200).is_none(), "longer than the packet");
        assert!(change(25, 3).is_none(), "shorter than its header");
        for length in 0..good.len() {
            assert!(read(&good[..length]).is_none(), "{length}");
        }
    }
}
