//! The wire protocol against its specification: golden bytes, every cut, hostile lengths, scripts.

#![expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]

use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;

use super::connection::{Connection, Event};
use super::handshake::{Handshake, PeerId, Reserved};
use super::message::{Block, Message, frame_length};
use super::violation::Violation;
use super::{ExtensionHandshake, HANDSHAKE_LEN, MetadataMessage, Outbox};
use crate::metainfo::InfoHash;

mod exact;
mod hostile;

fn hello() -> Handshake {
    Handshake {
        info_hash: InfoHash([7; 20]),
        peer_id: PeerId(*b"-XX0000-abcdefghijkl"),
        reserved: Reserved::ours(),
    }
}

fn bytes_of(messages: &[Message]) -> Vec<u8> {
    let mut out = Outbox::default();
    messages
        .iter()
        .cloned()
        .for_each(|message| out.push(message));
    let length = out.remaining();
    out.copy_to_bytes(length).to_vec()
}

fn open(now: Instant) -> Connection {
    let mut connection = Connection::outgoing(hello(), now);
    let mut theirs = BytesMut::new();
    hello().encode(&mut theirs);
    connection.handle_bytes(now, &mut theirs).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::Handshake(hello())));
    connection
}

fn drain(connection: &mut Connection) -> Vec<Message> {
    std::iter::from_fn(|| connection.poll_event())
        .map(|event| match event {
            Event::Message(message) => message,
            Event::Handshake(_) => panic!("a second handshake"),
        })
        .collect()
}

fn any_block() -> impl Strategy<Value = Block> {
    any::<(u32, u32, u32)>().prop_map(|(piece, begin, length)| Block {
        piece,
        begin,
        length,
    })
}

fn any_message() -> impl Strategy<Value = Message> {
    let payload = |most| prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from);
    prop_oneof![
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        any::<u32>().prop_map(Message::Have),
        any_block().prop_map(Message::Request),
        any_block().prop_map(Message::Cancel),
        any_block().prop_map(Message::Reject),
        any::<u16>().prop_map(Message::Port),
        any::<u32>().prop_map(Message::Suggest),
        any::<u32>().prop_map(Message::AllowedFast),
        (any::<u8>(), payload(900)).prop_map(|(id, data)| {
            // An empty extended message is below the shortest that can mean anything.
            let payload = if data.is_empty() {
                Bytes::from_static(b"d")
            } else {
                data
            };
            Message::Extended { id, payload }
        }),
        (any::<u32>(), any::<u32>(), payload(16 << 10))
            .prop_map(|(piece, begin, data)| Message::Piece { piece, begin, data }),
    ]
}

#[test]
fn messages_have_the_bytes_of_the_specification() {
    let block = Block {
        piece: 1,
        begin: 0x4000,
        length: 0x4000,
    };
    let golden: [(Message, &[u8]); 16] = [
        (Message::KeepAlive, &[0, 0, 0, 0]),
        (Message::Choke, &[0, 0, 0, 1, 0]),
        (Message::Unchoke, &[0, 0, 0, 1, 1]),
        (Message::Interested, &[0, 0, 0, 1, 2]),
        (Message::NotInterested, &[0, 0, 0, 1, 3]),
        (Message::Have(258), &[0, 0, 0, 5, 4, 0, 0, 1, 2]),
        (
            Message::Bitfield(Bytes::from_static(&[0xF0])),
            &[0, 0, 0, 2, 5, 0xF0],
        ),
        (
            Message::Request(block),
            &[0, 0, 0, 13, 6, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0],
        ),
        (
            Message::Piece {
                piece: 1,
                begin: 2,
                data: Bytes::from_static(b"xy"),
            },
            &[0, 0, 0, 11, 7, 0, 0, 0, 1, 0, 0, 0, 2, b'x', b'y'],
        ),
        (
            Message::Cancel(block),
            &[0, 0, 0, 13, 8, 0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0x40, 0],
        ),
        (Message::Port(0x1AE1), &[0, 0, 0, 3, 9, 0x1A, 0xE1]),
        (Message::Suggest(3), &[0, 0, 0, 5, 13, 0, 0, 0, 3]),
        (Message::HaveAll, &[0, 0, 0, 1, 14]),
        (Message::HaveNone, &[0, 0, 0, 1, 15]),
        (Message::AllowedFast(3), &[0, 0, 0, 5, 17, 0, 0, 0, 3]),
        (
            Message::Extended {
                id: 0,
                payload: Bytes::from_static(b"de"),
            },
            &[0, 0, 0, 4, 20, 0, b'd', b'e'],
        ),
    ];
    for (message, bytes) in golden {
        assert_eq!(
            bytes_of(std::slice::from_ref(&message)),
            bytes,
            "{message:?}"
        );
    }
}

