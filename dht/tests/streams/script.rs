//! Any bytes as the life of a node: time passes, strangers talk sense and nonsense, the owner wants things. After each
//! step the laws hold that hold whatever comes.
//!
//! Used by the property test beside it and by the fuzz target `node`, so it draws nothing itself: every choice is a byte
//! of the input, and an input that ends ends the life.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bencode::Writer;
use trackless_dht::{AnnouncePort, Config, Endpoint, Id, Item, LookupId, Node, Role};

use super::laws::Laws;

/// Questions of the node that can still be answered.
const REMEMBERED: usize = 64;
/// Steps of one life.
const MAX_STEPS: usize = 4_000;

/// The choices still to make.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound.max(1)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}

/// Whom a byte means: hosts of many networks and of one, of the other family, and some that cannot be.
fn host(n: u8) -> SocketAddr {
    let port = 6_881 + u16::from(n % 3);
    match n {
        0..150 => SocketAddr::from(([20 + n / 2, n, 5, 7], port)),
        150..200 => SocketAddr::from(([99, 9, 9, n], port)),
        200..235 => SocketAddr::from(([0x2a01, u16::from(n), 0, 0, 0, 0, 0, 7], port)),
        235..245 => SocketAddr::from(([10, 0, 0, n], port)),
        245..250 => SocketAddr::from(([81, 2, 3, n], 0)),
        250..253 => SocketAddr::from(([127, 0, 0, 1], port)),
        _ => SocketAddr::from(([224, 0, 0, n], port)),
    }
}

const OURS: Id = Id::new([1; 20]);

/// The id of a byte: spread over the key space, or near ours, or ours.
fn id(n: u8) -> Id {
    match n {
        0..200 => {
            let mut bytes = [n; 20];
            bytes[0] = n.wrapping_mul(97);
            Id::new(bytes)
        }
        200..250 => {
            let mut bytes = *OURS.as_bytes();
            bytes[usize::from(n % 20)] ^= n;
            Id::new(bytes)
        }
        _ => OURS,
    }
}

/// One life.
pub(crate) struct Script<'a> {
    bytes: Bytes<'a>,
    node: Node,
    now: Instant,
    laws: Laws,
    questions: VecDeque<(SocketAddr, Vec<u8>)>,
    heard: VecDeque<(SocketAddr, Vec<u8>)>,
    lookups: VecDeque<LookupId>,
}

/// Lives the whole input; the digest of all that the node said and told.
///
/// # Panics
/// When a law is broken.
pub(crate) fn live(input: &[u8], start: Instant) -> u64 {
    let mut bytes = Bytes(input);
    let role = match bytes.byte() {
        0..16 => Role::ReadOnly,
        _ => Role::Full,
    };
    let config = Config {
        id: Some(OURS),
        role,
        ..Config::default()
    };
    let seed = [bytes.byte(); 32];
    let mut script = Script {
        bytes,
        node: Node::new(config, seed, start),
        now: start,
        laws: Laws::new(),
        questions: VecDeque::new(),
        heard: VecDeque::new(),
        lookups: VecDeque::new(),
    };
    for _ in 0..MAX_STEPS {
        if script.bytes.0.is_empty() {
            break;
        }
        script.step();
    }
    // Whatever happened, it comes to rest.
    script.pass(Duration::from_secs(120));
    script.laws.digest()
}

