//! A torrent of five pieces with its content, and addresses that may be dialled.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use bencode::Endpoint;
use bytes::Bytes;
use sha1::{Digest as _, Sha1};
use trackless::metainfo::Info;
use trackless::swarm::Settings;
use trackless::wire::PeerId;

/// Bytes of a piece: two blocks, of which the last piece has one byte.
pub(crate) const PIECE: u32 = 32_768;
/// Pieces.
pub(crate) const PIECES: u32 = 5;

static CONTENT: LazyLock<Bytes> = LazyLock::new(|| {
    (0..PIECE * (PIECES - 1) + 1)
        .map(|n| (n % 251) as u8)
        .collect::<Vec<u8>>()
        .into()
});

static INFO: LazyLock<Arc<Info>> = LazyLock::new(|| {
    let content = content();
    let hashes: Vec<u8> = content
        .chunks(PIECE as usize)
        .flat_map(Sha1::digest)
        .collect();
    let mut raw = format!(
        "d6:lengthi{}e4:name1:x12:piece lengthi{PIECE}e6:pieces{}:",
        content.len(),
        hashes.len()
    )
    .into_bytes();
    raw.extend_from_slice(&hashes);
    raw.push(b'e');
    Arc::new(Info::from_bytes(raw.into()).expect("a torrent"))
});

/// All bytes of the torrent.
pub(crate) fn content() -> Bytes {
    CONTENT.clone()
}

/// The torrent.
pub(crate) fn info() -> Arc<Info> {
    Arc::clone(&INFO)
}

/// A host of the public internet.
pub(crate) fn address(host: u8) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::new(20 + host, 7, 7, 7)), 6_881)
}

/// As a user who decides nothing, with few places so that they run out.
pub(crate) fn settings() -> Settings {
    Settings {
        our_id: PeerId([0xee; 20]),
        listen_port: Some(6_881),
        max_peers: 4,
        max_half_open: 3,
        upload_slots: 2,
        ..Settings::default()
    }
}
