//! A tiny HTTP server for one text: what a scraper of metrics asks for, and nothing more.
//!
//! One request a connection. Threat: whoever reaches the port may be slow or send much, so heads,
//! times and connections are bounded; nothing that was sent is ever sent back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Longest request head.
const MAX_HEAD: usize = 4096;

/// Connections served at once; more wait in the kernel.
const MAX_CONNECTIONS: usize = 16;

/// How long one connection may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// After a failed accept (no file descriptors left): it would fail again at once.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound listener that serves nothing yet.
#[derive(Debug)]
pub struct TextServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl TextServer {
    /// Binds `address`; port 0 takes any.
    ///
    /// # Errors
    /// As `bind(2)`.
    pub async fn bind(address: SocketAddr) -> io::Result<TextServer> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(TextServer { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves what `text` gives at `path`, anew for every request, until dropped. `None` is a 503.
    pub async fn run<F, T>(self, path: &'static str, text: F)
    where
        F: Fn() -> T + Clone + Send + 'static,
        T: Future<Output = Option<String>> + Send,
    {
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // It is never closed, so there is no error.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = self.listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let text = text.clone();
            tokio::spawn(async move {
                // Whoever is too slow, or gone, gets no answer.
                let _ = timeout(DEADLINE, answer(stream, path, text)).await;
                drop(place);
            });
        }
    }
}

async fn answer<F, T>(mut stream: TcpStream, path: &str, text: F) -> io::Result<()>
where
    F: Fn() -> T,
    T: Future<Output = Option<String>>,
{
    let head = read_head(&mut stream).await?;
    let (status, body) = match wanted(&head, path) {
        Wanted::Text => match text().await {
            Some(body) => ("200 OK", body),
            None => ("503 Service Unavailable", "ended\n".to_owned()),
        },
        Wanted::Other => ("404 Not Found", format!("see {path}\n")),
        Wanted::Change => ("405 Method Not Allowed", "GET only\n".to_owned()),
        Wanted::Nonsense => ("400 Bad Request", "no HTTP request\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// Reads up to the empty line, or as much as a head may have.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut part = [0; 512];
    while head.len() < MAX_HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part).await? {
            0 => break,
            count => head.extend_from_slice(part.get(..count).unwrap_or_default()),
        }
    }
    Ok(head)
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Text,
    Other,
    Change,
    Nonsense,
}

fn wanted(head: &[u8], path: &str) -> Wanted {
    let complete = head.windows(4).any(|end| end == b"\r\n\r\n");
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if !complete || !version.is_some_and(|version| version.starts_with(b"HTTP/1.")) {
        return Wanted::Nonsense;
    }
    let target = target.and_then(|target| target.split(|byte| *byte == b'?').next());
    match (method, target) {
        (Some(b"GET"), Some(target)) if target == path.as_bytes() => Wanted::Text,
        (Some(b"GET"), _) => Wanted::Other,
        _ => Wanted::Change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_requests_for_the_path_get_the_text() {
        for (head, expected) in [
            (
                &b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[..],
                Wanted::Text,
            ),
            (b"GET /metrics?x HTTP/1.0\r\n\r\n", Wanted::Text),
            (b"GET / HTTP/1.1\r\n\r\n", Wanted::Other),
            (b"POST /metrics HTTP/1.1\r\n\r\n", Wanted::Change),
            (b"GET /metrics HTTP/1.1\r\n", Wanted::Nonsense),
            (b"GET /metrics\r\n\r\n", Wanted::Nonsense),
            (b"\x16\x03\x01", Wanted::Nonsense),
            (b"", Wanted::Nonsense),
        ] {
            assert_eq!(wanted(head, "/metrics"), expected, "{head:?}");
        }
    }

    async fn ask(request: &[u8]) -> String {
        let server = TextServer::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("a port");
        let address = server.address();
        let serving = tokio::spawn(server.run("/metrics", async || Some("x 1\n".to_owned())));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request).await.expect("written");
        let mut said = Vec::new();
        // The end may be a reset when more was sent than is read.
        let _ = stream.read_to_end(&mut said).await;
        serving.abort();
        String::from_utf8(said).expect("text")
    }

    #[tokio::test]
    async fn a_scraper_gets_the_text_and_an_endless_head_an_error() {
        let said = ask(b"GET /metrics HTTP/1.1\r\n\r\n").await;
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
        assert!(said.ends_with("Content-Length: 4\r\nConnection: close\r\n\r\nx 1\n"));
        let said = ask(&[b'a'; MAX_HEAD]).await;
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    }
}
