//! How much bencode (BEP 3, "bencoding") a parser accepts: depth, tokens, bytes, order of keys.
//!
//! Read BEP 3 first, then the preset of the protocol at hand. Invariant: a value that passed a
//! [`Limits`] is nested at most [`MAX_DEPTH`] deep and at most `bytes` long, so every later walk
//! of it is bounded. This file knows numbers only; `reader` enforces them.

/// Deepest nesting that any preset may ask for, in open lists and dictionaries.
///
/// The validator's stack is an array of this many frames. Real torrents nest 5 deep (`info`,
/// `files`, file, `path`, plus the outer dictionary); 32 is what Transmission allows for torrents.
pub const MAX_DEPTH: usize = 32;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What the reader does about the order of dictionary keys.
///
/// BEP 3: keys "must be strings and appear in sorted order (sorted as raw strings)".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Keys {
    /// Keys are strictly increasing; anything else is refused. For what gets hashed.
    Strict,
    /// Any order; of several equal keys the first wins in [`Value::get`](crate::Value::get).
    ///
    /// Deviation: BEP 3 wants sorted keys, many clients in the field do not sort.
    Lenient,
}

/// Bounds of one parse. All are inclusive: a value exactly at a bound passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Open lists and dictionaries at any point; 0 admits a lone integer or string only.
    /// More than [`MAX_DEPTH`] counts as [`MAX_DEPTH`].
    pub depth: usize,
    /// Integers, strings (keys too), lists and dictionaries together; end marks are free.
    pub tokens: usize,
    /// Length of the whole input, for `parse_prefix` with what follows the value.
    pub bytes: usize,
    /// Order of dictionary keys.
    pub keys: Keys,
}

impl Limits {
    /// A DHT datagram (BEP 5). Our own replies stay below 1,024 bytes; 2,048 holds the largest
    /// seen in the field. A message nests 3 deep, BEP 44 values may add a little.
    pub const KRPC: Limits = Limits {
        depth: 6,
        tokens: 1_000,
        bytes: 2 * KIB,
        keys: Keys::Lenient,
    };

    /// A torrent file (BEP 3): 16 MiB hold 800,000 pieces. 3 million tokens are libtorrent's
    /// figure; it is the guard against a small file that explodes in memory.
    pub const TORRENT: Limits = Limits {
        depth: 32,
        tokens: 3_000_000,
        bytes: 16 * MIB,
        keys: Keys::Lenient,
    };

    /// The `info` dictionary alone, as it comes from peers (BEP 9): as [`Limits::TORRENT`], but
    /// two readers of the same hash must not see two meanings, so keys are strictly sorted.
    pub const INFO: Limits = Limits {
        keys: Keys::Strict,
        ..Limits::TORRENT
    };

    /// The handshake of the extension protocol (BEP 10).
    pub const EXTENSION: Limits = Limits {
        depth: 8,
        tokens: 256,
        bytes: 16 * KIB,
        keys: Keys::Lenient,
    };

    /// A peer exchange message (BEP 11): one dictionary of strings.
    pub const PEX: Limits = Limits {
        depth: 8,
        tokens: 256,
        bytes: 16 * KIB,
        keys: Keys::Lenient,
    };

    /// A metadata message (BEP 9): a small dictionary, then at most one 16 KiB piece behind it.
    pub const METADATA: Limits = Limits {
        depth: 8,
        tokens: 256,
        bytes: 17 * KIB,
        keys: Keys::Lenient,
    };

    /// The body of an HTTP tracker's reply (BEP 3, BEP 23): 1 MiB, as libtorrent; 20,000 tokens
    /// leave room for some thousand peers in dictionary form.
    pub const TRACKER: Limits = Limits {
        depth: 8,
        tokens: 20_000,
        bytes: MIB,
        keys: Keys::Lenient,
    };

    /// A record that we wrote ourselves and read again after a crash: 32 MiB hold a torrent of
    /// the largest size with its resume state. We sort, so what is not sorted is damage.
    pub const STATE: Limits = Limits {
        depth: 32,
        tokens: 3_000_000,
        bytes: 32 * MIB,
        keys: Keys::Strict,
    };
}
