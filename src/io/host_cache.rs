//! A torrent's host cache: peers that worked are saved now and then and at the end, and given to the
//! torrent first the next time. `storage::peers` has the file; the torrent decides who worked and
//! whether an address may be dialled.
//!
//! Invariant: a run in which nobody answered forgets nobody before their week is over. What cannot be
//! saved is a warning: the next start only takes longer.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bencode::Endpoint;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::input::Input;
use crate::metainfo::InfoHash;
use crate::storage::{SavedPeer, load_peers, save_peers};
use crate::swarm::PeerSource;

/// The first save comes early: a command that is killed after a minute has learnt something.
const FIRST_SAVE: Duration = Duration::from_secs(30);

/// Between later ones.
const SAVE_INTERVAL: Duration = Duration::from_secs(300);

/// One torrent's saved peers.
pub(super) struct HostCache {
    folder: PathBuf,
    hash: InfoHash,
    loaded: Vec<SavedPeer>,
    due: Instant,
}

impl HostCache {
    /// Reads what was saved and gives it to the torrent.
    pub(super) async fn open(
        folder: PathBuf,
        hash: InfoHash,
        torrent: &mpsc::Sender<Input>,
    ) -> HostCache {
        let place = folder.clone();
        let loaded = spawn_blocking(move || load_peers(&place, hash, unix_time())).await;
        let loaded = loaded.unwrap_or_default();
        let saved = loaded.iter().map(|peer| peer.endpoint).collect();
        // The queue is new: there is room.
        let _ = torrent.try_send(Input::Add(PeerSource::Saved, saved));
        HostCache {
            folder,
            hash,
            loaded,
            due: Instant::now() + FIRST_SAVE,
        }
    }

    /// Whether it is time to save.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due <= now
    }

    /// Saves who worked, and behind them who worked earlier. The disk's work is done elsewhere.
    pub(super) fn save(&mut self, now: Instant, worked: Vec<Endpoint>) -> JoinHandle<()> {
        self.due = now + SAVE_INTERVAL;
        let time = unix_time();
        let earlier = self.loaded.iter().copied();
        let earlier = earlier.filter(|peer| !worked.contains(&peer.endpoint));
        let fresh = worked.iter().map(|endpoint| SavedPeer {
            endpoint: *endpoint,
            worked: time,
        });
        let peers: Vec<SavedPeer> = fresh.chain(earlier).collect();
        let (folder, hash) = (self.folder.clone(), self.hash);
        spawn_blocking(move || {
            if let Err(error) = save_peers(&folder, hash, &peers) {
                tracing::warn!(%error, "the peers that worked could not be saved");
            }
        })
    }
}

/// Seconds since 1970; 0 with a clock before that.
fn unix_time() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |passed| passed.as_secs())
}
