//! Stored values for people and for JSON (BEP 44: a value is bencode of any kind).
//!
//! Threat: values are anybody's; on a terminal nothing in them is a control character.

use bencode::{Limits, Value, parse};
use serde_json::json;

use super::super::format::escape;

/// The value as JSON: text where it is text, else `{"hex": …}`.
pub(super) fn to_json(value: &[u8]) -> serde_json::Value {
    match parse(value, &Limits::KRPC) {
        Ok(value) => json_of(value),
        Err(_) => hex_of(value),
    }
}

/// Depth is bounded by the parser's limit.
fn json_of(value: Value<'_>) -> serde_json::Value {
    if let Some(list) = value.as_list() {
        return list.map(json_of).collect();
    }
    if let Some(dict) = value.as_dict() {
        let key = |key: &[u8]| match std::str::from_utf8(key) {
            Ok(text) => text.to_owned(),
            Err(_) => hex::encode(key),
        };
        let entries = dict.map(|(name, value)| (key(name), json_of(value)));
        return serde_json::Value::Object(entries.collect());
    }
    match (value.as_int(), value.as_str(), value.as_bytes()) {
        (Some(number), ..) => json!(number),
        (_, Some(text), _) => json!(text),
        (_, _, Some(bytes)) => hex_of(bytes),
        _ => serde_json::Value::Null,
    }
}

fn hex_of(bytes: &[u8]) -> serde_json::Value {
    json!({ "hex": hex::encode(bytes) })
}

/// The value as lines: a text as it is, everything else as JSON.
pub(super) fn to_lines(value: &[u8]) -> String {
    match to_json(value) {
        serde_json::Value::String(text) => {
            let line = |line: &str| escape(line) + "\n";
            match text.is_empty() {
                true => "\n".to_owned(),
                false => text.split('\n').map(line).collect(),
            }
        }
        other => format!("{other}\n"),
    }
}

/// The bytes of a string; of any other value the bencode.
pub(super) fn content(value: &[u8]) -> &[u8] {
    let parsed = parse(value, &Limits::KRPC).ok();
    parsed.and_then(|value| value.as_bytes()).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_bytes_become_hex() {
        assert_eq!(to_lines(b"5:hello"), "hello\n");
        assert_eq!(to_lines(b"0:"), "\n");
        assert_eq!(to_lines("5:a\nb\u{1b}x".as_bytes()), "a\nb\\u{1b}x\n");
        assert_eq!(to_lines(b"2:\xff\x00"), "{\"hex\":\"ff00\"}\n");
        assert_eq!(to_lines(b"i7e"), "7\n");
        assert_eq!(to_json(b"i7"), json!({"hex": "6937"}));
        assert_eq!(
            to_json(b"d2:ih2:\xff\xff1:xli1eee"),
            json!({"ih": {"hex": "ffff"}, "x": [1]})
        );
    }

    #[test]
    fn a_file_holds_a_strings_bytes_or_the_bencode() {
        assert_eq!(content(b"2:\xff\x00"), b"\xff\x00");
        assert_eq!(content(b"i7e"), b"i7e");
    }
}
