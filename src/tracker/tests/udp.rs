//! Datagrams: BEP 15's tables byte by byte, BEP 41's options, truncation at every byte.

use bencode::{Endpoint, Family};
use proptest::prelude::*;

use super::super::udp::{MAX_SCRAPE, MAX_URL_DATA, PROTOCOL_ID, Request, Response};
use super::super::{MAX_PEERS, ScrapeReply};
use super::{EVENTS, announce};
use crate::metainfo::InfoHash;

fn request(request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    request.write(&mut out);
    out
}

fn response(response: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    response.write(&mut out);
    out
}

#[test]
fn the_tables_of_the_bep_byte_by_byte() {
    let connect = Request::Connect { transaction: 7 };
    assert_eq!(
        request(&connect),
        b"\x00\x00\x04\x17\x27\x10\x19\x80\0\0\0\0\0\0\0\x07"
    );
    let bytes = request(&Request::Announce {
        connection: 0x0102_0304_0506_0708,
        transaction: 9,
        announce: announce(),
        url_data: Vec::new(),
    });
    assert_eq!(bytes.len(), 98);
    assert_eq!(
        &bytes[..16],
        b"\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\x01\0\0\0\x09"
    );
    assert_eq!(bytes[16..36], announce().info_hash.0);
    assert_eq!(bytes[36..56], announce().peer_id.0);
    // downloaded, left, uploaded
    assert_eq!(
        &bytes[56..80],
        b"\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\x03"
    );
    // event, ip, key, num_want, port
    assert_eq!(
        &bytes[80..],
        b"\0\0\0\x02\0\0\0\0\xde\xad\xbe\xef\0\0\0\x32\x1a\xe1"
    );
    let bytes = response(&Response::Announce {
        transaction: 9,
        interval: 1800,
        leechers: 1,
        seeders: 2,
        peers: vec!["192.0.2.1:6881".parse().expect("an endpoint")],
    });
    assert_eq!(
        bytes,
        b"\0\0\0\x01\0\0\0\x09\0\0\x07\x08\0\0\0\x01\0\0\0\x02\xc0\0\x02\x01\x1a\xe1"
    );
    let bytes = response(&Response::Error {
        transaction: 9,
        message: "no".into(),
    });
    assert_eq!(bytes, b"\0\0\0\x03\0\0\0\x09no");
}

#[test]
fn a_connect_request_needs_the_magic_number() {
    let mut bytes = request(&Request::Connect { transaction: 7 });
    assert!(Request::parse(&bytes).is_some());
    bytes[7] ^= 1;
    assert_eq!(Request::parse(&bytes), None);
    assert_eq!(
        PROTOCOL_ID.to_be_bytes(),
        *b"\x00\x00\x04\x17\x27\x10\x19\x80"
    );
}

#[test]
fn url_data_longer_than_an_option_is_put_together_again() {
    let url_data: Vec<u8> = (0..700).map(|i| b'a' + (i % 26) as u8).collect();
    let original = Request::Announce {
        connection: 1,
        transaction: 2,
        announce: announce(),
        url_data,
    };
    assert_eq!(Request::parse(&request(&original)), Some(original));
}

#[test]
fn options_nobody_knows_are_passed_over_and_broken_ones_end_the_list() {
    let plain = Request::Announce {
        connection: 1,
        transaction: 2,
        announce: announce(),
        url_data: Vec::new(),
    };
    for (options, expected) in [
        (
            &b"\x02\x03/an\x01\x02\x02ab\x00\x02\x01x"[..],
            &b"/anab"[..],
        ),
        (b"\x07\x02zz\x02\x01/", b"/"),
        (b"\x02\x01/\x02\x09short", b"/"),
        (b"\x02", b""),
    ] {
        let mut bytes = request(&plain);
        bytes.extend_from_slice(options);
        match Request::parse(&bytes) {
            Some(Request::Announce { url_data, .. }) => assert_eq!(url_data, expected),
            other => panic!("{other:?}"),
        }
    }
    let mut bytes = request(&plain);
    (0..40).for_each(|_| {
        bytes.extend([2, 255]);
        bytes.extend([b'a'; 255]);
    });
    match Request::parse(&bytes) {
        Some(Request::Announce { url_data, .. }) => assert!(url_data.len() <= MAX_URL_DATA),
        other => panic!("{other:?}"),
    }
}

#[test]
fn as_many_peers_as_the_tracker_likes() {
    let mut wish = announce();
    wish.numwant = None;
    let original = Request::Announce {
        connection: 1,
        transaction: 2,
        announce: wish,
        url_data: Vec::new(),
    };
    let bytes = request(&original);
    assert_eq!(&bytes[92..96], b"\xff\xff\xff\xff");
    assert_eq!(Request::parse(&bytes), Some(original));
}

