//! Cancellation of runs by signals: Ctrl-C, and what ends a process politely.

use super::door;
use entente_sync::CancellationToken;
use std::io;
use tokio::task::JoinHandle;

/// What a first signal tells.
const STOPPING: &str = "stopping at the next safe point, in ten seconds at the latest; Ctrl-C again ends at once, which is safe too";

/// Listens for signals while it lives: the first one cancels, the next one ends the process.
#[derive(Debug)]
pub(super) struct OnSignal {
    pub(super) stop: CancellationToken,
    listener: JoinHandle<()>,
}

impl OnSignal {
    /// Begins to listen, before it returns: no signal is missed from then on.
    pub(super) fn listen() -> io::Result<Self> {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let mut signals = Signals::new()?;
        let listener = tokio::spawn(async move {
            signals.next().await;
            asked.cancel();
            door::tell(STOPPING);
            let code = signals.next().await;
            std::process::exit(128 + code);
        });
        Ok(Self { stop, listener })
    }
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// The signals that ask a process to end.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one. Returns its number.
    async fn next(&mut self) -> i32 {
        use tokio::signal::unix::SignalKind;
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> i32 {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        2
    }
}
