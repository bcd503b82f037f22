//! The plan of a configuration change: a diff of parts, in lines.

use crate::config::check::fixed::is_stand_in;
use crate::config::error::Notice;
use crate::config::file::words::{direction_word, sides_word};
use crate::config::stored::custom::{Custom, CustomField};
use crate::config::stored::integrations::Integration;
use entente_core::Foreign;
use entente_sync::{
    Blanks, Brake, Condition, DeletePolicy, Drift, FieldMapping, IdentifyBy, ObjectMapping, Prefer, Slot,
    SyncDefinition, Test, Unresolved, WriteRule,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlanSign {
    /// The part is added.
    Added,
    /// The part is changed.
    Changed,
    /// The part is removed.
    Removed,
}

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanLine {
    /// The kind of difference.
    pub sign: PlanSign,
    /// The part: «sync HelloWorld, contact ↔ person, field email ↔ email».
    pub part: String,
    /// Its description before.
    pub before: Option<String>,
    /// Its description after.
    pub after: Option<String>,
}

/// The plan of a configuration change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ConfigurationPlan {
    /// The differences, by part.
    pub lines: Vec<PlanLine>,
    /// Notices for the operator.
    pub notices: Vec<Notice>,
}

impl ConfigurationPlan {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

impl fmt::Display for PlanLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            PlanSign::Added => '+',
            PlanSign::Changed => '~',
            PlanSign::Removed => '-',
        };
        write!(f, "{sign} {}", self.part)?;
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, ": {before} → {after}"),
            (Some(text), None) | (None, Some(text)) => write!(f, ": {text}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for ConfigurationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, line) in self.lines.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{line}")?;
        }
        Ok(())
    }
}

/// A description of each part. Two snapshots, before and after, make a plan.
pub(crate) type Snapshot = BTreeMap<String, String>;

/// The diff of two snapshots.
pub(crate) fn difference(before: &Snapshot, after: &Snapshot) -> Vec<PlanLine> {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut lines = Vec::new();
    for (part, old) in before {
        match after.get(part) {
            None => lines.push(PlanLine {
                sign: PlanSign::Removed,
                part: part.clone(),
                before: text(old),
                after: None,
            }),
            Some(new) if new != old => lines.push(PlanLine {
                sign: PlanSign::Changed,
                part: part.clone(),
                before: Some(old.clone()),
                after: Some(new.clone()),
            }),
            Some(_) => {}
        }
    }
    for (part, new) in after.iter().filter(|(part, _)| !before.contains_key(*part)) {
        lines.push(PlanLine { sign: PlanSign::Added, part: part.clone(), before: None, after: text(new) });
    }
    lines.sort_by(|a, b| a.part.cmp(&b.part));
    lines
}

/// Describes everything but secrets, of which only the names would show.
pub(crate) fn snapshot(custom: &Custom, integrations: &[Integration], syncs: &[SyncDefinition]) -> Snapshot {
    let mut parts = Snapshot::new();
    for object in &custom.objects {
        parts.insert(format!("object {}", object.name), object.label.clone());
    }
    for field in &custom.fields {
        parts.insert(format!("object {}, field {}", field.object, field.field.name), custom_field(field));
    }
    for integration in integrations {
        let part = format!("integration {}", integration.name);
        let state = if integration.enabled { "" } else { ", disabled" };
        parts.insert(
            part.clone(),
            format!(
                "plugin {} {}{state}",
                integration.plugin,
                crate::config::names::cut(&integration.digest, 12)
            ),
        );
        for (name, value) in &integration.settings {
            parts.insert(
                format!("{part}, setting {name}"),
                crate::config::file::value::to_toml(value).unwrap_or_default(),
            );
        }
        for pattern in &integration.grants.http {
            parts.insert(format!("{part}, may reach {pattern}"), String::new());
        }
        if integration.grants.no_state {
            parts.insert(format!("{part}, may keep nothing between runs"), String::new());
        }
        for (name, grant) in &integration.grants.secrets {
            let header =
                grant.header.as_ref().map(|header| format!(", in the header {header}")).unwrap_or_default();
            let place = header
                + &grant.query.as_ref().map(|query| format!(", in the query as {query}")).unwrap_or_default();
            parts.insert(
                format!("{part}, may send the secret {name}"),
                format!("to {}{place}", grant.hosts.join(", ")),
            );
        }
    }
    for sync in syncs {
        let part = format!("sync {}", sync.name);
        let mut text = format!(
            "{} ↔ {}, relation {}, mapping version {}",
            sync.exchanges.left, sync.exchanges.right, sync.relation, sync.version
        );
        if sync.brake != Brake::default() {
            text.push_str(&format!(
                ", brake over {} % and {} records",
                sync.brake.percent, sync.brake.records
            ));
        }
        parts.insert(part.clone(), text);
        for mapping in &sync.mappings {
            let part = format!("{part}, {} ↔ {}", mapping.objects.left, mapping.objects.right);
            parts.insert(part.clone(), object(mapping));
            for one in &mapping.fields {
                let name = match &one.constant {
                    Some(_) => one.names.iter().find(|name| !is_stand_in(name)).cloned().unwrap_or_default(),
                    None => format!("{} ↔ {}", one.names.left, one.names.right),
                };
                parts.insert(format!("{part}, field {name}"), field(one));
            }
        }
    }
    parts
}

