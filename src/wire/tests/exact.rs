//! Bytes exactly as the BEPs write them, and the same events however the bytes are cut.

use super::*;

/// One message of every kind, in an order that is allowed.
fn conversation() -> Vec<Message> {
    let block = Block {
        piece: 1,
        begin: 0x4000,
        length: 0x4000,
    };
    let (piece, begin) = (1, 0x4000);
    let payload = Bytes::from_static(b"d1:md6:ut_pexi1eee");
    let data = Bytes::from_static(&[0xFF; 700]);
    vec![
        Message::Extended { id: 0, payload },
        Message::Port(6881),
        Message::Bitfield(Bytes::from_static(&[0x80, 0x01, 0xFF])),
        Message::AllowedFast(u32::MAX),
        Message::Suggest(0),
        Message::Interested,
        Message::Unchoke,
        Message::Request(block),
        Message::Piece { piece, begin, data },
        Message::Have(1),
        Message::Cancel(block),
        Message::Reject(block),
        Message::NotInterested,
        Message::Choke,
    ]
}

/// Handshake and conversation, a keep-alive and an unknown message between them.
fn stream() -> Vec<u8> {
    let mut bytes = BytesMut::new();
    hello().encode(&mut bytes);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 2, 99, 1]);
    bytes.extend_from_slice(&bytes_of(&conversation()));
    bytes.to_vec()
}

fn events(connection: &mut Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.poll_event()).collect()
}

#[test]
fn the_handshake_has_the_bytes_of_the_specification() {
    let mut bytes = BytesMut::new();
    hello().encode(&mut bytes);
    let mut golden = b"\x13BitTorrent protocol".to_vec();
    golden.extend_from_slice(&[0, 0, 0, 0, 0, 0x10, 0, 0x05]);
    golden.extend_from_slice(&[7; 20]);
    golden.extend_from_slice(b"-XX0000-abcdefghijkl");
    assert_eq!(bytes, golden);
}

#[test]
fn a_reject_has_the_bytes_of_bep_6() {
    let block = Block {
        piece: 1,
        begin: 2,
        length: 3,
    };
    assert_eq!(
        bytes_of(&[Message::Reject(block)]),
        [0, 0, 0, 13, 16, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]
    );
}

#[test]
fn metadata_messages_have_the_bytes_of_bep_9() {
    let data = MetadataMessage::Data {
        piece: 0,
        total_size: 34_256,
        data: Bytes::from_static(b"xxxxxxxx"),
    };
    for (message, golden) in [
        (
            MetadataMessage::Request { piece: 0 },
            &b"d8:msg_typei0e5:piecei0ee"[..],
        ),
        (
            data,
            b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxx",
        ),
        (
            MetadataMessage::Reject { piece: 0 },
            b"d8:msg_typei2e5:piecei0ee",
        ),
    ] {
        assert_eq!(message.encode(), golden);
        // Nothing shorter than the dictionary means anything.
        let whole = message.encode();
        let end = whole.len() - golden.iter().filter(|byte| **byte == b'x').count();
        for cut in 0..end {
            assert_eq!(
                MetadataMessage::parse(&whole.slice(..cut)),
                None,
                "{cut} bytes"
            );
        }
    }
}

#[test]
fn cuts_of_an_extension_handshake_mean_nothing() {
    let facts = ExtensionHandshake {
        ut_metadata: Some(2),
        ut_pex: Some(1),
        metadata_size: Some(31_235),
        port: Some(6881),
        ..ExtensionHandshake::default()
    };
    let golden = b"d1:md11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235e1:pi6881ee";
    assert_eq!(facts.encode(), golden);
    for cut in 0..golden.len() {
        assert_eq!(
            ExtensionHandshake::parse(&golden[..cut]),
            None,
            "{cut} bytes"
        );
    }
}

