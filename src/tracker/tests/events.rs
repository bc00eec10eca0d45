//! `started`, `completed` and `stopped` over whole lives of a torrent, in virtual time.

use super::super::announcer::PATIENCE;
use super::super::{AnnounceEvent, Failure};
use super::announcer::{SECOND, Stage, good, host, totals};

#[test]
fn completed_is_told_once_to_who_knows_us() {
    let mut stage = Stage::new(&[&["a"], &["b"]]);
    let ask = stage.ask();
    stage.answer(&ask, good(1));
    stage.pass(10 * SECOND);
    stage.machine.set_totals(totals(1000, 0));
    stage.machine.completed(stage.now);
    let told = stage.ask();
    assert_eq!(
        (host(&told), told.announce.event, told.announce.left),
        ("a", AnnounceEvent::Completed, 0)
    );
    stage.machine.completed(stage.now);
    stage.answer(&told, good(1));
    let mut later = stage.pass(4000 * SECOND);
    later.retain(|ask| host(ask) == "a");
    assert!(!later.is_empty());
    assert!(
        later
            .iter()
            .all(|ask| ask.announce.event == AnnounceEvent::None),
        "{later:?}"
    );
}

#[test]
fn completed_while_started_is_on_its_way() {
    let mut stage = Stage::new(&[&["a"]]);
    let ask = stage.ask();
    stage.machine.set_totals(totals(1000, 0));
    stage.machine.completed(stage.now);
    assert!(stage.asks().is_empty());
    stage.answer(&ask, good(1));
    assert_eq!(stage.ask().announce.event, AnnounceEvent::Completed);
    // Who was told of nothing missing hears no `completed`.
    let mut stage = Stage::new(&[&["a"]]);
    stage.machine.set_totals(totals(1000, 0));
    let ask = stage.ask();
    stage.machine.completed(stage.now);
    stage.answer(&ask, good(1));
    assert!(stage.pass(100 * SECOND).is_empty());
}

#[test]
fn goodbyes_go_to_those_who_know_us() {
    let mut stage = Stage::new(&[&["a"], &["b"], &["c"]]);
    let dead = stage.ask();
    stage.fail(&dead, Failure::Refused);
    let alive = stage.ask();
    stage.answer(&alive, good(1));
    stage.machine.stop(stage.now);
    assert!(!stage.machine.is_over());
    let bye = stage.ask();
    assert_eq!(
        (host(&bye), bye.announce.event, bye.announce.numwant),
        ("b", AnnounceEvent::Stopped, Some(0))
    );
    assert!(!stage.machine.is_over());
    stage.answer(&bye, good(4));
    assert!(stage.machine.is_over());
    assert_eq!(stage.peers(), 1, "peers of a goodbye are of no use");
    assert!(stage.pass(9999 * SECOND).is_empty());
}

#[test]
fn completed_and_stopped_in_one_go() {
    let mut stage = Stage::new(&[&["a"]]);
    let ask = stage.ask();
    stage.answer(&ask, good(1));
    stage.machine.set_totals(totals(1000, 0));
    stage.machine.completed(stage.now);
    stage.machine.stop(stage.now);
    let done = stage.ask();
    assert_eq!(done.announce.event, AnnounceEvent::Completed);
    stage.answer(&done, good(1));
    let bye = stage.ask();
    assert_eq!(bye.announce.event, AnnounceEvent::Stopped);
    stage.fail(&bye, Failure::Silent);
    assert!(stage.machine.is_over());
}

#[test]
fn nobody_hears_goodbye_who_never_heard_of_us() {
    // Not even asked yet.
    let mut stage = Stage::new(&[&["a"]]);
    stage.machine.handle_timeout(stage.now);
    stage.machine.stop(stage.now);
    assert!(stage.asks().is_empty());
    assert!(stage.machine.is_over());
    // Asked just now: a good answer is answered with a goodbye.
    let mut stage = Stage::new(&[&["a"]]);
    let ask = stage.ask();
    stage.machine.stop(stage.now);
    assert!(!stage.machine.is_over());
    stage.answer(&ask, good(1));
    assert_eq!(stage.ask().announce.event, AnnounceEvent::Stopped);
    // Asked long ago: nobody waits.
    let mut stage = Stage::new(&[&["a"]]);
    stage.ask();
    stage.pass(2 * PATIENCE);
    stage.machine.stop(stage.now);
    assert!(stage.machine.is_over());
}
