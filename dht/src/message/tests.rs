//! The example packets of BEP 5, our own bytes, truncations and rubbish.

use bencode::{Endpoint, Writer};
use proptest::prelude::*;

use super::*;
use crate::contact::Contact;

const OURS: Id = Id::new(*b"abcdefghij0123456789");

fn envelope() -> Envelope<'static> {
    Envelope {
        transaction: b"aa",
        version: *b"TL01",
        id: OURS,
    }
}

fn asked(datagram: &[u8]) -> Query<'_> {
    match parse(datagram).expect("well formed").body {
        Body::Query(query) => query,
        other => panic!("{other:?}"),
    }
}

fn answered(datagram: &[u8]) -> Response<'_> {
    match parse(datagram).expect("well formed").body {
        Body::Response(response) => response,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bep_5s_queries() {
    let query = asked(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe");
    assert_eq!(
        (query.id, query.method, query.want),
        (OURS, Method::Ping, None)
    );
    let query = asked(
        b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
    );
    let target = Id::new(*b"mnopqrstuvwxyz123456");
    assert_eq!(query.method, Method::FindNode { target });
    let query = asked(
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
    );
    assert_eq!(query.method, Method::GetPeers { info_hash: target });
    let query = asked(
        b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
    );
    let port = AnnouncePort::Implied;
    assert_eq!(
        query.method,
        Method::AnnouncePeer {
            info_hash: target,
            port,
            token: b"aoeusnth"
        }
    );
}

#[test]
fn bep_5s_responses() {
    let response = answered(
        b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
    );
    assert_eq!(response.token, Some(&b"aoeusnth"[..]));
    let peers: Vec<String> = response.values().map(|peer| peer.to_string()).collect();
    assert_eq!(peers, ["97.120.106.101:11893", "105.100.104.116:28269"]);
    assert_eq!(response.nodes().count(), 0);
    let failure = parse(b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee").expect("formed");
    assert!(matches!(failure.body, Body::Failure(201)));
    assert_eq!(failure.transaction, b"aa");
}

#[test]
fn our_queries_byte_for_byte() {
    let want = Want {
        v4: true,
        v6: false,
    };
    assert_eq!(
        write_query(&envelope(), Standing::Full, want, &Method::Ping)
            .escape_ascii()
            .to_string(),
        "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:v4:TL011:y1:qe"
    );
    let method = Method::FindNode { target: OURS };
    assert_eq!(
        write_query(&envelope(), Standing::ReadOnly, want, &method)
            .escape_ascii()
            .to_string(),
        "d1:ad2:id20:abcdefghij01234567896:target20:abcdefghij01234567894:wantl2:n4ee\
         1:q9:find_node2:roi1e1:t2:aa1:v4:TL011:y1:qe"
    );
}

#[test]
fn our_queries_are_read_back() {
    let want = Want { v4: true, v6: true };
    for method in [
        Method::Ping,
        Method::FindNode { target: OURS },
        Method::GetPeers { info_hash: OURS },
        Method::AnnouncePeer {
            info_hash: OURS,
            port: AnnouncePort::Implied,
            token: b"x",
        },
        Method::AnnouncePeer {
            info_hash: OURS,
            port: AnnouncePort::Explicit(1),
            token: b"xyz",
        },
    ] {
        for standing in [Standing::Full, Standing::ReadOnly] {
            let datagram = write_query(&envelope(), standing, want, &method);
            let query = asked(&datagram);
            assert_eq!(
                (query.method, query.standing, query.id),
                (method, standing, OURS)
            );
            if matches!(method, Method::FindNode { .. } | Method::GetPeers { .. }) {
                assert_eq!(query.want, Some(want));
            }
        }
    }
}

#[test]
fn a_full_reply_is_read_back_and_fits() {
    let node = |n: u8, v6: bool| Contact {
        id: Id::new([n; 20]),
        endpoint: if v6 {
            Endpoint::new([0x2600, 0, 0, 0, 0, 0, 0, u16::from(n)].into(), 1)
        } else {
            Endpoint::new([8, 8, 8, n].into(), 1)
        },
    };
    let peers: Vec<_> = (1..=50)
        .map(|n| Endpoint::new([7, 7, 7, n].into(), 9))
        .collect();
    let answer = Answer {
        nodes: Some((0..8).map(|n| node(n, false)).collect()),
        nodes6: Some((0..8).map(|n| node(n, true)).collect()),
        token: Some(b"12345678"),
        values: peers.clone(),
        ..Answer::default()
    };
    let asker = Endpoint::new([1, 2, 3, 4].into(), 5);
    let datagram = write_response(&envelope(), asker, &answer);
    assert!(datagram.len() <= 1_200, "{}", datagram.len());
    let response = answered(&datagram);
    assert_eq!(response.ip, Some(asker));
    assert_eq!(response.nodes().count(), 16);
    assert_eq!(response.values().collect::<Vec<_>>(), peers);
}

#[test]
fn failures_byte_for_byte() {
    let datagram = write_failure(&envelope(), Failure::MethodUnknown);
    assert_eq!(
        datagram.escape_ascii().to_string(),
        "d1:eli204e14:Method Unknowne1:t2:aa1:v4:TL011:y1:ee"
    );
    let datagram = write_failure(&envelope(), Failure::Protocol);
    assert!(datagram.starts_with(b"d1:eli203e"));
}

#[test]
fn what_is_missing_or_wrong_has_a_name() {
    for (datagram, why) in [
        (&b""[..], Malformed::NotKrpc),
        (b"d1:t1:a1:y1:q", Malformed::NotKrpc),
        (b"l1:t1:a1:y1:q1:q4:pinge", Malformed::NotKrpc),
        (b"d1:t1:a1:y1:q1:q4:ping", Malformed::Bencode),
        (
            b"d1:y1:q1:q4:ping1:ad2:id20:abcdefghij0123456789ee",
            Malformed::Transaction,
        ),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t0:1:y1:qe",
            Malformed::Transaction,
        ),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:xe",
            Malformed::Kind,
        ),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae",
            Malformed::Kind,
        ),
        (
            b"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe",
            Malformed::Id,
        ),
        (b"d1:q4:ping1:t2:aa1:y1:qe", Malformed::Id),
        (b"d1:rd1:xi1ee1:t2:aa1:y1:re", Malformed::Id),
    ] {
        assert_eq!(
            parse(datagram).err(),
            Some(why),
            "{}",
            datagram.escape_ascii()
        );
    }
}

