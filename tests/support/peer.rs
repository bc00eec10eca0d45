//! A scripted peer: just enough of BEP 3, 9 and 10 to serve one torrent, well or badly, and to count what it was asked.
//!
//! It shares no line with `trackless::wire`: written from the BEPs alone, it is the second opinion on what goes over the
//! socket. It has everything, chokes nobody, wants nothing. What it does not know: the fast extension, PEX, encryption.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::torrent::{Sample, noise};

/// Bytes of a block (BEP 3: "all current implementations use 2^14").
pub const BLOCK: usize = 16_384;

/// The id under which we want to be sent ut_metadata messages.
const OUR_METADATA_ID: u8 = 7;

/// How a peer treats a request for metadata (BEP 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Sends what was asked for.
    Honest,
    /// Says the right size and sends other bytes.
    Garbage,
    /// Says half the size and keeps to that.
    WrongSize,
    /// Says the right size and never answers.
    Silent,
}

/// How a peer behaves.
#[derive(Clone, Copy, Debug)]
pub struct Conduct {
    /// Towards requests for metadata.
    pub metadata: Metadata,
    /// Every how manieth block is corrupted; 0 for none.
    pub corrupt_every: usize,
    /// Pause before each block; sets the rate.
    pub pause: Duration,
}

impl Conduct {
    /// Serves everything as fast as the socket takes it.
    pub const HONEST: Self = Self {
        metadata: Metadata::Honest,
        corrupt_every: 0,
        pause: Duration::ZERO,
    };
}

/// What a peer has seen. Indices are those of pieces; blocks are numbered through the whole torrent.
#[derive(Debug, Default)]
pub struct Seen {
    /// Connections that got as far as a handshake for our info hash.
    pub connections: usize,
    /// Connections that the other side has ended.
    pub ended: usize,
    /// Blocks sent, in order, each time they were.
    pub blocks: Vec<usize>,
    /// Corrupted blocks sent.
    pub corrupted: usize,
    /// When the first of them was.
    pub first_corrupted: Option<Instant>,
    /// When the other side last ended a connection.
    pub last_ended: Option<Instant>,
    /// Pieces that the other side has said to have, in a bitfield or a have message.
    pub claimed: BTreeSet<usize>,
    /// Pieces requested after they had been claimed. Nobody asks for what it has.
    pub asked_again: BTreeSet<usize>,
    /// Requests for metadata.
    pub metadata_requests: usize,
    /// Requests that were no block of the torrent, and other breaches of BEP 3.
    pub breaches: Vec<String>,
}

/// A listening peer; ends when dropped.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Listens on 127.0.0.`host`, any port: several peers on one machine need several addresses.
    pub fn start(host: u8, sample: &Sample, conduct: Conduct) -> Self {
        let listener = TcpListener::bind(format!("127.0.0.{host}:0")).expect("a loopback address");
        let address = listener.local_addr().expect("a bound socket");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let (sample, shared, flag) = (sample.clone(), Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if flag.load(Ordering::Relaxed) {
                    return;
                }
                let (sample, shared) = (sample.clone(), Arc::clone(&shared));
                // Ends with its socket, which ends with the program under test.
                std::thread::spawn(move || {
                    let mut talk = Talk {
                        stream,
                        sample: &sample,
                        conduct,
                        seen: &shared,
                        their_metadata_id: 0,
                        number: host,
                    };
                    let known = talk.greet();
                    if known.is_ok() {
                        let _closed = talk.serve();
                        let mut seen = lock(&shared);
                        seen.ended += 1;
                        seen.last_ended = Some(Instant::now());
                    }
                });
            }
        });
        Self {
            address,
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// Where it listens, as for `--peer`.
    pub fn endpoint(&self) -> String {
        self.address.to_string()
    }

    /// What it has seen, in a line for the message of a failed test.
    pub fn summary(&self) -> String {
        let seen = self.seen();
        format!(
            "{}: {} connections, {} ended, {} blocks sent, {} pieces claimed, {} metadata requests, {:?}",
            self.address,
            seen.connections,
            seen.ended,
            seen.blocks.len(),
            seen.claimed.len(),
            seen.metadata_requests,
            seen.breaches
        )
    }

    /// What it has seen so far.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {}", self.summary());
        }
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accepting thread, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection.
struct Talk<'a> {
    stream: TcpStream,
    sample: &'a Sample,
    conduct: Conduct,
    seen: &'a Mutex<Seen>,
    their_metadata_id: u8,
    /// Makes the peer id one of its own: a client takes two connections with one id for one peer.
    number: u8,
}

