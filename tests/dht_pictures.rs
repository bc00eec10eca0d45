//! `dht table --svg` and `dht lookup --svg` against a bare node on the loopback interface.
#![allow(
    clippy::disallowed_methods,
    reason = "real processes run on the real clock"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use support::process::Process;
use support::wait_until;

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

/// In its own folder, so that no saved contacts play a part.
fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trackless"));
    let network = ["--bind", "127.0.0.1", "--port", "0"];
    command
        .args(arguments)
        .args(network)
        .env_clear()
        .env("HOME", home)
        .current_dir(home);
    command
}

fn picture(folder: &Path, node: &str, arguments: &[&str]) -> (Output, String) {
    let file = folder.join("picture.svg");
    let file_name = file.to_str().expect("UTF-8");
    let own = tempfile::tempdir_in(folder).expect("a folder");
    let output = command(own.path(), arguments)
        .args(["--bootstrap", node, "--svg", file_name])
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let svg = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{arguments:?}: {e}: {said}"));
    fs::remove_file(&file).expect("just read");
    (output, svg)
}

#[test]
fn a_table_and_a_lookup_are_drawn() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Process::start(
        "node",
        folder.path(),
        command(folder.path(), &["dht", "node"]),
    );
    let port = || {
        let said = node.stderr();
        let (_, rest) = said.split_once("UDP port ")?;
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        Some(rest[..digits].to_owned())
    };
    wait_until(Duration::from_secs(20), || port().is_some());
    let address = format!("127.0.0.1:{}", port().expect("the node tells its port"));

    let (output, svg) = picture(folder.path(), &address, &["dht", "table"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    // Its key and the seat of the only contact, which has just answered.
    assert_eq!(svg.matches("#5fd38d").count(), 2, "{svg}");

    // Nobody announces the torrent (exit code 5); the picture is written all the same, and without
    // `--trace` no answer is told.
    let (output, svg) = picture(folder.path(), &address, &["dht", "lookup", HASH]);
    assert_eq!(output.status.code(), Some(5));
    assert!(svg.contains(HASH) && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains(&address));
}
