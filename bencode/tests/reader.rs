//! The reader: golden values of BEP 3, every limit at its edge, every truncation, hostile input.

use bencode::{Error, ErrorKind, Keys, Limits, MAX_DEPTH, parse, parse_prefix};

const ROOMY: Limits = Limits {
    keys: Keys::Strict,
    ..Limits::TORRENT
};

/// Complete values as protocols send them; the first two are BEP 5's own examples.
const GOLDEN: [&[u8]; 8] = [
    b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
    b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
    b"d4:infod6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee",
    b"d1:md11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei31235ee",
    b"i-9223372036854775808e",
    b"0:",
    b"le",
    b"de",
];

fn fails(input: &[u8], limits: &Limits, kind: ErrorKind, offset: usize) {
    assert_eq!(
        parse(input, limits),
        Err(Error { kind, offset }),
        "{}",
        input.escape_ascii()
    );
}

#[test]
fn reads_a_ping_of_bep_5() {
    let ping = parse(GOLDEN[0], &Limits::KRPC).unwrap();
    assert_eq!(ping.get("y").unwrap().as_bytes(), Some(b"q".as_slice()));
    assert_eq!(ping.get("q").unwrap().as_str(), Some("ping"));
    let id = ping.get("a").unwrap().get(b"id").unwrap();
    assert_eq!(id.as_bytes(), Some(b"abcdefghij0123456789".as_slice()));
    assert_eq!(id.raw(), b"20:abcdefghij0123456789");
    let keys: Vec<_> = ping.as_dict().unwrap().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"a".as_slice(), b"q", b"t", b"y"]);
}

#[test]
fn reads_an_error_of_bep_5() {
    let error = parse(GOLDEN[1], &Limits::KRPC).unwrap();
    let list: Vec<_> = error.get("e").unwrap().as_list().unwrap().collect();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].as_int(), Some(201));
    assert_eq!(list[1].as_str(), Some("A Generic Error Ocurred"));
}

#[test]
fn keeps_the_raw_span_of_info() {
    let torrent = parse(GOLDEN[2], &Limits::TORRENT).unwrap();
    let info = torrent.get("info").unwrap();
    assert_eq!(info.raw(), &GOLDEN[2][7..GOLDEN[2].len() - 1]);
    assert_eq!(parse(info.raw(), &Limits::INFO), Ok(info));
}

#[test]
fn accessors_answer_only_to_their_kind() {
    let int = parse(b"i7e", &ROOMY).unwrap();
    let text = parse(b"1:7", &ROOMY).unwrap();
    let list = parse(b"li7ee", &ROOMY).unwrap();
    let dict = parse(b"d1:ai7ee", &ROOMY).unwrap();
    assert_eq!(
        [int, text, list, dict].map(|v| v.as_int()),
        [Some(7), None, None, None]
    );
    assert_eq!(
        [int, text, list, dict].map(|v| v.as_bytes().is_some()),
        [false, true, false, false]
    );
    assert_eq!(
        [int, text, list, dict].map(|v| v.as_list().is_some()),
        [false, false, true, false]
    );
    assert_eq!(
        [int, text, list, dict].map(|v| v.as_dict().is_some()),
        [false, false, false, true]
    );
    assert!(list.get("a").is_none());
    assert!(dict.get("b").is_none());
    assert_eq!(parse(b"1:\xff", &ROOMY).unwrap().as_str(), None);
}

#[test]
fn every_truncation_of_every_golden_value_errs() {
    for golden in GOLDEN {
        assert!(parse(golden, &ROOMY).is_ok());
        for length in 0..golden.len() {
            let error = parse(&golden[..length], &ROOMY).unwrap_err();
            assert_eq!(
                error.kind,
                ErrorKind::UnexpectedEnd,
                "{}",
                golden[..length].escape_ascii()
            );
            assert!(error.offset <= length);
        }
    }
}

#[test]
fn trailing_bytes_are_refused_by_parse_and_reported_by_parse_prefix() {
    fails(b"i1ee", &ROOMY, ErrorKind::TrailingBytes, 3);
    fails(b"dex", &ROOMY, ErrorKind::TrailingBytes, 2);
    let (value, end) = parse_prefix(b"d8:msg_typei1eedata", &Limits::METADATA).unwrap();
    assert_eq!(end, 15);
    assert_eq!(value.get("msg_type").unwrap().as_int(), Some(1));
}

