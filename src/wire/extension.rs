//! The extension protocol (BEP 10): a bencoded handshake in message 0 that numbers further messages,
//! and a few facts about the speaker. The extensions used: `ut_metadata` (BEP 9), `ut_pex` (BEP 11),
//! `lt_donthave` (BEP 54); as facts `upload_only` (BEP 21), and what BEP 11 passes on: that encryption
//! is preferred (`e`) and holes can be punched (`ut_holepunch`, BEP 55).
//!
//! Each side numbers the messages that it wants to *receive*; 0 takes a number back.

use std::net::IpAddr;

use bencode::{Limits, Writer};

/// Our number for `ut_pex`.
pub const UT_PEX: u8 = 1;

/// Our number for `ut_metadata`.
pub const UT_METADATA: u8 = 2;

/// Our number for `lt_donthave`.
pub const LT_DONTHAVE: u8 = 3;

/// Largest `info` dictionary that is fetched or believed in (reliability.md §3).
pub const MAX_METADATA: u32 = 16 << 20;

/// Names in `m` that are looked at.
const MAX_NAMES: usize = 64;

/// Bounds on what a peer says it queues; 250 is the custom where nothing is said.
const REQUEST_QUEUE: std::ops::RangeInclusive<i64> = 1..=500;

/// Bytes of a client's name that are kept.
const MAX_VERSION: usize = 128;

/// What one side tells of itself. `None` is "did not say", in updates "as before".
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ExtensionHandshake {
    /// The speaker's number for `ut_metadata`; 0: not any more.
    pub ut_metadata: Option<u8>,
    /// The speaker's number for `ut_pex`.
    pub ut_pex: Option<u8>,
    /// The speaker's number for `lt_donthave` (BEP 54).
    pub lt_donthave: Option<u8>,
    /// The speaker's number for `ut_holepunch` (BEP 55), which we do not speak.
    pub ut_holepunch: Option<u8>,
    /// Whether the speaker prefers encryption.
    pub encryption: Option<bool>,
    /// Length of the `info` dictionary, 1 to [`MAX_METADATA`].
    pub metadata_size: Option<u32>,
    /// Whether the speaker only uploads (BEP 21).
    pub upload_only: Option<bool>,
    /// Requests that the speaker queues, 1 to 500.
    pub request_queue: Option<u16>,
    /// TCP port that the speaker listens on.
    pub port: Option<u16>,
    /// Name and version of the speaker's client, as sent.
    pub version: Option<String>,
    /// The receiver's address as the speaker sees it.
    pub your_ip: Option<IpAddr>,
}

impl ExtensionHandshake {
    /// Reads the payload of extended message 0; `None` if it is no dictionary within the limits.
    pub fn parse(payload: &[u8]) -> Option<ExtensionHandshake> {
        let (dict, _) = bencode::parse_prefix(payload, &Limits::EXTENSION).ok()?;
        dict.as_dict()?;
        let int = |key: &str| dict.get(key).and_then(|value| value.as_int());
        let mut parsed = ExtensionHandshake {
            metadata_size: int("metadata_size")
                .and_then(|size| u32::try_from(size).ok())
                .filter(|size| (1..=MAX_METADATA).contains(size)),
            upload_only: int("upload_only").map(|flag| flag != 0),
            encryption: int("e").map(|flag| flag != 0),
            request_queue: int("reqq").and_then(|queue| {
                u16::try_from(queue.clamp(*REQUEST_QUEUE.start(), *REQUEST_QUEUE.end())).ok()
            }),
            port: int("p")
                .and_then(|port| u16::try_from(port).ok())
                .filter(|port| *port != 0),
            version: dict
                .get("v")
                .and_then(|value| value.as_bytes())
                .map(|name| {
                    let kept = name.get(..MAX_VERSION).unwrap_or(name);
                    String::from_utf8_lossy(kept).into_owned()
                }),
            your_ip: dict
                .get("yourip")
                .and_then(|value| address(value.as_bytes()?)),
            ..ExtensionHandshake::default()
        };
        let names = dict.get("m").and_then(|names| names.as_dict());
        for (name, number) in names.into_iter().flatten().take(MAX_NAMES) {
            let number = number.as_int().and_then(|number| u8::try_from(number).ok());
            match name {
                b"ut_metadata" => parsed.ut_metadata = number,
                b"ut_pex" => parsed.ut_pex = number,
                b"lt_donthave" => parsed.lt_donthave = number,
                b"ut_holepunch" => parsed.ut_holepunch = number,
                _ => {}
            }
        }
        Some(parsed)
    }

    /// The payload of extended message 0.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.dict(|dict| {
            if let Some(encryption) = self.encryption {
                dict.int("e", encryption.into());
            }
            dict.dict("m", |names| {
                for (name, number) in [
                    ("lt_donthave", self.lt_donthave),
                    ("ut_holepunch", self.ut_holepunch),
                    ("ut_metadata", self.ut_metadata),
                    ("ut_pex", self.ut_pex),
                ] {
                    if let Some(number) = number {
                        names.int(name, number.into());
                    }
                }
            });
            if let Some(size) = self.metadata_size {
                dict.int("metadata_size", size.into());
            }
            if let Some(port) = self.port {
                dict.int("p", port.into());
            }
            if let Some(queue) = self.request_queue {
                dict.int("reqq", queue.into());
            }
            if let Some(upload_only) = self.upload_only {
                dict.int("upload_only", upload_only.into());
            }
            if let Some(version) = &self.version {
                dict.bytes("v", version);
            }
            match self.your_ip {
                Some(IpAddr::V4(ip)) => dict.bytes("yourip", ip.octets()),
                Some(IpAddr::V6(ip)) => dict.bytes("yourip", ip.octets()),
                None => {}
            }
        });
        writer.into_bytes()
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes)
            .ok()
            .map(|ip| IpAddr::from(ip).to_canonical()),
        _ => None,
    }
}
