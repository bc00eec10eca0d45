//! Peers that cost more than they give (reliability.md §2.3: P7, P13, P14, P21, P22, P24).

use super::*;
use crate::wire::MAX_METADATA;

fn request() -> Message {
    Message::Request(Block {
        piece: 0,
        begin: 0,
        length: 16 << 10,
    })
}

/// What the owner does with requests that it will not answer (BEP 6).
fn reject_all(connection: &mut Connection, now: Instant) {
    for message in drain(connection) {
        if let Message::Request(block) = message {
            connection.send(now, Message::Reject(block));
        }
    }
}

/// Rows P7, P22: answers for somebody who does not read are bounded.
#[test]
fn a_peer_that_asks_and_never_reads_is_cut_before_it_costs_much() {
    let start = Instant::now();
    let mut connection = open(start);
    let asked = bytes_of(&vec![request(); 1_000]);
    let mut most = 0;
    // 20,000 requests a second, a tenth of what is a flood, for 100 s.
    for round in 0..2_000 {
        let now = start + Duration::from_millis(50 * round);
        let outcome = connection.handle_bytes(now, &mut BytesMut::from(&asked[..]));
        reject_all(&mut connection, now);
        most = most.max(connection.output().remaining());
        if outcome == Err(Violation::Backlog) {
            assert!(most < 5 << 20, "{most} bytes were queued");
            return;
        }
        assert_eq!(outcome, Ok(()), "round {round}");
    }
    panic!("{most} bytes wait for a peer that does not read");
}

#[test]
fn a_peer_that_asks_and_reads_goes_on() {
    let start = Instant::now();
    let mut connection = open(start);
    let asked = bytes_of(&vec![request(); 1_000]);
    for round in 0..2_000 {
        let now = start + Duration::from_millis(50 * round);
        let outcome = connection.handle_bytes(now, &mut BytesMut::from(&asked[..]));
        assert_eq!(outcome, Ok(()), "round {round}");
        reject_all(&mut connection, now);
        let out = connection.output();
        out.advance(out.remaining());
    }
}

/// Rows P22: a megabyte may wait.
#[test]
fn what_waits_for_a_silent_reader_may_be_a_megabyte_of_blocks() {
    let now = Instant::now();
    let mut connection = open(now);
    for _ in 0..64 {
        let data = Bytes::from(vec![0; 16 << 10]);
        let (piece, begin) = (0, 0);
        connection.send(now, Message::Piece { piece, begin, data });
    }
    let mut input = BytesMut::from(&bytes_of(&[Message::Interested])[..]);
    assert_eq!(connection.handle_bytes(now, &mut input), Ok(()));
}

/// Rows P6, P21: empty blocks are a flood.
#[test]
fn blocks_without_content_are_a_flood_and_whole_ones_are_not() {
    let now = Instant::now();
    let block = |length| {
        let (piece, begin) = (0, 0);
        let data = Bytes::from(vec![0; length]);
        Message::Piece { piece, begin, data }
    };
    let mut flooded = open(now);
    let mut input = BytesMut::from(&bytes_of(&vec![block(0); 300_000])[..]);
    assert_eq!(flooded.handle_bytes(now, &mut input), Err(Violation::Flood));
    let mut fast = open(now);
    let whole = bytes_of(&vec![block(16 << 10); 1_000]);
    for round in 0..300 {
        let outcome = fast.handle_bytes(now, &mut BytesMut::from(&whole[..]));
        assert_eq!(outcome, Ok(()), "round {round}");
        drain(&mut fast);
    }
}

/// Rows P21: a flood of keep-alives ends the connection.
#[test]
fn keep_alives_alone_are_a_flood_too() {
    let now = Instant::now();
    let mut connection = open(now);
    let mut input = BytesMut::from(&bytes_of(&vec![Message::KeepAlive; 10_000])[..]);
    assert_eq!(
        connection.handle_bytes(now, &mut input),
        Err(Violation::Flood)
    );
    assert_eq!(connection.poll_event(), None);
}

/// Rows P21: thirty-two messages of unknown kinds are enough.
#[test]
fn an_owner_that_goes_on_after_a_violation_gets_it_again() {
    let now = Instant::now();
    let mut connection = open(now);
    let unknown = BytesMut::from(&[0, 0, 0, 1, 99][..]);
    (0..32).for_each(|_| {
        connection.handle_bytes(now, &mut unknown.clone()).unwrap();
    });
    for _ in 0..1_000 {
        assert_eq!(
            connection.handle_bytes(now, &mut unknown.clone()),
            Err(Violation::Unknown)
        );
    }
}

