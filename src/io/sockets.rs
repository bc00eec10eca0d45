//! Binding: one port for TCP and UDP, per address family, on the address or interface that the
//! user named. Every socket of the client is made here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bencode::Family;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

/// Where to try first when the user named no port; taken ports are passed over.
const DEFAULT_PORTS: std::ops::RangeInclusive<u16> = 6881..=6889;

/// Tries at finding one port that is free for TCP and UDP alike.
const ANY_PORT_ATTEMPTS: usize = 16;

/// Kernel buffer asked for on the DHT's socket: a lookup's answers arrive in bursts.
const UDP_RECEIVE_BUFFER: usize = 512 << 10;

/// Connections that wait in the kernel to be accepted.
const BACKLOG: u32 = 256;

/// `--port`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Port {
    /// 6881 to 6889, else any that is free.
    #[default]
    Usual,
    /// Whatever the system gives.
    Any,
    /// This one or none.
    Fixed(u16),
}

/// `--bind`: what every socket of the client is bound to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Bind {
    /// All addresses.
    #[default]
    Everywhere,
    /// One local address; its family is the only one used.
    Address(IpAddr),
    /// One network interface, both families.
    Interface(String),
}

impl Bind {
    /// The local address to bind for `family`; `None` when this family is ruled out.
    pub(super) fn address(&self, family: Family) -> Option<IpAddr> {
        match (self, family) {
            (Bind::Address(ip @ IpAddr::V4(_)), Family::V4)
            | (Bind::Address(ip @ IpAddr::V6(_)), Family::V6) => Some(*ip),
            (Bind::Address(_), _) => None,
            (_, Family::V4) => Some(Ipv4Addr::UNSPECIFIED.into()),
            (_, Family::V6) => Some(Ipv6Addr::UNSPECIFIED.into()),
        }
    }

