//! The tracker server's driver: sockets, the clock and the database around one
//! [`crate::tracker::server::Server`].
//!
//! One lock around one machine: an announce holds it for about a microsecond, and what costs more (system
//! calls, HTTP, writing replies) happens outside. Order: an announce is handed to the database in
//! the order in which the machine saw it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

mod database;
mod http;
mod udp;

use super::seed;
use crate::tracker::server::{Allowed, Config, Record, Server, Stats, Totals};
pub use database::DatabaseError;
use database::{Database, Journal};

/// Where to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Listen {
    /// This port of every address, of both families where the machine has both; 0 takes any.
    Everywhere(u16),
    /// Here only; port 0 takes any.
    At(SocketAddr),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Everywhere(port) => write!(f, "port {port}"),
            Listen::At(address) => address.fmt(f),
        }
    }
}

/// What a tracker is started with.
#[derive(Clone, Debug, Default)]
pub struct TrackerConfig {
    /// Where HTTP is served; may be empty.
    pub http: Vec<Listen>,
    /// Where BEP 15 is served; may be empty.
    pub udp: Vec<Listen>,
    /// A file that outlives the process. [`Config::record`] follows from it.
    pub db: Option<PathBuf>,
    /// How it serves.
    pub server: Config,
}

/// Why a tracker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address that cannot be bound.
    #[error("{transport} {listen}: {error}")]
    Bind {
        /// `HTTP` or `UDP`.
        transport: &'static str,
        /// Where.
        listen: Listen,
        /// The system's reason.
        error: io::Error,
    },
    /// A database that cannot be used.
    #[error("{}: {error}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        error: DatabaseError,
    },
    /// The system has no randomness to give.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// How a tracker does.
#[derive(Clone, Copy, Debug)]
pub struct TrackerView {
    /// How much it knows.
    pub totals: Totals,
    /// What it has counted.
    pub stats: Stats,
    /// Since its start.
    pub uptime: Duration,
}

/// The machine and who writes down what changes in it.
struct Locked {
    server: Server,
    journal: Option<Journal>,
}

/// What all tasks use.
struct Shared {
    locked: Mutex<Locked>,
    started: Instant,
}

impl Shared {
    /// Lets `work` use the machine, then hands over what changed.
    fn serve<T>(&self, work: impl FnOnce(&mut Server) -> T) -> T {
        let mut locked = self.lock();
        let result = work(&mut locked.server);
        let mut changes = Vec::new();
        while let Some(change) = locked.server.poll_change() {
            changes.push(change);
        }
        if let (Some(journal), false) = (&locked.journal, changes.is_empty()) {
            // Still locked, for the order. A disk that is too slow slows the sockets here.
            journal.write(changes);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        // A panic elsewhere leaves the machine as the last whole call did.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> TrackerView {
        self.serve(|server| TrackerView {
            totals: server.totals(),
            stats: *server.stats(),
            uptime: self.started.elapsed(),
        })
    }
}

/// A running tracker. Dropped, it ends at once; [`TrackerServer::stop`] ends it in order.
pub struct TrackerServer {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    http: Vec<SocketAddr>,
    udp: Vec<SocketAddr>,
}

impl TrackerServer {
    /// Binds everything, reads the database, starts to serve. Needs a runtime; with several threads, UDP
    /// is served on all of them.
    ///
    /// # Errors
    /// See [`StartError`]; nothing runs then.
    pub async fn start(config: TrackerConfig) -> Result<TrackerServer, StartError> {
        let listeners = bind_all("HTTP", &config.http, http::bind, TcpListener::local_addr)?;
        let first = |sockets: &Vec<UdpSocket>| {
            sockets.first().map_or(
                Err(io::ErrorKind::AddrNotAvailable.into()),
                UdpSocket::local_addr,
            )
        };
        let sockets = bind_all("UDP", &config.udp, udp::bind, first)?;
        let mut settings = config.server;
        settings.record = if config.db.is_some() {
            Record::On
        } else {
            Record::Off
        };
        let lifetime = settings.lifetime();
        let started = Instant::now();
        let mut server = Server::new(settings, seed()?, started);
        let journal = match config.db {
            None => None,
            Some(path) => {
                let opened = Database::open(&path, lifetime)
                    .and_then(|database| restore(&mut server, started, database));
                Some(
                    opened
                        .map_err(|error| StartError::Database { path, error })?
                        .start(),
                )
            }
        };
        let shared = Arc::new(Shared {
            locked: Mutex::new(Locked { server, journal }),
            started,
        });
        let mut tasks = JoinSet::new();
        let (mut http, mut udp) = (Vec::new(), Vec::new());
        for (address, listener) in listeners {
            http.push(address);
            tasks.spawn(http::serve(listener, Arc::clone(&shared)));
        }
        for (address, sockets) in sockets {
            udp.push(address);
            for socket in sockets {
                tasks.spawn(udp::serve(socket, Arc::clone(&shared)));
            }
        }
        tasks.spawn(sweep(Arc::clone(&shared)));
        Ok(TrackerServer {
            shared,
            tasks,
            http,
            udp,
        })
    }