/// Rows P24: sizes, queues and numbers outside their bounds.
#[test]
fn facts_of_an_extension_handshake_outside_their_bounds_are_not_believed() {
    let size = |text: &str| {
        let dict = format!("d13:metadata_sizei{text}ee");
        ExtensionHandshake::parse(dict.as_bytes()).map(|facts| facts.metadata_size)
    };
    assert_eq!(size("16777216"), Some(Some(MAX_METADATA)));
    for text in ["0", "-1", "16777217", "4294967296", "9223372036854775807"] {
        assert_eq!(size(text), Some(None), "{text}");
    }
    let queue = |text: &str| {
        let dict = format!("d4:reqqi{text}ee");
        ExtensionHandshake::parse(dict.as_bytes()).and_then(|facts| facts.request_queue)
    };
    for (text, told) in [("-9", 1), ("0", 1), ("250", 250), ("2147483648", 500)] {
        assert_eq!(queue(text), Some(told), "{text}");
    }
    let port = |text: &str| {
        let dict = format!("d1:pi{text}ee");
        ExtensionHandshake::parse(dict.as_bytes()).and_then(|facts| facts.port)
    };
    for (text, told) in [("0", None), ("-1", None), ("65536", None), ("1", Some(1))] {
        assert_eq!(port(text), told, "{text}");
    }
    let number = |text: &str| {
        let dict = format!("d1:md11:ut_metadatai{text}eee");
        ExtensionHandshake::parse(dict.as_bytes()).and_then(|facts| facts.ut_metadata)
    };
    for (text, told) in [
        ("0", Some(0)),
        ("255", Some(255)),
        ("256", None),
        ("-1", None),
    ] {
        assert_eq!(number(text), told, "{text}");
    }
    let odd = ExtensionHandshake::parse(b"d1:mle1:pde1:vi1e6:yourip5:abcdee");
    assert_eq!(odd, Some(ExtensionHandshake::default()));
}

/// Rows P24: a name of any length.
#[test]
fn a_clients_name_is_cut_and_never_breaks_a_string() {
    let long = "\u{20ac}".repeat(1_000);
    let dict = format!("d1:v{}:{long}e", long.len());
    let name = ExtensionHandshake::parse(dict.as_bytes()).and_then(|facts| facts.version);
    let name = name.unwrap();
    assert!(
        name.starts_with('\u{20ac}') && name.chars().count() <= 43,
        "{name}"
    );
    let facts = ExtensionHandshake::parse(b"d1:v2:\xff\xfee").unwrap();
    assert_eq!(facts.version.as_deref(), Some("\u{fffd}\u{fffd}"));
}

/// Rows P24: too large, too deep, too many keys.
#[test]
fn large_or_deep_extension_handshakes_are_refused() {
    let names: String = (0..100_000).map(|n| format!("6:{n:06}i1e")).collect();
    for bomb in [
        format!("d1:md{names}ee"),
        format!("d1:m{}{}e", "l".repeat(8_000), "e".repeat(8_000)),
        format!("d1:v{}:{}e", 16 << 10, "x".repeat(16 << 10)),
        "d1:v99999999999:xe".to_owned(),
        "d1:pi00001ee".to_owned(),
    ] {
        assert_eq!(ExtensionHandshake::parse(bomb.as_bytes()), None);
    }
    // Names behind the 64th are not looked at; the handshake itself is good.
    let names: String = (0..64).map(|n| format!("2:{n:02}i1e")).collect();
    let dict = format!("d1:md{names}6:ut_pexi1eee");
    let facts = ExtensionHandshake::parse(dict.as_bytes()).unwrap();
    assert_eq!(facts.ut_pex, None);
}

/// Rows P13, P14: metadata messages against BEP 9.
#[test]
fn metadata_messages_that_mean_nothing_are_none() {
    let parse = |text: &[u8]| MetadataMessage::parse(&Bytes::copy_from_slice(text));
    for text in [
        &b"d8:msg_typei3e5:piecei0ee"[..],
        b"d8:msg_typei-1e5:piecei0ee",
        b"d8:msg_typei0ee",
        b"d5:piecei0ee",
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei0e5:piecei4294967296ee",
        b"d8:msg_typei1e5:piecei0eexxxx",
        b"d8:msg_typei1e5:piecei0e10:total_sizei-1eexxxx",
        b"li0ei0ee",
        b"",
    ] {
        assert_eq!(parse(text), None, "{}", text.escape_ascii());
    }
    let data = |length| {
        let data = Bytes::from(vec![b'x'; length]);
        let (piece, total_size) = (0, 40_000);
        MetadataMessage::Data {
            piece,
            total_size,
            data,
        }
    };
    let (whole, long) = (data(16 << 10), data((16 << 10) + 1));
    assert_eq!(MetadataMessage::parse(&whole.encode()), Some(whole));
    assert_eq!(MetadataMessage::parse(&long.encode()), None);
}