#[test]
fn transaction_ids_of_1_to_32_bytes_are_taken() {
    for length in [1, 2, 4, 20, 32, 33] {
        let mut writer = Writer::new();
        writer.dict(|root| {
            root.dict("a", |a| a.bytes("id", OURS.as_bytes()));
            root.bytes("q", "ping");
            root.bytes("t", vec![b'x'; length]);
            root.bytes("y", "q");
        });
        assert_eq!(
            parse(&writer.into_bytes()).is_ok(),
            length <= MAX_TRANSACTION
        );
    }
}

#[test]
fn missing_arguments_and_unknown_methods_are_told_apart() {
    let invalid = [
        &b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe"[..],
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:get_peers1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q13:announce_peer1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti65536e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
    ];
    for datagram in invalid {
        assert_eq!(asked(datagram).method, Method::Invalid);
    }
    let unknown = b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe";
    assert_eq!(asked(unknown).method, Method::Unknown);
}

#[test]
fn lists_of_a_wrong_length_are_ignored_and_long_ones_cut() {
    let list = |length: usize| {
        let mut writer = Writer::new();
        writer.dict(|root| {
            root.dict("r", |r| {
                r.bytes("id", OURS.as_bytes());
                r.bytes("nodes", vec![7; length]);
            });
            root.bytes("t", "aa");
            root.bytes("y", "r");
        });
        answered(&writer.into_bytes()).nodes().count()
    };
    assert_eq!(list(26 * 3), 3);
    assert_eq!(list(26 * 3 + 1), 0);
    assert_eq!(list(26 * 40), MAX_NODES);
}

#[test]
fn every_truncation_is_refused() {
    let method = Method::AnnouncePeer {
        info_hash: OURS,
        port: AnnouncePort::Explicit(6881),
        token: b"aoeusnth",
    };
    let datagram = write_query(&envelope(), Standing::Full, Want::default(), &method);
    for length in 0..datagram.len() {
        assert!(parse(&datagram[..length]).is_err());
    }
}

#[test]
fn padding_and_unknown_keys_are_tolerated() {
    asked(b"d1:ad2:id20:abcdefghij01234567893:zzzli1ei2eee1:q4:ping1:t2:aa1:y1:q1:zdee\0\0\0");
}

proptest! {
    #[test]
    fn rubbish_never_panics(mut bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        drop(parse(&bytes));
        if let Some(first) = bytes.first_mut() {
            *first = b'd';
        }
        drop(parse(&bytes));
    }

    #[test]
    fn damaged_messages_never_panic(at in 0_usize..200, byte: u8) {
        let answer = Answer {
            nodes: Some(vec![Contact { id: OURS, endpoint: Endpoint::new([1, 2, 3, 4].into(), 5) }]),
            token: Some(b"12345678"),
            values: vec![Endpoint::new([1, 2, 3, 4].into(), 5)],
            ..Answer::default()
        };
        let asker = Endpoint::new([9, 9, 9, 9].into(), 9);
        let mut datagram = write_response(&envelope(), asker, &answer);
        let length = datagram.len();
        datagram[at % length] = byte;
        if let Ok(Message { body: Body::Response(response), .. }) = parse(&datagram) {
            response.nodes().chain(response.nodes()).count();
            response.values().count();
        }
    }
}

mod stored;
