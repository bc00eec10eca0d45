//! Defaults and checks of the `dht` commands.

use super::super::super::args::{self, Command};
use super::super::super::config::Config;
use super::*;

const HASH: &str = "3b2449ef5c8f0b5e2f1a7c6d9e8f0a1b2c3d4e5f";

fn home(name: &str) -> Option<std::ffi::OsString> {
    (name == "HOME").then(|| "/home/x".into())
}

fn plan(line: &str) -> Result<DhtPlan, Failure> {
    let words = ["trackless", "dht"]
        .into_iter()
        .chain(line.split_whitespace());
    let Command::Dht(command) = args::parse(words).unwrap().command else {
        panic!("another command")
    };
    Background {
        config: &Config::default(),
        variable: &home,
    }
    .dht(command)
}

#[test]
fn the_port_of_an_announcement_is_not_bound() {
    let DhtPlan::Announce(announce) = plan(&format!("announce {HASH} --port 7000")).unwrap() else {
        panic!("another plan")
    };
    assert_eq!((announce.port, announce.network.port), (Some(7000), 0));
    let DhtPlan::Announce(announce) = plan(&format!("announce {HASH}")).unwrap() else {
        panic!("another plan")
    };
    assert_eq!(announce.port, None);
}

#[test]
fn a_target_is_an_id_a_hash_or_a_magnet_link() {
    for target in [HASH.to_owned(), format!("magnet:?xt=urn:btih:{HASH}")] {
        let DhtPlan::Find(find) = plan(&format!("find {target}")).unwrap() else {
            panic!("another plan")
        };
        assert_eq!(find.target.to_string(), HASH);
    }
    for line in ["find Cargo.toml", "find x", "announce -", "lookup 12"] {
        assert_eq!(plan(line).unwrap_err().code, ExitCode::BadInput, "{line}");
    }
}

#[test]
fn an_id_is_made_or_checked_for_an_address() {
    assert!(matches!(plan("id").unwrap(), DhtPlan::Id(IdPlan::Ours(_))));
    assert!(matches!(
        plan("id ::1").unwrap(),
        DhtPlan::Id(IdPlan::Make(_))
    ));
    let check = plan(&format!("id 1.2.3.4 --check {HASH}")).unwrap();
    assert!(matches!(check, DhtPlan::Id(IdPlan::Check(..))));
    let failure = plan("id 1.2.3.4 --check 12").unwrap_err();
    assert_eq!(failure.code, ExitCode::BadInput);
}

#[test]
fn a_size_is_measured_at_sixteen_places() {
    let DhtPlan::Size { lookups, .. } = plan("size").unwrap() else {
        panic!("another plan")
    };
    assert_eq!(lookups, 16);
}
