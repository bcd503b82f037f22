//! What an import tells people, with the options that help.

use super::changes::changes_text;
use super::import_undo::first_of;
use super::remedy;
use entente::view::{ChangeView, ImportView, Page};
use entente_sqlite::{
    BadCode, CsvError, DateOrder, ImportNote, ImportOptions, ImportReport, RefusalCount, Weighing,
};
use entente_sync::Remedy;
use std::collections::BTreeSet;
use std::path::Path;

/// How many refused rows and unread columns are shown to people; --json has more.
const SHOWN: usize = 20;

/// `options`: what the import was asked.
pub(super) fn import_text(
    view: &ImportView,
    file: &Path,
    refused: Option<&Path>,
    options: &ImportOptions,
) -> String {
    let (report, dry_run) = (&view.report, view.changes.is_some());
    let mut text = match view.changes.as_deref().filter(|changes| !changes.is_empty()) {
        Some(changes) => format!("{}\n", would_be_text(changes, report, options.told)),
        None => String::new(),
    };
    text.push_str(&format!(
        "{}: {} rows, {} created, {} updated, {} unchanged, {} refused{}",
        file.display(),
        report.rows,
        report.created,
        report.updated,
        report.unchanged,
        report.failed,
        if dry_run { "; dry run, nothing was written" } else { "" }
    ));
    if let Some(layout) = report.layout {
        text.push_str(&format!("\nthe columns are those of {layout}"));
    }
    if report.references_created > 0 {
        let were = if dry_run { "would be" } else { "were" };
        text.push_str(&format!("\n{} records that rows link to {were} made", report.references_created));
    }
    if report.older > 0 {
        text.push_str(&format!("\n{} fields were left alone, since a newer value is there", report.older));
    }
    if report.repeated > 0 {
        text.push_str(&format!(
            "\n{} rows are of records that rows above them made, by what records are recognised by; of each value the newer one was kept, and where no times tell, the last (--key none: every row is a record of its own)",
            report.repeated
        ));
    }
    text.push_str(&unread_text(report));
    for left in &report.left_out {
        text.push_str(&format!(
            "\n{} cells of column '{}' were left out, the first on line {}: {}",
            left.cells,
            left.column.cut(60),
            left.line,
            left.reason
        ));
    }
    if let Weighing::AsOf { at } = &report.weighing {
        text.push_str(&format!(
            "\nnote: the values count as right on {at} at the latest: where it is known that another side was edited later, that edit wins"
        ));
    }
    for note in &report.notes {
        text.push_str(&format!("\nnote: {note}{}", note_option(note)));
    }
    text.push_str(&refused_text(report, refused));
    match report.run {
        Some(run) if report.created + report.references_created + report.updated == 0 => {
            text.push_str(&format!("\nrun {run} has changed nothing"));
        }
        Some(run) => {
            let deletes = report.created + report.references_created;
            let put_back = remedy::command(&Remedy::UndoRun { run, deletes });
            text.push_str(&format!("\nrun {run}; put back what it has made and changed: {put_back}"));
        }
        None => text.push_str(&format!(
            "\nPlan: {} to create, {} to change",
            report.created + report.references_created,
            report.updated
        )),
    }
    text
}

/// The columns that were not read. Those without a value are only counted: nothing of them is lost.
fn unread_text(report: &ImportReport) -> String {
    let (filled, empty): (Vec<_>, Vec<_>) = report.unused.iter().partition(|column| column.cells > 0);
    let mut text = String::new();
    for column in filled.iter().take(SHOWN) {
        text.push_str(&format!(
            "\ncolumn {} '{}' was not read: {} ({})",
            column.number,
            column.name.cut(60),
            column.reason,
            match column.cells {
                1 => "1 value".to_owned(),
                cells => format!("{cells} values"),
            }
        ));
    }
    if filled.len() > SHOWN {
        let more = filled.len() - SHOWN;
        text.push_str(&format!("\nand {more} more columns with values were not read; --json lists them"));
    }
    if !filled.is_empty() {
        text.push_str("\na column that is a field nevertheless is read with --map \"COLUMN=FIELD\"");
    }
    match empty.len() {
        0 => {}
        1 => text.push_str("\n1 column without a value was not read"),
        columns => text.push_str(&format!("\n{columns} columns without a value were not read")),
    }
    text
}

/// What a dry run would do, record by record. `most`: how many records it shows.
fn would_be_text(changes: &[ChangeView], report: &ImportReport, most: usize) -> String {
    let page = Page { rows: changes.to_vec(), next: None, total: None };
    // Several rows may be of one record.
    let all = match changes.len() < most {
        true => changes.len() as u64,
        false => report.created + report.references_created + report.updated,
    };
    let more = first_of(changes.len(), all, "changes").map(|more| format!("\n{more}"));
    format!("{}{}", changes_text(&page), more.unwrap_or_default())
}

