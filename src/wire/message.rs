//! The messages of the peer wire protocol: BEP 3 "peer messages", BEP 5 `port`, BEP 6 fast
//! extension, BEP 10 `extended`.

use bytes::Bytes;

/// One block as `request`, `cancel` and `reject` name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Block {
    /// Piece index, from 0.
    pub piece: u32,
    /// Byte offset inside the piece.
    pub begin: u32,
    /// Bytes; 16,384 except for the last block of the last piece.
    pub length: u32,
}

/// A peer message. Indices and lengths are as received: not yet checked against a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Length 0: nothing but a sign of life.
    KeepAlive,
    /// We will not answer requests.
    Choke,
    /// Requests are answered from now on.
    Unchoke,
    /// The sender wants something that the receiver has.
    Interested,
    /// The sender wants nothing.
    NotInterested,
    /// The sender has this piece now.
    Have(u32),
    /// One bit a piece, most significant first; only directly after the handshake.
    Bitfield(Bytes),
    /// Asks for a block.
    Request(Block),
    /// A block's data.
    Piece {
        /// Piece index.
        piece: u32,
        /// Offset inside the piece.
        begin: u32,
        /// The bytes, not copied out of the receive buffer.
        data: Bytes,
    },
    /// Takes a request back.
    Cancel(Block),
    /// UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// The sender would like this piece to be asked for (BEP 6).
    Suggest(u32),
    /// Instead of a full bitfield (BEP 6).
    HaveAll,
    /// Instead of an empty bitfield (BEP 6).
    HaveNone,
    /// A request that will not be answered (BEP 6).
    Reject(Block),
    /// A piece that may be requested while choked (BEP 6).
    AllowedFast(u32),
    /// BEP 10: id 0 is the extension handshake, others as the receiver numbered them there.
    Extended {
        /// Extended message id.
        id: u8,
        /// Everything behind it.
        payload: Bytes,
    },
}
