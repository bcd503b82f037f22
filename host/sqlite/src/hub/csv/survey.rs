//! What the beginning of a file shows of all of it: where its header is, the order of day and month, what separates the
//! elements of lists.

use super::columns::{self, Columns};
use super::notes::ImportNote;
use super::options::ImportOptions;
use super::report::UnusedColumn;
use super::rows::{Line, Rows};
use crate::hub::parse::{DateOrder, ParseOptions, parse_timestamp};
use crate::hub::schema::ObjectSchema;
use crate::hub::{FieldDefinition, check};
use entente_core::Kind;

/// Among how many rows the header is looked for.
const HEADER_WITHIN: usize = 20;
/// How many values of a column are called by what a time is before a column that is called one is believed to have none.
const TIMES: u64 = 3;

/// The line of the header. It is the first row, unless that has no name that is known, or is a single cell, and one of
/// the next has several.
pub(super) fn header_line(
    sample: &[u8],
    delimiter: u8,
    before: u64,
    object: &ObjectSchema,
    options: &ImportOptions,
) -> Option<u64> {
    let mut rows = Rows::new(sample, delimiter, before);
    let mut first: Option<(u64, usize, usize)> = None;
    let mut best: Option<(u64, usize)> = None;
    let mut seen = 0;
    while seen < HEADER_WITHIN
        && let Ok(Some(line)) = rows.next()
    {
        if line.is_blank() {
            continue;
        }
        seen += 1;
        let known = columns::known_names(line.cells.iter(), object, options);
        match first {
            None => first = Some((line.number, line.cells.len(), known)),
            Some(_) if known > 1 && best.is_none_or(|(_, most)| known > most) => {
                best = Some((line.number, known));
            }
            Some(_) => {}
        }
    }
    let (number, cells, known) = first?;
    Some(match best {
        Some((other, _)) if known == 0 || (cells == 1 && !options.no_header) => other,
        _ => number,
    })
}

/// What a column has shown so far.
#[derive(Default)]
struct Seen {
    /// Dates with slashes of which the first, or the second, part can be no month.
    day_first: u64,
    month_first: u64,
    /// Cells with a semicolon, a comma, three colons.
    semicolons: u64,
    commas: u64,
    colons: u64,
    /// Whether a cell is no list in commas.
    no_commas: bool,
    /// Values, and how many of them are times.
    values: u64,
    times: u64,
    example: String,
}

/// How the cells of each column are parsed.
pub(super) struct Forms {
    pub(super) parse: Vec<ParseOptions>,
    pub(super) notes: Vec<ImportNote>,
}

/// Looks through the rows of the sample. A column that is called like a change time and has none is taken out of the
/// columns.
pub(super) fn forms(
    sample: &[u8],
    delimiter: u8,
    (before, header): (u64, u64),
    columns: &mut Columns,
    object: &ObjectSchema,
    options: &ImportOptions,
) -> Forms {
    let mut seen: Vec<Seen> = columns.names.iter().map(|_| Seen::default()).collect();
    let field = |column: usize, columns: &Columns| {
        columns.fields[column].map(|field| &object.definition.fields[field])
    };
    let looked_at: Vec<usize> = (0..seen.len())
        .filter(|column| {
            columns.changed == Some(*column)
                || field(*column, columns).is_some_and(|field| {
                    is_date(&field.kind) || matches!(field.kind, Kind::Texts | Kind::Choices)
                })
        })
        .collect();
    if !looked_at.is_empty() {
        let mut rows = Rows::new(whole_lines(sample), delimiter, before);
        while let Ok(Some(line)) = rows.next() {
            if line.number > header || options.no_header {
                look(&line, &looked_at, columns, object, options, &mut seen);
            }
        }
    }
    let mut forms = Forms { parse: vec![options.parse; seen.len()], notes: Vec::new() };
    for column in looked_at {
        let (seen, name) = (&seen[column], columns.names[column].as_str());
        let changed = columns.changed == Some(column);
        if changed && options.changed_column.is_none() && seen.values >= TIMES && seen.times == 0 {
            columns.changed = None;
            columns.unused.push(UnusedColumn {
                number: column + 1,
                name: name.into(),
                cells: 0,
                reason: format!(
                    "it is called like a change time, but has values such as '{}', which are none",
                    check::shown(&seen.example)
                ),
            });
            forms
                .notes
                .push(ImportNote::NotTimes { column: name.into(), value: check::cut(&seen.example).into() });
            continue;
        }
        let parse = &mut forms.parse[column];
        if parse.date_order == DateOrder::Unknown
            && let Some(order) = seen.order()
        {
            parse.date_order = order;
            forms.notes.push(ImportNote::DateOrder { column: name.into(), order });
        }
        if let Some(separator) = options.list_separator {
            parse.list_separator = separator;
        } else if !changed && let Some(separator) = seen.separator() {
            parse.list_separator = separator;
            forms.notes.push(ImportNote::ListSeparator { column: name.into(), separator });
        }
    }
    columns.unused.sort_by_key(|column| column.number);
    forms
}