#[test]
fn integers_have_one_form() {
    for (text, value) in [
        (b"i0e".as_slice(), 0),
        (b"i-1e", -1),
        (b"i10e", 10),
        (b"i9223372036854775807e", i64::MAX),
        (b"i-9223372036854775808e", i64::MIN),
    ] {
        assert_eq!(parse(text, &ROOMY).unwrap().as_int(), Some(value));
    }
    for text in [
        b"ie".as_slice(),
        b"i-e",
        b"i-0e",
        b"i00e",
        b"i01e",
        b"i-01e",
        b"i+1e",
        b"i--1e",
        b"i1.0e",
        b"i 1e",
        b"i1 e",
        b"i0x1e",
        b"i1i2e",
    ] {
        fails(text, &ROOMY, ErrorKind::MalformedInt, 0);
    }
    for text in [
        b"i9223372036854775808e".as_slice(),
        b"i-9223372036854775809e",
        b"i10000000000000000000e",
        b"i99999999999999999999999e",
    ] {
        fails(text, &ROOMY, ErrorKind::IntOutOfRange, 0);
    }
}

#[test]
fn string_lengths_have_one_form_and_fit_the_input() {
    for text in [
        b"00:".as_slice(),
        b"01:a",
        b"1a",
        b"1e",
        b"1 :a",
        b"12345678901:a",
    ] {
        fails(text, &ROOMY, ErrorKind::MalformedLength, 0);
    }
    for text in [
        b"2:a".as_slice(),
        b"9999999999:a",
        b"4294967296:",
        b"4294967295:x",
        b"1:",
    ] {
        fails(text, &ROOMY, ErrorKind::UnexpectedEnd, 0);
    }
    fails(b"-1:a", &ROOMY, ErrorKind::UnexpectedByte, 0);
    fails(
        b"d4:infol2:aa9999999999:ee",
        &ROOMY,
        ErrorKind::UnexpectedEnd,
        12,
    );
}

#[test]
fn strings_count_in_bytes_and_hold_any() {
    let value = parse(b"5:\x00\xffe:i", &ROOMY).unwrap();
    assert_eq!(value.as_bytes(), Some(b"\x00\xffe:i".as_slice()));
}

#[test]
fn only_four_kinds_of_token_exist() {
    for text in [b"x".as_slice(), b"e", b" i1e", b"\xff", b":", b"I1e"] {
        fails(text, &ROOMY, ErrorKind::UnexpectedByte, 0);
    }
    fails(b"", &ROOMY, ErrorKind::UnexpectedEnd, 0);
}

#[test]
fn dictionaries_pair_string_keys_with_values() {
    fails(b"di1ei2ee", &ROOMY, ErrorKind::KeyNotString, 1);
    fails(b"dlei2ee", &ROOMY, ErrorKind::KeyNotString, 1);
    fails(b"d1:ae", &ROOMY, ErrorKind::UnexpectedByte, 4);
    fails(b"d1:ai1e1:be", &ROOMY, ErrorKind::UnexpectedByte, 10);
}

#[test]
fn strict_keys_increase() {
    fails(b"d1:bi1e1:ai2ee", &Limits::INFO, ErrorKind::KeyOrder, 7);
    fails(b"d1:ai1e1:ai2ee", &Limits::INFO, ErrorKind::KeyOrder, 7);
    fails(b"d2:aai1e1:ai2ee", &Limits::STATE, ErrorKind::KeyOrder, 8);
    assert!(parse(b"d0:i0e1:ai1e2:aai2ee", &Limits::INFO).is_ok());
    // Each dictionary has its own order: the inner one does not disturb the outer.
    assert!(parse(b"d1:ad1:zi1ee1:bd1:ai1eee", &Limits::INFO).is_ok());
    fails(
        b"d1:bd1:ai1ee1:ai1ee",
        &Limits::INFO,
        ErrorKind::KeyOrder,
        12,
    );
}

#[test]
fn lenient_keys_come_in_any_order_and_the_first_of_equals_wins() {
    let value = parse(b"d1:bi1e1:ai2e1:bi3ee", &Limits::KRPC).unwrap();
    assert_eq!(value.get("b").unwrap().as_int(), Some(1));
    assert_eq!(value.get("a").unwrap().as_int(), Some(2));
    assert_eq!(value.as_dict().unwrap().count(), 3);
}

