//! Several torrents at once on one screen: a live line for each of the first few at work and one for
//! all of them together; elsewhere each line begins with the torrent's name.
//!
//! Invariant: what concerns them all (joining the DHT) is said once. Figures of all are made of what the
//! members report; the board asks nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use super::{Reporter, blank_bar};
use crate::cli::format::{bytes_of, rate};
use crate::cli::update::Update;

/// Live lines of torrents; with the line for all they fit on a small terminal.
const ROWS: usize = 8;

/// What all members share.
pub(super) struct Board {
    pub(super) screen: MultiProgress,
    state: Mutex<State>,
}

struct State {
    total: ProgressBar,
    all: usize,
    ended: usize,
    done: usize,
    failed: usize,
    rows: usize,
    /// Who says what concerns all.
    speaker: Option<usize>,
    joined: bool,
    at_work: BTreeMap<usize, Figures>,
}

/// What one member adds to the line for all.
#[derive(Clone, Copy, Default)]
struct Figures {
    have: u64,
    size: u64,
    down: u64,
    up: u64,
    seeds: bool,
}

/// One torrent's part of it.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) board: Arc<Board>,
    number: usize,
    /// Whether it has a live line.
    row: bool,
}

/// How a member ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Outcome {
    /// As it was meant to.
    Done,
    /// The user wanted no more of it.
    Stopped,
    /// Otherwise.
    Failed,
}

/// Several torrents reported at once.
pub(in crate::cli) struct Crowd {
    board: Arc<Board>,
    /// Their reporters are made of it.
    like: Reporter,
}

impl Crowd {
    pub(super) fn new(like: Reporter, all: usize) -> Crowd {
        let target = if like.bar.is_hidden() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let screen = MultiProgress::with_draw_target(target);
        // The log must not tear these lines either.
        let _ = like.screen.set(screen.clone());
        let total = screen.add(blank_bar());
        let state = State {
            total,
            all,
            ended: 0,
            done: 0,
            failed: 0,
            rows: 0,
            speaker: None,
            joined: false,
            at_work: BTreeMap::new(),
        };
        let board = Board {
            screen,
            state: Mutex::new(state),
        };
        Crowd {
            board: Arc::new(board),
            like,
        }
    }

    /// A reporter for the torrent of this number (each has another), called `name` until it says what
    /// its own name is.
    pub(in crate::cli) fn member(&self, number: usize, name: String) -> Reporter {
        let member = Member {
            name,
            board: Arc::clone(&self.board),
            number,
            row: false,
        };
        Reporter {
            bar: blank_bar(),
            member: Some(member),
            ..self.like.again()
        }
    }

    /// One has ended; its live line makes room for another's.
    pub(in crate::cli) fn ended(&self, mut reporter: Reporter, outcome: Outcome) {
        reporter.settle();
        let mut state = self.board.state();
        if let Some(member) = &reporter.member {
            state.at_work.remove(&member.number);
            if state.speaker == Some(member.number) {
                state.speaker = None;
            }
            if member.row {
                state.rows -= 1;
                self.board.screen.remove(&reporter.bar);
            }
        }
        state.ended += 1;
        match outcome {
            Outcome::Done => state.done += 1,
            Outcome::Failed => state.failed += 1,
            Outcome::Stopped => {}
        }
        state.draw();
    }

    /// All have ended: the live lines go; a sentence for all of them.
    pub(in crate::cli) fn close(self) -> String {
        let state = self.board.state();
        state.total.finish_and_clear();
        let (all, done, failed) = (state.all, state.done, state.failed);
        // Those whose turn did not come were stopped too.
        let stopped = all.saturating_sub(done + failed);
        match (failed, stopped) {
            (0, 0) => format!("{all} torrents, all of them done"),
            (_, 0) => format!("{all} torrents: {done} done, {failed} failed"),
            (0, _) => format!("{all} torrents: {done} done, {stopped} stopped"),
            _ => format!("{all} torrents: {done} done, {failed} failed, {stopped} stopped"),
        }
    }
}

impl Board {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Takes an update's figures into the line for all. Returns whether the update is to be shown: what
    /// concerns all is not, if another member says it.
    pub(super) fn counts(&self, update: &Update) -> bool {
        let mut state = self.board.state();
        match update {
            Update::Joining { .. } => {
                state.at_work.entry(self.number).or_default();
                state.draw();
                *state.speaker.get_or_insert(self.number) == self.number
            }
            Update::Joined { .. } => !std::mem::replace(&mut state.joined, true),
            Update::Downloading(transfer) => {
                let figures = Figures {
                    have: transfer.have,
                    size: transfer.size,
                    down: transfer.down,
                    up: transfer.up,
                    seeds: false,
                };
                state.at_work.insert(self.number, figures);
                state.draw();
                true
            }
            Update::Seeding { up, .. } => {
                let figures = state.at_work.entry(self.number).or_default();
                figures.have = figures.size;
                (figures.down, figures.up, figures.seeds) = (0, *up, true);
                state.draw();
                true
            }
            update => {
                if !update.is_event() {
                    state.at_work.entry(self.number).or_default();
                    state.draw();
                }
                true
            }
        }
    }

    /// Takes a live line if there is room for one; whether it has one.
    pub(super) fn take_row(&mut self, bar: &mut ProgressBar) -> bool {
        if !self.row {
            let mut state = self.board.state();
            if state.rows < ROWS {
                state.rows += 1;
                self.row = true;
                *bar = self.board.screen.insert_before(&state.total, bar.clone());
            }
        }
        self.row
    }
}

impl State {
    fn draw(&self) {
        if !self.total.is_hidden() {
            self.total.set_message(self.line());
        }
    }

    fn line(&self) -> String {
        let sum = |of: fn(&Figures) -> u64| {
            let figures = self.at_work.values().map(of);
            figures.fold(0, u64::saturating_add)
        };
        let seeds = self.at_work.values().filter(|it| it.seeds).count();
        let waiting = self.all.saturating_sub(self.ended + self.at_work.len());
        let mut parts = vec![format!("{} of {} ended", self.ended, self.all)];
        let counts = [
            (self.at_work.len() - seeds, "at work"),
            (seeds, "seeding"),
            (waiting, "waiting"),
        ];
        for (number, what) in counts.into_iter().filter(|(number, _)| *number > 0) {
            parts.push(format!("{number} {what}"));
        }
        let size = sum(|it| if it.seeds { 0 } else { it.size });
        if size > 0 {
            parts.push(bytes_of(sum(|it| if it.seeds { 0 } else { it.have }), size));
        }
        parts.push(format!(
            "{} down, {} up",
            rate(sum(|it| it.down)),
            rate(sum(|it| it.up))
        ));
        parts.join(" · ")
    }
}

#[cfg(test)]
mod tests;
