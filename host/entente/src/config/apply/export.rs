//! Exporting the stored configuration as `entente.toml`, without secrets. Applying it again changes nothing.

use crate::config::check::fixed::is_stand_in;
use crate::config::check::groups::default_groups;
use crate::config::configuration::Configuration;
use crate::config::error::ConfigError;
use crate::config::file::value::{key, quote, to_toml};
use crate::config::file::words::{direction_word, sides_word};
use crate::config::stored::custom::{self, Custom, CustomField};
use crate::config::stored::integrations::{self, Integration};
use crate::config::stored::plugins::{self, InstalledPlugin};
use crate::config::stored::syncs;
use entente_core::Kind;
use entente_sync::{
    Brake, Condition, Direction, FieldMapping, IdentifyBy, ObjectMapping, Prefer, Sides, Slot,
    SyncDefinition, Test,
};
use serde::Serialize;
use std::fmt::Write;

/// A buffer of lines. Writing to a String cannot fail.
#[derive(Default)]
struct Out(String);

impl Out {
    fn table(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        let _ = writeln!(self.0, "{name}");
    }

    fn line(&mut self, name: &str, value: impl AsRef<str>) {
        let _ = writeln!(self.0, "{} = {}", key(name), value.as_ref());
    }
}

impl Configuration {
    /// The stored configuration as `entente.toml`, without secrets.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn export(&self) -> Result<String, ConfigError> {
        self.read(|session| {
            Ok(export(
                &custom::load(session)?,
                &integrations::list(session)?,
                &plugins::list(session)?,
                &syncs::list(session)?,
            ))
        })
        .await
    }
}

pub(crate) fn export(
    custom: &Custom,
    integrations: &[Integration],
    plugins: &[InstalledPlugin],
    syncs: &[SyncDefinition],
) -> String {
    let mut out = Out::default();
    export_custom(&mut out, custom);
    for integration in integrations {
        export_integration(&mut out, integration, plugins);
    }
    for sync in syncs {
        export_sync(&mut out, sync);
    }
    out.0
}

fn list<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = texts.into_iter().map(|text| quote(text.as_ref())).collect();
    format!("[{}]", texts.join(", "))
}

/// The word that serde has for an enum variant, quoted.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(quote)).unwrap_or_default()
}

fn export_custom(out: &mut Out, custom: &Custom) {
    for object in &custom.objects {
        out.table(&format!("[object.{}]", key(&object.name)));
        out.line("label", quote(&object.label));
    }
    for CustomField { object, field } in &custom.fields {
        out.table(&format!("[object.{}.field.{}]", key(object), key(&field.name)));
        out.line("kind", quote(field.kind.as_str()));
        out.line("label", quote(&field.label));
        for (name, set) in [("required", field.required), ("identifier", field.identifier)] {
            if set {
                out.line(name, "true");
            }
        }
        if field.set_like != (field.kind == Kind::Choices) {
            out.line("set-like", field.set_like.to_string());
        }
        if !field.targets.is_empty() {
            out.line("targets", list(&field.targets));
        }
        if !field.choices.is_empty() {
            let one = |(value, label): &(String, String)| {
                if value == label {
                    quote(value)
                } else {
                    format!("{{ value = {}, label = {} }}", quote(value), quote(label))
                }
            };
            let choices: Vec<String> = field.choices.iter().map(one).collect();
            out.line("choices", format!("[{}]", choices.join(", ")));
        }
        if let Some(length) = field.max_length {
            out.line("max-length", length.to_string());
        }
    }
}

fn export_integration(out: &mut Out, integration: &Integration, plugins: &[InstalledPlugin]) {
    let table = format!("integration.{}", key(&integration.name));
    let current = plugins.iter().any(|plugin| {
        plugin.current && plugin.name == integration.plugin && plugin.digest == integration.digest
    });
    out.table(&format!("[{table}]"));
    out.line("plugin", quote(if current { &integration.plugin } else { &integration.digest }));
    if !integration.enabled {
        out.line("enabled", "false");
    }
    out.table(&format!("[{table}.settings]"));
    for (name, value) in &integration.settings {
        if let Some(value) = to_toml(value) {
            out.line(name, value);
        }
    }
    out.table(&format!("[{table}.grants]"));
    out.line("http", list(&integration.grants.http));
    if integration.grants.no_state {
        out.line("state", "false");
    }
    if integration.grants.secrets.is_empty() {
        return;
    }
    out.table(&format!("[{table}.grants.secrets]"));
    for (name, grant) in &integration.grants.secrets {
        let part = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(", {name} = {}", quote(value))).unwrap_or_default()
        };
        let place = match (&grant.header, &grant.query) {
            (None, None) => list(&grant.hosts),
            (header, query) => format!(
                "{{ hosts = {}{}{} }}",
                list(&grant.hosts),
                part("header", header),
                part("query", query)
            ),
        };
        out.line(name, place);
    }
}

fn export_sync(out: &mut Out, sync: &SyncDefinition) {
    let table = format!("sync.{}", key(&sync.name));
    out.table(&format!("[{table}]"));
    out.line("left", quote(&sync.exchanges.left));
    out.line("right", quote(&sync.exchanges.right));
    if sync.relation != sync.name {
        out.line("relation", quote(&sync.relation));
    }
    if sync.brake != Brake::default() {
        out.line(
            "brake",
            format!("{{ percent = {}, records = {} }}", sync.brake.percent, sync.brake.records),
        );
    }
    for mapping in &sync.mappings {
        export_object(out, &table, &sync.exchanges, mapping);
    }
}

