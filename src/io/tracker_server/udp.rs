//! The tracker's UDP sockets (BEP 15): a batch of datagrams in, the server's replies out in one system
//! call, what changed to the database.
//!
//! On Linux every core has a socket of its own on the port (`SO_REUSEPORT`), and the kernel spreads
//! clients over them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bencode::Family;
use dht::Transmit;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Shared;
use crate::io::burst;

/// Largest datagram read: a scrape of 74 torrents has 1,496 bytes, an announce with BEP 41's options less.
const DATAGRAM: usize = 2048;

/// Datagrams answered at once, while the server is locked: about 0.1 ms.
const BATCH: usize = 64;

/// Kernel buffer asked for, each way: clients announce in crowds.
const BUFFER: usize = 4 << 20;

/// Most sockets on one port.
const MAX_SOCKETS: usize = 16;

/// Binds one socket for every core to `address`. With port 0, the port of the first is that of all.
///
/// # Errors
/// As `bind(2)`.
pub(super) fn bind(address: SocketAddr) -> io::Result<Vec<UdpSocket>> {
    // With SO_REUSEPORT two trackers of one user could share a port without a word: so somebody
    // without it goes first.
    let probe = socket(address.into())?;
    probe.bind(&address.into())?;
    let bound = probe.local_addr()?.as_socket().unwrap_or(address);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if !cfg!(target_os = "linux") || cores == 1 {
        return Ok(vec![UdpSocket::from_std(probe.into())?]);
    }
    drop(probe);
    (0..cores.min(MAX_SOCKETS)).map(|_| shared(bound)).collect()
}

fn socket(address: bencode::Endpoint) -> io::Result<Socket> {
    let domain = match address.family() {
        Family::V4 => Domain::IPV4,
        Family::V6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if address.family() == Family::V6 {
        // Two sockets, one a family: nobody meets a v4-mapped address.
        socket.set_only_v6(true)?;
    }
    // Smaller buffers than asked for still work; only crowds suffer.
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket(address.into())?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

#[cfg(not(target_os = "linux"))]
fn shared(_: SocketAddr) -> io::Result<UdpSocket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Answers what arrives, until dropped.
pub(super) async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let mut buffer = vec![0; BATCH * DATAGRAM];
    let mut arrived: Vec<(SocketAddr, usize)> = Vec::with_capacity(BATCH);
    let mut replies: Vec<Transmit> = Vec::with_capacity(BATCH);
    // Until the first wait, a socket counts as not writable.
    let _ = socket.writable().await;
    loop {
        if socket.readable().await.is_err() {
            // The runtime is ending.
            return;
        }
        arrived.clear();
        for place in buffer.chunks_exact_mut(DATAGRAM) {
            match socket.try_recv_from(place) {
                Ok((length, from)) => arrived.push((from, length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error of an earlier reply; the next datagram is waiting behind it.
                Err(_) => break,
            }
        }
        shared.serve(|server| {
            let now = Instant::now();
            for ((from, length), place) in arrived.iter().zip(buffer.chunks_exact(DATAGRAM)) {
                server.handle_datagram(now, *from, place.get(..*length).unwrap_or(place));
            }
            while let Some(reply) = server.poll_transmit() {
                replies.push(Transmit {
                    to: reply.to,
                    payload: reply.payload,
                });
            }
        });
        burst::send(&socket, &replies);
        replies.clear();
    }
}
