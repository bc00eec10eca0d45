//! UDP trackers (BEP 15): one connected socket around one [`Exchange`].
//!
//! Connected, so that the kernel drops what comes from elsewhere and a closed port is known at once. A
//! socket whose connection id is still good is kept for the next question to the same tracker.

use std::net::SocketAddr;
use std::time::Instant;

use bencode::Endpoint;
use tokio::net::UdpSocket;
use tokio::time::sleep_until;

use super::asker::{Asker, MAX_LINES, of_io};
use crate::io::{entropy, sockets};
use crate::tracker::Failure;
use crate::tracker::exchange::{Answer, ConnectionId, Exchange, Question};

/// Longest datagram that is read; more peers than fit are more than are taken.
const MAX_DATAGRAM: usize = 8 << 10;

/// Addresses of a name that are tried, one after the other as each is refused.
const MAX_TRIES: usize = 3;

/// Asks the first of the addresses that does not refuse.
///
/// # Errors
/// Silence, refusals, the tracker's own error.
pub(super) async fn ask(
    asker: &Asker,
    addresses: Vec<SocketAddr>,
    question: Question,
) -> Result<Answer, Failure> {
    let mut failure = Failure::Unreachable;
    for address in addresses.into_iter().take(MAX_TRIES) {
        match ask_at(asker, address, question.clone()).await {
            Err(again @ (Failure::Refused | Failure::Unreachable)) => failure = again,
            outcome => return outcome,
        }
    }
    Err(failure)
}

async fn ask_at(asker: &Asker, address: SocketAddr, question: Question) -> Result<Answer, Failure> {
    let tracker = Endpoint::from(address);
    let now = Instant::now();
    let (socket, connection) = match kept(asker, tracker, now) {
        Some((socket, connection)) => (socket, Some(connection)),
        None => (
            sockets::towards(&asker.bind, address).map_err(|error| of_io(&error))?,
            None,
        ),
    };
    let seed = entropy::seed().map_err(|error| Failure::System(error.to_string()))?;
    let mut exchange = Exchange::new(tracker, question, connection, seed, now);
    let outcome = converse(&socket, &mut exchange, tracker).await;
    if outcome.is_ok()
        && let Some(connection) = exchange.connection()
    {
        keep(asker, tracker, socket, connection);
    }
    outcome
}

async fn converse(
    socket: &UdpSocket,
    exchange: &mut Exchange,
    tracker: Endpoint,
) -> Result<Answer, Failure> {
    let mut datagram = vec![0; MAX_DATAGRAM];
    loop {
        while let Some(datagram) = exchange.poll_transmit() {
            socket
                .send(&datagram)
                .await
                .map_err(|error| of_io(&error))?;
        }
        if let Some(outcome) = exchange.poll_outcome() {
            return outcome;
        }
        let Some(due) = exchange.next_timeout() else {
            return Err(Failure::Silent);
        };
        tokio::select! {
            received = socket.recv(&mut datagram) => {
                let length = received.map_err(|error| of_io(&error))?;
                let datagram = datagram.get(..length).unwrap_or_default();
                exchange.handle_datagram(Instant::now(), tracker, datagram);
            }
            () = sleep_until(due.into()) => exchange.handle_timeout(Instant::now()),
        }
    }
}

/// A socket that has a good connection id for this tracker; nobody else uses it meanwhile.
fn kept(asker: &Asker, tracker: Endpoint, now: Instant) -> Option<(UdpSocket, ConnectionId)> {
    let mut lines = asker.lines.lock().ok()?;
    lines.retain(|_, (_, connection)| connection.is_fresh(now));
    lines.remove(&tracker)
}

fn keep(asker: &Asker, tracker: Endpoint, socket: UdpSocket, connection: ConnectionId) {
    if let Ok(mut lines) = asker.lines.lock()
        && lines.len() < MAX_LINES
    {
        lines.insert(tracker, (socket, connection));
    }
}
