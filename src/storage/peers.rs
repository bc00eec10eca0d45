//! Peers that worked, kept beside a torrent's journal to be tried first the next time.
//!
//! One file a torrent: 20 bytes of SHA-1 over info hash and the rest, then a dictionary
//! `d 5:peers 6:peers6 5:times 6:times6 e`: contacts in compact form (BEP 23, BEP 7) and for each the
//! Unix time in seconds, 8 bytes, when it last worked. Invariant: at any moment the old or the new
//! file is whole there; what does not fit its checksum, is of another torrent or older than a week
//! counts as absent. Knows neither policy nor swarm: whoever loads them checks the addresses.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bencode::{Endpoint, Family, Limits, Value, Writer};
use sha1::{Digest as _, Sha1};

use super::journal::replace;
use crate::metainfo::InfoHash;

/// Peers kept of a torrent.
const PEERS: usize = 100;

/// Longest file read: 100 peers of 26 bytes, checksum and keys with room to spare.
const LONGEST: u64 = 8 << 10;

/// Seconds after which a peer is forgotten: home addresses change within days.
const AGE: u64 = 7 * 24 * 3_600;

const SUM: usize = 20;

/// A peer that worked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavedPeer {
    /// Where it listens.
    pub endpoint: Endpoint,
    /// When it last worked: seconds since 1970.
    pub worked: u64,
}

/// The peers of a torrent saved in `folder` that are younger than a week at `now` (seconds since
/// 1970), best first; none if there is no such file or it is damaged. Nothing is checked but their
/// age: whoever dials them has to ask its address policy.
pub fn load_peers(folder: &Path, hash: InfoHash, now: u64) -> Vec<SavedPeer> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path(folder, hash))?
            .take(LONGEST)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let mut peers = read()
        .ok()
        .and_then(|bytes| parse(&bytes, hash))
        .unwrap_or_default();
    // A clock that was set back makes nobody older.
    peers.retain(|peer| now.saturating_sub(peer.worked) < AGE);
    peers
}

/// Saves the first 100 of them durably; makes the folder. None at all removes the file.
///
/// # Errors
/// The old file is still there then.
pub fn save_peers(folder: &Path, hash: InfoHash, peers: &[SavedPeer]) -> io::Result<()> {
    if peers.is_empty() {
        return match std::fs::remove_file(path(folder, hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    std::fs::create_dir_all(folder)?;
    replace(&path(folder, hash), &encode(peers, hash)).map(drop)
}

fn path(folder: &Path, hash: InfoHash) -> PathBuf {
    folder.join(format!("{hash}.peers"))
}

pub(super) fn encode(peers: &[SavedPeer], hash: InfoHash) -> Vec<u8> {
    let mut lists = [const { (Vec::new(), Vec::new()) }; 2];
    for peer in peers.iter().take(PEERS) {
        let [v4, v6] = &mut lists;
        let (contacts, times) = match peer.endpoint.family() {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        peer.endpoint.write_compact(contacts);
        times.extend_from_slice(&peer.worked.to_be_bytes());
    }
    let [(peers, times), (peers6, times6)] = lists;
    let mut writer = Writer::new();
    writer.dict(|d| {
        d.bytes("peers", &peers);
        d.bytes("peers6", &peers6);
        d.bytes("times", &times);
        d.bytes("times6", &times6);
    });
    let content = writer.into_bytes();
    let mut bytes = checksum(&content, hash).to_vec();
    bytes.extend_from_slice(&content);
    bytes
}

pub(super) fn parse(bytes: &[u8], hash: InfoHash) -> Option<Vec<SavedPeer>> {
    let (sum, content) = bytes.split_at_checked(SUM)?;
    if checksum(content, hash)[..] != *sum {
        return None;
    }
    let value = bencode::parse(content, &Limits::STATE).ok()?;
    let mut peers = list(value, "peers", "times", Family::V4)?;
    peers.extend(list(value, "peers6", "times6", Family::V6)?);
    // The lists are by family, the latest is the best of both; equals keep their order.
    peers.sort_by_key(|peer| std::cmp::Reverse(peer.worked));
    peers.truncate(PEERS);
    Some(peers)
}

fn list(value: Value<'_>, contacts: &str, times: &str, family: Family) -> Option<Vec<SavedPeer>> {
    let contacts = bencode::compact(value.get(contacts)?.as_bytes()?, family)?;
    let times = value.get(times)?.as_bytes()?.chunks_exact(8);
    let times = times.filter_map(|time| time.try_into().ok().map(u64::from_be_bytes));
    let peer = |(endpoint, worked)| SavedPeer { endpoint, worked };
    Some(contacts.zip(times).map(peer).collect())
}

/// Bound to the torrent: the file of another one is none.
fn checksum(content: &[u8], hash: InfoHash) -> [u8; SUM] {
    let mut sha = Sha1::new();
    sha.update(hash.0);
    sha.update(content);
    sha.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: InfoHash = InfoHash([7; 20]);
    const NOW: u64 = 1_800_000_000;

    fn peer(text: &str, worked: u64) -> SavedPeer {
        let endpoint = text.parse().unwrap();
        SavedPeer { endpoint, worked }
    }

    fn some() -> Vec<SavedPeer> {
        vec![
            peer("[2001:db8::1]:6", NOW),
            peer("1.2.3.4:5", NOW - 1),
            peer("1.2.3.5:6", NOW - 60),
        ]
    }

    #[test]
    fn come_back_as_saved_the_latest_first() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("made");
        assert_eq!(load_peers(&below, HASH, NOW), []);
        save_peers(&below, HASH, &some()).unwrap();
        assert_eq!(load_peers(&below, HASH, NOW), some());
        assert_eq!(load_peers(&below, InfoHash([8; 20]), NOW), []);
        save_peers(&below, HASH, &[]).unwrap();
        save_peers(&below, HASH, &[]).unwrap();
        assert_eq!(load_peers(&below, HASH, NOW), []);
    }

    /// Rows N12: a clock set back or forward costs saved peers at worst, never the run.
    #[test]
    fn a_week_later_they_are_gone_and_a_clock_set_back_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        save_peers(folder.path(), HASH, &some()).unwrap();
        let left = |now| load_peers(folder.path(), HASH, now).len();
        assert_eq!(left(NOW + AGE - 61), 3);
        assert_eq!(left(NOW + AGE - 60), 2);
        assert_eq!(left(NOW + AGE), 0);
        assert_eq!(left(NOW - 10 * AGE), 3);
    }

    #[test]
    fn another_torrents_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let other = InfoHash([8; 20]);
        save_peers(folder.path(), HASH, &some()).unwrap();
        std::fs::rename(path(folder.path(), HASH), path(folder.path(), other)).unwrap();
        assert_eq!(load_peers(folder.path(), other, NOW), []);
    }

    /// Rows S13: each bit, each length of the saved peers.
    #[test]
    fn damage_at_any_bit_or_length_is_noticed() {
        let whole = encode(&some(), HASH);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length], HASH), None);
        }
        for bit in 0..whole.len() * 8 {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parse(&damaged, HASH), None);
        }
    }

    #[test]
    fn no_more_than_the_bound_and_the_file_is_read_whole() {
        let many = vec![peer("[2001:db8::1]:6", NOW); 5_000];
        let bytes = encode(&many, HASH);
        assert!((bytes.len() as u64) < LONGEST);
        assert_eq!(parse(&bytes, HASH).map(|peers| peers.len()), Some(PEERS));
    }
}