    /// Where HTTP is served.
    pub fn http(&self) -> &[SocketAddr] {
        &self.http
    }

    /// Where BEP 15 is served.
    pub fn udp(&self) -> &[SocketAddr] {
        &self.udp
    }

    /// How it does.
    pub fn view(&self) -> TrackerView {
        self.shared.view()
    }

    /// Serves other torrents from now on.
    pub fn set_allowed(&self, allowed: Allowed) {
        self.shared.serve(|server| server.set_allowed(allowed));
    }

    /// Ends; what the database waits for is written first.
    ///
    /// # Errors
    /// What the database says to the last write.
    pub async fn stop(mut self) -> Result<(), DatabaseError> {
        self.tasks.shutdown().await;
        let journal = self.shared.lock().journal.take();
        journal.map_or(Ok(()), Journal::close)
    }
}

fn restore(
    server: &mut Server,
    now: Instant,
    mut database: Database,
) -> Result<Database, DatabaseError> {
    let server = std::cell::RefCell::new(server);
    database.load(
        |saved| server.borrow_mut().restore(now, saved),
        |hash, completed| server.borrow_mut().restore_completed(hash, completed),
    )?;
    Ok(database)
}

/// Binds every place; [`Listen::Everywhere`] is one or two sockets on the same port.
fn bind_all<T>(
    transport: &'static str,
    places: &[Listen],
    bind: impl Fn(SocketAddr) -> io::Result<T>,
    address: impl Fn(&T) -> io::Result<SocketAddr>,
) -> Result<Vec<(SocketAddr, T)>, StartError> {
    let mut bound = Vec::new();
    for listen in places {
        let failed = |error| StartError::Bind {
            transport,
            listen: *listen,
            error,
        };
        let mut bind_one = |at: SocketAddr| {
            let socket = bind(at)?;
            let at = address(&socket)?;
            bound.push((at, socket));
            Ok(at.port())
        };
        match *listen {
            Listen::At(at) => {
                bind_one(at).map_err(failed)?;
            }
            Listen::Everywhere(port) => {
                let v4 = bind_one((Ipv4Addr::UNSPECIFIED, port).into());
                let port = v4.as_ref().map_or(port, |port| *port);
                let v6 = bind_one((Ipv6Addr::UNSPECIFIED, port).into());
                match (v4, v6) {
                    // A machine with one family is not an error, a port that somebody else has is.
                    (Err(error), _) | (_, Err(error))
                        if error.kind() == io::ErrorKind::AddrInUse =>
                    {
                        return Err(failed(error));
                    }
                    (Err(error), Err(_)) => return Err(failed(error)),
                    _ => {}
                }
            }
        }
    }
    Ok(bound)
}

/// Calls the machine when it wants to be called.
async fn sweep(shared: Arc<Shared>) {
    loop {
        let next = shared.serve(|server| {
            server.handle_timeout(Instant::now());
            server.next_timeout()
        });
        sleep_until(next.into()).await;
    }
}

#[cfg(test)]
mod tests;
