//! Column names of exporters in several languages, and the layouts that are recognised by them: `names.txt`.

use entente_core::{Kind, Value, canonical_identifier};
use std::collections::HashSet;
use std::sync::LazyLock;

/// What a column name of the table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Field(&'static str),
    /// First and last name in one column.
    FullName,
    /// When the record was changed last.
    Changed,
    /// Something that no field is for.
    Nothing,
}

/// Where a column stands among those of its field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) rank: usize,
    pub(super) group: u8,
}

#[derive(Debug)]
struct Name {
    plain: String,
    object: &'static str,
    meaning: Meaning,
    /// Which of several addresses it is a part of, from 1; 0 where it is a part of none.
    group: u8,
}

/// The names of an exporter.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) name: &'static str,
    /// The columns that only this exporter writes together.
    signature: Vec<String>,
    names: Vec<Name>,
}

static TABLE: LazyLock<Vec<Layout>> = LazyLock::new(|| read(include_str!("names.txt")));

/// Reads the table. The names before the first layout are everybody's, and make the first element.
fn read(table: &'static str) -> Vec<Layout> {
    let mut layouts = vec![Layout { name: "", signature: Vec::new(), names: Vec::new() }];
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((name, columns)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
            let signature = columns.split('|').map(plain).collect();
            layouts.push(Layout { name, signature, names: Vec::new() });
        } else if let Some(((object, field), name)) =
            line.split_once(':').and_then(|(what, name)| Some((what.split_once('.')?, name)))
            && let Some(layout) = layouts.last_mut()
        {
            let (field, group) = field.split_once('@').unwrap_or((field, "0"));
            let group = group.parse().unwrap_or(0);
            let meaning = match field {
                "full_name" => Meaning::FullName,
                "changed" => Meaning::Changed,
                "-" => Meaning::Nothing,
                field => Meaning::Field(field),
            };
            layout.names.push(Name { plain: plain(name), object, meaning, group });
        }
    }
    layouts
}

/// A name reduced to letters and digits, in one Unicode form and without case: «E-mail», «e_mail» and «EMAIL» are equal.
pub(super) fn plain(name: &str) -> String {
    let folded = if name.is_ascii() {
        name.to_ascii_lowercase()
    } else {
        canonical_identifier(&Kind::Text, &Value::text(name)).unwrap_or_default()
    };
    folded.chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The layout of a file with these columns, in their plain form.
pub(super) fn layout(columns: &[String]) -> Option<&'static Layout> {
    let columns: HashSet<&str> = columns.iter().map(String::as_str).collect();
    TABLE.iter().skip(1).find(|layout| layout.signature.iter().all(|name| columns.contains(name.as_str())))
}

impl Layout {
    /// What this exporter means by a column; and its place: its rank among the names of the layout, and its group.
    pub(super) fn meaning(&self, object: &str, plain: &str) -> Option<(Place, Meaning)> {
        let fits = |name: &Name| (name.object == object || name.object == "*") && name.plain == plain;
        let rank = self.names.iter().position(fits)?;
        let name = &self.names[rank];
        Some((Place { rank, group: name.group }, name.meaning))
    }
}

/// What a column is usually called so.
pub(super) fn usual(object: &str, plain: &str) -> Option<Meaning> {
    TABLE.first()?.meaning(object, plain).map(|(_, meaning)| meaning)
}

/// The field of which a name of a column is the end, such as that of «Primary Address City».
pub(super) fn ending(object: &str, column: &str) -> Option<&'static str> {
    /// Shorter names are the ends of many words.
    const SHORTEST: usize = 4;
    let column = column.trim_end_matches(|c: char| c.is_ascii_digit());
    let names = TABLE.first()?.names.iter().filter_map(|name| match name.meaning {
        Meaning::Field(field) if name.object == object || name.object == "*" => {
            Some((name.plain.as_str(), field))
        }
        _ => None,
    });
    const OWN: [&str; 9] =
        ["email", "phone", "mobile", "address", "city", "region", "country", "website", "position"];
    let own = OWN.into_iter().map(|field| (field, field));
    let fits = |(name, _): &(&str, &str)| name.len() >= SHORTEST && column != *name && column.ends_with(name);
    names.chain(own).filter(fits).max_by_key(|(name, _)| name.len()).map(|(_, field)| field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let lines = include_str!("names.txt").lines().filter(|line| {
            let line = line.trim();
            !line.is_empty() && !line.starts_with('#') && !line.starts_with('[')
        });
        let read: usize = TABLE.iter().map(|layout| layout.names.len()).sum();
        assert_eq!(read, lines.count());
        for layout in TABLE.iter() {
            assert!(layout.signature.iter().all(|name| !name.is_empty()), "{}", layout.name);
            let mut seen = HashSet::new();
            for name in &layout.names {
                assert!(!name.plain.is_empty(), "{name:?}");
                assert!(seen.insert((name.object, &name.plain)), "{} has {name:?} twice", layout.name);
            }
        }
    }

    #[test]
    fn names_are_compared_by_letters_however_they_are_composed() {
        assert_eq!(plain("Téléphone (bureau)"), plain("te\u{301}le\u{301}phone bureau"));
        assert_eq!(plain("STRASSE"), plain("Straße"));
        assert_eq!(usual("contact", &plain("E-Mail Address")), Some(Meaning::Field("email")));
    }
}
