//! The built `trackless` as a user meets it: exit codes, what stands on stdout and what on stderr.
//! Only commands that open no network.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Runs it in `dir` with an empty environment, so that nobody's configuration plays a part.
fn trackless(dir: &Path, arguments: &[&str]) -> Output {
    with_environment(dir, arguments, &[])
}

fn with_environment(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trackless"))
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("HOME", dir)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn version_for_people_and_scripts() {
    let dir = tempfile::tempdir().unwrap();
    let text = trackless(dir.path(), &["version"]);
    assert_eq!(code(&text), 0);
    assert!(out(&text).starts_with("trackless "));
    let json = trackless(dir.path(), &["version", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&value["v"], &value["type"]),
        (&1.into(), &"version".into())
    );
}

#[test]
fn completions_and_manual_pages_go_to_stdout() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["completions", "bash"][..], &["man"], &["man", "get"]] {
        let output = trackless(dir.path(), arguments);
        assert_eq!(
            (code(&output), err(&output)),
            (0, String::new()),
            "{arguments:?}"
        );
        assert!(out(&output).len() > 500);
    }
    assert_eq!(code(&trackless(dir.path(), &["man", "no-such"])), 12);
}

#[test]
fn usage_errors_are_2_and_go_to_stderr() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        &["gett"][..],
        &[],
        &["get"],
        &["get", "x", "--timeout", "soon"],
    ] {
        let output = trackless(dir.path(), arguments);
        assert_eq!(
            (code(&output), out(&output)),
            (2, String::new()),
            "{arguments:?}"
        );
    }
    let output = trackless(dir.path(), &["get", "x", "--timeout", "soon", "--json"]);
    let event: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&event["code"], &event["exit_code"]),
        (&"usage".into(), &2.into())
    );
}

#[test]
fn help_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let output = trackless(dir.path(), &["get", "--help"]);
    assert_eq!(code(&output), 0);
    assert!(out(&output).contains("--stall-timeout"));
}

#[test]
fn bad_inputs_are_3_with_a_caret_and_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let hash = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5";
    for input in [hash, "debian", "magnet:?xt=urn:btih:3b2449", "magnet:?dn=x"] {
        let started = Instant::now();
        let output = trackless(dir.path(), &["get", input]);
        assert_eq!(code(&output), 3, "{input}: {}", err(&output));
        assert!(
            err(&output).starts_with("error: ") && err(&output).contains('^'),
            "{output:?}"
        );
        assert_eq!(out(&output), "");
        // Before any socket: without names to resolve, without time-outs.
        assert!(started.elapsed() < Duration::from_secs(2));
    }
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        0,
        "nothing on disk"
    );
}

#[test]
fn an_unknown_key_in_the_configuration_is_an_error_with_a_suggestion() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(".config/trackless");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "[limits]\n dwon = \"1M\"\n").unwrap();
    let output = trackless(dir.path(), &["version"]);
    assert_eq!(code(&output), 2);
    assert!(
        err(&output).contains("config.toml, line 2: unknown field `dwon`"),
        "{output:?}"
    );
    assert!(
        err(&output).contains("hint: did you mean `down`?"),
        "{output:?}"
    );
    let other = dir.path().join("other.toml");
    std::fs::write(&other, "").unwrap();
    let output = trackless(dir.path(), &["version", "--config", "other.toml"]);
    assert_eq!(code(&output), 0, "--config replaces the usual file");
    assert_eq!(
        code(&trackless(
            dir.path(),
            &["version", "--config", "none.toml"]
        )),
        7
    );
}

#[test]
fn options_come_from_the_environment_too() {
    let dir = tempfile::tempdir().unwrap();
    let output = with_environment(dir.path(), &["version"], &[("TRACKLESS_JSON", "1")]);
    assert!(out(&output).starts_with('{'), "{output:?}");
    let output = with_environment(dir.path(), &["version"], &[("TRACKLESS_JSON", "no")]);
    assert!(out(&output).starts_with("trackless"), "{output:?}");
    let output = with_environment(dir.path(), &["demo"], &[("TRACKLESS_NODES", "many")]);
    assert_eq!(code(&output), 2);
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_trackless"))
        .args(["completions", "zsh"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(err(&output), "");
}
