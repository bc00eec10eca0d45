//! Tests of the codecs: golden bytes from the BEPs, properties, what hostile or sloppy trackers send.

mod announcer;
mod events;
mod exchange;
mod http;
mod udp;
mod url;

use super::*;
use crate::metainfo::InfoHash;
use crate::wire::PeerId;

/// Where virtual time begins.
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to begin with"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

const EVENTS: [AnnounceEvent; 4] = [
    AnnounceEvent::None,
    AnnounceEvent::Started,
    AnnounceEvent::Completed,
    AnnounceEvent::Stopped,
];

/// An announce with a different value in every field.
fn announce() -> Announce {
    Announce {
        info_hash: InfoHash(*b"\x00\x01~aB-_.\xff&=%+ hash!."),
        peer_id: PeerId(*b"-TL0100-abcdefghijkl"),
        port: 6881,
        uploaded: 3,
        downloaded: 1,
        left: 2,
        event: AnnounceEvent::Started,
        numwant: Some(50),
        key: 0xdead_beef,
        tracker_id: None,
        ip: None,
    }
}
