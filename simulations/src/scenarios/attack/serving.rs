//! Attacks on what one node does for others: forged tokens, a full store.
//!
//! No network is needed: datagrams are handed to one shipping node, and its own are counted. Sources
//! may be forged, where said: then the attacker sees no answer. Every row is exact, not sampled.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use dht::message::{self, AnnouncePort, Body, Envelope, Method, Standing, Want};
use dht::{Config, Endpoint, Families, Id, Node};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::model::addresses;
use crate::time::{Clock, Time};

/// Announcements of a single source at most: one a second, as long as the first of them lives.
const SINGLE: u32 = 2_300;

/// A node alone, and its time.
pub(super) struct Bench {
    pub(super) node: Node,
    clock: Clock,
    at: Time,
    pub(super) rng: ChaCha8Rng,
}

/// Announcements by the token that they carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokens {
    /// Whose token it was.
    pub token: &'static str,
    /// Announcements.
    pub sent: u32,
    /// Those that were stored.
    pub stored: usize,
}

/// What the store looks like after a flood of announcements.
#[derive(Clone, Debug, PartialEq)]
pub struct Flooded {
    /// Who floods.
    pub who: &'static str,
    /// Announcements sent.
    pub sent: u32,
    /// Info hashes stored then.
    pub hashes: usize,
    /// Peers stored then.
    pub peers: usize,
    /// Whether a peer that was announced before is still handed out.
    pub kept: Kept,
    /// Whether a new honest announcement is stored.
    pub admitted: Kept,
}

/// Whether something is in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is.
    Yes,
    /// It is not.
    No,
}

impl Kept {
    fn of(found: usize) -> Kept {
        if found > 0 { Kept::Yes } else { Kept::No }
    }

    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kept::Yes => "yes",
            Kept::No => "no",
        }
    }
}

/// A source by number.
pub(super) fn source(number: u32) -> SocketAddr {
    SocketAddr::from((addresses::address(number), 6881))
}

impl Bench {
    pub(super) fn new(seed: u64) -> Bench {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let clock = Clock::default();
        let config = Config {
            id: Some(Id::random(&mut rng)),
            families: Families::V4,
            ..Config::default()
        };
        let mut secret = [0; 32];
        rand::Rng::fill_bytes(&mut rng, &mut secret);
        let node = Node::new(config, secret, clock.instant(Time::ZERO));
        Bench {
            node,
            clock,
            at: Time::ZERO,
            rng,
        }
    }

    fn now(&self) -> Instant {
        self.clock.instant(self.at)
    }

    pub(super) fn wait(&mut self, time: Duration) {
        self.at = self.at + time;
        if self.node.next_timeout() <= self.now() {
            self.node.handle_timeout(self.now());
        }
    }

    fn query(&mut self, standing: Standing, method: &Method<'_>) -> Vec<u8> {
        let envelope = Envelope {
            transaction: b"aa",
            version: *b"LT\x02\x00",
            id: Id::random(&mut self.rng),
        };
        message::write_query(
            &envelope,
            standing,
            Want {
                v4: true,
                v6: false,
            },
            method,
        )
    }

    /// Hands in a datagram; returns those that go back to `from`.
    pub(super) fn hand(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        self.node.handle_datagram(self.now(), from, datagram);
        self.take(from)
    }

