//! From a command's network plan to a running client.

use std::sync::Arc;

use bencode::Family;
use dht::Role;

use super::exit::Failure;
use super::hosts;
use super::plan::{Families, NetworkPlan};
use crate::io::{self, Client, ClientConfig, Dht, LocalDiscovery, Port};

/// Runs a command's future on a runtime of one thread: peers, torrents and the DHT share it, and
/// hashing and files have threads of their own.
///
/// # Errors
/// The future's; or that the system gives no runtime.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("the network cannot be used", &error))?
        .block_on(work)
}

/// Starts a client as the plan says.
///
/// # Errors
/// A port or address that cannot be bound.
pub(super) async fn start(plan: &NetworkPlan) -> Result<Client, Failure> {
    start_as(plan, Role::Full).await
}

/// The same, with this part in the DHT.
///
/// # Errors
/// A port or address that cannot be bound.
pub(super) async fn start_as(plan: &NetworkPlan, role: Role) -> Result<Client, Failure> {
    let config = config(plan, role);
    let port = config.port;
    Client::start(config).await.map_err(|error| {
        let failure = Failure::io("the network cannot be opened", &error);
        match (error.kind(), port) {
            (std::io::ErrorKind::AddrInUse, Port::Fixed(port)) => Failure {
                message: format!("port {port} is taken"),
                ..failure
            }
            .hint("another client may be running; `--port 0` takes any free port"),
            _ => failure,
        }
    })
}

/// Ends a client whose torrents have ended.
pub(super) async fn stop(client: Arc<Client>) {
    // Somebody else who still holds it would be a bug; the process ends anyway.
    if let Some(client) = Arc::into_inner(client) {
        client.shutdown().await;
    }
}

/// The client's configuration for a plan.
fn config(plan: &NetworkPlan, role: Role) -> ClientConfig {
    ClientConfig {
        bind: bind(plan),
        port: match plan.port {
            0 => Port::Any,
            port => Port::Fixed(port),
        },
        families: match plan.families {
            Families::Both => vec![Family::V4, Family::V6],
            Families::V4 => vec![Family::V4],
            Families::V6 => vec![Family::V6],
        },
        dht: if plan.dht.is_on() { Dht::On } else { Dht::Off },
        lsd: if plan.lsd.is_on() {
            LocalDiscovery::On
        } else {
            LocalDiscovery::Off
        },
        role,
        bootstrap: plan.bootstrap.iter().map(ToString::to_string).collect(),
        allowed: plan.allowed.clone(),
        state: Some(plan.state_dir.clone()),
        ..ClientConfig::default()
    }
}

/// What the plan's sockets are bound to.
pub(super) fn bind(plan: &NetworkPlan) -> io::Bind {
    match &plan.bind {
        None => io::Bind::Everywhere,
        Some(hosts::Bind::Address(address)) => io::Bind::Address(*address),
        Some(hosts::Bind::Interface(name)) => io::Bind::Interface(name.clone()),
    }
}
