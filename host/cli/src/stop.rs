//! Cancellation of runs by signals: Ctrl-C, and what ends a process politely.

use super::door;
use entente_sync::CancellationToken;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a first signal tells.
const STOPPING: &str = "stopping at the next safe point, in ten seconds at the latest; Ctrl-C again ends at once, which is safe too";

/// The runs of this process that listen for signals.
static LISTENING: AtomicUsize = AtomicUsize::new(0);

/// Listens for signals: the first one cancels the run, the next one ends the process. Once this is dropped, the first one does:
/// a signal that was ever listened for does not end a process by itself any more.
#[derive(Debug)]
pub(super) struct OnSignal {
    pub(super) stop: CancellationToken,
    ended: CancellationToken,
}

impl OnSignal {
    /// Begins to listen, before it returns: no signal is missed from then on.
    pub(super) fn listen() -> io::Result<Self> {
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let mut signals = Signals::new()?;
        LISTENING.fetch_add(1, Ordering::Relaxed);
        tokio::spawn({
            let (stop, ended) = (stop.clone(), ended.clone());
            async move {
                loop {
                    let signal = signals.next().await;
                    let run_ended = ended.is_cancelled();
                    if run_ended && LISTENING.load(Ordering::Relaxed) > 0 {
                        // A later run has heard it too.
                        continue;
                    }
                    if run_ended || stop.is_cancelled() {
                        std::process::exit(128 + signal);
                    }
                    stop.cancel();
                    door::tell(STOPPING);
                }
            }
        });
        Ok(Self { stop, ended })
    }
}

impl Drop for OnSignal {
    fn drop(&mut self) {
        self.ended.cancel();
        LISTENING.fetch_sub(1, Ordering::Relaxed);
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
