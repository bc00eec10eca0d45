//! Many datagrams in one system call, where the system has one for that.
//!
//! What the kernel cannot take is lost, as datagrams may be; one that it refuses (no route, a
//! firewall) does not hold up those behind it.

use dht::Transmit;
use tokio::net::UdpSocket;

/// Sends these, in their order.
pub(super) fn send(socket: &UdpSocket, burst: &[Transmit]) {
    // Most bursts of a quiet node are of one, and need no preparation.
    if cfg!(target_os = "linux") && burst.len() > 1 {
        send_together(socket, burst);
    } else {
        for transmit in burst {
            let _ = socket.try_send_to(&transmit.payload, transmit.to);
        }
    }
}

#[cfg(target_os = "linux")]
fn send_together(socket: &UdpSocket, burst: &[Transmit]) {
    use std::io::IoSlice;

    use rustix::net::addr::SocketAddrArg;
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

    let addresses: Vec<_> = burst.iter().map(|transmit| transmit.to.as_any()).collect();
    let payloads: Vec<_> = burst
        .iter()
        .map(|transmit| [IoSlice::new(&transmit.payload)])
        .collect();
    let mut controls: Vec<_> = burst
        .iter()
        .map(|_| SendAncillaryBuffer::default())
        .collect();
    let mut headers: Vec<_> = addresses
        .iter()
        .zip(&payloads)
        .zip(&mut controls)
        .map(|((to, payload), control)| MMsgHdr::new_with_addr(to, payload, control))
        .collect();
    let mut rest = &mut headers[..];
    while !rest.is_empty() {
        let sent = socket.try_io(tokio::io::Interest::WRITABLE, || {
            Ok(sendmmsg(socket, rest, SendFlags::empty())?)
        });
        let done = match sent {
            Ok(sent) => sent.max(1),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            // It speaks of the first.
            Err(_) => 1,
        };
        rest = rest.get_mut(done..).unwrap_or_default();
    }
}

#[cfg(not(target_os = "linux"))]
fn send_together(_: &UdpSocket, _: &[Transmit]) {}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    use super::*;

    /// Rows N17: a datagram that the kernel refuses holds up no other.
    #[tokio::test]
    async fn one_that_is_refused_holds_up_nobody() {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (from, to) = (bind().await.expect("bound"), bind().await.expect("bound"));
        let reachable = to.local_addr().expect("bound");
        // Nothing can be sent to port 0.
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let burst: Vec<Transmit> = [nowhere, reachable, nowhere, nowhere, reachable, nowhere]
            .into_iter()
            .zip(0..)
            .map(|(to, number)| Transmit {
                to,
                payload: vec![number; 3],
            })
            .collect();
        from.writable().await.expect("a socket");
        send(&from, &burst);
        send(&from, &burst[4..5]);
        let mut buffer = [0; 16];
        for expected in [1, 4, 4] {
            let heard = tokio::time::timeout(Duration::from_secs(10), to.recv(&mut buffer));
            let length = heard.await.expect("in time").expect("received");
            assert_eq!(buffer[..length], [expected; 3]);
        }
    }
}
