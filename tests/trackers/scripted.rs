//! Scripted trackers on loopback: each does one thing, well or badly, and remembers what it was asked.
//!
//! They share no line with `trackless::tracker`: requests are looked at as text and bytes, answers are
//! written by hand from BEP 3 and BEP 15.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Requests in the order in which they came.
type Seen = Arc<Mutex<Vec<String>>>;

/// A listening tracker. Its threads end with the test's process.
pub struct Tracker {
    pub address: SocketAddr,
    seen: Seen,
}

impl Tracker {
    /// An HTTP tracker that hands every connection with its request's target to `serve`.
    pub fn http(serve: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Tracker {
        Tracker::http_at("127.0.0.1:0", serve)
    }

    /// The same on another address.
    pub fn http_at(
        address: &str,
        serve: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Tracker {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("bound");
        let seen = Seen::default();
        let (shared, serve) = (Arc::clone(&seen), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, serve) = (Arc::clone(&shared), Arc::clone(&serve));
                let Ok(mut stream) = stream else { return };
                thread::spawn(move || {
                    let Some(target) = request(&mut stream) else {
                        return;
                    };
                    lock(&shared).push(target.clone());
                    serve(&target, &mut stream);
                });
            }
        });
        Tracker { address, seen }
    }

    /// One that always answers with this status line and body.
    pub fn saying(status: &'static str, body: Vec<u8>) -> Tracker {
        Tracker::http(move |_, stream| respond(stream, status, "", &body))
    }

    /// One that answers everything with status 200 and a body of this content type.
    pub fn typed(kind: &'static str, body: Vec<u8>) -> Tracker {
        let header = format!("Content-Type: {kind}\r\n");
        Tracker::http(move |_, stream| respond(stream, "200 OK", &header, &body))
    }

    /// A good one that names these peers.
    pub fn good(peers: &[SocketAddr]) -> Tracker {
        Tracker::saying("200 OK", reply(peers))
    }

    /// One that redirects everything to where `location` says for its own address.
    pub fn redirecting(location: impl Fn(SocketAddr) -> String + Send + Sync + 'static) -> Tracker {
        Tracker::http(move |_, stream| {
            let own = stream.local_addr().expect("connected");
            let header = format!("Location: {}\r\n", location(own));
            respond(stream, "302 Found", &header, b"");
        })
    }

    /// A UDP tracker: `answer` gets each datagram and gives the datagrams that go back.
    pub fn udp(answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Tracker {
        Tracker::udp_at("127.0.0.1:0", answer)
    }

    /// The same on another address.
    pub fn udp_at(
        address: &str,
        answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    ) -> Tracker {
        let socket = UdpSocket::bind(address).expect("a port");
        let address = socket.local_addr().expect("bound");
        let seen = Seen::default();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let mut datagram = [0; 2048];
            while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                let kind = datagram.get(11).copied().unwrap_or(255);
                lock(&shared).push(format!("action {kind}, {length} bytes"));
                for reply in answer(&datagram[..length]) {
                    let _ = socket.send_to(&reply, from);
                }
            }
        });
        Tracker { address, seen }
    }

    /// Its announce URL over HTTP.
    pub fn url(&self) -> String {
        format!("http://{}/announce", self.address)
    }

    /// Its announce URL over UDP.
    pub fn udp_url(&self) -> String {
        format!("udp://{}/announce", self.address)
    }

    /// What it was asked so far.
    pub fn seen(&self) -> Vec<String> {
        lock(&self.seen).clone()
    }
}

/// A port on which nobody listens.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

/// The answer of a good HTTP tracker (BEP 3, BEP 23).
pub fn reply(peers: &[SocketAddr]) -> Vec<u8> {
    let packed: Vec<u8> = peers.iter().flat_map(|peer| packed(*peer)).collect();
    let mut body = format!(
        "d8:completei1e10:incompletei1e8:intervali1800e5:peers{}:",
        packed.len()
    )
    .into_bytes();
    body.extend(packed);
    body.push(b'e');
    body
}

fn packed(peer: SocketAddr) -> Vec<u8> {
    match peer {
        SocketAddr::V4(peer) => [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat(),
        SocketAddr::V6(peer) => [&peer.ip().octets()[..], &peer.port().to_be_bytes()].concat(),
    }
}

/// The answer of a good UDP tracker to any request: BEP 15's tables.
pub fn udp_reply(request: &[u8], peers: &[SocketAddr]) -> Vec<u8> {
    let transaction = &request[12..16];
    match request[11] {
        0 => [&[0, 0, 0, 0], transaction, b"connect!"].concat(),
        1 => {
            let mut out = [
                &[0, 0, 0, 1],
                transaction,
                &1800_u32.to_be_bytes(),
                &[0, 0, 0, 1, 0, 0, 0, 1],
            ]
            .concat();
            peers.iter().for_each(|peer| out.extend(packed(*peer)));
            out
        }
        _ => [&[0, 0, 0, 3], transaction, b"what?"].concat(),
    }
}

/// An HTTP/1.1 response with a length.
pub fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(body));
}

/// The target of a GET; headers are read and dropped.
fn request(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    head.strip_prefix("GET ")?
        .split(' ')
        .next()
        .map(str::to_owned)
}

/// Keeps the connection without a word until the other side ends it.
pub fn say_nothing(stream: &mut TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let _ = stream.read(&mut [0]);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
