//! Ctrl-C and SIGTERM: the first asks for a tidy end, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::{ExitCode, Failure};

/// Listens for both signals from its creation on.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub(super) fn new() -> Result<Signals, Failure> {
        let install = |kind| signal(kind).map_err(|e| Failure::io("signals cannot be caught", &e));
        Ok(Signals {
            interrupt: install(SignalKind::interrupt())?,
            terminate: install(SignalKind::terminate())?,
        })
    }

    /// Waits for the first one. From then on the second ends the process without another word.
    pub(super) async fn first(&mut self) -> ExitCode {
        let code = self.next().await;
        if let Ok(mut again) = Signals::new() {
            tokio::spawn(async move {
                let code = again.next().await;
                std::process::exit(i32::from(code.number()));
            });
        }
        code
    }

    async fn next(&mut self) -> ExitCode {
        tokio::select! {
            _ = self.interrupt.recv() => ExitCode::Interrupted,
            _ = self.terminate.recv() => ExitCode::Terminated,
        }
    }
}
