//! `from_bytes`: serde types behind the reader's limits.

use bencode::{DecodeError, ErrorKind, Limits, from_bytes};
use serde::Deserialize;

#[derive(Debug, PartialEq, Deserialize)]
struct Reply {
    interval: i64,
    #[serde(rename = "failure reason")]
    failure: Option<String>,
}

fn kind(input: &[u8]) -> ErrorKind {
    match from_bytes::<Reply>(input, &Limits::TRACKER) {
        Err(DecodeError::Malformed(error)) => error.kind,
        other => panic!("expected a malformed input, got {other:?}"),
    }
}

#[test]
fn decodes_a_struct_and_skips_unknown_keys() {
    let reply = from_bytes::<Reply>(b"d8:intervali1800e5:peers0:e", &Limits::TRACKER);
    assert_eq!(
        reply.unwrap(),
        Reply {
            interval: 1800,
            failure: None
        }
    );
    let reply = from_bytes::<Reply>(b"d14:failure reason2:no8:intervali60ee", &Limits::TRACKER);
    assert_eq!(
        reply.unwrap(),
        Reply {
            interval: 60,
            failure: Some("no".into())
        }
    );
}

#[test]
fn refuses_what_serde_bencode_alone_accepts() {
    assert!(serde_bencode::from_bytes::<Reply>(b"d8:intervali1eegarbage").is_ok());
    assert_eq!(kind(b"d8:intervali1eegarbage"), ErrorKind::TrailingBytes);
    assert_eq!(kind(b"d8:intervali01ee"), ErrorKind::MalformedInt);
    assert_eq!(kind(&[b'l'; 16_384]), ErrorKind::TooDeep);
    assert_eq!(kind(&vec![b'l'; (1 << 20) + 1]), ErrorKind::TooLarge);
    assert_eq!(kind(b"d8:interval9999999999:"), ErrorKind::UnexpectedEnd);
}

#[test]
fn tells_a_wrong_shape_from_bad_syntax() {
    for input in [
        b"de".as_slice(),
        b"i1e",
        b"d8:interval1:xe",
        b"d8:intervali1e8:intervali2ee",
    ] {
        let decoded = from_bytes::<Reply>(input, &Limits::TRACKER);
        assert!(
            matches!(decoded, Err(DecodeError::Shape(_))),
            "{}",
            input.escape_ascii()
        );
    }
}