#[test]
fn peers_are_bounded_and_port_0_is_none() {
    let peer = |port| Endpoint::new([192, 0, 2, 1].into(), port);
    let peers = (0..2000).map(peer).collect();
    let original = Response::Announce {
        transaction: 1,
        interval: 1,
        leechers: 0,
        seeders: 0,
        peers,
    };
    match Response::parse(&response(&original), Family::V4) {
        Some(Response::Announce { peers, .. }) => {
            assert_eq!(peers.len(), MAX_PEERS);
            assert_eq!(peers.first(), Some(&peer(1)));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn scrapes_are_bounded() {
    let hashes = vec![InfoHash([7; 20]); MAX_SCRAPE + 9];
    let mut bytes = request(&Request::Scrape {
        connection: 1,
        transaction: 2,
        hashes,
    });
    assert_eq!(bytes.len(), 16 + MAX_SCRAPE * 20);
    bytes.extend([7; 20]);
    match Request::parse(&bytes) {
        Some(Request::Scrape { hashes, .. }) => assert_eq!(hashes.len(), MAX_SCRAPE),
        other => panic!("{other:?}"),
    }
    assert_eq!(Request::parse(&bytes[..16]), None, "a scrape of nothing");
}

fn endpoint(family: Family) -> impl Strategy<Value = Endpoint> {
    (any::<[u8; 16]>(), 1..=u16::MAX).prop_map(move |(ip, port)| match family {
        Family::V4 => Endpoint::new(<[u8; 4]>::try_from(&ip[..4]).expect("four").into(), port),
        Family::V6 => Endpoint::new(ip.map(|byte| byte | 1).into(), port),
    })
}

fn responses(family: Family) -> impl Strategy<Value = Response> {
    let peers = prop::collection::vec(endpoint(family), 0..60);
    let torrents = prop::collection::vec(any::<[u32; 3]>(), 0..9);
    prop_oneof![
        any::<(u32, u64)>().prop_map(|(transaction, connection)| Response::Connect {
            transaction,
            connection
        }),
        (any::<[u32; 4]>(), peers).prop_map(
            |([transaction, interval, leechers, seeders], peers)| {
                Response::Announce {
                    transaction,
                    interval,
                    leechers,
                    seeders,
                    peers,
                }
            }
        ),
        (any::<u32>(), torrents).prop_map(|(transaction, torrents)| Response::Scrape {
            transaction,
            torrents: torrents
                .into_iter()
                .map(|[seeders, completed, leechers]| ScrapeReply {
                    seeders,
                    completed,
                    leechers
                })
                .collect(),
        }),
        (any::<u32>(), "[ -~]{0,200}").prop_map(|(transaction, message)| Response::Error {
            transaction,
            message
        }),
    ]
}

proptest! {
    #[test]
    fn what_was_written_is_read(original in responses(Family::V4), six in responses(Family::V6)) {
        prop_assert_eq!(Response::parse(&response(&original), Family::V4), Some(original));
        prop_assert_eq!(Response::parse(&response(&six), Family::V6), Some(six));
    }

    #[test]
    fn announces_survive_the_way(
        numbers in any::<[u64; 4]>(), key in any::<u32>(), port in 1..=u16::MAX, event in 0usize..4,
        url_data in prop::collection::vec(any::<u8>(), 0..600), ip in any::<u32>(),
    ) {
        let [connection, uploaded, downloaded, left] = numbers;
        let mut wish = announce();
        (wish.uploaded, wish.downloaded, wish.left, wish.key, wish.port) = (uploaded, downloaded, left, key, port);
        wish.event = EVENTS[event];
        wish.ip = (ip != 0).then(|| std::net::Ipv4Addr::from_bits(ip).into());
        let original = Request::Announce { connection, transaction: key, announce: wish, url_data };
        prop_assert_eq!(Request::parse(&request(&original)), Some(original));
    }

    #[test]
    fn nothing_makes_a_parser_fall_over(bytes in prop::collection::vec(any::<u8>(), 0..300), action in 0u8..5) {
        let _ = Request::parse(&bytes);
        let _ = Response::parse(&bytes, Family::V6);
        let mut bytes = bytes;
        if let Some(last) = bytes.get_mut(3) {
            *last = action;
        }
        let _ = Response::parse(&bytes, Family::V4);
    }

    #[test]
    fn cut_short_it_is_nothing_or_less(original in responses(Family::V4), cut in 0usize..400) {
        let bytes = response(&original);
        let cut = cut.min(bytes.len());
        if let Some(Response::Announce { peers, .. }) = Response::parse(&bytes[..cut], Family::V4) {
            prop_assert!(peers.len() * 6 + 20 <= cut);
        }
        if cut < 8 {
            prop_assert_eq!(Response::parse(&bytes[..cut], Family::V4), None);
        }
    }
}
