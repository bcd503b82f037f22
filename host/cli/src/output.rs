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
    /// Long texts through a pager, where people look.
    pub paged: bool,
}

impl Output {
    /// Prints a line for people; nothing with `--json`.
    pub(super) fn say(self, text: impl AsRef<str>) {
        if !self.json && !self.quiet {
            print_line(&wrapped(text.as_ref(), width()));
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
            let text = wrapped(&table(data), width());
            if self.paged { print_paged(&text) } else { print_line(&text) }
        }
        Ok(())
    }

    /// A moment as it is told: how long ago to people at a terminal, to the second where it goes elsewhere. All of it is in the
    /// JSON.
    pub(super) fn moment(self, at: Timestamp, now: Timestamp) -> String {
        match self.utc || !shows_results() {
            true => second(at),
            false => ago(at, now),
        }
    }

    /// Whether progress is shown: to people at a terminal.
    pub(super) fn shows_progress(self) -> bool {
        !self.json && !self.quiet && shows_progress()
    }
}

/// A moment to the second, in UTC.
pub(super) fn second(at: Timestamp) -> String {
    at.to_datetime().format("%Y-%m-%dT%H:%M:%SZ").to_string()
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

/// A text whose long lines are broken between words. Tables, which fit, and lines with a command to copy stay as they are.
fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let fits = |line: &str| {
        line.chars().count() <= width
            || line.contains("entente ")
            || line.starts_with(['│', '┌', '╞', '├', '└'])
    };
    let line = |line: &str| {
        if fits(line) {
            return line.to_owned();
        }
        let indent = " ".repeat(line.chars().take_while(|c| *c == ' ').count());
        let further = format!("{indent}    ");
        let options = textwrap::Options::new(width)
            .initial_indent(&indent)
            .subsequent_indent(&further)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(line.trim_start(), options)
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_broken_between_words_and_what_is_copied_is_not() {
        let text = "done\n  person:p34 waits: nothing proves that it is not there\n│ a row of a table, however wide │\nnext: entente sync HelloWorld --full --dry-run --limit 5";
        let broken = "done\n  person:p34 waits: nothing\n      proves that it is not\n      there\n│ a row of a table, however wide │\nnext: entente sync HelloWorld --full --dry-run --limit 5";
        assert_eq!(wrapped(text, Some(30)), broken);
        assert_eq!(wrapped(text, None), text);
        assert_eq!(
            wrapped("a-word-that-is-longer-than-the-terminal is wide", Some(20)),
            "a-word-that-is-longer-than-the-terminal\n    is wide"
        );
    }
}