impl Script<'_> {
    fn step(&mut self) {
        match self.bytes.byte() % 16 {
            0 => {
                let time = Duration::from_millis(self.bytes.byte().into());
                self.pass(time);
            }
            1 => {
                let time = u64::from(self.bytes.byte());
                let often_short = if time < 224 { time / 8 } else { 8 * time };
                self.pass(Duration::from_secs(often_short));
            }
            2 => self.rubbish(),
            3 | 4 => self.query(),
            5 => self.store(),
            6..=10 => self.answer(),
            11 => self.refuse(),
            12 => self.replay(),
            _ => self.command(),
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.node.next_timeout() <= end {
            self.now = self.now.max(self.node.next_timeout());
            self.node.handle_timeout(self.now);
            self.drain(None);
            assert!(self.node.next_timeout() > self.now, "time stands still");
        }
        self.now = end;
    }

    fn rubbish(&mut self) {
        let from = host(self.bytes.byte());
        let length = self.bytes.below(256) * 16;
        let grain = self.bytes.below(24);
        let grain = self.bytes.take(grain);
        let datagram = grain.iter().copied().cycle().take(length).collect();
        self.hear(from, datagram);
    }

    /// A datagram arrives, perhaps with a byte that went wrong on the way.
    fn spoil_and_hear(&mut self, from: SocketAddr, mut datagram: Vec<u8>) {
        if self.bytes.byte() >= 240 && !datagram.is_empty() {
            let place = self.bytes.below(256) * 5 % datagram.len();
            datagram[place] = self.bytes.byte();
        }
        self.hear(from, datagram);
    }

    fn hear(&mut self, from: SocketAddr, datagram: Vec<u8>) {
        self.node.handle_datagram(self.now, from, &datagram);
        self.drain(Some((from, &datagram)));
        self.heard.push_back((from, datagram));
        if self.heard.len() > REMEMBERED {
            self.heard.pop_front();
        }
    }

    fn replay(&mut self) {
        let index = self.bytes.below(self.heard.len());
        if let Some((from, datagram)) = self.heard.get(index).cloned() {
            let from = if self.bytes.byte() < 128 {
                from
            } else {
                host(self.bytes.byte())
            };
            self.hear(from, datagram);
        }
    }

    /// A stranger who does it right: asks for a token and stores itself, or something.
    fn store(&mut self) {
        let (from, about) = (self.bytes.byte(), self.bytes.byte());
        let value = [b"1:".as_slice(), &[about]].concat();
        let item = Item::immutable(value).expect("a string of one byte");
        let (ask, tell, target) = match from % 3 {
            0 => ("get", "put", item.target()),
            _ => ("get_peers", "announce_peer", id(about)),
        };
        for method in [ask, tell] {
            let token = self.laws.last_token().unwrap_or(b"none").to_vec();
            let mut writer = Writer::new();
            writer.dict(|root| {
                root.dict("a", |a| {
                    a.bytes("id", id(from).as_bytes());
                    a.bytes("info_hash", target.as_bytes());
                    a.int("port", 6_881);
                    a.bytes("target", target.as_bytes());
                    a.bytes("token", &token);
                    a.raw("v", item.value());
                });
                root.bytes("q", method);
                root.bytes("t", [from, about]);
                root.bytes("y", "q");
            });
            self.hear(host(from), writer.into_bytes());
        }
    }

    fn query(&mut self) {
        let (from, about) = (self.bytes.byte(), self.bytes.byte());
        let sender = match self.bytes.byte() {
            0..200 => from,
            other => other,
        };
        let what = self.bytes.below(8);
        let names = [
            "ping",
            "find_node",
            "get_peers",
            "announce_peer",
            "get",
            "put",
            "sample_infohashes",
            "vote",
        ];
        let token = self.token();
        let (flags, value) = (self.bytes.byte(), self.bytes.below(64));
        let mut writer = Writer::new();
        writer.dict(|root| {
            root.dict("a", |a| {
                a.bytes("id", id(sender).as_bytes());
                a.int("implied_port", i64::from(flags & 1));
                a.bytes("info_hash", id(about).as_bytes());
                a.int("port", i64::from(flags) * 258);
                a.int("scrape", i64::from(flags >> 1 & 1));
                a.bytes("target", id(about).as_bytes());
                a.bytes("token", &token);
                a.bytes("v", vec![b'v'; value * 16]);
                a.list("want", |list| {
                    list.bytes("n4");
                    list.bytes("n6");
                });
            });
            root.bytes("q", names[what]);
            root.int("ro", i64::from(flags >> 2 & 1));
            root.bytes("t", &token[..token.len().clamp(1, 4)]);
            root.bytes("y", "q");
        });
        self.spoil_and_hear(host(from), writer.into_bytes());
    }

    /// The token of the node's last answer, or something like one.
    fn token(&mut self) -> Vec<u8> {
        match (self.bytes.byte(), self.laws.last_token()) {
            (0..192, Some(token)) => token.to_vec(),
            (n, _) => vec![n; usize::from(n % 32) + 1],
        }
    }
}

