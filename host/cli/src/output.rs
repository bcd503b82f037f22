//! How results are shown: tables for people, JSON for programs, and the exit code.

use super::remedy;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};
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
        !self.json && std::io::stderr().is_terminal()
    }
}

/// Prints a text for people, as a line or several. What strangers said in it has no say in what a terminal does.
pub(super) fn print_line(text: &str) {
    let shown = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    print_text(&format!("{}\n", text.chars().map(shown).collect::<String>()));
}

/// Prints a part of a JSON document. Control characters that JSON allows in a text are escaped all the same.
pub(super) fn print_json(text: &str) {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}') {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    print_text(&safe);
}

/// Writes to standard output. A reader that has gone away (`| head`) ends the program quietly.
fn print_text(text: &str) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            eprintln!("error: the output cannot be written: {error}");
            std::process::exit(1);
        }
    }
}

/// An empty table with a head.
pub(super) fn table<const N: usize>(head: [&str; N]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(head);
    if !std::io::stdout().is_terminal() {
        // Piped output is not wrapped: what is cut into lines cannot be searched.
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

/// A text on one line, cut to so many characters, for a cell of a table.
pub(super) fn cell(text: &str, most: usize) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(most + 1).collect();
    if flat.chars().count() > most {
        flat.chars().take(most.saturating_sub(1)).chain(['…']).collect()
    } else {
        flat
    }
}
