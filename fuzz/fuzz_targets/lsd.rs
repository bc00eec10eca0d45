//! Any datagrams from neighbours and strangers to local discovery (BEP 14), with time between them.
//!
//! Only torrents of ours come out, only with the sender's own address, and answers go to nobody but senders, no more
//! than the pace allows. Input: pause, sender, length, bytes; again.
#![cfg_attr(fuzzing, no_main)]

use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::Family;
use trackless::metainfo::InfoHash;
use trackless::swarm::lsd::{ANSWERS, Announce, Lsd, MAX_HASHES, To};

/// One input.
pub(crate) fn run(data: &[u8]) {
    if let Some(announce) = Announce::parse(data) {
        assert_ne!(announce.port, 0);
        assert!((1..=MAX_HASHES).contains(&announce.torrents.len()));
        let again = Announce::parse(&announce.write(Family::V4)).expect("we wrote it");
        assert_eq!(again.port, announce.port);
    }
    let mut now = Instant::now();
    let mut lsd = Lsd::new(6_881, [1; 32], now);
    let ours: [InfoHash; 2] = [InfoHash([0x11; 20]), InfoHash([0xab; 20])];
    for hash in ours {
        lsd.add(now, hash);
    }
    let links = ["192.168.1.0/24", "fe80::/64"].map(|range| range.parse().expect("a range"));
    lsd.set_links(now, links.to_vec(), vec![Family::V4, Family::V6]);
    let (mut passed, mut answers, mut rest) = (0u32, 0u32, data);
    while let [pause, sender, length, behind @ ..] = rest {
        now += Duration::from_secs(u64::from(*pause));
        passed += u32::from(*pause);
        let from: IpAddr = match sender {
            0..=127 => IpAddr::from([192, 168, 1, *sender]),
            128..=199 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, u16::from(*sender)]),
            _ => IpAddr::from([8, 8, 8, *sender]),
        };
        let (datagram, next) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = next;
        lsd.handle_timeout(now);
        lsd.handle_datagram(now, from, datagram);
        while let Some(found) = lsd.poll_event() {
            assert!(
                ours.contains(&found.info_hash) && found.peer.ip == from && found.peer.port != 0
            );
            assert!(*sender < 200, "strangers are not heard");
        }
        while let Some(transmit) = lsd.poll_transmit() {
            assert!(transmit.payload.len() <= 1_400);
            if let To::One(to) = transmit.to {
                assert_eq!(to, from);
                answers += 1;
            }
        }
        assert!(answers <= ANSWERS + passed / 5);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
