//! The form of `entente.toml` as serde types. [`super::check`] gives it meaning.

use super::words::{CreateWord, DirectionWord, SideWord, UnresolvedWord};
use crate::config::error::{FileError, Position};
use crate::config::names::HUB;
use entente_sync::{Blanks, DeletePolicy, Drift, IdentifyBy, Sides, WriteRule};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use toml::Spanned;

pub(crate) type Named<T> = BTreeMap<Spanned<String>, T>;

/// A parsed file. It has the form of `entente.toml`, and is not validated yet.
#[derive(Debug, Clone, Default)]
pub struct File {
    pub(crate) object: Named<ObjectEntry>,
    pub(crate) integration: Named<IntegrationEntry>,
    pub(crate) sync: Named<SyncEntry>,
    lines: Lines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    object: Named<ObjectEntry>,
    #[serde(default)]
    integration: Named<IntegrationEntry>,
    #[serde(default)]
    sync: Named<SyncEntry>,
}

/// `[object.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ObjectEntry {
    pub(crate) label: Option<String>,
    #[serde(default)]
    pub(crate) field: Named<CustomEntry>,
}

/// `[object.NAME.field.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CustomEntry {
    pub(crate) kind: Spanned<String>,
    pub(crate) label: Option<String>,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) set_like: Option<Spanned<bool>>,
    #[serde(default)]
    pub(crate) identifier: bool,
    #[serde(default)]
    pub(crate) targets: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) choices: Vec<ChoiceEntry>,
    pub(crate) max_length: Option<u32>,
}

/// A choice: its value, or value and label.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a choice is a text, or a table with value and label")]
pub(crate) enum ChoiceEntry {
    Value(String),
    Labelled { value: String, label: String },
}

impl ChoiceEntry {
    pub(crate) fn pair(&self) -> (String, String) {
        match self {
            ChoiceEntry::Value(value) => (value.clone(), value.clone()),
            ChoiceEntry::Labelled { value, label } => (value.clone(), label.clone()),
        }
    }
}

/// `[integration.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntegrationEntry {
    pub(crate) plugin: Spanned<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) settings: Option<Named<Spanned<toml::Value>>>,
    #[serde(default)]
    pub(crate) secrets: Named<SecretEntry>,
    pub(crate) grants: Option<GrantsEntry>,
}

/// `secrets = { api-key = { env = "API_KEY" } }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretEntry {
    pub(crate) env: Spanned<String>,
}

/// `[integration.NAME.grants]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantsEntry {
    #[serde(default)]
    pub(crate) http: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) secrets: Named<SecretGrantEntry>,
    pub(crate) state: Option<bool>,
}

/// `api-key = ["https://…"]`, or a table with header or query.
#[derive(Debug, Clone)]
pub(crate) struct SecretGrantEntry {
    pub(crate) hosts: Vec<Spanned<String>>,
    pub(crate) header: Option<String>,
    pub(crate) query: Option<String>,
}

/// `[sync.NAME]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SyncEntry {
    pub(crate) left: Option<Spanned<String>>,
    pub(crate) right: Option<Spanned<String>>,
    pub(crate) relation: Option<Spanned<String>>,
    pub(crate) mapping: Option<Spanned<MappingWord>>,
    pub(crate) brake: Option<BrakeEntry>,
    #[serde(default)]
    pub(crate) object: Vec<Spanned<MappingEntry>>,
}

/// `brake = { percent = 5, records = 10 }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrakeEntry {
    pub(crate) percent: Option<Spanned<u64>>,
    pub(crate) records: Option<u64>,
}

/// `mapping = "default"`: the proposed mapping, with the objects of the file merged over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MappingWord {
    Default,
}

/// `[[sync.NAME.object]]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct MappingEntry {
    pub(crate) left: Option<Spanned<String>>,
    pub(crate) right: Option<Spanned<String>>,
    pub(crate) identifiers: Option<Vec<Spanned<String>>>,
    pub(crate) identify_by: Option<IdentifyBy>,
    /// Fields that are one fact, by the names on the left.
    pub(crate) groups: Option<Vec<Spanned<Vec<Spanned<String>>>>>,
    pub(crate) create: Option<Spanned<CreateWord>>,
    pub(crate) deletes: Option<DeletePolicy>,
    #[serde(default)]
    pub(crate) filter_left: Option<Vec<Spanned<ConditionEntry>>>,
    #[serde(default)]
    pub(crate) filter_right: Option<Vec<Spanned<ConditionEntry>>>,
    pub(crate) prefer_left: Option<Vec<Spanned<PreferEntry>>>,
    pub(crate) prefer_right: Option<Vec<Spanned<PreferEntry>>>,
    /// Fields by the name on the left.
    #[serde(default)]
    pub(crate) fields: Named<FieldWord>,
    /// Fields one by one, for those that are mapped to several others.
    #[serde(default)]
    pub(crate) field: Vec<Spanned<FieldEntry>>,
}

/// `"email"`, `true` (same name), `false` (excluded), or a table.
#[derive(Debug, Clone)]
pub(crate) enum FieldWord {
    Out,
    Entry(Box<FieldEntry>),
}