impl Script<'_> {
    /// One of the node's last questions.
    fn question(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let back = self.bytes.below(self.questions.len().min(12));
        self.questions.iter().rev().nth(back).cloned()
    }

    /// Somebody answers a question of the node: mostly who was asked, mostly as who was expected.
    fn answer(&mut self) {
        let Some((asked, question)) = self.question() else {
            return;
        };
        let manner = self.bytes.byte();
        let from = match manner {
            0..230 => asked,
            _ => host(self.bytes.byte()),
        };
        let sender = match manner % 16 {
            0 => id(self.bytes.byte()),
            _ => (0..=255).find(|n| host(*n) == asked).map_or(id(manner), id),
        };
        let (nodes, values) = (self.bytes.below(24), self.bytes.below(120));
        let (first, seen, token) = (self.bytes.byte(), self.bytes.byte(), self.bytes.below(80));
        let cut = usize::from(manner == 17);
        let mut lists = [Vec::new(), Vec::new()];
        for n in 0..nodes {
            let n = first.wrapping_add(n as u8);
            let list = &mut lists[usize::from(host(n).is_ipv6())];
            list.extend_from_slice(id(n).as_bytes());
            Endpoint::from(host(n)).write_compact(list);
        }
        let compact = |n: u8| {
            let mut bytes = Vec::new();
            Endpoint::from(host(n)).write_compact(&mut bytes);
            bytes
        };
        // What BEP 33, 44 and 51 ask for, sometimes as the key holder of `command` would write it.
        let rich = manner.is_multiple_of(8);
        let signed = || Item::signed(&[7; 32], Vec::new(), seen.into(), b"i7e".to_vec());
        let (key, signature) = match rich.then(signed) {
            Some(Ok(Item::Mutable { key, signature, .. })) => (key, signature),
            _ => ([0; 32], [0; 64]),
        };
        let mut writer = Writer::new();
        writer.dict(|root| {
            root.bytes("ip", compact(seen));
            root.dict("r", |r| {
                if rich {
                    r.bytes("BFpe", [first; 256]);
                    r.bytes("BFsd", [seen & first; 256]);
                }
                r.bytes("id", sender.as_bytes());
                if rich {
                    r.int("interval", i64::from(seen) * 300);
                    r.bytes("k", key);
                }
                r.bytes("nodes", &lists[0][cut.min(lists[0].len())..]);
                r.bytes("nodes6", &lists[1]);
                if rich {
                    r.int("num", i64::from(first) * i64::from(seen) - 9);
                    r.bytes("samples", vec![first; usize::from(seen)]);
                    r.int("seq", i64::from(seen));
                    r.bytes("sig", signature);
                }
                r.bytes("token", vec![b't'; token]);
                if rich {
                    r.raw("v", b"i7e");
                }
                r.list("values", |list| {
                    (0..values).for_each(|n| {
                        list.bytes(compact(first.wrapping_mul(3).wrapping_add(n as u8)))
                    });
                });
            });
            root.bytes("t", super::laws::transaction(&question));
            root.bytes("y", "r");
        });
        self.spoil_and_hear(from, writer.into_bytes());
    }

    fn refuse(&mut self) {
        let Some((asked, question)) = self.question() else {
            return;
        };
        let mut writer = Writer::new();
        writer.dict(|root| {
            root.list("e", |list| {
                list.int(203);
                list.bytes("no");
            });
            root.bytes("t", super::laws::transaction(&question));
            root.bytes("y", "e");
        });
        self.spoil_and_hear(asked, writer.into_bytes());
    }

    fn command(&mut self) {
        let (what, target) = (self.bytes.byte(), id(self.bytes.byte()));
        let (now, node) = (self.now, &mut self.node);
        let lookup = match what % 12 {
            0 | 1 => node.get_peers(now, target),
            2 => node.announce(now, target, AnnouncePort::Implied),
            3 => node.find_node(now, target),
            4 => node.scrape(now, target),
            5 => node.sample(now, target),
            6 => node.item(now, target, vec![what; usize::from(what % 2)]),
            7 => {
                let value = format!("i{what}e").into_bytes();
                let item = Item::signed(&[7; 32], Vec::new(), what.into(), value);
                node.put(now, item.expect("a small number"), (what > 99).then_some(1))
            }
            8 => {
                let first = self.bytes.byte();
                let doors = (0..4).map(|n| Endpoint::from(host(first.wrapping_add(n))));
                node.join(now, doors);
                return self.drain(None);
            }
            9 => {
                if let Some(lookup) = self.lookups.pop_front() {
                    node.cancel(lookup);
                }
                return self.drain(None);
            }
            _ => {
                node.ping(now, Endpoint::from(host(self.bytes.byte())));
                return self.drain(None);
            }
        };
        self.lookups.push_back(lookup);
        if self.lookups.len() > REMEMBERED {
            self.lookups.pop_front();
        }
        self.drain(None);
    }

    /// Takes what the node says and tells, and holds it against the laws.
    fn drain(&mut self, heard: Option<(SocketAddr, &[u8])>) {
        self.laws.begin(heard);
        while let Some(transmit) = self.node.poll_transmit() {
            if self.laws.said(&transmit) {
                self.questions.push_back((transmit.to, transmit.payload));
                if self.questions.len() > REMEMBERED {
                    self.questions.pop_front();
                }
            }
        }
        while let Some(event) = self.node.poll_event() {
            self.laws.told(&event);
        }
        self.laws.end(&self.node);
    }
}
