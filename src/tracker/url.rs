//! Which tracker URLs may be asked: scheme, host, port (BEP 3, BEP 15, BEP 41 for the path).
//!
//! Threat: a torrent is written by a stranger, and so are its tracker URLs and their redirects. They
//! must not make this machine speak to a mail server, to port 0 or by another protocol. Where the host
//! leads is checked by who resolves it, with the resolved address, not here.

use std::fmt;
use std::net::IpAddr;

use ::url::{Host, Url};

use super::announce::Failure;

/// Longest URL in bytes, ours and a redirect's.
pub const MAX_URL: usize = 2048;

/// Ports of protocols that would take a line of HTTP or a datagram for a command of theirs: FTP, SSH,
/// telnet, mail, DNS, finger, SMB, LDAP, databases, IRC, X11.
const FOREIGN_PORTS: [u16; 33] = [
    7, 9, 13, 17, 19, 20, 21, 22, 23, 25, 53, 79, 110, 119, 135, 139, 143, 389, 445, 465, 515, 587,
    636, 993, 995, 3306, 5432, 6000, 6379, 6667, 9200, 11211, 27017,
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
        let url = Url::parse(text).map_err(|_| Failure::Url("it is no URL"))?;
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
        match port {
            0 => Err(Failure::Url("port 0")),
            port if FOREIGN_PORTS.contains(&port) => {
                Err(Failure::Url("the port belongs to another protocol"))
            }
            port => Ok(TrackerUrl { scheme, url, port }),
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
