//! Local discovery's task (BEP 14): datagrams between the multicast groups and one [`Lsd`], neighbours
//! found to the torrents.
//!
//! One for each client. It opens nothing before there is a torrent to tell. Datagrams are sent on every
//! link, from the bound address if there is one, and go no further than the link.
//!
//! Deviation: BEP 14 suggests a time to live above 1, since its groups reach beyond a link. We hear and
//! let in nobody from beyond (see [`crate::swarm::lsd`]), so we tell nobody there either.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use bencode::Family;
use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::input::Input;
use super::sockets::{self, Bind};
use crate::metainfo::InfoHash;
use crate::swarm::PeerSource;
use crate::swarm::lsd::{self, Lsd, To, Transmit};

mod links;

use links::Links;

/// How often interfaces are looked at while there is a torrent: cables are plugged in, laptops travel.
const LOOK: Duration = Duration::from_secs(15);

/// Torrents that may come and go at once.
const COMMANDS: usize = 64;

/// Whether to find peers in the local network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LocalDiscovery {
    /// Announce and listen.
    #[default]
    On,
    /// Stay silent, and deaf.
    Off,
}

enum Command {
    Add(InfoHash, mpsc::Sender<Input>),
    Remove(InfoHash),
}

/// The rest of the client's end of the task. Dropping every copy ends it.
#[derive(Clone)]
pub(super) struct LsdHandle {
    commands: mpsc::Sender<Command>,
}

impl LsdHandle {
    /// A torrent to tell the neighbours. Never a private one (BEP 27).
    pub(super) async fn add(&self, info_hash: InfoHash, torrent: mpsc::Sender<Input>) {
        let _ = self.commands.send(Command::Add(info_hash, torrent)).await;
    }

    /// It is gone, or has turned out to be private.
    pub(super) fn remove(&self, info_hash: InfoHash) {
        send(&self.commands, Command::Remove(info_hash));
    }
}

/// Sends what must not be lost, to whom is not waited for.
fn send<T: Send + 'static>(to: &mpsc::Sender<T>, what: T) {
    if let Err(mpsc::error::TrySendError::Full(what)) = to.try_send(what) {
        let to = to.clone();
        tokio::spawn(async move {
            // Nobody there any more is as good.
            let _ = to.send(what).await;
        });
    }
}

/// Starts the task; `port` is our TCP port.
pub(super) fn start(bind: Bind, families: Vec<Family>, port: u16, seed: [u8; 32]) -> LsdHandle {
    let (commands, queue) = mpsc::channel(COMMANDS);
    let now = Instant::now();
    let driver = Driver {
        lsd: Lsd::new(port, seed, now),
        bind,
        families,
        torrents: BTreeMap::new(),
        links: Links::default(),
        sockets: [None, None],
        look_at: now,
    };
    tokio::spawn(driver.run(queue));
    LsdHandle { commands }
}

/// The sockets of one family.
struct Pair {
    /// In the group, at its port.
    receiver: UdpSocket,
    /// At any port: only the address of a datagram matters.
    sender: UdpSocket,
}

struct Driver {
    lsd: Lsd,
    bind: Bind,
    families: Vec<Family>,
    torrents: BTreeMap<InfoHash, mpsc::Sender<Input>>,
    links: Links,
    /// IPv4, IPv6; opened with the first torrent.
    sockets: [Option<Pair>; 2],
    look_at: Instant,
}

/// What woke the task.
enum Wake {
    Command(Option<Command>),
    Datagram(std::io::Result<(usize, SocketAddr)>),
    Timeout,
}

