//! Cells: from text to a value, and what is counted of it.

use super::import::Import;
use super::nothing;
use super::options::Empty;
use super::report::BadCode;
use super::rows::Line;
use crate::hub::address;
use crate::hub::list::read_list;
use crate::hub::parse::{DateOrder, parse_timestamp, parse_value};
use entente_core::{Kind, Value};
use entente_sync::FieldTime;

/// A parsed cell.
pub(super) enum Content {
    Value(Value),
    Clear,
    /// The names of referenced records.
    Links(Vec<String>),
}

/// What is wrong with a cell.
pub(super) struct Wrong {
    pub(super) code: BadCode,
    pub(super) reason: String,
}

/// What is counted of a column.
#[derive(Default)]
pub(super) struct Tally {
    /// Cells with a word for nothing, and the first of them.
    pub(super) nothing: u64,
    pub(super) kept: u64,
    pub(super) word: String,
    /// Cells with several addresses, and the line of the first.
    pub(super) addresses: u64,
    pub(super) addresses_line: u64,
    pub(super) guards: u64,
    /// Of a column that is not read: cells with a value.
    pub(super) filled: u64,
    /// And cells with a value that is no word for no.
    pub(super) says_yes: u64,
    /// Of the column of full names: whether a cell was split.
    pub(super) split: bool,
    /// Of the column of full names: cells that are other names than those of their rows, and the first of them; and cells
    /// that were split and look like companies, and the first of them.
    pub(super) other_names: (u64, String),
    pub(super) firms: (u64, String),
}

/// The text without the apostrophe that keeps a spreadsheet program from evaluating it. Of several apostrophes, which an
/// export writes before a text that has one itself, one is taken off.
pub(super) fn unguarded(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('\'')?;
    is_guarded_start(rest.trim_start_matches('\'')).then_some(rest)
}

/// Whether a spreadsheet program would evaluate a text.
pub(super) fn is_guarded_start(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

impl Import<'_> {
    /// Parses a cell; `None` where it leaves its field unset.
    pub(super) fn content(
        &mut self,
        (field, column): (usize, usize),
        line: u64,
        text: &str,
    ) -> Result<Option<Content>, Wrong> {
        let definition = &self.object.definition.fields[field];
        let kind = &definition.kind;
        let blank = match self.options.empty {
            Empty::Keep => None,
            Empty::Clear => Some(Content::Clear),
        };
        // White space is significant in texts.
        let free = matches!(kind, Kind::Text | Kind::LongText | Kind::Phone | Kind::Url);
        if text.is_empty() || (!free && text.trim().is_empty()) {
            return Ok(blank);
        }
        let tally = &mut self.tallies[column];
        let text = match unguarded(text) {
            Some(inner) => {
                tally.guards += 1;
                inner
            }
            None => text,
        };
        let named = || self.options.nothing.iter().any(|word| word.eq_ignore_ascii_case(text.trim()));
        let date = matches!(kind, Kind::Date | Kind::Timestamp);
        if nothing::is_word(text) || date && nothing::is_zero_date(text) || named() {
            let choice = kind.is_choice() && (definition.choices.is_empty() || choices(definition, text));
            let kept = (nothing::may_be_a_value(kind) || choice) && !named();
            if tally.word.is_empty() {
                tally.word = text.trim().to_owned();
            }
            if !kept {
                tally.nothing += 1;
                return Ok(blank);
            }
            tally.kept += u64::from(!choice);
        }
        let parse = &self.forms.parse[column];
        let wrong = |code, reason| Wrong { code, reason };
        let list = |text: &str| match parse.list_separator {
            // What the survey found is three of them.
            ':' if self.options.list_separator.is_none() => {
                text.split(":::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
            }
            separator => read_list(text, separator),
        };
        match kind {
            Kind::Reference => return Ok(Some(Content::Links(vec![text.to_owned()]))),
            Kind::References => return Ok(Some(Content::Links(list(text)))),
            Kind::Texts if parse.list_separator == ':' => {
                return Ok(Some(Content::Value(Value::Texts(list(text)))));
            }
            Kind::Email => {
                if let Some(addresses) = address::read(text) {
                    if addresses.others > 0 {
                        if tally.addresses == 0 {
                            tally.addresses_line = line;
                        }
                        tally.addresses += 1;
                    }
                    return Ok(Some(Content::Value(Value::text(addresses.first))));
                }
            }
            _ => {}
        }
        parse_value(definition, text, parse).map(|value| Some(Content::Value(value))).map_err(|error| {
            let unclear = date && parse.date_order == DateOrder::Unknown && text.split('/').count() == 3;
            wrong(if unclear { BadCode::AmbiguousDate } else { BadCode::Value }, error.0)
        })
    }

    /// The change time of a row, where it has one.
    pub(super) fn time(&mut self, line: &Line) -> Result<Option<FieldTime>, (usize, Wrong)> {
        let Some(column) = self.columns.changed else { return Ok(None) };
        let text = line.cells.get(column).unwrap_or_default().trim();
        let text = unguarded(text).unwrap_or(text);
        if text.is_empty() {
            return Ok(None);
        }
        if nothing::is_word(text) || nothing::is_zero_date(text) {
            let tally = &mut self.tallies[column];
            tally.nothing += 1;
            if tally.word.is_empty() {
                tally.word = text.to_owned();
            }
            return Ok(None);
        }
        match parse_timestamp(text, &self.forms.parse[column]) {
            // A change time in the future means a wrong clock or time zone; it says no more than the import does.
            Ok(at) if at > self.now => {
                self.future += 1;
                Ok(Some(FieldTime::by(self.now)))
            }
            Ok(at) if self.options.field_times => Ok(Some(FieldTime::certain(at))),
            // The row's time is an upper bound for each of its fields.
            Ok(at) => Ok(Some(FieldTime::by(at))),
            Err(error) => Err((column, Wrong { code: BadCode::ChangeTime, reason: error.0 })),
        }
    }
}

fn choices(definition: &crate::hub::FieldDefinition, text: &str) -> bool {
    definition
        .choices
        .iter()
        .any(|(value, label)| [value, label].iter().any(|known| known.eq_ignore_ascii_case(text.trim())))
}
