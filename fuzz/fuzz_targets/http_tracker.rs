//! Any bytes as what an HTTP tracker answers and as what a client asks (BEP 3, 7, 23, 24, 31, 48), first byte: which.
//!
//! What is accepted is within the bounds of `announce` and survives being written and read again.
#![cfg_attr(fuzzing, no_main)]

use trackless::tracker::announce::{MAX_TEXT, MAX_TRACKER_ID};
use trackless::tracker::http::{
    Form, MAX_SCRAPE, parse_query, parse_reply, parse_scrape, parse_scrape_query, query,
    scrape_query, write_failure, write_reply, write_scrape,
};
use trackless::tracker::{Failure, MAX_PEERS};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which % 4 {
        0 => reply(data),
        1 => scrape(data),
        2 => question(&String::from_utf8_lossy(data)),
        _ => torrents(&String::from_utf8_lossy(data)),
    }
}

fn reply(data: &[u8]) {
    match parse_reply(data) {
        Ok(reply) => {
            assert!(reply.peers.len() <= MAX_PEERS);
            assert!(reply.peers.iter().all(|peer| peer.port != 0));
            assert!(reply.warning.as_ref().is_none_or(|text| clean(text)));
            assert!(
                reply
                    .tracker_id
                    .as_ref()
                    .is_none_or(|id| id.len() <= MAX_TRACKER_ID)
            );
            let compact = parse_reply(&write_reply(&reply, Form::Compact)).expect("we wrote it");
            // Lists are by family, so the order may be another.
            assert_eq!(compact.peers.len(), reply.peers.len());
            let listed = parse_reply(&write_reply(&reply, Form::Dictionary)).expect("we wrote it");
            assert!(listed.peers.len() <= reply.peers.len());
            assert_eq!(compact.interval, listed.interval);
        }
        Err(Failure::Reason(text)) => {
            assert!(clean(&text));
            assert!(matches!(
                parse_reply(&write_failure(&text)),
                Err(Failure::Reason(_))
            ));
        }
        Err(_) => {}
    }
}

fn scrape(data: &[u8]) {
    if let Ok(mut torrents) = parse_scrape(data) {
        assert!(torrents.len() <= MAX_SCRAPE);
        // As `write_scrape` wants them; a tracker may send them in any order.
        torrents.sort_by_key(|(hash, _)| *hash);
        torrents.dedup_by_key(|(hash, _)| *hash);
        let again = parse_scrape(&write_scrape(&torrents)).expect("we wrote it");
        assert!(again.len() <= torrents.len());
    }
}

fn question(text: &str) {
    if let Ok((announce, _)) = parse_query(text) {
        assert_ne!(announce.port, 0);
        let (again, form) = parse_query(&query(&announce)).expect("we wrote it");
        assert_eq!(form, Form::Compact);
        assert_eq!(
            (again.info_hash, again.peer_id),
            (announce.info_hash, announce.peer_id)
        );
        assert_eq!(
            (again.port, again.event, again.key),
            (announce.port, announce.event, announce.key)
        );
    }
}

fn torrents(text: &str) {
    if let Ok(hashes) = parse_scrape_query(text) {
        assert!(hashes.len() <= MAX_SCRAPE);
        assert_eq!(parse_scrape_query(&scrape_query(&hashes)), Ok(hashes));
    }
}

fn clean(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