    pub(super) fn take(&mut self, whose: SocketAddr) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        while let Some(transmit) = self.node.poll_transmit() {
            if transmit.to == whose {
                answers.push(transmit.payload);
            }
        }
        answers
    }

    pub(super) fn get(
        &mut self,
        from: SocketAddr,
        info_hash: Id,
    ) -> (Option<Vec<u8>>, Vec<Endpoint>) {
        let query = self.query(Standing::ReadOnly, &Method::GetPeers { info_hash });
        for answer in self.hand(from, &query) {
            if let Ok(message) = message::parse(&answer)
                && let Body::Response(response) = message.body
            {
                let token = response.token.map(<[u8]>::to_vec);
                return (token, response.values().collect());
            }
        }
        (None, Vec::new())
    }

    fn announce(&mut self, from: SocketAddr, info_hash: Id, token: &[u8], port: u16) {
        let method = Method::AnnouncePeer {
            info_hash,
            port: AnnouncePort::Explicit(port),
            token,
        };
        let query = self.query(Standing::ReadOnly, &method);
        self.hand(from, &query);
    }

    /// As an honest peer does: asks for a token, then announces.
    pub(super) fn announce_honestly(&mut self, from: SocketAddr, info_hash: Id, port: u16) {
        if let (Some(token), _) = self.get(from, info_hash) {
            self.announce(from, info_hash, &token, port);
        }
    }

    /// Whether any of many askers is told of this peer.
    fn keeps(&mut self, torrent: Id, peer: Endpoint) -> Kept {
        let mut seen = 0;
        for asker in 0..400 {
            self.wait(Duration::from_millis(10));
            let peers = self.get(source(50_000_000 + asker), torrent).1;
            seen += usize::from(peers.contains(&peer));
        }
        Kept::of(seen)
    }

    /// Nodes answer the probes of the bench's node until its table is full of them.
    pub(super) fn make_friends(&mut self, count: u32) {
        for number in 0..count {
            let from = source(1_000_000 + number);
            let id = Id::random(&mut self.rng);
            let envelope = Envelope {
                transaction: b"aa",
                version: *b"LT\x02\x00",
                id,
            };
            let ping =
                message::write_query(&envelope, Standing::Full, Want::default(), &Method::Ping);
            for sent in self.hand(from, &ping) {
                if let Ok(message) = message::parse(&sent)
                    && let Body::Query(_) = message.body
                {
                    let envelope = Envelope {
                        transaction: message.transaction,
                        ..envelope
                    };
                    let pong = message::write_response(
                        &envelope,
                        from.into(),
                        &message::Answer::default(),
                    );
                    self.hand(from, &pong);
                }
            }
            self.wait(Duration::from_millis(20));
        }
    }
}

/// Announcements with tokens that the announcer does not own.
pub(super) fn forge(seed: u64, count: u32) -> Vec<Tokens> {
    let torrent = Id::new([1; 20]);
    let kinds = [
        "its own",
        "invented",
        "another's",
        "of another torrent",
        "none",
        "11 minutes old",
    ];
    let one = |token: &'static str| {
        let mut bench = Bench::new(seed);
        for number in 0..count {
            let from = source(number + 10);
            let asks = if token == "another's" {
                source(5)
            } else {
                from
            };
            let of = if token == "of another torrent" {
                Id::new([2; 20])
            } else {
                torrent
            };
            let owned = bench.get(asks, of).0.unwrap_or_default();
            match token {
                "invented" => bench.announce(from, torrent, &u64::from(number).to_be_bytes(), 6881),
                "none" => bench.announce(from, torrent, b"", 6881),
                "11 minutes old" => {
                    bench.wait(Duration::from_secs(11 * 60));
                    bench.announce(from, torrent, &owned, 6881);
                }
                _ => bench.announce(from, torrent, &owned, 6881),
            }
            bench.wait(Duration::from_secs(1));
        }
        let stored = bench.node.stats().queries_in.announce_peer;
        debug_assert!(stored > 0, "they were looked at");
        Tokens {
            token,
            sent: count,
            stored: bench.node.stored().1,
        }
    };
    kinds.into_iter().map(one).collect()
}

/// Floods of announcements with good tokens: a single source as fast as it is answered, many sources
/// together 50 a second.
pub(super) fn flood(seed: u64, count: u32) -> Vec<Flooded> {
    let kinds = [
        ("one source, many torrents", 1, u32::MAX),
        ("one source, many ports of one torrent", 1, 1),
        ("a source for each, many torrents", u32::MAX, u32::MAX),
        ("a source for each, one torrent", u32::MAX, 1),
    ];
    let one = |(who, sources, torrents): (&'static str, u32, u32)| {
        let mut bench = Bench::new(seed);
        let [old, new] = [Id::new([0xaa; 20]), Id::new([0xbb; 20])];
        bench.announce_honestly(source(1), old, 6881);
        let (sent, pause) = match sources {
            1 => (count.min(SINGLE), Duration::from_secs(1)),
            _ => (count, Duration::from_millis(20)),
        };
        for number in 0..sent {
            let from = source(100 + number % sources);
            let torrent = if torrents == 1 {
                old
            } else {
                Id::random(&mut bench.rng)
            };
            bench.announce_honestly(from, torrent, 1024 + (number % 60_000) as u16);
            bench.wait(pause);
        }
        let (hashes, peers) = bench.node.stored();
        bench.wait(Duration::from_secs(10));
        bench.announce_honestly(source(2), new, 6881);
        let admitted = Kept::of(bench.get(source(3), new).1.len());
        Flooded {
            who,
            sent,
            hashes,
            peers,
            kept: bench.keeps(old, Endpoint::from(source(1))),
            admitted,
        }
    };
    kinds.into_iter().map(one).collect()
}
