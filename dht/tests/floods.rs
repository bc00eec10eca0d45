//! Floods of datagrams in virtual time, counted in hundred thousands (reliability.md A5, A6, A8): a million with
//! `TRACKLESS_FAULTS=long`. One test in a binary of its own, because it looks at the memory of the whole process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts its clock somewhere"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use trackless_dht::{Config, Endpoint, Families, Node};

/// Bytes that a flood may add to the process.
const MOST: u64 = 16 << 20;

fn count() -> u32 {
    match std::env::var("TRACKLESS_FAULTS").as_deref() {
        Ok("long") => 1_000_000,
        _ => 100_000,
    }
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = pages.split(' ').nth(1).and_then(|word| word.parse().ok());
    let pages: u64 = pages.expect("the second number");
    pages * 4096
}

/// The `n`th source: each in a /24 of its own.
fn source(n: u32) -> SocketAddr {
    Endpoint::new((0x1400_0000 + n * 257).to_be_bytes().into(), 6881).into()
}

fn id(n: u32) -> [u8; 20] {
    let mut id = [7; 20];
    id[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
    id
}

fn query(method: &str, n: u32, arguments: &[&[u8]]) -> Vec<u8> {
    let mut out = b"d1:ad2:id20:".to_vec();
    out.extend(id(n));
    arguments.iter().for_each(|part| out.extend(*part));
    out.extend(format!("e1:q{}:{method}1:t2:aa1:y1:qe", method.len()).bytes());
    out
}

fn get_peers(n: u32, hash: [u8; 20]) -> Vec<u8> {
    query("get_peers", n, &[b"9:info_hash20:", &hash])
}

fn announce(n: u32, hash: [u8; 20], token: &[u8]) -> Vec<u8> {
    let length = format!("{}:", token.len());
    let parts: [&[u8]; 6] = [
        b"9:info_hash20:",
        &hash,
        b"4:porti7777e",
        b"5:token",
        length.as_bytes(),
        token,
    ];
    query("announce_peer", n, &parts)
}

/// What the node sends to `to` now; what it sends to others is dropped.
fn answer(node: &mut Node, to: SocketAddr) -> Option<Vec<u8>> {
    let mut found = None;
    while let Some(sent) = node.poll_transmit() {
        if sent.to == to && sent.payload.ends_with(b"1:y1:re") {
            found = Some(sent.payload);
        }
    }
    while node.poll_event().is_some() {}
    found
}

fn token(answer: &[u8]) -> Option<Vec<u8>> {
    let at = answer.windows(7).position(|it| it == b"5:token")? + 7;
    let colon = at + answer.get(at..)?.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&answer[at..colon]).ok()?.parse().ok()?;
    Some(answer.get(colon + 1..colon + 1 + length)?.to_vec())
}

/// Rows A5, A6, A8: announcements without end cost little memory, a token outlives a flood of questions for others, and
/// answers that nobody asked for change nothing.
#[test]
fn floods_leave_a_node_as_it_was() {
    let mut now = Instant::now();
    let config = Config {
        families: Families::V4,
        ..Config::default()
    };
    let mut node = Node::new(config, [3; 32], now);
    let (honest, hash) = (source(4_000_000), id(4_000_000));
    node.handle_datagram(now, honest, &get_peers(4_000_000, hash));
    let early = answer(&mut node, honest)
        .and_then(|it| token(&it))
        .expect("a token");
    let before = resident();
    let (mut tokens, mut stored) = (0, 0);
    let pause = Duration::from_secs(200) / count();
    for n in 0..count() {
        now += pause;
        let from = source(n);
        node.handle_datagram(now, from, &get_peers(n, id(n)));
        if let Some(token) = answer(&mut node, from).and_then(|it| token(&it)) {
            tokens += 1;
            node.handle_datagram(now, from, &announce(n, id(n), &token));
            stored += u32::from(answer(&mut node, from).is_some());
        }
        if n % 64 == 0 {
            node.handle_timeout(now);
        }
    }
    let growth = resident().saturating_sub(before);
    println!(
        "{} floods: {tokens} tokens given, {stored} announcements answered, {:?} hashes and peers kept, {} KiB more",
        count(),
        node.stored(),
        growth / 1024
    );
    assert!(tokens > 0 && stored > 0);
    assert!(node.stored().1 <= 50_000, "{:?}", node.stored());
    assert!(growth <= MOST, "{growth} bytes");
    now += Duration::from_secs(2);
    node.handle_datagram(now, honest, &announce(4_000_000, hash, &early));
    assert!(
        answer(&mut node, honest).is_some(),
        "the token of before the flood"
    );

    let asked = source(5_000_000);
    node.ping(now, asked.into());
    let contacts = node.contacts().count();
    for n in 0..count() {
        let mut blind = b"d2:ip4:aaaa1:rd2:id20:".to_vec();
        blind.extend(id(5_000_000));
        blind.extend(b"e1:t4:");
        blind.extend(n.wrapping_mul(2_654_435_761).to_be_bytes());
        blind.extend(b"1:y1:re");
        node.handle_datagram(now, asked, &blind);
        assert_eq!(answer(&mut node, asked), None);
    }
    assert_eq!(node.contacts().count(), contacts, "somebody got in blindly");
}
