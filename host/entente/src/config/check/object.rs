//! Validation of object mappings, and of what holds for all their fields together.

use super::field::{self, Listed};
use super::fit::fit;
use super::fixed;
use super::groups::check_groups;
use super::sync::Findings;
use crate::config::file::form::{ConditionEntry, MappingEntry, PreferEntry};
use crate::config::file::value;
use crate::config::file::words::SideWords;
use crate::config::names::{HUB, exchange, known};
use entente_core::{Carrier, Kind};
use entente_sync::{
    Condition, DeletePolicy, Description, Direction, Feature, FieldMapping, IdentifyBy, Object,
    ObjectMapping, Prefer, Side, Sides, Slot, Test, WriteRule,
};
use std::ops::Range;
use toml::Spanned;

/// Validates all object mappings of a sync.
pub(crate) fn check_objects(
    entries: &[Spanned<MappingEntry>],
    sides: SideWords<'_>,
    described: Sides<&Description>,
    part: &str,
    found: &mut Findings<'_>,
) -> Vec<ObjectMapping> {
    let mut pairs: Vec<Sides<String>> = Vec::new();
    let mut mappings = Vec::new();
    for entry in entries {
        if found.is_full() {
            break;
        }
        let span = entry.span();
        let Some(objects) = find_objects(entry, sides, described, part, found) else {
            continue;
        };
        let names = objects.map(|object| object.name.clone());
        let part = format!("{part}, {} ↔ {}", names.left, names.right);
        if pairs.contains(&names) {
            found.problem(&span, &part, "these objects are mapped twice; put the fields of both into one, and filters where they differ");
            continue;
        }
        pairs.push(names.clone());
        mappings.extend(
            check_object(entry, sides, objects, &part, found).map(|mapping| (span, part, objects, mapping)),
        );
    }
    for (span, part, objects, mapping) in &mappings {
        for field in &mapping.fields {
            check_targets(field, *objects, &pairs, span, part, found);
        }
    }
    mappings
        .into_iter()
        .enumerate()
        .map(|(n, (.., mapping))| ObjectMapping { id: n as i64, ..mapping })
        .collect()
}

fn find_objects<'d>(
    entry: &Spanned<MappingEntry>,
    sides: SideWords<'_>,
    described: Sides<&'d Description>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<Sides<&'d Object>> {
    let given = Sides::new(&entry.get_ref().left, &entry.get_ref().right);
    let mut objects = Sides::new(None, None);
    for side in Side::BOTH {
        let who = exchange(&sides.exchanges[side]);
        let there = || described[side].objects.iter().map(|object| object.name.as_str());
        match given[side] {
            None => found.problem(
                &entry.span(),
                part,
                format!(
                    "an object needs left and right; {side} is missing ({who} has {})",
                    there().collect::<Vec<_>>().join(", ")
                ),
            ),
            Some(name) => {
                objects[side] = described[side].object(name.get_ref());
                if objects[side].is_none() {
                    let message = no_object(&sides.exchanges[side], name.get_ref(), there());
                    found.problem(&name.span(), part, message);
                }
            }
        }
    }
    objects.both()
}

/// That an exchange has no object of this name.
pub(super) fn no_object<'a>(of: &str, name: &str, there: impl IntoIterator<Item = &'a str>) -> String {
    let more = if of == HUB { "; [object.NAME] defines one" } else { "" };
    format!("{} has no object '{name}'; {}{more}", exchange(of), known(name, there))
}

