//! Conversations with one UDP tracker in virtual time: loss, forgery, forgotten connection ids.

use std::time::{Duration, Instant};

use bencode::Endpoint;

use super::super::exchange::{Answer, ConnectionId, Exchange, Question};
use super::super::udp::{Request, Response};
use super::super::{Failure, ScrapeReply};
use super::{announce, now as begin};
use crate::metainfo::InfoHash;

const SECOND: Duration = Duration::from_secs(1);

fn tracker() -> Endpoint {
    "192.0.2.9:6969".parse().expect("an endpoint")
}

fn question() -> Question {
    Question::Announce(announce(), b"/announce".to_vec())
}

fn start(connection: Option<ConnectionId>, now: Instant) -> Exchange {
    Exchange::new(tracker(), question(), connection, [5; 32], now)
}

fn sent(exchange: &mut Exchange) -> Option<Request> {
    let datagram = exchange.poll_transmit()?;
    Some(Request::parse(&datagram).expect("a request of the protocol"))
}

fn hear(exchange: &mut Exchange, now: Instant, response: &Response) {
    let mut datagram = Vec::new();
    response.write(&mut datagram);
    exchange.handle_datagram(now, tracker(), &datagram);
}

fn connected(transaction: u32) -> Response {
    Response::Connect {
        transaction,
        connection: 77,
    }
}

fn announced(transaction: u32) -> Response {
    Response::Announce {
        transaction,
        interval: 1800,
        leechers: 3,
        seeders: 2,
        peers: vec!["198.51.100.1:6881".parse().expect("an endpoint")],
    }
}

