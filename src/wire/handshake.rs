//! The 68 bytes that open a connection (BEP 3) and the extensions announced in them
//! (BEP 5, 6, 10).

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