impl Driver {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = [0; lsd::MAX_READ + 1];
        loop {
            self.drain();
            let due = (!self.torrents.is_empty()).then_some(self.look_at);
            let due = due.into_iter().chain(self.lsd.next_timeout()).min();
            let [v4, v6] = &self.sockets;
            // Commands first: what is withdrawn must not be told once more.
            let wake = tokio::select! {
                biased;
                command = commands.recv() => Wake::Command(command),
                arrived = receive(v4, v6, &mut buffer) => Wake::Datagram(arrived),
                () = wait(due) => Wake::Timeout,
            };
            let now = Instant::now();
            match wake {
                Wake::Command(Some(command)) => self.handle_command(now, command),
                Wake::Command(None) => return,
                Wake::Datagram(Ok((length, from))) => {
                    let datagram = buffer.get(..length).unwrap_or_default();
                    self.lsd.handle_datagram(now, from.ip(), datagram);
                }
                // Errors speak of one datagram sent, not of the socket.
                Wake::Datagram(Err(_)) => {}
                Wake::Timeout => {
                    if now >= self.look_at {
                        self.look(now);
                    }
                    self.lsd.handle_timeout(now);
                }
            }
        }
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Add(info_hash, torrent) => {
                let ranges = self.links.ranges.clone();
                send(&torrent, Input::Neighbours(ranges));
                if self.torrents.is_empty() {
                    self.look_at = now;
                }
                self.torrents.insert(info_hash, torrent);
                self.lsd.add(now, info_hash);
            }
            Command::Remove(info_hash) => {
                self.lsd.remove(&info_hash);
                if let Some(torrent) = self.torrents.remove(&info_hash) {
                    send(&torrent, Input::Neighbours(Vec::new()));
                }
            }
        }
    }

    /// Looks at the interfaces; joins the groups on new ones and tells everybody.
    fn look(&mut self, now: Instant) {
        self.look_at = now + LOOK;
        let links = Links::of_machine(&self.bind, &self.families);
        if links == self.links {
            return;
        }
        for family in links.families() {
            let Some(slot) = self.sockets.get_mut(slot(family)) else {
                continue;
            };
            if slot.is_none() {
                match open(&self.bind, family) {
                    Ok(pair) => *slot = Some(pair),
                    Err(error) => tracing::info!(%error, ?family, "no local discovery"),
                }
            }
            if let Some(pair) = slot {
                join(&pair.receiver, &links, family);
            }
        }
        self.lsd
            .set_links(now, links.ranges.clone(), links.families());
        for torrent in self.torrents.values() {
            send(torrent, Input::Neighbours(links.ranges.clone()));
        }
        tracing::debug!(?links, "local discovery");
        self.links = links;
    }

    /// Carries out what the machine has decided.
    fn drain(&mut self) {
        while let Some(transmit) = self.lsd.poll_transmit() {
            self.transmit(&transmit);
        }
        while let Some(found) = self.lsd.poll_event() {
            tracing::debug!(peer = %found.peer, torrent = %found.info_hash, "a neighbour");
            if let Some(torrent) = self.torrents.get(&found.info_hash) {
                // A torrent that cannot follow has enough peers for now.
                let _ = torrent.try_send(Input::Add(PeerSource::Lsd, vec![found.peer]));
            }
        }
    }

    /// Datagrams that the kernel cannot take are lost, as datagrams may be.
    fn transmit(&self, transmit: &Transmit) {
        let (family, ip) = match transmit.to {
            To::Everybody(family) => (family, lsd::group(family)),
            To::One(ip @ IpAddr::V4(_)) => (Family::V4, ip),
            To::One(ip @ IpAddr::V6(_)) => (Family::V6, ip),
        };
        let Some(Some(pair)) = self.sockets.get(slot(family)) else {
            return;
        };
        let socket = SockRef::from(&pair.sender);
        let to = SocketAddr::new(ip, lsd::PORT).into();
        let send = || {
            if let Err(error) = socket.send_to(&transmit.payload, &to) {
                tracing::debug!(%error, %ip, "a local announce was not sent");
            }
        };
        match transmit.to {
            To::One(_) => send(),
            To::Everybody(Family::V4) => {
                for (address, _) in &self.links.v4 {
                    if socket.set_multicast_if_v4(address).is_ok() {
                        send();
                    }
                }
            }
            To::Everybody(Family::V6) => {
                for index in &self.links.v6 {
                    if socket.set_multicast_if_v6(*index).is_ok() {
                        send();
                    }
                }
            }
        }
    }
}

fn slot(family: Family) -> usize {
    usize::from(family == Family::V6)
}

fn open(bind: &Bind, family: Family) -> std::io::Result<Pair> {
    Ok(Pair {
        receiver: sockets::group_member(bind, family, lsd::PORT)?,
        sender: sockets::group_speaker(bind, family)?,
    })
}

/// Joins the group on every link; where we are a member already the kernel says so, and that is fine.
fn join(receiver: &UdpSocket, links: &Links, family: Family) {
    let socket = SockRef::from(receiver);
    match lsd::group(family) {
        IpAddr::V4(group) => {
            for (_, index) in &links.v4 {
                let link = socket2::InterfaceIndexOrAddress::Index(*index);
                let _ = socket.join_multicast_v4_n(&group, &link);
            }
        }
        IpAddr::V6(group) => {
            for index in &links.v6 {
                let _ = socket.join_multicast_v6(&group, *index);
            }
        }
    }
}

async fn wait(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

/// The next datagram on either socket; never ends without one.
async fn receive(
    v4: &Option<Pair>,
    v6: &Option<Pair>,
    buffer: &mut [u8],
) -> std::io::Result<(usize, SocketAddr)> {
    let ready = async |pair: &Option<Pair>| match pair {
        Some(pair) => {
            let _ = pair.receiver.readable().await;
        }
        None => std::future::pending().await,
    };
    let pair = tokio::select! {
        () = ready(v4) => v4,
        () = ready(v6) => v6,
    };
    match pair {
        Some(pair) => pair.receiver.try_recv_from(buffer),
        None => Err(std::io::ErrorKind::WouldBlock.into()),
    }
}
