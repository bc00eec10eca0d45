//! Any bytes as the messages of one peer (BEP 11): the input is cut into pause, length, payload.
//!
//! Whatever comes, only admitted endpoints come out, and never more than one message may carry.
#![cfg_attr(fuzzing, no_main)]

use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Limits};
use pex::{Exchange, FIRST_ADDED_MAX, Message, Recent};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut now = Instant::now();
    let policy = AddressPolicy::default();
    let mut exchange = Exchange::new(now);
    let mut rest = data;
    while let [pause, high, low, behind @ ..] = rest {
        now += Duration::from_secs(u64::from(*pause));
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(behind.len());
        let (payload, next) = behind.split_at(length);
        rest = next;
        if let Ok(message) = Message::parse(payload) {
            // Flags that were missing are written, so the largest messages grow beyond the limit.
            let encoded = message.encode();
            let empty = message.added.is_empty() && message.dropped.is_empty();
            if !empty && encoded.len() <= Limits::PEX.bytes {
                assert!(Message::parse(&encoded).is_ok());
            }
        }
        let Ok(candidates) = exchange.handle_message(now, payload, &policy) else {
            return;
        };
        assert!(candidates.len() <= FIRST_ADDED_MAX);
        assert!(
            candidates
                .iter()
                .all(|(endpoint, _)| policy.admits(*endpoint))
        );
        let _ = exchange.update(now, candidates, &Recent::default());
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
