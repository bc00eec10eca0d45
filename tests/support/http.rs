//! Pages asked for byte by byte, as somebody else's client would, and what their URLs hold.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::seconds;

/// Any bytes as a URL holds them: each escaped.
pub fn escaped(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref().iter();
    bytes.map(|byte| format!("%{byte:02X}")).collect()
}

/// The body of the page at `path`, with its query.
///
/// # Errors
/// Nobody listens, or no answer with a head comes within ten seconds.
pub fn page(at: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(seconds(10)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut said = Vec::new();
    stream.read_to_end(&mut said)?;
    let said = String::from_utf8_lossy(&said);
    let (_, body) = said
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::InvalidData)?;
    Ok(body.to_owned())
}
