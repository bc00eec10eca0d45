//! The built `trackless` as a user meets it: exit codes, what stands on stdout and what on stderr.
//! Only commands that open no network.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test with a real clock"
)]

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

/// A folder `t` with two files of 100,000 and 50,000 bytes and an empty one.
fn some_files(dir: &Path) {
    std::fs::create_dir_all(dir.join("t/sub")).unwrap();
    let bytes = |count: u32, step: u32| (0..count).map(|i| (i / step) as u8).collect::<Vec<u8>>();
    std::fs::write(dir.join("t/a.bin"), bytes(100_000, 7)).unwrap();
    std::fs::write(dir.join("t/sub/b.bin"), bytes(50_000, 3)).unwrap();
    std::fs::write(dir.join("t/sub/empty"), b"").unwrap();
}

#[test]
fn create_magnet_show_and_verify_agree() {
    let dir = tempfile::tempdir().unwrap();
    some_files(dir.path());
    let created = trackless(
        dir.path(),
        &["torrent", "create", "t", "--piece-length", "16KiB"],
    );
    assert_eq!(code(&created), 0, "{created:?}");
    assert!(
        out(&created).starts_with("magnet:?xt=urn:btih:"),
        "{created:?}"
    );
    assert_eq!(
        out(&created).lines().count(),
        1,
        "nothing but the magnet on stdout"
    );
    assert!(err(&created).contains("Wrote t.torrent: 146.4 KiB, 10 pieces of 16.0 KiB"));
    let magnet = trackless(dir.path(), &["torrent", "magnet", "t.torrent"]);
    assert_eq!(out(&magnet), out(&created));

    let shown = trackless(dir.path(), &["show", "t.torrent", "--files"]);
    for word in [
        "Name        t\n",
        "146.4 KiB (150000 bytes)",
        "10 × 16.0 KiB",
        "t/sub/b.bin",
    ] {
        assert!(
            out(&shown).contains(word),
            "{word} is missing in {}",
            out(&shown)
        );
    }
    let json = trackless(dir.path(), &["show", "t.torrent", "--json"]);
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        value["files"][1],
        serde_json::json!({"number": 2, "path": "t/sub/b.bin", "size": 50_000})
    );
    assert!(out(&created).contains(value["info_hash"].as_str().unwrap()));

    for path in [&[][..], &["."], &["t"]] {
        let arguments = [&["torrent", "verify", "t.torrent"][..], path].concat();
        let verified = trackless(dir.path(), &arguments);
        assert_eq!(
            (code(&verified), out(&verified)),
            (0, String::new()),
            "{verified:?}"
        );
    }
}

#[test]
fn verify_names_what_is_wrong_and_ends_with_8() {
    let dir = tempfile::tempdir().unwrap();
    some_files(dir.path());
    trackless(
        dir.path(),
        &["torrent", "create", "t", "--piece-length", "16KiB"],
    );
    let mut damaged = std::fs::read(dir.path().join("t/a.bin")).unwrap();
    damaged[20_000] ^= 1;
    std::fs::write(dir.path().join("t/a.bin"), &damaged).unwrap();
    let output = trackless(dir.path(), &["torrent", "verify", "t.torrent"]);
    assert_eq!(code(&output), 8);
    assert_eq!(out(&output), "damaged     t/a.bin  pieces 1\n");
    assert_eq!(
        err(&output).lines().last(),
        Some("error: 1 of 10 pieces are wrong, in 1 of 3 files")
    );

    std::fs::write(dir.path().join("t/a.bin"), &damaged[..99_999]).unwrap();
    std::fs::remove_file(dir.path().join("t/sub/empty")).unwrap();
    let output = trackless(dir.path(), &["torrent", "verify", "t.torrent"]);
    // Piece 6 holds the end of a.bin and the start of b.bin: it cannot tell whose fault it is.
    assert_eq!(
        out(&output),
        "wrong size  t/a.bin  pieces 0-6\ndamaged     t/sub/b.bin  pieces 6\nmissing     t/sub/empty\n"
    );
    let json = trackless(dir.path(), &["torrent", "verify", "t.torrent", "--json"]);
    let lines: Vec<serde_json::Value> = out(&json)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &serde_json::Value| event["type"] != "progress")
        .collect();
    assert_eq!(
        lines[0]["bad_pieces"],
        serde_json::json!([0, 1, 2, 3, 4, 5, 6])
    );
    assert_eq!(lines[1]["code"], "verify_failed");
}

