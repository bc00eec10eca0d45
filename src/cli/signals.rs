//! Ctrl-C and SIGTERM: the first asks for a tidy end, the second ends the process at once, and so
//! does a tidy end that takes too long.
//!
//! Rows S18: a thread of its own listens, so that a disk that hangs cannot keep a signal from being
//! obeyed, whatever waits for it. Knows nothing of what is being ended.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::sleep;

use super::exit::{ExitCode, Failure};

/// How long a tidy end may take: what waits longer waits for a disk that does not answer.
const LIMIT: Duration = Duration::from_secs(9);

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
        let failed = |e: &std::io::Error| Failure::io("signals cannot be caught", e);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(&error))?;
        let inside = runtime.enter();
        let mut both = Both {
            interrupt: signal(SignalKind::interrupt()).map_err(|error| failed(&error))?,
            terminate: signal(SignalKind::terminate()).map_err(|error| failed(&error))?,
        };
        drop(inside);
        let (tell, first) = watch::channel(None);
        let listen = async move {
            let code = both.next().await;
            // Nobody who listens is as good as one who does: the command is ending.
            let _ = tell.send(Some(code));
            let code = tokio::select! {
                code = both.next() => code,
                () = sleep(LIMIT) => {
                    eprintln!("the disk does not answer: not everything could be saved");
                    ExitCode::Failure
                }
            };
            std::process::exit(i32::from(code.number()));
        };
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || runtime.block_on(listen))
            .map_err(|error| failed(&error))?;
        Ok(Signals { first })
    }

    /// Waits for the first one, or returns at once if it has come. The second ends the process without
    /// another word.
    pub(super) async fn first(&mut self) -> ExitCode {
        let come = self.first.wait_for(Option::is_some).await;
        match come.ok().and_then(|code| *code) {
            Some(code) => code,
            // The listening thread holds the other end until the process ends.
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