#[test]
fn every_cut_in_two_gives_the_same_events() {
    let now = Instant::now();
    let (stream, mut expected) = (stream(), vec![Event::Handshake(hello())]);
    expected.extend(conversation().into_iter().map(Event::Message));
    for cut in 0..=stream.len() {
        let mut connection = Connection::incoming(now);
        let mut input = BytesMut::from(&stream[..cut]);
        connection.handle_bytes(now, &mut input).unwrap();
        let mut seen = events(&mut connection);
        assert_eq!(seen, expected[..seen.len()], "before {cut}");
        input.extend_from_slice(&stream[cut..]);
        connection.handle_bytes(now, &mut input).unwrap();
        assert!(input.is_empty());
        seen.extend(events(&mut connection));
        assert_eq!(seen, expected, "cut at {cut}");
    }
}

#[test]
fn single_bytes_give_the_same_events() {
    let now = Instant::now();
    let mut connection = Connection::incoming(now);
    let mut input = BytesMut::new();
    for byte in stream() {
        input.extend_from_slice(&[byte]);
        connection.handle_bytes(now, &mut input).unwrap();
    }
    let seen = events(&mut connection);
    assert_eq!(seen.len(), 1 + conversation().len());
    assert_eq!(
        seen.last(),
        Some(&Event::Message(Message::Choke)),
        "in order"
    );
}

/// Rows P1, P19: what is no handshake ends at its first wrong byte.
#[test]
fn a_wrong_handshake_is_refused_at_its_first_wrong_byte() {
    let now = Instant::now();
    let whole = stream();
    for wrong in 0..20 {
        let mut connection = Connection::incoming(now);
        let mut input = BytesMut::from(&whole[..wrong]);
        connection.handle_bytes(now, &mut input).unwrap();
        input.extend_from_slice(&[whole[wrong] ^ 0x20]);
        assert_eq!(
            connection.handle_bytes(now, &mut input),
            Err(Violation::Protocol),
            "byte {wrong}"
        );
        assert_eq!(connection.output().remaining(), 0, "nothing is answered");
    }
}

/// Rows P10: nobody makes us wait for a message of impossible length.
#[test]
fn for_every_id_a_length_is_judged_by_the_fifth_byte() {
    let now = Instant::now();
    for kind in 0..=u8::MAX {
        for length in [
            1_u32, 2, 3, 5, 9, 13, 1_024, 1_025, 16_393, 16_394, 65_537, 65_538,
        ] {
            let header = [&length.to_be_bytes()[..], &[kind]].concat();
            let judged = frame_length(&header, 2);
            let mut connection = open(now);
            connection.set_pieces(9);
            let mut input = BytesMut::from(&header[..]);
            let outcome = connection.handle_bytes(now, &mut input);
            match judged {
                Ok(Some(accepted)) => {
                    assert_eq!(accepted, length as usize);
                    assert!(accepted <= 64 << 10 | 1, "id {kind}, {length} bytes");
                    assert_eq!(outcome, Ok(()));
                }
                judged => assert_eq!(outcome.err(), judged.err(), "id {kind}, {length} bytes"),
            }
        }
    }
}

#[test]
fn every_violation_has_words_of_its_own() {
    let all = [
        Violation::Protocol,
        Violation::Slow,
        Violation::Idle,
        Violation::Length,
        Violation::LateBitfield,
        Violation::Flood,
        Violation::Unknown,
        Violation::Backlog,
    ];
    let words: std::collections::BTreeSet<String> = all.iter().map(Violation::to_string).collect();
    assert_eq!(words.len(), all.len());
}

#[test]
fn our_peer_id_names_the_client() {
    let mut rng = <rand_chacha::ChaCha8Rng as rand::SeedableRng>::from_seed([1; 32]);
    let (a, b) = (
        crate::wire::PeerId::generate(&mut rng),
        crate::wire::PeerId::generate(&mut rng),
    );
    assert!(a.0.starts_with(b"-TL0100-"));
    assert_ne!(a, b);
}
