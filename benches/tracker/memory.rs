//! Bytes a peer at a million peers, spread over torrents in several ways: resident memory, each in a process of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trackless::metainfo::InfoHash;
use trackless::tracker::server::{Bounds, Part, Swarms};

const PEERS: u32 = 1_000_000;

/// Name, torrents, and how many peers in a hundred have an IPv6 address.
const SPREADS: [(&str, u32, u32); 6] = [
    ("one", 1, 0),
    ("of-100", 10_000, 0),
    ("of-5", 200_000, 0),
    ("of-1", 1_000_000, 0),
    ("of-100-mixed", 10_000, 30),
    ("of-100-v6", 10_000, 100),
];

/// Resident bytes of a process.
pub(super) fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    1024 * kib.expect("a number")
}

/// Fills a store and prints what it takes.
pub(super) fn fill(kind: &str) {
    let (_, torrents, v6) = SPREADS
        .into_iter()
        .find(|spread| spread.0 == kind)
        .expect("a spread");
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let now = Instant::now();
    let before = resident("self");
    let mut swarms = Swarms::new(Bounds::default(), [1; 32], now);
    for number in 0..PEERS {
        let ip: IpAddr = if rng.next_u32() % 100 < v6 {
            Ipv6Addr::from_bits(u128::from(rng.next_u64()) << 64 | 1).into()
        } else {
            Ipv4Addr::from_bits(rng.next_u32()).into()
        };
        let mut hash = [0; 20];
        hash[..4].copy_from_slice(&(number % torrents).to_be_bytes());
        let part = if number % 3 == 0 {
            Part::Seeder
        } else {
            Part::Leecher
        };
        let at = Endpoint::new(ip, 6881);
        swarms.enter(now, InfoHash(hash), at, part, Duration::ZERO);
    }
    let (totals, took) = (swarms.totals(), now.elapsed());
    let bytes = resident("self") - before;
    println!(
        "{kind:<14} {:>8} torrents {:>8} peers {:>6.1} bytes a peer, entered in {:.2} s",
        totals.torrents,
        totals.peers(),
        bytes as f64 / totals.peers() as f64,
        took.as_secs_f64(),
    );
}

/// Runs all.
pub(super) fn measure() {
    let this = std::env::current_exe().expect("this program");
    for (kind, ..) in SPREADS {
        let done = Command::new(&this)
            .args(["fill", kind])
            .status()
            .expect("it runs");
        assert!(done.success());
    }
}
