//! The client: one DHT node, one listening port, any number of torrents. This is what a program
//! that embeds trackless starts; the command line is one such program.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use trackless::io::{Client, ClientConfig};
//!
//! let client = Client::start(ClientConfig::default()).await?;
//! println!("listening on port {}", client.port());
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Cidr, Endpoint, Family};
use dht::{Families, Node, Role};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::dht::{self as dht_task, DhtHandle, DhtStatus};
use super::entropy;
use super::input::Input;
use super::listen::{self, Registration};
use super::resolve::resolve;
use super::sockets::{self, Bind, Port};
use super::status::{Destination, Select, Status, TorrentEvent};
use super::torrent::{Driver, INPUTS, Surroundings};
use crate::metainfo::{Info, InfoHash};
use crate::storage::{DhtState, load_dht_state, save_dht_state};
use crate::swarm::{PeerSource, Settings, Torrent};
use crate::wire::PeerId;

/// Hosts asked for first contacts when the user names none: of seven operators, one of them for IPv6,
/// because nearly all of them have been silent for months before (dht.md §4.15).
pub const BOOTSTRAP: [&str; 7] = [
    "router.bittorrent.com:6881",
    "dht.libtorrent.org:25401",
    "dht.transmissionbt.com:6881",
    "dht.aelitis.com:6881",
    "router.silotis.us:6881",
    "relay.pkarr.org:6881",
    "dht.anacrolix.link:42069",
];

/// While nobody has answered, names are resolved again after this time, doubling…
const RESOLVE_AGAIN: Duration = Duration::from_secs(5);

/// … up to this.
const RESOLVE_AGAIN_MAX: Duration = Duration::from_secs(300);

/// Saved contacts have so long to answer before bootstrap hosts are asked too.
const SAVED_FIRST: Duration = Duration::from_secs(3);

/// After so long without trouble, the next one is met without delay.
const CALM: Duration = Duration::from_secs(600);

/// How often contacts are saved while running; they are saved at the end too.
const SAVE_INTERVAL: Duration = Duration::from_secs(300);

/// Events of one torrent that may wait for its owner.
const EVENTS: usize = 256;

/// Torrents that may come and go at once.
const REGISTRATIONS: usize = 64;

/// Whether to take part in the DHT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dht {
    /// Join it.
    #[default]
    On,
    /// Stay silent.
    Off,
}

/// How a client is started.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What every socket is bound to.
    pub bind: Bind,
    /// The port for TCP and UDP.
    pub port: Port,
    /// Address families to use, those of them that work.
    pub families: Vec<Family>,
    /// Whether to join the DHT.
    pub dht: Dht,
    /// Whether our node answers others; short runs had better not enter their tables (BEP 43).
    pub role: Role,
    /// How many queries our node answers, whoever asks.
    pub allowance: dht::Allowance,
    /// `HOST:PORT` of nodes to ask first.
    pub bootstrap: Vec<String>,
    /// Special ranges whose peers and nodes are accepted.
    pub allowed: Vec<Cidr>,
    /// Folder for contacts and resume state; `None`: nothing is kept.
    pub state: Option<PathBuf>,
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig {
            bind: Bind::default(),
            port: Port::default(),
            families: vec![Family::V4, Family::V6],
            dht: Dht::default(),
            role: Role::default(),
            allowance: dht::Allowance::default(),
            bootstrap: BOOTSTRAP.map(String::from).to_vec(),
            allowed: Vec::new(),
            state: None,
        }
    }
}

/// What is known of a torrent when it is added.
pub enum Source {
    /// Only its name; the rest is asked of its peers.
    Hash(InfoHash),
    /// Its files too.
    Info(Arc<Info>),
}

/// A torrent to add.
pub struct TorrentSpec {
    /// What is known.
    pub source: Source,
    /// Where its data goes.
    pub destination: Destination,
    /// Which pieces are wanted, decided once the files are known; `None`: all.
    pub select: Option<Select>,
    /// Peers known from elsewhere: `HOST:PORT`, tried first.
    pub peers: Vec<String>,
    /// Rates, order, mode. `our_id`, `listen_port` and `policy` are filled in by the client.
    pub settings: Settings,
}

/// A running client. Dropping it ends the tasks at their next step; [`Client::shutdown`] waits.
pub struct Client {
    bind: Bind,
    port: u16,
    policy: AddressPolicy,
    peer_id: PeerId,
    dht: Option<DhtHandle>,
    registrations: mpsc::Sender<Registration>,
    state: Option<PathBuf>,
    background: JoinSet<()>,
}

