//! Groups: fields that are one fact, from the file or, of an address of the hub, by default.

use super::sync::Findings;
use crate::config::file::form::MappingEntry;
use crate::config::names::{HUB, known};
use entente_sync::{Direction, FieldMapping, Side, Sides, Slot};
use std::ops::Range;

/// The parts of an address of the hub: one fact, unless the file says otherwise.
pub(crate) const ADDRESS: [&str; 4] = ["address", "city", "region", "country"];

/// The groups of a mapping whose file names none: the parts of the hub's address, where two or more of them are mapped and
/// decided by the same rules.
pub(crate) fn default_groups(exchanges: &Sides<String>, fields: &[FieldMapping]) -> Vec<Vec<Slot>> {
    let Some(hub) = Side::BOTH.into_iter().find(|side| exchanges[*side] == HUB) else { return Vec::new() };
    let of = |name: &str| {
        let mut named = fields.iter().filter(|field| field.name(hub) == name);
        // One that is mapped to several fields is part of several addresses there.
        named.next().filter(|_| named.next().is_none())
    };
    let parts = ADDRESS.into_iter().filter_map(of);
    let parts: Vec<&FieldMapping> =
        parts.filter(|field| field.direction == Direction::Both && why_not(field).is_none()).collect();
    match parts.first() {
        Some(first) if parts.len() > 1 && parts.iter().all(|field| same_rules(first, field)) => {
            vec![parts.iter().map(|field| field.slot).collect()]
        }
        _ => Vec::new(),
    }
}

/// Validates `groups`, by the names on the left.
pub(crate) fn check_groups(
    given: &MappingEntry,
    exchanges: &Sides<String>,
    fields: &[FieldMapping],
    part: &str,
    found: &mut Findings<'_>,
) -> Vec<Vec<Slot>> {
    let Some(groups) = &given.groups else { return default_groups(exchanges, fields) };
    let mut all: Vec<Vec<Slot>> = Vec::new();
    for group in groups {
        let mut slots: Vec<Slot> = Vec::new();
        for name in group.get_ref() {
            let named: Vec<&FieldMapping> =
                fields.iter().filter(|field| field.names.left == *name.get_ref()).collect();
            let mut problem = |why: &str| {
                found.problem(&name.span(), part, format!("groups: '{}' {why}", name.get_ref()));
            };
            match named[..] {
                [] => {
                    let there = fields.iter().map(|field| field.names.left.as_str());
                    problem(&format!("is not among the mapped fields; {}", known(name.get_ref(), there)));
                }
                [field] if all.iter().flatten().chain(&slots).any(|slot| *slot == field.slot) => {
                    problem("is in a group already, and a field is part of one fact");
                }
                [field] => match why_not(field) {
                    Some(why) => problem(why),
                    None => slots.push(field.slot),
                },
                _ => problem("is mapped to several fields, so that it is part of several facts"),
            }
        }
        check_group(&group.span(), &slots, fields, part, found);
        all.push(slots);
    }
    all
}

/// Why a field cannot be part of a group.
fn why_not(field: &FieldMapping) -> Option<&'static str> {
    if field.set_like {
        Some("is a set, which is merged element by element; leave it out of the group")
    } else if field.is_reference() {
        Some("refers to other records, and is decided for itself; leave it out of the group")
    } else if field.constant.is_some() {
        Some("is a constant, which nobody decides about; leave it out of the group")
    } else {
        None
    }
}

/// Whether two fields are decided by the same rules.
fn same_rules(a: &FieldMapping, b: &FieldMapping) -> bool {
    (a.direction, a.trust, a.unresolved) == (b.direction, b.trust, b.unresolved)
}

fn check_group(
    span: &Range<usize>,
    slots: &[Slot],
    fields: &[FieldMapping],
    part: &str,
    found: &mut Findings<'_>,
) {
    let members: Vec<&FieldMapping> = fields.iter().filter(|field| slots.contains(&field.slot)).collect();
    let Some(first) = members.first().filter(|_| members.len() > 1) else {
        found.problem(span, part, "groups: a group has two fields or more");
        return;
    };
    if let Some(other) = members.iter().find(|field| !same_rules(first, field)) {
        let message = format!(
            "groups: '{}' and '{}' are one fact, and need the same direction, trust and unresolved",
            first.names.left, other.names.left
        );
        found.problem(span, part, message);
    }
}
