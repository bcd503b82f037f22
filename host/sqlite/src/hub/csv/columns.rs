//! The header of a CSV file: which column is read as which field.

use super::rows::Line;
use super::{CsvError, ImportKey, ImportOptions, UnusedColumn};
use crate::hub::schema::{ObjectSchema, names};

/// Column names that are recognised as the change time of a row.
const CHANGED: [&str; 15] = [
    "changed",
    "changedat",
    "changedon",
    "updated",
    "updatedat",
    "updatedon",
    "modified",
    "modifiedat",
    "modifiedon",
    "lastmodified",
    "lastmodifieddate",
    "lastupdated",
    "lastchanged",
    "datemodified",
    "dateupdated",
];

/// Aliases of field names.
const ALIASES: [(&str, &[&str]); 9] = [
    ("first_name", &["givenname", "forename"]),
    ("last_name", &["surname", "familyname"]),
    ("email", &["mail", "emailaddress"]),
    ("phone", &["phonenumber", "telephone", "tel"]),
    ("mobile", &["mobilephone", "mobilenumber", "cellphone"]),
    ("company", &["companyname", "organisation", "organization"]),
    ("name", &["companyname"]),
    ("website", &["url", "homepage"]),
    ("region", &["state", "province"]),
];

/// The columns of a file, as its header and the options assign them.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The headings, for messages.
    pub(super) names: Vec<String>,
    /// By column, the field that it is read as.
    pub(super) fields: Vec<Option<usize>>,
    /// The column of change times.
    pub(super) changed: Option<usize>,
    /// The column of ids, where records are recognised by it.
    pub(super) id: Option<usize>,
    /// The fields by which records are recognised.
    pub(super) key: Vec<usize>,
    pub(super) unused: Vec<UnusedColumn>,
}

/// A name reduced to letters and digits: «E-mail», «e_mail» and «EMAIL» are equal.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

impl Columns {
    /// Reads the header row.
    pub(super) fn read(
        header: &Line,
        object: &ObjectSchema,
        options: &ImportOptions,
    ) -> Result<Self, CsvError> {
        let headings: Vec<String> = header.cells.iter().map(|cell| cell.trim().to_owned()).collect();
        let mut columns = Self {
            names: headings
                .iter()
                .enumerate()
                .map(|(n, name)| if name.is_empty() { format!("#{}", n + 1) } else { name.clone() })
                .collect(),
            fields: vec![None; headings.len()],
            ..Self::default()
        };
        let mut left_out = vec![false; headings.len()];
        for (column, field) in &options.map {
            let number = columns.find(&headings, column)?;
            if field.trim().is_empty() {
                left_out[number] = true;
                continue;
            }
            let index = object.require(field.trim())?;
            if columns.fields.contains(&Some(index)) {
                return Err(CsvError::Options(format!(
                    "two columns are mapped to {field}; a field has one column"
                )));
            }
            columns.fields[number] = Some(index);
        }
        columns.changed = match options.changed_column.as_deref() {
            Some("") => None,
            Some(name) => Some(columns.find(&headings, name)?),
            None => None,
        };
        for (number, heading) in headings.iter().enumerate() {
            if columns.fields[number].is_some() || columns.changed == Some(number) {
                continue;
            }
            let reason = if left_out[number] {
                "left out by the mapping".to_owned()
            } else {
                match columns.recognise(number, heading, object, options) {
                    None => continue,
                    Some(reason) => reason,
                }
            };
            columns.unused.push(UnusedColumn { number: number + 1, name: heading.as_str().into(), reason });
        }
        if columns.fields.iter().all(Option::is_none) {
            return Err(CsvError::NoColumn {
                object: object.name().to_owned(),
                columns: names(columns.names.iter().map(String::as_str)),
                fields: names(object.definition.fields.iter().map(|field| field.name.as_str())),
            });
        }
        columns.key = columns.key(object, &options.key)?;
        Ok(columns)
    }

    /// Assigns a column by its heading; otherwise the reason why it is not read.
    fn recognise(
        &mut self,
        number: usize,
        heading: &str,
        object: &ObjectSchema,
        options: &ImportOptions,
    ) -> Option<String> {
        let name = plain(heading);
        if name.is_empty() {
            return Some("the column has no name".to_owned());
        }
        if options.key == ImportKey::Id && name == "id" && self.id.is_none() {
            self.id = Some(number);
            return None;
        }
        if let Some(index) = field(&name, object) {
            if self.fields.contains(&Some(index)) {
                return Some(format!("another column is {} already", object.definition.fields[index].name));
            }
            self.fields[number] = Some(index);
            return None;
        }
        if CHANGED.contains(&name.as_str()) && options.changed_column.is_none() && self.changed.is_none() {
            self.changed = Some(number);
            return None;
        }
        Some(format!("{} has no such field", object.name()))
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
                names(self.names.iter().map(String::as_str))
            ))
        })
    }

    fn key(&self, object: &ObjectSchema, key: &ImportKey) -> Result<Vec<usize>, CsvError> {
        match key {
            ImportKey::None => Ok(Vec::new()),
            ImportKey::Usual => Ok(object
                .identifiers()
                .next()
                .filter(|index| self.fields.contains(&Some(*index)))
                .into_iter()
                .collect()),
            ImportKey::Id if self.id.is_none() => Err(CsvError::Options(
                "records are to be known by their id, but the file has no column 'id'".to_owned(),
            )),
            ImportKey::Id => Ok(Vec::new()),
            ImportKey::Fields(fields) => {
                let mut indexes = Vec::with_capacity(fields.len());
                for name in fields {
                    let index = object.require(name)?;
                    if !object.definition.fields[index].identifier {
                        return Err(CsvError::Options(format!(
                            "{name} is no identifier of {}, so records are not found by it; define it as one",
                            object.name()
                        )));
                    }
                    if !self.fields.contains(&Some(index)) {
                        return Err(CsvError::Options(format!(
                            "records are to be known by {name}, but no column of the file is that field"
                        )));
                    }
                    indexes.push(index);
                }
                Ok(indexes)
            }
        }
    }
}

/// The field with this name, label or alias.
fn field(name: &str, object: &ObjectSchema) -> Option<usize> {
    let fields = &object.definition.fields;
    fields
        .iter()
        .position(|field| plain(&field.name) == name)
        .or_else(|| fields.iter().position(|field| plain(&field.label) == name))
        .or_else(|| {
            let known =
                |field: &str| ALIASES.iter().any(|(of, aliases)| *of == field && aliases.contains(&name));
            fields.iter().position(|field| known(&field.name))
        })
}
