//! What a DHT node keeps between runs: its id and contacts (BEP 5 "routing table": "should be saved
//! between invocations").
//!
//! One file: 20 bytes of SHA-1 over the rest, then a dictionary `d 2:id 5:nodes 6:nodes6 e` with
//! contacts in compact form. Invariant: at any moment the old or the new file is whole there; what
//! does not fit its checksum counts as absent. Knows no DHT.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bencode::{Endpoint, Family, Limits, Writer};
use sha1::{Digest as _, Sha1};

use super::journal::replace;

/// Contacts kept: more than a routing table holds.
const CONTACTS: usize = 2_000;

/// Longest file read: 2,000 contacts of 18 bytes, id, checksum and keys with room to spare.
const LONGEST: u64 = 64 << 10;

const NAME: &str = "dht.state";
const SUM: usize = 20;

/// What a DHT node keeps between runs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DhtState {
    /// Its node id, if it has one that is worth keeping.
    pub id: Option<[u8; 20]>,
    /// Nodes that answered, best first; at most 2,000 are kept.
    pub contacts: Vec<Endpoint>,
}

/// What was saved in `folder`; nothing if there is nothing, or it is damaged: a node that starts
/// from nothing only takes longer.
pub fn load_dht_state(folder: &Path) -> DhtState {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(folder.join(NAME))?
            .take(LONGEST)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .ok()
        .and_then(|bytes| parse(&bytes))
        .unwrap_or_default()
}

/// Saves it durably; makes the folder.
///
/// # Errors
/// The old state is still there then.
pub fn save_dht_state(folder: &Path, state: &DhtState) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    replace(&folder.join(NAME), &encode(state)).map(drop)
}

pub(super) fn encode(state: &DhtState) -> Vec<u8> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for contact in state.contacts.iter().take(CONTACTS) {
        match contact.family() {
            Family::V4 => contact.write_compact(&mut v4),
            Family::V6 => contact.write_compact(&mut v6),
        }
    }
    let mut writer = Writer::new();
    writer.dict(|d| {
        if let Some(id) = state.id {
            d.bytes("id", id);
        }
        d.bytes("nodes", &v4);
        d.bytes("nodes6", &v6);
    });
    let content = writer.into_bytes();
    let mut bytes = Sha1::digest(&content).to_vec();
    bytes.extend_from_slice(&content);
    bytes
}

pub(super) fn parse(bytes: &[u8]) -> Option<DhtState> {
    let (sum, content) = bytes.split_at_checked(SUM)?;
    if Sha1::digest(content)[..] != *sum {
        return None;
    }
    let value = bencode::parse(content, &Limits::STATE).ok()?;
    let list = |key: &str, family| {
        let list = value
            .get(key)
            .and_then(|list| list.as_bytes())
            .unwrap_or_default();
        bencode::compact(list, family).into_iter().flatten()
    };
    Some(DhtState {
        id: value
            .get("id")
            .and_then(|id| id.as_bytes()?.try_into().ok()),
        contacts: list("nodes", Family::V4)
            .chain(list("nodes6", Family::V6))
            .take(CONTACTS)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> DhtState {
        let contacts = ["1.2.3.4:5", "[2001:db8::1]:6"].map(|text| text.parse().unwrap());
        DhtState {
            id: Some([7; 20]),
            contacts: contacts.to_vec(),
        }
    }

    #[test]
    fn comes_back_as_saved() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("made");
        assert_eq!(load_dht_state(&below), DhtState::default());
        save_dht_state(&below, &state()).unwrap();
        assert_eq!(load_dht_state(&below), state());
        let nothing = DhtState::default();
        save_dht_state(&below, &nothing).unwrap();
        assert_eq!(load_dht_state(&below), nothing);
    }

    /// Rows S13: each bit, each length of the DHT state.
    #[test]
    fn damage_at_any_bit_or_length_is_noticed() {
        let whole = encode(&state());
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length]), None);
        }
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&damaged), None);
        }
    }

    #[test]
    fn no_more_contacts_than_the_bound() {
        let many = DhtState {
            id: None,
            contacts: vec!["1.2.3.4:5".parse().unwrap(); 5_000],
        };
        assert_eq!(
            parse(&encode(&many)).map(|state| state.contacts.len()),
            Some(CONTACTS)
        );
    }
}
