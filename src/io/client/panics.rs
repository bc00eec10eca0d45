//! A torrent whose task has panicked: a fault of ours (or of the embedder's [`Select`](super::Select)) that has to stay
//! with that torrent.
//!
//! Invariant: however a torrent's task ends, nobody is sent to it any more and its owner has heard of it.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

use super::super::listen::Registration;
use super::super::lsd::LsdHandle;
use super::super::status::{Failed, TorrentEvent};
use crate::metainfo::InfoHash;

/// Whoever stays behind when the task is gone.
pub(super) struct Survivor {
    pub(super) info_hash: InfoHash,
    pub(super) events: mpsc::Sender<TorrentEvent>,
    pub(super) registrations: mpsc::Sender<Registration>,
    pub(super) lsd: Option<LsdHandle>,
    /// Its place among the client's seeds.
    pub(super) place: Option<Arc<()>>,
}

impl Survivor {
    /// Waits for the end of `task`, and takes the torrent off the lists if that was a panic.
    pub(super) async fn outlive(self, task: JoinHandle<()>) {
        let ended = task.await;
        drop(self.place);
        let Err(ended) = ended else {
            return;
        };
        let gone = Registration::Remove(self.info_hash);
        // Without a listener, or an owner, there is nobody to tell.
        let _ = self.registrations.send(gone).await;
        if let Some(lsd) = self.lsd {
            lsd.remove(self.info_hash);
        }
        let why = Failed::Bug(words(ended));
        let _ = self.events.send(TorrentEvent::Failed(why)).await;
    }
}

/// What a task said when it panicked.
fn words(ended: JoinError) -> String {
    let Ok(said) = ended.try_into_panic() else {
        return "the runtime is shutting down".to_owned();
    };
    let text = said.downcast_ref::<&str>().copied();
    text.or_else(|| said.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
        .to_owned()
}
