//! What an import tells: refused rows as they come, and at the end the report.

use super::CsvError;
use super::import::Import;
use super::names::{self, plain};
use super::notes::{ImportNote, LikelyColumn, UnreadOfCards};
use super::open::AnyRows;
use super::options::ImportKey;
use super::refused::{self, RefusedRows};
use super::report::{BadCell, CellError, ImportReport, RefusalCount, Weighing};
use crate::hub::check::cut;
use entente_core::Foreign;
use std::io::Read;

/// What columns are called, in their plain form, that say who does not want to be written to.
const OPT_OUTS: [&str; 9] = [
    "unsubscrib",
    "optout",
    "optedout",
    "suppress",
    "donotcall",
    "donotemail",
    "donotcontact",
    "abgemeldet",
    "bounce",
];

impl Import<'_> {
    /// Tells of the rows of a batch that were refused, in their order.
    pub(super) fn told(&mut self, mut file: Option<&mut RefusedRows<'_>>) -> Result<(), CsvError> {
        let mut refusals = std::mem::take(&mut self.refusals);
        refusals.sort_by_key(|refusal| refusal.line);
        for refusal in refusals {
            let mut cells = refusal.cells.iter().map(|bad| CellError {
                column: self.heading(bad.column).unwrap_or_default(),
                value: cut(&bad.value).into(),
                code: bad.code,
                reason: bad.reason.clone(),
            });
            let Some(first) = cells.next() else { continue };
            let also: Vec<CellError> = cells.collect();
            if let (Some(file), Some(raw)) = (file.as_mut(), refusal.raw) {
                let reason = |column: Option<usize>, reason: &str| match self.heading(column) {
                    Some(column) => format!("{}: {reason}", column.as_data()),
                    None => reason.to_owned(),
                };
                let reasons: Vec<String> =
                    refusal.cells.iter().map(|bad| reason(bad.column, &bad.reason)).collect();
                let (reason, open_quote) = (reasons.join("; "), refusal.open_quote);
                file.row(&refused::Row { cells: raw, reason, open_quote })?;
            }
            if self.report.bad.len() < self.options.listed {
                let column = self.heading(refusal.cells.first().and_then(|bad| bad.column));
                let CellError { value, code, reason, .. } = first;
                self.report.bad.push(BadCell { line: refusal.line, column, value, code, reason, also });
            }
        }
        file.map_or(Ok(()), RefusedRows::flush)
    }

    fn heading(&self, column: Option<usize>) -> Option<Foreign> {
        self.columns.names.get(column?).map(|name| name.as_str().into())
    }

    pub(super) fn finish<R: Read>(mut self, rows: &AnyRows<R>) -> ImportReport {
        let name = |field: usize| self.object.definition.fields[field].name.clone();
        let mut columns: Vec<(usize, String)> = Vec::new();
        for (column, field) in self.columns.fields.iter().enumerate() {
            columns.extend(field.map(|field| (column, name(field))));
        }
        if let Some((column, [first, last])) = self.columns.full_name {
            columns.push((column, format!("{}, {}", name(first), name(last))));
            columns.sort();
        }
        self.report.columns =
            columns.into_iter().map(|(column, field)| (self.columns.names[column].clone(), field)).collect();
        self.report.encoding = rows.source().encoding.name().to_lowercase();
        self.report.layout = self.columns.layout;
        self.report.refusals = std::mem::take(&mut self.counts)
            .into_iter()
            .map(|((code, column), rows)| {
                let needed = column.and_then(|column| self.columns.fields[column]);
                let needed = needed.is_some_and(|field| self.is_needed(field));
                RefusalCount { code, column: self.heading(column), rows, needed }
            })
            .collect();
        self.report.left_out = std::mem::take(&mut self.left_out).into_iter().flatten().collect();
        self.report.weighing = match (self.columns.changed, self.options.as_of) {
            (Some(column), _) if self.options.field_times => {
                Weighing::FieldTimes { column: self.columns.names[column].as_str().into() }
            }
            (Some(column), _) => Weighing::RowTimes { column: self.columns.names[column].as_str().into() },
            (None, Some(at)) => Weighing::AsOf { at },
            (None, None) => Weighing::Import,
        };
        let mut notes = std::mem::take(&mut self.forms.notes);
        notes.append(&mut self.report.notes);
        self.notes(&mut notes, rows);
        self.report.notes = notes;
        self.report.unused = self.columns.unused;
        for column in &mut self.report.unused {
            column.cells = self.tallies[column.number - 1].filled;
        }
        self.report
    }

    /// Columns with values that were not read, and whose names end as those of a field that no column is read as.
    fn likely(&self) -> Vec<LikelyColumn> {
        let mut likely: Vec<LikelyColumn> = Vec::new();
        let filled = |number: usize| self.tallies[number - 1].filled > 0;
        for column in self.columns.unused.iter().filter(|column| filled(column.number)) {
            let Some(field) = names::ending(self.object.name(), &plain(column.name.as_data())) else {
                continue;
            };
            let free = self.object.index(field).is_some_and(|index| !self.columns.feeds(index));
            if free && !likely.iter().any(|of| of.field == field) {
                likely.push(LikelyColumn { column: column.name.clone(), field: field.to_owned() });
            }
        }
        likely
    }

    /// That records are recognised by nothing; and the column that may be what they are recognised by.
    fn no_key(&self) -> ImportNote {
        let field =
            self.object.identifiers().next().map(|index| self.object.definition.fields[index].name.clone());
        let of = field.as_deref().map(plain).unwrap_or_default();
        let unused = self.columns.unused.iter().filter(|column| self.tallies[column.number - 1].filled > 0);
        let like = unused.map(|column| &column.name).find(|name| plain(name.as_data()).contains(&of));
        ImportNote::NoKey { field, like: like.cloned() }
    }

    /// What the operator should know of the file as a whole.
    fn notes<R: Read>(&self, notes: &mut Vec<ImportNote>, rows: &AnyRows<R>) {
        let (report, columns) = (&self.report, &self.columns);
        if self.other_delimiter.1 > 0 {
            let (delimiter, rows) = (char::from(self.other_delimiter.0), self.other_delimiter.1);
            notes.push(ImportNote::OtherDelimiter { delimiter, rows });
        }
        if let Some((column, _)) = columns.full_name.filter(|(column, _)| self.tallies[*column].split) {
            notes.push(ImportNote::FullName { column: columns.names[column].as_str().into() });
        }
        let mut guards = 0;
        for (tally, name) in self.tallies.iter().zip(&columns.names) {
            let (column, value): (Foreign, Foreign) = (name.as_str().into(), cut(&tally.word).into());
            if tally.nothing > 0 {
                let (column, value) = (column.clone(), value.clone());
                notes.push(ImportNote::Nothing { column, cells: tally.nothing, value });
            }
            if tally.kept > 0 {
                notes.push(ImportNote::NothingKept { column: column.clone(), cells: tally.kept, value });
            }
            if let (cells @ 1.., value) = &tally.other_names {
                let (column, value) = (column.clone(), value.as_str().into());
                notes.push(ImportNote::OtherNames { column, cells: *cells, value });
            }
            if let (cells @ 1.., value) = &tally.firms {
                let (column, value) = (column.clone(), value.as_str().into());
                notes.push(ImportNote::FirmNames { column, cells: *cells, value });
            }
            if tally.addresses > 0 {
                let (cells, line) = (tally.addresses, tally.addresses_line);
                notes.push(ImportNote::SeveralAddresses { column, cells, line });
            }
            guards += tally.guards;
        }
        notes.extend((guards > 0).then_some(ImportNote::Guards { cells: guards }));
        for column in &columns.unused {
            let (cells, name) = (self.tallies[column.number - 1].says_yes, plain(column.name.as_data()));
            if cells > 0 && OPT_OUTS.iter().any(|word| name.contains(word)) {
                notes.push(ImportNote::OptOuts { column: column.name.clone(), cells });
            }
        }
        let likely = self.likely();
        notes.extend((!likely.is_empty()).then_some(ImportNote::Likely { columns: likely }));
        if let Some((unread, groups, firms)) = rows.left_of_cards() {
            let what = unread
                .iter()
                .map(|(what, cards)| UnreadOfCards { what: what.as_str().into(), cards: *cards });
            let what: Vec<UnreadOfCards> = what.collect();
            notes.extend((!what.is_empty()).then_some(ImportNote::CardsUnread { what }));
            notes.extend((groups > 0).then_some(ImportNote::Groups { cards: groups }));
            notes.extend((firms > 0).then_some(ImportNote::Firms { cards: firms }));
        }
        match &report.weighing {
            // No row has one: there are none to be weighed.
            Weighing::RowTimes { .. } | Weighing::FieldTimes { .. }
                if report.undated + report.failed >= report.rows => {}
            Weighing::RowTimes { column } => notes.push(ImportNote::RowTimes { column: column.clone() }),
            Weighing::FieldTimes { column } => notes.push(ImportNote::FieldTimes { column: column.clone() }),
            Weighing::AsOf { .. } | Weighing::Import => {}
        }
        let counted = |rows: u64, note: fn(u64) -> ImportNote| (rows > 0).then(|| note(rows));
        notes.extend(counted(report.undated, |rows| ImportNote::Undated { rows }));
        notes.extend(counted(self.future, |rows| ImportNote::Future { rows }));
        notes.extend(counted(rows.odd_rows(), |rows| ImportNote::OddRows { rows }));
        if rows.source().replaced {
            notes.push(ImportNote::Replaced { encoding: report.encoding.clone() });
        }
        if columns.keys.is_empty() && self.options.key == ImportKey::Usual {
            notes.push(self.no_key());
        } else if report.unrecognised > 0 {
            let name = |field: &usize| self.object.definition.fields[*field].name.clone();
            let by = columns.keys.iter().flatten().map(name).collect();
            notes.push(ImportNote::Unrecognised { rows: report.unrecognised, by });
        }
        if report.passed > 0 {
            notes.push(ImportNote::Passed { rows: report.passed, only: self.options.only });
        }
    }
}
