//! Properties: what is written is read; the reader and `serde_bencode` agree; nothing panics.

use std::collections::BTreeMap;

use bencode::{DictWriter, Keys, Limits, ListWriter, Value, Writer, parse, parse_prefix};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// A naive owned value: the model.
#[derive(Clone, Debug, PartialEq)]
enum Model {
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Model>),
    Dict(BTreeMap<Vec<u8>, Model>),
}

const STRICT: Limits = Limits::STATE;

fn model() -> impl Strategy<Value = Model> {
    let key = prop::collection::vec(any::<u8>(), 0..6);
    let leaf = prop_oneof![
        any::<i64>().prop_map(Model::Int),
        prop::collection::vec(any::<u8>(), 0..24).prop_map(Model::Bytes),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Model::List),
            prop::collection::btree_map(key.clone(), inner, 0..6).prop_map(Model::Dict),
        ]
    })
}

fn write(model: &Model) -> Vec<u8> {
    let mut writer = Writer::new();
    match model {
        Model::Int(value) => writer.int(*value),
        Model::Bytes(content) => writer.bytes(content),
        Model::List(list) => writer.list(|out| list.iter().for_each(|item| push(out, item))),
        Model::Dict(dict) => writer.dict(|out| dict.iter().for_each(|(k, v)| insert(out, k, v))),
    }
    writer.into_bytes()
}

fn push(out: &mut ListWriter<'_>, model: &Model) {
    match model {
        Model::Int(value) => out.int(*value),
        Model::Bytes(content) => out.bytes(content),
        Model::List(list) => out.list(|out| list.iter().for_each(|item| push(out, item))),
        Model::Dict(dict) => out.dict(|out| dict.iter().for_each(|(k, v)| insert(out, k, v))),
    }
}

fn insert(out: &mut DictWriter<'_>, key: &[u8], model: &Model) {
    match model {
        Model::Int(value) => out.int(key, *value),
        Model::Bytes(content) => out.bytes(key, content),
        Model::List(list) => out.list(key, |out| list.iter().for_each(|item| push(out, item))),
        Model::Dict(dict) => {
            out.dict(key, |out| dict.iter().for_each(|(k, v)| insert(out, k, v)));
        }
    }
}

fn read(value: Value<'_>) -> Model {
    if let Some(int) = value.as_int() {
        Model::Int(int)
    } else if let Some(content) = value.as_bytes() {
        Model::Bytes(content.to_vec())
    } else if let Some(list) = value.as_list() {
        Model::List(list.map(read).collect())
    } else {
        let entries = value.as_dict().expect("a value is one of four kinds");
        Model::Dict(
            entries
                .map(|(key, value)| (key.to_vec(), read(value)))
                .collect(),
        )
    }
}

fn from_serde(value: serde_bencode::value::Value) -> Model {
    use serde_bencode::value::Value as Serde;
    match value {
        Serde::Int(value) => Model::Int(value),
        Serde::Bytes(content) => Model::Bytes(content),
        Serde::List(list) => Model::List(list.into_iter().map(from_serde).collect()),
        Serde::Dict(dict) => {
            Model::Dict(dict.into_iter().map(|(k, v)| (k, from_serde(v))).collect())
        }
    }
}

/// Bytes that look like bencode: random tokens, so that parses get further than a byte.
fn tokens() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => Just(b"e".to_vec()),
        2 => Just(b"l".to_vec()),
        2 => Just(b"d".to_vec()),
        2 => Just(b"1:a".to_vec()),
        2 => Just(b"2:bc".to_vec()),
        2 => Just(b"i-7e".to_vec()),
        1 => any::<i32>().prop_map(|n| format!("i{n}e").into_bytes()),
        1 => any::<u32>().prop_map(|n| format!("{n}:").into_bytes()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        rng_seed: RngSeed::Fixed(11),
        failure_persistence: None,
        ..<_>::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_written_is_read(model in model()) {
        let bytes = write(&model);
        let value = parse(&bytes, &STRICT).unwrap();
        prop_assert_eq!(value.raw(), bytes.as_slice());
        prop_assert_eq!(read(value), model);
    }

    #[test]
    fn serde_bencode_reads_the_same(model in model()) {
        let decoded = bencode::from_bytes(&write(&model), &STRICT).unwrap();
        prop_assert_eq!(from_serde(decoded), model);
    }

    #[test]
    fn what_serde_bencode_writes_is_read_strictly(model in model()) {
        let value: serde_bencode::value::Value = serde_bencode::from_bytes(&write(&model)).unwrap();
        let bytes = serde_bencode::to_bytes(&value).unwrap();
        prop_assert_eq!(read(parse(&bytes, &STRICT).unwrap()), model);
    }

    #[test]
    fn every_truncation_errs(model in model()) {
        let bytes = write(&model);
        for length in 0..bytes.len() {
            prop_assert!(parse(&bytes[..length], &STRICT).is_err());
        }
    }

    #[test]
    fn a_prefix_ends_where_the_value_ends(
        model in model(),
        behind in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let bytes = write(&model);
        let (value, end) = parse_prefix(&[bytes.clone(), behind].concat(), &STRICT)
            .map(|(value, end)| (read(value), end))
            .unwrap();
        prop_assert_eq!((value, end), (model, bytes.len()));
    }

    #[test]
    fn get_finds_what_iteration_finds(model in model()) {
        let bytes = write(&model);
        let value = parse(&bytes, &STRICT).unwrap();
        for (key, entry) in value.as_dict().into_iter().flatten() {
            prop_assert_eq!(value.get(key), Some(entry));
        }
    }

    #[test]
    fn any_bytes_parse_or_err(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        survives(&bytes);
    }

    #[test]
    fn any_tokens_parse_or_err(bytes in tokens()) {
        survives(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(model in model(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = write(&model);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        survives(&bytes);
    }
}

/// Parses under several limits; whatever is accepted has to be consistent.
fn survives(bytes: &[u8]) {
    for limits in [Limits::KRPC, Limits::PEX, Limits::TORRENT, Limits::INFO] {
        let parsed = parse(bytes, &limits);
        if let Err(error) = parsed {
            assert!(error.offset <= bytes.len());
        }
        if let Ok(value) = parsed {
            let model = read(value);
            assert_eq!(parse(value.raw(), &limits), Ok(value));
            if limits.keys == Keys::Strict {
                assert_eq!(write(&model), bytes, "one value has one strict form");
            }
        }
        let _ = bencode::from_bytes::<serde_bencode::value::Value>(bytes, &limits);
    }
}
