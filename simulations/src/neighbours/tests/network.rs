//! What lookups of each policy find in a network of its own kind, and how long they wait.

use std::time::Duration;

use dht::Id;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::{KINDS, Lab};
use crate::neighbours::Kind;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_announced_peer_is_found_among_sixty_of_each_kind() {
    for kind in KINDS {
        let mut lab = Lab::warm(kind, 60);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut firsts, mut ends) = (Vec::new(), Vec::new());
        for round in 0..9 {
            let hash = Id::random(&mut rng);
            let (publisher, reader) = (round + 1, round + 30);
            let begun = lab.now;
            let lookup = lab.nodes[publisher].announce(begun, hash, 4_000);
            lab.flush(publisher);
            lab.run(secs(60));
            let (_, done) = lab.outcome(publisher, lookup, begun);
            let (_, report) = done.expect("an announcement ends");
            assert!(report.announced >= 6, "{kind}: {report:?}");
            let begun = lab.now;
            let lookup = lab.nodes[reader].get_peers(begun, hash);
            lab.flush(reader);
            lab.run(secs(60));
            let (first, done) = lab.outcome(reader, lookup, begun);
            firsts.push(first.unwrap_or_else(|| panic!("{kind} found nothing")));
            ends.push(done.expect("a lookup ends").0);
        }
        firsts.sort();
        ends.sort();
        println!("{kind}: first {:?}, end {:?}", firsts[4], ends[4]);
        assert!(firsts[4] <= Duration::from_millis(400), "{kind}");
        for node in &lab.nodes {
            let bytes = size_of_val(node) + node.heap_bytes();
            assert!(bytes <= 8_192, "{kind}: {bytes} bytes");
        }
        let most = lab.nodes.iter().map(|n| size_of_val(n) + n.heap_bytes());
        let contacts = lab.nodes.iter().map(super::Neighbour::table_len).max();
        println!(
            "{kind}: {:?} bytes at most, {contacts:?} contacts",
            most.max()
        );
    }
}

/// How long an announcement takes while the closest node, known to the publisher, is dead.
fn past_a_dead_node(kind: Kind) -> Duration {
    let mut lab = Lab::warm(kind, 60);
    let dead = 7;
    let hash = lab.nodes[dead].id();
    lab.kill(dead);
    let knows = |at: &usize| {
        let mut contacts = lab.nodes[*at].contacts();
        contacts.any(|contact| contact.id == hash)
    };
    let publisher = (0..60).filter(|at| *at != dead).find(knows);
    let publisher = publisher.expect("somebody knows it");
    let begun = lab.now;
    let lookup = lab.nodes[publisher].announce(begun, hash, 4_000);
    lab.flush(publisher);
    lab.run(secs(120));
    let (_, done) = lab.outcome(publisher, lookup, begun);
    let (took, report) = done.expect("an announcement ends");
    assert!(report.timed_out >= 1 && report.announced >= 6, "{report:?}");
    assert_ne!(lab.closest(&hash).first(), Some(&dead));
    took
}

#[test]
fn a_dead_node_holds_each_announcement_up_as_its_row_says() {
    for (kind, least, most) in [
        (Kind::Libtorrent, 15, 16),
        (Kind::Natted, 15, 16),
        (Kind::Mldht, 10, 11),
        (Kind::Jech, 30, 55),
        (Kind::Flood, 2, 3),
        (Kind::Bep5, 2, 4),
    ] {
        let took = past_a_dead_node(kind);
        assert!(took >= secs(least) && took < secs(most), "{kind}: {took:?}");
    }
}

#[test]
fn as_many_questions_go_out_at_once_as_the_row_says() {
    for (kind, questions) in [
        (Kind::Libtorrent, 5),
        (Kind::Mldht, 10),
        (Kind::Jech, 4),
        // Twenty, and a ping along with each.
        (Kind::Flood, 40),
        (Kind::Bep5, 3),
    ] {
        let mut lab = Lab::warm(kind, 60);
        println!("{kind}: {} after ten minutes", lab.nodes[9].table_len());
        lab.run(secs(1_800));
        assert!(lab.nodes[9].table_len() >= 20, "{kind} knows too few");
        let now = lab.now;
        lab.nodes[9].get_peers(now, Id::new([0x5a; 20]));
        let sent = std::iter::from_fn(|| lab.nodes[9].poll_transmit()).count();
        assert_eq!(sent, questions, "{kind}");
    }
}

#[test]
fn jech_ends_at_a_step_though_all_have_answered_long_before() {
    let mut lab = Lab::warm(Kind::Jech, 60);
    let begun = lab.now;
    let lookup = lab.nodes[3].get_peers(begun, Id::new([0x77; 20]));
    lab.flush(3);
    lab.run(secs(60));
    let (took, _) = lab.outcome(3, lookup, begun).1.expect("it ends");
    assert!(took >= secs(10), "{took:?}");
}