#[test]
fn a_handshake_is_68_bytes_and_survives_every_cut() {
    let mut bytes = BytesMut::new();
    hello().encode(&mut bytes);
    assert_eq!(bytes.len(), HANDSHAKE_LEN);
    for cut in 0..HANDSHAKE_LEN {
        assert_eq!(Handshake::decode(&bytes[..cut]), Ok(None), "{cut} bytes");
    }
    assert_eq!(Handshake::decode(&bytes), Ok(Some(hello())));
    bytes[3] ^= 1;
    assert_eq!(Handshake::decode(&bytes[..4]), Err(Violation::Protocol));
}

#[test]
fn reserved_bits_are_those_of_the_beps() {
    let ours = Reserved::ours();
    assert!(ours.extended() && ours.fast() && ours.dht());
    let none = Reserved::default();
    assert!(!none.extended() && !none.fast() && !none.dht());
}

#[test]
fn impossible_lengths_are_refused_from_the_header() {
    let refused: [&[u8]; 10] = [
        &[0xFF, 0xFF, 0xFF, 0xFF],
        &[0xFF, 0xFF, 0xFF, 0xFF, 7],
        &[0, 0, 0, 2, 0],
        &[0, 0, 0, 4, 4],
        &[0, 0, 0, 12, 6],
        &[0, 0, 0, 8, 7],
        &[0, 0, 0x40, 0x0A, 7],
        &[0, 0, 0, 1, 20],
        &[0, 1, 0, 2, 20],
        &[0, 0, 4, 1, 99],
    ];
    for header in refused {
        assert_eq!(
            frame_length(header, 512 << 10),
            Err(Violation::Length),
            "{header:?}"
        );
    }
    assert_eq!(
        frame_length(&[0, 0, 0x40, 9, 7], 512 << 10),
        Ok(Some(0x4009))
    );
    assert_eq!(
        frame_length(&[0, 0, 0, 3, 5], 1),
        Err(Violation::Length),
        "a byte too long"
    );
    assert_eq!(frame_length(&[0, 0, 0, 2, 5], 1), Ok(Some(2)));
}

#[test]
fn a_thousand_length_bombs_buffer_nothing() {
    let now = Instant::now();
    for kind in 0..=255_u8 {
        let mut connection = open(now);
        let mut input = BytesMut::from(&[0xFF, 0xFF, 0xFF, 0xFF, kind][..]);
        assert_eq!(
            connection.handle_bytes(now, &mut input),
            Err(Violation::Length)
        );
    }
}

#[test]
fn have_all_and_have_none_come_first_or_not_at_all() {
    let now = Instant::now();
    let mut connection = open(now);
    let early = [
        Message::Extended {
            id: 0,
            payload: Bytes::from_static(b"de"),
        },
        Message::HaveAll,
    ];
    let mut input = BytesMut::from(&bytes_of(&early)[..]);
    connection.handle_bytes(now, &mut input).unwrap();
    assert_eq!(drain(&mut connection), early);
    // aria2 does this.
    let bits = [Message::Bitfield(Bytes::from_static(&[0x80]))];
    let mut late = BytesMut::from(&bytes_of(&bits)[..]);
    connection.handle_bytes(now, &mut late).unwrap();
    assert_eq!(drain(&mut connection), bits);
    let mut late = BytesMut::from(&bytes_of(&[Message::HaveNone])[..]);
    assert_eq!(
        connection.handle_bytes(now, &mut late),
        Err(Violation::LateBitfield)
    );
}

#[test]
fn a_bitfield_must_fit_the_piece_count_once_it_is_known() {
    let now = Instant::now();
    let mut connection = open(now);
    connection.set_pieces(9);
    let field = |bytes: &'static [u8]| bytes_of(&[Message::Bitfield(Bytes::from_static(bytes))]);
    let mut long = BytesMut::from(&field(&[0, 0, 0])[..]);
    assert_eq!(
        connection.handle_bytes(now, &mut long),
        Err(Violation::Length)
    );
    let mut right = BytesMut::from(&field(&[0, 0])[..]);
    assert_eq!(connection.handle_bytes(now, &mut right), Ok(()));
}

