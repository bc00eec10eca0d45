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

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bencode::{AddressPolicy, Cidr, Endpoint, Family};
use dht::Role;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::descriptors::{Counters, Descriptors};
use super::dht::DhtHandle;
use super::dialler::Dialler;
use super::entropy;
use super::host_cache::HostCache;
use super::input::Input;
use super::listen::{self, Registration};
use super::lsd::{self, LocalDiscovery, LsdHandle};
use super::network::Network;
use super::resolve::resolve;
use super::sockets::{self, Bind, Port};
use super::status::{Destination, Privacy, Select, Status, TorrentEvent};
use super::torrent::{Announcing, Driver, INPUTS, Surroundings};
use super::tracker::{self, Asker, FAREWELL, Guest, Trackers};
use crate::metainfo::{Info, InfoHash};
use crate::swarm::{Mode, PeerSource, Reasons, Settings, Torrent};
use crate::tracker::{Failure, Reach, ScrapeReply, TrackerStatus, TrackerUrl};
use crate::wire::PeerId;

mod joining;
mod panics;

use joining::{join, save};
use panics::Survivor;

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

/// Events of one torrent that may wait for its owner.
const EVENTS: usize = 256;

/// Seeds with DHT lookups of their own; further ones are announced in the node's rounds, at a pace that
/// a home router bears however many they are.
const FEW_SEEDS: usize = 5;

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
    /// Whether to find peers in the local network.
    pub lsd: LocalDiscovery,
    /// Whether our node answers others; short runs had better not enter their tables (BEP 43).
    pub role: Role,
    /// How many queries our node answers, whoever asks.
    pub allowance: dht::Allowance,
    /// `HOST:PORT` of nodes to ask first.
    pub bootstrap: Vec<String>,
    /// How many of a torrent's trackers are asked when all is well.
    pub reach: Reach,
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
            lsd: LocalDiscovery::default(),
            role: Role::default(),
            allowance: dht::Allowance::default(),
            bootstrap: BOOTSTRAP.map(String::from).to_vec(),
            reach: Reach::default(),
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

impl Source {
    fn torrent(
        self,
        settings: Settings,
        seed: [u8; 32],
        now: Instant,
    ) -> (InfoHash, Privacy, Torrent) {
        match self {
            Source::Hash(hash) => {
                let torrent = Torrent::from_hash(hash, settings, seed, now);
                (hash, Privacy::Unknown, torrent)
            }
            Source::Info(info) => {
                let (hash, privacy) = (info.info_hash(), Privacy::of(&info));
                (hash, privacy, Torrent::from_info(info, settings, seed, now))
            }
        }
    }
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
    /// Tiers of tracker URLs (BEP 12), asked beside the DHT; empty: none is.
    pub trackers: Vec<Vec<String>>,
    /// Rates, order, mode. `our_id`, `listen_port` and `policy` are filled in by the client.
    pub settings: Settings,
}