/// The sample up to its last line break, unless it is a single line.
fn whole_lines(sample: &[u8]) -> &[u8] {
    let end = sample.iter().rposition(|byte| matches!(byte, b'\r' | b'\n'));
    end.map_or(sample, |end| &sample[..=end])
}

fn is_date(kind: &Kind) -> bool {
    matches!(kind, Kind::Date | Kind::Timestamp)
}

fn look(
    line: &Line,
    looked_at: &[usize],
    columns: &Columns,
    object: &ObjectSchema,
    options: &ImportOptions,
    seen: &mut [Seen],
) {
    for column in looked_at {
        let Some(text) = line.cells.get(*column).map(str::trim).filter(|text| !text.is_empty()) else {
            continue;
        };
        let seen = &mut seen[*column];
        let definition = columns.fields[*column].map(|field| &object.definition.fields[field]);
        match definition {
            Some(field) if !is_date(&field.kind) => seen.list(text, field),
            _ => seen.date(text),
        }
        if columns.changed == Some(*column) && !super::nothing::is_zero_date(text) {
            let orders = [DateOrder::DayFirst, DateOrder::MonthFirst];
            let time = orders.iter().any(|order| {
                parse_timestamp(text, &ParseOptions { date_order: *order, ..options.parse }).is_ok()
            });
            seen.values += 1;
            seen.times += u64::from(time);
            if seen.example.is_empty() {
                seen.example = text.to_owned();
            }
        }
    }
}

impl Seen {
    fn date(&mut self, text: &str) {
        let day = text.split([' ', 'T']).next().unwrap_or_default();
        let mut parts = day.split('/').map(|part| part.parse::<u32>().ok());
        if let (Some(Some(a)), Some(Some(b)), Some(Some(_))) = (parts.next(), parts.next(), parts.next()) {
            self.day_first += u64::from((13..=31).contains(&a) && b <= 12);
            self.month_first += u64::from((13..=31).contains(&b) && a <= 12);
        }
    }

    fn list(&mut self, text: &str, field: &FieldDefinition) {
        const LONGEST: usize = 60;
        // A text with an escape was written by this program, which has semicolons.
        if text.contains(';') || text.contains('\\') {
            self.semicolons += 1;
        }
        self.colons += u64::from(text.contains(" ::: "));
        if text.contains(',') {
            self.commas += 1;
            let choice = field.choices.iter().any(|(value, label)| value == text || label == text);
            let element =
                |part: &str| !part.trim().is_empty() && part.len() <= LONGEST && !part.contains('\n');
            self.no_commas |= choice || !text.trim_end_matches(',').split(',').all(element);
        }
    }

    fn order(&self) -> Option<DateOrder> {
        match (self.day_first, self.month_first) {
            (1.., 0) => Some(DateOrder::DayFirst),
            (0, 1..) => Some(DateOrder::MonthFirst),
            _ => None,
        }
    }

    fn separator(&self) -> Option<char> {
        if self.colons > 0 {
            Some(':')
        } else if self.commas > 0 && self.semicolons == 0 && !self.no_commas {
            Some(',')
        } else {
            None
        }
    }
}
