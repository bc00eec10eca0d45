//! Answers. What they say depends on what was asked, which they do not repeat.
//!
//! Reading: one struct of optional fields, borrowed. Writing: `Answer` holds what there is to say.
//! Invariant: what is named in an answer is bounded by `MAX_*`, however long its lists are.

use bencode::{Endpoint, Family, Writer};

use super::fields::{Results, Root, array, bytes, id, int};
use super::query::Signed;
use super::{Envelope, Malformed};
use crate::bloom::Bloom;
use crate::contact::Contact;
use crate::id::{ID_LENGTH, Id};

/// Nodes of one list that are used (a reply holds 8; some implementations send 16).
pub const MAX_NODES: usize = 20;
/// Peers of one reply that are used (reliability.md §3).
pub const MAX_VALUES: usize = 100;
/// Longest token that we send back (8 to 20 bytes in the field).
pub const MAX_TOKEN: usize = 64;
/// Info hashes of one reply that are used (BEP 51): what a datagram holds.
pub const MAX_SAMPLES: usize = 64;
/// Longest interval between two samplings (BEP 51), seconds.
pub const MAX_INTERVAL: i64 = 21_600;
/// Room for most responses (dht.md §2.5: 287–304 bytes with eight nodes).
const RESPONSE_LENGTH: usize = 336;

/// A response. Which fields are there depends on what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// Who answers.
    pub id: Id,
    /// Our address as the sender sees it (BEP 42).
    pub ip: Option<Endpoint>,
    /// What lets us announce.
    pub token: Option<&'a [u8]>,
    results: Results<'a>,
}

impl<'a> Response<'a> {
    /// The nodes of both families, at most `MAX_NODES` each; none when a list has a wrong length.
    pub fn nodes(&self) -> impl Iterator<Item = Contact> + use<'a> {
        contacts(bytes(self.results.nodes), Family::V4)
            .chain(contacts(bytes(self.results.nodes6), Family::V6))
    }

    /// The peers, at most `MAX_VALUES`; entries that are not 6 or 18 bytes are skipped.
    pub fn values(&self) -> impl Iterator<Item = Endpoint> + use<'a> {
        let list = self.results.values.and_then(|values| values.as_list());
        list.into_iter()
            .flatten()
            .take(MAX_VALUES)
            .filter_map(|value| Endpoint::from_compact(value.as_bytes()?))
    }

    /// The stored value as it stands in the message (BEP 44): unverified, of any length.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.results.value.map(|value| value.raw())
    }

    /// Key and signature of the value if it is mutable (BEP 44), unverified. An answer does not
    /// repeat the salt: it is empty here.
    #[must_use]
    pub fn signed(&self) -> Option<Signed<'a>> {
        Some(Signed {
            key: array(self.results.key)?,
            salt: &[],
            seq: self.seq()?,
            signature: array(self.results.signature)?,
        })
    }

    /// The sequence number of what is stored (BEP 44), also when the value was not asked for.
    #[must_use]
    pub fn seq(&self) -> Option<i64> {
        int(self.results.seq)
    }

    /// Seeds and peers (BEP 33), if both are well formed.
    #[must_use]
    pub fn scrape(&self) -> Option<(Bloom, Bloom)> {
        let seeds = Bloom::from_slice(bytes(self.results.seeds)?)?;
        Some((seeds, Bloom::from_slice(bytes(self.results.peers)?)?))
    }

    /// Info hashes (BEP 51); `None` if the sender does not know the method, or the list has a wrong
    /// length.
    #[must_use]
    pub fn samples(&self) -> Option<Samples> {
        let list = bytes(self.results.samples)?;
        if list.len() % ID_LENGTH != 0 {
            return None;
        }
        let hashes: Vec<Id> = list
            .chunks_exact(ID_LENGTH)
            .take(MAX_SAMPLES)
            .filter_map(Id::from_slice)
            .collect();
        let stored = int(self.results.num).and_then(|num| u64::try_from(num).ok());
        let interval = int(self.results.interval).unwrap_or(0);
        Some(Samples {
            stored: stored.unwrap_or(hashes.len() as u64),
            interval: u16::try_from(interval.clamp(0, MAX_INTERVAL)).unwrap_or(0),
            hashes,
        })
    }
}

/// Some of the info hashes that a node has heard of (BEP 51).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    /// At most `MAX_SAMPLES`.
    pub hashes: Vec<Id>,
    /// How many there are in all, as the node says.
    pub stored: u64,
    /// For so many seconds the sample stays the same: at most `MAX_INTERVAL`.
    pub interval: u16,
}

