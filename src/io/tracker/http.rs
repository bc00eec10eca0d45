//! HTTP and HTTPS trackers (BEP 3): one GET, redirects followed by hand so that each is checked like
//! the first URL.
//!
//! Threat: a tracker may send without end, or a little that unpacks to much, or slowly: what is read is
//! bounded after unpacking by [`MAX_BODY`], in time by [`DEADLINE`]. Certificates are always checked,
//! against those that the system trusts. No proxy, no cookies, no referrer.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Client, Response, StatusCode, redirect};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::time::timeout;

use super::asker::{Asker, of_io};
use crate::io::sockets::Bind;
use crate::tracker::http::parse_reply;
use crate::tracker::{Failure, TrackerUrl};

/// Longest body after unpacking; as bencode's limit for it.
const MAX_BODY: usize = 1 << 20;

/// Redirects followed for one question.
const MAX_REDIRECTS: usize = 3;

/// Until a connection stands, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// For everything together.
const DEADLINE: Duration = Duration::from_secs(20);

/// What the tracker sends for this query, as `read` takes it; `addresses` are those of the URL's host.
///
/// # Errors
/// Whatever keeps the tracker from answering with a body that can be read.
pub(super) async fn fetch<T>(
    asker: &Asker,
    url: &TrackerUrl,
    query: &str,
    addresses: Vec<SocketAddr>,
    read: impl Fn(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let page = timeout(DEADLINE, follow(asker, url, query, addresses))
        .await
        .unwrap_or(Err(Failure::Silent))?;
    let kind = page.kind.as_ref().map(HeaderValue::as_bytes);
    read(&page.body).map_err(|failure| failure.of_kind(kind))
}

/// What came with status 200.
struct Page {
    body: Vec<u8>,
    kind: Option<HeaderValue>,
}

async fn follow(
    asker: &Asker,
    url: &TrackerUrl,
    query: &str,
    mut addresses: Vec<SocketAddr>,
) -> Result<Page, Failure> {
    let is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let mut at = url.clone();
    let mut asked = url.with_query(query);
    for _ in 0..=MAX_REDIRECTS {
        let client = client(asker, &at, std::mem::take(&mut addresses))?;
        let response = client
            .get(&asked)
            .send()
            .await
            .map_err(|error| failure(&error))?;
        let status = response.status();
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok());
        if let Some(location) = location.filter(|_| status.is_redirection()) {
            at = at.redirect(location)?;
            asked = at.to_string();
            addresses = asker.addresses(&at).await?;
            addresses.retain(|address| address.is_ipv4() == is_v4);
            if addresses.is_empty() {
                return Err(Failure::Unreachable);
            }
            continue;
        }
        let kind = response.headers().get(CONTENT_TYPE).cloned();
        let body = body(response).await?;
        return match status {
            StatusCode::OK => Ok(Page { body, kind }),
            // Some trackers give their reason with an error status.
            _ => match parse_reply(&body) {
                Err(Failure::Reason(reason)) => Err(Failure::Reason(reason)),
                _ => Err(Failure::Status(status.as_u16())),
            },
        };
    }
    Err(Failure::Redirect("in circles"))
}

async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let announced = response.content_length().unwrap_or(0);
    if announced > MAX_BODY as u64 {
        return Err(Failure::TooLong);
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + part.len() > MAX_BODY {
            return Err(Failure::TooLong);
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// A client for one request to exactly these addresses. Trackers are asked twice an hour: there is no
/// connection worth keeping.
fn client(asker: &Asker, url: &TrackerUrl, addresses: Vec<SocketAddr>) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .user_agent(concat!("trackless/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(0)
        .dns_resolver(Pinned(addresses))
        .tls_backend_preconfigured(tls(asker, url)?);
    match &asker.bind {
        Bind::Everywhere => {}
        Bind::Address(ip) => builder = builder.local_address(*ip),
        #[cfg(target_os = "linux")]
        Bind::Interface(name) => builder = builder.interface(name),
        // There are no sockets at all then.
        #[cfg(not(target_os = "linux"))]
        Bind::Interface(_) => return Err(Failure::Unreachable),
    }
    builder
        .build()
        .map_err(|error| Failure::System(error.to_string()))
}

/// The system's trust, read when it is first needed; an http tracker needs none.
fn tls(asker: &Asker, url: &TrackerUrl) -> Result<rustls::ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::System(error.to_string()))?;
    if url.scheme() != crate::tracker::Scheme::Https {
        let nobody = rustls::RootCertStore::empty();
        return Ok(builder.with_root_certificates(nobody).with_no_client_auth());
    }
    let trusting = || match builder.with_platform_verifier() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(error) => Err(Failure::Certificate(error.to_string())),
    };
    asker.tls.get_or_init(trusting).clone()
}

/// A resolver that knows one answer, whatever the name: the addresses that were checked.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// What a failed request says about the tracker: the innermost cause that is known.
fn failure(error: &reqwest::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut system = None;
    while let Some(error) = cause {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Failure::Certificate(tls.to_string());
        }
        cause = match error.downcast_ref::<io::Error>() {
            Some(io) => {
                system = Some(of_io(io));
                // TLS errors travel inside: `source` would skip the first of them.
                io.get_ref()
                    .map(|inner| inner as &(dyn Error + 'static))
                    .or(error.source())
            }
            None => error.source(),
        };
    }
    match system {
        Some(failure) => failure,
        None if error.is_timeout() => Failure::Silent,
        None if error.is_connect() => Failure::System(error.to_string()),
        None => Failure::BrokenOff,
    }
}
