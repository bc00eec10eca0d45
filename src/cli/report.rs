//! The reporter: network commands feed it typed updates, it decides what the user sees, where and
//! how often. On a terminal one live line on stderr, elsewhere a line per change and one every ten
//! seconds, with `--json` events on stdout. Result paths go to stdout, all else to stderr.
//!
//! It knows nothing of networks. Writers are given at construction and `now` with every update, so
//! that tests see every byte.

use std::io::{self, IsTerminal, Write};
use std::mem::{Discriminant, discriminant};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::exit::Failure;
use super::format::escape;
use super::json::{self, Event, Seconds, Steps};
use super::update::{Done, Update};
use super::wording::Paint;
use crate::metainfo::InfoHash;

mod crowd;

pub(super) use crowd::{Crowd, Outcome};

/// Between two plain lines of one state.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Between two events of one state.
const EVENT_EVERY: Duration = Duration::from_secs(1);

/// How to report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// One live line, redrawn; finished steps stay above it.
    Terminal(Paint),
    /// A line per change of state and one every 10 s.
    Lines,
    /// Results and errors only.
    Quiet,
    /// Events on stdout, one every second in one state.
    Json,
}

/// Shows a command's way to its user.
pub struct Reporter {
    style: Style,
    out: Shared,
    err: Shared,
    /// Hidden in every style but [`Style::Terminal`].
    bar: ProgressBar,
    /// Where the bars of several torrents stand, once there are several.
    screen: Arc<OnceLock<MultiProgress>>,
    /// Lower hex.
    info_hash: Option<String>,
    last: Option<Last>,
    /// Set for one of several torrents.
    member: Option<crowd::Member>,
}

/// A writer of several reporters.
#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Write + Send>>>);

impl Shared {
    fn new(writer: Box<dyn Write + Send>) -> Shared {
        Shared(Arc::new(Mutex::new(writer)))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.flush()
    }
}

/// A line to draw on, nowhere yet.
fn blank_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(template) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(template);
    }
    bar
}

/// What was reported last.
struct Last {
    state: Discriminant<Update>,
    /// When a line or event of it was written.
    written: Instant,
    /// The newest text that was not written yet.
    pending: Option<String>,
    /// The last text that was written, not to be repeated.
    said: String,
}

impl Reporter {
    /// On the process's stdout and stderr.
    pub fn new(style: Style) -> Self {
        let reporter = Self::with_writers(style, Box::new(io::stdout()), Box::new(io::stderr()));
        if let Style::Terminal(_) = style {
            reporter
                .bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        }
        reporter
    }

    /// On given writers. The live line of [`Style::Terminal`] is not drawn on them.
    pub fn with_writers(
        style: Style,
        out: Box<dyn Write + Send>,
        err: Box<dyn Write + Send>,
    ) -> Self {
        Self {
            style,
            out: Shared::new(out),
            err: Shared::new(err),
            bar: blank_bar(),
            screen: Arc::default(),
            info_hash: None,
            last: None,
            member: None,
        }
    }

    /// One more on the same writers and the same screen, which has reported nothing yet.
    pub(super) fn again(&self) -> Self {
        Self {
            style: self.style,
            out: self.out.clone(),
            err: self.err.clone(),
            bar: self.bar.clone(),
            screen: Arc::clone(&self.screen),
            info_hash: None,
            last: None,
            member: None,
        }
    }

    /// For so many torrents at once.
    pub(super) fn crowd(&self, all: usize) -> Crowd {
        Crowd::new(self.again(), all)
    }

    /// What the torrent is called from here on.
    pub(super) fn rename(&mut self, name: &str) {
        if let Some(member) = &mut self.member {
            name.clone_into(&mut member.name);
        }
    }

    /// How it reports.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Which torrent the updates from here on are about.
    pub fn about(&mut self, info_hash: InfoHash) {
        self.info_hash = Some(info_hash.to_string());
    }

    /// Takes an update; cheap enough to be called many times a second.
    pub fn state(&mut self, now: Instant, update: &Update) {
        let shown = self.member.as_ref().is_none_or(|it| it.counts(update));
        if !shown {
            return;
        }
        match self.style {
            Style::Quiet => {}
            Style::Json => self.state_json(now, update),
            Style::Terminal(paint) => self.state_live(now, update, paint),
            Style::Lines => self.state_lines(now, update),
        }
    }

