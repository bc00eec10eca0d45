//! Queries of ours that wait for an answer (BEP 5 "KRPC Protocol": the `t` key).
//!
//! One list in the order of what happens next. A question is closed by its transaction id *and*
//! by the endpoint that was asked, and then compared with the node id that was expected there.
//! Each carries the `purpose` for which it was asked, so that an answer is routed by a `match`.
//! Invariant: sorted by `due`, at most `MAX_PENDING` long, ids distinct. The purpose is opaque
//! here; neither messages nor tables are known.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use rand::Rng;

use crate::id::Id;

/// Most questions that may be open at once. Bounds memory and what a flood of answers can match
/// (512: several lookups at full width are below 100).
pub const MAX_PENDING: usize = 512;

/// Questions given up whose answer is still welcome: values and liveness come late behind full
/// buffers.
pub const MAX_LATE: usize = 256;

/// How long after it was asked an answer to a question is recognised (dht.md §3.2).
pub const RECOGNISED: Duration = Duration::from_secs(10);

/// The `t` of our own queries: four random bytes.
///
/// `Threat:` a stranger who cannot see our packets must guess 32 bits and the endpoint; the two
/// bytes that BEP 5 suggests can be sprayed in seconds.
pub type TransactionId = [u8; 4];

/// Whether a question is young enough to hold its slot in a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Within the usual round trip.
    Fresh,
    /// Later than usual, not yet given up: its answer still counts.
    Slow,
    /// Given up, and reported so.
    Late,
}

/// How long to wait for one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// After this the question is reported slow, once.
    pub slow: Duration,
    /// After this it has failed. At least `slow`.
    pub failed: Duration,
}

/// A question that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending<P> {
    /// What travelled as `t`.
    pub id: TransactionId,
    /// Who was asked; an answer from anywhere else is not one.
    pub to: Endpoint,
    /// Which node was believed to live there; `None` for a bootstrap address.
    pub expects: Option<Id>,
    /// When it was asked: an answer gives the round-trip time.
    pub sent: Instant,
    /// Why it was asked.
    pub purpose: P,
    deadline: Instant,
    due: Instant,
    stage: Stage,
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed<P> {
    /// The question this answers.
    Matched(Pending<P>),
    /// Right transaction and endpoint, but another node answered than was expected there.
    Impostor(Pending<P>),
    /// Nothing was asked: too late, or forged.
    Unknown,
}

/// A question whose time came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due<P> {
    /// Slower than usual; still open, so this is a copy. Reported once a question.
    Slow(Pending<P>),
    /// Given up; an answer until `RECOGNISED` still closes it.
    Failed(Pending<P>),
}

/// The open questions.
#[derive(Clone, Debug)]
pub struct Transactions<P> {
    /// Sorted by `due`.
    pending: Vec<Pending<P>>,
    /// In the order in which they were given up.
    late: VecDeque<Pending<P>>,
}

impl<P> Pending<P> {
    /// Whether it was reported neither slow nor failed.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.stage == Stage::Fresh
    }

    /// Whether it was given up before the answer came.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.stage == Stage::Late
    }
}

impl<P> Default for Transactions<P> {
    fn default() -> Self {
        Transactions {
            pending: Vec::new(),
            late: VecDeque::new(),
        }
    }
}

impl<P: Copy> Transactions<P> {
    /// Opens a question to `to` and returns its id; `None` when `MAX_PENDING` are open.
    pub fn open(
        &mut self,
        now: Instant,
        (to, expects): (Endpoint, Option<Id>),
        purpose: P,
        patience: Patience,
        rng: &mut impl Rng,
    ) -> Option<TransactionId> {
        if self.pending.len() >= MAX_PENDING {
            return None;
        }
        let mut id = rng.next_u32().to_be_bytes();
        while self.pending.iter().any(|open| open.id == id) {
            id = rng.next_u32().to_be_bytes();
        }
        self.insert(Pending {
            id,
            to,
            expects,
            sent: now,
            purpose,
            deadline: now + patience.failed.max(patience.slow),
            due: now + patience.slow,
            stage: Stage::Fresh,
        });
        Some(id)
    }

    /// Closes what `id` from `from` answers, as the node `sender`.
    pub fn close(&mut self, now: Instant, id: &[u8], (from, sender): (Endpoint, &Id)) -> Closed<P> {
        match self.take(now, id, from) {
            Some(open) if open.expects.is_some_and(|expected| expected != *sender) => {
                Closed::Impostor(open)
            }
            Some(open) => Closed::Matched(open),
            None => Closed::Unknown,
        }
    }

    /// Closes what `id` from `from` answers when the answer names no node: an error reply.
    pub fn take(&mut self, now: Instant, id: &[u8], from: Endpoint) -> Option<Pending<P>> {
        let closes = |open: &Pending<P>| open.id.as_slice() == id && open.to == from;
        if let Some(index) = self.pending.iter().position(closes) {
            let open = self.pending.remove(index);
            self.rest();
            return Some(open);
        }
        self.forget(now);
        let index = self.late.iter().position(closes)?;
        self.late.remove(index)
    }

    /// An idle node holds no memory for questions.
    fn rest(&mut self) {
        if self.pending.is_empty() {
            self.pending = Vec::new();
        }
    }

    /// The next question whose time came; call until `None`.
    pub fn expire(&mut self, now: Instant) -> Option<Due<P>> {
        self.forget(now);
        if self.pending.first()?.due > now {
            return None;
        }
        let mut open = self.pending.remove(0);
        match open.stage {
            Stage::Slow | Stage::Late => {
                self.rest();
                open.stage = Stage::Late;
                self.late.push_back(open.clone());
                Some(Due::Failed(open))
            }
            Stage::Fresh => {
                open.stage = Stage::Slow;
                open.due = open.deadline;
                self.insert(open.clone());
                Some(Due::Slow(open))
            }
        }
    }

    fn forget(&mut self, now: Instant) {
        let old = |open: &Pending<P>| now.saturating_duration_since(open.sent) >= RECOGNISED;
        while self.late.len() >= MAX_LATE || self.late.front().is_some_and(old) {
            self.late.pop_front();
        }
        if self.late.is_empty() {
            self.late = VecDeque::new();
        }
    }

    /// Whether a question to `to` is open.
    #[must_use]
    pub fn awaits(&self, to: Endpoint) -> bool {
        self.pending.iter().any(|open| open.to == to)
    }

    /// How many questions to endpoints at `ip` are open.
    #[must_use]
    pub fn open_at(&self, ip: IpAddr) -> usize {
        self.pending.iter().filter(|open| open.to.ip == ip).count()
    }

    /// When `expire` next has something to say.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.pending.first().map(|open| open.due)
    }

    /// How many questions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    fn insert(&mut self, open: Pending<P>) {
        let index = self.pending.partition_point(|other| other.due <= open.due);
        self.pending.insert(index, open);
    }
}

#[cfg(test)]
mod tests;
