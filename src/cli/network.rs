//! From a command's network plan to a running client.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bencode::Family;
use dht::Role;

use super::exit::Failure;
use super::hosts;
use super::plan::{Families, NetworkPlan};
use crate::io::{self, Client, ClientConfig, Dht, Grant, LocalDiscovery, Port};

/// How long calls of the operating system that nobody waits for may hold up the end: a resolver whose
/// servers are silent takes half a minute.
const LEFT_BEHIND: Duration = Duration::from_millis(500);

/// Runs a command's future on a runtime of one thread: peers, torrents and the DHT share it, and
/// hashing and files have threads of their own.
///
/// # Errors
/// The future's; or that the system gives no runtime.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("the network cannot be used", &error))?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(LEFT_BEHIND);
    result
}

/// Gives up the right to touch any file but those of `folders` and of the state folder, unless the plan says otherwise.
/// To be called before [`block_on`], so that every thread is bound. What the kernel cannot do is logged: the client works
/// all the same.
///
/// # Errors
/// The state folder cannot be made.
pub(super) fn confine(plan: &NetworkPlan, folders: Vec<Grant>) -> Result<(), Failure> {
    if plan.confine.is_on() {
        // Granted is what exists: without this the folder above it would be.
        std::fs::create_dir_all(&plan.state_dir).map_err(|error| {
            let what = format!("{} cannot be made", plan.state_dir.display());
            Failure::io(what, &error)
        })?;
        confine_to(
            folders
                .into_iter()
                .chain([Grant::Write(plan.state_dir.clone())]),
        );
    }
    Ok(())
}

/// Gives up the right to touch any file but those of `folders`.
pub(super) fn confine_to(folders: impl IntoIterator<Item = Grant>) {
    let folders: Vec<Grant> = folders.into_iter().collect();
    match io::confine(&folders) {
        Ok(how) => tracing::info!(?how, ?folders, "confined"),
        Err(error) => tracing::warn!(%error, "not confined"),
    }
}

/// The folder that a file lies in, or will.
pub(super) fn folder_of(file: &Path) -> PathBuf {
    let above = file.parent().filter(|above| !above.as_os_str().is_empty());
    above.unwrap_or(Path::new(".")).to_owned()
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
