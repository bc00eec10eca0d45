//! Listening ports that are taken (reliability.md N16).

use std::net::TcpListener;
use std::process::Command;

use crate::stage::TRACKLESS;
use crate::support::network::said;
use crate::support::process::Process;
use crate::support::{seconds, wait_until};

/// Rows N16: a port that was asked for and is taken is an error that names it, with an exit code; any other is found.
#[test]
fn a_taken_port() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let node = |port: &str| {
        let mut command = Command::new(TRACKLESS);
        command.args([
            "dht",
            "node",
            "--bind",
            "127.0.0.1",
            "--bootstrap",
            "127.0.0.1:9",
            "--port",
            port,
        ]);
        command.arg("--state-dir").arg(folder.path().join("state"));
        command.env_clear().env("HOME", folder.path());
        command
    };
    let output = node(&port).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.contains(&format!("port {port} is taken")), "{text}");
    let free = Process::start("any", folder.path(), node("0"));
    let told = wait_until(seconds(20), || said(&free, "UDP port ").is_some());
    assert!(told.is_some(), "{}", free.stderr());
    assert_ne!(said(&free, "UDP port "), Some(port));
}