/// The refused rows, or those of them that are shown, and what helps.
fn refused_text(report: &ImportReport, refused: Option<&Path>) -> String {
    let mut text = String::new();
    for bad in report.bad.iter().take(SHOWN) {
        let column = bad
            .column
            .as_ref()
            .map(|column| column.cut(60))
            .map(|column| format!(", column {column}"))
            .unwrap_or_default();
        let value = match bad.value.cut(60) {
            blank if blank.is_empty() => String::new(),
            value => format!(" '{value}'"),
        };
        text.push_str(&format!("\nline {}{column}{value}: {}", bad.line, bad.reason));
        for also in &bad.also {
            text.push_str(&format!("\n  and column {}: {}", also.column.cut(60), also.reason));
        }
    }
    let more = (report.failed as usize).saturating_sub(SHOWN);
    if more > 0 {
        text.push_str(&format!("\nand {more} more refused rows:"));
        for count in &report.refusals {
            let column = count
                .column
                .as_ref()
                .map(|column| format!(" in column '{}'", column.cut(60)))
                .unwrap_or_default();
            text.push_str(&format!("\n  {} rows{column}: {}", count.rows, in_words(count.code)));
        }
    }
    let helps: BTreeSet<&str> = report.refusals.iter().filter_map(|count| bad_option(count)).collect();
    for option in helps {
        text.push_str(&format!("\n{option}"));
    }
    match refused {
        Some(file) if report.failed > 0 => {
            let rows = if report.failed == 1 { "1 refused row is" } else { "refused rows are" };
            let rows = if report.failed == 1 { rows.to_owned() } else { format!("{} {rows}", report.failed) };
            let found = found_out(report).map(|found| format!(" and with {found}")).unwrap_or_default();
            text.push_str(&format!(
                "\nthe {rows} in {}; mend what is wrong there, and import it with the same options{found}",
                file.display()
            ));
        }
        Some(file) => text.push_str(&format!("\nno row was refused; {} has none", file.display())),
        None if more > 0 => {
            text.push_str("\nimport it again with --refused FILE, which writes all of them into a file");
        }
        None => {}
    }
    text
}

/// The options that stand for what other rows of the file have shown.
fn found_out(report: &ImportReport) -> Option<String> {
    let option = |note: &ImportNote| match note {
        ImportNote::DateOrder { order: DateOrder::MonthFirst, .. } => Some("--month-first".to_owned()),
        ImportNote::DateOrder { .. } => Some("--day-first".to_owned()),
        ImportNote::ListSeparator { separator, .. } => Some(format!("--list-separator '{separator}'")),
        _ => None,
    };
    let found: BTreeSet<String> = report.notes.iter().filter_map(option).collect();
    let all = found.into_iter().collect::<Vec<_>>().join(" ");
    (!all.is_empty()).then(|| format!("{all}, which the other rows have shown"))
}

/// A reason in few words, for totals.
fn in_words(code: BadCode) -> &'static str {
    match code {
        BadCode::TooFewCells => "too few cells",
        BadCode::TooManyCells => "too many cells",
        BadCode::OpenQuote => "a quote that is never closed",
        BadCode::Value => "no value of the field",
        BadCode::AmbiguousDate => "a date that can be read in two ways",
        BadCode::ChangeTime => "no time",
        BadCode::NoValue => "nothing in the columns that are read",
        BadCode::Required => "a field without a value that is needed",
        BadCode::SeveralRecords => "several records have it",
        BadCode::NoSuchRecord => "no record of this id",
        BadCode::Reference => "the record that it links to",
        BadCode::Refused => "refused by the hub",
    }
}

/// The option that helps against a reason.
fn bad_option(count: &RefusalCount) -> Option<&'static str> {
    match count.code {
        BadCode::AmbiguousDate => Some("give --day-first or --month-first for dates with slashes"),
        BadCode::ChangeTime => Some(
            "for change times: --day-first or --month-first for dates with slashes, or --changed-column \"\" to read the file without them",
        ),
        BadCode::Value if count.needed => Some(
            "cells by which records are recognised are not left out: mend them, or give another key that the rows have (--or-key FIELD,FIELD)",
        ),
        BadCode::Value => Some("--bad-cells leave-out takes rows without such cells"),
        _ => None,
    }
}

/// The option that a note asks for.
fn note_option(note: &ImportNote) -> &'static str {
    match note {
        ImportNote::Preamble { .. } => " (--skip-lines)",
        ImportNote::OtherDelimiter { .. } => " (--delimiter)",
        ImportNote::DateOrder { .. } => " (--day-first, --month-first)",
        ImportNote::ListSeparator { .. } => " (--list-separator)",
        ImportNote::NotTimes { .. } => " (--changed-column)",
        ImportNote::NothingKept { .. } => " (--nothing)",
        ImportNote::RowTimes { .. } => " (--field-times)",
        ImportNote::Undated { .. } => " (--as-of DATE)",
        ImportNote::OddRows { .. } | ImportNote::Replaced { .. } => " (--encoding)",
        ImportNote::NoKey { .. } => " (--map \"COLUMN=FIELD\", --or-key FIELD,FIELD)",
        ImportNote::Unrecognised { .. } => " (--or-key FIELD,FIELD)",
        ImportNote::OtherNames { .. } | ImportNote::FirmNames { .. } => " (--map \"COLUMN=company\")",
        ImportNote::OptOuts { .. } | ImportNote::Likely { .. } => " (--map \"COLUMN=FIELD\")",
        _ => "",
    }
}

/// The option that helps where a file is not imported at all.
pub(super) fn error_option(error: &CsvError) -> Option<&'static str> {
    match error {
        CsvError::HeaderIsRecord { .. } => Some("--no-header --map \"#1=FIELD\""),
        CsvError::NoColumn { .. } => Some("--map \"COLUMN=FIELD\""),
        CsvError::Lacking { .. } => Some("--map \"COLUMN=FIELD\", or --only update"),
        _ => None,
    }
}
