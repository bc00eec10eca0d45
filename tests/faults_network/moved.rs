//! Another address or another port in the middle of everything (reliability.md N2, N6).

use crate::lab::{Host, Lab};
use crate::stage::{
    Nodes, Pair, arrives, by_dht, can_run, forgetful_nat, get, have, host, ip, mappings, seed,
    settle,
};
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

fn moves(host: &Host, from: &str, to: &str) {
    ip(host, &["addr", "del", &format!("{from}/8"), "dev", "eth0"]);
    settle(host, to);
}

/// Rows N2: the one who downloads moves: it goes on within a minute.
#[test]
fn the_downloader_moves() {
    let Some(pair) = Pair::start("mover", 3_000_000, "500k") else {
        return;
    };
    let mut getting = pair.begin();
    moves(&pair.us, "11.2.0.2", "11.4.0.2");
    // What it tells is up to a second old, at half a megabyte a second.
    let before = have(&getting) + 600_000;
    let again = wait_until(seconds(60), || {
        have(&getting) > before || getting.ended().is_some()
    });
    let again = again.expect("blocks again within a minute");
    pair.arrives(&mut getting, 60);
    println!(
        "the downloader moved: blocks again after {:.1} s",
        again.as_secs_f64()
    );
}

/// Rows N2: the one who seeds moves: within a minute whoever comes finds it at its new address.
#[test]
fn the_seeder_moves() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let sample = Sample::single(lab.folder(), "moved", 300_000, 65_536);
    let names = [
        ("early", "11.2.0.2"),
        ("seeder", "11.3.0.2"),
        ("late", "11.5.0.2"),
    ];
    let [early, seeder, late] = names.map(|(name, at)| host(&lab, name, at));
    let mut seeding = seed(&seeder, &sample, "10M", &by_dht(&nodes.entry()));
    nodes.learn(&sample, "11.3.0.2");
    let mut getting = get(&early, &sample.magnet(), &by_dht(&nodes.entry()));
    arrives(&mut getting, &early, &sample, 30);
    moves(&seeder, "11.3.0.2", "11.4.0.2");
    let mut getting = get(&late, &sample.magnet(), &by_dht(&nodes.entry()));
    let took = arrives(&mut getting, &late, &sample, 60);
    println!(
        "the seeder moved: content after {:.1} s",
        took.as_secs_f64()
    );
    assert!(seeding.ended().is_none());
}

/// Rows N6: behind a NAT that forgets: whoever waits for a seeder still finds it, from other ports than at the start.
#[test]
fn the_nat_gives_other_ports() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let nodes = Nodes::start(&lab);
    let sample = Sample::single(lab.folder(), "rebound", 300_000, 65_536);
    let [us, seeder] =
        [("us", "11.2.0.2"), ("seeder", "11.3.0.2")].map(|(name, at)| host(&lab, name, at));
    forgetful_nat(&us);
    let mut getting = get(&us, &sample.magnet(), &by_dht(&nodes.entry()));
    // One mapping for each node, then others for some.
    let enough = 2 * nodes.addresses.len() as u64;
    let rebound = wait_until(seconds(30), || mappings(&us) >= enough);
    assert!(rebound.is_some(), "{} mappings", mappings(&us));
    assert!(getting.ended().is_none(), "there was nobody yet");
    let _seeding = seed(&seeder, &sample, "10M", &by_dht(&nodes.entry()));
    let took = arrives(&mut getting, &us, &sample, 60);
    println!(
        "after {} mappings: content {:.1} s after the seeder",
        mappings(&us),
        took.as_secs_f64()
    );
}