/// A running client. Dropping it ends the tasks at their next step; [`Client::shutdown`] waits.
pub struct Client {
    dialler: Dialler,
    turned_away: Counters,
    port: u16,
    policy: AddressPolicy,
    peer_id: PeerId,
    dht: Option<DhtHandle>,
    lsd: Option<LsdHandle>,
    /// Held by each torrent that is run to seed.
    seeds: Arc<()>,
    registrations: mpsc::Sender<Registration>,
    asker: Arc<Asker>,
    reach: Reach,
    /// One end for every torrent with trackers, until its goodbyes are said; the other to wait for them.
    farewells: (mpsc::Sender<Infallible>, mpsc::Receiver<Infallible>),
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
        let policy = policy(&config, sockets.port);
        let (mut tcp, mut udp) = (Vec::new(), [None, None]);
        for (slot, pair) in udp.iter_mut().zip([sockets.v4, sockets.v6]) {
            if let Some(pair) = pair {
                tcp.push(pair.tcp);
                *slot = Some(pair.udp);
            }
        }
        let lsd = match config.lsd {
            LocalDiscovery::On => {
                let families = [Family::V4, Family::V6].into_iter().zip(&udp);
                let works = families.filter(|(_, socket)| socket.is_some());
                let families = works.map(|(family, _)| family).collect();
                let seed = entropy::seed()?;
                let bind = config.bind.clone();
                Some(lsd::start(bind, families, sockets.port, seed))
            }
            LocalDiscovery::Off => None,
        };
        let mut background = JoinSet::new();
        let network = Network::watch(config.bind.clone(), &mut background);
        let (registrations, queue) = mpsc::channel(REGISTRATIONS);
        let descriptors = Descriptors::of_process();
        let turned_away = Counters::default();
        let unfinished = descriptors.unfinished.clone();
        background.spawn(listen::run(tcp, queue, unfinished, turned_away.clone()));
        let dht = match config.dht {
            Dht::On => {
                let policy = policy.clone();
                Some(join(&config, policy, udp, &network, &mut background)?)
            }
            Dht::Off => None,
        };
        let asker = Asker::new(config.bind.clone(), config.families, policy.clone());
        Ok(Client {
            dialler: Dialler::new(config.bind, network, descriptors),
            turned_away,
            port: sockets.port,
            policy,
            peer_id: PeerId::generate(&mut ChaCha8Rng::from_seed(entropy::seed()?)),
            dht,
            lsd,
            seeds: Arc::default(),
            registrations,
            asker: Arc::new(asker),
            reach: config.reach,
            farewells: mpsc::channel(1),
            state: config.state,
            background,
        })
    }

    /// The port for TCP and UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whom the listener turned away before a torrent heard of it, and why.
    pub fn turned_away(&self) -> Reasons {
        self.turned_away.read()
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
        let holds = (settings.mode == Mode::Seed).then(|| Arc::clone(&self.seeds));
        // The client holds one too.
        let announcing = match Arc::strong_count(&self.seeds) - 1 {
            seeds if holds.is_some() && seeds > FEW_SEEDS => Announcing::Rounds,
            _ => Announcing::Lookups,
        };
        let (info_hash, privacy, torrent) = spec.source.torrent(settings, seed, started);
        // BEP 27: neighbours are no trackers.
        let lsd = self.lsd.clone().filter(|_| privacy != Privacy::Private);
        let (to_self, inputs) = mpsc::channel(INPUTS);
        let (events, heard) = mpsc::channel(EVENTS);
        let (status, watched) = watch::channel(Status::initial(torrent.snapshot(started), privacy));
        let cache = match self.state.clone() {
            Some(folder) => Some(HostCache::open(folder, info_hash, &to_self).await),
            None => None,
        };
        let driver = Driver {
            info_hash,
            torrent,
            cache,
            destination: spec.destination,
            select: spec.select,
            surroundings: Surroundings {
                dialler: self.dialler.for_torrent(),
                dht: self.dht.clone(),
                lsd: lsd.clone(),
                announcing,
                port: self.port,
            },
            to_self: to_self.clone(),
            events: events.clone(),
            status,
            started,
        };
        let _ = self
            .registrations
            .send(Registration::Add(info_hash, to_self.clone()))
            .await;
        if let Some(lsd) = &lsd {
            lsd.add(info_hash, to_self.clone()).await;
        }
        let survivor = Survivor {
            info_hash,
            events,
            registrations: self.registrations.clone(),
            lsd: lsd.clone(),
            place: holds,
        };
        tokio::spawn(survivor.outlive(tokio::spawn(driver.run(inputs))));
        add_named(spec.peers, &to_self);
        let trackers = self.trackers(info_hash, &spec.trackers, &to_self, &watched)?;
        Ok(TorrentHandle {
            info_hash,
            trackers,
            inputs: to_self,
            events: heard,
            status: watched,
            registrations: self.registrations.clone(),
            lsd,
        })
    }

    fn trackers(
        &self,
        info_hash: InfoHash,
        tiers: &[Vec<String>],
        torrent: &mpsc::Sender<Input>,
        status: &watch::Receiver<Status>,
    ) -> io::Result<Trackers> {
        let settings = crate::tracker::Settings {
            info_hash,
            peer_id: self.peer_id,
            port: self.port,
            reach: self.reach,
        };
        let guest = Guest {
            torrent: torrent.clone(),
            status: status.clone(),
            network: self.dialler.network(),
            _alive: self.farewells.0.clone(),
        };
        tracker::start(Arc::clone(&self.asker), settings, tiers, guest)
    }

    /// Asks one tracker what it knows about some torrents, at most 74 of them (BEP 48).
    ///
    /// # Errors
    /// The tracker's reason, or ours not to ask it.
    pub async fn scrape(
        &self,
        url: &str,
        hashes: &[InfoHash],
    ) -> Result<Vec<(InfoHash, ScrapeReply)>, Failure> {
        self.asker.scrape(&TrackerUrl::parse(url)?, hashes).await
    }

    /// Saves the DHT's contacts and ends every task of the client. Torrents are stopped by their
    /// handles.
    pub async fn shutdown(mut self) {
        if let (Some(dht), Some(folder)) = (&self.dht, &self.state) {
            save(dht, folder).await;
        }
        let (ours, mut theirs) = self.farewells;
        drop(ours);
        // `None` comes when every goodbye is said; torrents that nobody stopped say none.
        let _ = timeout(FAREWELL, theirs.recv()).await;
        self.background.shutdown().await;
    }
}

