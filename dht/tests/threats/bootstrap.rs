//! 4.15: the way into the network in hostile or dead hands. Nobody who lets us in is needed, believed or asked for ever.

use std::net::SocketAddr;
use std::time::Duration;

use trackless_dht::{Endpoint, Event};

use crate::stage::{OURS, Stage, asks, compact, name, place, reply};

fn join(stage: &mut Stage, doors: impl IntoIterator<Item = u16>) {
    let doors = doors.into_iter().map(|n| Endpoint::from(place(n)));
    stage.node.join(stage.now, doors);
}

/// Rows N1: nobody answers, and no more than one question a minute goes to each.
#[test]
fn threat_4_15_silent_doors_are_asked_ever_more_rarely() {
    let mut stage = Stage::new();
    join(&mut stage, 0..6);
    stage.said();
    let first = stage.passes(Duration::from_secs(60)).len();
    let hour = stage.passes(Duration::from_secs(3_600)).len();
    assert!(first >= 6, "it goes on trying");
    assert!(
        hour <= 6 * 62,
        "{hour} questions in an hour, more than one a minute"
    );
    assert!(hour >= 6 * 30, "{hour}: it never gives up");
}

/// Rows N4, N5: saved contacts and bootstrap nodes dead but one: it is found.
///
/// One honest door among dead ones is enough, wherever it stands in the list.
#[test]
fn threat_4_15_one_living_door_of_hundreds_is_found() {
    for living in [0, 100, 199] {
        let mut stage = Stage::new();
        join(&mut stage, 0..200);
        let mut said = stage.said();
        for _ in 0..600 {
            if let Some(question) = said.iter().find(|it| it.to == place(living)) {
                stage.hears(place(living), &reply(&question.payload, name(living), &[]));
                break;
            }
            said = stage.passes(Duration::from_secs(1));
        }
        assert!(stage.knows(place(living)), "{living}");
    }
}

/// Rows A11: who lets us in and lies makes no contacts.
///
/// A door that names us, itself, nobody reachable and the same stranger again: no harm, and no contact but itself.
#[test]
fn threat_4_15_a_lying_door_makes_no_contacts() {
    let mut stage = Stage::new();
    join(&mut stage, [1]);
    let question = stage.said().remove(0).payload;
    let names = [
        (OURS, place(7)),
        (name(1), place(1)),
        (name(2), SocketAddr::from(([127, 0, 0, 1], 6881))),
        (name(3), SocketAddr::from(([10, 0, 0, 1], 6881))),
        (name(4), place(8)),
        (name(4), place(8)),
    ];
    let mut said = stage.hears(
        place(1),
        &reply(&question, name(1), &[("nodes", compact(names))]),
    );
    said.extend(stage.passes(Duration::from_secs(60)));
    assert!(said.iter().all(|it| [place(1), place(8)].contains(&it.to)));
    assert_eq!(stage.kept().0, 1);
}

/// Rows A11: a node let in by liars finds the way out of their hands.
///
/// Being let in by liars is not the end: when everybody it knew falls silent, the node knocks at all its doors again.
#[test]
fn threat_4_15_a_captured_node_comes_back_through_another_door() {
    let mut stage = Stage::new();
    join(&mut stage, [1, 2]);
    let said = stage.said();
    let question = said
        .iter()
        .find(|it| it.to == place(1))
        .expect("a question");
    stage.hears(place(1), &reply(&question.payload, name(1), &[]));
    let entered = |event: &Event| matches!(event, Event::FirstNode { .. });
    assert!(stage.events().iter().any(entered));
    // The captor is silent from now on; the other door comes back to life after an hour.
    stage.passes(Duration::from_secs(3_600));
    let mut found = false;
    for _ in 0..1_800 {
        for said in stage.passes(Duration::from_secs(1)) {
            if said.to == place(2) && asks(&said) && !found {
                stage.hears(place(2), &reply(&said.payload, name(2), &[]));
                found = stage.knows(place(2));
            }
        }
    }
    assert!(found, "the other door was not tried again");
}

#[test]
fn threat_4_15_doors_are_bounded() {
    let mut stage = Stage::new();
    for start in 0..20 {
        join(&mut stage, start * 500..(start + 1) * 500);
    }
    stage.said();
    let minute = stage.passes(Duration::from_secs(60)).len();
    assert!(minute <= 400, "{minute} questions in a minute");
}
