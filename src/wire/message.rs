//! The messages of the peer wire protocol: BEP 3 "peer messages", BEP 5 `port`, BEP 6 fast
//! extension, BEP 10 `extended`.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::violation::Violation;

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

/// Blocks on the wire: what every client asks for.
pub const BLOCK: usize = 16 << 10;

/// Longest bitfield before the piece count is known: 2^22 pieces (reliability.md §3).
pub(super) const MAX_BITFIELD: usize = 512 << 10;

/// Longest extended message; each extension has its own, smaller bound.
const MAX_EXTENDED: usize = 64 << 10;

/// Longest message of an unknown kind that is skipped.
const MAX_UNKNOWN: usize = 1 << 10;

mod id {
    pub(super) const CHOKE: u8 = 0;
    pub(super) const UNCHOKE: u8 = 1;
    pub(super) const INTERESTED: u8 = 2;
    pub(super) const NOT_INTERESTED: u8 = 3;
    pub(super) const HAVE: u8 = 4;
    pub(super) const BITFIELD: u8 = 5;
    pub(super) const REQUEST: u8 = 6;
    pub(super) const PIECE: u8 = 7;
    pub(super) const CANCEL: u8 = 8;
    pub(super) const PORT: u8 = 9;
    pub(super) const SUGGEST: u8 = 13;
    pub(super) const HAVE_ALL: u8 = 14;
    pub(super) const HAVE_NONE: u8 = 15;
    pub(super) const REJECT: u8 = 16;
    pub(super) const ALLOWED_FAST: u8 = 17;
    pub(super) const EXTENDED: u8 = 20;
}

/// The length of the frame at the beginning of `input`, without its 4-byte prefix, once length and id
/// are there; checked against what that id may be, so that nobody makes us wait for 4 GiB.
pub(super) fn frame_length(input: &[u8], bitfield: usize) -> Result<Option<usize>, Violation> {
    let Some((prefix, rest)) = input.split_first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_be_bytes(*prefix) as usize;
    if length == 0 {
        return Ok(Some(0));
    }
    let Some(&kind) = rest.first() else {
        // Nothing longer than the longest can be right whatever its id.
        let longest = 1 + MAX_BITFIELD.max(MAX_EXTENDED);
        return if length > longest {
            Err(Violation::Length)
        } else {
            Ok(None)
        };
    };
    let fits = match kind {
        id::CHOKE..=id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => length == 1,
        id::HAVE | id::SUGGEST | id::ALLOWED_FAST => length == 5,
        id::REQUEST | id::CANCEL | id::REJECT => length == 13,
        id::PORT => length == 3,
        id::BITFIELD if bitfield == MAX_BITFIELD => length <= 1 + bitfield,
        id::BITFIELD => length == 1 + bitfield,
        id::PIECE => (9..=9 + BLOCK).contains(&length),
        id::EXTENDED => (2..=1 + MAX_EXTENDED).contains(&length),
        _ => length <= MAX_UNKNOWN,
    };
    if fits {
        Ok(Some(length))
    } else {
        Err(Violation::Length)
    }
}

/// Decodes a frame without its prefix, whose length [`frame_length`] has accepted; `None` for an
/// unknown kind. Payloads stay in the frame's buffer.
pub(super) fn decode(mut frame: Bytes) -> Result<Option<Message>, Violation> {
    if frame.is_empty() {
        return Ok(Some(Message::KeepAlive));
    }
    let message = match frame.get_u8() {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE => Message::Have(number(&mut frame)?),
        id::BITFIELD => Message::Bitfield(frame),
        id::REQUEST => Message::Request(block(&mut frame)?),
        id::PIECE => {
            let (piece, begin) = (number(&mut frame)?, number(&mut frame)?);
            Message::Piece {
                piece,
                begin,
                data: frame,
            }
        }
        id::CANCEL => Message::Cancel(block(&mut frame)?),
        id::PORT => Message::Port(frame.try_get_u16().map_err(|_| Violation::Length)?),
        id::SUGGEST => Message::Suggest(number(&mut frame)?),
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT => Message::Reject(block(&mut frame)?),
        id::ALLOWED_FAST => Message::AllowedFast(number(&mut frame)?),
        id::EXTENDED => {
            let id = frame.try_get_u8().map_err(|_| Violation::Length)?;
            Message::Extended { id, payload: frame }
        }
        _ => return Ok(None),
    };
    Ok(Some(message))
}

fn number(frame: &mut Bytes) -> Result<u32, Violation> {
    frame.try_get_u32().map_err(|_| Violation::Length)
}

fn block(frame: &mut Bytes) -> Result<Block, Violation> {
    Ok(Block {
        piece: number(frame)?,
        begin: number(frame)?,
        length: number(frame)?,
    })
}

impl Message {
    /// Appends the message with its length prefix, less the payload that [`Message::payload`] returns,
    /// which the caller sends behind it.
    pub(super) fn encode_head(&self, out: &mut BytesMut) {
        let numbers = |out: &mut BytesMut, kind: u8, numbers: &[u32]| {
            out.put_u32(1 + 4 * numbers.len() as u32);
            out.put_u8(kind);
            numbers.iter().for_each(|&number| out.put_u32(number));
        };
        let of = |block: &Block| [block.piece, block.begin, block.length];
        match self {
            Message::KeepAlive => out.put_u32(0),
            Message::Choke => numbers(out, id::CHOKE, &[]),
            Message::Unchoke => numbers(out, id::UNCHOKE, &[]),
            Message::Interested => numbers(out, id::INTERESTED, &[]),
            Message::NotInterested => numbers(out, id::NOT_INTERESTED, &[]),
            Message::Have(piece) => numbers(out, id::HAVE, &[*piece]),
            Message::Request(block) => numbers(out, id::REQUEST, &of(block)),
            Message::Cancel(block) => numbers(out, id::CANCEL, &of(block)),
            Message::Suggest(piece) => numbers(out, id::SUGGEST, &[*piece]),
            Message::HaveAll => numbers(out, id::HAVE_ALL, &[]),
            Message::HaveNone => numbers(out, id::HAVE_NONE, &[]),
            Message::Reject(block) => numbers(out, id::REJECT, &of(block)),
            Message::AllowedFast(piece) => numbers(out, id::ALLOWED_FAST, &[*piece]),
            Message::Bitfield(bits) => {
                out.put_u32(1 + bits.len() as u32);
                out.put_u8(id::BITFIELD);
            }
            Message::Piece { piece, begin, data } => {
                out.put_u32(9 + data.len() as u32);
                out.put_u8(id::PIECE);
                out.put_u32(*piece);
                out.put_u32(*begin);
            }
            Message::Port(port) => {
                out.put_u32(3);
                out.put_u8(id::PORT);
                out.put_u16(*port);
            }
            Message::Extended { id, payload } => {
                out.put_u32(2 + payload.len() as u32);
                out.put_u8(id::EXTENDED);
                out.put_u8(*id);
            }
        }
    }

    /// Bytes that make a connection's queue long: those of blocks and of extended messages.
    pub fn weight(&self) -> u64 {
        match self {
            Message::Piece { data: bytes, .. } | Message::Extended { payload: bytes, .. } => {
                bytes.len() as u64
            }
            _ => 0,
        }
    }

    /// The bytes behind the head; empty for most.
    pub(super) fn payload(self) -> Bytes {
        match self {
            Message::Bitfield(bytes)
            | Message::Piece { data: bytes, .. }
            | Message::Extended { payload: bytes, .. } => bytes,
            _ => Bytes::new(),
        }
    }
}
