//! Any bytes as a datagram of the UDP tracker protocol (BEP 15, BEP 41), in both directions.
//!
//! What is accepted is within the bounds of `udp` and means the same when it is written and read again.
#![cfg_attr(fuzzing, no_main)]

use bencode::Family;
use trackless::tracker::MAX_PEERS;
use trackless::tracker::announce::MAX_TEXT;
use trackless::tracker::udp::{MAX_SCRAPE, MAX_URL_DATA, Request, Response};

/// One input.
pub(crate) fn run(data: &[u8]) {
    let mut out = Vec::new();
    if let Some(request) = Request::parse(data) {
        match &request {
            Request::Connect { .. } => {}
            Request::Announce {
                announce, url_data, ..
            } => {
                // Port 0 is the server's to refuse, with a reason.
                assert_eq!(announce.tracker_id, None);
                assert!(url_data.len() <= MAX_URL_DATA);
            }
            Request::Scrape { hashes, .. } => assert!((1..=MAX_SCRAPE).contains(&hashes.len())),
        }
        request.write(&mut out);
        assert_eq!(Request::parse(&out), Some(request));
    }
    for family in [Family::V4, Family::V6] {
        let Some(response) = Response::parse(data, family) else {
            continue;
        };
        match &response {
            Response::Connect { .. } => {}
            Response::Announce { peers, .. } => {
                assert!(peers.len() <= MAX_PEERS);
                assert!(peers.iter().all(|peer| peer.port != 0));
            }
            Response::Scrape { torrents, .. } => assert!(torrents.len() <= MAX_SCRAPE),
            Response::Error { message, .. } => {
                assert!(message.len() <= MAX_TEXT && !message.chars().any(char::is_control));
            }
        }
        out.clear();
        response.write(&mut out);
        assert_eq!(
            Response::parse(&out, family).map(|it| it.transaction()),
            Some(response.transaction())
        );
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| run(data));