fn check_object(
    entry: &Spanned<MappingEntry>,
    sides: SideWords<'_>,
    objects: Sides<&Object>,
    part: &str,
    found: &mut Findings<'_>,
) -> Option<ObjectMapping> {
    let given = entry.get_ref();
    let listed = field::listed(entry);
    if listed.is_empty() {
        found.problem(&entry.span(), part, "no fields are mapped; list them under fields");
        return None;
    }
    let mut fields: Vec<FieldMapping> = Vec::new();
    for one in &listed {
        if found.is_full() {
            break;
        }
        let Some(mut mapping) = field::check_field(one, sides, objects, part, found) else {
            continue;
        };
        let part = format!("{part}, field {} ↔ {}", mapping.names.left, mapping.names.right);
        if fields.iter().any(|other| other.names == mapping.names) {
            found.problem(&one.span, &part, "these fields are mapped twice");
            continue;
        }
        for side in Side::BOTH {
            let twice = |other: &&FieldMapping| {
                other.direction.reaches(side)
                    && mapping.direction.reaches(side)
                    && other.name(side) == mapping.name(side)
            };
            if let Some(other) = fields.iter().find(twice) {
                let message = format!(
                    "'{}' of {} is written by {} already; a field takes its value from one other: leave one out, or turn its direction",
                    mapping.name(side),
                    exchange(&sides.exchanges[side]),
                    if other.constant.is_some() {
                        "a constant".to_owned()
                    } else {
                        format!("'{}'", other.name(side.other()))
                    }
                );
                found.problem(&one.span, &part, message);
            }
        }
        mapping.slot = Slot(fields.len());
        fields.push(mapping);
    }
    let identifiers = check_identifiers(given, entry.span(), &listed, &fields, part, found);
    let create = check_create(given, &entry.span(), sides, objects, &fields, &listed, part, found);
    let filters = Sides::by(|side| check_filter(given, side, sides, objects[side], part, found));
    let prefer = Sides::by(|side| check_prefer(given, side, sides, objects[side], &fields, part, found));
    let groups = check_groups(given, sides.exchanges, &fields, part, found);
    fixed::check_new_records(&listed, &fields, create, part, found);
    Some(ObjectMapping {
        id: 0,
        objects: objects.map(|object| object.name.clone()),
        fields,
        groups,
        identifiers,
        identify_by: given.identify_by.unwrap_or(IdentifyBy::Any),
        create,
        filters,
        deletes: given.deletes.unwrap_or(DeletePolicy::Ignore),
        prefer,
    })
}

fn check_identifiers(
    given: &MappingEntry,
    span: Range<usize>,
    listed: &[Listed],
    fields: &[FieldMapping],
    part: &str,
    found: &mut Findings<'_>,
) -> Vec<Slot> {
    let names = given.identifiers.as_deref().unwrap_or_default();
    if names.is_empty() {
        found.notice(&span, part, "there are no identifiers, so none is recognised on the other side, and every one is created anew there; name some with identifiers");
    }
    let mut slots = Vec::new();
    for name in names {
        // If several match, the choice does not depend on their order in the file.
        let hit = fields
            .iter()
            .filter(|field| field.names.left == *name.get_ref())
            .min_by_key(|field| (field.direction != Direction::Both, &field.names.right));
        let Some(field) = hit else {
            // A field that is listed and invalid has been reported already.
            if !listed.iter().any(|one| one.left.get_ref() == name.get_ref()) {
                let there = fields
                    .iter()
                    .filter(|field| field.constant.is_none())
                    .map(|field| field.names.left.as_str());
                let right = fields.iter().find(|field| field.names.right == *name.get_ref());
                let hint = right
                    .map(|field| {
                        format!(" (identifiers are named by the left side: here '{}')", field.names.left)
                    })
                    .unwrap_or_default();
                found.problem(
                    &name.span(),
                    part,
                    format!(
                        "the identifier '{}' is not among the mapped fields{hint}; {}",
                        name.get_ref(),
                        known(name.get_ref(), there)
                    ),
                );
            }
            continue;
        };
        // A reference identifies a record of its own side only.
        let weak = field.kinds.iter().find(|kind| !kind.is_distinctive() || kind.is_link());
        if field.constant.is_some() {
            found.problem(
                &name.span(),
                part,
                format!("'{}' cannot tell records apart: it has the same value in each", name.get_ref()),
            );
        } else if let Some(kind) = weak {
            found.problem(
                &name.span(),
                part,
                format!("'{}' cannot tell records apart: it is of the kind {kind}", name.get_ref()),
            );
        } else if slots.contains(&field.slot) {
            found.problem(&name.span(), part, format!("the identifier '{}' is named twice", name.get_ref()));
        } else {
            slots.push(field.slot);
        }
    }
    slots
}

