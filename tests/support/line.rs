//! One connection to `trackless`, spoken by hand: for tests that ask for single blocks, or answer single requests.
//!
//! As little of BEP 3 and BEP 6 as that takes.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a message may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a peer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// Everything.
    All,
    /// Nothing.
    None,
}

/// A connection after both handshakes.
#[derive(Debug)]
pub struct Line(TcpStream);

impl Line {
    /// Says that this is a peer of the torrent which has all of it or nothing, and waits until the other side has said
    /// so too.
    ///
    /// # Errors
    /// It is closed, or nothing comes for ten seconds.
    pub fn greet(mut stream: TcpStream, info_hash: &str, has: Has) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut ours = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\x04".to_vec();
        ours.extend(hex::decode(info_hash).expect("hex"));
        // An id of its own: two connections with one id are taken for one peer.
        let id = stream.local_addr()?.port();
        ours.extend_from_slice(format!("-XX0002-{id:012}").as_bytes());
        stream.write_all(&ours)?;
        stream.read_exact(&mut [0; 68])?;
        let mut line = Self(stream);
        line.send(if has == Has::All { 14 } else { 15 }, &[])?;
        Ok(line)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// It is closed.
    pub fn send(&mut self, id: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len() + 1).expect("small");
        let mut message = length.to_be_bytes().to_vec();
        message.push(id);
        message.extend_from_slice(payload);
        self.0.write_all(&message)
    }

    /// The next message that is not only there to keep the connection: its id and what follows.
    ///
    /// # Errors
    /// It is closed, or nothing comes for ten seconds.
    pub fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        loop {
            let mut length = [0; 4];
            self.0.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            assert!(length < 1 << 20, "a message of {length} bytes");
            let mut message = vec![0; length];
            self.0.read_exact(&mut message)?;
            if let Some((id, payload)) = message.split_first() {
                return Ok((*id, payload.to_vec()));
            }
        }
    }

    /// Waits for a message with this id; others are let pass.
    ///
    /// # Errors
    /// As [`Line::receive`].
    pub fn wait_for(&mut self, wanted: u8) -> io::Result<Vec<u8>> {
        loop {
            let (id, payload) = self.receive()?;
            if id == wanted {
                return Ok(payload);
            }
        }
    }

    /// Asks for a block and waits for it; `None` when it is not given.
    pub fn block(&mut self, piece: u32, begin: u32, length: u32) -> Option<Vec<u8>> {
        let request: Vec<u8> = [piece, begin, length]
            .iter()
            .flat_map(|it| it.to_be_bytes())
            .collect();
        self.send(6, &request).ok()?;
        loop {
            match self.receive().ok()? {
                (7, payload) if payload[..8] == request[..8] => return Some(payload[8..].to_vec()),
                // Choked, or rejected (BEP 6): no answer will come.
                (0 | 16, _) => return None,
                _ => {}
            }
        }
    }
}
