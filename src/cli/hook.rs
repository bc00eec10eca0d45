//! `--on-complete`: the user's own program, started when a download is complete.
//!
//! The process confines itself once it has started, and what a confined thread starts is confined too. The user's program
//! is none of ours and must not be: a thread that is older than the confinement starts it, and does nothing else.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;

use tokio::sync::oneshot;

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// The thread that starts programs; ends with its last handle.
#[derive(Clone, Debug)]
pub(super) struct Starter {
    orders: mpsc::Sender<Order>,
}

impl Starter {
    /// Starts the thread: to be called before the process confines itself.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn new() -> io::Result<Self> {
        let (orders, waiting) = mpsc::channel::<Order>();
        let work = move || {
            for (mut command, answer) in waiting {
                // Whoever does not wait for the answer does not want it.
                let _ = answer.send(command.spawn());
            }
        };
        std::thread::Builder::new()
            .name("hooks".into())
            .spawn(work)?;
        Ok(Self { orders })
    }

    /// Starts `command` and waits until it has ended. `Ok(())`: with success.
    ///
    /// # Errors
    /// What went wrong, in words.
    pub(super) async fn run(&self, command: Command) -> Result<(), String> {
        let (answer, started) = oneshot::channel();
        let gone = || "the thread for programs has ended".to_owned();
        self.orders.send((command, answer)).map_err(|_| gone())?;
        let started = started.await.map_err(|_| gone())?;
        let mut child = started.map_err(|error| error.to_string())?;
        // It may take its time; the torrents must not wait for it.
        let ended = tokio::task::spawn_blocking(move || child.wait()).await;
        match ended {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(status.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}