#[test]
fn unknown_messages_are_skipped_up_to_a_bound() {
    let now = Instant::now();
    let mut connection = open(now);
    for _ in 0..32 {
        let mut input = BytesMut::from(&[0, 0, 0, 3, 99, 1, 2][..]);
        connection.handle_bytes(now, &mut input).unwrap();
    }
    assert_eq!(connection.poll_event(), None);
    let mut input = BytesMut::from(&[0, 0, 0, 1, 99][..]);
    assert_eq!(
        connection.handle_bytes(now, &mut input),
        Err(Violation::Unknown)
    );
}

/// Rows P9, P21: a thousand small messages at once and a hundred a second, not more.
#[test]
fn a_flood_of_small_messages_ends_the_connection_and_a_steady_trickle_does_not() {
    let start = Instant::now();
    for (message, most) in [(Message::Choke, 10_000), (Message::Have(1), 300_000)] {
        let mut flooded = open(start);
        let mut input = BytesMut::from(&bytes_of(&vec![message; most])[..]);
        assert_eq!(
            flooded.handle_bytes(start, &mut input),
            Err(Violation::Flood)
        );
    }
    let mut steady = open(start);
    for second in 0..60 {
        let now = start + Duration::from_secs(second);
        let mut input = BytesMut::from(&bytes_of(&vec![Message::Interested; 90])[..]);
        assert_eq!(
            steady.handle_bytes(now, &mut input),
            Ok(()),
            "second {second}"
        );
        drain(&mut steady);
    }
}

#[test]
fn the_requests_of_a_fast_peer_are_no_flood() {
    let start = Instant::now();
    let mut connection = open(start);
    let request = Message::Request(Block {
        piece: 0,
        begin: 0,
        length: 16 << 10,
    });
    for second in 0..10 {
        let now = start + Duration::from_secs(second);
        let mut input = BytesMut::from(&bytes_of(&vec![request.clone(); 64_000])[..]);
        assert_eq!(
            connection.handle_bytes(now, &mut input),
            Ok(()),
            "second {second}"
        );
        drain(&mut connection);
    }
}

#[test]
fn blocks_do_not_count_as_a_flood() {
    let now = Instant::now();
    let mut connection = open(now);
    let block = Message::Piece {
        piece: 0,
        begin: 0,
        data: Bytes::from_static(b"x"),
    };
    let mut input = BytesMut::from(&bytes_of(&vec![block; 20_000])[..]);
    assert_eq!(connection.handle_bytes(now, &mut input), Ok(()));
    assert_eq!(drain(&mut connection).len(), 20_000);
}

#[test]
fn a_silent_stranger_has_ten_seconds_in_all() {
    let now = Instant::now();
    let mut connection = Connection::incoming(now);
    let due = connection.next_timeout();
    assert_eq!(due, now + Duration::from_secs(10));
    // A byte every few seconds does not help.
    let mut input = BytesMut::from(&b"\x13Bit"[..]);
    connection
        .handle_bytes(now + Duration::from_secs(9), &mut input)
        .unwrap();
    assert_eq!(connection.next_timeout(), due);
    assert_eq!(connection.handle_timeout(due), Err(Violation::Slow));
}

/// Rows N8: a peer that vanished is closed after 150 s.
#[test]
fn silence_ends_a_connection_and_keep_alives_prevent_it() {
    let start = Instant::now();
    let mut connection = open(start);
    let out = connection.output();
    out.advance(out.remaining());
    let due = connection.next_timeout();
    assert_eq!(due, start + Duration::from_secs(110));
    connection.handle_timeout(due).unwrap();
    assert_eq!(connection.output().chunk(), [0, 0, 0, 0]);
    assert_eq!(connection.next_timeout(), start + Duration::from_secs(150));
    let idle = connection.next_timeout();
    assert_eq!(connection.handle_timeout(idle), Err(Violation::Idle));
}

#[test]
fn incoming_connections_answer_only_when_accepted() {
    let now = Instant::now();
    let mut connection = Connection::incoming(now);
    let mut input = BytesMut::new();
    hello().encode(&mut input);
    input.extend_from_slice(&bytes_of(&[Message::HaveAll]));
    connection.handle_bytes(now, &mut input).unwrap();
    assert_eq!(connection.poll_event(), Some(Event::Handshake(hello())));
    assert_eq!(connection.output().remaining(), 0);
    connection.accept(now, hello());
    assert_eq!(connection.output().remaining(), HANDSHAKE_LEN);
    assert_eq!(drain(&mut connection), [Message::HaveAll]);
}

