//! How results are shown: tables for people, JSON for programs, and the exit code.

use super::door::{print_json, print_line, shows_progress, shows_results};
use super::remedy;
use comfy_table::{ContentArrangement, Table, presets};
use entente_core::Foreign;
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
}

impl Output {
    /// Prints a line for people; nothing with `--json`.
    pub(super) fn say(self, text: impl AsRef<str>) {
        if !self.json {
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
        } else {
            print_line(&table(data));
        }
        Ok(())
    }

    /// Whether progress is shown: to people at a terminal.
    pub(super) fn shows_progress(self) -> bool {
        !self.json && shows_progress()
    }
}

/// An empty table with a head.
pub(super) fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head);
    if !shows_results() {
        // Piped output is not wrapped: what is cut into lines cannot be searched.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
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
