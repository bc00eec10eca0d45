//! Any datagrams to the tracker that we are (BEP 15), with time between them.
//!
//! A reply goes to the sender alone; before a sender has proved its address it is no longer than the request; the peers
//! that are kept stay within their bound. Input: pause, sender, kind, length, bytes; again. Kind 0 is these bytes as
//! they are, the others put a connection id in front that the sender was given.
#![cfg_attr(fuzzing, no_main)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use trackless::tracker::server::{Config, Server};
use trackless::tracker::udp::{PROTOCOL_ID, Request, Response};

const PEERS: usize = 8;

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut now = Instant::now();
    let config = Config {
        torrents: 3,
        peers: PEERS,
        ..Config::default()
    };
    let mut server = Server::new(config, [3; 32], now);
    let mut ids: BTreeMap<u8, u64> = BTreeMap::new();
    let mut rest = data;
    while let [pause, sender, kind, length, behind @ ..] = rest {
        let (part, next) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = next;
        now += Duration::from_secs(u64::from(*pause) * 7);
        let from = SocketAddr::from(([9, 9, 9, sender % 16], 1_000 + u16::from(*sender)));
        let mut datagram = part.to_vec();
        match (kind % 4, ids.get(&(sender % 16))) {
            (0, _) => {}
            (_, Some(id)) => datagram = [&id.to_be_bytes()[..], part].concat(),
            (_, None) => {
                datagram.clear();
                Request::Connect { transaction: 7 }.write(&mut datagram);
            }
        }
        let proved = ids.contains_key(&(sender % 16));
        server.handle_datagram(now, from, &datagram);
        let mut replies = 0;
        while let Some(reply) = server.poll_transmit() {
            replies += 1;
            assert_eq!(reply.to, from);
            assert!(reply.payload.len() <= 1_232);
            assert!(
                proved || reply.payload.len() <= datagram.len().max(16),
                "no amplification"
            );
            let family = bencode::Endpoint::from(from).family();
            if let Some(Response::Connect { connection, .. }) =
                Response::parse(&reply.payload, family)
            {
                assert_ne!(connection, PROTOCOL_ID);
                ids.insert(sender % 16, connection);
            }
        }
        assert!(replies <= 1);
        while server.poll_change().is_some() {}
        if server.next_timeout() <= now {
            server.handle_timeout(now);
        }
        assert!(server.peers(now).count() <= PEERS);
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
