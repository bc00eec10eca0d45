//! KRPC dictionaries, read in one pass: `get` would walk the whole message once a key, and a node does
//! little else than this.
//!
//! Each level has its own keys: `v` is a version outside and a value inside. Invariant: of a key that
//! comes twice, the first counts. Knows keys, not what they mean.

use bencode::Value;

use crate::id::Id;

/// A dictionary's known keys: a struct with what stands at each of them.
macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default)]
        pub(super) struct $name<'a> {
            $(pub(super) $field: Option<Value<'a>>,)*
        }

        impl<'a> $name<'a> {
            pub(super) fn of(dict: Value<'a>) -> $name<'a> {
                let mut fields = $name::default();
                for (key, value) in dict.as_dict().into_iter().flatten() {
                    let field = match key {
                        $($key => &mut fields.$field,)*
                        _ => continue,
                    };
                    // Of a key that comes twice, the first counts.
                    field.get_or_insert(value);
                }
                fields
            }
        }
    };
}

fields! {
    /// The message itself.
    Root {
        transaction: b"t",
        kind: b"y",
        name: b"q",
        arguments: b"a",
        results: b"r",
        failure: b"e",
        read_only: b"ro",
        ip: b"ip",
    }
}

fields! {
    /// What a query says (`a`).
    Arguments {
        id: b"id",
        target: b"target",
        info_hash: b"info_hash",
        want: b"want",
        port: b"port",
        implied_port: b"implied_port",
        token: b"token",
        scrape: b"scrape",
        noseed: b"noseed",
        seed: b"seed",
        value: b"v",
        key: b"k",
        signature: b"sig",
        seq: b"seq",
        cas: b"cas",
        salt: b"salt",
    }
}

fields! {
    /// What an answer says (`r`).
    Results {
        id: b"id",
        token: b"token",
        nodes: b"nodes",
        nodes6: b"nodes6",
        values: b"values",
        value: b"v",
        key: b"k",
        signature: b"sig",
        seq: b"seq",
        seeds: b"BFsd",
        peers: b"BFpe",
        samples: b"samples",
        num: b"num",
        interval: b"interval",
    }
}

/// The string at a key.
pub(super) fn bytes(field: Option<Value<'_>>) -> Option<&[u8]> {
    field?.as_bytes()
}

/// The integer at a key.
pub(super) fn int(field: Option<Value<'_>>) -> Option<i64> {
    field?.as_int()
}

/// Whether a flag is set: absent, 0 and anything that is no integer are not.
pub(super) fn flag(field: Option<Value<'_>>) -> bool {
    int(field).is_some_and(|flag| flag != 0)
}

/// The 20 bytes at a key.
pub(super) fn id(field: Option<Value<'_>>) -> Option<Id> {
    Id::from_slice(bytes(field)?)
}

/// The string of exactly `N` bytes at a key.
pub(super) fn array<const N: usize>(field: Option<Value<'_>>) -> Option<&[u8; N]> {
    bytes(field)?.try_into().ok()
}
