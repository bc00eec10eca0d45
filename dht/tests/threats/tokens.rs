//! 4.4: forging and replaying write tokens, which would announce a victim as somebody's peer.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Config, Endpoint, Id};

use crate::stage::{Field, HASH, Stage, name, passing_query, place, result, text};

fn token_for(stage: &mut Stage, from: SocketAddr, hash: Id) -> Vec<u8> {
    let ask = passing_query(name(1), "get_peers", &[("info_hash", hash.into())]);
    let answer = stage.answers(from, &ask).expect("an answer");
    let token = result(&answer, "token").and_then(|token| token.as_bytes());
    token.expect("a token").to_vec()
}

/// Whether the node believes that `from` may announce `hash` with `token`.
fn announces(stage: &mut Stage, from: SocketAddr, hash: Id, token: &[u8]) -> bool {
    let announce = announcement(hash, token, 7777);
    let answer = stage.answers(from, &announce).expect("an answer");
    match text(&answer, "y") {
        b"r" => true,
        b"e" => false,
        other => panic!("an unknown kind {other:?}"),
    }
}

fn announcement(hash: Id, token: &[u8], port: i64) -> Vec<u8> {
    let fields = [
        ("info_hash", Field::from(hash)),
        ("port", Field::Int(port)),
        ("token", Field::from(token)),
    ];
    passing_query(name(1), "announce_peer", &fields)
}

/// `base` with one bit of its IPv4 address flipped.
fn flipped(base: SocketAddr, bit: u32) -> SocketAddr {
    let SocketAddr::V4(v4) = base else {
        panic!("an IPv4 address")
    };
    let ip = u32::from(*v4.ip()) ^ (1 << bit);
    SocketAddr::from((ip.to_be_bytes(), v4.port()))
}

/// Rows A5: a token announces no other address.
#[test]
fn threat_4_4_a_token_announces_no_other_address() {
    let mut stage = Stage::new();
    let token = token_for(&mut stage, place(1), HASH);
    for bit in 0..24 {
        stage.passes(Duration::from_secs(1));
        let other = flipped(place(1), bit);
        assert!(!announces(&mut stage, other, HASH, &token), "bit {bit}");
    }
    assert_eq!(stage.kept().2, 0);
    assert!(announces(&mut stage, place(1), HASH, &token));
}

/// Rows A5: a token announces no other hash.
#[test]
fn threat_4_4_a_token_announces_no_other_hash() {
    let mut stage = Stage::new();
    let token = token_for(&mut stage, place(1), HASH);
    assert!(!announces(&mut stage, place(1), name(9), &token));
    assert_eq!(stage.kept().2, 0);
}

/// Rows A5: a token ends after ten minutes.
#[test]
fn threat_4_4_a_replayed_token_ends_after_ten_minutes() {
    let mut stage = Stage::new();
    let token = token_for(&mut stage, place(1), HASH);
    stage.passes(Duration::from_secs(290));
    assert!(announces(&mut stage, place(1), HASH, &token));
    stage.passes(Duration::from_secs(311));
    assert!(!announces(&mut stage, place(1), HASH, &token));
}

/// A checksum is affine: of three addresses and their tokens follows a fourth one's, without the secret.
#[test]
fn threat_4_4_tokens_of_other_addresses_do_not_add_up_to_one() {
    let mut stage = Stage::new();
    for bit in 0..12 {
        let (a, b) = (place(1), flipped(place(1), bit));
        let (c, victim) = (flipped(a, bit + 1), flipped(b, bit + 1));
        let [a, b, c] = [a, b, c].map(|at| token_for(&mut stage, at, HASH));
        let sum: Vec<u8> = (0..a.len()).map(|i| a[i] ^ b[i] ^ c[i]).collect();
        assert!(!announces(&mut stage, victim, HASH, &sum), "bit {bit}");
        stage.passes(Duration::from_secs(3));
    }
}

/// Rows A5: guesses announce nothing.
#[test]
fn threat_4_4_ten_thousand_guesses_announce_nothing() {
    let mut stage = Stage::new();
    for guess in 0..10_000_u64 {
        let token = (guess.wrapping_mul(0x9e37_79b9_7f4a_7c15)).to_be_bytes();
        let from = place((guess % 500) as u16);
        stage.hears(from, &announcement(HASH, &token, 7777));
        stage.now += Duration::from_millis(6);
    }
    for length in [0, 1, 4, 7, 9, 16, 20, 64, 65, 500] {
        stage.passes(Duration::from_secs(1));
        stage.hears(place(600), &announcement(HASH, &vec![0; length], 7777));
    }
    assert_eq!(stage.kept().2, 0);
}

/// Tokens of one node say nothing about another's, nor about the next run of the same one.
#[test]
fn threat_4_4_another_nodes_token_is_none_of_ours() {
    let mut stage = Stage::new();
    let other = trackless_dht::Node::new(Config::default(), [4; 32], stage.now);
    let mut other = Stage {
        node: other,
        now: stage.now,
    };
    let token = token_for(&mut other, place(1), HASH);
    assert!(!announces(&mut stage, place(1), HASH, &token));
}

#[test]
fn threat_4_4_what_is_stored_is_the_source_and_nothing_claimed() {
    let mut stage = Stage::new();
    let token = token_for(&mut stage, place(1), HASH);
    let fields = [
        ("implied_port", Field::Int(0)),
        ("info_hash", Field::from(HASH)),
        ("ip", Field::from(&[99, 9, 9, 9][..])),
        ("ipv4", Field::from(&[99, 9, 9, 9][..])),
        ("port", Field::Int(7777)),
        ("token", Field::from(&token[..])),
    ];
    stage.hears(place(1), &passing_query(name(1), "announce_peer", &fields));
    let ask = passing_query(name(2), "get_peers", &[("info_hash", HASH.into())]);
    let answer = stage.answers(place(2), &ask).expect("an answer");
    let values = result(&answer, "values").and_then(|values| values.as_list());
    let values: Vec<_> = values
        .into_iter()
        .flatten()
        .filter_map(|value| Endpoint::from_compact(value.as_bytes()?))
        .collect();
    assert_eq!(values, [Endpoint::new(place(1).ip(), 7777)]);
}

/// Rows A6: a port that is none is not announced.
#[test]
fn threat_4_4_ports_that_are_none_are_refused() {
    let mut stage = Stage::new();
    let token = token_for(&mut stage, place(1), HASH);
    for port in [0, -1, 65_536, i64::MAX, i64::MIN] {
        stage.passes(Duration::from_secs(1));
        let refused = stage.answers(place(1), &announcement(HASH, &token, port));
        assert_eq!(text(&refused.expect("an answer"), "y"), b"e", "{port}");
    }
    assert_eq!(stage.kept().2, 0);
}
