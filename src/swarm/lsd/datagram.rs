//! The datagrams of BEP 14: a request in the manner of HTTP that names torrents and a port.
//!
//! Invariant: what is written fits into 1,400 bytes ("to avoid MTU/fragmentation problems") and can be
//! read here; what is read is bounded in length, lines and hashes before anything is kept of it. Knows
//! nothing of addresses: who sent a datagram is not in it.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bencode::Family;

use crate::metainfo::InfoHash;

/// The port of both groups.
pub const PORT: u16 = 6771;

/// The group of IPv4: "org-local".
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);

/// The group of IPv6: "site-local".
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);

/// Longest datagram written.
pub const MAX_WRITTEN: usize = 1_400;

/// Longest datagram read: whoever exceeds an Ethernet frame is no neighbour that speaks BEP 14.
pub const MAX_READ: usize = 1_500;

/// Lines looked at; our own datagrams have at most 31.
const MAX_LINES: usize = 64;

/// Torrents in one datagram, written or read: as many as fit beside the longest headers.
pub const MAX_HASHES: usize = 25;

/// Longest cookie compared; it is opaque, and ours has eight characters.
const MAX_COOKIE: usize = 64;

/// What a datagram says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Where its sender accepts connections; never 0.
    pub port: u16,
    /// The torrents, in the order of the datagram; 1 to [`MAX_HASHES`], none twice.
    pub torrents: Vec<InfoHash>,
    /// What the sender recognises itself by.
    pub cookie: Option<String>,
}

/// The multicast group of a family.
pub fn group(family: Family) -> IpAddr {
    match family {
        Family::V4 => GROUP_V4.into(),
        Family::V6 => GROUP_V6.into(),
    }
}

impl Announce {
    /// The datagram, for the group of `family`; torrents beyond [`MAX_HASHES`] are left out.
    pub fn write(&self, family: Family) -> Vec<u8> {
        let host = match family {
            Family::V4 => format!("{GROUP_V4}:{PORT}"),
            Family::V6 => format!("[{GROUP_V6}]:{PORT}"),
        };
        let mut text = format!(
            "BT-SEARCH * HTTP/1.1\r\nHost: {host}\r\nPort: {}\r\n",
            self.port
        );
        for torrent in self.torrents.iter().take(MAX_HASHES) {
            text.push_str(&format!("Infohash: {torrent}\r\n"));
        }
        if let Some(cookie) = &self.cookie {
            text.push_str(&format!("cookie: {cookie}\r\n"));
        }
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }

    /// Reads a datagram; `None` for what is no announce, or a malformed one.
    ///
    /// Names of headers are taken in either case, unknown ones are passed over ("to ensure
    /// forwards-compatibility"), and so is `Host`: it says what the destination said already.
    pub fn parse(datagram: &[u8]) -> Option<Announce> {
        if datagram.len() > MAX_READ {
            return None;
        }
        let text = std::str::from_utf8(datagram).ok()?;
        let mut lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        if !lines.next()?.eq_ignore_ascii_case("BT-SEARCH * HTTP/1.1") {
            return None;
        }
        let (mut port, mut cookie, mut torrents) = (None, None, Vec::new());
        for (number, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
            if number >= MAX_LINES {
                return None;
            }
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("port") {
                port = Some(decimal(value)?);
            } else if name.eq_ignore_ascii_case("cookie") {
                cookie = (value.len() <= MAX_COOKIE).then(|| value.to_owned());
            } else if name.eq_ignore_ascii_case("infohash") {
                let torrent = hexadecimal(value)?;
                if torrents.len() >= MAX_HASHES {
                    return None;
                }
                if !torrents.contains(&torrent) {
                    torrents.push(torrent);
                }
            }
        }
        Some(Announce {
            port: port.filter(|port| *port != 0)?,
            torrents: Some(torrents).filter(|torrents| !torrents.is_empty())?,
            cookie,
        })
    }
}

/// A port; `u16::from_str` would take a sign.
fn decimal(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// 40 digits; base32, which an info hash may be written in elsewhere, is not of BEP 14.
fn hexadecimal(text: &str) -> Option<InfoHash> {
    (text.len() == 40).then(|| text.parse().ok()).flatten()
}
