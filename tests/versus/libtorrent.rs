//! libtorrent as the other side, through its Python binding.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use serde_json::{Value, json};

use crate::live::{LIMIT, Live};

mod tests;

/// The other end of the pipe.
const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/versus/libtorrent_node.py"
);

/// Whether it can run here.
///
/// # Panics
/// When it is missing and `CI` is set.
pub fn is_there() -> bool {
    let import = Command::new("python3")
        .args(["-c", "import libtorrent"])
        .output();
    let there = import.is_ok_and(|output| output.status.success());
    if !there {
        assert!(
            std::env::var_os("CI").is_none(),
            "python3 has no libtorrent: pip3 install libtorrent"
        );
        eprintln!("skipped: python3 has no libtorrent; install with: pip3 install libtorrent");
    }
    there
}

/// A libtorrent session on a port of the loopback.
#[derive(Debug)]
pub struct Libtorrent {
    /// Where its DHT node listens.
    pub at: SocketAddr,
    child: Child,
    input: Option<ChildStdin>,
    alerts: Receiver<Value>,
}

impl Libtorrent {
    /// Starts a session that knows nobody.
    pub fn start() -> Libtorrent {
        let mut child = Command::new("python3")
            .arg(SCRIPT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, alerts) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("a line of JSON");
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let at = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut session = Libtorrent {
            at,
            child,
            input,
            alerts,
        };
        let up = session.alert("up", |_| true);
        let port = up["port"]
            .as_u64()
            .and_then(|port| u16::try_from(port).ok());
        session.at.set_port(port.expect("a port"));
        session
    }

    /// Starts a session that has `node` in its routing table.
    pub fn knowing(node: &Live) -> Libtorrent {
        let mut session = Libtorrent::start();
        session.meets(node);
        session
    }

    /// Tells it of a node, and waits until that is in its table.
    pub fn meets(&mut self, node: &Live) {
        self.tell(&json!({"do": "meet", "port": node.at.port(), "id": node.id.to_string()}));
        let id = node.id.to_string();
        self.alert("met", |line| line["id"] == id.as_str());
    }

    /// Sends a command.
    pub fn tell(&mut self, command: &Value) {
        let input = self.input.as_mut().expect("open until dropped");
        writeln!(input, "{command}").expect("it reads");
    }

    /// The first line of this kind that `is` accepts; those before it are lost.
    pub fn alert(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            let line = self.alerts.recv_timeout(rest);
            let line = line.unwrap_or_else(|_| panic!("waited in vain for {what:?}"));
            if line["what"] == what && is(&line) {
                return line;
            }
        }
    }
}

impl Drop for Libtorrent {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        let _ = self.child.wait();
    }
}