#[test]
fn connect_ask_answer() {
    let now = begin();
    let mut exchange = start(None, now);
    let connect = sent(&mut exchange).expect("a datagram");
    assert!(matches!(connect, Request::Connect { .. }));
    hear(&mut exchange, now, &connected(connect.transaction()));
    let Some(Request::Announce {
        connection: 77,
        transaction,
        url_data,
        ..
    }) = sent(&mut exchange)
    else {
        panic!("no announce");
    };
    assert_eq!(url_data, b"/announce");
    assert_ne!(
        transaction,
        connect.transaction(),
        "every stage has a number of its own"
    );
    hear(&mut exchange, now, &announced(transaction));
    match exchange.poll_outcome() {
        Some(Ok(Answer::Announce(reply))) => {
            assert_eq!(
                (reply.peers.len(), reply.seeders, reply.leechers),
                (1, Some(2), Some(3))
            );
            assert_eq!(reply.interval, 1800 * SECOND);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(exchange.next_timeout(), None);
    assert_eq!(exchange.poll_outcome(), None);
}

#[test]
fn lost_datagrams_are_sent_again_and_a_dead_tracker_is_given_up() {
    let start_time = begin();
    let mut exchange = start(None, start_time);
    let mut numbers = vec![sent(&mut exchange).expect("a datagram").transaction()];
    let mut times = vec![0];
    let mut end = None;
    while let Some(due) = exchange.next_timeout() {
        exchange.handle_timeout(due);
        if let Some(request) = sent(&mut exchange) {
            numbers.push(request.transaction());
            times.push((due - start_time).as_secs());
        }
        end = Some(due - start_time);
    }
    assert_eq!(times, [0, 1, 3, 7]);
    assert_eq!(end, Some(15 * SECOND));
    numbers.dedup();
    assert_eq!(numbers.len(), 1, "an answer to any of them is an answer");
    assert_eq!(exchange.poll_outcome(), Some(Err(Failure::Silent)));
}

/// Rows A26: answers from elsewhere or with another transaction change nothing.
#[test]
fn forged_and_misdirected_answers_change_nothing() {
    let now = begin();
    let mut exchange = start(None, now);
    let number = sent(&mut exchange).expect("a datagram").transaction();
    hear(&mut exchange, now, &connected(number ^ 1));
    hear(&mut exchange, now, &announced(number));
    let mut right = Vec::new();
    connected(number).write(&mut right);
    let elsewhere = "192.0.2.9:6970".parse().expect("an endpoint");
    exchange.handle_datagram(now, elsewhere, &right);
    exchange.handle_datagram(now, tracker(), &right[..15]);
    exchange.handle_datagram(now, tracker(), b"");
    assert_eq!((sent(&mut exchange), exchange.strays()), (None, 5));
    exchange.handle_datagram(now, tracker(), &right);
    let number = sent(&mut exchange).expect("the announce").transaction();
    // A second copy of the first answer, an error with a wrong number, the answer to another question.
    exchange.handle_datagram(now, tracker(), &right);
    let message = "gone".to_owned();
    hear(
        &mut exchange,
        now,
        &Response::Error {
            transaction: number ^ 1,
            message,
        },
    );
    hear(
        &mut exchange,
        now,
        &Response::Scrape {
            transaction: number,
            torrents: Vec::new(),
        },
    );
    assert_eq!((exchange.poll_outcome(), exchange.strays()), (None, 8));
    hear(&mut exchange, now, &announced(number));
    assert!(matches!(exchange.poll_outcome(), Some(Ok(_))));
}

#[test]
fn the_tracker_s_error_is_the_outcome() {
    let now = begin();
    let mut exchange = start(None, now);
    let transaction = sent(&mut exchange).expect("a datagram").transaction();
    let message = "no\x07 way".to_owned();
    hear(
        &mut exchange,
        now,
        &Response::Error {
            transaction,
            message,
        },
    );
    assert_eq!(
        exchange.poll_outcome(),
        Some(Err(Failure::Reason("no way".into())))
    );
}

/// A connection id as an earlier exchange leaves it.
fn earlier(now: Instant) -> ConnectionId {
    let mut exchange = start(None, now);
    let number = sent(&mut exchange).expect("a datagram").transaction();
    hear(&mut exchange, now, &connected(number));
    exchange.connection().expect("a connection id")
}

#[test]
fn a_connection_id_lives_for_a_minute() {
    let now = begin();
    let id = earlier(now);
    let mut soon = start(Some(id), now + 59 * SECOND);
    assert!(matches!(
        sent(&mut soon),
        Some(Request::Announce { connection: 77, .. })
    ));
    let mut late = start(Some(id), now + 60 * SECOND);
    assert!(matches!(sent(&mut late), Some(Request::Connect { .. })));
    // It runs out while we ask: the retransmission begins anew.
    let retransmission = soon.next_timeout().expect("a timeout");
    soon.handle_timeout(retransmission);
    assert!(matches!(sent(&mut soon), Some(Request::Connect { .. })));
}

#[test]
fn a_tracker_that_forgot_our_id_is_asked_for_a_new_one() {
    let now = begin();
    let id = earlier(now);
    let mut exchange = start(Some(id), now);
    let transaction = sent(&mut exchange).expect("a datagram").transaction();
    let message = "Connection ID mismatch".to_owned();
    hear(
        &mut exchange,
        now,
        &Response::Error {
            transaction,
            message: message.clone(),
        },
    );
    let connect = sent(&mut exchange).expect("a datagram");
    assert!(matches!(connect, Request::Connect { .. }));
    hear(&mut exchange, now, &connected(connect.transaction()));
    let transaction = sent(&mut exchange).expect("the announce").transaction();
    // Once: a new id that is refused too is a failure.
    hear(
        &mut exchange,
        now,
        &Response::Error {
            transaction,
            message,
        },
    );
    assert!(matches!(
        exchange.poll_outcome(),
        Some(Err(Failure::Reason(_)))
    ));
    // One that says nothing at all: the second retransmission is a connect.
    let mut exchange = start(Some(id), now);
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(matches!(sent(&mut exchange), Some(Request::Connect { .. })));
        let due = exchange.next_timeout().expect("a timeout");
        exchange.handle_timeout(due);
    }
    assert_eq!(kinds, [false, false, true]);
}

#[test]
fn a_scrape_is_answered_in_order() {
    let now = begin();
    let hashes = vec![InfoHash([1; 20]), InfoHash([2; 20])];
    let mut exchange = Exchange::new(
        tracker(),
        Question::Scrape(hashes.clone()),
        Some(earlier(now)),
        [5; 32],
        now,
    );
    let Some(Request::Scrape {
        transaction,
        hashes: asked,
        ..
    }) = sent(&mut exchange)
    else {
        panic!("no scrape");
    };
    assert_eq!(asked, hashes);
    let torrents = vec![
        ScrapeReply {
            seeders: 1,
            completed: 2,
            leechers: 3,
        },
        ScrapeReply::default(),
    ];
    hear(
        &mut exchange,
        now,
        &Response::Scrape {
            transaction,
            torrents: torrents.clone(),
        },
    );
    assert_eq!(exchange.poll_outcome(), Some(Ok(Answer::Scrape(torrents))));
}

#[test]
fn every_conversation_ends() {
    // A tracker that answers connects and nothing else, for as long as anybody asks.
    let mut now = begin();
    let begin = now;
    let mut exchange = start(Some(earlier(now)), now);
    let mut datagrams = 0;
    while let Some(due) = exchange.next_timeout() {
        while let Some(request) = sent(&mut exchange) {
            datagrams += 1;
            if let Request::Connect { transaction } = request {
                hear(&mut exchange, now, &connected(transaction));
            }
        }
        now = due;
        exchange.handle_timeout(now);
    }
    assert_eq!(exchange.poll_outcome(), Some(Err(Failure::Silent)));
    assert!(now - begin < 40 * SECOND, "{:?}", now - begin);
    assert!(datagrams < 12, "{datagrams}");
}
