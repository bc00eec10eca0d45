//! A torrent's trackers over real sockets: one task that carries out what [`Announcer`] asks, hands the
//! peers to the torrent and shows how the trackers are doing.
//!
//! Beside the DHT, never before it: the task is the torrent's guest and holds nothing that others wait
//! for. `ask` decides which addresses may be asked, `http` and `udp` do it. Goodbyes outlive the
//! torrent by at most [`FAREWELL`].

mod ask;
mod asker;
mod http;
mod udp;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bencode::Endpoint;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

pub(super) use asker::Asker;

use super::entropy;
use super::input::Input;
use super::network::Network;
use super::status::Status;
use crate::swarm::{PeerSource, Phase};
use crate::tracker::announce::UNKNOWN_LEFT;
use crate::tracker::{Announcer, Ask, AskId, Failure, Reply, Settings, Totals, TrackerStatus};

/// How long goodbyes may take (cli.md rule 6: Ctrl-C ends within 2 s).
pub(super) const FAREWELL: Duration = Duration::from_secs(2);

/// Answers that may wait for the task; a torrent has at most 64 trackers, asked one or two at a time.
const ANSWERS: usize = 16;

/// What the carriers of questions report.
enum Heard {
    /// The answer to a question, or why there is none; once for each.
    Answer(AskId, Result<Reply, Failure>),
    /// What the same tracker answered over the other address family.
    More(Vec<Endpoint>),
}

/// Whether the machine may have changed its mind about a tracker.
#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Some,
    None,
}

/// The owner's end of the task.
pub(super) struct Trackers {
    shown: watch::Receiver<Vec<TrackerStatus>>,
    /// Dropped or used: the task ends, used: with goodbyes.
    stop: Option<oneshot::Sender<()>>,
}

impl Trackers {
    /// How they are doing, in the order in which they are asked.
    pub(super) fn statuses(&self) -> Vec<TrackerStatus> {
        self.shown.borrow().clone()
    }

    /// Starts the goodbyes, and does not wait for them.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that the task has ended already.
            let _ = stop.send(());
        }
    }
}

/// What the task needs of the torrent that it works for.
pub(super) struct Guest {
    pub(super) torrent: mpsc::Sender<Input>,
    pub(super) status: watch::Receiver<Status>,
    pub(super) network: Network,
    /// Held until the last goodbye; the client's end waits for it.
    pub(super) _alive: mpsc::Sender<Infallible>,
}

/// Starts to ask these trackers for a torrent; without any, there is no task.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn start(
    asker: Arc<Asker>,
    settings: Settings,
    tiers: &[Vec<String>],
    guest: Guest,
) -> io::Result<Trackers> {
    let totals = totals(&guest.status.borrow());
    let announcer = Announcer::new(settings, tiers, totals, entropy::seed()?, Instant::now());
    let (shown, watched) = watch::channel(announcer.statuses());
    let (stop, stopped) = oneshot::channel();
    if !watched.borrow().is_empty() {
        let (to_self, heard) = mpsc::channel(ANSWERS);
        let task = Task {
            announcer,
            asker,
            guest,
            shown,
            to_self,
            carriers: JoinSet::new(),
        };
        tokio::spawn(task.run(heard, stopped));
    }
    Ok(Trackers {
        shown: watched,
        stop: Some(stop),
    })
}

/// The task.
struct Task {
    announcer: Announcer,
    asker: Arc<Asker>,
    guest: Guest,
    shown: watch::Sender<Vec<TrackerStatus>>,
    to_self: mpsc::Sender<Heard>,
    carriers: JoinSet<()>,
}

