//! The command line as users type it.

use super::*;

fn parsed(line: &str) -> Result<Args, clap::Error> {
    parse(std::iter::once("trackless").chain(line.split_whitespace()))
}

const HASH: &str = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f";

#[test]
fn the_tree_is_consistent() {
    command().debug_assert();
}

#[test]
fn every_option_has_its_variable() {
    fn walk(command: &clap::Command) -> usize {
        let options = command
            .get_arguments()
            .filter(|arg| arg.get_long().is_some());
        let mut count = 0;
        for arg in options {
            let variable = arg
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            let long = arg
                .get_long()
                .unwrap_or_default()
                .to_uppercase()
                .replace('-', "_");
            assert_eq!(
                variable,
                Some(format!("TRACKLESS_{long}")),
                "{}",
                command.get_name()
            );
            count += 1;
        }
        count + command.get_subcommands().map(walk).sum::<usize>()
    }
    assert!(walk(&command()) > 60);
}

#[test]
fn every_option_has_help_and_no_default() {
    fn walk(command: &clap::Command) {
        for arg in command.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{} {}",
                command.get_name(),
                arg.get_id()
            );
            let flag = matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::Count);
            assert!(
                flag || arg.get_default_values().is_empty(),
                "{}",
                arg.get_id()
            );
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&command());
}

#[test]
fn the_whole_of_get() {
    let args = parsed(&format!(
        "get {HASH} -o dl -f 1,3-5 -f *.mkv -l --seed --seed-ratio 1.5 --seed-time 2h \
         --limit-down 2.5M --limit-up 500k --timeout 5m --stall-timeout 90s --on-complete true \
         --check --force --sequential --bootstrap a:1 --bootstrap [::1]:2,b:3 --bind wg0 -p 6881 -4 \
         --no-dht --no-pex --no-lsd --no-trackers --peer 10.0.0.1:1 --allow-net 10.0.0.0/8 \
         --state-dir s --json"
    ))
    .unwrap();
    let Command::Get(get) = args.command else {
        panic!("another command")
    };
    assert!(args.global.json && get.seed && get.list && get.sequential && get.disk.force);
    assert_eq!(get.files, ["1,3-5", "*.mkv"]);
    assert_eq!(get.limits.limit_down, Some(5 << 19));
    assert_eq!(get.patience.stall_timeout, Some(Duration::from_secs(90)));
    assert_eq!(get.network.bootstrap.len(), 3);
    assert_eq!(get.network.port, Some(6881));
}

#[test]
fn global_options_stand_anywhere() {
    for line in [
        "--json version",
        "version --json",
        "-vv version",
        "torrent --json magnet x",
    ] {
        assert!(parsed(line).is_ok(), "{line}");
    }
    assert_eq!(parsed("version -vv").unwrap().global.verbose, 2);
    assert!(parsed("version -q -v").is_err());
}

#[test]
fn every_command_parses() {
    for line in [
        "get -",
        "download x",
        "seed x.torrent --data d",
        "share a b",
        "show x --files",
        "fetch x -o y",
        "torrent create a",
        "torrent create a --private --tracker http://t/a",
        "torrent verify a b",
        "torrent magnet a",
        "dht node",
        "dht lookup x --trace",
        "dht ping a:1 b:2",
        "dht ping",
        "dht lookup x --svg x.svg",
        "dht table",
        "dht table --svg t.svg",
        "dht find x --trace",
        "dht announce x --port 7000",
        "dht stats",
        "dht scrape x",
        "dht sample",
        "dht sample x",
        "dht get x --salt s -o f --force",
        "dht put value",
        "dht put --file f --bencoded",
        "dht put value --key k --salt s --seq 2 --cas 1",
        "dht put --generate-key k",
        "dht put --torrent x --generate-key k",
        "dht size --lookups 4",
        "dht id",
        "dht id ::1 --check x",
        "dht node --metrics [::1]:9100",
        "doctor",
        "doctor -o dl --timeout 3s",
        "demo",
        "demo --nodes 20 --size 1M",
        "completions bash",
        "man",
        "man torrent create",
        "version",
    ] {
        assert!(parsed(line).is_ok(), "{line}");
    }
}

#[test]
fn wrong_lines_are_usage_errors() {
    for line in [
        "",
        "gte x",
        "get",
        "get x --timeout soon",
        "get x --limit-up 5parsec",
        "get x -p 65536",
        "get x --bootstrap nohost",
        "get x --peer h:0",
        "get x -4 -6",
        "get x --seed-ratio -1",
        "torrent create a --private",
        "demo --nodes 3",
        "completions tcsh",
        "dht find",
        "dht get",
        "dht get x --force",
        "dht put value --file f",
        "dht put value --seq 2",
        "dht put value --key k --generate-key l",
        "dht put value --key k --cas -1",
        "dht put --torrent x",
        "dht size --lookups 0",
        "dht id --check x",
        "dht node --metrics 9100",
        "get x --no-such-option",
    ] {
        let error = parsed(line).unwrap_err();
        assert!(error.use_stderr() || line.is_empty(), "{line}");
    }
}

#[test]
fn an_unknown_command_gets_a_suggestion() {
    assert!(parsed("gett x").unwrap_err().to_string().contains("'get'"));
}

#[test]
fn help_is_readable() {
    let help = parsed("get --help").unwrap_err().to_string();
    for word in [
        "Network:",
        "--stall-timeout <DUR>",
        "TRACKLESS_SOME_NAME",
        "-o, --output <DIR>",
    ] {
        assert!(help.contains(word), "{word} is missing in\n{help}");
    }
    assert!(
        help.lines().all(|line| line.chars().count() <= 100),
        "{help}"
    );
    assert!(!help.contains("[env:"), "said once below instead");
}