fn contacts<'a>(list: Option<&'a [u8]>, family: Family) -> impl Iterator<Item = Contact> + use<'a> {
    let length = ID_LENGTH + family.compact_length();
    let list = list
        .filter(|list| list.len() % length == 0)
        .unwrap_or_default();
    list.chunks_exact(length)
        .take(MAX_NODES)
        .filter_map(|node| {
            let (id, endpoint) = node.split_at_checked(ID_LENGTH)?;
            Some(Contact {
                id: Id::from_slice(id)?,
                endpoint: Endpoint::from_compact(endpoint)?,
            })
        })
}

pub(super) fn read<'a>(root: &Root<'a>) -> Result<Response<'a>, Malformed> {
    let results = Results::of(root.results.ok_or(Malformed::Id)?);
    Ok(Response {
        id: id(results.id).ok_or(Malformed::Id)?,
        ip: bytes(root.ip).and_then(Endpoint::from_compact),
        token: bytes(results.token).filter(|token| (1..=MAX_TOKEN).contains(&token.len())),
        results,
    })
}

/// What a reply of ours holds besides our id. Empty lists are left out.
#[derive(Clone, Debug, Default)]
pub struct Answer<'a> {
    /// v4 nodes: written even when empty if `Some`.
    pub nodes: Option<Vec<Contact>>,
    /// v6 nodes.
    pub nodes6: Option<Vec<Contact>>,
    /// A write token.
    pub token: Option<&'a [u8]>,
    /// Peers of the asked torrent.
    pub values: Vec<Endpoint>,
    /// How many seeds and peers there are (BEP 33).
    pub scrape: Option<(Bloom, Bloom)>,
    /// A stored value (BEP 44), bencoded.
    pub value: Option<&'a [u8]>,
    /// What makes it mutable; the salt is not repeated.
    pub signed: Option<Signed<'a>>,
    /// The sequence number alone: the asker has the rest.
    pub seq: Option<i64>,
    /// Some of our info hashes (BEP 51).
    pub samples: Option<Samples>,
    /// Whether the reply says who wrote the software.
    pub imprint: Imprint,
}

/// The `v` of a reply: nine bytes that nobody needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Imprint {
    /// As ever.
    #[default]
    Shown,
    /// Something better needed the room.
    LeftOut,
}

/// Writes a response to `asker`, telling it how we see it (BEP 42 `ip`).
#[must_use]
pub fn write_response(envelope: &Envelope<'_>, asker: Endpoint, answer: &Answer<'_>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(RESPONSE_LENGTH);
    writer.dict(|root| {
        root.bytes("ip", address(&asker));
        root.dict("r", |r| write_results(r, &envelope.id, answer));
        root.bytes("t", envelope.transaction);
        if answer.imprint == Imprint::Shown {
            root.bytes("v", envelope.version);
        }
        root.bytes("y", "r");
    });
    writer.into_bytes()
}

/// In the order of the keys: capitals first.
fn write_results(r: &mut bencode::DictWriter<'_>, id: &Id, answer: &Answer<'_>) {
    if let Some((seeds, peers)) = &answer.scrape {
        r.bytes("BFpe", peers.as_bytes());
        r.bytes("BFsd", seeds.as_bytes());
    }
    r.bytes("id", id.as_bytes());
    if let Some(samples) = &answer.samples {
        r.int("interval", i64::from(samples.interval));
    }
    if let Some(signed) = &answer.signed {
        r.bytes("k", signed.key);
    }
    if let Some(nodes) = &answer.nodes {
        r.bytes("nodes", compact(nodes));
    }
    if let Some(nodes) = &answer.nodes6 {
        r.bytes("nodes6", compact(nodes));
    }
    if let Some(samples) = &answer.samples {
        r.int("num", i64::try_from(samples.stored).unwrap_or(i64::MAX));
        let hashes: Vec<u8> = samples
            .hashes
            .iter()
            .flat_map(Id::as_bytes)
            .copied()
            .collect();
        r.bytes("samples", hashes);
    }
    if let Some(seq) = answer.signed.map(|signed| signed.seq).or(answer.seq) {
        r.int("seq", seq);
    }
    if let Some(signed) = &answer.signed {
        r.bytes("sig", signed.signature);
    }
    if let Some(token) = answer.token {
        r.bytes("token", token);
    }
    if let Some(value) = answer.value {
        r.raw("v", value);
    }
    if !answer.values.is_empty() {
        r.list("values", |list| {
            answer
                .values
                .iter()
                .for_each(|peer| list.bytes(address(peer)));
        });
    }
}

fn compact(contacts: &[Contact]) -> Vec<u8> {
    let mut list = Vec::new();
    for contact in contacts {
        list.extend_from_slice(contact.id.as_bytes());
        contact.endpoint.write_compact(&mut list);
    }
    list
}

fn address(endpoint: &Endpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    endpoint.write_compact(&mut bytes);
    bytes
}
