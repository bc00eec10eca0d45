//! The messages of the metadata exchange (BEP 9): the `info` dictionary in pieces of 16 KiB, each
//! behind a small dictionary. Who asks whom, and what to believe, is the torrent's business.

use bencode::{Limits, Writer, parse_prefix};
use bytes::Bytes;

/// Bytes of a metadata piece, except the last.
pub const METADATA_PIECE: usize = 16 << 10;

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataMessage {
    /// Asks for a piece.
    Request {
        /// Which, from 0.
        piece: u32,
    },
    /// A piece.
    Data {
        /// Which.
        piece: u32,
        /// The whole dictionary's length as the sender claims it.
        total_size: u32,
        /// At most 16 KiB.
        data: Bytes,
    },
    /// The sender does not have it, or had enough.
    Reject {
        /// Which.
        piece: u32,
    },
}

impl MetadataMessage {
    /// Reads the payload of an `ut_metadata` message; `None` if it is none, or of an unknown kind.
    pub fn parse(payload: &Bytes) -> Option<MetadataMessage> {
        let (dict, end) = parse_prefix(payload, &Limits::METADATA).ok()?;
        let int = |key: &str| {
            dict.get(key)
                .and_then(|value| value.as_int())
                .and_then(|n| u32::try_from(n).ok())
        };
        let piece = int("piece")?;
        match int("msg_type")? {
            0 => Some(MetadataMessage::Request { piece }),
            1 => {
                let (total_size, data) = (int("total_size")?, payload.slice(end..));
                (data.len() <= METADATA_PIECE).then_some(MetadataMessage::Data {
                    piece,
                    total_size,
                    data,
                })
            }
            2 => Some(MetadataMessage::Reject { piece }),
            _ => None,
        }
    }

    /// The payload of an `ut_metadata` message.
    pub fn encode(&self) -> Bytes {
        let (kind, piece, total, data) = match self {
            MetadataMessage::Request { piece } => (0, *piece, None, None),
            MetadataMessage::Data {
                piece,
                total_size,
                data,
            } => (1, *piece, Some(*total_size), Some(data)),
            MetadataMessage::Reject { piece } => (2, *piece, None, None),
        };
        let mut writer = Writer::new();
        writer.dict(|dict| {
            dict.int("msg_type", kind);
            dict.int("piece", piece.into());
            if let Some(total) = total {
                dict.int("total_size", total.into());
            }
        });
        let mut payload = writer.into_bytes();
        payload.extend_from_slice(data.map_or(&[], |data| data));
        payload.into()
    }
}
