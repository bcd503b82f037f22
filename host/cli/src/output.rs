//! How results are shown: tables for people, JSON for programs, and the exit code.

use super::dates::ago;
use super::door::{print_json, print_line, print_paged, shows_progress, shows_results};
use super::grid::Grid;
use super::remedy;
use comfy_table::Table;
use entente_core::{Foreign, Timestamp};
use serde::Serialize;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// Everything was done.
    Well,
    /// Done, but some records failed or are held.
    WithProblems,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::Well => ExitCode::SUCCESS,
            Done::WithProblems => ExitCode::from(3),
        }
    }
}

/// What was asked for can never work: exit code 2, as for any other wrong usage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub String);

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    /// JSON instead of tables.
    pub json: bool,
    /// Errors only, and JSON.
    pub quiet: bool,
    /// Moments in UTC also where people look.
    pub utc: bool,
}

impl Output {
    /// Prints a line for people; nothing with `--json`.
    pub(super) fn say(self, text: impl AsRef<str>) {
        if !self.json && !self.quiet {
            print_line(text.as_ref());
        }
    }

    /// Prints data: as JSON, or as what `table` makes of it.
    ///
    /// # Errors
    /// Where the data cannot be put into JSON.
    pub(super) fn show<T: Serialize>(self, data: &T, table: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        if self.json {
            let mut data = serde_json::to_value(data)?;
            remedy::add_commands(&mut data);
            print_json(&format!("{data:#}\n"));
        } else if !self.quiet {
            print_paged(&table(data));
        }
        Ok(())
    }

    /// A moment as it is told: how long ago to people at a terminal, exactly where it goes elsewhere.
    pub(super) fn moment(self, at: Timestamp, now: Timestamp) -> String {
        if self.utc || !shows_results() { at.to_string() } else { ago(at, now) }
    }

    /// Whether progress is shown: to people at a terminal.
    pub(super) fn shows_progress(self) -> bool {
        !self.json && !self.quiet && shows_progress()
    }
}

/// An empty table with a head.
pub(super) fn table<const N: usize>(head: [&str; N]) -> Grid {
    Grid::new(head)
}

/// The columns of the terminal that results go to; `None` where they go elsewhere, and no line is broken.
pub(super) fn width() -> Option<usize> {
    if !shows_results() {
        return None;
    }
    Table::new().width().map(usize::from)
}

/// A text on one line, cut to so many characters, for a cell of a table.
pub(super) fn cell(text: &str, most: usize) -> String {
    let flat: String = text.chars().take(most + 1).collect();
    let flat = Foreign::new(flat).to_string();
    if flat.chars().count() > most {
        flat.chars().take(most.saturating_sub(1)).chain(['…']).collect()
    } else {
        flat
    }
}
