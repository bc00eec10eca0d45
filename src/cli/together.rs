//! Several torrents of one command: one client, one screen, each ends for itself.
//!
//! At most [`AT_WORK`] are at work at once, the others wait in the order of the command line. One for which
//! nothing has arrived for [`STALLED`] makes room without ending, so that dead torrents do not keep living
//! ones from starting; at most [`RUNNING`] run in all. A failure ends its own torrent only; the exit code is
//! that of the worst end ([`ExitCode::worse`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::exit::{ExitCode, Failure};
use super::report::{Outcome, Reporter};
use super::signals::Signals;

/// Torrents that search, check or download at once. More would share the same line and only end later.
const AT_WORK: usize = 5;

/// Torrents that run at once, those that stalled or seed included: each has connections and memory of its own.
const RUNNING: usize = 200;

/// Without a byte for so long, a torrent does not count as being at work.
pub(super) const STALLED: Duration = Duration::from_secs(60);

/// A torrent's place among those that run.
pub(super) struct Slot {
    at_work: Option<OwnedSemaphorePermit>,
    _running: Option<OwnedSemaphorePermit>,
}

impl Slot {
    /// For a torrent that is alone.
    pub(super) fn alone() -> Slot {
        Slot {
            at_work: None,
            _running: None,
        }
    }

    /// It is complete, or stalled: the next one may start. It goes on all the same.
    pub(super) fn make_room(&mut self) {
        self.at_work = None;
    }
}

/// What a torrent's work is given, and gives back with its end.
pub(super) struct Part {
    /// For this torrent.
    pub(super) reporter: Reporter,
    /// Shared.
    pub(super) signals: Signals,
    /// To make room when it can.
    pub(super) slot: Slot,
}

/// How one torrent ended, and its reporter.
pub(super) type Ended = (Reporter, Result<ExitCode, Failure>);

struct Slots {
    at_work: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Slots {
    async fn next(&self) -> Slot {
        let running = Arc::clone(&self.running).acquire_owned().await;
        let at_work = Arc::clone(&self.at_work).acquire_owned().await;
        Slot {
            at_work: at_work.ok(),
            _running: running.ok(),
        }
    }
}

/// Runs all jobs, each called by a name until it knows better; failures are reported as they come. Returns
/// the command's exit code. After a signal no further job starts.
pub(super) async fn all<J, F, R>(
    mut jobs: Vec<(String, J)>,
    reporter: &mut Reporter,
    signals: &Signals,
    start: F,
) -> ExitCode
where
    F: Fn(J, Part) -> R,
    R: Future<Output = Ended> + Send + 'static,
{
    if let [_] = jobs.as_slice()
        && let Some((_, job)) = jobs.pop()
    {
        let (reporter, signals) = (reporter.again(), signals.clone());
        let slot = Slot::alone();
        let part = Part {
            reporter,
            signals,
            slot,
        };
        let (mut reporter, ended) = start(job, part).await;
        return told(&mut reporter, ended);
    }
    let crowd = reporter.crowd(jobs.len());
    let slots = Slots {
        at_work: Arc::new(Semaphore::new(AT_WORK)),
        running: Arc::new(Semaphore::new(RUNNING)),
    };
    let mut waiting = jobs.into_iter().enumerate().peekable();
    let mut running = JoinSet::new();
    let mut listening = signals.clone();
    let mut worst = ExitCode::Ok;
    let mut interrupted = false;
    loop {
        let more = waiting.peek().is_some() && !interrupted;
        tokio::select! {
            biased;
            code = listening.first(), if !interrupted => {
                interrupted = true;
                worst = worst.worse(code);
            }
            Some(ended) = running.join_next() => match ended {
                Ok((mut reporter, ended)) => {
                    let code = told(&mut reporter, ended);
                    worst = worst.worse(code);
                    let outcome = match code {
                        ExitCode::Ok => Outcome::Done,
                        ExitCode::Interrupted | ExitCode::Terminated => Outcome::Stopped,
                        _ => Outcome::Failed,
                    };
                    crowd.ended(reporter, outcome);
                }
                // A bug of ours in one torrent: the others go on, the exit code tells.
                Err(_) => worst = worst.worse(ExitCode::Failure),
            },
            slot = slots.next(), if more => {
                if let Some((number, (name, job))) = waiting.next() {
                    let reporter = crowd.member(number, name);
                    let signals = signals.clone();
                    running.spawn(start(job, Part { reporter, signals, slot }));
                }
            }
            else => break,
        }
        if running.is_empty() && (interrupted || waiting.peek().is_none()) {
            break;
        }
    }
    let summary = crowd.close();
    reporter.note(std::time::Instant::now(), summary);
    worst
}

/// Reports a failure; the code of the end.
fn told(reporter: &mut Reporter, ended: Result<ExitCode, Failure>) -> ExitCode {
    match ended {
        Ok(code) => code,
        Err(failure) => {
            reporter.fail(&failure);
            failure.code
        }
    }
}

#[cfg(test)]
mod tests;
