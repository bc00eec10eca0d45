//! Any datagrams to one question at one UDP tracker (BEP 15), with time between them.
//!
//! It ends, and within the time of its retransmissions; only who was asked can end it before; an answer is within the
//! bounds of `announce`. Input: pause, sender and transaction, length, bytes; again.
#![cfg_attr(fuzzing, no_main)]

use std::time::{Duration, Instant};

use bencode::Endpoint;
use trackless::metainfo::InfoHash;
use trackless::tracker::{Answer, Exchange, MAX_PEERS, Question};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let begin = Instant::now();
    let mut now = begin;
    let tracker: Endpoint = "9.9.9.9:80".parse().expect("an endpoint");
    let other: Endpoint = "9.9.9.9:81".parse().expect("an endpoint");
    let question = Question::Scrape(vec![InfoHash([1; 20])]);
    let mut exchange = Exchange::new(tracker, question, None, [7; 32], now);
    let (mut rest, mut transaction, mut sent) = (data, [0; 4], 0);
    let mut named = false;
    loop {
        while let Some(datagram) = exchange.poll_transmit() {
            sent += 1;
            transaction.copy_from_slice(&datagram[12..16]);
        }
        assert!(sent <= 12, "so many datagrams for one question");
        if let Some(outcome) = exchange.poll_outcome() {
            if let Ok(Answer::Announce(reply)) = &outcome {
                assert!(reply.peers.len() <= MAX_PEERS);
            }
            assert!(named || outcome.is_err(), "nobody answered");
            assert!(exchange.next_timeout().is_none());
            return;
        }
        let due = exchange
            .next_timeout()
            .expect("a question that is open ends some time");
        let [pause, how, length, behind @ ..] = rest else {
            now = now.max(due);
            exchange.handle_timeout(now);
            assert!(now - begin < Duration::from_secs(7_200));
            continue;
        };
        now += Duration::from_millis(u64::from(*pause) * 40);
        let (part, next) = behind.split_at(usize::from(*length).min(behind.len()));
        rest = next;
        let mut datagram = part.to_vec();
        // Half of them know the transaction, as somebody who sees our datagrams does.
        if how % 2 == 1 && datagram.len() >= 8 {
            datagram[4..8].copy_from_slice(&transaction);
        }
        let from = if how / 2 % 4 == 0 { other } else { tracker };
        named |= from == tracker;
        exchange.handle_datagram(now, from, &datagram);
        if due <= now {
            exchange.handle_timeout(now);
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