#[expect(clippy::too_many_arguments, reason = "one call, and each is something else")]
fn check_create(
    given: &MappingEntry,
    span: &Range<usize>,
    sides: SideWords<'_>,
    objects: Sides<&Object>,
    fields: &[FieldMapping],
    listed: &[Listed],
    part: &str,
    found: &mut Findings<'_>,
) -> Sides<bool> {
    let can = objects.map(|object| object.has(Feature::Create));
    let (create, span) = match &given.create {
        None => (can, span.clone()),
        Some(word) => match sides.create(*word.get_ref()) {
            Ok(create) => (create, word.span()),
            Err(message) => {
                found.problem(&word.span(), part, format!("create: {message}"));
                return can;
            }
        },
    };
    for side in Side::BOTH {
        let who = exchange(&sides.exchanges[side]);
        if !create[side] {
            continue;
        }
        if !can[side] {
            found.problem(
                &span,
                part,
                format!(
                    "records of {} cannot be created in {who}; write create = \"{}\"",
                    objects[side].name,
                    other_word(create, side)
                ),
            );
            continue;
        }
        // A field that is listed and invalid has been reported already.
        let named = |name: &str| {
            listed.iter().any(|one| one.name(side) == name)
                && !fields.iter().any(|field| field.name(side) == name)
        };
        let filled = |name: &str| {
            fields.iter().any(|field| {
                field.name(side) == name && field.direction.reaches(side) && field.write != WriteRule::Never
            })
        };
        let missing: Vec<&str> = objects[side]
            .fields
            .iter()
            .filter(|field| field.required && field.writable)
            .map(|field| field.name.as_str())
            .filter(|name| !filled(name) && !named(name))
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "a new {} of {who} needs {}, which nothing is written to; map {}, or write create = \"{}\"",
                objects[side].name,
                missing.join(", "),
                if missing.len() == 1 { "it" } else { "them" },
                other_word(create, side)
            );
            found.problem(&span, part, message);
        }
    }
    create
}

/// The word for creating records on the other side only, or nowhere.
fn other_word(create: Sides<bool>, without: Side) -> &'static str {
    match (create[without.other()], without) {
        (false, _) => "none",
        (true, Side::Left) => "right",
        (true, Side::Right) => "left",
    }
}

fn check_filter(
    given: &MappingEntry,
    side: Side,
    sides: SideWords<'_>,
    object: &Object,
    part: &str,
    found: &mut Findings<'_>,
) -> Vec<Condition> {
    let entries = Sides::new(&given.filter_left, &given.filter_right)[side].as_deref().unwrap_or_default();
    let mut conditions = Vec::new();
    for entry in entries {
        let name = &entry.get_ref().field;
        let Some(field) = object.field(name.get_ref()) else {
            let there = object.fields.iter().map(|field| field.name.as_str());
            let who = exchange(&sides.exchanges[side]);
            found.problem(
                &name.span(),
                part,
                format!(
                    "filter-{side}: {} of {who} has no field '{}'; {}",
                    object.name,
                    name.get_ref(),
                    known(name.get_ref(), there)
                ),
            );
            continue;
        };
        match check_condition(entry.get_ref(), &field.kind, |value| {
            value::from_toml(value).and_then(|value| fit(value, field, false))
        }) {
            Ok(test) => conditions.push(Condition { field: field.name.clone(), test }),
            Err(message) => {
                found.problem(&entry.span(), part, format!("filter-{side}, {}: {message}", field.name))
            }
        }
    }
    conditions
}

