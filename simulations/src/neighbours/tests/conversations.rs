//! Scripted conversations: what a neighbour answers, and what it refuses.

use dht::message::{self, Body, Envelope, Method, Standing, Want};
use dht::{AnnouncePort, Endpoint, Id};

use super::{KINDS, address, beginning};
use crate::neighbours::{Kind, Neighbour};

const HASH: Id = Id::new([0x33; 20]);

fn neighbour(kind: Kind) -> Neighbour {
    Neighbour::new(kind, Id::new([0x99; 20]), [7; 32], beginning())
}

/// Sends a query from host 1, and returns the reply among what is sent back.
fn query(to: &mut Neighbour, method: &Method<'_>) -> Vec<u8> {
    let envelope = Envelope {
        transaction: b"q1",
        version: *b"TT\x00\x00",
        id: Id::new([0x11; 20]),
    };
    let want = Want {
        v4: true,
        v6: false,
    };
    let datagram = message::write_query(&envelope, Standing::Full, want, method);
    to.handle_datagram(beginning(), address(1), &datagram);
    let is_reply = |bytes: &Vec<u8>| {
        let message = message::parse(bytes).expect("it writes KRPC");
        message.transaction == b"q1" && !matches!(message.body, Body::Query(_))
    };
    let mut sent = std::iter::from_fn(|| to.poll_transmit()).map(|transmit| transmit.payload);
    sent.find(is_reply).expect("queries are answered")
}

/// The token and the values of a reply.
fn answer(reply: &[u8]) -> (Option<Vec<u8>>, Vec<Endpoint>) {
    match message::parse(reply).expect("it writes KRPC").body {
        Body::Response(response) => (
            response.token.map(<[u8]>::to_vec),
            response.values().collect(),
        ),
        other => panic!("not a response: {other:?}"),
    }
}

#[test]
fn each_kind_answers_and_stores_only_with_its_own_token() {
    for kind in KINDS {
        let mut node = neighbour(kind);
        answer(&query(&mut node, &Method::Ping));
        answer(&query(&mut node, &Method::FindNode { target: HASH }));
        let announce = |token| Method::AnnouncePeer {
            info_hash: HASH,
            port: AnnouncePort::Explicit(4_000),
            token,
        };
        let refused = query(&mut node, &announce(b"guessed"));
        let refused = message::parse(&refused).expect("it writes KRPC").body;
        assert!(matches!(refused, Body::Failure(_)), "{kind}");
        assert_eq!(node.stored(), (0, 0));

        let get_peers = Method::GetPeers { info_hash: HASH };
        let (token, values) = answer(&query(&mut node, &get_peers));
        let token = token.expect("there is room");
        assert!(values.is_empty(), "{kind}");
        answer(&query(&mut node, &announce(&token)));
        assert_eq!(node.stored(), (1, 1));
        let (_, values) = answer(&query(&mut node, &get_peers));
        assert_eq!(values, [Endpoint::new(address(1).ip(), 4_000)], "{kind}");
    }
}

#[test]
fn who_merely_asks_is_only_in_the_table_of_those_that_take_any_sender() {
    for kind in KINDS {
        let mut node = neighbour(kind);
        query(&mut node, &Method::Ping);
        assert_eq!(node.table_len(), usize::from(kind == Kind::Jech), "{kind}");
    }
}

#[test]
fn nonsense_and_unasked_answers_change_nothing() {
    for kind in KINDS {
        let mut node = neighbour(kind);
        let now = beginning();
        let envelope = Envelope {
            transaction: b"none",
            version: *b"TT\x00\x00",
            id: Id::new([0x11; 20]),
        };
        let asker = Endpoint::from(address(2));
        let unasked = message::write_response(&envelope, asker, &message::Answer::default());
        node.handle_datagram(now, address(1), &unasked);
        node.handle_datagram(now, address(1), b"d1:ad2:id");
        assert_eq!(node.table_len(), 0, "{kind}");
        assert!(node.poll_transmit().is_none() && node.poll_event().is_none());
        assert_eq!(node.stats().datagrams_in, 2);
    }
}

#[test]
fn a_lookup_that_knows_nobody_ends_at_once() {
    for kind in KINDS {
        let mut node = neighbour(kind);
        node.get_peers(beginning(), HASH);
        assert!(node.poll_event().is_some(), "{kind}");
    }
}
