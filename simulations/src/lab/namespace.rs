//! A network namespace whose only way out is a TUN link that this process holds.
//!
//! Nothing touches the machine's own network: the address exists inside the namespace alone. Private
//! ranges are unreachable there, so that a client that wants a name server is told so at once.
//! Invariant: a namespace ends with its value, with all that runs in it; and [`sweep`] removes what
//! killed predecessors left behind.

use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tun::{AbstractDevice, Device};

use super::packet::{self, Datagram};

/// Begins the name of every namespace of ours; the id of the process that made it follows.
const PREFIX: &str = "simlab-";
/// How often a thread that waits for packets looks whether it should end.
const BREATH: Duration = Duration::from_millis(200);
/// Namespaces of this process so far.
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A datagram that a client sent: which client, when it was read, what.
pub type Sent = (usize, Instant, Datagram);

/// A namespace and its link.
#[derive(Debug)]
pub struct Namespace {
    place: Place,
    link: Link,
}

/// Where a client runs: a namespace by name, which another thread may have too.
#[derive(Clone, Debug)]
pub struct Place {
    name: String,
    /// The public address there.
    pub ip: Ipv4Addr,
}

/// The router's end of a link.
struct Link {
    device: Arc<Device>,
    over: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link")
    }
}

impl Namespace {
    /// A namespace with this address. What is sent in it comes out of `sent` as client `number`'s.
    ///
    /// # Errors
    /// No root, no /dev/net/tun, no iproute2.
    pub fn new(ip: Ipv4Addr, number: usize, sent: Sender<Sent>) -> io::Result<Namespace> {
        let serial = COUNT.fetch_add(1, Ordering::Relaxed);
        let own = std::process::id();
        let device_name = format!("sl{own}x{serial}");
        let mut configuration = tun::Configuration::default();
        configuration.tun_name(&device_name).mtu(1_500);
        let device = Arc::new(tun::create(&configuration).map_err(io::Error::other)?);
        let over = Arc::new(AtomicBool::new(false));
        let reader = {
            let (device, over) = (Arc::clone(&device), Arc::clone(&over));
            std::thread::spawn(move || listen(&device, &over, number, &sent))
        };
        // From here on dropping the value removes everything, whatever fails.
        let namespace = Namespace {
            place: Place {
                name: format!("{PREFIX}{own}-{serial}"),
                ip,
            },
            link: Link {
                device,
                over,
                reader: Some(reader),
            },
        };
        let name = namespace.place.name.as_str();
        let device_name = namespace.link.device.tun_name().map_err(io::Error::other)?;
        ip_tool(&["netns", "add", name])?;
        ip_tool(&["link", "set", &device_name, "netns", name, "name", "eth0"])?;
        ip_tool(&[
            "-n",
            name,
            "addr",
            "add",
            &format!("{ip}/32"),
            "dev",
            "eth0",
        ])?;
        for device in ["lo", "eth0"] {
            ip_tool(&["-n", name, "link", "set", device, "up"])?;
        }
        ip_tool(&["-n", name, "route", "add", "default", "dev", "eth0"])?;
        for range in [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
        ] {
            ip_tool(&["-n", name, "route", "add", "unreachable", range])?;
        }
        Ok(namespace)
    }

    /// Where that is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Hands the kernel in the namespace a packet.
    ///
    /// # Errors
    /// The link is gone or full; a router would drop the packet.
    pub fn deliver(&self, packet: &[u8]) -> io::Result<()> {
        self.link.device.send(packet).map(|_| ())
    }
}

impl Place {
    /// `program` in the namespace, not yet started, at home in `folder`. No configuration of the user
    /// who runs the lab reaches it.
    #[must_use]
    pub fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("TRACKLESS_") {
                command.env_remove(key);
            }
        }
        for key in [
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "XDG_STATE_HOME",
        ] {
            command.env(key, folder);
        }
        command.env("RES_OPTIONS", "timeout:1 attempts:1");
        command.current_dir(folder);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.place.name);
        self.link.over.store(true, Ordering::Relaxed);
        if let Some(reader) = self.link.reader.take() {
            // It ends within a breath; that it panicked is not worth a second panic.
            let _ = reader.join();
        }
    }
}

/// Reads packets until it is over.
fn listen(device: &Device, over: &AtomicBool, number: usize, sent: &Sender<Sent>) {
    let mut buffer = [0; 2_048];
    while !over.load(Ordering::Relaxed) {
        match device.recv_timeout(&mut buffer, BREATH) {
            Ok(length) => {
                let now = Instant::now();
                if let Some(datagram) = packet::read(&buffer[..length])
                    && sent.send((number, now, datagram)).is_err()
                {
                    return;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {}
            // The link is down while it moves into its namespace.
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Why there can be no lab here; `None`: nothing speaks against it.
#[must_use]
pub fn obstacle() -> Option<&'static str> {
    if !Path::new("/dev/net/tun").exists() {
        return Some("there is no /dev/net/tun");
    }
    let probe = format!("{PREFIX}{}-probe", std::process::id());
    if ip_tool(&["netns", "add", &probe]).is_err() {
        return Some("network namespaces need root and iproute2");
    }
    remove(&probe);
    None
}

/// Removes the namespaces of processes that are gone: one that was killed had no time for it.
pub fn sweep() {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else {
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    for name in text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let owner = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner).exists()) {
            remove(name);
        }
    }
}

/// Ends what runs in a namespace, and the namespace. What is gone needs no removing.
fn remove(name: &str) {
    if let Ok(pids) = Command::new("ip").args(["netns", "pids", name]).output() {
        for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
    }
    let _ = ip_tool(&["netns", "del", name]);
}

fn ip_tool(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "ip {}: {}",
        arguments.join(" "),
        said.trim()
    )))
}
