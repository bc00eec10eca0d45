//! What a tracker counts, and why it refuses. Counters only grow; knows nothing of how they are shown.

use bencode::Family;

/// The way that a request came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Via {
    /// BEP 3.
    Http,
    /// BEP 15.
    Udp,
}

/// Why an announce is not served. The text is what the client is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not on the list of those that are.
    #[error("this torrent is not served here")]
    Torrent,
    /// Nobody listens at port 0.
    #[error("invalid port")]
    Port,
    /// No id, an old one, or one of another address (BEP 15).
    #[error("connection id mismatch")]
    Connection,
}

/// What has happened since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// BEP 15's first step.
    pub connects: u64,
    /// Announces over UDP with IPv4, refused ones included.
    pub announces_udp4: u64,
    /// The same with IPv6.
    pub announces_udp6: u64,
    /// Over HTTP with IPv4.
    pub announces_http4: u64,
    /// The same with IPv6.
    pub announces_http6: u64,
    /// Scrapes over UDP, of any number of torrents.
    pub scrapes_udp: u64,
    /// Over HTTP.
    pub scrapes_http: u64,
    /// Downloads completed.
    pub completed: u64,
    /// [`Refusal::Torrent`]
    pub refused_torrent: u64,
    /// [`Refusal::Port`]
    pub refused_port: u64,
    /// [`Refusal::Connection`]
    pub refused_connection: u64,
    /// What was no request.
    pub malformed: u64,
    /// Served but not kept, because a bound was reached.
    pub not_kept: u64,
}

impl Stats {
    /// Announces of all kinds.
    pub fn announces(&self) -> u64 {
        self.announces_udp4 + self.announces_udp6 + self.announces_http4 + self.announces_http6
    }

    /// Scrapes of both kinds.
    pub fn scrapes(&self) -> u64 {
        self.scrapes_udp + self.scrapes_http
    }

    /// Everything refused.
    pub fn refused(&self) -> u64 {
        self.refused_torrent + self.refused_port + self.refused_connection
    }

    pub(super) fn count_announce(&mut self, via: Via, family: Family) {
        *match (via, family) {
            (Via::Udp, Family::V4) => &mut self.announces_udp4,
            (Via::Udp, Family::V6) => &mut self.announces_udp6,
            (Via::Http, Family::V4) => &mut self.announces_http4,
            (Via::Http, Family::V6) => &mut self.announces_http6,
        } += 1;
    }

    pub(super) fn count_scrape(&mut self, via: Via) {
        match via {
            Via::Udp => self.scrapes_udp += 1,
            Via::Http => self.scrapes_http += 1,
        }
    }

    pub(super) fn count_refusal(&mut self, refusal: Refusal) {
        *match refusal {
            Refusal::Torrent => &mut self.refused_torrent,
            Refusal::Port => &mut self.refused_port,
            Refusal::Connection => &mut self.refused_connection,
        } += 1;
    }
}
