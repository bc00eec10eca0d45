//! Names to addresses, off the machines' way: a resolver that hangs delays nobody else.

use std::time::Duration;

use bencode::Endpoint;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long one name may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses used of one name (reliability.md N13: resolvers may answer with a thousand).
const MAX_ADDRESSES: usize = 16;

/// Resolves `HOST:PORT`; an address needs no resolver. Empty when the name does not resolve in time.
pub async fn resolve(host_port: &str) -> Vec<Endpoint> {
    if let Ok(endpoint) = host_port.parse::<Endpoint>() {
        return vec![endpoint];
    }
    match timeout(RESOLVE_TIMEOUT, lookup_host(host_port)).await {
        Ok(Ok(addresses)) => addresses.take(MAX_ADDRESSES).map(Endpoint::from).collect(),
        _ => Vec::new(),
    }
}
