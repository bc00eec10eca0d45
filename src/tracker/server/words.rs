//! The words of the store: its bounds and totals, what becomes of a peer, whom somebody wants to hear of.
//!
//! Plain values; knows nothing of how peers are kept.

use std::time::Duration;

use bencode::Endpoint;

use super::crowd::Part;

/// How much is kept, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Torrents; further ones are served but not kept.
    pub torrents: usize,
    /// Peers of all torrents; further ones are served but not kept.
    pub peers: usize,
    /// A peer that was silent for so long is gone.
    pub lifetime: Duration,
}

impl Default for Bounds {
    /// Two million torrents and four million peers, which take half a gibibyte at most; an hour.
    fn default() -> Bounds {
        Bounds {
            torrents: 2 << 20,
            peers: 4 << 20,
            lifetime: Duration::from_secs(3600),
        }
    }
}

/// How many there are of a torrent (BEP 48).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Complete peers.
    pub seeders: u32,
    /// Incomplete ones.
    pub leechers: u32,
    /// Downloads that came to their end.
    pub completed: u32,
}

/// How much is kept now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Torrents, those included that have only a count of completed downloads.
    pub torrents: usize,
    /// Complete peers, of both families.
    pub seeders: usize,
    /// Incomplete ones.
    pub leechers: usize,
    /// Those of them with an IPv6 address.
    pub v6: usize,
}

impl Totals {
    /// Peers of both kinds and families.
    pub fn peers(&self) -> usize {
        self.seeders + self.leechers
    }
}

/// What became of a peer that said to be here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    /// It is new.
    New {
        /// The one of its own address that it pushed out.
        instead_of: Option<Endpoint>,
    },
    /// It was known.
    Again {
        /// As what.
        was: Part,
        /// For how long it had been silent.
        silent: Duration,
    },
    /// A bound is reached: it is not kept.
    NoRoom,
}

/// Whom to tell of.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Who asks; he is not told of himself.
    pub asker: Endpoint,
    /// What he is: a seeder is told of leechers only.
    pub part: Part,
    /// How many at most, of both families.
    pub want: usize,
}

/// Whether peers of the other family are told too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// Only the asker's own.
    None,
    /// In the places that his own leaves.
    Too,
}
