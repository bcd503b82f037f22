//! Progress of long work, on a terminal.

use entente_core::Foreign;
use entente_sync::{Observer, Side, Sides, Step};
use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};
use std::sync::{Mutex, PoisonError};
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

/// Shows how far a run is: what it is at, how fast that goes, and, where the number of records is known, how
/// long it will take.
pub(super) struct RunProgress {
    bar: ProgressBar,
    names: Sides<String>,
    step: Mutex<Option<Step>>,
}

const UNKNOWN: &str = "{spinner} {elapsed_precise} {msg} {human_pos} ({per_sec})";
const KNOWN: &str =
    "{spinner} {elapsed_precise} {msg} {human_pos} of {human_len} ({per_sec}), {eta} left {wide_bar}";

impl RunProgress {
    pub(super) fn new(shown: bool, names: Sides<String>) -> Self {
        let bar = spinner(shown, "asking both sides what they have");
        Self { bar, names, step: Mutex::new(None) }
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn doing(&self, step: Step) -> String {
        match step {
            Step::Collect(side) => format!("reading from {}:", self.names[side]),
            Step::Reconcile => "comparing:".to_owned(),
            Step::Execute(side) => format!("writing to {}:", self.names[side]),
        }
    }

    fn style(&self, template: &str) {
        // A number of steps a second with a fraction says nothing.
        let per_second = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}/s", HumanCount(state.per_sec().round() as u64));
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.with_key("per_sec", per_second));
        }
    }

    /// Goes on with the step that is shown, and says whether it is this one; what belongs to another one is
    /// not counted twice.
    fn advance(&self, of: Step, by: u64) -> bool {
        let shown = *self.step.lock().unwrap_or_else(PoisonError::into_inner) == Some(of);
        if shown {
            self.bar.set_message(self.doing(of));
            self.bar.inc(by);
        }
        shown
    }
}

impl Observer for RunProgress {
    fn begins(&self, step: Step, records: Option<u64>) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
        self.bar.set_position(0);
        match records {
            Some(records) => {
                self.bar.set_length(records);
                self.style(KNOWN);
            }
            None => self.style(UNKNOWN),
        }
        self.bar.reset_eta();
        self.bar.set_message(self.doing(step));
    }

    fn collected(&self, side: Side, rows: u64, remaining: Option<u64>) {
        tracing::info!(exchange = self.names[side], records = rows, "read a page");
        let shown = self.advance(Step::Collect(side), rows);
        if let Some(remaining) = remaining.filter(|remaining| shown && *remaining > 0) {
            // A stranger's number.
            self.bar.set_length(self.bar.position().saturating_add(remaining));
            self.style(KNOWN);
        }
    }

    fn reconciled(&self, pairs: u64) {
        tracing::info!(records = pairs, "compared both sides");
        self.advance(Step::Reconcile, pairs);
    }

    fn written(&self, side: Side, changes: u64) {
        tracing::info!(exchange = self.names[side], changes, "an order was answered");
        self.advance(Step::Execute(side), changes);
    }

    fn waiting(&self, exchange: &str, pause: Duration, reason: &str) {
        tracing::info!(exchange, ?pause, reason, "waiting");
        let reason = Foreign::new(reason).cut(200);
        self.bar.set_message(format!("waiting {:.1} s for {exchange}: {reason};", pause.as_secs_f64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_plugin_says_of_its_size_breaks_nothing_and_shows_in_its_step_only() {
        let progress = RunProgress::new(false, Sides::new("hub".to_owned(), "crm".to_owned()));
        progress.begins(Step::Collect(Side::Right), None);
        progress.collected(Side::Right, 500, Some(u64::MAX));
        assert_eq!((progress.bar.position(), progress.bar.length()), (500, Some(u64::MAX)));
        progress.begins(Step::Reconcile, Some(7));
        progress.collected(Side::Right, 3, Some(90));
        assert_eq!((progress.bar.position(), progress.bar.length()), (0, Some(7)));
    }
}
