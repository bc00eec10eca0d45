//! Who and what stands in the worlds: a torrent made of nothing, addresses, settings, and liars.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::{AddressPolicy, Cidr, Endpoint};
use bytes::Bytes;
use sha1::{Digest, Sha1};

use crate::metainfo::Info;
use crate::swarm::{Event, Settings, Torrent};
use crate::wire::{Block, Message, MetadataMessage, PeerId, UT_METADATA};

/// One way.
pub(super) const DELAY: Duration = Duration::from_millis(20);

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
pub(super) fn start() -> Instant {
    Instant::now()
}

/// A torrent's data, made from its seed.
pub(super) fn content(length: usize) -> Bytes {
    (0..length)
        .map(|n| (n * 31 % 251) as u8 ^ (n >> 14) as u8)
        .collect::<Vec<u8>>()
        .into()
}

pub(super) fn info_of(data: &[u8], piece_length: u32, private: &str) -> Arc<Info> {
    let hashes: Vec<u8> = data
        .chunks(piece_length as usize)
        .flat_map(Sha1::digest)
        .collect();
    let mut raw = format!(
        "d6:lengthi{}e4:name1:x12:piece lengthi{piece_length}e6:pieces{}:",
        data.len(),
        hashes.len()
    )
    .into_bytes();
    raw.extend_from_slice(&hashes);
    raw.extend_from_slice(private.as_bytes());
    raw.push(b'e');
    Arc::new(Info::from_bytes(raw.into()).unwrap())
}

pub(super) fn address(host: usize) -> Endpoint {
    let ip = Ipv4Addr::from_bits(0xc612_0000 + host as u32 + 1);
    Endpoint::new(IpAddr::V4(ip), 6_881)
}

pub(super) fn policy() -> AddressPolicy {
    AddressPolicy::new(vec!["198.18.0.0/15".parse::<Cidr>().unwrap()])
}

pub(super) fn settings(host: usize) -> Settings {
    let mut id = [0; 20];
    id[0] = host as u8 + 1;
    Settings {
        our_id: PeerId(id),
        listen_port: Some(6_881),
        policy: policy(),
        ..Settings::default()
    }
}

/// The id of a host that is no machine.
pub(super) fn stranger(host: usize) -> PeerId {
    let mut id = [200; 20];
    id[..8].copy_from_slice(&host.to_be_bytes());
    PeerId(id)
}

/// A host: its behaviour, its disk, its line.
pub(super) struct Host {
    pub(super) mind: Mind,
    pub(super) pieces: Vec<Option<Bytes>>,
    pub(super) events: Vec<(Instant, Event)>,
    /// Bytes/s that leave this host.
    pub(super) uplink: u64,
    pub(super) disk_full: bool,
    /// When a piece first had a wrong hash here.
    pub(super) first_mismatch: Option<Instant>,
    pub(super) busy_until: Instant,
    pub(super) reads: u32,
    pub(super) alive: bool,
}

impl Host {
    pub(super) fn torrent(&mut self) -> &mut Torrent {
        match &mut self.mind {
            Mind::Machine { torrent, .. } => torrent,
            Mind::MetadataLiar(..) | Mind::Hoarder => panic!("no machine"),
        }
    }

    pub(super) fn has(&self, what: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(|(_, event)| what(event))
    }
}

/// How a host behaves.
pub(super) enum Mind {
    /// As it should; of the blocks it reads for others `corrupt` of every hundred are
    /// wrong, by chance.
    Machine { torrent: Box<Torrent>, corrupt: u32 },
    /// Offers metadata of this size and answers requests so.
    MetadataLiar(u32, Lie),
    /// Says that it has everything and sends nothing.
    Hoarder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    Garbage,
    WrongSize,
    Silence,
}
pub(super) fn size(message: &Message) -> u64 {
    match message {
        Message::Piece { data, .. } => data.len() as u64 + 13,
        Message::Extended { payload, .. } => payload.len() as u64 + 6,
        Message::Bitfield(bits) => bits.len() as u64 + 5,
        _ => 17,
    }
}

/// 0 to 99, all alike often and in no order.
pub(super) fn scattered(n: u32) -> u32 {
    (n.wrapping_mul(0x9e37_79b1) >> 8) % 100
}

pub(super) fn lie_about(size: u32, lie: Lie, batch: &[Message]) -> Vec<Message> {
    let mut answers = Vec::new();
    for message in batch {
        let Message::Extended { id: 9, payload } = message else {
            continue;
        };
        let Some(MetadataMessage::Request { piece }) = MetadataMessage::parse(payload) else {
            continue;
        };
        let length = size.saturating_sub(piece * 16_384).min(16_384) as usize;
        let (total_size, length) = match lie {
            Lie::Silence => continue,
            Lie::Garbage => (size, length),
            Lie::WrongSize => (size + 1, length),
        };
        let data = vec![7; length].into();
        let payload = MetadataMessage::Data {
            piece,
            total_size,
            data,
        }
        .encode();
        answers.push(Message::Extended {
            id: UT_METADATA,
            payload,
        });
    }
    answers
}

/// The request for a whole block.
pub(super) fn block(piece: u32, n: u32) -> Block {
    Block {
        piece,
        begin: n * 16_384,
        length: 16_384,
    }
}