fn custom_field(custom: &CustomField) -> String {
    let field = &custom.field;
    let mut text = format!("{}, {}", field.kind, field.label);
    for (word, set) in
        [("required", field.required), ("a set", field.set_like), ("identifier", field.identifier)]
    {
        if set {
            text.push_str(", ");
            text.push_str(word);
        }
    }
    if !field.targets.is_empty() {
        text.push_str(&format!(", points to {}", field.targets.join(", ")));
    }
    if !field.choices.is_empty() {
        let choices: Vec<String> = field
            .choices
            .iter()
            .map(|(value, label)| if value == label { value.clone() } else { format!("{value} ({label})") })
            .collect();
        text.push_str(&format!(", one of {}", choices.join(", ")));
    }
    if let Some(length) = field.max_length {
        text.push_str(&format!(", at most {length} characters"));
    }
    text
}

fn object(mapping: &ObjectMapping) -> String {
    let name = |slot: &Slot| mapping.field(*slot).map_or("?", |field| field.names.left.as_str());
    let identifiers: Vec<&str> = mapping.identifiers.iter().map(name).collect();
    let mut text = match (identifiers.is_empty(), mapping.identify_by) {
        (true, _) => "no identifiers".to_owned(),
        (false, IdentifyBy::All) if identifiers.len() > 1 => {
            format!("identified by all of {}", identifiers.join(", "))
        }
        (false, _) => format!("identified by {}", identifiers.join(" or ")),
    };
    for group in &mapping.groups {
        let fields: Vec<&str> = group.iter().map(name).collect();
        text.push_str(&format!(", one fact: {}", fields.join(" + ")));
    }
    text.push_str(&format!(", creates {}", sides_word(mapping.create)));
    for (side, conditions) in ["left", "right"].iter().zip(&mapping.filters) {
        if !conditions.is_empty() {
            let tests: Vec<String> = conditions.iter().map(condition).collect();
            text.push_str(&format!(", {side} only where {}", tests.join(" and ")));
        }
    }
    for (side, rules) in ["left", "right"].iter().zip(&mapping.prefer) {
        if !rules.is_empty() {
            let rules: Vec<String> = rules.iter().map(prefer).collect();
            text.push_str(&format!(", of several on the {side} {}", rules.join(", then ")));
        }
    }
    match mapping.deletes {
        DeletePolicy::Ignore => {}
        DeletePolicy::Unlink => text.push_str(", deletions unlink"),
        DeletePolicy::Delete => text.push_str(", deletions carried to the other side"),
        DeletePolicy::Recreate => text.push_str(", deleted records made again"),
    }
    text
}

fn prefer(rule: &Prefer) -> String {
    match rule {
        Prefer::LowestId => "the lowest id".to_owned(),
        Prefer::Where(test) => format!("where {}", condition(test)),
    }
}

fn condition(condition: &Condition) -> String {
    let field = &condition.field;
    match &condition.test {
        Test::Is(value) => format!("{field} is {value}"),
        Test::Not(value) => format!("{field} is not {value}"),
        Test::Contains(text) => format!("{field} contains {}", Foreign::new(text)),
        Test::Blank(true) => format!("{field} is blank"),
        Test::Blank(false) => format!("{field} is not blank"),
    }
}

fn field(field: &FieldMapping) -> String {
    let mut text = direction_word(field.direction).to_owned();
    if field.required != [false, false] {
        text.push_str(&format!(", required {}", sides_word(field.required)));
    }
    if let Some(side) = field.trust {
        text.push_str(&format!(", trust {side}"));
    }
    let others = [
        match field.unresolved {
            Unresolved::Hold => "",
            Unresolved::Left => ", unresolved left",
            Unresolved::Right => ", unresolved right",
            Unresolved::Latest => ", unresolved latest",
        },
        match field.blanks {
            Blanks::Overwrite => "",
            Blanks::Keep => ", blanks keep",
            Blanks::Fill => ", blanks fill",
        },
        match field.write {
            WriteRule::Always => "",
            WriteRule::IfEmpty => ", write if-empty",
            WriteRule::Never => ", write never",
        },
        match field.drift {
            Drift::Keep => "",
            Drift::Restore => ", drift restore",
        },
        if field.set_like { ", a set" } else { "" },
    ];
    text.extend(others);
    if !field.values.is_empty() {
        let pairs: Vec<String> =
            field.values.iter().map(|(left, right)| format!("{left} = {right}")).collect();
        text.push_str(&format!(", values {}", pairs.join(", ")));
    }
    if let Some(value) = &field.constant {
        text.push_str(&format!(", always {value}"));
    }
    for (side, value) in ["left", "right"].iter().zip(&field.default) {
        if let Some(value) = value {
            text.push_str(&format!(", new on the {side}: {value}"));
        }
    }
    text
}
