//! The tracker over HTTP (BEP 3, 23, 48): announces, scrapes, a page for people, counters for Prometheus.
//!
//! Threat: whoever reaches the port may be slow, send much or stay for long: heads, times and
//! connections are bounded, bodies are never read, and nothing of a request is sent back.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Shared;
use crate::metainfo::InfoHash;
use crate::tracker::announce::ScrapeReply;
use crate::tracker::http::{
    QueryError, parse_query, parse_scrape_query, write_failure, write_reply, write_scrape,
};
use crate::tracker::server::{Via, html, prometheus};

/// Longest request head: a scrape of 74 torrents has up to 6 kB.
const MAX_HEAD: usize = 16 << 10;

/// Connections served at once; more wait in the kernel.
const MAX_CONNECTIONS: usize = 4096;

/// Connections that wait in the kernel.
const BACKLOG: u32 = 4096;

/// How long a request may take to arrive.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// How long a connection may live: enough for several announces, too short for who only holds it.
const LIFE: Duration = Duration::from_secs(60);

/// After a failed accept (no file descriptors left): it would fail again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds a listener.
///
/// # Errors
/// As `bind(2)` and `listen(2)`.
pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    if address.is_ipv6() {
        // Two sockets, one a family: nobody meets a v4-mapped address.
        socket2::SockRef::from(&socket).set_only_v6(true)?;
    }
    // A restart need not wait for connections that ended a minute ago.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts and answers, until dropped.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut protocol = http1::Builder::new();
    protocol
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(MAX_HEAD);
    loop {
        // It is never closed, so there is no error.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, from)) = listener.accept().await else {
            sleep(PAUSE).await;
            continue;
        };
        let (protocol, shared) = (protocol.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            connection(&protocol, stream, from.ip(), shared).await;
            drop(place);
        });
    }
}

async fn connection(
    protocol: &http1::Builder,
    stream: TcpStream,
    from: IpAddr,
    shared: Arc<Shared>,
) {
    // The reply is one write; without this the next one on the connection might wait for an ACK.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&request, from, &shared);
        async move { Ok::<_, Infallible>(response) }
    });
    // Whoever is too slow, or gone, or speaks no HTTP gets no answer, or hyper's.
    let _ = timeout(
        LIFE,
        protocol.serve_connection(TokioIo::new(stream), service),
    )
    .await;
}

fn answer(request: &Request<Incoming>, from: IpAddr, shared: &Shared) -> Response<Full<Bytes>> {
    const TEXT: &str = "text/plain; charset=utf-8";
    if request.method() != Method::GET {
        return response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET only\n");
    }
    let query = request.uri().query().unwrap_or_default();
    match request.uri().path() {
        "/announce" => response(StatusCode::OK, TEXT, announce(query, from, shared)),
        "/scrape" => response(StatusCode::OK, TEXT, scrape(query, shared)),
        "/" | "/stats" => {
            let view = shared.view();
            let page = html(&view.totals, &view.stats, view.uptime);
            response(StatusCode::OK, "text/html; charset=utf-8", page)
        }
        "/metrics" => {
            let view = shared.view();
            let text = prometheus(&view.totals, &view.stats, view.uptime);
            response(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                text,
            )
        }
        _ => response(
            StatusCode::NOT_FOUND,
            TEXT,
            "see /announce, /scrape, /stats, /metrics\n",
        ),
    }
}

/// Errors are the body's business (BEP 3 `failure reason`); the status is 200 for both.
fn announce(query: &str, from: IpAddr, shared: &Shared) -> Vec<u8> {
    let (announce, form) = match parse_query(query) {
        Ok(asked) => asked,
        Err(error) => return malformed(error, shared),
    };
    let served =
        shared.serve(|server| server.handle_announce(Instant::now(), from, &announce, Via::Http));
    match served {
        Ok(reply) => write_reply(&reply, form),
        Err(refusal) => write_failure(&refusal.to_string()),
    }
}

fn scrape(query: &str, shared: &Shared) -> Vec<u8> {
    match parse_scrape_query(query) {
        // Threat: everything would be a way to list what is shared here, and much work.
        Ok(hashes) if hashes.is_empty() => malformed(QueryError::Missing("info_hash"), shared),
        Ok(mut hashes) => {
            hashes.sort_unstable();
            hashes.dedup();
            let counts = shared.serve(|server| server.handle_scrape(&hashes, Via::Http));
            let torrents: Vec<(InfoHash, ScrapeReply)> = hashes.into_iter().zip(counts).collect();
            write_scrape(&torrents)
        }
        Err(error) => malformed(error, shared),
    }
}

fn malformed(error: QueryError, shared: &Shared) -> Vec<u8> {
    shared.serve(|server| server.note_malformed());
    write_failure(&error.to_string())
}

fn response(
    status: StatusCode,
    kind: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