impl Task {
    async fn run(mut self, mut heard: mpsc::Receiver<Heard>, mut stopped: oneshot::Receiver<()>) {
        // Whoever came while existing data is checked would be turned away; and a complete copy must
        // not announce itself as an empty one.
        tokio::select! {
            ready = self.guest.status.wait_for(|status| !is_opening(status)) => {
                if ready.is_err() {
                    return;
                }
            }
            _ = &mut stopped => return,
        }
        self.observe();
        self.announcer.handle_timeout(Instant::now());
        let mut news = News::Some;
        loop {
            self.drain(news).await;
            let due = self.announcer.next_timeout();
            news = tokio::select! {
                // The end first: a torrent that is stopped drops its status, and goodbyes are still due.
                biased;
                stop = &mut stopped => {
                    if stop.is_ok() {
                        let _ = timeout(FAREWELL, self.take_leave(heard)).await;
                    }
                    return;
                }
                Some(heard) = heard.recv() => {
                    self.handle(heard).await;
                    News::Some
                }
                changed = self.guest.status.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.observe();
                    News::None
                }
                () = self.guest.network.changed() => {
                    self.announcer.network_changed(Instant::now());
                    News::Some
                }
                () = wait_until(due) => {
                    self.announcer.handle_timeout(Instant::now());
                    News::Some
                }
                Some(_) = self.carriers.join_next() => News::None,
            };
        }
    }

    /// Looks at what the torrent has done meanwhile.
    fn observe(&mut self) {
        let now = Instant::now();
        let (totals, phase, peers) = {
            let status = self.guest.status.borrow_and_update();
            (
                totals(&status),
                status.snapshot.phase,
                status.snapshot.peers,
            )
        };
        self.announcer.set_totals(totals);
        match phase {
            // Who had everything from the start has completed nothing (BEP 3 "event").
            Phase::Complete if totals.downloaded > 0 => self.announcer.completed(now),
            Phase::Metadata | Phase::Downloading if peers.connected == 0 && peers.dialling == 0 => {
                self.announcer.wanted(now);
            }
            _ => {}
        }
    }

    async fn handle(&mut self, heard: Heard) {
        match heard {
            Heard::Answer(id, answer) => {
                if let Ok(Reply {
                    external_ip: Some(ip),
                    ..
                }) = &answer
                {
                    tracing::debug!(%ip, "a tracker sees us here");
                }
                self.announcer.handle_answer(Instant::now(), id, answer);
            }
            Heard::More(peers) => self.hand_over(peers).await,
        }
    }

    /// Carries out what the machine has decided, and shows the trackers if anything may have changed:
    /// the torrent's state comes five times a second and mostly changes nothing here.
    async fn drain(&mut self, mut news: News) {
        while let Some(ask) = self.announcer.poll_ask() {
            self.spawn(ask);
            news = News::Some;
        }
        while let Some(peers) = self.announcer.poll_peers() {
            self.hand_over(peers).await;
        }
        if news == News::Some {
            let _ = self.shown.send(self.announcer.statuses());
        }
    }

    fn spawn(&mut self, ask: Ask) {
        let asker = Arc::clone(&self.asker);
        self.carriers
            .spawn(carry_out(asker, ask, self.to_self.clone()));
    }

    async fn hand_over(&self, peers: Vec<Endpoint>) {
        // A torrent that has ended needs nobody.
        let _ = self
            .guest
            .torrent
            .send(Input::Add(PeerSource::Tracker, peers))
            .await;
    }

    async fn take_leave(&mut self, mut heard: mpsc::Receiver<Heard>) {
        self.observe();
        self.announcer.stop(Instant::now());
        loop {
            while let Some(ask) = self.announcer.poll_ask() {
                self.spawn(ask);
            }
            if self.announcer.is_over() {
                return;
            }
            if let Some(Heard::Answer(id, answer)) = heard.recv().await {
                self.announcer.handle_answer(Instant::now(), id, answer);
            }
        }
    }
}

/// Puts one question over every address family that the tracker has, so that it hears of us, and we of
/// its peers, in each (BEP 7). The first good answer counts for the machine.
async fn carry_out(asker: Arc<Asker>, ask: Ask, heard: mpsc::Sender<Heard>) {
    let mut failure = Failure::Name;
    let mut answered = false;
    let _place = asker.place().await;
    match asker.announce(&ask.url, &ask.announce).await {
        Ok(mut tries) => {
            while let Some(tried) = tries.join_next().await {
                let report =
                    match tried.unwrap_or_else(|error| Err(Failure::System(error.to_string()))) {
                        Ok(reply) if answered => Heard::More(reply.peers),
                        Ok(reply) => {
                            answered = true;
                            Heard::Answer(ask.id, Ok(reply))
                        }
                        Err(other) => {
                            // A machine without IPv6 says so at once, which tells nothing about the tracker.
                            if matches!(failure, Failure::Name | Failure::Unreachable) {
                                failure = other;
                            }
                            continue;
                        }
                    };
                let _ = heard.send(report).await;
            }
        }
        Err(other) => failure = other,
    }
    if !answered {
        tracing::debug!(tracker = ask.url.name(), %failure, "a tracker failed");
        let _ = heard.send(Heard::Answer(ask.id, Err(failure))).await;
    }
}

async fn wait_until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn is_opening(status: &Status) -> bool {
    status.snapshot.phase == Phase::Opening || status.checking.is_some()
}

/// The torrent's counters as trackers want them.
fn totals(status: &Status) -> Totals {
    let snapshot = &status.snapshot;
    let missing = snapshot.wanted_bytes.saturating_sub(snapshot.have_bytes);
    let left = match snapshot.phase {
        Phase::Metadata => UNKNOWN_LEFT,
        // Who wants only some of the files is no seed (BEP 21).
        _ if snapshot.pieces.have < snapshot.pieces.total => missing.max(UNKNOWN_LEFT),
        _ => missing,
    };
    Totals {
        uploaded: snapshot.uploaded,
        downloaded: snapshot.downloaded,
        left,
    }
}
