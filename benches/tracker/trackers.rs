//! The trackers that are measured: processes on loopback, ended with their owner.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{TORRENTS, hash};

/// A running tracker.
pub(super) struct Subject {
    pub(super) name: &'static str,
    /// TCP and UDP.
    pub(super) at: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

/// A port that was free a moment ago.
fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("bound")
}

impl Subject {
    pub(super) fn ours() -> Option<Subject> {
        Subject::trackless("trackless", &[])
    }

    pub(super) fn ours_with_db() -> Option<Subject> {
        Subject::trackless("  with --db", &["--db", "peers.db"])
    }

    fn trackless(name: &'static str, more: &[&str]) -> Option<Subject> {
        let at = free();
        let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
        command.args([
            "tracker",
            "--quiet",
            "--http",
            &at.to_string(),
            "--udp",
            &at.to_string(),
        ]);
        command.args(more);
        Subject::start(name, at, command)
    }

    /// Debian's build serves only what a list names.
    pub(super) fn opentracker() -> Option<Subject> {
        let at = free();
        let mut command = Command::new("opentracker");
        let port = at.port().to_string();
        command.args([
            "-i",
            "127.0.0.1",
            "-p",
            &port,
            "-P",
            &port,
            "-d",
            ".",
            "-w",
            "list",
        ]);
        Subject::start("opentracker", at, command)
    }

    fn start(name: &'static str, at: SocketAddr, mut command: Command) -> Option<Subject> {
        let folder = tempfile::tempdir().expect("a folder");
        let hex = |torrent| {
            hash(torrent)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let list: String = (0..TORRENTS).map(|torrent| hex(torrent) + "\n").collect();
        fs::write(folder.path().join("list"), list).expect("a file");
        // opentracker gives its privileges up before it reads the list.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(folder.path(), open).expect("permissions");
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let Ok(child) = command.spawn() else {
            println!("{name:<12} is not installed");
            return None;
        };
        let subject = Subject {
            name,
            at,
            child,
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{name} does not serve"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(subject)
    }

    /// Processor time of all its threads so far, to a hundredth of a second.
    pub(super) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("Linux");
        let fields = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ticks: u64 = fields
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        Duration::from_millis(10 * ticks)
    }

    /// Bytes of memory.
    pub(super) fn resident(&self) -> u64 {
        super::memory::resident(&self.child.id().to_string())
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
