//! Which tracker URLs may be asked: scheme, host, port (BEP 3, BEP 15, BEP 41 for the path).
//!
//! Threat: a torrent is written by a stranger, and so are its tracker URLs and their redirects. They
//! must not make this machine speak to a mail server, to port 0 or by another protocol. Where the host
//! leads is checked by who resolves it, with the resolved address, not here.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

use std::fmt;
use std::net::IpAddr;

use ::url::{Host, Url};

use super::announce::Failure;

/// Longest URL in bytes, ours and a redirect's.
pub const MAX_URL: usize = 2048;

/// Ports of protocols that would take a line of HTTP or a datagram for a command of theirs: FTP, SSH,
/// telnet, mail, DNS, finger, time, SMB, SNMP, LDAP, VPNs, logs, databases, containers, telephones,
/// IRC, X11.
const FOREIGN_PORTS: [u16; 52] = [
    7, 9, 13, 17, 19, 20, 21, 22, 23, 25, 53, 69, 79, 110, 111, 119, 123, 135, 137, 138, 139, 143,
    161, 389, 445, 465, 500, 514, 515, 587, 636, 993, 995, 1900, 2049, 2375, 2379, 3306, 3389,
    5060, 5353, 5432, 5900, 5984, 6000, 6379, 6667, 9100, 9200, 10250, 11211, 27017,
];

/// Below this one only 80 and 443 are spoken to in HTTP, whose lines of text so many older protocols
/// take for commands. A UDP tracker may live there (one of the largest does): what it is sent begins
/// with fixed binary.
const FIRST_FREE_PORT: u16 = 1024;

/// What an announce says itself (BEP 3, 7, 23). A URL that says one of them already would speak in
/// our name.
const OUR_WORDS: [&str; 12] = [
    "info_hash",
    "peer_id",
    "port",
    "uploaded",
    "downloaded",
    "left",
    "compact",
    "numwant",
    "event",
    "ip",
    "ipv4",
    "ipv6",
];

/// How a tracker is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// BEP 3.
    Http,
    /// The same inside TLS.
    Https,
    /// BEP 15.
    Udp,
}

/// A tracker's URL that passed the rules.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackerUrl {
    scheme: Scheme,
    url: Url,
    port: u16,
}

impl TrackerUrl {
    /// Reads a URL of at most [`MAX_URL`] bytes.
    ///
    /// # Errors
    /// [`Failure::Url`] with the rule that it breaks.
    pub fn parse(text: &str) -> Result<TrackerUrl, Failure> {
        if text.len() > MAX_URL {
            return Err(Failure::Url("it is too long"));
        }
        check_host(text)?;
        let url = Url::parse(text).map_err(|_| Failure::Url("it is no URL"))?;
        if speaks_for_us(&url) {
            return Err(Failure::Url("it says what an announce says itself"));
        }
        TrackerUrl::check(url)
    }

    /// Where a redirect from here leads; `location` may be relative.
    ///
    /// # Errors
    /// As [`TrackerUrl::parse`]; also for the way from https to http, which would show what was hidden.
    pub fn redirect(&self, location: &str) -> Result<TrackerUrl, Failure> {
        if location.len() > MAX_URL {
            return Err(Failure::Url("it is too long"));
        }
        check_host(location)?;
        let url = self
            .url
            .join(location)
            .map_err(|_| Failure::Redirect("nowhere"))?;
        let next = TrackerUrl::check(url)?;
        match (self.scheme, next.scheme) {
            (Scheme::Https, Scheme::Http) => Err(Failure::Redirect("from https to http")),
            (_, Scheme::Udp) => Err(Failure::Redirect("to another protocol")),
            _ => Ok(next),
        }
    }

