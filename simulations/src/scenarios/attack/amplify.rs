//! What one node sends to a victim in whose name somebody asks it.
//!
//! `Threat:` UDP sources are forged, and an answer that is longer than its query makes every node a
//! weapon. The victim never said a word, so nothing proves its address. Each kind of query is as
//! short as it can be written, and what it asks for is there to be answered: peers, an item of the
//! largest size, contacts. Every row is exact, not sampled. The queries are written here by hand, so
//! that no part of the node decides how short they are.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use dht::Id;
use dht::message::{self, Body};
use rand::Rng;
use sha1::{Digest, Sha1};

use super::serving::{Bench, source};
use crate::wire::Flow;

/// Seconds for which a victim is drummed at.
pub const DRUMMING: u32 = 60;
/// Forged queries a second then.
pub const DRUMS: u32 = 100;
/// Peers of the torrent that is asked for, and torrents besides it.
const PEERS: u32 = 500;
const TORRENTS: u32 = 300;

/// What one kind of query makes a node send to a forged source.
#[derive(Clone, Debug, PartialEq)]
pub struct Amplified {
    /// The query.
    pub query: &'static str,
    /// Bytes of one query.
    pub length: usize,
    /// Bytes sent to the victim on the first query, by the bytes of that.
    pub once: f64,
    /// The most that any single query of all was answered with, by its bytes.
    pub worst: f64,
    /// What the attacker sent in `DRUMMING` seconds.
    pub sent: Flow,
    /// What the victim got.
    pub got: Flow,
}

/// A query of these arguments after `id`, in bencode and in their order, as short as it can be.
fn query(id: &Id, method: &str, arguments: &[u8]) -> Vec<u8> {
    let mut query = b"d1:ad2:id20:".to_vec();
    query.extend(id.as_bytes());
    query.extend(arguments);
    query.extend(format!("e1:q{}:{method}1:t1:a1:y1:qe", method.len()).as_bytes());
    query
}

/// Bencode of a key and a string.
fn pair(key: &str, value: &[u8]) -> Vec<u8> {
    let mut pair = format!("{}:{key}{}:", key.len(), value.len()).into_bytes();
    pair.extend(value);
    pair
}

/// The largest item that there can be, in bencode (BEP 44: 1,000 bytes), and its target.
fn item() -> (Vec<u8>, [u8; 20]) {
    let mut value = b"996:".to_vec();
    value.resize(1_000, b'x');
    let target = Sha1::digest(&value).into();
    (value, target)
}

/// A node with contacts, peers, torrents and an item.
fn bench(seed: u64, torrent: Id) -> Bench {
    let mut bench = Bench::new(seed);
    bench.make_friends(200);
    for number in 0..PEERS {
        bench.announce_honestly(source(2_000_000 + number), torrent, 6881);
        bench.wait(Duration::from_millis(10));
    }
    for number in 0..TORRENTS {
        let other = Id::random(&mut bench.rng);
        bench.announce_honestly(source(3_000_000 + number), other, 6881);
        bench.wait(Duration::from_millis(10));
    }
    let (value, target) = item();
    let id = Id::random(&mut bench.rng);
    let from = source(4_000_000);
    let mut token = Vec::new();
    for answer in bench.hand(from, &query(&id, "get", &pair("target", &target))) {
        if let Ok(message) = message::parse(&answer)
            && let Body::Response(response) = message.body
        {
            token = response.token.map(<[u8]>::to_vec).unwrap_or_default();
        }
    }
    let mut arguments = pair("token", &token);
    arguments.extend(b"1:v");
    arguments.extend(value);
    bench.hand(from, &query(&id, "put", &arguments));
    bench.wait(Duration::from_secs(30));
    bench
}

/// All kinds of queries about `torrent` and the item.
fn kinds(torrent: &Id, rng: &mut impl Rng) -> Vec<(&'static str, Vec<u8>)> {
    let id = Id::random(rng);
    let hash = pair("info_hash", torrent.as_bytes());
    let near = pair("target", torrent.as_bytes());
    let both = b"4:wantl2:n42:n6e";
    let (value, target) = item();
    let mut put = pair("token", b"12345678");
    put.extend(b"1:v");
    put.extend(value);
    let announcement = [&hash[..], b"4:porti1e", &pair("token", b"12345678")].concat();
    let get = pair("target", &target);
    vec![
        ("ping", query(&id, "ping", b"")),
        ("find_node", query(&id, "find_node", &near)),
        (
            "find_node, both families",
            query(&id, "find_node", &[&near[..], both].concat()),
        ),
        ("get_peers, 500 stored", query(&id, "get_peers", &hash)),
        (
            "get_peers, scrape",
            query(&id, "get_peers", &[&hash[..], b"6:scrapei1e"].concat()),
        ),
        (
            "get_peers, none stored",
            query(&id, "get_peers", &pair("info_hash", &[7; 20])),
        ),
        (
            "announce_peer, wrong token",
            query(&id, "announce_peer", &announcement),
        ),
        ("get, 1,000 bytes stored", query(&id, "get", &get)),
        ("put, wrong token", query(&id, "put", &put)),
        (
            "sample_infohashes, 300 stored",
            query(&id, "sample_infohashes", &near),
        ),
        ("an unknown method", query(&id, "xyz", b"")),
        ("find_node without a target", query(&id, "find_node", b"")),
        (
            "not a message",
            b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaa".to_vec(),
        ),
    ]
}

/// Every kind of query with the victim as its source, once and then for a minute.
pub(super) fn amplify(seed: u64) -> Vec<Amplified> {
    let torrent = Id::new([0x5a; 20]);
    let mut first = bench(seed, torrent);
    let kinds = kinds(&torrent, &mut first.rng);
    let one = |(query, datagram): (&'static str, Vec<u8>)| {
        let mut bench = bench(seed, torrent);
        let victim = SocketAddr::from((Ipv4Addr::new(9, 9, 9, 9), 53));
        let mut sent = Flow::default();
        let mut got = Flow::default();
        let (mut once, mut worst) = (0.0, 0.0_f64);
        for number in 0..DRUMMING * DRUMS {
            sent.count(datagram.len());
            let answers = bench.hand(victim, &datagram);
            let bytes: usize = answers.iter().map(Vec::len).sum();
            let ratio = bytes as f64 / datagram.len() as f64;
            if number == 0 {
                once = ratio;
            }
            worst = worst.max(ratio);
            bench.wait(Duration::from_secs(1) / DRUMS);
            let late = bench.take(victim);
            for answer in answers.iter().chain(&late) {
                got.count(answer.len());
            }
        }
        Amplified {
            query,
            length: datagram.len(),
            once,
            worst,
            sent,
            got,
        }
    };
    kinds.into_iter().map(one).collect()
}
