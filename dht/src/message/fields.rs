//! A KRPC dictionary, read in one pass: `get` would walk the whole message once a key, and a node does
//! little else than this.
//!
//! Invariant: of a key that comes twice, the first counts. Knows keys, not what they mean.

use bencode::Value;

use crate::id::Id;

/// The keys that mean something to us, on either level; the same letter never means two things on
/// the level where it is asked for.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Transaction,
    Kind,
    Name,
    Arguments,
    Results,
    ReadOnly,
    Ip,
    Id,
    Target,
    InfoHash,
    Want,
    Port,
    ImpliedPort,
    Token,
    Nodes,
    Nodes6,
    Values,
}

/// What stands at each key.
pub(super) struct Fields<'a>([Option<Value<'a>>; 17]);

impl<'a> Fields<'a> {
    pub(super) fn of(dict: Value<'a>) -> Fields<'a> {
        let mut fields = [None; 17];
        for (key, value) in dict.as_dict().into_iter().flatten() {
            let key = match key {
                b"t" => Key::Transaction,
                b"y" => Key::Kind,
                b"q" => Key::Name,
                b"a" => Key::Arguments,
                b"r" => Key::Results,
                b"ro" => Key::ReadOnly,
                b"ip" => Key::Ip,
                b"id" => Key::Id,
                b"target" => Key::Target,
                b"info_hash" => Key::InfoHash,
                b"want" => Key::Want,
                b"port" => Key::Port,
                b"implied_port" => Key::ImpliedPort,
                b"token" => Key::Token,
                b"nodes" => Key::Nodes,
                b"nodes6" => Key::Nodes6,
                b"values" => Key::Values,
                _ => continue,
            };
            if let Some(field) = fields.get_mut(key as usize) {
                // Of a key that comes twice, the first counts.
                field.get_or_insert(value);
            }
        }
        Fields(fields)
    }

    pub(super) fn value(&self, key: Key) -> Option<Value<'a>> {
        self.0.get(key as usize).copied().flatten()
    }

    pub(super) fn bytes(&self, key: Key) -> Option<&'a [u8]> {
        self.value(key)?.as_bytes()
    }

    pub(super) fn int(&self, key: Key) -> Option<i64> {
        self.value(key)?.as_int()
    }

    pub(super) fn id(&self, key: Key) -> Option<Id> {
        Id::from_slice(self.bytes(key)?)
    }
}
