//! A torrent's disk threads: one owns the [`Disk`] and does its jobs in order, another runs the
//! `fdatasync`s of a group commit so that a slow device does not stop hashing and writing.
//!
//! Jobs come through a queue that the torrent bounds (it stops asking peers while too many bytes
//! wait to be stored); replies go into the torrent's own input queue. No decision is made here.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::input::Input;
use crate::metainfo::Info;
use crate::storage::{CheckProgress, Disk, Location, OpenMode, Opened, SyncOutcome};
use crate::swarm::disk::{Job, Reply};

/// Jobs that may wait. The torrent's memory budget stops it far below: 24 MiB of 16 KiB pieces
/// are 1,536 stores, and reads are bounded by each peer's unsent bytes.
const QUEUE: usize = 16_384;

/// How often a check says how far it is.
const CHECK_REPORT: Duration = Duration::from_millis(100);

/// How long a thread without a due sync sleeps at most.
const IDLE: Duration = Duration::from_secs(3600);

enum Order {
    Do(Job),
    Synced(Box<SyncOutcome>),
    /// Make everything durable under its final name, tell the torrent, go on.
    Flush,
    /// Make everything durable, mark the stop as clean, answer, end.
    Stop(oneshot::Sender<()>),
}

/// The torrent's end of its disk threads.
pub(super) struct DiskHandle {
    orders: SyncSender<Order>,
}

impl DiskHandle {
    /// Opens the storage on a thread of its own; the outcome and the progress of a check come as
    /// [`Input::Checking`], [`Input::StorageReady`] or [`Input::StorageFailed`].
    pub(super) fn open(
        info: Arc<Info>,
        location: Location,
        mode: OpenMode,
        torrent: mpsc::Sender<Input>,
    ) -> std::io::Result<DiskHandle> {
        let (orders, queue) = sync_channel(QUEUE);
        let back = orders.clone();
        std::thread::Builder::new()
            .name("disk".into())
            .spawn(move || {
                let mut said = Instant::now();
                let mut progress = |check: CheckProgress| {
                    if said.elapsed() >= CHECK_REPORT {
                        said = Instant::now();
                        // Progress is a courtesy: if the queue is full the next one will do.
                        let _ = torrent.try_send(Input::Checking(check));
                    }
                };
                match Disk::open(info, location, mode, &mut progress) {
                    Ok(Opened { disk, have, .. }) => {
                        if torrent.blocking_send(Input::StorageReady(have)).is_ok() {
                            Worker {
                                disk,
                                torrent,
                                back,
                                syncing: false,
                                backlog: VecDeque::new(),
                            }
                            .run(&queue);
                        }
                    }
                    Err(error) => {
                        let _ = torrent.blocking_send(Input::StorageFailed(error));
                    }
                }
            })?;
        Ok(DiskHandle { orders })
    }

    /// Hands a job over. `false` when the thread has ended or cannot follow, which the torrent
    /// treats as an I/O error.
    pub(super) fn submit(&self, job: Job) -> Result<(), Job> {
        self.orders
            .try_send(Order::Do(job))
            .map_err(|error| match error {
                TrySendError::Full(Order::Do(job)) | TrySendError::Disconnected(Order::Do(job)) => {
                    job
                }
                _ => unreachable!("only jobs are submitted here"),
            })
    }

    /// Asks for [`Input::Flushed`].
    pub(super) fn flush(&self) {
        // A thread that has ended has flushed on its way out and cannot answer any more.
        let _ = self.orders.try_send(Order::Flush);
    }

    /// Asks for a clean stop; the receiver resolves when everything is durable.
    pub(super) fn stop(&self) -> oneshot::Receiver<()> {
        let (done, stopped) = oneshot::channel();
        let _ = self.orders.try_send(Order::Stop(done));
        stopped
    }
}

struct Worker {
    disk: Disk,
    torrent: mpsc::Sender<Input>,
    back: SyncSender<Order>,
    syncing: bool,
    /// Orders that came while a sync had to be waited for.
    backlog: VecDeque<Order>,
}

impl Worker {
    fn run(mut self, queue: &Receiver<Order>) {
        let mut unsure = true;
        loop {
            if let Some(news) = self.disk.take_news()
                && self.torrent.blocking_send(Input::State(news)).is_err()
            {
                break;
            }
            let wait = match self.disk.next_sync() {
                _ if unsure => Duration::ZERO,
                Some(due) if !self.syncing => due.saturating_duration_since(Instant::now()),
                _ => IDLE,
            };
            let order = match self.backlog.pop_front() {
                Some(order) => Ok(order),
                None => queue.recv_timeout(wait),
            };
            match order {
                Ok(Order::Do(job)) => {
                    let reply = self.disk.perform(Instant::now(), job);
                    if self.torrent.blocking_send(Input::Disk(reply)).is_err() {
                        break;
                    }
                }
                Ok(Order::Synced(outcome)) => {
                    self.syncing = false;
                    self.disk.finish_sync(Instant::now(), *outcome);
                }
                Ok(Order::Flush) => {
                    self.wait_for_sync(queue);
                    let flushed = self.disk.flush(Instant::now());
                    // First what is missing, so that the torrent knows whether it can be mended.
                    self.tell_lost();
                    if self.torrent.blocking_send(Input::Flushed(flushed)).is_err() {
                        break;
                    }
                }
                Ok(Order::Stop(done)) => {
                    self.wait_for_sync(queue);
                    self.disk.close(Instant::now());
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) if unsure => {
                    unsure = self.disk.check_next();
                    self.tell_lost();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.sync_if_due();
        }
        self.disk.close(Instant::now());
    }

    /// Tells the torrent which pieces are not there any more.
    fn tell_lost(&mut self) {
        for piece in self.disk.take_lost() {
            let lost = Input::Disk(Reply::Lost { piece });
            // A torrent that has gone wants to know nothing.
            let _ = self.torrent.blocking_send(lost);
        }
    }

    fn sync_if_due(&mut self) {
        let now = Instant::now();
        if self.syncing || self.disk.next_sync().is_none_or(|due| due > now) {
            return;
        }
        let Some(job) = self.disk.begin_sync(now) else {
            return;
        };
        self.syncing = true;
        let back = self.back.clone();
        let run = move || {
            // A worker that is gone has synced on its own while closing.
            let _ = back.send(Order::Synced(Box::new(job.run())));
        };
        std::thread::Builder::new()
            .name("sync".into())
            .spawn(run)
            .expect("a thread for fdatasync: without it nothing can be made durable");
    }

    /// The running group commit must be accounted for before the last one.
    fn wait_for_sync(&mut self, queue: &Receiver<Order>) {
        while self.syncing {
            match queue.recv() {
                Ok(Order::Synced(outcome)) => {
                    self.syncing = false;
                    self.disk.finish_sync(Instant::now(), *outcome);
                }
                Ok(order) => self.backlog.push_back(order),
                Err(_) => return,
            }
        }
    }
}
