//! Peers that need no search: named by the user (`--peer`), by the magnet link (`x.pe`), or remembered from an earlier run.
//! No DHT, no trackers, no local discovery anywhere.

use crate::can_run;
use crate::clients::Client;
use crate::exchange::{arrives, endpoint, found, get, get_magnet, lonely, seed};
use crate::lab::Lab;
use crate::support::torrent::Sample;

#[test]
fn the_peer_of_a_magnet_link_is_enough() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "named", 1_000_000, 65_536);
    let [from, to] = ["from", "to"].map(|name| lab.host(name, 1));
    let _seed = seed(&from, &sample, &lonely(&from, &[]));
    let magnet = format!("{}&x.pe={}", sample.magnet(), endpoint(&from));
    let mut getting = get_magnet(&to, &magnet, &lonely(&to, &[]));
    arrives(&mut getting, &to, &sample);
    assert_eq!(found(&getting, "manual"), 1, "{}", getting.stdout());
}

/// The second run is told of nobody: what it knows is what the first one left.
#[test]
fn who_worked_is_tried_first_the_next_time() {
    if !can_run(&[Client::Trackless]) {
        return;
    }
    let lab = Lab::new();
    let sample = Sample::single(lab.folder(), "again", 1_000_000, 65_536);
    let [from, to] = ["from", "to"].map(|name| lab.host(name, 1));
    let _seed = seed(&from, &sample, &lonely(&from, &[]));
    let mut first = get(&to, &sample, &lonely(&to, &[&from]));
    arrives(&mut first, &to, &sample);
    std::fs::remove_dir_all(to.folder().join("downloads")).expect("the first download");
    let mut second = get(&to, &sample, &lonely(&to, &[]));
    arrives(&mut second, &to, &sample);
    assert_eq!(found(&second, "saved"), 1, "{}", second.stdout());
    assert_eq!(found(&second, "manual"), 0, "{}", second.stdout());
}