#[test]
fn depth_is_limited_at_the_edge() {
    for limits in [
        Limits::KRPC,
        Limits::TORRENT,
        Limits::EXTENSION,
        Limits::STATE,
    ] {
        let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
        assert!(parse(&nested(limits.depth), &limits).is_ok());
        fails(
            &nested(limits.depth + 1),
            &limits,
            ErrorKind::TooDeep,
            limits.depth,
        );
    }
    let flat = Limits { depth: 0, ..ROOMY };
    assert!(parse(b"i1e", &flat).is_ok());
    fails(b"le", &flat, ErrorKind::TooDeep, 0);
}

#[test]
fn depth_beyond_the_stack_counts_as_the_stack() {
    let limits = Limits {
        depth: usize::MAX,
        ..ROOMY
    };
    let bomb = vec![b'l'; MAX_DEPTH + 1];
    fails(&bomb, &limits, ErrorKind::TooDeep, MAX_DEPTH);
}

#[test]
fn a_bomb_of_nested_lists_is_refused() {
    let depth = 100_000;
    let bomb = [vec![b'l'; depth], vec![b'e'; depth]].concat();
    fails(&bomb, &Limits::TORRENT, ErrorKind::TooDeep, 32);
    let bomb = b"d1:a".repeat(depth);
    fails(&bomb, &Limits::TORRENT, ErrorKind::TooDeep, 32 * 4);
    let decoded = bencode::from_bytes::<Vec<i64>>(&bomb, &Limits::TORRENT);
    assert!(matches!(decoded, Err(bencode::DecodeError::Malformed(_))));
}

#[test]
fn tokens_are_limited_at_the_edge() {
    let limits = Limits { tokens: 4, ..ROOMY };
    assert!(parse(b"li1ei2ei3ee", &limits).is_ok());
    fails(b"li1ei2ei3ei4ee", &limits, ErrorKind::TooManyTokens, 10);
    // Keys count too.
    assert!(parse(b"d1:ai1ee", &limits).is_ok());
    fails(b"d1:ai1e1:bi2ee", &limits, ErrorKind::TooManyTokens, 10);
}

#[test]
fn bytes_are_limited_at_the_edge() {
    let packed = |total: usize| {
        let head = format!("{}:", total - 5);
        [head.as_bytes(), &vec![b'x'; total - head.len()]].concat()
    };
    assert_eq!(packed(2_048).len(), 2_048);
    assert!(parse(&packed(2_048), &Limits::KRPC).is_ok());
    let over = [packed(2_048).as_slice(), b"x"].concat();
    fails(&over, &Limits::KRPC, ErrorKind::TooLarge, 0);
    // What stands behind a prefix counts as well.
    assert_eq!(
        parse_prefix(&over, &Limits::KRPC).unwrap_err().kind,
        ErrorKind::TooLarge
    );
}

#[test]
fn presets_are_the_documented_ones() {
    let rows = [
        (Limits::KRPC, 6, 1_000, 2_048, Keys::Lenient),
        (Limits::TORRENT, 32, 3_000_000, 16 << 20, Keys::Lenient),
        (Limits::INFO, 32, 3_000_000, 16 << 20, Keys::Strict),
        (Limits::EXTENSION, 8, 256, 16 << 10, Keys::Lenient),
        (Limits::PEX, 8, 256, 16 << 10, Keys::Lenient),
        (Limits::METADATA, 8, 256, 17 << 10, Keys::Lenient),
        (Limits::TRACKER, 8, 20_000, 1 << 20, Keys::Lenient),
        (Limits::STATE, 32, 3_000_000, 32 << 20, Keys::Strict),
    ];
    for (preset, depth, tokens, bytes, keys) in rows {
        assert_eq!(
            preset,
            Limits {
                depth,
                tokens,
                bytes,
                keys
            }
        );
        assert!(preset.depth <= MAX_DEPTH);
    }
}

#[test]
fn debug_output_is_escaped_and_cut() {
    let hostile = parse(b"6:\x1b[31m\n", &ROOMY).unwrap();
    assert_eq!(format!("{hostile:?}"), "6:\\x1b[31m\\n");
    let long = [b"100:".as_slice(), &[b'x'; 100]].concat();
    let shown = format!("{:?}", parse(&long, &ROOMY).unwrap());
    assert_eq!(shown.chars().count(), 65);
    assert!(shown.ends_with('…'));
}

#[test]
fn errors_say_where() {
    let error = parse(b"d1:ai01ee", &ROOMY).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bad bencode at byte 4: malformed integer"
    );
}
