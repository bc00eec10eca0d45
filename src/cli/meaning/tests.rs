//! Flags over file over defaults, and the checks that need no network.

use std::time::Duration;

use super::super::args::{self, Command};
use super::super::config::from_text;
use super::super::hosts::Bind;
use super::*;

const HASH: &str = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f";

fn home(name: &str) -> Option<OsString> {
    (name == "HOME").then(|| OsString::from("/home/x"))
}

fn get(line: &str, file: &str) -> Result<GetPlan, Failure> {
    let words = format!("trackless get {HASH} {line}");
    let Command::Get(args) = args::parse(words.split_whitespace()).unwrap().command else {
        panic!("another command")
    };
    let config = from_text(file, "config.toml")?;
    Background {
        config: &config,
        variable: &home,
    }
    .get(args)
}

#[test]
fn defaults() {
    let plan = get("", "").unwrap();
    assert_eq!(plan.output, Path::new("."));
    assert_eq!(plan.selection, Selection::All);
    assert_eq!((plan.task, plan.after), (GetTask::Download, After::Leave));
    assert_eq!(
        (plan.limits, plan.patience),
        (Limits::default(), Patience::default())
    );
    assert_eq!((plan.check, plan.existing), (Check::Resume, Existing::Keep));
    assert_eq!((plan.order, plan.on_complete), (PieceOrder::Rarest, None));
    let network = plan.network;
    assert_eq!(
        (network.port, network.bind, network.families),
        (0, None, Families::Both)
    );
    assert_eq!(network.bootstrap.len(), BOOTSTRAP.len());
    assert_eq!(
        network.state_dir,
        Path::new("/home/x/.local/state/trackless")
    );
    assert!(
        [network.dht, network.pex, network.lsd, network.trackers]
            .iter()
            .all(|s| s.is_on())
    );
}

const FILE: &str = r#"
state_dir = "~/state"
[network]
port = 51413
bind = "10.0.0.1"
pex = false
allow = ["10.0.0.0/8"]
peers = ["p:1"]
[dht]
bootstrap = ["file:1"]
[limits]
down = "1M"
up = "2M"
[seed]
ratio = 2.0
time = "1h"
[get]
timeout = "5m"
[hooks]
on_complete = ["notify-send", "done"]
"#;

#[test]
fn the_file_fills_what_the_flags_leave_open() {
    let plan = get("", FILE).unwrap();
    assert_eq!(
        plan.limits,
        Limits {
            down: 1 << 20,
            up: 2 << 20
        }
    );
    assert_eq!(plan.patience.start, Some(Duration::from_secs(300)));
    assert_eq!(
        plan.on_complete,
        Some(Hook::Program(vec!["notify-send".into(), "done".into()]))
    );
    assert_eq!(
        plan.after,
        After::Leave,
        "a ratio in the file is no wish to seed"
    );
    assert_eq!(plan.network.bootstrap, ["file:1".parse().unwrap()]);
    assert_eq!(plan.network.pex, Switch::Off);
    assert_eq!(plan.network.state_dir, Path::new("/home/x/state"));
    assert_eq!(plan.network.allowed.len(), 1);
}

#[test]
fn flags_win_over_the_file() {
    let plan = get(
        "--port 1 --bind wg0 --bootstrap flag:2 --limit-down 0 --seed-ratio 1 --timeout 1s \
         --on-complete true --state-dir s --no-lsd -6 --peer q:2",
        FILE,
    )
    .unwrap();
    assert_eq!(plan.network.port, 1);
    assert_eq!(plan.network.bind, Some(Bind::Interface("wg0".into())));
    assert_eq!(plan.network.bootstrap, ["flag:2".parse().unwrap()]);
    assert_eq!(plan.network.peers, ["q:2".parse().unwrap()]);
    assert_eq!(plan.network.families, Families::V6);
    assert_eq!(
        plan.limits,
        Limits {
            down: 0,
            up: 2 << 20
        },
        "0 on the line lifts the limit"
    );
    assert_eq!(
        plan.after,
        After::Seed(SeedStop {
            ratio: Some(1.0),
            time: None
        })
    );
    assert_eq!(plan.on_complete, Some(Hook::Shell("true".into())));
    assert_eq!(plan.network.lsd, Switch::Off);
}

#[test]
fn seeding_takes_its_goals_from_the_file_unless_it_has_own_ones() {
    let time = Some(Duration::from_secs(3600));
    assert_eq!(
        get("--seed", FILE).unwrap().after,
        After::Seed(SeedStop {
            ratio: Some(2.0),
            time
        })
    );
    assert_eq!(
        get("--seed", "").unwrap().after,
        After::Seed(SeedStop::default())
    );
    let plan = get("--seed-time 5s", FILE).unwrap();
    assert_eq!(
        plan.after,
        After::Seed(SeedStop {
            ratio: None,
            time: Some(Duration::from_secs(5))
        })
    );
}

#[test]
fn folders_for_the_state() {
    let config = Config::default();
    let dir = |variables: &[(&str, &str)]| {
        let variable = |name: &str| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        };
        Background {
            config: &config,
            variable: &variable,
        }
        .state_dir(None)
    };
    let is = |variables, path: &str| assert_eq!(dir(variables).unwrap(), Path::new(path));
    is(
        &[
            ("STATE_DIRECTORY", "/var/a:/var/b"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/h"),
        ],
        "/var/a",
    );
    is(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")], "/x/trackless");
    is(
        &[("XDG_STATE_HOME", ""), ("HOME", "/h")],
        "/h/.local/state/trackless",
    );
    assert_eq!(dir(&[]).unwrap_err().code, ExitCode::Usage);
}

#[test]
fn wrong_ranges_and_numbers_are_found_before_the_network() {
    assert_eq!(
        get("--allow-net 10.0.0.0/33", "").unwrap_err().code,
        ExitCode::Usage
    );
    assert_eq!(get("-f 0", "").unwrap_err().code, ExitCode::Usage);
}

#[test]
fn the_target_folder_is_checked_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let new = dir.path().join("a/b/c");
    assert_eq!(check_folder(&new), Ok(()));
    assert!(!new.exists());
    let file = dir.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    for path in [file.clone(), file.join("below")] {
        assert_eq!(
            check_folder(&path).unwrap_err().code,
            ExitCode::Io,
            "{}",
            path.display()
        );
    }
}

#[test]
fn hooks_become_processes() {
    let words = |hook: Hook| {
        let process = hook.process();
        let mut words = vec![process.get_program().to_owned()];
        words.extend(process.get_args().map(ToOwned::to_owned));
        words
    };
    assert_eq!(words(Hook::Shell("a b".into())), ["sh", "-c", "a b"]);
    assert_eq!(
        words(Hook::Program(vec!["a".into(), "b c".into()])),
        ["a", "b c"]
    );
}
