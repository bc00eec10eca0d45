//! A client's datagrams, written by hand.

use bencode::Endpoint;
use dht::AnnouncePort;
use dht::message::{Answer, Envelope, Standing, Want};

use super::*;

const WANT: Want = Want {
    v4: true,
    v6: false,
};

fn hash() -> Id {
    Id::new([9; 20])
}

fn node(number: u8) -> SocketAddrV4 {
    SocketAddrV4::new([5, 6, 7, number].into(), 6881)
}

fn envelope(transaction: &[u8]) -> Envelope<'_> {
    Envelope {
        transaction,
        version: *b"TEST",
        id: Id::new([1; 20]),
    }
}

fn query(transaction: &[u8], method: &Method<'_>) -> Vec<u8> {
    message::write_query(&envelope(transaction), Standing::Full, WANT, method)
}

fn answer(transaction: &[u8], values: usize) -> Vec<u8> {
    let peer = Endpoint::new([8, 8, 8, 8].into(), 1);
    let answer = Answer {
        token: Some(b"tok"),
        values: vec![peer; values],
        ..Answer::default()
    };
    message::write_response(&envelope(transaction), peer, &answer)
}

/// A meter with an order at `start`.
fn ordered(start: Instant) -> Meter {
    let mut meter = Meter::default();
    meter.order(start, hash());
    meter
}

fn after(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

#[test]
fn the_clock_starts_with_the_question_and_stops_with_the_first_values() {
    let start = crate::time::Clock::default().instant(crate::time::Time::ZERO);
    let mut meter = ordered(start);
    let ask = Method::GetPeers { info_hash: hash() };
    let find = Method::FindNode { target: hash() };
    meter.sent(after(start, 100), node(9), &query(b"zz", &find));
    meter.sent(after(start, 500), node(1), &query(b"aa", &ask));
    meter.sent(after(start, 510), node(2), &query(b"bb", &ask));
    // No values; values of a stranger; an answer to nothing.
    meter.delivered(after(start, 600), node(1), &answer(b"aa", 0));
    meter.delivered(after(start, 610), node(3), &answer(b"bb", 1));
    meter.delivered(after(start, 620), node(2), &answer(b"cc", 1));
    assert_eq!(meter.trials()[0].first_values, None);
    meter.delivered(after(start, 700), node(2), &answer(b"bb", 1));
    meter.delivered(after(start, 900), node(1), &answer(b"aa", 5));
    let trial = &meter.trials()[0];
    assert_eq!(trial.asked, Some(after(start, 500)));
    assert_eq!(trial.first_values, Some(Duration::from_millis(200)));
    assert_eq!((trial.out.packets, trial.back.packets), (3, 3));
    assert_eq!((trial.nodes.len(), trial.answered.len()), (2, 2));
    assert_eq!((meter.sent.packets, meter.got.packets), (3, 5));
}

#[test]
fn an_announcement_counts_once_a_node() {
    let start = crate::time::Clock::default().instant(crate::time::Time::ZERO);
    let mut meter = ordered(start);
    let announce = Method::AnnouncePeer {
        info_hash: hash(),
        port: AnnouncePort::Explicit(6881),
        token: b"tok",
    };
    meter.sent(
        start,
        node(1),
        &query(b"aa", &Method::GetPeers { info_hash: hash() }),
    );
    for (number, transaction) in [(1, b"bb"), (1, b"cc"), (2, b"dd")] {
        meter.sent(start, node(number), &query(transaction, &announce));
    }
    meter.delivered(after(start, 80), node(1), &answer(b"bb", 0));
    meter.delivered(after(start, 90), node(1), &answer(b"cc", 0));
    let trial = &meter.trials()[0];
    assert_eq!((trial.announced.len(), trial.acknowledged.len()), (2, 1));
    assert_eq!(trial.last_ack, Some(Duration::from_millis(80)));
}

#[test]
fn what_names_no_hash_of_ours_is_counted_alone() {
    let start = crate::time::Clock::default().instant(crate::time::Time::ZERO);
    let mut meter = ordered(start);
    let other = Id::new([3; 20]);
    let ping = query(b"aa", &Method::Ping);
    meter.sent(start, node(1), &ping);
    meter.sent(
        start,
        node(1),
        &query(b"bb", &Method::GetPeers { info_hash: other }),
    );
    meter.sent(start, node(1), b"rubbish");
    let trial = &meter.trials()[0];
    assert_eq!((trial.out.packets, trial.all_out.packets), (0, 3));
    assert_eq!(trial.asked, None);
    let bytes = (ping.len() + HEADERS) as u64;
    assert!(meter.sent.bytes > bytes && meter.sent.packets == 3);
}

#[test]
fn questions_that_nobody_answers_are_forgotten_in_the_end() {
    let start = crate::time::Clock::default().instant(crate::time::Time::ZERO);
    let mut meter = ordered(start);
    for number in 0..MAX_PENDING as u32 + 9 {
        let ask = Method::GetPeers { info_hash: hash() };
        meter.sent(start, node(1), &query(&number.to_be_bytes(), &ask));
    }
    assert_eq!(
        (meter.pending.len(), meter.ages.len()),
        (MAX_PENDING, MAX_PENDING)
    );
    meter.delivered(start, node(1), &answer(&0_u32.to_be_bytes(), 1));
    assert_eq!(meter.trials()[0].first_values, None);
}