    /// A line for people between the updates: a diagnosis, what comes next.
    pub fn note(&mut self, now: Instant, text: impl Into<String>) {
        self.state(now, &Update::Note(text.into()));
    }

    /// A text that is the command's answer (a table, a list), on stdout. Not for `--json`.
    pub fn print(&mut self, text: &str) {
        let mut out = self.out.clone();
        let write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
        // A closed pipe (`| head`) is no failure of ours.
        let _ = self.beside(write);
    }

    /// An object that is the command's answer, as one line of JSON on stdout.
    pub fn print_json<T: serde::Serialize>(&mut self, object: &T) {
        let _ = json::write(&mut self.out, object);
    }

    /// The end: the live line goes, a summary stays, the paths go to stdout.
    pub fn done(&mut self, done: &Done) {
        self.settle();
        match self.style {
            Style::Json => {
                let timeline = &done.timeline;
                let seconds = |span: Option<Duration>| span.map(Seconds);
                let event = Event::Done(json::Done {
                    info_hash: self.info_hash.as_deref(),
                    paths: done
                        .paths
                        .iter()
                        .map(|path| path.display().to_string())
                        .collect(),
                    elapsed: Seconds(done.elapsed),
                    downloaded: done.downloaded,
                    uploaded: done.uploaded,
                    timeline: Steps {
                        first_node: seconds(timeline.first_node),
                        first_peers: seconds(timeline.first_peers),
                        first_handshake: seconds(timeline.first_handshake),
                        metadata: seconds(timeline.metadata),
                        first_piece: seconds(timeline.first_piece),
                        done: seconds(timeline.done),
                    },
                });
                let _ = json::write(&mut self.out, &event);
            }
            Style::Quiet => done.paths.iter().for_each(|path| self.path(path)),
            Style::Terminal(_) | Style::Lines => {
                let text = done.lines();
                self.err_line(&self.named(&text));
                done.paths.iter().for_each(|path| self.path(path));
            }
        }
    }

    /// The end without success.
    pub fn fail(&mut self, failure: &Failure) {
        self.settle();
        // Nobody is left to be told if this fails; the exit code says it too.
        let _ = match self.style {
            Style::Json => failure.write_json(&mut self.out, self.info_hash.as_deref()),
            _ => {
                let mut failure = failure.clone();
                failure.message = self.named(&failure.message);
                let mut err = self.err.clone();
                self.beside(|| failure.write_lines(&mut err))
            }
        };
    }

