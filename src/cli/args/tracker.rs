//! `trackless tracker` as it is typed.
//!
//! Invariant: like everywhere in `args`, no option has a default here.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::super::format::parse_duration;
use crate::io::Listen;

/// The port of trackers: opentracker's, and the one that most announce URLs name.
pub const TRACKER_PORT: u16 = 6969;

/// `trackless tracker`.
#[derive(ClapArgs, Debug, Default)]
pub struct TrackerArgs {
    /// Serve HTTP here: a port, an address, or both (repeatable; default: port 6969 everywhere)
    #[arg(long, value_name = "ADDR", value_delimiter = ',', value_parser = parse_listen)]
    pub http: Vec<Listen>,
    /// Serve UDP here, likewise; without --http it is UDP only, and the other way round
    #[arg(long, value_name = "ADDR", value_delimiter = ',', value_parser = parse_listen)]
    pub udp: Vec<Listen>,
    /// Keep the peers in this file (SQLite), so that a restart loses nobody
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,
    /// Serve only the torrents whose info hashes this file lists, one a line; SIGHUP reads it again
    #[arg(long, value_name = "FILE")]
    pub allow_list: Option<PathBuf>,
    /// Time that clients are told to wait between announces; who is silent for two of them is gone
    #[arg(long, value_name = "DUR", value_parser = parse_duration)]
    pub interval: Option<Duration>,
    /// Peers in a reply to a client that names no number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    pub reply_peers: Option<u16>,
}

/// `6969`, `192.0.2.1`, `192.0.2.1:6969`, `::1`, `[::1]:6969`.
///
/// # Errors
/// Anything else, names included: a name may have several addresses, and it is ours that are bound.
pub fn parse_listen(text: &str) -> Result<Listen, String> {
    let text = text.trim();
    let port = text.parse().map(Listen::Everywhere).ok();
    let both = || text.parse::<SocketAddr>().map(Listen::At).ok();
    let address = || {
        let ip: IpAddr = text.parse().ok()?;
        Some(Listen::At(SocketAddr::new(ip, TRACKER_PORT)))
    };
    let found = port.or_else(both).or_else(address);
    found.ok_or_else(|| format!("`{text}` is no port, address or ADDRESS:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_addresses_and_both() {
        let at = |text: &str| Listen::At(text.parse().unwrap());
        for (text, expected) in [
            ("0", Listen::Everywhere(0)),
            (" 6969 ", Listen::Everywhere(6969)),
            ("192.0.2.1", at("192.0.2.1:6969")),
            ("192.0.2.1:80", at("192.0.2.1:80")),
            ("::1", at("[::1]:6969")),
            ("[::1]:80", at("[::1]:80")),
            ("0.0.0.0", at("0.0.0.0:6969")),
        ] {
            assert_eq!(parse_listen(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "65536",
            "-1",
            "localhost",
            "localhost:80",
            "1.2.3",
            "[::1]",
            "1.2.3.4:",
        ] {
            assert!(parse_listen(text).is_err(), "{text}");
        }
    }
}
