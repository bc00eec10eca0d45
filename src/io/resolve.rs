//! Names to addresses, off the machines' way: a resolver that hangs delays nobody else.
//!
//! The system's resolver cannot be called off: what it is asked holds a thread until its servers have been
//! silent for long enough, half a minute with usual settings (reliability.md N13). Invariant: at most
//! [`MAX_RUNNING`] such threads, so that the disk, which has its threads from the same pool, never waits.

use std::net::ToSocketAddrs;
use std::time::Duration;

use bencode::Endpoint;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// How long one name may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Addresses used of one name (reliability.md N13: resolvers may answer with a thousand).
const MAX_ADDRESSES: usize = 16;

/// Names that are looked up at once, those that nobody waits for any more included.
const MAX_RUNNING: usize = 64;

static RUNNING: Semaphore = Semaphore::const_new(MAX_RUNNING);

/// Resolves `HOST:PORT`; an address needs no resolver. Empty when the name does not resolve in time.
pub async fn resolve(host_port: &str) -> Vec<Endpoint> {
    if let Ok(endpoint) = host_port.parse::<Endpoint>() {
        return vec![endpoint];
    }
    let host_port = host_port.to_owned();
    let asked = async {
        let permit = RUNNING.acquire().await.ok()?;
        let call = spawn_blocking(move || {
            let found = host_port.to_socket_addrs();
            drop(permit);
            found
        });
        call.await.ok()?.ok()
    };
    match timeout(RESOLVE_TIMEOUT, asked).await {
        Ok(Some(addresses)) => addresses.take(MAX_ADDRESSES).map(Endpoint::from).collect(),
        _ => Vec::new(),
    }
}
