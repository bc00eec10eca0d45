//! A child process that cannot outlive its owner: killed by its own id when dropped, its output kept in a file.
//!
//! Invariant: no process of a test is left behind when the test ends, however it ends. What a program wrote is printed if
//! its owner is dropped while a test fails.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::wait_until;

/// How much of a log is shown when a test fails, from its end.
const SHOWN: usize = 2_500;

/// A running program with its two output files.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts `command`; standard output goes to `logs/NAME.out`, standard error to `logs/NAME.err`.
    pub fn start(name: &str, logs: &Path, mut command: Command) -> Self {
        let out = logs.join(format!("{name}.out"));
        let err = logs.join(format!("{name}.err"));
        let child = command
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("a log file"))
            .stderr(File::create(&err).expect("a log file"))
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {command:?}: {error}"));
        Self {
            name: name.to_owned(),
            child,
            out,
            err,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.out)
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.err)
    }

    /// Its exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child to wait for")
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        wait_until(limit, || self.ended().is_some());
        match self.ended() {
            Some(status) => status,
            None => panic!("{} still runs after {limit:?}", self.name),
        }
    }

    /// Waits for a line of standard output that begins with `start`.
    ///
    /// # Panics
    /// When there is none within `limit`.
    pub fn line(&mut self, start: &str, limit: Duration) -> String {
        let mut found = None;
        wait_until(limit, || {
            found = self
                .stdout()
                .lines()
                .find(|line| line.starts_with(start))
                .map(str::to_owned);
            found.is_some() || self.ended().is_some()
        });
        found.unwrap_or_else(|| panic!("{} never wrote a line {start:?}", self.name))
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name, such as `INT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.child.id().to_string())
            .status();
        assert!(
            status.expect("kill").success(),
            "cannot signal {}",
            self.name
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            for (kind, text) in [("out", self.stdout()), ("err", self.stderr())] {
                if !text.trim().is_empty() {
                    eprintln!("---- {} ({kind})\n{}", self.name, tail(&text));
                }
            }
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// The last [`SHOWN`] bytes or a little less, on a character boundary.
fn tail(text: &str) -> &str {
    let mut from = text.len().saturating_sub(SHOWN);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}
