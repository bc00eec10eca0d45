//! The next start: bootstrap nodes that are gone, saved contacts that are gone (reliability.md N4, N5).

use trackless::storage::load_dht_state;

use crate::lab::{Host, Lab};
use crate::stage::{Nodes, arrives, by_dht, can_run, endpoint, get, host, seed, told};
use crate::support::torrent::Sample;
use crate::support::{seconds, wait_until};

/// Two torrents; we, who seeds the first, and who seeds the second.
fn cast(lab: &Lab) -> ([Sample; 2], [Host; 3]) {
    let samples =
        ["first", "second"].map(|name| Sample::single(lab.folder(), name, 300_000, 65_536));
    let hosts = [
        ("us", "11.2.0.2"),
        ("seeder", "11.3.0.2"),
        ("other", "11.4.0.2"),
    ];
    (samples, hosts.map(|(name, at)| host(lab, name, at)))
}

/// A first download, which leaves contacts in the state folder of `us`.
fn meet(nodes: &Nodes, us: &Host, seeder: &Host, sample: &Sample) {
    let _seeding = seed(seeder, sample, "10M", &by_dht(&nodes.entry()));
    nodes.learn(sample, "11.3.0.2");
    let mut getting = get(us, &sample.magnet(), &by_dht(&nodes.entry()));
    arrives(&mut getting, us, sample, 30);
    assert!(
        us.folder()
            .join("state")
            .read_dir()
            .is_ok_and(|mut it| it.next().is_some())
    );
}

/// Rows N4: the bootstrap node and all saved contacts but one are gone: the swarm is reached.
#[test]
fn one_saved_contact_is_enough() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let mut nodes = Nodes::start(&lab);
    let ([first, second], [us, seeder, other]) = cast(&lab);
    meet(&nodes, &us, &seeder, &first);
    let entry = nodes.entry();
    let saved = load_dht_state(&us.folder().join("state")).contacts;
    let is_saved = |address: &String| saved.iter().any(|it| it.to_string() == endpoint(address));
    let left = (1..6).find(|&n| is_saved(&nodes.addresses[n]));
    let left = left.expect("more is saved than the bootstrap node");
    nodes.leave(left);
    // Of those who hold the second torrent, only the one that is left knows.
    let mut seeding = seed(&other, &second, "10M", &by_dht(&nodes.entry()));
    nodes.learn(&second, "11.4.0.2");
    let mut getting = get(&us, &second.magnet(), &by_dht(&entry));
    let took = arrives(&mut getting, &us, &second, 30);
    println!(
        "one of {} saved contacts lives: content {:.1} s",
        saved.len(),
        took.as_secs_f64()
    );
    assert!(seeding.ended().is_none());
}

/// Rows N5: every saved contact is gone: within 15 s the bootstrap nodes let us in.
#[test]
fn saved_contacts_that_are_all_gone() {
    if !can_run() {
        return;
    }
    let lab = Lab::new();
    let ([first, second], [us, seeder, other]) = cast(&lab);
    {
        let nodes = Nodes::start(&lab);
        meet(&nodes, &us, &seeder, &first);
    }
    let addresses = (1..=6).map(|n| format!("11.20.{n}.2")).collect();
    let nodes = Nodes::at(host(&lab, "new", "11.20.1.2"), addresses);
    let _seeding = seed(&other, &second, "10M", &by_dht(&nodes.entry()));
    nodes.learn(&second, "11.4.0.2");
    let mut getting = get(&us, &second.magnet(), &by_dht(&nodes.entry()));
    let joined = wait_until(seconds(15), || told(&getting, "joined"));
    let joined = joined.expect("the bootstrap nodes let us in");
    arrives(&mut getting, &us, &second, 30);
    println!("all saved contacts gone: DHT {:.1} s", joined.as_secs_f64());
}