impl Client {
    /// Binds the port, starts to listen and to join the DHT.
    ///
    /// # Errors
    /// When the port or address cannot be bound, or the system has no randomness.
    pub async fn start(config: ClientConfig) -> io::Result<Client> {
        let sockets = sockets::open(&config.bind, config.port, &config.families)?;
        let mut policy = AddressPolicy::new(config.allowed.clone());
        if let Bind::Address(ip) = config.bind {
            policy.allow_range_of(ip);
            policy.add_own(Endpoint {
                ip,
                port: sockets.port,
            });
        }
        let (mut tcp, mut udp) = (Vec::new(), [None, None]);
        for (slot, pair) in udp.iter_mut().zip([sockets.v4, sockets.v6]) {
            if let Some(pair) = pair {
                tcp.push(pair.tcp);
                *slot = Some(pair.udp);
            }
        }
        let mut background = JoinSet::new();
        let (registrations, queue) = mpsc::channel(REGISTRATIONS);
        background.spawn(listen::run(tcp, queue));
        let dht = match config.dht {
            Dht::On => {
                let [v4, v6] = udp;
                let saved = config
                    .state
                    .as_deref()
                    .map(load_dht_state)
                    .unwrap_or_default();
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
                        policy: policy.clone(),
                        allowance: config.allowance,
                        ..dht::Config::default()
                    },
                    entropy::seed()?,
                    Instant::now(),
                );
                let handle = dht_task::start(node, v4, v6);
                background.spawn(keep_joined(
                    handle.clone(),
                    saved.contacts,
                    config.bootstrap,
                ));
                if let Some(folder) = config.state.clone() {
                    background.spawn(keep_saved(handle.clone(), folder));
                }
                Some(handle)
            }
            Dht::Off => None,
        };
        Ok(Client {
            bind: config.bind,
            port: sockets.port,
            policy,
            peer_id: PeerId::generate(&mut ChaCha8Rng::from_seed(entropy::seed()?)),
            dht,
            registrations,
            state: config.state,
            background,
        })
    }

    /// The port for TCP and UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The DHT, unless it is off.
    pub fn dht(&self) -> Option<&DhtHandle> {
        self.dht.as_ref()
    }

    /// Starts a torrent.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub async fn add(&self, spec: TorrentSpec) -> io::Result<TorrentHandle> {
        let started = Instant::now();
        let settings = Settings {
            our_id: self.peer_id,
            listen_port: Some(self.port),
            policy: self.policy.clone(),
            ..spec.settings
        };
        let seed = entropy::seed()?;
        let (info_hash, torrent) = match spec.source {
            Source::Hash(hash) => (hash, Torrent::from_hash(hash, settings, seed, started)),
            Source::Info(info) => (
                info.info_hash(),
                Torrent::from_info(info, settings, seed, started),
            ),
        };
        let (to_self, inputs) = mpsc::channel(INPUTS);
        let (events, heard) = mpsc::channel(EVENTS);
        let (status, watched) = watch::channel(Status::initial(torrent.snapshot(started)));
        let driver = Driver {
            info_hash,
            torrent,
            destination: spec.destination,
            select: spec.select,
            surroundings: Surroundings {
                bind: self.bind.clone(),
                dht: self.dht.clone(),
                port: self.port,
            },
            to_self: to_self.clone(),
            events,
            status,
            started,
        };
        let _ = self
            .registrations
            .send(Registration::Add(info_hash, to_self.clone()))
            .await;
        tokio::spawn(driver.run(inputs));
        for peer in spec.peers {
            let torrent = to_self.clone();
            tokio::spawn(async move {
                let found = resolve(&peer).await;
                let _ = torrent.send(Input::Add(PeerSource::Manual, found)).await;
            });
        }
        Ok(TorrentHandle {
            info_hash,
            inputs: to_self,
            events: heard,
            status: watched,
            registrations: self.registrations.clone(),
        })
    }

    /// Saves the DHT's contacts and ends every task of the client. Torrents are stopped by their
    /// handles.
    pub async fn shutdown(mut self) {
        if let (Some(dht), Some(folder)) = (&self.dht, &self.state) {
            save(dht, folder).await;
        }
        self.background.shutdown().await;
    }
}

/// The owner's end of a torrent.
pub struct TorrentHandle {
    info_hash: InfoHash,
    inputs: mpsc::Sender<Input>,
    events: mpsc::Receiver<TorrentEvent>,
    status: watch::Receiver<Status>,
    registrations: mpsc::Sender<Registration>,
}

impl TorrentHandle {
    /// Which torrent.
    pub fn info_hash(&self) -> InfoHash {
        self.info_hash
    }

    /// The next event; `None` when the torrent has ended.
    pub async fn event(&mut self) -> Option<TorrentEvent> {
        self.events.recv().await
    }

    /// The state as of the last fifth of a second.
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// More peers to try.
    pub async fn add_peers(&self, peers: Vec<SocketAddr>) {
        let peers = peers.into_iter().map(Endpoint::from).collect();
        let _ = self
            .inputs
            .send(Input::Add(PeerSource::Manual, peers))
            .await;
    }

    /// Says goodbye to the peers and makes everything durable; returns the last state.
    pub async fn stop(self) -> Status {
        let (done, stopped) = oneshot::channel();
        let _ = self
            .registrations
            .send(Registration::Remove(self.info_hash))
            .await;
        if self.inputs.send(Input::Stop(done)).await.is_ok() {
            // An error means that the task has ended already.
            let _ = stopped.await;
        }
        self.status.borrow().clone()
    }
}

/// Asks saved contacts; and bootstrap hosts, whose names are resolved anew, when nobody else answers.
async fn keep_joined(dht: DhtHandle, saved: Vec<Endpoint>, bootstrap: Vec<String>) {
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
            while let Some(found) = names.join_next().await {
                dht.join(found.unwrap_or_default()).await;
            }
            sleep(pause).await;
            pause = (pause * 2).min(RESOLVE_AGAIN_MAX);
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

async fn save(dht: &DhtHandle, folder: &std::path::Path) {
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
