//! Addresses as people type them: `HOST:PORT` not yet resolved, and what to bind to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;

/// A host name or address and a port, not yet resolved: `host:6881`, `[::1]:6881`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct HostPort {
    /// Name or address, without brackets.
    pub host: String,
    /// Never 0.
    pub port: u16,
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not HOST:PORT");
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
        let port = port
            .parse::<u16>()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(wrong)?;
        // IPv6 addresses stand in brackets (RFC 3986): their colons could be the port's otherwise.
        let bracketed = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let valid = match bracketed {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.contains(|c: char| c == ':' || c.is_whitespace()),
        };
        let host = bracketed.unwrap_or(host).to_owned();
        if valid {
            Ok(Self { host, port })
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// What sockets are bound to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bind {
    /// This address of ours.
    Address(IpAddr),
    /// Every address of this interface.
    Interface(String),
}

impl FromStr for Bind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        // IFNAMSIZ is 16 with its zero; `ip link` accepts anything but `/` and white space.
        let named = (1..16).contains(&text.len()) && !text.contains(['/', ':']);
        match named && !text.contains(char::is_whitespace) {
            true => Ok(Self::Interface(text.to_owned())),
            false => Err(format!("`{text}` is neither an address nor an interface")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        for (text, host, port) in [
            ("router.bittorrent.com:6881", "router.bittorrent.com", 6881),
            ("10.0.0.1:1", "10.0.0.1", 1),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535),
        ] {
            let parsed: HostPort = text.parse().unwrap();
            assert_eq!((parsed.host.as_str(), parsed.port), (host, port));
            assert_eq!(parsed.to_string(), text);
        }
        for text in [
            "",
            "host",
            "host:",
            ":1",
            "host:0",
            "host:65536",
            "::1:6881",
            "[::1]",
            "a b:1",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }

    #[test]
    fn bind_to_an_address_or_an_interface() {
        assert_eq!(
            "198.18.0.1".parse(),
            Ok(Bind::Address([198, 18, 0, 1].into()))
        );
        assert_eq!("wg0".parse(), Ok(Bind::Interface("wg0".to_owned())));
        for text in ["", "1.2.3.4:80", "a/b", "sixteen-letters!"] {
            assert!(text.parse::<Bind>().is_err(), "{text}");
        }
    }
}
