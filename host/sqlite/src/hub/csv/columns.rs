//! The header of a file: which column is read as which field.

use super::names::{self, Meaning, Place, plain};
use super::options::{ImportKey, ImportOptions, Only};
use super::refused::REFUSED_COLUMN;
use super::report::UnusedColumn;
use super::{CsvError, nothing};
use crate::hub::address;
use crate::hub::schema::{ObjectSchema, names as listed};
use entente_core::Timestamp;
use std::collections::HashMap;

/// The columns of a file, as its header and the options assign them.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The headings, for messages.
    pub(super) names: Vec<String>,
    /// By column, the field that it is read as.
    pub(super) fields: Vec<Option<usize>>,
    /// The column of full names, with the fields for the first and the last name.
    pub(super) full_name: Option<(usize, [usize; 2])>,
    /// The columns in the order in which they are read: of several columns of one field the best comes first.
    pub(super) order: Vec<usize>,
    /// The columns that the operator has given a field, in this order.
    given: Vec<usize>,
    /// By column, which of several addresses it is a part of, from 1; 0 where it is a part of none.
    pub(super) groups: Vec<u8>,
    /// The column of change times.
    pub(super) changed: Option<usize>,
    /// The column of ids, where records are recognised by it.
    pub(super) id: Option<usize>,
    /// The fields by which records are recognised: the key, and its alternatives.
    pub(super) keys: Vec<Vec<usize>>,
    pub(super) unused: Vec<UnusedColumn>,
    /// The exporter whose columns these are.
    pub(super) layout: Option<&'static str>,
    /// The number of cells that a row must have: up to the last column with a name.
    pub(super) least: usize,
}

/// What became of a column.
enum Assigned {
    Yes,
    /// Not yet; perhaps by what such a column is usually called.
    No,
    Unused(String),
}

