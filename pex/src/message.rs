//! The payload of a `ut_pex` message (BEP 11, "Extension message"), in both directions.
//!
//! A dictionary of up to six strings: contacts of 6 or 18 bytes (address, port) in `added`,
//! `added6`, `dropped`, `dropped6`, and one byte of flags for each added contact in `added.f`,
//! `added6.f`. Invariant: a parsed message holds what was sent, in order, nothing filtered but
//! reserved flags. Does not know how often or how many; that is `exchange`.

use std::fmt;
use std::ops::BitOr;

use bencode::{Endpoint, Family, Limits, Value, Writer, compact, parse};

/// What the teller knows of a peer: the bits of BEP 11. Hearsay, like the address itself.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(u8);

impl Flags {
    /// Nothing known.
    pub const NONE: Flags = Flags(0);
    /// Prefers encryption.
    pub const ENCRYPTION: Flags = Flags(0x01);
    /// A seed, or one that only uploads (BEP 21).
    pub const SEED: Flags = Flags(0x02);
    /// Speaks uTP (BEP 29).
    pub const UTP: Flags = Flags(0x04);
    /// Speaks the hole punch extension (BEP 55).
    pub const HOLEPUNCH: Flags = Flags(0x08);
    /// The teller opened the connection, so the peer can be reached.
    pub const REACHABLE: Flags = Flags(0x10);

    /// The bits that BEP 11 defines; the rest is reserved.
    const KNOWN: u8 = 0x1f;

    /// The flags of a byte as sent; reserved bits are cleared.
    pub const fn from_bits(bits: u8) -> Flags {
        Flags(bits & Flags::KNOWN)
    }

    /// The byte to send.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flags({:#04x})", self.0)
    }
}

/// Who came and who left since the message before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Peers that the sender is connected to now: all IPv4 contacts, then all IPv6 ones.
    pub added: Vec<(Endpoint, Flags)>,
    /// Peers that the sender is no longer connected to, in the same order.
    pub dropped: Vec<Endpoint>,
}

impl Message {
    /// Reads a payload. At most 16 KiB, so at most some 2,700 contacts.
    ///
    /// Flags whose number is not that of the contacts are ignored: which byte belongs to whom
    /// could only be guessed, and they are hints.
    ///
    /// # Errors
    /// [`Malformed`], for bad bencode, contacts that are no exact multiple of their size, and a
    /// dictionary without any of the four lists.
    pub fn parse(payload: &[u8]) -> Result<Message, Malformed> {
        let value = parse(payload, &Limits::PEX).map_err(Malformed::Bencode)?;
        if value.as_dict().is_none() {
            return Err(Malformed::NotADictionary);
        }
        let mut message = Message::default();
        let mut lists = 0;
        for (key, flags_key, family) in [
            ("added", "added.f", Family::V4),
            ("added6", "added6.f", Family::V6),
        ] {
            let Some(list) = contacts(value, key, family)? else {
                continue;
            };
            lists += 1;
            let flags = value.get(flags_key).and_then(|flags| flags.as_bytes());
            let flags = flags
                .filter(|flags| flags.len() == list.len())
                .unwrap_or(&[]);
            // Behind the end of the flags there are no flags; the lengths agree or it is empty.
            let flags = flags.iter().copied().map(Flags::from_bits);
            let flags = flags.chain(std::iter::repeat(Flags::NONE));
            message.added.extend(list.into_iter().zip(flags));
        }
        for (key, family) in [("dropped", Family::V4), ("dropped6", Family::V6)] {
            let Some(list) = contacts(value, key, family)? else {
                continue;
            };
            lists += 1;
            message.dropped.extend(list);
        }
        if lists == 0 {
            Err(Malformed::NoList)
        } else {
            Ok(message)
        }
    }

    /// Writes the payload; empty lists are left out.
    ///
    /// 200 added IPv6 contacts and 50 dropped ones are below 5 KiB.
    pub fn encode(&self) -> Vec<u8> {
        let mut v4 = Lists::default();
        let mut v6 = Lists::default();
        let mut of = |endpoint: &Endpoint, change: Change| {
            let lists = match endpoint.family() {
                Family::V4 => &mut v4,
                Family::V6 => &mut v6,
            };
            match change {
                Change::Added(flags) => {
                    endpoint.write_compact(&mut lists.added);
                    lists.flags.push(flags.bits());
                }
                Change::Dropped => endpoint.write_compact(&mut lists.dropped),
            }
        };
        for (endpoint, flags) in &self.added {
            of(endpoint, Change::Added(*flags));
        }
        for endpoint in &self.dropped {
            of(endpoint, Change::Dropped);
        }
        let mut writer = Writer::new();
        writer.dict(|dict| {
            for (key, list) in [
                ("added", v4.added),
                ("added.f", v4.flags),
                ("added6", v6.added),
                ("added6.f", v6.flags),
                ("dropped", v4.dropped),
                ("dropped6", v6.dropped),
            ] {
                if !list.is_empty() {
                    dict.bytes(key, list);
                }
            }
        });
        writer.into_bytes()
    }
}

/// What a message says of one contact.
enum Change {
    Added(Flags),
    Dropped,
}

/// The three strings of one family, as they are sent.
#[derive(Default)]
struct Lists {
    added: Vec<u8>,
    flags: Vec<u8>,
    dropped: Vec<u8>,
}

/// The contacts under `key`, none if there is no such key.
fn contacts(
    value: Value<'_>,
    key: &'static str,
    family: Family,
) -> Result<Option<Vec<Endpoint>>, Malformed> {
    let Some(list) = value.get(key) else {
        return Ok(None);
    };
    let list = list.as_bytes().and_then(|list| compact(list, family));
    list.map(|list| Some(list.collect()))
        .ok_or(Malformed::Contacts { key })
}

/// Why a payload is no `ut_pex` message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Not bencode, or larger than 16 KiB.
    Bencode(bencode::Error),
    /// Bencode, but no dictionary.
    NotADictionary,
    /// None of `added`, `added6`, `dropped`, `dropped6`; BEP 11 wants at least one.
    NoList,
    /// Not a string, or not an exact multiple of 6 or 18 bytes.
    Contacts {
        /// Which of the four lists.
        key: &'static str,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Bencode(error) => error.fmt(f),
            Malformed::NotADictionary => f.write_str("peer exchange is not a dictionary"),
            Malformed::NoList => f.write_str("peer exchange without any list"),
            Malformed::Contacts { key } => write!(f, "bad contacts under `{key}`"),
        }
    }
}

impl std::error::Error for Malformed {}