#[test]
fn a_single_file_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one"), vec![5; 40_000]).unwrap();
    let created = trackless(dir.path(), &["torrent", "create", "one", "-o", "x.torrent"]);
    assert_eq!(code(&created), 0, "{created:?}");
    for path in [".", "one"] {
        assert_eq!(
            code(&trackless(
                dir.path(),
                &["torrent", "verify", "x.torrent", path]
            )),
            0
        );
    }
    std::fs::rename(dir.path().join("one"), dir.path().join("renamed")).unwrap();
    assert_eq!(
        code(&trackless(
            dir.path(),
            &["torrent", "verify", "x.torrent", "renamed"]
        )),
        0
    );
    assert_eq!(
        code(&trackless(dir.path(), &["torrent", "verify", "x.torrent"])),
        8
    );
}

#[test]
fn existing_torrent_files_are_kept_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    some_files(dir.path());
    std::fs::write(dir.path().join("t.torrent"), b"mine").unwrap();
    assert_eq!(
        code(&trackless(dir.path(), &["torrent", "create", "t"])),
        10
    );
    assert_eq!(
        std::fs::read(dir.path().join("t.torrent")).unwrap(),
        b"mine"
    );
    assert_eq!(
        code(&trackless(
            dir.path(),
            &["torrent", "create", "t", "--force"]
        )),
        0
    );
    assert_eq!(code(&trackless(dir.path(), &["show", "t.torrent"])), 0);
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "no half-written file is left: {left:?}");
}

#[test]
fn files_that_are_no_torrents_are_3_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    for content in [&b""[..], b"hello", b"d4:infode", b"de", &[b'l'; 100_000]] {
        std::fs::write(dir.path().join("x.torrent"), content).unwrap();
        for arguments in [
            &["show", "x.torrent"][..],
            &["torrent", "verify", "x.torrent"],
        ] {
            let output = trackless(dir.path(), arguments);
            assert_eq!(code(&output), 3, "{output:?}");
            assert!(err(&output).starts_with("error: x.torrent is no valid torrent file: "));
        }
    }
    assert_eq!(code(&trackless(dir.path(), &["show", "none.torrent"])), 7);
}

#[test]
fn trackers_and_private_torrents() {
    let dir = tempfile::tempdir().unwrap();
    some_files(dir.path());
    let url = "http://tracker.example/announce";
    let arguments = ["torrent", "create", "t", "--private", "--tracker", url];
    assert_eq!(code(&trackless(dir.path(), &arguments)), 0);
    let shown = out(&trackless(dir.path(), &["show", "t.torrent"]));
    assert!(
        shown.contains("Private     yes") && shown.contains(url),
        "{shown}"
    );
    let odd = trackless(
        dir.path(),
        &["torrent", "create", "t", "--piece-length", "1000"],
    );
    assert_eq!(code(&odd), 2, "{odd:?}");
}

#[test]
fn names_that_would_arrive_changed_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "ends with a dot.",
        "right\u{202e}left",
        "aux.txt",
        "back\\slash",
    ] {
        std::fs::write(dir.path().join(name), b"x").unwrap();
        let output = trackless(dir.path(), &["torrent", "create", name, "-o", "x.torrent"]);
        assert_eq!(code(&output), 3, "{name}: {output:?}");
        assert!(!err(&output).contains('\u{202e}'));
    }
    assert!(!dir.path().join("x.torrent").exists());
}
