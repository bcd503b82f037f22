//! Progress of long work, on a terminal.

use crate::sync::{Observer, Side};
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How often a bar is drawn anew while nothing happens.
const TICK: Duration = Duration::from_millis(120);

/// A spinner with a text, or nothing where nobody looks.
pub(super) fn spinner(shown: bool, text: &str) -> ProgressBar {
    let bar = if shown { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar.set_message(text.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

/// A bar over so many bytes, or nothing where nobody looks.
pub(super) fn bytes(shown: bool, total: u64, text: &str) -> ProgressBar {
    let bar = if shown { ProgressBar::new(total) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(text.to_owned());
    bar
}

/// Shows how far a run is.
pub(super) struct RunProgress {
    bar: ProgressBar,
    read: [AtomicU64; 2],
    judged: AtomicU64,
    written: [AtomicU64; 2],
    names: [String; 2],
}

impl RunProgress {
    pub(super) fn new(shown: bool, names: [String; 2]) -> Self {
        let bar = spinner(shown, "collecting");
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, read: Default::default(), judged: AtomicU64::new(0), written: Default::default(), names }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&self) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let read = get(&self.read[0]) + get(&self.read[1]);
        self.bar.set_message(format!(
            "read {} from {}, {} from {} ({:.0}/s); reconciled {}; written {} to {}, {} to {}",
            get(&self.read[0]),
            self.names[0],
            get(&self.read[1]),
            self.names[1],
            read as f64 / seconds,
            get(&self.judged),
            get(&self.written[0]),
            self.names[0],
            get(&self.written[1]),
            self.names[1],
        ));
    }
}

impl Observer for RunProgress {
    fn collected(&self, side: Side, rows: u64) {
        tracing::info!(exchange = self.names[side.index()], records = rows, "read a page");
        self.read[side.index()].fetch_add(rows, Ordering::Relaxed);
        self.show();
    }

    fn reconciled(&self, pairs: u64) {
        tracing::info!(records = pairs, "compared both sides");
        self.judged.fetch_add(pairs, Ordering::Relaxed);
        self.show();
    }

    fn written(&self, side: Side, changes: u64) {
        tracing::info!(exchange = self.names[side.index()], changes, "an order was answered");
        self.written[side.index()].fetch_add(changes, Ordering::Relaxed);
        self.show();
    }

    fn waiting(&self, exchange: &str, pause: Duration, reason: &str) {
        tracing::info!(exchange, ?pause, reason, "waiting");
        self.bar.set_message(format!("waiting {:.1} s for {exchange}: {reason}", pause.as_secs_f64()));
    }
}
