//! A network of hosts on one machine: a network namespace each, joined by a bridge in a namespace of its own.
//!
//! Nothing touches the machine's own network: the addresses exist inside the namespaces only, and there is no way out.
//! Addresses come from 198.18.0.0/15 (RFC 2544, kept for tests of networks). The clients take them for public ones, while
//! they refuse loopback and private ranges in their DHT. Every host has a /24 to itself, since libtorrent keeps one node
//! per /24 in its routing table and in a lookup. A default route leads to the bridge, because libtorrent starts no DHT on
//! an interface that has none.
//!
//! Invariant: the namespaces of a lab end with it, and a lab removes what a killed predecessor left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::support::process::Process;

/// Begins the name of every namespace of ours; the id of the process that made it follows.
const PREFIX: &str = "tlab-";

/// The address of the bridge, which is the default route of every host.
const GATEWAY: &str = "198.18.0.1";

/// The range all hosts are in, for options that name a network.
pub const RANGE: &str = "198.18.0.0/15";

/// Set in the environment, it makes a lab leave its folder with all logs behind.
const KEEP: &str = "TRACKLESS_TEST_KEEP";

/// Labs of this process so far: tests run side by side, each with a lab of its own.
static LABS: AtomicU32 = AtomicU32::new(0);

/// A bridge and its hosts.
#[derive(Debug)]
pub struct Lab {
    name: String,
    folder: tempfile::TempDir,
    hosts: Mutex<u8>,
}

/// One host: a namespace with one or more addresses.
#[derive(Clone, Debug)]
pub struct Host {
    namespace: String,
    addresses: Vec<String>,
    folder: PathBuf,
}

impl Lab {
    /// An empty network.
    ///
    /// # Panics
    /// Without root or iproute2; ask [`crate::clients::missing`] before.
    pub fn new() -> Self {
        remove_stale();
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}", std::process::id());
        let folder = tempfile::Builder::new()
            .prefix("trackless-lab-")
            .tempdir()
            .expect("a folder");
        let lab = Self {
            name,
            folder,
            hosts: Mutex::new(0),
        };
        let hub = lab.hub();
        ip(&["netns", "add", &hub]);
        // A bridge that learns who is in which group loses the first questions for IPv6 neighbours.
        let bridge = ["type", "bridge", "mcast_snooping", "0"];
        ip(&[&["-n", &hub, "link", "add", "hub"][..], &bridge].concat());
        ip(&[
            "-n",
            &hub,
            "addr",
            "add",
            &format!("{GATEWAY}/15"),
            "dev",
            "hub",
        ]);
        ip(&["-n", &hub, "link", "set", "hub", "up"]);
        // Away from the lab there is nothing, and the hosts are told so: a client that looks up the names of its built-in
        // bootstrap nodes starts its DHT only when that has failed, which without this takes minutes.
        ip(&["-n", &hub, "route", "add", "unreachable", "default"]);
        ip(&[
            "netns",
            "exec",
            &hub,
            "sysctl",
            "-qw",
            "net.ipv4.ip_forward=1",
        ]);
        lab
    }

    /// Adds a host called `name` with `addresses` addresses, each in another /24.
    pub fn host(&self, name: &str, addresses: u8) -> Host {
        let mut hosts = self.hosts.lock().expect("nobody panics in here");
        let first = *hosts + 1;
        *hosts += addresses;
        let namespace = format!("{}-{name}", self.name);
        let folder = self.folder.path().join(name);
        fs::create_dir(&folder).expect("a new host name");
        ip(&["netns", "add", &namespace]);
        let port = format!("port{first}");
        ip(&[
            "link",
            "add",
            "eth0",
            "netns",
            &namespace,
            "type",
            "veth",
            "peer",
            "name",
            &port,
            "netns",
            &self.hub(),
        ]);
        ip(&[
            "-n",
            &self.hub(),
            "link",
            "set",
            &port,
            "master",
            "hub",
            "up",
        ]);
        let addresses: Vec<String> = (first..first + addresses)
            .map(|net| format!("198.18.{net}.2"))
            .collect();
        for address in &addresses {
            ip(&[
                "-n",
                &namespace,
                "addr",
                "add",
                &format!("{address}/15"),
                "dev",
                "eth0",
            ]);
        }
        for device in ["lo", "eth0"] {
            ip(&["-n", &namespace, "link", "set", device, "up"]);
        }
        ip(&["-n", &namespace, "route", "add", "default", "via", GATEWAY]);
        Host {
            namespace,
            addresses,
            folder,
        }
    }

    /// A folder that ends with the lab, for what several hosts read.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn hub(&self) -> String {
        format!("{}-hub", self.name)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        remove_namespaces(&format!("{}-", self.name));
        if std::env::var_os(KEEP).is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("logs: {}", self.folder.path().display());
        }
    }
}

impl Host {
    /// Its address, the first one if there are several.
    pub fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// The name of its namespace.
    #[allow(
        dead_code,
        reason = "one of the binaries that share this file needs it"
    )]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All its addresses.
    pub fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// A folder of its own; home and configuration of its programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A new folder `name` in its folder.
    pub fn new_folder(&self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// `program` on this host, not yet started. No configuration of the user who runs the tests reaches it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace, program]);
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
            command.env(key, &self.folder);
        }
        command.env("RES_OPTIONS", "timeout:1 attempts:1");
        command.current_dir(&self.folder);
        command
    }

    /// Starts `program` with `arguments`; its log files are called `name`.
    pub fn start(&self, name: &str, program: &str, arguments: &[&str]) -> Process {
        let mut command = self.command(program);
        command.args(arguments);
        Process::start(name, &self.folder, command)
    }

    /// Runs `program` to its end; its output if it succeeded.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self
            .command(program)
            .args(arguments)
            .output()
            .expect("ip netns exec");
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

/// Runs `ip`; a failure is a failure of the test.
fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ip {}: {error}",
        arguments.join(" ")
    );
}

/// Ends what still runs in the namespaces whose names begin with `start`, and the namespaces.
///
/// Failures are passed over: this also runs while a test panics, and what is gone needs no removing.
fn remove_namespaces(start: &str) {
    for namespace in namespaces().iter().filter(|name| name.starts_with(start)) {
        if let Ok(pids) = Command::new("ip")
            .args(["netns", "pids", namespace])
            .output()
        {
            for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
                let _ = Command::new("kill").args(["-9", pid]).status();
            }
        }
        let _ = Command::new("ip")
            .args(["netns", "del", namespace])
            .status();
    }
}

/// Removes the labs whose process is gone: a test run that was killed had no time for it.
fn remove_stale() {
    for namespace in namespaces() {
        let Some(rest) = namespace.strip_prefix(PREFIX) else {
            continue;
        };
        let owner = rest.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(owner).exists() {
            remove_namespaces(&format!("{PREFIX}{owner}-"));
        }
    }
}

fn namespaces() -> Vec<String> {
    let Ok(output) = Command::new("ip").args(["netns", "list"]).output() else {
        return Vec::new();
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}