fn export_object(out: &mut Out, table: &str, exchanges: &Sides<String>, mapping: &ObjectMapping) {
    out.table(&format!("[[{table}.object]]"));
    out.line("left", quote(&mapping.objects.left));
    out.line("right", quote(&mapping.objects.right));
    let names =
        mapping.identifiers.iter().filter_map(|slot| mapping.field(*slot)).map(|field| &field.names.left);
    out.line("identifiers", list(names));
    if mapping.identify_by != IdentifyBy::default() {
        out.line("identify-by", word(&mapping.identify_by));
    }
    if mapping.groups != default_groups(exchanges, &mapping.fields) {
        let name = |slot: &Slot| mapping.field(*slot).map(|field| &field.names.left);
        let groups = mapping.groups.iter().map(|group| list(group.iter().filter_map(name)));
        out.line("groups", format!("[{}]", groups.collect::<Vec<_>>().join(", ")));
    }
    out.line("create", quote(sides_word(mapping.create)));
    if mapping.deletes != entente_sync::DeletePolicy::default() {
        out.line("deletes", word(&mapping.deletes));
    }
    for (name, conditions) in ["filter-left", "filter-right"].iter().zip(&mapping.filters) {
        if !conditions.is_empty() {
            let conditions: Vec<String> = conditions.iter().map(condition).collect();
            out.line(name, format!("[{}]", conditions.join(", ")));
        }
    }
    for (name, rules) in ["prefer-left", "prefer-right"].iter().zip(&mapping.prefer) {
        if !rules.is_empty() {
            out.line(name, format!("[{}]", rules.iter().map(prefer).collect::<Vec<_>>().join(", ")));
        }
    }
    // A field that is mapped to several others cannot be a key of the table, nor can the stand-in of a
    // constant.
    let single = |field: &FieldMapping| {
        !is_stand_in(&field.names.left)
            && mapping.fields.iter().filter(|other| other.names.left == field.names.left).count() == 1
    };
    let (by_name, others): (Vec<&FieldMapping>, Vec<&FieldMapping>) =
        mapping.fields.iter().partition(|field| single(field));
    if !by_name.is_empty() {
        out.table(&format!("[{table}.object.fields]"));
    }
    for field in by_name {
        let policies = policies(field);
        let right = quote(&field.names.right);
        match (policies.is_empty(), is_stand_in(&field.names.right)) {
            (true, _) => out.line(&field.names.left, right),
            (false, true) => out.line(&field.names.left, format!("{{ {} }}", join(&policies))),
            (false, false) => {
                out.line(&field.names.left, format!("{{ right = {right}, {} }}", join(&policies)))
            }
        }
    }
    for field in others {
        out.table(&format!("[[{table}.object.field]]"));
        for (name, field) in
            ["left", "right"].iter().zip(&field.names).filter(|(_, field)| !is_stand_in(field))
        {
            out.line(name, quote(field));
        }
        for (name, value) in policies(field) {
            out.line(name, value);
        }
    }
}

fn join(policies: &[(&'static str, String)]) -> String {
    policies.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}

/// The policies that differ from their defaults.
fn policies(field: &FieldMapping) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let without_a_word = match field.writable.into_array() {
        [true, false] => Direction::ToLeft,
        [false, true] => Direction::ToRight,
        _ => Direction::Both,
    };
    if field.direction != without_a_word {
        all.push(("direction", quote(direction_word(field.direction))));
    }
    match field.required.into_array() {
        [false, false] => {}
        [true, true] => all.push(("required", "true".to_owned())),
        _ => all.push(("required", quote(sides_word(field.required)))),
    }
    if let Some(side) = field.trust {
        all.push(("trust", word(&side)));
    }
    if field.unresolved != Default::default() {
        all.push(("unresolved", word(&field.unresolved)));
    }
    if field.blanks != Default::default() {
        all.push(("blanks", word(&field.blanks)));
    }
    if field.write != Default::default() {
        all.push(("write", word(&field.write)));
    }
    if field.drift != Default::default() {
        all.push(("drift", word(&field.drift)));
    }
    if !field.values.is_empty() {
        let pairs = field
            .values
            .iter()
            .filter_map(|(left, right)| Some(format!("[{}, {}]", to_toml(left)?, to_toml(right)?)));
        all.push(("values", format!("[{}]", pairs.collect::<Vec<_>>().join(", "))));
    }
    let fixed = [
        ("constant", &field.constant),
        ("default-left", &field.default.left),
        ("default-right", &field.default.right),
    ];
    all.extend(fixed.into_iter().filter_map(|(name, value)| Some((name, to_toml(value.as_ref()?)?))));
    all
}

fn prefer(rule: &Prefer) -> String {
    match rule {
        Prefer::LowestId => quote("lowest-id"),
        Prefer::Where(test) => condition(test),
    }
}

fn condition(condition: &Condition) -> String {
    let test = match &condition.test {
        Test::Is(value) => format!("is = {}", to_toml(value).unwrap_or_default()),
        Test::Not(value) => format!("not = {}", to_toml(value).unwrap_or_default()),
        Test::Contains(text) => format!("contains = {}", quote(text)),
        Test::Blank(yes) => format!("blank = {yes}"),
    };
    format!("{{ field = {}, {test} }}", quote(&condition.field))
}