    fn check(url: Url) -> Result<TrackerUrl, Failure> {
        let (scheme, usual) = match url.scheme() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "udp" => (Scheme::Udp, 80),
            _ => return Err(Failure::Url("only http, https and udp are spoken")),
        };
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Failure::Url("it names no host"));
        }
        let port = url.port().unwrap_or(usual);
        match (scheme, port) {
            (_, 0) => Err(Failure::Url("port 0")),
            (Scheme::Http | Scheme::Https, 80 | 443) => Ok(TrackerUrl { scheme, url, port }),
            (Scheme::Http | Scheme::Https, ..FIRST_FREE_PORT) => {
                Err(Failure::Url("the port belongs to another protocol"))
            }
            (_, port) if FOREIGN_PORTS.contains(&port) => {
                Err(Failure::Url("the port belongs to another protocol"))
            }
            (_, port) => Ok(TrackerUrl { scheme, url, port }),
        }
    }

    /// How it is asked.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Not 0; without one in the URL 80, or 443 for https.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as a resolver takes it: a name, or an address without brackets.
    pub fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host)
    }

    /// The address, if the host is one and not a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
            // Of schemes that the standard does not know, addresses are not told from names.
            Host::Domain(name) => name.parse().ok(),
        }
    }

    /// Scheme, host and port: what may be shown. Paths and queries hold people's passkeys.
    pub fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        format!("{}://{host}:{}", self.url.scheme(), self.port)
    }

    /// BEP 41: path and query, for trackers that keep a key in them. Empty for a bare host.
    pub fn url_data(&self) -> Vec<u8> {
        let path = match self.url.path() {
            "/" => "",
            path => path,
        };
        let query = self
            .url
            .query()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        format!("{path}{query}").into_bytes()
    }

    /// The URL with this query behind the one that it may have.
    pub fn with_query(&self, query: &str) -> String {
        let mut url = self.url.clone();
        // A fragment is never sent.
        url.set_fragment(None);
        let sign = if url.query().is_some() { '&' } else { '?' };
        format!("{url}{sign}{query}")
    }

    /// The URL of its scrapes: BEP 48 replaces `announce` at the start of the path's last part. `None`
    /// where that word is not there. A UDP tracker is its own.
    pub fn scrape(&self) -> Option<TrackerUrl> {
        if self.scheme == Scheme::Udp {
            return Some(self.clone());
        }
        let (folder, last) = self.url.path().rsplit_once('/')?;
        let rest = last.strip_prefix("announce")?;
        let path = format!("{folder}/scrape{rest}");
        let mut other = self.clone();
        other.url.set_path(&path);
        Some(other)
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

/// Whether the query says what an announce says, however it is encoded; some servers part at `;` too.
fn speaks_for_us(url: &Url) -> bool {
    let query = url.query().unwrap_or_default();
    query.split(['&', ';']).any(|part| {
        let name = part.split_once('=').map_or(part, |(name, _)| name);
        let name: String = ::url::form_urlencoded::parse(name.as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect();
        OUR_WORDS.contains(&name.to_ascii_lowercase().as_str())
    })
}

/// To be asked before anything reads the URL: reading maps look-alikes of a name to the name, and what does that need
/// not see what strangers wrote (its own assertions fail on some of it).
fn check_host(text: &str) -> Result<(), Failure> {
    if names_host_plainly(text) {
        Ok(())
    } else {
        Err(Failure::Url("its host is not written in plain ASCII"))
    }
}

/// Whether the host stands there as it will be asked for: `trаcker.example` with a Cyrillic letter, or
/// `%31` and its kind, are somebody who wants to be taken for another. Punycode is plain.
fn names_host_plainly(text: &str) -> bool {
    // What readers of URLs take for the two slashes before a host, and for its end.
    const SLASHES: [char; 2] = ['/', '\\'];
    // They pass over control characters and spaces around it, and over tabs and line ends anywhere: a tab
    // inside of the scheme must not make this look like a path.
    let text: String = text
        .trim_matches(|c| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\r' | '\n'))
        .collect();
    let rest = match text.split_once(':') {
        Some((scheme, rest)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => rest,
        _ if text.starts_with(SLASHES)
            && text.get(1..).is_some_and(|it| it.starts_with(SLASHES)) =>
        {
            text.as_str()
        }
        // A redirect within the host.
        _ => return true,
    };
    let rest = rest.trim_start_matches(SLASHES);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // Behind who asks there.
    let host = authority.rsplit('@').next().unwrap_or_default();
    // A backslash ends the host for http and not for udp: who writes one there wants two readers to differ.
    !authority.contains('\\')
        && host
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'%')
}