impl Columns {
    /// Reads the header row.
    pub(super) fn read(
        headings: &[String],
        object: &ObjectSchema,
        options: &ImportOptions,
    ) -> Result<Self, CsvError> {
        let number = |n: usize| format!("#{}", n + 1);
        let mut columns = Self {
            names: headings
                .iter()
                .enumerate()
                .map(|(n, name)| if name.is_empty() { number(n) } else { name.clone() })
                .collect(),
            fields: vec![None; headings.len()],
            least: headings.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1),
            ..Self::default()
        };
        let left_out = columns.mapped(headings, object, options)?;
        let plains: Vec<String> = headings.iter().map(|heading| plain(heading)).collect();
        let (layout, own) = (names::layout(&plains), OwnNames::of(object));
        let mut places = vec![Place::default(); headings.len()];
        let mut reasons: Vec<Option<String>> = vec![None; headings.len()];
        for usual in [false, true] {
            for (number, plain) in plains.iter().enumerate() {
                let done = columns.fields[number].is_some()
                    || columns.changed == Some(number)
                    || columns.id == Some(number)
                    || columns.full_name.is_some_and(|(column, _)| column == number);
                if done || reasons[number].is_some() {
                    continue;
                }
                let assigned = if left_out[number] {
                    Assigned::Unused("left out by the mapping".to_owned())
                } else if usual {
                    columns.assign(number, names::usual(object.name(), plain), object, options, false)
                } else {
                    let known =
                        (own.get(plain), layout.and_then(|layout| layout.meaning(object.name(), plain)));
                    columns.recognise(number, plain, known, object, options, &mut places[number])
                };
                match assigned {
                    Assigned::Yes => {}
                    Assigned::No if !usual => {}
                    Assigned::No => {
                        reasons[number] = Some(format!("no field of {} is called so", object.name()))
                    }
                    Assigned::Unused(reason) => reasons[number] = Some(reason),
                }
            }
        }
        columns.layout = layout.map(|layout| layout.name);
        columns.order = (0..headings.len()).collect();
        // The operator's word first, in the order in which it was given.
        let given = |column: &usize| columns.given.iter().position(|given| given == column);
        columns.order.sort_by_key(|column| (given(column).unwrap_or(usize::MAX), places[*column].rank));
        columns.groups = places.iter().map(|place| place.group).collect();
        for (number, reason) in reasons.into_iter().enumerate() {
            columns.unused.extend(reason.map(|reason| UnusedColumn {
                number: number + 1,
                name: headings[number].as_str().into(),
                cells: 0,
                reason,
            }));
        }
        columns.check(headings, object, options)?;
        columns.keys = columns.keys(object, options)?;
        Ok(columns)
    }

    /// Assigns what the operator names. Returns which columns are left out.
    fn mapped(
        &mut self,
        headings: &[String],
        object: &ObjectSchema,
        options: &ImportOptions,
    ) -> Result<Vec<bool>, CsvError> {
        let mut left_out = vec![false; headings.len()];
        for (column, field) in &options.map {
            let number = self.find(headings, column)?;
            if left_out[number] || self.fields[number].is_some() {
                return Err(CsvError::Options(format!("column '{}' is mapped twice", self.names[number])));
            }
            if field.trim().is_empty() {
                left_out[number] = true;
                continue;
            }
            // Of several columns of one field the first that has a value counts.
            self.fields[number] = Some(object.require(field.trim())?);
            self.given.push(number);
        }
        self.changed = match options.changed_column.as_deref() {
            Some("") => None,
            Some(name) => Some(self.find(headings, name)?),
            None => None,
        };
        Ok(left_out)
    }

    /// Assigns a column by the layout of the file, or by the name or label of a field.
    fn recognise(
        &mut self,
        number: usize,
        name: &str,
        (own, meant): (Option<usize>, Option<(Place, Meaning)>),
        object: &ObjectSchema,
        options: &ImportOptions,
        at: &mut Place,
    ) -> Assigned {
        if name.is_empty() {
            return Assigned::Unused("the column has no name".to_owned());
        }
        if name == plain(REFUSED_COLUMN) {
            return Assigned::Unused("it has the reasons of an earlier import".to_owned());
        }
        if options.key == ImportKey::Id && name == "id" && self.id.is_none() {
            self.id = Some(number);
            return Assigned::Yes;
        }
        if let Some((place, meaning)) = meant
            && !(meaning == Meaning::Nothing && own.is_some_and(|own| !object.definition.fields[own].builtin))
        {
            *at = place;
            match self.assign(number, Some(meaning), object, options, true) {
                Assigned::No => {}
                assigned => return assigned,
            }
        }
        match own {
            Some(index) => self.take(number, index, object, false),
            None => Assigned::No,
        }
    }

    /// Assigns a column by what its name means.
    fn assign(
        &mut self,
        number: usize,
        meaning: Option<Meaning>,
        object: &ObjectSchema,
        options: &ImportOptions,
        several: bool,
    ) -> Assigned {
        match meaning {
            None => Assigned::No,
            Some(Meaning::Field(field)) => match object.index(field) {
                Some(index) => self.take(number, index, object, several),
                None => Assigned::No,
            },
            Some(Meaning::FullName) => match (object.index("first_name"), object.index("last_name")) {
                (Some(first), Some(last)) if self.full_name.is_none() => {
                    self.full_name = Some((number, [first, last]));
                    Assigned::Yes
                }
                (Some(_), Some(_)) => Assigned::Unused("another column is the full name already".to_owned()),
                _ => Assigned::No,
            },
            Some(Meaning::Changed) if options.changed_column.is_none() && self.changed.is_none() => {
                self.changed = Some(number);
                Assigned::Yes
            }
            Some(Meaning::Changed) => Assigned::No,
            Some(Meaning::Nothing) => Assigned::Unused(format!("{} has no field for it", object.name())),
        }
    }

    fn take(&mut self, number: usize, index: usize, object: &ObjectSchema, several: bool) -> Assigned {
        if !several && self.fields.contains(&Some(index)) {
            let name = &object.definition.fields[index].name;
            return Assigned::Unused(format!("another column is {name} already"));
        }
        self.fields[number] = Some(index);
        Assigned::Yes
    }

    /// Whether a column feeds a field.
    pub(super) fn feeds(&self, field: usize) -> bool {
        self.fields.contains(&Some(field))
            || self.full_name.is_some_and(|(_, fields)| fields.contains(&field))
    }

    /// Whether records can be made of what the columns are.
    fn check(
        &self,
        headings: &[String],
        object: &ObjectSchema,
        options: &ImportOptions,
    ) -> Result<(), CsvError> {
        let none = self.fields.iter().all(Option::is_none) && self.full_name.is_none();
        // A heading that is a value of its column is that of a record.
        for (column, cell) in headings.iter().enumerate() {
            let read = none || self.fields[column].is_some();
            if let Some(what) = looks_like(cell).filter(|_| read && !options.no_header) {
                return Err(CsvError::HeaderIsRecord { cell: cell.as_str().into(), what });
            }
        }
        let columns = || listed(self.names.iter().map(String::as_str));
        if none {
            return Err(CsvError::NoColumn {
                object: object.name().to_owned(),
                columns: columns(),
                fields: listed(object.definition.fields.iter().map(|field| field.name.as_str())),
            });
        }
        if options.key == ImportKey::Id || options.only == Only::Update {
            return Ok(());
        }
        // A record whose identifier is its name is nothing to anybody without it.
        let needed = object.definition.fields.iter().enumerate().find(|(index, field)| {
            (field.required || field.identifier && field.name == "name") && !self.feeds(*index)
        });
        match needed {
            Some((_, field)) => Err(CsvError::Lacking {
                object: object.name().to_owned(),
                field: field.name.clone(),
                columns: columns(),
            }),
            None => Ok(()),
        }
    }

    /// The column that the operator names: exactly, by number, or by letters and digits.
    fn find(&self, headings: &[String], wanted: &str) -> Result<usize, CsvError> {
        let wanted = wanted.trim();
        let by_number = wanted
            .strip_prefix('#')
            .and_then(|n| n.parse::<usize>().ok())
            .filter(|n| (1..=headings.len()).contains(n))
            .map(|n| n - 1);
        let exact = headings.iter().position(|heading| heading == wanted && !wanted.is_empty());
        let close = || {
            let wanted = plain(wanted);
            headings.iter().position(|heading| !wanted.is_empty() && plain(heading) == wanted)
        };
        exact.or(by_number).or_else(close).ok_or_else(|| {
            CsvError::Options(format!(
                "the file has no column '{wanted}'; it has {}",
                listed(self.names.iter().map(String::as_str))
            ))
        })
    }

    fn keys(&self, object: &ObjectSchema, options: &ImportOptions) -> Result<Vec<Vec<usize>>, CsvError> {
        let mut keys = Vec::new();
        match &options.key {
            ImportKey::None => {}
            ImportKey::Usual => {
                let first = object.identifiers().next().filter(|index| self.feeds(*index));
                keys.extend(first.map(|index| vec![index]));
            }
            ImportKey::Id if self.id.is_none() => {
                return Err(CsvError::Options(
                    "records are to be known by their id, but the file has no column 'id'".to_owned(),
                ));
            }
            ImportKey::Id => {}
            ImportKey::Fields(fields) => keys.push(self.key(object, fields, true)?),
        }
        for fields in &options.or_key {
            keys.push(self.key(object, fields, false)?);
        }
        keys.retain(|key| !key.is_empty());
        Ok(keys)
    }

    fn key(
        &self,
        object: &ObjectSchema,
        fields: &[String],
        identifiers: bool,
    ) -> Result<Vec<usize>, CsvError> {
        let mut indexes = Vec::with_capacity(fields.len());
        for name in fields {
            let index = object.require(name)?;
            if identifiers && !object.definition.fields[index].identifier {
                return Err(CsvError::Options(format!(
                    "{name} is no identifier of {}, so records are not found by it; define it as one, or give it as an alternative key",
                    object.name()
                )));
            }
            if !self.feeds(index) {
                return Err(CsvError::Options(format!(
                    "records are to be known by {name}, but no column of the file is that field"
                )));
            }
            indexes.push(index);
        }
        Ok(indexes)
    }
}

