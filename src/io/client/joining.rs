//! How the client's node comes into the DHT and stays there: saved contacts first, then bootstrap hosts, whose
//! names are resolved anew while nobody else answers; contacts saved for the next start.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Endpoint};
use dht::{Families, Node};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ClientConfig;
use crate::io::dht::{self as dht_task, DhtHandle, DhtStatus};
use crate::io::entropy;
use crate::io::network::Network;
use crate::io::resolve::resolve;
use crate::storage::{DhtState, load_dht_state, save_dht_state};

/// While nobody has answered, names are resolved again after this time, doubling…
const RESOLVE_AGAIN: Duration = Duration::from_secs(5);

/// … up to this, …
const RESOLVE_AGAIN_MAX: Duration = Duration::from_secs(300);

/// … or this while no name has an address: that is most likely our line, and asks nobody but our resolver.
const NO_NAMES: Duration = Duration::from_secs(20);

/// Saved contacts have so long to answer before bootstrap hosts are asked too.
const SAVED_FIRST: Duration = Duration::from_secs(3);

/// After so long without trouble, the next one is met without delay.
const CALM: Duration = Duration::from_secs(600);

/// How often contacts are saved while running; they are saved at the end too.
const SAVE_INTERVAL: Duration = Duration::from_secs(300);

/// Starts our node and whatever keeps it among others.
pub(super) fn join(
    config: &ClientConfig,
    policy: AddressPolicy,
    [v4, v6]: [Option<UdpSocket>; 2],
    network: &Network,
    background: &mut JoinSet<()>,
) -> io::Result<DhtHandle> {
    let folder = config.state.as_deref();
    let saved = folder.map(load_dht_state).unwrap_or_default();
    let families = match (&v4, &v6) {
        (Some(_), None) => Families::V4,
        (None, Some(_)) => Families::V6,
        _ => Families::Both,
    };
    let node = Node::new(
        dht::Config {
            id: saved.id.map(dht::Id::from),
            identity: dht::Identity::ByAddress,
            families,
            role: config.role,
            policy,
            allowance: config.allowance,
            ..dht::Config::default()
        },
        entropy::seed()?,
        Instant::now(),
    );
    let handle = dht_task::start(node, v4, v6);
    let bootstrap = config.bootstrap.clone();
    let (joining, mut moved) = (handle.clone(), network.view());
    background.spawn(keep_joined(
        joining,
        saved.contacts,
        bootstrap,
        network.view(),
    ));
    let told = handle.clone();
    background.spawn(async move {
        loop {
            moved.changed().await;
            told.network_changed().await;
        }
    });
    if let Some(folder) = config.state.clone() {
        background.spawn(keep_saved(handle.clone(), folder));
    }
    Ok(handle)
}

/// Asks saved contacts; and bootstrap hosts, whose names are resolved anew, when nobody else answers.
async fn keep_joined(
    dht: DhtHandle,
    saved: Vec<Endpoint>,
    bootstrap: Vec<String>,
    mut network: Network,
) {
    let mut status = dht.status();
    let knows_some = !saved.is_empty();
    dht.join(saved).await;
    if knows_some {
        // A living table of last time needs no bootstrap host at all.
        let answered = status.wait_for(|status| status.first_node.is_some());
        if let Ok(Err(_)) = timeout(SAVED_FIRST, answered).await {
            return;
        }
    }
    let mut pause = RESOLVE_AGAIN;
    let mut heeded = 0;
    loop {
        let known = status.borrow_and_update().clone();
        let alone = |status: &DhtStatus| status.nodes == 0 || status.appeals > known.appeals;
        if known.nodes == 0 || known.appeals > heeded {
            heeded = known.appeals;
            let mut names: JoinSet<Vec<Endpoint>> = bootstrap
                .iter()
                .cloned()
                .map(|host| async move { resolve(&host).await })
                .collect();
            let mut named = 0;
            while let Some(found) = names.join_next().await {
                let found = found.unwrap_or_default();
                named += found.len();
                dht.join(found).await;
            }
            let wait = if named == 0 {
                pause.min(NO_NAMES)
            } else {
                pause
            };
            tokio::select! {
                () = sleep(wait) => pause = (pause * 2).min(RESOLVE_AGAIN_MAX),
                () = network.changed() => pause = RESOLVE_AGAIN,
            }
        }
        // The node keeps asking the addresses it was given; names matter again once it is alone.
        match timeout(CALM, status.wait_for(alone)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => return,
            Err(_) => pause = RESOLVE_AGAIN,
        }
    }
}

async fn keep_saved(dht: DhtHandle, folder: PathBuf) {
    loop {
        sleep(SAVE_INTERVAL).await;
        save(&dht, &folder).await;
    }
}

pub(super) async fn save(dht: &DhtHandle, folder: &std::path::Path) {
    let Some(view) = dht.view().await else { return };
    if view.contacts.is_empty() {
        // A start without network must not forget what earlier ones knew.
        return;
    }
    let state = DhtState {
        id: Some(*view.id.as_bytes()),
        contacts: view.contacts,
    };
    if let Err(error) = save_dht_state(folder, &state) {
        tracing::warn!(%error, "the DHT's contacts could not be saved");
    }
}