/// A pair of fields.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct FieldEntry {
    pub(crate) left: Option<Spanned<String>>,
    pub(crate) right: Option<Spanned<String>>,
    pub(crate) direction: Option<Spanned<DirectionWord>>,
    pub(crate) required: Option<Spanned<RequiredWord>>,
    pub(crate) trust: Option<Spanned<SideWord>>,
    pub(crate) unresolved: Option<Spanned<UnresolvedWord>>,
    pub(crate) blanks: Option<Spanned<Blanks>>,
    pub(crate) write: Option<Spanned<WriteRule>>,
    pub(crate) drift: Option<Spanned<Drift>>,
    pub(crate) values: Option<Spanned<toml::Value>>,
    pub(crate) constant: Option<Spanned<toml::Value>>,
    pub(crate) default_left: Option<Spanned<toml::Value>>,
    pub(crate) default_right: Option<Spanned<toml::Value>>,
}

/// `true`, `false`, or a side.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "required is true, false, left, right, hub or integration")]
pub(crate) enum RequiredWord {
    Both(bool),
    Side(SideWord),
}

/// `{ field = "tags", contains = "customer" }`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConditionEntry {
    pub(crate) field: Spanned<String>,
    pub(crate) is: Option<Spanned<toml::Value>>,
    pub(crate) not: Option<Spanned<toml::Value>>,
    pub(crate) contains: Option<Spanned<String>>,
    pub(crate) blank: Option<Spanned<bool>>,
}

/// `"lowest-id"`, or a condition.
#[derive(Debug, Clone)]
pub(crate) enum PreferEntry {
    LowestId,
    Where(ConditionEntry),
}

/// A part without a position in the file.
pub(crate) fn nowhere<T>(value: T) -> Spanned<T> {
    Spanned::new(usize::MAX..usize::MAX, value)
}

impl<'de> Deserialize<'de> for FieldWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = FieldWord;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of the field on the right, true (the same name), false (not mapped), or a table")
            }

            fn visit_bool<E>(self, yes: bool) -> Result<FieldWord, E> {
                Ok(if yes { FieldWord::Entry(Box::default()) } else { FieldWord::Out })
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldWord, E> {
                Ok(FieldWord::Entry(Box::new(FieldEntry {
                    right: Some(nowhere(name.to_owned())),
                    ..FieldEntry::default()
                })))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldWord, A::Error> {
                FieldEntry::deserialize(MapAccessDeserializer::new(map))
                    .map(|entry| FieldWord::Entry(Box::new(entry)))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for PreferEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = PreferEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "\"lowest-id\", or a condition such as { field = \"tags\", contains = \"newsletter\" }",
                )
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<PreferEntry, E> {
                if word == "lowest-id" {
                    Ok(PreferEntry::LowestId)
                } else {
                    Err(E::invalid_value(de::Unexpected::Str(word), &self))
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PreferEntry, A::Error> {
                ConditionEntry::deserialize(MapAccessDeserializer::new(map)).map(PreferEntry::Where)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for SecretGrantEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            hosts: Vec<Spanned<String>>,
            header: Option<String>,
            query: Option<String>,
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = SecretGrantEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of hosts, or a table with hosts, header and query")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<SecretGrantEntry, A::Error> {
                let mut hosts = Vec::new();
                while let Some(host) = list.next_element()? {
                    hosts.push(host);
                }
                Ok(SecretGrantEntry { hosts, header: None, query: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretGrantEntry, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SecretGrantEntry { hosts: table.hosts, header: table.header, query: table.query })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A text, with the byte offsets at which its lines begin.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    text: String,
    starts: Vec<usize>,
}

impl Lines {
    fn of(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text: text.to_owned(), starts }
    }

    /// The position of a byte offset.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let mut end = offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= end);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied().unwrap_or(0);
        // In a line of this length nobody counts characters, and for each of many problems it would take long.
        let before = &self.text[start..end];
        let column = if before.len() > LONG_LINE { before.len() } else { before.chars().count() };
        Position { line: line.max(1), column: column + 1 }
    }
}

/// Bytes of a line up to which its columns are characters.
const LONG_LINE: usize = 10_000;

/// The parser's message on one line, reworded where it has none.
fn plain(message: &str) -> String {
    match message.trim_end() {
        "wanted string or table" => "a text is wanted here".to_owned(),
        message => entente_core::Foreign::new(message.replace('\n', "; ")).cut(1000),
    }
}

impl File {
    /// Parses a file.
    ///
    /// # Errors
    /// Where the text is not TOML, or has keys or words that `entente.toml` does not have; with line and
    /// column.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let lines = Lines::of(text);
        match toml::from_str::<Content>(text) {
            Ok(Content { object, integration, sync }) => Ok(Self { object, integration, sync, lines }),
            Err(error) => {
                let position = lines.position(error.span().map_or(0, |span| span.start));
                Err(FileError { position, message: plain(error.message()) })
            }
        }
    }

    /// The integrations that the file's syncs use, which must be described before validation. `hub` is among
    /// them if it is a side, or has custom fields here.
    pub fn needed(&self) -> BTreeSet<String> {
        let mut needed: BTreeSet<String> =
            self.sync.iter().flat_map(|(name, sync)| sync.exchanges(name.get_ref())).collect();
        if !self.object.is_empty() {
            needed.insert(HUB.to_owned());
        }
        needed
    }

    /// The position of a span; `None` for parts that are not from the file.
    pub(crate) fn position(&self, span: &Range<usize>) -> Option<Position> {
        (span.start != usize::MAX).then(|| self.lines.position(span.start))
    }
}

impl SyncEntry {
    /// The exchanges of a sync, left and right; by default the hub, and the integration with the sync's name.
    pub(crate) fn exchanges(&self, name: &str) -> Sides<String> {
        let named = |side: &Option<Spanned<String>>, default: &str| {
            side.as_ref().map_or_else(|| default.to_owned(), |side| side.get_ref().clone())
        };
        Sides::new(named(&self.left, HUB), named(&self.right, name))
    }
}