/// The fields of an object by their names and labels, in their plain form; a name goes before a label.
struct OwnNames(HashMap<String, usize>);

impl OwnNames {
    fn of(object: &ObjectSchema) -> Self {
        let fields = || object.definition.fields.iter().enumerate();
        let names = fields().map(|(index, field)| (plain(&field.name), index));
        let labels = fields().map(|(index, field)| (plain(&field.label), index));
        let mut own = HashMap::new();
        for (name, index) in names.chain(labels) {
            own.entry(name).or_insert(index);
        }
        Self(own)
    }

    fn get(&self, name: &str) -> Option<usize> {
        self.0.get(name).copied()
    }
}

/// How many cells of a row are names of columns that are known, or that the operator names.
pub(super) fn known_names<'a>(
    cells: impl Iterator<Item = &'a str>,
    object: &ObjectSchema,
    options: &ImportOptions,
) -> usize {
    let own = OwnNames::of(object);
    let mapped: Vec<String> = options.map.iter().map(|(column, _)| plain(column)).collect();
    let known = |cell: &&str| {
        let name = plain(cell);
        !name.is_empty()
            && (mapped.contains(&name)
                || own.get(&name).is_some()
                || names::usual(object.name(), &name).is_some())
    };
    cells.filter(known).count()
}

/// What a heading is, where it is a value and no name.
fn looks_like(heading: &str) -> Option<&'static str> {
    let digits = heading.bytes().filter(u8::is_ascii_digit).count();
    if heading.contains('@') && address::read(heading).is_some() {
        Some("an e-mail address")
    } else if heading.starts_with("http://") || heading.starts_with("https://") {
        Some("a web address")
    } else if digits >= 6 && heading.chars().all(|c| c.is_ascii_digit() || " +-()/.".contains(c)) {
        Some("a number")
    } else if digits >= 4 && Timestamp::parse(heading).is_ok() || nothing::is_zero_date(heading) {
        Some("a date")
    } else {
        None
    }
}