#[test]
fn blocks_share_the_receive_buffer() {
    let now = Instant::now();
    let mut connection = open(now);
    let data = Bytes::from(vec![9; 16 << 10]);
    let mut input = BytesMut::from(
        &bytes_of(&[Message::Piece {
            piece: 0,
            begin: 0,
            data,
        }])[..],
    );
    let range = input.as_ptr_range();
    connection.handle_bytes(now, &mut input).unwrap();
    let Some(Event::Message(Message::Piece { data, .. })) = connection.poll_event() else {
        panic!("no block")
    };
    assert!(range.contains(&data.as_ptr()), "the block was copied");
}

#[test]
fn extension_handshakes_are_read_leniently_and_bounded() {
    let golden = b"d1:md11:ut_metadatai3e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881e4:reqqi9999e\
        1:v6:uT 1.66:yourip4:\x01\x02\x03\x04e";
    let parsed = ExtensionHandshake::parse(golden).unwrap();
    assert_eq!(parsed.ut_metadata, Some(3));
    assert_eq!(parsed.metadata_size, Some(31_235));
    assert_eq!(parsed.request_queue, Some(500));
    assert_eq!(parsed.your_ip, Some([1, 2, 3, 4].into()));
    let huge = b"d13:metadata_sizei99999999ee";
    assert_eq!(ExtensionHandshake::parse(huge).unwrap().metadata_size, None);
    assert_eq!(ExtensionHandshake::parse(b"le"), None);
}

proptest! {
    #[test]
    fn messages_survive_any_cutting(
        messages in prop::collection::vec(any_message(), 0..12),
        cuts in prop::collection::vec(1_usize..40_000, 0..20),
    ) {
        let now = Instant::now();
        let mut connection = open(now);
        let bytes = bytes_of(&messages);
        let (mut input, mut rest) = (BytesMut::new(), &bytes[..]);
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let (head, tail) = rest.split_at(cut.min(rest.len()));
            input.extend_from_slice(head);
            connection.handle_bytes(now, &mut input).unwrap();
            rest = tail;
        }
        prop_assert!(input.is_empty());
        prop_assert_eq!(drain(&mut connection), messages);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let now = Instant::now();
        let mut connection = open(now);
        let _ = connection.handle_bytes(now, &mut BytesMut::from(&bytes[..]));
        let _ = ExtensionHandshake::parse(&bytes);
        let _ = MetadataMessage::parse(&Bytes::from(bytes));
    }

    #[test]
    fn an_outbox_written_in_any_steps_gives_the_same_bytes(
        messages in prop::collection::vec(any_message(), 1..10),
        steps in prop::collection::vec(1_usize..20_000, 1..60),
    ) {
        let expected = bytes_of(&messages);
        let mut out = Outbox::default();
        let mut written = Vec::new();
        let mut messages = messages.into_iter();
        for step in steps.into_iter().cycle() {
            if let Some(message) = messages.next() {
                out.push(message);
            }
            let mut slices = [std::io::IoSlice::new(&[]); 4];
            let count = out.chunks_vectored(&mut slices);
            let offered: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
            let step = step.min(offered.len());
            written.extend_from_slice(&offered[..step]);
            out.advance(step);
            if messages.len() == 0 && out.remaining() == 0 {
                break;
            }
        }
        prop_assert_eq!(written, expected);
    }

    #[test]
    fn metadata_messages_round_trip(piece: u32, size: u32, data: Vec<u8>) {
        for message in [
            MetadataMessage::Request { piece },
            MetadataMessage::Reject { piece },
            MetadataMessage::Data { piece, total_size: size, data: data.into() },
        ] {
            prop_assert_eq!(MetadataMessage::parse(&message.encode()), Some(message));
        }
    }

    #[test]
    fn extension_handshakes_round_trip(
        ut_metadata: Option<u8>, ut_pex: Option<u8>, upload_only: Option<bool>,
        size in prop::option::of(1_u32..16 << 20), queue in prop::option::of(1_u16..=500),
        port in prop::option::of(1_u16..), ip: Option<[u8; 4]>, encryption: Option<bool>,
        lt_donthave: Option<u8>, ut_holepunch: Option<u8>,
    ) {
        let handshake = ExtensionHandshake {
            ut_metadata,
            ut_pex,
            upload_only,
            encryption,
            lt_donthave,
            ut_holepunch,
            metadata_size: size,
            request_queue: queue,
            port,
            version: Some("trackless".into()),
            your_ip: ip.map(Into::into),
        };
        prop_assert_eq!(ExtensionHandshake::parse(&handshake.encode()), Some(handshake));
    }
}