/// Validates the tie-break rules among several matching records. They are evaluated on what pairs store,
/// which is mapped fields.
fn check_prefer(
    given: &MappingEntry,
    side: Side,
    sides: SideWords<'_>,
    object: &Object,
    fields: &[FieldMapping],
    part: &str,
    found: &mut Findings<'_>,
) -> Vec<Prefer> {
    let entries = Sides::new(&given.prefer_left, &given.prefer_right)[side].as_deref().unwrap_or_default();
    let mut rules = Vec::new();
    for entry in entries {
        let condition = match entry.get_ref() {
            PreferEntry::LowestId => {
                rules.push(Prefer::LowestId);
                continue;
            }
            PreferEntry::Where(condition) => condition,
        };
        let name = &condition.field;
        let mapped = fields.iter().any(|field| field.name(side) == name.get_ref());
        let Some(field) = object.field(name.get_ref()).filter(|_| mapped) else {
            let there =
                fields.iter().map(|field| field.name(side)).filter(|name| object.field(name).is_some());
            let who = exchange(&sides.exchanges[side]);
            found.problem(
                &name.span(),
                part,
                format!(
                    "prefer-{side}: '{}' is not among the mapped fields of {who}; {}",
                    name.get_ref(),
                    known(name.get_ref(), there)
                ),
            );
            continue;
        };
        match check_condition(condition, &field.kind, |value| {
            value::from_toml(value).and_then(|value| fit(value, field, false))
        }) {
            Ok(test) => rules.push(Prefer::Where(Condition { field: field.name.clone(), test })),
            Err(message) => {
                found.problem(&entry.span(), part, format!("prefer-{side}, {}: {message}", field.name))
            }
        }
    }
    if let Some(at) = rules.iter().position(|rule| *rule == Prefer::LowestId)
        && at + 1 < rules.len()
        && let Some(entry) = entries.get(at + 1)
    {
        found.problem(
            &entry.span(),
            part,
            format!(
                "prefer-{side}: \"lowest-id\" always chooses one, so nothing after it counts; put it last"
            ),
        );
    }
    rules
}

fn check_condition(
    entry: &ConditionEntry,
    kind: &Kind,
    read: impl Fn(&toml::Value) -> Result<entente_core::Value, String>,
) -> Result<Test, String> {
    let mut tests = Vec::new();
    if let Some(value) = &entry.is {
        tests.push(Test::Is(read(value.get_ref())?));
    }
    if let Some(value) = &entry.not {
        tests.push(Test::Not(read(value.get_ref())?));
    }
    if let Some(part) = &entry.contains {
        if !matches!(kind.carrier(), Carrier::Text | Carrier::Texts) {
            return Err(format!("contains is for texts and lists, and its kind is {kind}"));
        }
        tests.push(Test::Contains(part.get_ref().clone()));
    }
    if let Some(blank) = &entry.blank {
        tests.push(Test::Blank(*blank.get_ref()));
    }
    match (tests.pop(), tests.pop()) {
        (Some(test), None) => Ok(test),
        _ => Err("a condition has one of is, not, contains, blank; write one condition for each".to_owned()),
    }
}

/// Checks that a mapped reference points to objects that are mapped too; it is not carried otherwise.
fn check_targets(
    field: &FieldMapping,
    objects: Sides<&Object>,
    pairs: &[Sides<String>],
    span: &Range<usize>,
    part: &str,
    found: &mut Findings<'_>,
) {
    if !field.is_reference() || field.constant.is_some() {
        return;
    }
    let targets = Sides::by(|side| {
        objects[side].field(field.name(side)).map(|field| field.targets.as_slice()).unwrap_or_default()
    });
    let meets =
        |side: Side, pair: &Sides<String>| targets[side].is_empty() || targets[side].contains(&pair[side]);
    if !pairs.iter().any(|pair| meets(Side::Left, pair) && meets(Side::Right, pair)) {
        let listed = |side: Side| {
            if targets[side].is_empty() { "anything".to_owned() } else { targets[side].join(", ") }
        };
        let message = format!(
            "field {} ↔ {} points to {} and {}, which this sync does not map to each other; the links wait until it does",
            field.names.left,
            field.names.right,
            listed(Side::Left),
            listed(Side::Right)
        );
        found.notice(span, part, message);
    }
}
