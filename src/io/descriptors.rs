//! The client's descriptors, shared out once: so many for callers that have not said what they want, for
//! connections that are opening, for those that stand (reliability.md S16, `budget`).
//!
//! Invariant: a socket of a peer lives only with a permit of one of the three shares, so the reserve for
//! state, names, trackers and the DHT is never touched by peers. It closes nothing itself.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget;
use crate::swarm::{Reason, Reasons};

/// A right to one descriptor, given back when dropped.
pub(super) type Permit = OwnedSemaphorePermit;

/// The three shares.
#[derive(Clone, Debug)]
pub(super) struct Descriptors {
    /// Callers that have not shaken hands, or have no place yet.
    pub(super) unfinished: Share,
    /// Attempts of ours under way.
    pub(super) half_open: Share,
    /// Connections that stand.
    pub(super) connections: Share,
}

/// One share.
#[derive(Clone, Debug)]
pub(super) struct Share {
    permits: Arc<Semaphore>,
    size: usize,
}

impl Share {
    /// Of so many.
    pub(super) fn of(size: usize) -> Share {
        Share {
            permits: Arc::new(Semaphore::new(size)),
            size,
        }
    }

    /// All of it, taken or not.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// What is not taken.
    pub(super) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// Takes one if there is one.
    pub(super) fn try_take(&self) -> Option<Permit> {
        Arc::clone(&self.permits).try_acquire_owned().ok()
    }

    /// Takes one when there is one; who waits is served in order.
    pub(super) async fn take(&self) -> Permit {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.expect("never closed")
    }
}

impl Descriptors {
    /// By the limit that the process has now.
    pub(super) fn of_process() -> Descriptors {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Descriptors::shared(budget::Descriptors::of(limit))
    }

    fn shared(shares: budget::Descriptors) -> Descriptors {
        Descriptors {
            unfinished: Share::of(shares.unfinished),
            half_open: Share::of(shares.half_open),
            connections: Share::of(shares.connections),
        }
    }
}

/// Counters that several tasks share; a lock for an addition, never across an await.
#[derive(Clone, Default, Debug)]
pub(super) struct Counters(Arc<Mutex<Reasons>>);

impl Counters {
    /// Once more.
    pub(super) fn count(&self, reason: Reason) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .count(reason);
    }

    /// The counts now.
    pub(super) fn read(&self) -> Reasons {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