impl Talk<'_> {
    /// Handshakes, bitfield, unchoke.
    fn greet(&mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let mut theirs = [0; 68];
        self.stream.read_exact(&mut theirs)?;
        let hash = hex::decode(&self.sample.info_hash).expect("hex");
        if &theirs[..20] != b"\x13BitTorrent protocol" || theirs[28..48] != hash {
            self.breach("a handshake for something else".to_owned());
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut ours = b"\x13BitTorrent protocol\0\0\0\0\0\x10\0\0".to_vec();
        ours.extend_from_slice(&hash);
        ours.extend_from_slice(format!("-XX0001-scripted{:04}", self.number).as_bytes());
        self.stream.write_all(&ours)?;
        lock(self.seen).connections += 1;
        if theirs[25] & 0x10 != 0 {
            let size = match self.conduct.metadata {
                Metadata::WrongSize => self.sample.info.len() / 2,
                _ => self.sample.info.len(),
            };
            let hello = format!("d1:md11:ut_metadatai{OUR_METADATA_ID}ee13:metadata_sizei{size}ee");
            self.send(20, &[&[0], hello.as_bytes()])?;
        }
        let pieces = self.sample.pieces();
        let mut bitfield = vec![0; pieces.div_ceil(8)];
        for piece in 0..pieces {
            bitfield[piece / 8] |= 0x80 >> (piece % 8);
        }
        self.send(5, &[&bitfield])?;
        self.send(1, &[])
    }

    /// Reads messages until the other side closes.
    fn serve(&mut self) -> io::Result<()> {
        loop {
            let mut head = [0; 4];
            self.stream.read_exact(&mut head)?;
            let length = usize::try_from(u32::from_be_bytes(head)).expect("64 bit");
            if length == 0 {
                continue;
            }
            if length > 1 << 20 {
                self.breach(format!("a message of {length} bytes"));
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut message = vec![0; length];
            self.stream.read_exact(&mut message)?;
            let (id, payload) = (message[0], &message[1..]);
            match (id, payload.len()) {
                (0..=3, 0) | (8 | 9, _) => {}
                (4, 4) => self.claimed(number(payload, 0)),
                (5, _) => self.claimed_bits(payload),
                (6, 12) => {
                    self.request(number(payload, 0), number(payload, 4), number(payload, 8))?;
                }
                (20, 1..) => self.extended(payload[0], &payload[1..])?,
                _ => self.breach(format!("message {id} with {} bytes", payload.len())),
            }
        }
    }

    fn claimed(&self, piece: usize) {
        lock(self.seen).claimed.insert(piece);
    }

    fn claimed_bits(&self, bits: &[u8]) {
        if bits.len() != self.sample.pieces().div_ceil(8) {
            self.breach(format!("a bitfield of {} bytes", bits.len()));
        }
        for piece in 0..self.sample.pieces() {
            if bits
                .get(piece / 8)
                .is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
            {
                self.claimed(piece);
            }
        }
    }

    /// Answers a request for a block.
    fn request(&mut self, piece: usize, begin: usize, length: usize) -> io::Result<()> {
        let from = piece * self.sample.piece_length + begin;
        let end = ((piece + 1) * self.sample.piece_length).min(self.sample.content.len());
        let whole = length == BLOCK.min(end.saturating_sub(from));
        if piece >= self.sample.pieces() || !begin.is_multiple_of(BLOCK) || length == 0 || !whole {
            self.breach(format!(
                "a request for {length} bytes at {begin} of piece {piece}"
            ));
            return Ok(());
        }
        if !self.conduct.pause.is_zero() {
            std::thread::sleep(self.conduct.pause);
        }
        let mut block = self.sample.content[from..from + length].to_vec();
        {
            let mut seen = lock(self.seen);
            if seen.claimed.contains(&piece) {
                seen.asked_again.insert(piece);
            }
            seen.blocks.push(from / BLOCK);
            let every = self.conduct.corrupt_every;
            if every != 0 && seen.blocks.len().is_multiple_of(every) {
                block[length / 2] ^= 0x01;
                seen.corrupted += 1;
                seen.first_corrupted.get_or_insert_with(Instant::now);
            }
        }
        let [piece, begin] =
            [piece, begin].map(|it| u32::try_from(it).expect("small").to_be_bytes());
        self.send(7, &[&piece, &begin, &block])
    }

    /// BEP 10: their handshake, or a request for metadata.
    fn extended(&mut self, id: u8, payload: &[u8]) -> io::Result<()> {
        if id == 0 {
            // Enough of bencode for one number behind one key.
            if let Some(id) = integer(payload, "11:ut_metadata") {
                self.their_metadata_id = u8::try_from(id).unwrap_or_default();
            }
            return Ok(());
        }
        if id != OUR_METADATA_ID {
            self.breach(format!("extended message {id}, which was never offered"));
            return Ok(());
        }
        if integer(payload, "8:msg_type") != Some(0) {
            return Ok(());
        }
        lock(self.seen).metadata_requests += 1;
        let piece = integer(payload, "5:piece").unwrap_or_default();
        let (body, total) = match self.conduct.metadata {
            Metadata::Silent => return Ok(()),
            Metadata::Honest => (self.sample.info.clone(), self.sample.info.len()),
            Metadata::Garbage => (
                noise("garbage", self.sample.info.len()),
                self.sample.info.len(),
            ),
            Metadata::WrongSize => {
                let half = self.sample.info.len() / 2;
                (self.sample.info[..half].to_vec(), half)
            }
        };
        let from = (piece * BLOCK).min(body.len());
        let part = &body[from..(from + BLOCK).min(body.len())];
        let head = format!("d8:msg_typei1e5:piecei{piece}e10:total_sizei{total}ee");
        self.send(20, &[&[self.their_metadata_id], head.as_bytes(), part])
    }

    fn send(&mut self, id: u8, parts: &[&[u8]]) -> io::Result<()> {
        let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut message = u32::try_from(length).expect("small").to_be_bytes().to_vec();
        message.push(id);
        for part in parts {
            message.extend_from_slice(part);
        }
        self.stream.write_all(&message)
    }

    fn breach(&self, what: String) {
        lock(self.seen).breaches.push(what);
    }
}

/// The big-endian number at `from`.
fn number(payload: &[u8], from: usize) -> usize {
    let bytes = payload[from..from + 4].try_into().expect("four bytes");
    usize::try_from(u32::from_be_bytes(bytes)).expect("64 bit")
}

/// The integer that follows `key` (already in bencode) in a dictionary.
fn integer(dictionary: &[u8], key: &str) -> Option<usize> {
    let at = dictionary
        .windows(key.len())
        .position(|it| it == key.as_bytes())?;
    let rest = dictionary[at + key.len()..].strip_prefix(b"i")?;
    let end = rest.iter().position(|byte| *byte == b'e')?;
    std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
}