    /// A writer for the log that does not tear the live line.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter {
            bar: self.bar.clone(),
            screen: Arc::clone(&self.screen),
        }
    }

    /// The text with the torrent's name in front, if there are several.
    fn named(&self, text: &str) -> String {
        match &self.member {
            Some(member) => format!("{}: {text}", escape(&member.name)),
            None => text.to_owned(),
        }
    }

    /// The update's text; those that tell the name anyway or concern all torrents stay as they are.
    fn line(&self, update: &Update, text: String) -> String {
        match update {
            Update::Downloading(_)
            | Update::Checking { .. }
            | Update::Hashing { .. }
            | Update::Seeding { .. }
            | Update::Joining { .. }
            | Update::Joined { .. } => text,
            _ => self.named(&text),
        }
    }

    /// Writes without tearing the live lines.
    fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        beside(&self.bar, &self.screen, write)
    }

    /// The path as its bytes are: `mpv "$(trackless get …)"` has to find the file.
    fn path(&mut self, path: &Path) {
        use std::os::unix::ffi::OsStrExt;
        let mut line = path.as_os_str().as_bytes().to_vec();
        line.push(b'\n');
        let mut out = self.out.clone();
        let _ = self.beside(|| out.write_all(&line).and_then(|()| out.flush()));
    }

    /// The work that was reported is over: writes what is still unwritten and takes the live line
    /// away. [`Reporter::done`] and [`Reporter::fail`] do it by themselves.
    pub fn settle(&mut self) {
        if let Some(text) = self.last.take().and_then(|last| last.pending) {
            self.err_line(&text);
        }
        if is_live(&self.bar) {
            self.bar.finish_and_clear();
        }
    }

    /// An event for everything that happened, and for states at most one a second while they last.
    fn state_json(&mut self, now: Instant, update: &Update) {
        if !update.is_event() {
            let state = discriminant(update);
            let fresh = |last: &Last| now.saturating_duration_since(last.written) < EVENT_EVERY;
            if self
                .last
                .as_ref()
                .is_some_and(|last| last.state == state && fresh(last))
            {
                return;
            }
            self.last = Some(Last {
                state,
                written: now,
                pending: None,
                said: String::new(),
            });
        }
        let event = update.event(self.info_hash.as_deref());
        let _ = json::write(&mut self.out, &event);
    }

    /// indicatif draws at most ten times a second, so every update may be handed on.
    fn state_live(&mut self, now: Instant, update: &Update, paint: Paint) {
        if update.is_event() {
            let text = self.line(update, update.line());
            return self.err_line(&text);
        }
        let state = discriminant(update);
        let changed = self.last.as_ref().is_none_or(|last| last.state != state);
        // The last word on a step that is over stays readable above the live line.
        if let Some(text) = self
            .last
            .take()
            .and_then(|last| last.pending)
            .filter(|_| changed)
        {
            self.err_line(&text);
        }
        let pending = is_step(update).then(|| self.line(update, update.line()));
        self.last = Some(Last {
            state,
            written: now,
            pending,
            said: String::new(),
        });
        if self.bar.is_finished() {
            // The next of several torrents: a finished bar would draw nothing.
            self.bar.reset();
        }
        let text = self.line(update, update.live_line(paint));
        let has_row = match &mut self.member {
            Some(member) => member.take_row(&mut self.bar),
            None => true,
        };
        if has_row {
            self.bar.set_message(text);
        }
    }

    /// For logs and pipes: few lines, each complete, the last figures of a step never lost.
    fn state_lines(&mut self, now: Instant, update: &Update) {
        let line = self.line(update, update.line());
        if update.is_event() {
            return self.err_line(&line);
        }
        let state = discriminant(update);
        match self.last.as_mut().filter(|last| last.state == state) {
            Some(last) if now.saturating_duration_since(last.written) < LINE_EVERY => {
                last.pending = Some(line).filter(|line| is_step(update) && *line != last.said);
            }
            _ => {
                if let Some(text) = self.last.take().and_then(|last| last.pending) {
                    self.err_line(&text);
                }
                self.err_line(&line);
                self.last = Some(Last {
                    state,
                    written: now,
                    pending: None,
                    said: line,
                });
            }
        }
    }

    /// A line that stays, above the live line if there is one.
    fn err_line(&mut self, text: &str) {
        let mut err = self.err.clone();
        match self.style {
            Style::Terminal(_) if self.member.is_none() && is_live(&self.bar) => {
                self.bar.println(text);
            }
            // The screen is closed, or it is not there: nobody can be told.
            _ => drop(self.beside(|| writeln!(err, "{text}"))),
        }
    }
}

/// Whether a live line is on the screen. indicatif would draw an empty one around other output.
fn is_live(bar: &ProgressBar) -> bool {
    !bar.is_hidden() && !bar.is_finished() && !bar.message().is_empty()
}

/// Whether the last figures of this state are worth keeping once it is over.
fn is_step(update: &Update) -> bool {
    matches!(
        update,
        Update::LookingUp { .. } | Update::Connecting { .. } | Update::Checking { .. }
    )
}

/// Writes to stderr between two drawings of the live line.
#[derive(Clone)]
pub struct LogWriter {
    bar: ProgressBar,
    screen: Arc<OnceLock<MultiProgress>>,
}

/// Writes between two drawings of the live lines, of one torrent or of several.
fn beside<T>(bar: &ProgressBar, screen: &OnceLock<MultiProgress>, write: impl FnOnce() -> T) -> T {
    match screen.get() {
        Some(screen) => screen.suspend(write),
        None if is_live(bar) => bar.suspend(write),
        None => write(),
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        beside(&self.bar, &self.screen, || io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What to do when the terminal's own answer decides.
pub fn is_live_terminal(term: Option<&str>) -> bool {
    io::stderr().is_terminal() && term != Some("dumb")
}

#[cfg(test)]
mod tests;
