//! The 68 bytes that open a connection (BEP 3) and the extensions announced in them
//! (BEP 5, 6, 10).

use bytes::BytesMut;
use rand::Rng;

use super::violation::Violation;
use crate::metainfo::InfoHash;

/// The sender's 20 bytes of identity (BEP 20 for the customary form).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub [u8; 20]);

/// The eight reserved bytes, of which three bits are understood here.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reserved(pub [u8; 8]);

/// What both sides tell first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// The torrent this connection is about.
    pub info_hash: InfoHash,
    /// Who speaks.
    pub peer_id: PeerId,
    /// What the speaker understands beyond BEP 3.
    pub reserved: Reserved,
}

/// Bytes of a handshake.
pub const HANDSHAKE_LEN: usize = 68;

/// What every handshake begins with: the length of the protocol's name, and the name.
const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

impl PeerId {
    /// Ours: `-TL0100-` (BEP 20) and twelve random bytes.
    pub fn generate(rng: &mut impl Rng) -> PeerId {
        let mut id = *b"-TL0100-............";
        rng.fill_bytes(&mut id[8..]);
        PeerId(id)
    }
}

impl Reserved {
    /// What this client understands.
    pub fn ours() -> Reserved {
        Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x05])
    }

    /// Extension protocol (BEP 10).
    pub fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }

    /// Fast extension (BEP 6).
    pub fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }

    /// DHT (BEP 5).
    pub fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }
}

impl Handshake {
    /// Appends the 68 bytes.
    pub fn encode(&self, out: &mut BytesMut) {
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(&self.reserved.0);
        out.extend_from_slice(&self.info_hash.0);
        out.extend_from_slice(&self.peer_id.0);
    }

    /// Reads the first 68 bytes of `input`; `None` while there are fewer and all are right so far.
    ///
    /// # Errors
    /// [`Violation::Protocol`] at the first byte that is not BitTorrent's.
    pub fn decode(input: &[u8]) -> Result<Option<Handshake>, Violation> {
        if input
            .iter()
            .zip(PROTOCOL)
            .any(|(theirs, ours)| theirs != ours)
        {
            return Err(Violation::Protocol);
        }
        let Some(rest) = input.get(PROTOCOL.len()..HANDSHAKE_LEN) else {
            return Ok(None);
        };
        let (reserved, rest) = rest.split_first_chunk::<8>().ok_or(Violation::Protocol)?;
        let (info_hash, rest) = rest.split_first_chunk::<20>().ok_or(Violation::Protocol)?;
        let (peer_id, _) = rest.split_first_chunk::<20>().ok_or(Violation::Protocol)?;
        Ok(Some(Handshake {
            info_hash: InfoHash(*info_hash),
            peer_id: PeerId(*peer_id),
            reserved: Reserved(*reserved),
        }))
    }
}