/// The owner's end of a torrent.
pub struct TorrentHandle {
    info_hash: InfoHash,
    trackers: Trackers,
    inputs: mpsc::Sender<Input>,
    events: mpsc::Receiver<TorrentEvent>,
    status: watch::Receiver<Status>,
    registrations: mpsc::Sender<Registration>,
    lsd: Option<LsdHandle>,
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

    /// How its trackers are doing, in the order in which they are asked.
    pub fn trackers(&self) -> Vec<TrackerStatus> {
        self.trackers.statuses()
    }

    /// More peers to try.
    pub async fn add_peers(&self, peers: Vec<SocketAddr>) {
        let peers = peers.into_iter().map(Endpoint::from).collect();
        let _ = self
            .inputs
            .send(Input::Add(PeerSource::Manual, peers))
            .await;
    }

    /// Says goodbye to the peers and makes everything durable; returns the last state. Trackers
    /// are told meanwhile, and at most 2 s longer if the client lives on.
    pub async fn stop(mut self) -> Status {
        self.trackers.stop();
        let (done, stopped) = oneshot::channel();
        let _ = self
            .registrations
            .send(Registration::Remove(self.info_hash))
            .await;
        if let Some(lsd) = &self.lsd {
            lsd.remove(self.info_hash);
        }
        if self.inputs.send(Input::Stop(done)).await.is_ok() {
            // An error means that the task has ended already.
            let _ = stopped.await;
        }
        self.status.borrow().clone()
    }
}

/// Adds the peers that the user named, each as soon as its name is resolved.
fn add_named(peers: Vec<String>, torrent: &mpsc::Sender<Input>) {
    for peer in peers {
        let torrent = torrent.clone();
        tokio::spawn(async move {
            let found = resolve(&peer).await;
            let _ = torrent.send(Input::Add(PeerSource::Manual, found)).await;
        });
    }
}

/// Whom the client may talk to: the internet, what the user opened, what it is bound to; not itself.
fn policy(config: &ClientConfig, port: u16) -> AddressPolicy {
    let mut policy = AddressPolicy::new(config.allowed.clone());
    if let Bind::Address(ip) = config.bind {
        policy.allow_range_of(ip);
        policy.add_own(Endpoint { ip, port });
    }
    policy
}