    fn prepare(&self, family: Family, kind: Type) -> io::Result<Socket> {
        let (domain, protocol) = match (family, kind == Type::STREAM) {
            (Family::V4, true) => (Domain::IPV4, Protocol::TCP),
            (Family::V4, false) => (Domain::IPV4, Protocol::UDP),
            (Family::V6, true) => (Domain::IPV6, Protocol::TCP),
            (Family::V6, false) => (Domain::IPV6, Protocol::UDP),
        };
        let socket = Socket::new(domain, kind, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if family == Family::V6 {
            // Two sockets, one a family: nobody meets a v4-mapped address.
            socket.set_only_v6(true)?;
        }
        if let Bind::Interface(name) = self {
            bind_to_interface(&socket, name)?;
        }
        Ok(socket)
    }
}

#[cfg(target_os = "linux")]
fn bind_to_interface(socket: &Socket, name: &str) -> io::Result<()> {
    socket.bind_device(Some(name.as_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn bind_to_interface(_: &Socket, name: &str) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        format!("binding to the interface {name} works on Linux only; give its address instead"),
    ))
}

/// The listening sockets of one family, both on one port.
pub(super) struct Pair {
    /// Peers.
    pub(super) tcp: TcpListener,
    /// The DHT.
    pub(super) udp: UdpSocket,
}

/// Everything the client listens on.
pub(super) struct Sockets {
    /// IPv4, unless ruled out or missing on this machine.
    pub(super) v4: Option<Pair>,
    /// IPv6, likewise.
    pub(super) v6: Option<Pair>,
    /// The port, the same for both families where both exist.
    pub(super) port: u16,
}

/// Binds TCP and UDP of every family in `families` to one port.
///
/// # Errors
/// When no family can be bound at all, or the [`Port::Fixed`] port is taken.
pub(super) fn open(bind: &Bind, port: Port, families: &[Family]) -> io::Result<Sockets> {
    let candidates: Vec<u16> = match port {
        Port::Fixed(port) => vec![port],
        Port::Any => vec![0; ANY_PORT_ATTEMPTS],
        Port::Usual => DEFAULT_PORTS.chain([0; ANY_PORT_ATTEMPTS]).collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to bind");
    for candidate in candidates {
        match open_all(bind, candidate, families) {
            Ok(sockets) => return Ok(sockets),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn open_all(bind: &Bind, port: u16, families: &[Family]) -> io::Result<Sockets> {
    let mut sockets = Sockets {
        v4: None,
        v6: None,
        port,
    };
    let mut failure = None;
    for &family in families {
        let Some(ip) = bind.address(family) else {
            continue;
        };
        match open_pair(bind, SocketAddr::new(ip, sockets.port)) {
            Ok(pair) => {
                sockets.port = pair.tcp.local_addr()?.port();
                match family {
                    Family::V4 => sockets.v4 = Some(pair),
                    Family::V6 => sockets.v6 = Some(pair),
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // A machine without IPv6 is not an error as long as the other family works.
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(error) if sockets.v4.is_none() && sockets.v6.is_none() => Err(error),
        _ => Ok(sockets),
    }
}

fn open_pair(bind: &Bind, address: SocketAddr) -> io::Result<Pair> {
    let family = bencode::Endpoint::from(address).family();
    let tcp = bind.prepare(family, Type::STREAM)?;
    tcp.set_reuse_address(true)?;
    tcp.bind(&address.into())?;
    tcp.listen(BACKLOG as i32)?;
    let tcp = TcpListener::from_std(tcp.into())?;
    let udp = bind.prepare(family, Type::DGRAM)?;
    udp.bind(&SocketAddr::new(address.ip(), tcp.local_addr()?.port()).into())?;
    // A smaller buffer than asked for still works; only bursts suffer.
    let _ = udp.set_recv_buffer_size(UDP_RECEIVE_BUFFER);
    Ok(Pair {
        tcp,
        udp: UdpSocket::from_std(udp.into())?,
    })
}

/// A socket that hears a multicast group's `port`, whoever else on this machine does; the caller joins.
/// It is bound to no address, since datagrams to the group and answers to us have different ones.
///
/// # Errors
/// When `bind` rules the family out, or somebody uses the port for himself.
pub(super) fn group_member(bind: &Bind, family: Family, port: u16) -> io::Result<UdpSocket> {
    if bind.address(family).is_none() {
        return Err(io::ErrorKind::AddrNotAvailable.into());
    }
    let socket = bind.prepare(family, Type::DGRAM)?;
    socket.set_reuse_address(true)?;
    // There two sockets of one port need this one as well.
    #[cfg(any(target_os = "macos", target_os = "freebsd"))]
    socket.set_reuse_port(true)?;
    let any: IpAddr = match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    socket.bind(&SocketAddr::new(any, port).into())?;
    UdpSocket::from_std(socket.into())
}

/// A socket that sends from the bound address to multicast groups, no further than the link.
///
/// # Errors
/// When `bind` rules the family out, or its address is not there.
pub(super) fn group_speaker(bind: &Bind, family: Family) -> io::Result<UdpSocket> {
    let local = bind.address(family);
    let local = local.ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = bind.prepare(family, Type::DGRAM)?;
    match family {
        Family::V4 => socket.set_multicast_ttl_v4(1)?,
        Family::V6 => socket.set_multicast_hops_v6(1)?,
    }
    socket.bind(&SocketAddr::new(local, 0).into())?;
    UdpSocket::from_std(socket.into())
}

/// Connects to a peer from the bound address.
///
/// # Errors
/// As `connect(2)`; also when `bind` rules the peer's family out.
pub(super) async fn connect(bind: &Bind, to: SocketAddr) -> io::Result<TcpStream> {
    let family = bencode::Endpoint::from(to).family();
    let Some(local) = bind.address(family) else {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    };
    let socket = bind.prepare(family, Type::STREAM)?;
    if !local.is_unspecified() {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    let stream = TcpSocket::from_std_stream(socket.into())
        .connect(to)
        .await?;
    // Requests are small and must not wait for each other.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A datagram socket that speaks with `to` only, from the bound address and any free port.
///
/// # Errors
/// When there is no route, or `bind` rules the family out.
pub(super) fn towards(bind: &Bind, to: SocketAddr) -> io::Result<UdpSocket> {
    UdpSocket::from_std(connected(bind, to)?.into())
}

/// The address of ours that packets to `to` would leave from. Sends nothing.
///
/// # Errors
/// When there is no route, or `bind` rules the family out.
pub fn source_towards(bind: &Bind, to: SocketAddr) -> io::Result<IpAddr> {
    let source = connected(bind, to)?.local_addr()?.as_socket();
    source
        .map(|source| source.ip())
        .ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

/// Whether `local`, which was an address of ours, is not any more.
pub(super) fn is_gone(bind: &Bind, family: Family, local: IpAddr) -> bool {
    let bound = bind
        .prepare(family, Type::DGRAM)
        .and_then(|socket| socket.bind(&SocketAddr::new(local, 0).into()));
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

fn connected(bind: &Bind, to: SocketAddr) -> io::Result<Socket> {
    let family = bencode::Endpoint::from(to).family();
    let Some(local) = bind.address(family) else {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    };
    let socket = bind.prepare(family, Type::DGRAM)?;
    if !local.is_unspecified() {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    socket.connect(&to.into())?;
    Ok(socket)
}
