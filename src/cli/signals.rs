//! Ctrl-C and SIGTERM: the first asks for a tidy end, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::exit::{ExitCode, Failure};

/// Listens for both signals from its creation on. Copies hear the same.
#[derive(Clone)]
pub(super) struct Signals {
    first: watch::Receiver<Option<ExitCode>>,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub(super) fn new() -> Result<Signals, Failure> {
        let install = |kind| signal(kind).map_err(|e| Failure::io("signals cannot be caught", &e));
        let mut both = Both {
            interrupt: install(SignalKind::interrupt())?,
            terminate: install(SignalKind::terminate())?,
        };
        let (tell, first) = watch::channel(None);
        tokio::spawn(async move {
            let code = both.next().await;
            // Nobody who listens is as good as one who does: the command is ending.
            let _ = tell.send(Some(code));
            let code = both.next().await;
            std::process::exit(i32::from(code.number()));
        });
        Ok(Signals { first })
    }

    /// Waits for the first one, or returns at once if it has come. The second ends the process without
    /// another word.
    pub(super) async fn first(&mut self) -> ExitCode {
        let come = self.first.wait_for(Option::is_some).await;
        match come.ok().and_then(|code| *code) {
            Some(code) => code,
            // The listening task holds the other end until the process ends.
            None => std::future::pending().await,
        }
    }
}

struct Both {
    interrupt: Signal,
    terminate: Signal,
}

impl Both {
    async fn next(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::Interrupted,
            _ = self.terminate.recv() => ExitCode::Terminated,
        }
    }
}
